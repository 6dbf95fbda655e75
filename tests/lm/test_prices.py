import sys

import pytest

from whyrank.errors import BadInput
from whyrank.lm.prices import Price, is_loopback, price_of
from whyrank.types import Usage


def test_cached_tokens_have_their_own_price() -> None:
    usage = Usage(prompt_tokens=1_000_000, cached_tokens=400_000, generated_tokens=200_000)
    assert Price(2.0, 8.0, 0.5).of(usage) == pytest.approx(0.6 * 2 + 0.4 * 0.5 + 0.2 * 8)
    assert Price(2.0, 8.0).of(usage) == pytest.approx(2 + 1.6)
    assert Price(2.0, 8.0, 2.5).at_most(1_000_000, 1_000_000) == pytest.approx(10.5)
    assert Price(0, 0).of(usage) == 0


@pytest.mark.parametrize("wrong", [(-1, 1), (1, float("inf")), (1, float("nan")), (1, 1, -0.1)])
def test_a_price_is_no_less_than_nothing(wrong: tuple[float, ...]) -> None:
    with pytest.raises(BadInput, match="dollars for a million"):
        Price(*wrong)


def test_known_models_have_a_price() -> None:
    pytest.importorskip("genai_prices")
    for provider, model in [
        ("openai", "gpt-4.1-mini"),
        ("anthropic", "claude-sonnet-4-5"),
        ("google", "gemini-2.5-flash"),
        ("https://api.openai.com/v1", "gpt-4.1-mini"),
    ]:
        price = price_of(provider, model)
        assert price is not None
        assert price.cached_per_million is not None
        assert 0 < price.cached_per_million <= price.input_per_million < price.output_per_million
    assert price_of("openai", "gpt-4o-2024-08-06") == Price(2.5, 10.0, 1.25)


def test_an_unknown_price_is_none_and_never_zero() -> None:
    pytest.importorskip("genai_prices")
    assert price_of("openai", "no-such-model") is None
    assert price_of("nobody", "gpt-4.1") is None
    assert price_of("https://gpu.example/v1", "gpt-4.1") is None
    assert price_of("openai", "text-embedding-3-small") is None  # the table has no price of answers


def test_without_the_package_no_price_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "genai_prices", None)
    assert price_of("openai", "gpt-4.1-mini") is None


@pytest.mark.parametrize(
    "url", ["http://localhost:8000/v1", "http://127.0.0.1:1", "http://127.8.9.1/v1", "http://[::1]/"]
)
def test_a_server_on_this_machine_has_no_known_price(url: str) -> None:
    assert is_loopback(url)
    assert price_of(url, "gpt-4.1-mini") is None


@pytest.mark.parametrize(
    "url", ["https://api.openai.com/v1", "http://10.0.0.1/v1", "http://localhost.example/", "openai"]
)
def test_others_are_not_on_this_machine(url: str) -> None:
    assert not is_loopback(url)
