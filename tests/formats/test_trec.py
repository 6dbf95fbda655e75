import struct
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from whyrank import formats
from whyrank.errors import BadInput, BadRecord, DuplicateId
from whyrank.formats.problems import fail
from whyrank.formats.trec import RunLine, best_first, grade_line, grouped_run, ranks_disagree, run_line
from whyrank.types import Document, Hit, Query, Ranking

LARGEST_32 = 3.4028234663852886e38


def ranked(*scores: float | None, first: bool = False) -> Ranking:
    hits = (
        Hit(Document(str(i), ""), first_score=s, first_rank=i) if first else Hit(Document(str(i), ""), score=s)
        for i, s in enumerate(scores, 1)
    )
    return Ranking(Query("q", "?"), tuple(hits))


def as_float32(value: float) -> float:
    try:
        return float(struct.unpack("f", struct.pack("f", value))[0])
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("q1 Q0 d1 1 2.5 tag", RunLine("q1", "d1", 1, 2.5)),
        ("q1\tQ0\td 1\t1\t-2e3\ta tag", RunLine("q1", "d 1", 1, -2000.0)),
        ("  q1   Q0  d1\t1  2.5 tag ", RunLine("q1", "d1", 1, 2.5)),
        ("q Q0 a folder/My  File 2.txt 7 0.6 tag", RunLine("q", "a folder/My  File 2.txt", 7, 0.6)),
        ("q Q0 d\u00a0x 7 0.6 tag", RunLine("q", "d\u00a0x", 7, 0.6)),
        ("q1\td 1\t3", RunLine("q1", "d 1", 3, None)),
    ],
)
def test_run_lines(line: str, expected: RunLine) -> None:
    assert run_line(line) == expected


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("q Q0 d 1 2.5", "5 columns instead of 6; give query Q0 document rank score tag"),
        ("q", "1 columns instead of 6"),
        ("q Q0", "2 columns instead of 6"),
        ("q Q0 d first 2.5 t", "rank 'first' is no whole number"),
        ("q Q0 d 1 high t", "score 'high' is no number"),
        ("q Q0 d 1 NaN t", "score is NaN; give a finite number"),
        ("q Q0 d 1 -inf t", "score is -inf"),
        ("q Q0 d 1 1e999 t", "score is 1e999"),
    ],
)
def test_run_lines_that_are_wrong(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "x.trec"
    path.write_text(f"q Q0 ok 1 1 t\n\n{line}\n")
    with pytest.raises(BadRecord, match=r"x\.trec:3: ") as caught:
        formats.read_run(path)
    with pytest.raises(BadRecord, match=message):
        raise caught.value


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("q 0 d 1", ("q", "d", 1.0)),
        ("q\t0\td x\t-2", ("q", "d x", -2.0)),
        ("q 0 my doc 0.25", ("q", "my doc", 0.25)),
        ("q\tmy doc\t3", ("q", "my doc", 3.0)),
    ],
)
def test_grade_lines(line: str, expected: tuple[str, str, float]) -> None:
    assert grade_line(line) == expected


def test_qrels_in_both_forms(tmp_path: Path) -> None:
    trec, beir = tmp_path / "qrels.trec", tmp_path / "test.tsv"
    trec.write_text("q1 0 a 2\nq1 0 b -1\nq2 0 c c 0.5\n")
    beir.write_text("query-id\tcorpus-id\tscore\nq1\ta\t2\nq1\tb\t-1\nq2\tc c\t0.5\n")
    expected = {"q1": {"a": 2.0, "b": -1.0}, "q2": {"c c": 0.5}}
    assert formats.read_qrels(trec) == formats.read_qrels(beir) == expected
    for path, content in ((trec, trec.read_text()), (beir, beir.read_text())):
        formats.write_qrels(path, expected)
        assert path.read_text() == content


def test_qrels_that_are_wrong(tmp_path: Path) -> None:
    path = tmp_path / "qrels.trec"
    path.write_text("q 0 a 1\nq 0 b nan\n")
    with pytest.raises(BadRecord, match=r"qrels\.trec:2: grade is nan"):
        formats.read_qrels(path)
    path.write_text("q 0 a 1\nq 0 a 2\n")
    with pytest.raises(DuplicateId, match=r":2: the judgement of document 'a' for query 'q' .*\(lines 1 and 2\)"):
        formats.read_qrels(path)


def test_a_run_is_read_best_first_and_its_queries_in_the_order_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "x.run"
    path.write_text("b Q0 d3 3 1.5 t\nb Q0 d2 2 1.5 t\na Q0 d1 1 0.5 t\nb Q0 d1 1 2.5 t\n")
    run = formats.read_run(path)
    assert run == {"b": {"d1": 2.5, "d2": 1.5, "d3": 1.5}, "a": {"d1": 0.5}}
    assert list(run) == ["b", "a"]
    assert list(run["b"]) == ["d1", "d2", "d3"]


def test_ranks_alone_become_negated_scores(tmp_path: Path) -> None:
    path = tmp_path / "run.tsv"
    path.write_text("q\td1\t2\nq\td2\t1\n")
    assert formats.read_run(path) == {"q": {"d1": -2.0, "d2": -1.0}}


