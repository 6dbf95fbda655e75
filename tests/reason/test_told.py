"""Reasons in a ranker's own words: what is asked of it, and what is made of what it says."""

from collections.abc import Sequence

import pytest

from whyrank.errors import BadInput
from whyrank.rankers.outcome import in_order
from whyrank.rankers.student import Asked, Said
from whyrank.rankers.student_prompt import Kind
from whyrank.reason.told import Teller, tell_reasons
from whyrank.reason.writers import NO_REASON, held
from whyrank.types import Comparison, Direct, Ranking, Span, Usage

TEXTS = ["The moon pulls the sea. It turns.", "The sun warms the sea.", "An apple tart."]


class Says:
    """A ranker with something to say."""

    name = "causal-student/made-up@0"

    def __init__(self, *texts: str, finish: str = "stop", kinds: tuple[Kind, ...] = ("direct", "comparison")) -> None:
        self.kinds = kinds
        self.texts, self.finish = texts, finish
        self.asked: list[Asked] = []

    def reasons(self, asked: Sequence[Asked]) -> list[Said]:
        self.asked += asked
        texts = self.texts or ("It is about the sea.",)
        usage = Usage(1, prompt_tokens=10, generated_tokens=5)
        return [
            Said(texts[n % len(texts)], "length" if self.finish == "length" else "stop", usage)
            for n in range(len(asked))
        ]


def ranked(count: int = 3) -> Ranking:
    given = Ranking.of("what moves the sea?", TEXTS)
    return in_order(given, [float(-n) for n in range(count)], ranker=Says.name, usage=Usage())


def test_each_of_the_best_and_the_one_below_it() -> None:
    teller = Says()
    assert isinstance(teller, Teller)
    told = tell_reasons(ranked(), teller, top=2)
    assert [(one.kind, one.document, one.other) for one in teller.asked] == [
        ("direct", TEXTS[0], None),
        ("comparison", TEXTS[0], TEXTS[1]),
        ("direct", TEXTS[1], None),
        ("comparison", TEXTS[1], TEXTS[2]),
    ]
    assert [reason.document_id for reason in told.direct] == ["1", "2"]
    assert [(reason.upper_id, reason.lower_id) for reason in told.comparisons] == [("1", "2"), ("2", "3")]
    given: list[Direct | Comparison] = [*told.direct, *told.comparisons]
    for reason in given:
        assert reason.source == Says.name
        assert reason.status == "ok"
        assert held("", reason).ok
    assert told.usage.calls == 4
    assert told.usage.generated_tokens == 20
    assert (told.usage.repaired, told.usage.unusable) == (0, 0)


@pytest.mark.parametrize(
    ("kinds", "top", "count", "expected"),
    [
        (("direct",), 2, 3, (2, 0)),
        (("comparison",), 2, 3, (0, 2)),
        (("direct", "comparison"), 5, 3, (3, 2)),
        (("direct", "comparison"), 5, 1, (1, 0)),
        (("direct", "comparison"), 0, 3, (0, 0)),
    ],
)
def test_no_more_than_there_is(kinds: tuple[Kind, ...], top: int, count: int, expected: tuple[int, int]) -> None:
    told = tell_reasons(ranked(count), Says(kinds=kinds), top=top)
    assert (len(told.direct), len(told.comparisons)) == expected


def test_quotes_are_looked_up() -> None:
    [direct] = tell_reasons(ranked(), Says("It says “the moon  pulls the sea”.", kinds=("direct",)), top=1).direct
    assert [(e.quote, e.span) for e in direct.evidence] == [("The moon pulls the sea.", Span(0, 23))]
    assert direct.status == "ok"
    assert held("", direct).ok


def test_a_quote_that_is_not_there_is_said() -> None:
    told = tell_reasons(ranked(), Says('It says "cheese makes the tide".', kinds=("direct",)), top=1)
    [direct] = told.direct
    assert [(e.quote, e.span) for e in direct.evidence] == [("cheese makes the tide", None)]
    assert direct.status == "repaired"
    assert told.usage.repaired == 1
    assert held("", direct).ok


def test_a_comparison_quotes_the_one_that_holds_it() -> None:
    says = Says('"pulls the sea" beats "warms the sea", and a "word" is no quote.', kinds=("comparison",))
    [comparison] = tell_reasons(ranked(), says, top=1).comparisons
    assert [e.quote for e in comparison.upper_evidence] == ["pulls the sea"]
    assert [e.quote for e in comparison.lower_evidence] == ["warms the sea"]
    assert comparison.agrees is None
    assert held("", comparison).ok


@pytest.mark.parametrize(
    ("text", "finish", "status", "expected"),
    [
        ("", "stop", "error", f"{NO_REASON}: the answer is empty."),
        ("…", "stop", "error", f"{NO_REASON}: the answer is empty."),
        (f"{NO_REASON} at all", "stop", "error", f"{NO_REASON}: the answer is empty."),
        ("It is about the", "length", "truncated", f"{NO_REASON}: the answer broke off."),
        ("It is so. And then “the", "length", "repaired", "It is so. …"),
    ],
)
def test_what_is_no_reason_is_none(text: str, finish: str, status: str, expected: str) -> None:
    told = tell_reasons(ranked(), Says(text, finish=finish, kinds=("direct",)), top=1)
    [direct] = told.direct
    assert isinstance(direct, Direct)
    assert (direct.text, direct.status, direct.evidence) == (expected, status, ())
    assert told.usage.unusable == (status != "repaired")
    assert held("", direct).ok


def test_refusals() -> None:
    with pytest.raises(BadInput, match="not taught to give reasons"):
        tell_reasons(ranked(), Says(kinds=()), top=1)
    with pytest.raises(BadInput, match="top is -1"):
        tell_reasons(ranked(), Says(), top=-1)
