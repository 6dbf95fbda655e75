"""Claude, through Anthropic's interface.

Tested against its documented wire format, not against the service.
"""

import json
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError

from whyrank._extras import require
from whyrank.lm.adapting import Adapting, Body, without
from whyrank.lm.base import Capability, Generate, Message, Reply, Request, Tokens
from whyrank.lm.budget import Budget
from whyrank.lm.credentials import Key, addresses, signed
from whyrank.lm.failures import unusable
from whyrank.lm.limits import Limits, Timing
from whyrank.lm.prices import Price, price_of
from whyrank.lm.remote import Remote
from whyrank.lm.stainless import Clients, call
from whyrank.types import Usage

SERVICE = "https://api.anthropic.com"
CHANGES = {
    "temperature": without("temperature"),
    "output_config": without("output_config", r"output_config|output_format|json_schema|structured outputs?"),
}
FINISHES: Mapping[str | None, Literal["stop", "length", "refused"]] = {
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "refused",
}


class Anthropic(Remote):
    """A model behind Anthropic's Messages interface. It gives no logprobs and takes conversations only.

    Args:
        model: as Anthropic names it.
        url: where it is; None is Anthropic's own service.
        key: API key; None reads ANTHROPIC_API_KEY, for https addresses only.
        concurrency: most calls at once.
        timeout_s: of one call.
        retries: further tries of a call that failed in a way that may pass.
        deadline_s: of a whole `ask`.
        budget: of tokens and money.
        context: most tokens of prompt and answer together.
        tokens: counts as the model does; None estimates.
        prices: of its tokens; None looks them up (extra ``prices``).
        extra_body: further fields of every request, such as ``{"thinking": {…}}``.
        prefill: the model continues the assistant's turn; newer ones refuse to.
        timing: clock, waiting and chance.

    Raises:
        MissingExtra: anthropic is not installed.
        BadInput: an address or a limit makes no sense, or money is limited and the price unknown.
    """

    takes_texts = False

    def __init__(
        self,
        model: str,
        *,
        url: str | Sequence[str] | None = None,
        key: str | None = None,
        concurrency: int = 8,
        timeout_s: float = 60.0,
        retries: int = 4,
        deadline_s: float | None = None,
        budget: Budget | None = None,
        context: int | None = None,
        tokens: Tokens | None = None,
        prices: Price | None = None,
        extra_body: Mapping[str, Any] | None = None,
        prefill: bool = False,
        timing: Timing | None = None,
    ) -> None:
        sdk = require("anthropic", extra="anthropic", purpose="the Anthropic backend")
        urls = addresses(url, SERVICE)
        self._wire = _Wire(sdk, model, Key(key, "ANTHROPIC_API_KEY", urls), dict(extra_body or {}))
        super().__init__(
            self._wire,
            name=signed("anthropic", model, urls, SERVICE),
            urls=urls,
            capabilities=frozenset({Capability.GENERATE} | ({Capability.PREFILL} if prefill else set())),
            limits=Limits(concurrency, timeout_s, retries, deadline_s, budget),
            price=prices or price_of("anthropic" if urls == (SERVICE,) else urls[0], model),
            context=context,
            tokens=tokens,
            timing=timing,
        )


class Block(BaseModel):
    """A piece of an answer: text, or thinking."""

    type: str
    text: str = ""
    thinking: str = ""


class OutputDetails(BaseModel):
    """Of the tokens of the answer."""

    thinking_tokens: int | None = None


class Counts(BaseModel):
    """The `usage`; `input_tokens` leaves out what was read from or written to the cache."""

    input_tokens: int = Field(default=0, ge=0)
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    output_tokens: int = Field(default=0, ge=0)
    output_tokens_details: OutputDetails | None = None


class Answer(BaseModel):
    """What came back."""

    content: list[Block]
    stop_reason: str | None = None
    usage: Counts = Counts()


def body_of(request: Generate, model: str) -> Body:
    """What to send."""
    assert not isinstance(request.prompt, str)
    body: Body = {
        "model": model,
        "messages": [_turn(message) for message in request.prompt if message.role != "system"],
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
    }
    system = "\n\n".join(message.text for message in request.prompt if message.role == "system")
    if system:
        body["system"] = system
    if request.stop:
        body["stop_sequences"] = list(request.stop)
    if request.schema:
        body["output_config"] = {"format": {"type": "json_schema", "schema": json.loads(request.schema)}}
    return body


def reply_of(body: Mapping[str, Any]) -> Reply:
    """What it says.

    Raises:
        CallFailed: no answer.
    """
    try:
        answer = Answer.model_validate(body)
    except ValidationError as error:
        raise unusable(f"the server said 200 and sent no answer: {error.errors()[0]['msg']}") from None
    counts = answer.usage
    read = counts.cache_read_input_tokens or 0
    details = counts.output_tokens_details
    return Reply(
        text="".join(block.text for block in answer.content if block.type == "text"),
        reasoning="".join(block.thinking for block in answer.content if block.type == "thinking"),
        finish=FINISHES.get(answer.stop_reason, "stop"),
        usage=Usage(
            prompt_tokens=counts.input_tokens + (counts.cache_creation_input_tokens or 0) + read,
            cached_tokens=read,
            generated_tokens=counts.output_tokens,
            reasoning_tokens=(details.thinking_tokens or 0) if details else 0,
        ),
    )


class _Wire:
    """Makes the calls."""

    def __init__(self, sdk: ModuleType, model: str, key: Key, extra_body: dict[str, Any]) -> None:
        self._sdk = sdk
        self._model = model
        self._key = key
        self._extra_body = extra_body
        self._clients = Clients(sdk, sdk.Anthropic, key)
        self._adapting = Adapting(CHANGES)

    def send(self, request: Request, url: str, timeout_s: float) -> Reply:
        """Ask one server; it gives one answer whatever `Generate.n` is."""
        assert isinstance(request, Generate)
        create = self._clients.of(url).messages.with_streaming_response.create

        def once(body: Body) -> Reply:
            return reply_of(call(self._sdk, create, body, timeout_s, self._key))

        return self._adapting.ask(body_of(request, self._model) | self._extra_body, once)

    def close(self) -> None:
        """End its connections."""
        self._clients.close()


def _turn(message: Message) -> dict[str, str]:
    return {"role": message.role, "content": message.text}
