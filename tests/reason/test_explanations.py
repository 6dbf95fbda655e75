"""Reasons beside a ranking: which are given, from what, and that the order is never touched."""

from collections.abc import Sequence
from dataclasses import replace
from math import fsum

import pytest
from bag_scorer import BagScorer, ChaosScorer, ranked
from hypothesis import given, settings
from hypothesis import strategies as st

from whyrank.errors import BadInput, OtherRanker, UnknownName, WhyrankError
from whyrank.reason import explain, explain_pair, verify
from whyrank.types import Document, Explanations, Ranking

SCORER = BagScorer({"heat": 0.5, "cold": 0.25, "air": 0.125}, whole=0.25, first=0.25)
DOCUMENTS = ["Heat. Cold air.", "Cold air.", "Heat.", "Air.", "Snow."]
RANKING = ranked(SCORER, "heat cold air", DOCUMENTS, [0.0, 0.1, 0.2, 0.3, 0.4])


def pairs(given_ones: Explanations) -> list[tuple[str, str]]:
    return [(c.upper_id, c.lower_id) for c in given_ones.comparisons]


def test_the_best_are_explained_and_each_compared_with_the_next() -> None:
    given_ones = explain(RANKING, SCORER, top=2)
    assert RANKING.ids == ("1", "3", "2", "4", "5")
    assert [d.document_id for d in given_ones.direct] == ["1", "3"]
    assert pairs(given_ones) == [("1", "3"), ("3", "2")]
    assert [d.score for d in given_ones.direct] == [h.score for h in RANKING.hits[:2]]


def test_the_last_document_has_no_next() -> None:
    given_ones = explain(RANKING, SCORER, top=99)
    assert [d.document_id for d in given_ones.direct] == list(RANKING.ids)
    assert pairs(given_ones) == [("1", "3"), ("3", "2"), ("2", "4"), ("4", "5")]


def test_three_are_explained_unless_asked_otherwise() -> None:
    assert len(explain(RANKING, SCORER).direct) == 3
    assert explain(RANKING, SCORER, top=0).direct == ()
    assert explain(RANKING, SCORER, top=0).comparisons == ()
    assert explain(RANKING, SCORER, top=0).usage.documents == 0


def test_each_shown_document_is_taken_apart_once() -> None:
    class Counting(BagScorer):
        apart = 0

        def decompose(self, query, documents, first_scores):  # type: ignore[no-untyped-def]
            Counting.apart += len(documents)
            return super().decompose(query, documents, first_scores)

    explain(RANKING, Counting(SCORER.weights, whole=0.25, first=0.25), top=3)
    assert Counting.apart == 4


def test_usage_counts_every_version_that_was_scored() -> None:
    given_ones = explain(RANKING, SCORER, top=2)
    rescored = [c.counterfactual.rescored for c in given_ones.comparisons if c.counterfactual]
    assert sum(rescored) > 0
    assert given_ones.usage.documents == 3 + sum(rescored)
    assert given_ones.usage.seconds > 0


def test_counterfactuals_can_be_left_out_and_bounded() -> None:
    without = explain(RANKING, SCORER, counterfactuals=False)
    assert [c.counterfactual for c in without.comparisons] == [None] * 3
    assert without.usage.documents == 4
    poor = explain(RANKING, replace(SCORER, bounded=False), budget=0)
    assert {c.counterfactual.status for c in poor.comparisons if c.counterfactual} == {"unknown"}


def test_what_was_not_read_is_not_explained() -> None:
    unread = replace(RANKING.hits[2], score=None)
    ranking = replace(RANKING, hits=(*RANKING.hits[:2], unread))
    given_ones = explain(ranking, SCORER, top=5)
    assert [d.document_id for d in given_ones.direct] == ["1", "3"]
    assert pairs(given_ones) == [("1", "3")]


@pytest.mark.parametrize("documents", [[], ["Heat."]])
def test_none_and_one(documents: list[str]) -> None:
    given_ones = explain(ranked(SCORER, "heat", documents), SCORER)
    assert len(given_ones.direct) == len(documents)
    assert given_ones.comparisons == ()


def test_scores_of_another_ranker_are_refused_to_the_last_bit() -> None:
    score = RANKING.hits[0].score
    assert score is not None
    touched = replace(RANKING, hits=(replace(RANKING.hits[0], score=score + 2**-52), *RANKING.hits[1:]))
    with pytest.raises(
        OtherRanker, match=r"document '1' has the score .* but 'bag' gives it .* made by 'bag' or another"
    ):
        explain(touched, SCORER)
    assert issubclass(OtherRanker, WhyrankError)


