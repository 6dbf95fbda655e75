"""What tokens cost. A price that nobody knows is None, never 0."""

from dataclasses import dataclass
from decimal import Decimal
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from whyrank._extras import require
from whyrank.errors import BadInput, MissingExtra
from whyrank.types import Usage

MILLION = 1_000_000
SAMPLE = 1_000
"""Tokens whose price is asked for. Some models cost more a token for very long prompts; ours are not that long."""


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars for a million tokens.

    Attributes:
        input_per_million: of the prompt.
        output_per_million: of the answer, reasoning included.
        cached_per_million: of the part of the prompt that the provider had computed before; None: as the rest.
    """

    input_per_million: float
    output_per_million: float
    cached_per_million: float | None = None

    def __post_init__(self) -> None:
        for value in (self.input_per_million, self.output_per_million, self.cached_per_million):
            if value is not None and not 0 <= value < float("inf"):
                raise BadInput(f"a price is {value}; give US dollars for a million tokens, 0 or more")

    def of(self, usage: Usage) -> float:
        """US dollars that these tokens cost."""
        cached = self.input_per_million if self.cached_per_million is None else self.cached_per_million
        return (
            (usage.prompt_tokens - usage.cached_tokens) * self.input_per_million
            + usage.cached_tokens * cached
            + usage.generated_tokens * self.output_per_million
        ) / MILLION

    def at_most(self, prompt_tokens: int, generated_tokens: int) -> float:
        """US dollars that so many tokens can cost, whatever the provider has computed before."""
        dearest = max(self.input_per_million, self.cached_per_million or 0.0)
        return (prompt_tokens * dearest + generated_tokens * self.output_per_million) / MILLION


def price_of(provider: str, model: str) -> Price | None:
    """What a provider asks today, from the table that the package genai-prices carries; nothing is fetched.

    For models whose price depends on the length of the prompt, this is the price of short ones.

    Args:
        provider: a name ("openai", "anthropic", "google") or the address of its interface.
        model: as the provider names it.

    Returns:
        None where the table has no such model, or has nothing for a side of it, or is not installed (extra
        ``prices``); and for a server on this machine: what that costs only its owner knows (``Price(0, 0)`` says
        that it costs nothing).
    """
    if is_loopback(provider):
        return None
    try:
        genai_prices = require("genai_prices", extra="prices", purpose="knowing prices")
    except MissingExtra:
        return None
    where = {"provider_api_url": provider} if "://" in provider else {"provider_id": provider}

    def costs(**tokens: int) -> Any:
        return genai_prices.calc_price(genai_prices.Usage(**tokens), model_ref=model, **where).total_price

    try:
        prompt, answer = costs(input_tokens=SAMPLE), costs(output_tokens=SAMPLE)
        cached = costs(input_tokens=SAMPLE, cache_read_tokens=SAMPLE)
    except LookupError:
        return None
    if not prompt or not answer:  # the table says 0 for what it does not know
        return None
    return Price(_per_million(prompt), _per_million(answer), _per_million(cached))


def is_loopback(url: str) -> bool:
    """Whether an address is on this machine."""
    host = urlsplit(url).hostname if "://" in url else None
    if host is None:
        return False
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _per_million(price: Decimal) -> float:
    return float(price * MILLION / SAMPLE)
