import math
import shutil
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from whyrank import evaluate
from whyrank.errors import BadInput, DuplicateId, MissingExtra, UnknownName
from whyrank.evaluate import measure, parse_measures
from whyrank.types import Document, Hit, Query, Ranking, Usage

QRELS = {"q1": {"a": 3, "b": 0, "c": 1}, "q2": {"a": 1, "d": 2}}
RUN = {"q1": {"a": 9.0, "x": 8.0, "c": 7.0}, "q2": {"x": 3.0, "a": 2.0, "b": 1.0}}

NOTHING = Usage()


def one(name: str, run: Mapping[str, Mapping[str, float]] = RUN, qrels: Any = QRELS, **options: Any) -> list[float]:
    return [float(value) for value in measure("ours", run, qrels, [name], **options).of(name)]


def ranking(query: str, *ids: str, usage: Usage = NOTHING, score: float | None = None) -> Ranking:
    hits = tuple(Hit(Document(i, "text"), score=score, first_rank=n) for n, i in enumerate(ids, 1))
    return Ranking(Query(query, "why?"), hits, usage=usage)


class TestHandWorked:
    def test_ndcg_counts_the_grades(self) -> None:
        first = (3 + 1 / math.log2(4)) / (3 + 1 / math.log2(3))
        second = (1 / math.log2(3)) / (2 + 1 / math.log2(3))
        assert one("nDCG@10") == pytest.approx([first, second], abs=1e-15)
        assert one("nDCG") == one("nDCG@10")
        assert one("nDCG@1") == [1.0, 0.0]

    def test_ndcg_with_exponential_gain(self) -> None:
        first = (7 + 1 / math.log2(4)) / (7 + 1 / math.log2(3))
        second = (1 / math.log2(3)) / (3 + 1 / math.log2(3))
        assert one("nDCG(dcg='exp-log2')@10") == pytest.approx([first, second], abs=1e-15)

    def test_ndcg_with_gains_of_its_own_beside_a_plain_one(self) -> None:
        found = measure("ours", RUN, QRELS, ["nDCG(gains={1:5})@10", "nDCG@10"])
        first = (3 + 5 / math.log2(4)) / (5 + 3 / math.log2(3))
        assert found.values_QM[0, 0] == pytest.approx(first, abs=1e-15)
        assert found.of("nDCG@10").tolist() == one("nDCG@10")

    @pytest.mark.parametrize(
        ("name", "values"),
        [
            ("AP", [(1 + 2 / 3) / 2, 1 / 4]),
            ("AP@2", [1 / 2, 1 / 4]),
            ("AP(rel=2)", [1.0, 0.0]),
            ("RR", [1.0, 1 / 2]),
            ("RR@2", [1.0, 1 / 2]),
            ("RR@1", [1.0, 0.0]),
            ("RR(rel=2)@10", [1.0, 0.0]),
            ("R@2", [1 / 2, 1 / 2]),
            ("R@100", [1.0, 1 / 2]),
            ("P@2", [1 / 2, 1 / 2]),
            ("P@10", [2 / 10, 1 / 10]),
            ("P(rel=2)@5", [1 / 5, 0.0]),
            ("Rprec", [1 / 2, 1 / 2]),
            ("Success@1", [1.0, 0.0]),
            ("Success@5", [1.0, 1.0]),
            ("Judged@10", [2 / 3, 1 / 3]),
            ("Judged@1", [1.0, 0.0]),
            ("NumRet", [3.0, 3.0]),
        ],
    )
    def test_values(self, name: str, values: list[float]) -> None:
        assert one(name) == pytest.approx(values, abs=1e-15)

    def test_judged_only_passes_over_unjudged_documents(self) -> None:
        assert one("P(judged_only=True)@1") == [1.0, 1.0]
        assert one("AP(judged_only=True)") == [1.0, 1 / 2]

    def test_many_measures_keep_their_columns(self) -> None:
        found = measure("ours", RUN, QRELS, ["Judged@10", "RR", "NumRet", "P@2", "RR"])
        assert found.measures == ("Judged@10", "RR", "NumRet", "P@2")
        assert found.queries == ("q1", "q2")
        assert found.mean("RR") == 0.75
        assert found.values_QM.shape == (2, 4)

    def test_blocks_do_not_show(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("whyrank.evaluate.providers.CELLS", 1)
        assert one("RR") == [1.0, 0.5]
        assert measure("ours", RUN, QRELS, ["RR"]).coverage.unjudged_at == {10: pytest.approx((1 / 3 + 2 / 3) / 2)}


class TestCoverage:
    def test_everything_a_reader_must_know(self) -> None:
        qrels = {**QRELS, "q3": {"a": 0}, "q4": {"a": 1}, "q5": {"a": 1}}
        run = {"q9": {"a": 1.0}, **RUN, "q3": {"a": 1.0}, "q4": {}}
        found = measure("ours", run, qrels, ["RR", "P@1"])
        assert found.queries == ("q1", "q2", "q3", "q4", "q5")
        assert found.of("RR").tolist() == [1.0, 0.5, 0.0, 0.0, 0.0]
        assert found.mean("RR") == 0.3
        assert found.coverage.without_results == ("q4", "q5")
        assert found.coverage.unjudged_queries == ("q9",)
        assert found.coverage.without_relevant == ("q3",)
        assert found.coverage.unjudged_at == {1: pytest.approx(1 / 3), 10: pytest.approx((1 / 3 + 2 / 3 + 0) / 3)}

    def test_only_relevant_leaves_queries_out_and_says_so(self) -> None:
        qrels = {"q3": {"a": 0, "b": -1}, **QRELS}
        found = measure("ours", {**RUN, "q3": {"a": 1.0}}, qrels, ["RR"], only_relevant=True)
        assert found.queries == ("q1", "q2")
        assert found.coverage.without_relevant == ("q3",)
        assert found.coverage.unjudged_queries == ()

    def test_gain_and_ties_are_named(self) -> None:
        def gain(*names: str) -> str:
            return measure("ours", RUN, QRELS, names).gain

        assert gain("RR") == ""
        assert gain("nDCG@10", "nDCG") == "linear"
        assert gain("nDCG(dcg='exp-log2')@10") == "exponential"
        assert gain("nDCG(gains={1:5})@10", "nDCG@10") == "custom, linear"
        assert measure("ours", RUN, QRELS, ["RR"], ties="trec_eval").ties == "trec_eval"


class TestExclusion:
    PLANTED: Mapping[str, Mapping[str, float]] = {"q1": {"bad": 99.0, **RUN["q1"]}, "q2": RUN["q2"]}

    @pytest.mark.parametrize("name", ["nDCG@10", "AP", "RR", "Judged@10", "R@100"])
    def test_an_excluded_document_at_rank_1_changes_nothing(self, name: str) -> None:
        without = one(name)
        assert one(name, self.PLANTED) != without or name == "R@100"
        assert one(name, self.PLANTED, excluded={"q1": ["bad"], "q7": ["a"]}) == without
        assert one(name, self.PLANTED, {**QRELS, "q1": {**QRELS["q1"], "bad": -100}}) == without

    def test_it_is_counted(self) -> None:
        found = measure("ours", self.PLANTED, QRELS, ["RR"], excluded={"q1": {"bad", "not in the run"}})
        assert found.coverage.excluded == 1

    def test_it_leaves_the_judgements_too(self) -> None:
        assert one("R@100", excluded={"q2": ["d"]})[1] == 1.0
        assert one("nDCG@10", excluded={"q1": ["a"]})[0] == pytest.approx(1 / math.log2(3))

    def test_a_query_without_other_judgements_is_not_judged(self) -> None:
        found = measure("ours", RUN, {"q1": QRELS["q1"], "q2": {"a": -100}}, ["RR"])
        assert found.queries == ("q1",)
        assert found.coverage.unjudged_queries == ("q2",)

    def test_other_negative_grades_are_judged_and_not_relevant(self) -> None:
        qrels = {"q1": {"a": -1, "b": -2, "c": 1}}
        run = {"q1": {"a": 3.0, "b": 2.0, "c": 1.0}}
        for name in ("AP", "nDCG", "Bpref", "Judged@10", "R@3", "SetP"):
            assert one(name, run, qrels) == one(name, run, {"q1": {"a": 0, "b": 0, "c": 1}}), name

    def test_infap_reads_minus_one_as_pooled_but_not_sampled(self) -> None:
        run = {"q1": {"a": 3.0, "b": 2.0, "c": 1.0}}
        assert one("infAP", run, {"q1": {"a": -1, "b": -1, "c": 1}}) != one(
            "infAP", run, {"q1": {"a": 0, "b": 0, "c": 1}}
        )


class TestRankings:
    def test_measured_in_their_order_whatever_the_scores(self) -> None:
        rankings = [ranking("q1", "x", "a", score=1.0), ranking("q2")]
        assert measure("ours", rankings, QRELS, ["RR"]).of("RR").tolist() == [0.5, 0.0]
        assert measure("ours", rankings, QRELS, ["RR"], ties="trec_eval").of("RR").tolist() == [0.5, 0.0]

    def test_usage_is_theirs_unless_given(self) -> None:
        rankings = [ranking("q1", "a", usage=Usage(calls=1, seconds=0.5)), ranking("q2", usage=Usage(calls=2))]
        assert measure("ours", rankings, QRELS, ["RR"]).usage == Usage(calls=3, seconds=0.5)
        assert measure("ours", rankings, QRELS, ["RR"], usage=Usage(calls=7)).usage == Usage(calls=7)
        assert measure("ours", [ranking("q1", "a")], QRELS, ["RR"]).usage is None
        assert measure("ours", RUN, QRELS, ["RR"]).usage is None

    def test_a_query_twice(self) -> None:
        with pytest.raises(DuplicateId, match="two rankings are for query 'q1'"):
            measure("ours", [ranking("q1", "a"), ranking("q1", "b")], QRELS)


class TestBadInput:
    @pytest.mark.parametrize("qrels", [{}, {"q1": {}}, {"q1": {"a": -100}}])
    def test_empty_judgements(self, qrels: Any) -> None:
        with pytest.raises(BadInput, match=r"judgements \(qrels\) are empty"):
            measure("ours", RUN, qrels)

    def test_empty_run(self) -> None:
        with pytest.raises(BadInput, match="run 'ours' is empty"):
            measure("ours", {}, QRELS)
        with pytest.raises(BadInput, match="run 'ours' is empty"):
            measure("ours", [], QRELS)

    def test_a_run_that_found_nothing_is_measured(self) -> None:
        assert one("nDCG@10", {"q1": {}, "q2": {}}) == [0.0, 0.0]

    def test_no_query_in_common_shows_both_ids(self) -> None:
        with pytest.raises(
            BadInput, match=r"no query in common: the run's are such as 'q01', the judged ones 'q1', 'q2'"
        ):
            measure("ours", {"q01": {"a": 1.0}}, QRELS)

    def test_a_run_of_another_collection(self) -> None:
        other = {"q1": {"doc7": 1.0}, "q2": {"doc8": 1.0}}
        with pytest.raises(
            BadInput, match=r"'doc7', judged are 'a', 'b', 'c'; is it a run of another collection.*allow_unj"
        ):
            measure("ours", other, QRELS)
        assert one("nDCG@10", other, allow_unjudged=True) == [0.0, 0.0]
        assert measure("ours", other, QRELS, allow_unjudged=True).coverage.unjudged_at[10] == 1.0

    @pytest.mark.parametrize("grade", [0.5, math.nan, math.inf, "1", None, 2_000_000])
    def test_grades_that_are_no_whole_number(self, grade: Any) -> None:
        with pytest.raises(BadInput, match=r"query 'q2', document 'd': its grade is .*whole numbers up to 1,000,000"):
            measure("ours", RUN, {"q1": {"a": 1}, "q2": {"a": 1.0, "d": grade}})

    def test_whole_floats_are_grades(self) -> None:
        floats = {query: {d: float(g) for d, g in grades.items()} for query, grades in QRELS.items()}
        assert one("nDCG@10", RUN, floats) == one("nDCG@10")
        assert one("Judged@10", RUN, floats) == one("Judged@10")

    def test_grades_too_high_for_exponential_gain(self) -> None:
        with pytest.raises(BadInput, match="a grade is 60; exponential gain"):
            one("nDCG(dcg='exp-log2')@10", RUN, {"q1": {"a": 60}})
        assert one("nDCG@10", RUN, {"q1": {"a": 1_000_000}}) == [1.0]

    @pytest.mark.skipif(not shutil.which("perl"), reason="gdeval is a Perl script")
    def test_grades_too_high_for_gdeval(self) -> None:
        with pytest.raises(BadInput, match="gdeval takes grades up to 4, the highest here is 7"):
            one("ERR@10", RUN, {"q1": {"a": 7}})
        run = {"a-1": {"x y": 2.0, "a b": 1.0}, "b-1": {"x y": 1.0}}
        assert one("ERR@10", run, {"a-1": {"a b": 4}, "b-1": {"x y": 2}, "c": {"x": 1}}) == [0.46875, 0.1875, 0.0]

    def test_no_relevant_document_anywhere(self) -> None:
        assert one("nDCG@10", RUN, {"q1": {"a": 0}}) == [0.0]
        with pytest.raises(BadInput, match="only_relevant leaves no query"):
            one("nDCG@10", RUN, {"q1": {"a": 0}}, only_relevant=True)

    def test_without_the_extra(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "ir_measures", None)
        with pytest.raises(
            MissingExtra, match=r"measuring rankings needs ir_measures: pip install 'whyrank\[evaluate\]'"
        ):
            measure("ours", RUN, QRELS)

    def test_arguments_are_left_alone(self) -> None:
        qrels, run = {"q1": {"a": -100, "b": -1, "x": 1.0}}, {"q1": {"b": 1.0, "a": 2.0, "x": 2.0}}
        measure("ours", run, qrels, ties="trec_eval", excluded={"q1": ["b"]})
        assert qrels == {"q1": {"a": -100, "b": -1, "x": 1.0}}
        assert list(run["q1"]) == ["b", "a", "x"]


class TestNames:
    @pytest.mark.parametrize(
        ("name", "written"),
        [
            ("nDCG@10", "nDCG@10"),
            (" MRR@10 ", "RR@10"),
            ("NDCG", "nDCG"),
            ("AP(rel=2)", "AP(rel=2)"),
            ("AP(rel=1)", "AP"),
            ("P(rel=2)@5", "P(rel=2)@5"),
            ("nDCG(dcg='exp-log2')@10", "nDCG(dcg='exp-log2')@10"),
            ("nDCG(gains={0:0, 1:3})@5", "nDCG(gains={1:3})@5"),
            ("Judged@10", "Judged@10"),
            ("IPrec@0.1", "IPrec@0.1"),
            ("SetF(beta=2.0)", "SetF(beta=2.0)"),
            ("NumRelRet", "NumRet(rel=1)"),
        ],
    )
    def test_are_those_of_ir_measures(self, name: str, written: str) -> None:
        [parsed] = parse_measures([name])
        assert str(parsed) == written
        assert parse_measures([parsed, written]) == (parsed,)
        assert parse_measures(name) == (parsed,)

    def test_all_unknown_ones_are_reported_at_once(self) -> None:
        with pytest.raises(UnknownName) as caught:
            parse_measures(["ndcg@10", "nDCG@10", "recall_100", "map", "P_5", "xyzzy", "nDCG(foo=1)@10", "Success"])
        said = str(caught.value)
        for part in (
            "no measure called 'ndcg@10', did you mean nDCG@10?",
            "no measure called 'recall_100', did you mean R@100?",
            "no measure called 'map', did you mean AP",
            "no measure called 'P_5', did you mean P@5",
            "no measure called 'xyzzy'; ",
            "nDCG has no 'foo'; it has cutoff, dcg, gains, judged_only",
            "Success needs a cutoff, Success@10",
        ):
            assert part in said

    @pytest.mark.parametrize(
        "name",
        ["P@0", "P@-1", "P@1.5", "P@True", "P@99999999999", "nDCG@'10'", "AP(rel='2')", "nDCG(dcg='log3')@5", "P(2)@5",
         "nDCG(gains={1:0.5})@5", "nDCG(gains={1:-1})@5", "AP(**{'rel': 2})", "", "@10", "nDCG@10 RR@10", "AP(rel=-1)",
         "P(rel=0)@5", "__import__('os').getcwd()", "(" * 500, "P@5; P@10", "AP(rel=len([1]))"],
    )  # fmt: skip
    def test_that_cannot_be(self, name: str) -> None:
        with pytest.raises(UnknownName):
            parse_measures([name])

    def test_that_nothing_installed_computes(self) -> None:
        pytest.importorskip("ir_measures")
        with pytest.raises(
            UnknownName, match=r"xyzzy.*nothing installed computes \"nDCG\(dcg='exp-log2',gains="
        ) as caught:
            parse_measures(["nDCG(dcg='exp-log2', gains={1:2})@5", "xyzzy", "RBP(rel=1)"])
        if "RBP" in str(caught.value):
            assert "pip install ir-measures[cwl_eval]" in str(caught.value)

    def test_none(self) -> None:
        with pytest.raises(BadInput, match="no measures were named"):
            parse_measures([])
        assert len(parse_measures(evaluate.DEFAULT_MEASURES)) == len(evaluate.DEFAULT_MEASURES)

    @given(st.text(max_size=20))
    def test_reading_is_total(self, name: str) -> None:
        try:
            parsed = parse_measures([name])
        except UnknownName:
            return
        assert len(parsed) == 1


def test_values_do_not_depend_on_other_measures_or_queries() -> None:
    names = ["nDCG@10", "AP(rel=2)", "RR@10", "Bpref", "Judged@10", "nDCG(dcg='exp-log2')@10", "P(judged_only=True)@5"]
    together = measure("ours", RUN, QRELS, names)
    for name in names:
        alone = [one(name, {q: RUN[q]}, {q: QRELS[q]})[0] for q in QRELS]
        assert np.array_equal(together.of(name), alone)
