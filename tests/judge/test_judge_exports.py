"""What was said as files: grades that `whyrank evaluate` reads, answers as lines, tables in every format."""

import csv
import json
from pathlib import Path

import pytest
from answered import judged, ranking, study, two_systems
from hypothesis import given, settings
from hypothesis import strategies as st

from ended import Run
from whyrank import formats
from whyrank.errors import UnknownName, Unwritable
from whyrank.evaluate import measure
from whyrank.judge.exports import REPORTS, answer_lines, export, rendered
from whyrank.judge.items import Item
from whyrank.judge.judged import Judged, qrels_of
from whyrank.judge.records import BETTER, GRADE, Answer, Sheet
from whyrank.judge.summary import tables

pytest.importorskip("scipy")
pytest.importorskip("ir_measures")

HOSTILE = "</title><script>alert(1)</script>"


def said(item: Item, judge: str, question: str, system: str) -> int | None:
    if question == GRADE:
        return {"sky": 3, "sea": int(judge == "ann"), "sun": 0}[item.document.id]
    return {"true": 2, "explains": 0, "useful": None, BETTER: -1}[question]


def graded(*grades: int) -> int:
    """What becomes of the grades that so many judges give one document."""
    asked = study({"one": [ranking(0, ("sky",), "x")]})
    [item] = [item for item in asked.items if item.kind == "grade"]
    sheets = [
        Sheet(item.id, f"j{n}", (Answer(item.id, f"j{n}", GRADE, "", "", grade, 1.0, ""),))
        for n, grade in enumerate(grades)
    ]
    return qrels_of(Judged(asked, sheets))["q0"]["sky"]


class TestGrades:
    @pytest.mark.parametrize(
        ("grades", "kept"),
        [
            ((2,), 2),
            ((3, 3, 0), 3),
            ((0, 0, 1, 2, 3), 0),  # one grade leads, though the middle is another
            ((0, 1), 0),  # as many for either: the lower of the two in the middle
            ((3, 0, 0, 3), 0),
            ((1, 2, 3), 2),
            ((0, 0, 1, 3, 3), 1),  # two grades lead, and the middle is neither
        ],
    )
    def test_most_judges_or_the_lower_median(self, grades: tuple[int, ...], kept: int) -> None:
        assert graded(*grades) == kept

    @given(st.lists(st.integers(0, 3), min_size=1, max_size=5))
    @settings(max_examples=25, deadline=None)
    def test_the_order_of_judges_says_nothing(self, grades: list[int]) -> None:
        turned = sorted(grades, reverse=True)
        assert graded(*grades) == graded(*turned)
        assert min(grades) <= graded(*grades) <= max(grades)


