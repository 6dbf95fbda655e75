"""What would be asked is counted, nothing is asked, and an unknown price is not a price of nothing."""

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from whyrank.lm.base import LM, Choose, Generate, Likelihood, Message, Reply, Request
from whyrank.lm.cache import Cached
from whyrank.lm.fake import Fake
from whyrank.lm.prices import Price
from whyrank.lm.rehearsal import TURN_TOKENS, Estimate, Rehearsal
from whyrank.types import Usage


@dataclass
class Words:
    """A tokenizer: a word is a token."""

    is_exact: bool = True

    def count(self, text: str) -> int:
        return len(text.split())

    def cut(self, text: str, limit: int) -> str:
        return " ".join(text.split()[:limit])


def model(*, is_exact: bool = True) -> Fake:
    return Fake([], name="fake:m", context=99, controls=("<|end|>",), tokens=Words(is_exact))


def answer(request: Request) -> str:
    return "[2] > [1]"


def test_nothing_is_asked_and_all_is_counted() -> None:
    fake = model()
    rehearsal = Rehearsal(fake, answer, price=Price(1_000.0, 100_000.0))
    turns = (Message("system", "be kind"), Message("user", "rank these two"))
    rehearsal.ask([Generate("one two three", max_tokens=10), Generate(turns, max_tokens=20, n=2)])
    rehearsal.ask([Choose("a b", ("x", "y")), Likelihood("a b c", "d e")])
    prompt = 3 + (2 + 3 + 2 * TURN_TOKENS) + 2 + 5
    estimate = rehearsal.estimate
    assert estimate.cost == pytest.approx(prompt / 1_000 + 10 / 10)
    assert estimate.most_cost == pytest.approx(prompt / 1_000 + 51 / 10)
    assert replace(estimate, cost=None, most_cost=None) == Estimate(
        calls=4,
        batches=2,
        prompt_tokens=prompt,
        generated_tokens=3 + 2 * 3 + 1,
        most_generated_tokens=10 + 40 + 1,
        cost=None,
        most_cost=None,
        is_exact=True,
    )
    assert fake.asked == []


def test_a_sum_knows_no_more_than_its_parts() -> None:
    known, guessed = Estimate(1, 2, 3, 4, 5, 6, cost=0.5, most_cost=1.0), Estimate(1, 1, 1, 1, 1, 1, None, 2.0, False)
    assert known + known == Estimate(2, 4, 6, 8, 10, 12, cost=1.0, most_cost=2.0)
    assert known + guessed == guessed + known == Estimate(2, 3, 4, 5, 6, 7, None, 3.0, False)


def test_it_is_a_model_like_the_one_it_stands_for() -> None:
    fake = model()
    rehearsal = Rehearsal(fake, answer)
    assert isinstance(rehearsal, LM)
    assert (rehearsal.name, rehearsal.capabilities, rehearsal.context, rehearsal.tokens, rehearsal.controls) == (
        "fake:m", fake.capabilities, 99, fake.tokens, ("<|end|>",)
    )  # fmt: skip


def test_replies_have_the_form_that_is_asked_for() -> None:
    told: list[int] = []
    requests: list[Request] = [Generate("p", n=3), Choose("p", ("yes", "no")), Likelihood("p", "a b c")]
    written, chosen, likely = Rehearsal(model(), lambda _: "no").ask(requests, lambda place, _: told.append(place))
    assert isinstance(written, Reply)
    assert isinstance(chosen, Reply)
    assert isinstance(likely, Reply)
    assert (written.text, written.others) == ("no", ("no", "no"))
    assert chosen.logprobs == (-1.0, 0.0)
    assert likely.logprobs == (0.0, 0.0, 0.0)
    assert told == [0, 1, 2]


def test_a_reply_that_tells_its_tokens_is_believed_up_to_the_limit() -> None:
    thinking = Reply("[1]", reasoning="a b c d", usage=Usage(generated_tokens=70, reasoning_tokens=60))
    for limit, expected, reasoning in ((100, 70, 60), (50, 50, 50)):
        rehearsal = Rehearsal(model(), lambda _: thinking)
        [reply] = rehearsal.ask([Generate("p", max_tokens=limit)])
        assert rehearsal.estimate.generated_tokens == expected
        assert reply == replace(thinking, usage=Usage(1, 0, 1, 0, expected, reasoning, cost=None))
    rehearsal = Rehearsal(model(), lambda _: replace(thinking, usage=Usage()))
    rehearsal.ask([Generate("p")])
    assert rehearsal.estimate.generated_tokens == 1 + 4


