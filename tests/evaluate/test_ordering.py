import math
from array import array
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whyrank import formats
from whyrank.errors import BadInput, DuplicateId, UnknownName
from whyrank.evaluate import run_of
from whyrank.evaluate.ordering import Ties, descending, judgements_of, orders_of, without
from whyrank.types import Document, Hit, Query, Ranking

SCORES = st.dictionaries(
    st.text(min_size=1, max_size=3), st.sampled_from([0.0, -0.0, 1.0, 1.0 + 1e-9, 1.0 + 1e-6, -1e300, 1e39, 2e39, 0.5])
)


def order(scores: Any, ties: Ties = "rank") -> list[str]:
    return orders_of({"q": scores}, ties)["q"]


class TestTies:
    def test_rank_keeps_the_order_given(self) -> None:
        assert order({"b": 1.0, "a": 2.0, "d": 1.0, "c": 2.0}) == ["a", "c", "b", "d"]
        assert order({"z": 1.0, "a": 1.0}) == ["z", "a"]

    def test_trec_eval_goes_by_descending_id(self) -> None:
        assert order({"b": 1.0, "a": 2.0, "d": 1.0, "c": 2.0}, "trec_eval") == ["c", "a", "d", "b"]

    def test_trec_eval_reads_float32(self) -> None:
        near = {"a": 1.0 + 1e-9, "b": 1.0}
        assert order(near) == ["a", "b"]
        assert order(near, "trec_eval") == ["b", "a"]
        assert order({"a": 1.0 + 1e-6, "b": 1.0}, "trec_eval") == ["a", "b"]
        assert order({"a": 1e300, "b": 1e200}, "trec_eval") == ["b", "a"]  # both infinite

    @given(SCORES)
    def test_are_these_keys(self, scores: dict[str, float]) -> None:
        given_at = {document: place for place, document in enumerate(scores)}
        assert order(scores) == sorted(scores, key=lambda d: (-scores[d], given_at[d]))
        by_id = sorted(scores, reverse=True)
        assert order(scores, "trec_eval") == sorted(by_id, key=lambda d: -array("f", [scores[d]])[0])

    def test_whole_numbers_and_infinities_are_scores(self) -> None:
        assert order({"a": -math.inf, "b": 3, "c": math.inf}) == ["c", "b", "a"]

    def test_another_law(self) -> None:
        with pytest.raises(UnknownName, match="no law of ties called 'trec'; did you mean trec_eval"):
            orders_of({}, "trec")  # type: ignore[arg-type]


@pytest.mark.parametrize("score", [math.nan, None, "3", [1.0]])
def test_a_score_that_is_no_number(score: Any) -> None:
    with pytest.raises(BadInput, match=r"query 'q', document 'b': its score is .*; give a number"):
        order({"a": 1.0, "b": score})


def test_a_list_of_ids_is_no_run() -> None:
    with pytest.raises(BadInput, match="its documents are list; give document id → score"):
        order(["a", "b"])
    with pytest.raises(BadInput, match="a run is query id → document id → score, or rankings; not str"):
        orders_of(["a"])  # type: ignore[list-item]


class TestRunOf:
    RANKING = Ranking(
        Query("q", "?"), tuple(Hit(Document(i, ""), score=s) for i, s in [("b", 1.0), ("a", 1.0), ("c", None)])
    )

    @pytest.mark.parametrize("ties", ["rank", "trec_eval"])
    def test_is_what_a_written_run_would_be(self, ties: Ties, tmp_path: Path) -> None:
        path = tmp_path / "run.trec"
        formats.write_rankings(str(path), [self.RANKING], "run")
        run = run_of([self.RANKING])
        assert run == formats.read_run(path)
        assert orders_of(run, ties) == orders_of([self.RANKING], ties) == {"q": ["b", "a", "c"]}

    def test_a_query_twice(self) -> None:
        with pytest.raises(DuplicateId):
            run_of([self.RANKING, self.RANKING])


def test_handed_over_scores_decrease_strictly() -> None:
    assert descending(["b", "a", "c"]) == {"b": 3.0, "a": 2.0, "c": 1.0}


def test_exclusion_both_ways() -> None:
    judged = judgements_of({"q": {"a": 1, "b": -100, "c": -1}, "r": {"a": 0.0}}, {"q": ["c"], "s": ["a"], "t": []})
    assert judged.grades == {"q": {"a": 1}, "r": {"a": 0}}
    assert all(type(grade) is int for grades in judged.grades.values() for grade in grades.values())
    assert judged.excluded == {"q": {"b", "c"}, "s": {"a"}}
    left = without({"q": ["b", "a", "c", "d"], "r": ["a"]}, judged.excluded)
    assert left.orders == {"q": ["a", "d"], "r": ["a"]}
    assert left.removed == 2


def test_a_document_twice_in_a_file_is_an_error_of_the_reader(tmp_path: Path) -> None:
    path = tmp_path / "run.trec"
    path.write_text("q Q0 a 1 2.0 t\nq Q0 b 2 1.0 t\nq Q0 a 3 0.5 t\n")
    with pytest.raises(DuplicateId, match=r":3: "):
        formats.read_run(path)


def test_mixed_formats_in_a_file_are_an_error_of_the_reader(tmp_path: Path) -> None:
    path = tmp_path / "run.trec"
    path.write_text('q Q0 a 1 2.0 t\n{"query": "q"}\n')
    with pytest.raises(BadInput, match=r":2: "):
        formats.read_run(path)