class TestExport:
    def test_the_files(self, tmp_path: Path) -> None:
        found = judged(two_systems(3), said)
        written = export(found, tables(found), tmp_path / "new" / "folder")
        names = ["qrels.trec", "answers.jsonl", "tables.md", "tables.json", "report.html"]
        assert [path.name for path in written] == names
        assert sorted(path.name for path in (tmp_path / "new" / "folder").iterdir()) == sorted(names)
        qrels = formats.read_qrels(tmp_path / "new" / "folder" / "qrels.trec")
        assert qrels == {f"q{n}": {"sky": 3.0, "sea": 0.0, "sun": 0.0} for n in range(3)} == qrels_of(found)

    def test_whyrank_evaluate_reads_the_grades(self, tmp_path: Path, run: Run) -> None:
        found = judged(two_systems(3), said)
        export(found, tables(found), tmp_path / "out")
        formats.write_rankings(tmp_path / "plain.jsonl", found.study.rankings["plain"])
        ended = run("evaluate", "plain.jsonl", "--qrels", "out/qrels.trec", "-m", "nDCG@3", "-f", "json")
        assert ended.code == 0, ended.err
        system = next(own for own in json.loads(ended.out)[0]["systems"] if own["name"] == "plain")
        ours = measure("plain", found.study.rankings["plain"], qrels_of(found), ["nDCG@3"])
        assert system["per_query"]["nDCG@3"] == dict(zip(ours.queries, ours.of("nDCG@3").tolist(), strict=True))
        assert system["per_query"]["nDCG@3"]["q1"] == 1.0

    def test_again_into_the_same_folder(self, tmp_path: Path) -> None:
        found = judged(two_systems(2), said)
        first = [path.read_bytes() for path in export(found, tables(found), tmp_path)]
        assert [path.read_bytes() for path in export(found, tables(found), tmp_path)] == first

    def test_without_grades_no_judgements(self, tmp_path: Path) -> None:
        found = judged(two_systems(2, grades=[]), said)
        assert "qrels.trec" not in [path.name for path in export(found, tables(found), tmp_path)]
        assert not (tmp_path / "qrels.trec").exists()

    def test_nothing_was_said(self, tmp_path: Path) -> None:
        found = Judged(two_systems(2), [])
        export(found, tables(found), tmp_path)
        assert (tmp_path / "answers.jsonl").read_text() == ""

    def test_a_folder_that_is_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "taken").write_text("mine")
        found = judged(two_systems(1), said)
        with pytest.raises(Unwritable, match=r"taken: cannot be created .*; name another folder"):
            export(found, tables(found), tmp_path / "taken")
        assert (tmp_path / "taken").read_text() == "mine"


class TestAnswers:
    def test_every_answer_in_words(self) -> None:
        found = judged(two_systems(1), said)
        lines = [json.loads(line) for line in answer_lines(found)]
        assert len(lines) == len(list(found.answers)) == 2 * (3 + 3 * (2 * 2 + 1))
        grade = next(line for line in lines if line["question"] == GRADE and line["document"] == "sky")
        assert (grade["query"], grade["judge"], grade["value"]) == ("q0", "ann", 3)
        assert (grade["system"], grade["other"], grade["answer"]) == (None, None, "perfectly relevant")
        true = next(line for line in lines if line["question"] == "true")
        assert (true["ask"], true["answer"]) == ("Is the reason true to the document?", "yes")
        better = next(line for line in lines if line["question"] == BETTER)
        assert (better["system"], better["other"], better["answer"]) == ("other", "plain", "plain")


class TestReports:
    @pytest.mark.parametrize("form", REPORTS)
    def test_every_format(self, form: str) -> None:
        found = judged(two_systems(3), said)
        text = rendered(found, tables(found), form)
        assert "What judges answered" in text or form == "csv"
        assert "plain" in text

    def test_csv_is_one_table_of_all_digits(self) -> None:
        found = judged(two_systems(3), said)
        rows = list(csv.DictReader(rendered(found, tables(found), "csv").splitlines()))
        assert [own["system"] for own in rows] == ["plain", "other"]
        assert float(rows[0]["true"]) == 2.0
        assert rows[0]["useful"] == ""

    def test_json_has_the_values_of_every_query(self) -> None:
        found = judged(two_systems(3), said)
        answers = next(t for t in json.loads(rendered(found, tables(found), "json")) if t["systems"])
        assert answers["systems"][0]["per_query"]["true"] == {"q0": 2.0, "q1": 2.0, "q2": 2.0}
        assert answers["systems"][0]["per_query"]["useful"] == {"q0": None, "q1": None, "q2": None}

    def test_hostile_names_stay_text(self) -> None:
        asked = two_systems(1, title=HOSTILE)
        found = judged(asked, said, judges=[HOSTILE, "bob"])
        page = rendered(found, tables(found), "html")
        assert "<script>alert" not in page
        assert "alert(1)" in page

    def test_unknown_format(self) -> None:
        with pytest.raises(UnknownName, match="no report format called 'htm'; did you mean html"):
            rendered(Judged(two_systems(1), []), [], "htm")
