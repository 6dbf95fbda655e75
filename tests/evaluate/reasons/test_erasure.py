"""Sufficiency and comprehensiveness, with numbers worked by hand."""

import math
from collections.abc import Sequence

import numpy as np
import pytest

from whyrank.errors import BadInput, UnknownName
from whyrank.evaluate.reasons.erasure import erasure
from whyrank.evaluate.reasons.rationales import at_random, lead, sentences_of
from whyrank.types import Document, Query, Ranking, Span

# "gold" is worth 2, "good" 1, every other word nothing; a filler takes 0.25 away
WORTH = {"gold": 2.0, "good": 1.0, "…": -0.25}
UPPER = Document("u", "So good. All gold. It is.")
LOWER = Document("l", "A dull one.")
GOOD, GOLD, IS = sentences_of(UPPER)
RANKING = Ranking.of(Query("q", "gold"), [UPPER, LOWER])
ONLY_IN_THE_SECOND = {"u": (GOLD, GOOD, IS), "l": sentences_of(LOWER)}


def judge(query: Query, documents: Sequence[Document]) -> list[float]:
    return [sum(WORTH.get(w.strip("."), 0.0) for w in d.full_text.split()) for d in documents]


# Full texts score 3 and 0: the standard deviation is 1.5.
def test_one_sentence_by_hand() -> None:
    measured = erasure(
        [RANKING], {"ours": [ONLY_IN_THE_SECOND], "lead": [lead(RANKING)]}, judge, levels=["1"], replaced=["1"]
    )
    ours, first = measured.evaluations
    assert ours.measures[:4] == ("comp@1", "suff@1", "comp/replace@1", "suff/replace@1")
    assert ours.mean("comp@1") == pytest.approx((3 - 1) / 1.5)
    assert ours.mean("suff@1") == pytest.approx((3 - 2) / 1.5)
    assert ours.mean("comp/replace@1") == pytest.approx((3 - (1 - 0.5)) / 1.5)
    assert ours.mean("suff/replace@1") == pytest.approx((3 - (2 - 1.0)) / 1.5)
    assert first.mean("comp@1") == pytest.approx((3 - 2) / 1.5)
    assert first.mean("suff@1") == pytest.approx((3 - 1) / 1.5)
    assert (ours.name, first.name, ours.queries) == ("ours", "lead", ("q",))


def test_a_family_is_the_mean_over_its_levels() -> None:
    [ours] = erasure(
        [RANKING], {"ours": [ONLY_IN_THE_SECOND]}, judge, levels=["1", "2", "50%"], replaced=()
    ).evaluations
    # 50 % of 6 words: "All gold." and "So"
    assert ours.of("comp@50%") == pytest.approx([2 / 1.5])
    assert ours.of("comp@2") == pytest.approx([3 / 1.5])
    assert ours.of("comp") == pytest.approx([(2 + 3 + 2) / 3 / 1.5])
    with pytest.raises(UnknownName):
        ours.of("comp/replace")


def test_what_all_methods_would_show_is_not_measured() -> None:
    measured = erasure([RANKING], {"ours": [ONLY_IN_THE_SECOND]}, judge)
    counts = {p.name: (p.count, p.of) for p in measured.measured_on}
    assert counts["measured at 2"] == (1, 2)
    assert counts["measured at 3"] == (0, 2)
    assert counts["measured at 10%"] == (1, 2)
    [ours] = measured.evaluations
    assert math.isnan(ours.mean("comp@3"))
    levels = [ours.mean(f"comp@{level}") for level in ("1", "2", "10%", "20%", "50%")]
    assert ours.mean("comp") == pytest.approx(sum(levels) / 5)


def test_a_document_without_a_rationale_is_measured_for_no_method() -> None:
    half = Document("h", "Good? No. Gold! Yes.")
    ranking = Ranking.of(RANKING.query, [UPPER, half, LOWER])
    given = {"lead": [lead(ranking)], "model": [{"u": (GOLD,), "h": (), "l": (Span(0, 2),)}]}
    alone = erasure([ranking], {"lead": [lead(ranking)]}, judge, levels=["1"], replaced=())
    both = erasure([ranking], given, judge, levels=["1"], replaced=())
    assert [m.measured_on[0].count for m in (alone, both)] == [2, 1]
    spread = float(np.std(judge(ranking.query, ranking.documents)))
    assert both.evaluations[0].mean("comp@1") == pytest.approx(1 / spread)
    assert alone.evaluations[0].mean("comp@1") != both.evaluations[0].mean("comp@1")


def test_only_the_top_is_measured_and_the_spread_is_of_all() -> None:
    ranking = Ranking.of(RANKING.query, [LOWER, UPPER])
    measured = erasure([ranking], {"lead": [lead(ranking)]}, judge, top=1)
    assert measured.measured_on[0].of == 1
    assert math.isnan(measured.evaluations[0].mean("comp@1"))
    with pytest.raises(BadInput, match="top is 0"):
        erasure([ranking], {"lead": [lead(ranking)]}, judge, top=0)


def test_a_judge_that_does_not_tell_documents_apart_leaves_the_query_undefined() -> None:
    measured = erasure([RANKING], {"lead": [lead(RANKING)]}, lambda query, documents: [1.0] * len(documents))
    assert np.isnan(measured.evaluations[0].values_QM).all()


def test_the_judge_is_asked_once_a_query_and_the_scale_of_its_scores_does_not_matter() -> None:
    calls: list[int] = []

    def scaled(query: Query, documents: Sequence[Document]) -> list[float]:
        calls.append(len(documents))
        return [1_000 * score - 7 for score in judge(query, documents)]

    other = Ranking.of(Query("r", "gold"), [UPPER, LOWER])
    given = {"ours": [ONLY_IN_THE_SECOND] * 2, "random": [at_random(RANKING, 0), at_random(other, 0)]}
    heard: list[tuple[int, int]] = []
    big = erasure([RANKING, other], given, scaled, progress=lambda *at: heard.append(at))
    small = erasure([RANKING, other], given, judge)
    for one, two in zip(big.evaluations, small.evaluations, strict=True):
        np.testing.assert_allclose(one.values_QM, two.values_QM, rtol=1e-9)
    assert len(calls) == 2
    assert heard == [(1, 2), (2, 2)]


def test_a_level_that_is_none_is_refused() -> None:
    with pytest.raises(BadInput, match="level is 'half'"):
        erasure([RANKING], {"lead": [lead(RANKING)]}, judge, levels=["half"])