def test_a_pair_that_are_not_neighbours() -> None:
    given_one = explain_pair(RANKING, SCORER, "1", "5")
    assert (given_one.upper_id, given_one.lower_id) == ("1", "5")
    assert given_one.counterfactual is not None
    assert given_one.counterfactual.status == "flips"
    assert explain_pair(RANKING, SCORER, "1", "5", counterfactuals=False).counterfactual is None
    assert explain_pair(RANKING, SCORER, "1", "3") == explain(RANKING, SCORER).comparisons[0]


def test_pairs_that_cannot_be_explained() -> None:
    with pytest.raises(UnknownName, match="no document called '9'"):
        explain_pair(RANKING, SCORER, "1", "9")
    with pytest.raises(BadInput, match="'5' does not stand above '1'; give the higher first"):
        explain_pair(RANKING, SCORER, "5", "1")
    with pytest.raises(BadInput, match="'1' does not stand above '1'"):
        explain_pair(RANKING, SCORER, "1", "1")
    unread = replace(RANKING, hits=(*RANKING.hits[:4], replace(RANKING.hits[4], score=None)))
    with pytest.raises(BadInput, match="document '5' has no score"):
        explain_pair(unread, SCORER, "1", "5")
    with pytest.raises(BadInput, match="top is -1"):
        explain(RANKING, SCORER, top=-1)


WORDS = st.lists(st.sampled_from(["heat", "cold", "air", "snow", "1.5", "“so”"]), min_size=1, max_size=4).map(" ".join)
TEXTS = st.lists(WORDS.map(lambda s: s + "."), max_size=10).map(" ".join)
WEIGHTS = st.floats(-1, 1)
SCORERS = st.one_of(
    st.builds(
        BagScorer,
        st.fixed_dictionaries({"heat": WEIGHTS, "cold": WEIGHTS, "air": WEIGHTS}),
        best=st.sampled_from([0.0, 0.1, -0.1]),
        whole=WEIGHTS,
        first=WEIGHTS,
        constant=WEIGHTS,
        bounded=st.booleans(),
    ),
    st.builds(ChaosScorer, salt=st.integers(0, 999)),
)
FIRST = st.lists(st.one_of(st.none(), st.floats(-9, 9)), min_size=6, max_size=6)


@settings(max_examples=150, deadline=None)
@given(SCORERS, st.lists(st.tuples(TEXTS, st.one_of(st.none(), WORDS)), max_size=6), FIRST, st.integers(0, 7))
def test_whatever_is_explained_adds_up_and_verifies(
    scorer: BagScorer, texts: Sequence[tuple[str, str | None]], first: Sequence[float | None], top: int
) -> None:
    documents = [Document(f"d{i}", text, title) for i, (text, title) in enumerate(texts)]
    ranking = ranked(scorer, "how 1.5 heat cold air", documents, first[: len(texts)])
    before = ranking.hits
    given_ones = explain(ranking, scorer, top=top, budget=60)
    assert ranking.hits == before
    assert len(given_ones.direct) == min(top, len(texts))
    assert len(given_ones.comparisons) == (min(top, len(texts) - 1) if texts else 0)
    for direct in given_ones.direct:
        assert direct.score == pytest.approx(fsum(t.value for t in direct.terms), abs=1e-9)
        assert direct.text.endswith(".")
    for comparison in given_ones.comparisons:
        assert comparison.margin is not None
        assert comparison.margin >= 0
        assert comparison.margin == pytest.approx(fsum(d.value for d in comparison.differences), abs=1e-9)
    report = verify(replace(ranking, explanations=given_ones), scorer)
    assert report.ok, str(report)


@settings(max_examples=30, deadline=None)
@given(SCORERS, TEXTS)
def test_identical_documents_have_no_margin(scorer: BagScorer, text: str) -> None:
    ranking: Ranking = ranked(scorer, "heat cold air", [text, text, text])
    assert ranking.ids == ("1", "2", "3")
    for comparison in explain(ranking, scorer, budget=20).comparisons:
        assert comparison.margin == 0
        assert comparison.text.startswith("Both score the same, and ties keep the order")
        assert "no part of the score tells them apart" in comparison.text
        assert "ahead" not in comparison.text
