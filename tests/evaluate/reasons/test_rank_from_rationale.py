"""Ranking by rationales alone and without them, with numbers worked by hand."""

import math
from collections.abc import Sequence
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kendalltau

from whyrank import _extras
from whyrank.errors import BadInput, MissingExtra
from whyrank.evaluate.reasons.rank_from_rationale import kendall_tau, rank_from_rationale
from whyrank.evaluate.reasons.rationales import at_random, lead, sentences_of
from whyrank.types import Document, Query, Ranking

some_scores = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=2, max_size=20)


def judge(query: Query, documents: Sequence[Document]) -> list[float]:
    return [float(d.full_text.count("x")) for d in documents]


# Full texts score 3, 2, 1; their first sentences 0, 2, 1; their last ones 3, 0, 0.
A, B, C = Document("a", "Nay. Exxx."), Document("b", "Exx. Nay."), Document("c", "Axb. Nay.")
RANKING = Ranking.of(Query("q", "x"), [A, B, C])
LAST = {d.id: sentences_of(d)[::-1] for d in RANKING.documents}
FIRST = lead(RANKING)
QRELS = {"q": {"a": 1.0, "b": 0.0}}


@given(some_scores)
def test_tau_is_scipys(pairs: list[tuple[int, int]]) -> None:
    left, right = zip(*pairs, strict=True)
    expected = float(kendalltau(left, right).statistic) if len(set(left)) > 1 < len(set(right)) else math.nan
    assert kendall_tau(left, right) == pytest.approx(expected, abs=1e-12, nan_ok=True)


def test_the_order_by_rationales_alone() -> None:
    first, last = rank_from_rationale(
        [RANKING], {"first": [FIRST], "last": [LAST]}, judge, QRELS, alone=["1"]
    ).evaluations
    # b c a: two of three pairs are turned. a b c with b and c tied: τ-b = 2 / sqrt(3 · 2)
    assert first.mean("tau alone@1") == pytest.approx(-1 / 3)
    assert last.mean("tau alone@1") == pytest.approx(2 / math.sqrt(6))
    assert first.mean("nDCG@10 alone@1") == pytest.approx(1 / math.log2(4))
    assert last.mean("nDCG@10 alone@1") == 1.0
    assert first.mean("nDCG@10 full") == last.mean("nDCG@10 full") == 1.0


def test_what_deleting_them_costs() -> None:
    given = {"first": [FIRST], "last": [LAST]}
    first, last = rank_from_rationale([RANKING], given, judge, QRELS, deleted=["1"]).evaluations
    assert last.mean("tau drop@1") == pytest.approx(1 + 1 / 3)  # what is left is the first sentences
    assert first.mean("tau drop@1") == pytest.approx(1 - 2 / math.sqrt(6))
    assert last.mean("nDCG@10 drop@1") == pytest.approx(1 - 1 / math.log2(4))
    assert first.mean("nDCG@10 drop@1") == 0.0


def test_the_excess_is_over_random_deletion_of_as_many_words() -> None:
    # Sentences of one word: random deletion takes the first or the last of each document.
    given = {"last": [LAST], "random": [at_random(RANKING, 0)]}
    last, random = rank_from_rationale([RANKING], given, judge, deleted=["1"], seeds=range(300)).evaluations
    # the 8 equally likely outcomes, by what is left of a, b and c; where nothing is, the order is undefined
    taus = [kendall_tau(left, (3, 2, 1)) for left in product((0, 3), (0, 2), (0, 1))]
    expected = 1 - sum(taus[1:]) / 7
    for found in (last, random):
        assert found.mean("tau drop@1") - found.mean("tau excess@1") == pytest.approx(expected, abs=0.1)
    assert last.mean("tau excess@1") > 0.5
    single = [
        rank_from_rationale([RANKING], given, judge, deleted=["1"], seeds=[seed]).evaluations[0] for seed in range(9)
    ]
    assert len({found.mean("tau excess@1") for found in single}) > 2


def test_equal_scores_stand_in_first_stage_order() -> None:
    turned = Ranking(RANKING.query, RANKING.hits[::-1])
    [flat] = rank_from_rationale(
        [turned], {"first": [FIRST]}, lambda query, documents: [0.0] * len(documents), QRELS, alone=["1"], deleted=[]
    ).evaluations
    assert flat.mean("nDCG@10 alone@1") == 1.0  # a was first in the first stage
    assert math.isnan(flat.mean("tau alone@1"))


def test_documents_without_a_rationale_are_left_out_for_all() -> None:
    given = {"first": [FIRST], "model": [{"b": FIRST["b"], "c": FIRST["c"]}]}
    measured = rank_from_rationale([RANKING], given, judge, QRELS, alone=["1"])
    assert (measured.measured_on[0].count, measured.measured_on[0].of) == (2, 3)
    assert [e.mean("tau alone@1") for e in measured.evaluations] == [1.0, 1.0]
    assert measured.evaluations[0].mean("nDCG@10 full") == 0.0  # the relevant one is left out


def test_queries_without_judgements_or_candidates_are_undefined() -> None:
    others = [Ranking.of(Query(name, "x"), [A, B, C]) for name in ("unjudged", "irrelevant", "empty")]
    given = {"first": [FIRST, FIRST, FIRST, {}]}
    qrels = QRELS | {"irrelevant": {"a": 0.0}, "empty": {"a": 1.0}, "elsewhere": {"z": 1.0}}
    [first] = rank_from_rationale([RANKING, *others], given, judge, qrels, measures=["nDCG@10", "RR"]).evaluations
    assert np.isnan(first.of("nDCG@10 full")).tolist() == [False, True, True, True]
    assert np.isnan(first.of("tau alone@1")).tolist() == [False, False, False, True]
    assert first.mean("RR full") == 1.0


def test_without_judgements_only_tau() -> None:
    [first] = rank_from_rationale([RANKING], {"first": [FIRST]}, judge).evaluations
    expected = ("tau alone@1", "tau alone@3", "tau alone@20%", "tau drop@20%", "tau excess@20%")
    assert first.measures == expected
    with pytest.raises(BadInput, match="no seeds"):
        rank_from_rationale([RANKING], {"first": [FIRST]}, judge, seeds=())


def test_the_extra_that_judgements_need_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(module: str) -> None:
        raise ImportError(f"No module named {module!r}")

    monkeypatch.setattr(_extras, "import_module", absent)
    assert rank_from_rationale([RANKING], {"first": [FIRST]}, judge).evaluations
    with pytest.raises(MissingExtra, match=r"pip install 'whyrank\[evaluate\]'"):
        rank_from_rationale([RANKING], {"first": [FIRST]}, judge, QRELS)