def test_an_unknown_price_is_unknown_and_nothing_asked_costs_nothing() -> None:
    rehearsal = Rehearsal(model(is_exact=False), answer)
    rehearsal.ask([])
    assert rehearsal.estimate == Estimate(cost=0.0, most_cost=0.0, is_exact=False)
    rehearsal.ask([Generate("p", max_tokens=9)])
    assert rehearsal.estimate == Estimate(1, 0, 1, 1, 3, 9, cost=None, most_cost=None, is_exact=False)
    free = Rehearsal(model(), answer, price=Price(0.0, 0.0))
    free.ask([Generate("p")])
    assert free.estimate.cost == 0.0


def test_what_is_in_the_cache_is_answered_from_it(tmp_path: Path) -> None:
    fake = Fake({"": "[3]"}, tokens=Words())
    cached = Cached(fake, tmp_path / "a.sqlite")
    cached.ask([Generate("a b")])
    rehearsal = Rehearsal(cached, answer)
    known, new = rehearsal.ask([Generate("a b", tag="t"), Generate("c d e")])
    rehearsal.ask([Generate("a b"), Generate("c d e"), Generate("c d e", temperature=1.0)])
    rehearsal.ask([Generate("a b"), Generate("c d e")])
    assert isinstance(known, Reply)
    assert isinstance(new, Reply)
    assert (known.text, new.text) == ("[3]", "[2] > [1]")
    estimate = rehearsal.estimate
    assert (estimate.calls, estimate.from_cache, estimate.batches, estimate.prompt_tokens) == (7, 5, 2, 6)
    assert len(fake.asked) == 1
    assert not cached.holds(Generate("c d e"))


def test_a_rehearsal_of_what_is_all_in_the_cache_costs_nothing(tmp_path: Path) -> None:
    cached = Cached(Fake(lambda _: "x"), tmp_path / "a.sqlite")
    cached.ask([Generate("a")])
    rehearsal = Rehearsal(cached, answer)
    rehearsal.ask([Generate("a")])
    assert rehearsal.estimate == Estimate(calls=1, from_cache=1, is_exact=False)


def test_a_cache_that_is_not_read_answers_only_the_equal_requests_of_a_batch(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    Cached(Fake(lambda _: "x"), path).ask([Generate("a")])
    rehearsal = Rehearsal(Cached(Fake([]), path, read=False), answer)
    rehearsal.ask([Generate("a"), Generate("a")])
    rehearsal.ask([Generate("a")])
    assert (rehearsal.estimate.calls, rehearsal.estimate.from_cache, rehearsal.estimate.batches) == (3, 1, 2)


def test_without_a_cache_equal_requests_are_all_asked() -> None:
    rehearsal = Rehearsal(model(), answer)
    rehearsal.ask([Generate("a"), Generate("a")])
    assert (rehearsal.estimate.calls, rehearsal.estimate.from_cache) == (2, 0)


def test_the_estimate_is_what_a_run_then_takes(tmp_path: Path) -> None:
    """The same requests, rehearsed and asked, through caches of their own."""
    batches = [[Generate("a b"), Generate("c"), Generate("a b")], [Generate("c"), Generate("d", n=2)]]
    rehearsal = Rehearsal(Cached(Fake([], tokens=Words()), tmp_path / "one.sqlite"), answer, price=Price(5.0, 7.0))

    def counted(request: Request) -> Reply:
        n = request.n if isinstance(request, Generate) else 1
        usage = Usage(prompt_tokens=len(str(request.prompt).split()), generated_tokens=3 * n)
        return Reply(answer(request), usage=replace(usage, cost=Price(5.0, 7.0).of(usage)))

    cached = Cached(Fake(counted), tmp_path / "other.sqlite")
    spent = Usage()
    for batch in batches:
        rehearsal.ask(batch)
        for reply in cached.ask(batch):
            assert isinstance(reply, Reply)
            spent += reply.usage
    estimate = rehearsal.estimate
    assert (estimate.calls, estimate.prompt_tokens) == (spent.calls, spent.prompt_tokens - spent.cached_tokens)
    assert estimate.generated_tokens == spent.generated_tokens
    assert estimate.cost == pytest.approx(spent.cost)