def test_a_document_twice_under_a_query(tmp_path: Path) -> None:
    path = tmp_path / "x.trec"
    path.write_text("q Q0 d 1 2 t\np Q0 d 1 2 t\nq Q0 d 2 1 t\n")
    with pytest.raises(DuplicateId, match=r"x\.trec:3: document 'd' of query 'q' is given twice \(lines 1 and 3\)"):
        formats.read_run(path)


def test_scores_are_trusted_over_ranks_and_ranks_break_ties() -> None:
    lines = [RunLine("q", "a", 1, 1.0), RunLine("q", "b", 2, 3.0), RunLine("q", "c", 4, 2.0), RunLine("q", "d", 3, 2.0)]
    run = grouped_run("x", enumerate(lines, 1), fail)
    assert best_first(run["q"]) == ["b", "d", "c", "a"]
    assert ranks_disagree(run["q"])
    tied = grouped_run("x", enumerate([RunLine("q", "a", 2, 1.0), RunLine("q", "b", 1, 1.0)], 1), fail)
    assert best_first(tied["q"]) == ["b", "a"]
    assert not ranks_disagree(tied["q"])


def test_decreasing_scores_stay_as_they_are() -> None:
    assert formats.decreasing(ranked(0.1, 0.05, -3.25, -1e300)) == [0.1, 0.05, -3.25, -1e300]
    assert formats.decreasing(ranked(1e300)) == [1e300]
    assert formats.decreasing(ranked(5.0, 4.0, first=True)) == [5.0, 4.0]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((), []),
        ((None, None, None), [3.0, 2.0, 1.0]),
        ((1.0, 1.0), [1.0, 0.9999999403953552]),
        ((1.0, None, None), [1.0, 0.9999999403953552, 0.9999998807907104]),
        ((1.0, 2.0), [1.0, 0.9999999403953552]),
        ((1.0, 0.99999999, 0.5), [1.0, 0.9999999403953552, 0.5]),
        ((-1.0, -1.0), [-1.0, -1.0000001192092896]),
        ((0.0, 0.0, -0.0), [0.0, -(2.0**-126), -(2.0**-126) * (1 + 2.0**-23)]),
        ((2.0**-126, 2.0**-126), [2.0**-126, 0.0]),
        ((1e-45, 1e-45), [1e-45, 0.0]),
        ((-1e-40, -1e-40), [-1e-40, -(2.0**-126)]),
        ((1e300, 1e299, 1.0), [1e300, LARGEST_32, 1.0]),
        ((None, 1.0), [2.0, 1.0]),
    ],
)
def test_ties_go_to_the_next_lower_float32(given: tuple[float | None, ...], expected: list[float]) -> None:
    assert formats.decreasing(ranked(*given)) == expected


@pytest.mark.parametrize("given", [(float("nan"),), (1.0, float("-inf")), (-1e300, -1e300)])
def test_scores_that_cannot_decrease(given: tuple[float, ...]) -> None:
    with pytest.raises(BadInput, match=r"finite|float32"):
        formats.decreasing(ranked(*given))


@given(st.lists(st.none() | st.floats(-1e30, 1e30) | st.sampled_from([0.0, -0.0, 1.0, 1e-40, -1e-40]), max_size=8))
@example([None, None, 1.0, None, 1.0])
def test_written_scores_decrease_as_float64_and_as_float32(scores: list[float | None]) -> None:
    lines = list(formats.render([ranked(*scores)], "run"))
    read = [float(line.split()[4]) for line in lines]
    assert len(read) == len(scores)
    assert all(above > below for above, below in pairwise(read))
    assert all(above > below for above, below in pairwise(map(as_float32, read)))
    if all(a is not None and b is not None and as_float32(a) > as_float32(b) for a, b in pairwise(scores)):
        assert None in scores or read == scores


def test_written_runs(tmp_path: Path) -> None:
    hits = (Hit(Document("my doc", "x"), 1.5), Hit(Document("b", "y"), 0.1))
    ranking = Ranking(Query("q1", "?"), hits, ranker="evidence 1.0")
    path = tmp_path / "out.trec.gz"
    formats.write_rankings(path, [ranking], "run")
    assert formats.read_run(path) == {"q1": {"my doc": 1.5, "b": 0.1}}
    assert list(formats.render([ranking], "run")) == ["q1 Q0 my doc 1 1.5 evidence_1.0", "q1 Q0 b 2 0.1 evidence_1.0"]
    assert next(formats.render([ranking], "run", tag=" my tag ")).endswith(" my_tag")
    assert next(formats.render([Ranking.of("?", ["x"])], "run")).endswith(" whyrank")


@pytest.mark.parametrize(
    ("query", "document"), [("q 1", "d"), ("", "d"), ("q", "d\n"), ("q", " d"), ("q", "a\tb"), ("q", "")]
)
def test_ids_that_no_run_can_hold(query: str, document: str) -> None:
    ranking = Ranking(Query(query, "?"), (Hit(Document(document, "x"), 1.0),))
    with pytest.raises(BadInput, match="cannot stand in this file"):
        list(formats.render([ranking], "run"))
