"""Tables of what judges said: by hand, blind to the order of sides, and sound where little or nothing was said."""

import math
from collections import Counter
from dataclasses import replace

import pytest
from answered import Said, judged, ranking, study, two_systems

from whyrank.errors import BadInput
from whyrank.evaluate.comparison import holm
from whyrank.judge.items import Item
from whyrank.judge.judged import Judged, by_reason, opinions, ratings
from whyrank.judge.records import BETTER, GRADE, Answer, Sheet
from whyrank.judge.summary import (
    answers_table,
    effectiveness_table,
    evaluations,
    given_table,
    preference_table,
    progress_table,
    tables,
)
from whyrank.report.table_formats import render_table
from whyrank.report.tables import Cell, Table

pytest.importorskip("scipy")
pytest.importorskip("ir_measures")


def always(values: dict[str, int]) -> Said:
    """The same answer to a question, whoever is asked about whatever."""
    return lambda _item, _judge, question, _system: values.get(question)


def row(table: Table, *names: str) -> dict[str, Cell]:
    """The row that starts with these names, by column."""
    [found] = [own for own in table.rows if tuple(cell.value for cell in own[: len(names)]) == names]
    return {column.name: cell for column, cell in zip(table.columns, found, strict=True)}


def said_apart(item: Item, judge: str, question: str, system: str) -> int | None:
    """Of `plain` ann says 0 and bob 1, of `other` both say 2; useful is answered in the first query alone."""
    if question == "useful" and item.query.id != "q0":
        return None
    return 2 if system == "other" else int(judge == "bob") if question in ("true", "useful") else None


class TestAnswers:
    def test_means_and_contrasts_by_hand(self) -> None:
        table = answers_table(judged(two_systems(6), said_apart))
        plain, other = row(table, "plain"), row(table, "other")
        assert plain["true"].value == 0.5
        assert other["true"].value == 2.0
        assert (other["true"].low, other["true"].high) == (2.0, 2.0)
        assert other["true"].versus is not None
        assert other["true"].versus.delta == 1.5
        assert (other["true"].versus.wins, other["true"].versus.losses) == (6, 0)
        assert other["true"].versus.p == 2 / 2**6  # all signs the same, of all that could be
        assert other["true"].versus.mark == "better"

    def test_what_was_not_answered_is_undefined_and_said(self) -> None:
        table = answers_table(judged(two_systems(6), said_apart))
        assert row(table, "plain")["explains"].value != row(table, "plain")["explains"].value
        assert row(table, "plain")["explains"].low is None
        assert row(table, "other")["explains"].versus is None
        assert any("useful for 5 of 6 queries" in note for note in table.footnotes)

    def test_a_reason_counts_once_however_many_judged_it(self) -> None:
        asked = two_systems(1)

        def said(item: Item, judge: str, question: str, system: str) -> int | None:
            if question != "true" or system != "plain":
                return None
            return (0 if judge == "ann" else 1) if item.document.id == "sky" else 2 if judge == "ann" else None

        [plain, other] = evaluations(judged(asked, said))
        assert plain.mean("true") == (0.5 + 2 + 2) / 3
        assert math.isnan(other.mean("true"))

    def test_scales_are_named(self) -> None:
        notes = answers_table(judged(two_systems(2), said_apart)).footnotes
        assert "useful: 0 no, 1 a little, 2 yes." in notes
        assert not any(note.startswith("grade") for note in notes)

    def test_how_often_each_answer_was_given(self) -> None:
        table = given_table(judged(two_systems(2), lambda i, j, q, s: 3 if q == GRADE else said_apart(i, j, q, s)))
        assert row(table, "true", "plain")["given"].value == "no 6, partly 6, yes 0"
        assert row(table, "grade", "the documents")["given"].value == (
            "not relevant 0, related 0, relevant 0, perfectly relevant 12"
        )


class TestAlike:
    def test_what_two_systems_say_alike_counts_for_both_and_is_one_thing(self) -> None:
        alike = [ranking(0, ("sky", "sea", "sun"), "It says so")]
        found = judged(study({"one": alike, "two": alike}), always({"true": 1, BETTER: 1}))
        assert [e.mean("true") for e in evaluations(found)] == [1.0, 1.0]
        assert len(ratings(found, "true").queries) == 3
        assert opinions(found, "true")[0].systems == ("one", "two")
        assert not opinions(found, BETTER)

    def test_an_answer_for_each_of_them_is_one_answer(self) -> None:
        alike = [ranking(0, ("sky", "sea"), "It says so")]
        asked = study({"one": alike, "two": alike}, grades=[])
        item = asked.items[0]
        answers = tuple(Answer(item.id, "ann", "true", name, "", 2, 1.0, "") for name in ("one", "two"))
        assert len(opinions(Judged(asked, [Sheet(item.id, "ann", answers)]), "true")) == 1


class TestPreference:
    def test_by_hand(self) -> None:
        """The first side is "other", by name; the table puts the first of the settings first."""

        def said(item: Item, judge: str, question: str, system: str) -> int | None:
            if question != BETTER:
                return None
            if item.query.id == "q0":
                return -1
            return 1 if judge == "ann" else 0

        table = preference_table(judged(two_systems(6), said))
        found = row(table, "plain beside other")
        assert [found[name].value for name in ("first better", "the same", "second better")] == [6, 15, 15]
        assert found["preference"].value == pytest.approx((1 - 5 * 0.5) / 6)
        assert found["queries W/T/L"].value == "1/0/5"
        assert found["p"].value == pytest.approx(2 * (1 + 6) / 2**6)

    def test_queries_that_lean_to_neither_are_no_part_of_the_test(self) -> None:
        def said(item: Item, _judge: str, question: str, _system: str) -> int | None:
            return int(item.query.id in ("q0", "q1", "q2")) if question == BETTER else None

        found = row(preference_table(judged(two_systems(6), said)), "plain beside other")
        assert found["queries W/T/L"].value == "0/3/3"
        assert found["p"].value == pytest.approx(2 / 2**3)

    def test_all_ties_say_nothing(self) -> None:
        found = row(preference_table(judged(two_systems(3), always({BETTER: 0}))), "plain beside other")
        assert (found["preference"].value, found["p"].value, found["queries W/T/L"].value) == (0.0, 1.0, "0/3/0")

    def test_several_pairs_are_adjusted(self) -> None:
        """Of three systems two are drawn for each query; the first of a side, by name, always wins."""
        names = ("first", "second", "third")
        asked = study({name: [ranking(n, ("sky",), name) for n in range(12)] for name in names})
        table = preference_table(judged(asked, always({BETTER: 1})))
        drawn = Counter(" beside ".join(own[0] for own in item.sides) for item in asked.items if item.is_pair)
        assert [own[0].value for own in table.rows] == sorted(drawn)
        assert len(drawn) == 3
        alone = [min(1.0, 2 / 2 ** drawn[name]) for name in sorted(drawn)]
        assert [own[-1].value for own in table.rows] == pytest.approx(holm(alone))

    def test_systems_of_a_side_are_all_preferred(self) -> None:
        same, else_ = [ranking(0, ("sky",), "It says so")], [ranking(0, ("sky",), "No")]
        asked = study({"one": same, "two": same, "three": else_})
        [pair] = [item for item in asked.items if item.is_pair]
        assert pair.sides == (("one", "two"), ("three",))
        table = preference_table(judged(asked, always({BETTER: 1})))
        assert [own[0].value for own in table.rows] == ["one beside three", "two beside three"]
        assert [own[1].value for own in table.rows] == [2, 2]

    def test_a_preference_for_a_system_is_one_for_its_side(self) -> None:
        same, else_ = [ranking(0, ("sky",), "It says so")], [ranking(0, ("sky",), "No")]
        asked = study({"a": same, "z": same, "m": else_})
        [pair] = [item for item in asked.items if item.is_pair]
        for system, other, value in (("a", "m", 1), ("m", "z", -1)):
            answer = Answer(pair.id, "ann", BETTER, system, other, value, 1.0, "")
            [opinion] = opinions(Judged(asked, [Sheet(pair.id, "ann", (answer,))]), BETTER)
            assert opinion.value == 1


class TestEffectiveness:
    def test_the_order_is_measured_by_the_grades(self) -> None:
        asked = study(
            {
                "right": [ranking(n, ("sky", "sea", "sun"), "x") for n in range(3)],
                "wrong": [ranking(n, ("sea", "sky", "sun"), "y") for n in range(3)],
            }
        )
        found = judged(
            asked, lambda item, _j, question, _s: 3 * (item.document.id == "sky") if question == GRADE else None
        )
        table = effectiveness_table(found)
        assert row(table, "right")["nDCG@3"].value == 1.0
        assert row(table, "wrong")["nDCG@3"].value == pytest.approx(1 / math.log2(3))

    def test_what_was_not_looked_at_is_not_unjudged(self) -> None:
        found = judged(two_systems(2, depth=1), always({GRADE: 1}))
        assert any("(unjudged@10): plain 0.0 %" in note for note in effectiveness_table(found).footnotes)

    def test_no_grades_no_table(self) -> None:
        assert not effectiveness_table(judged(two_systems(2), said_apart)).rows


class TestProgress:
    def test_by_hand(self) -> None:
        asked = two_systems(2, overlap=2)
        whole = judged(asked, always({"true": 1, GRADE: 1}), seconds=4.0)
        ann = [sheet for sheet in whole.sheets if sheet.judge == "ann"]
        bob = [sheet for sheet in whole.sheets if sheet.judge == "bob"][:3]
        quick = [replace(s, answers=tuple(replace(a, seconds=1.0) for a in s.answers)) for s in bob]
        table = progress_table(Judged(asked, [*ann[:-1], *quick, Sheet(asked.items[4].id, "cleo")]))
        first, second, third = row(table, "ann"), row(table, "bob"), row(table, "cleo")
        assert len(asked.items) == 12
        assert (first["items"].value, first["of all"].value) == (11, 11 / 12)
        assert (first["seconds, median"].value, first["seconds in all"].value) == (4.0, 44.0)
        assert (second["seconds, median"].value, second["seconds in all"].value) == (1.0, 3.0)
        assert (third["items"].value, third["seconds in all"].value) == (1, 0.0)
        assert table.footnotes[0] == "Items: 12. Answered by 2 judges, as wanted, or more: 4; by none yet: 1."


class TestAgreement:
    def test_judges_who_agree(self) -> None:
        def said(item: Item, _judge: str, question: str, _system: str) -> int | None:
            return len(item.document.id + item.query.id + item.document.text) % 3 if question == "true" else None

        found = {table.title: table for table in tables(judged(two_systems(4), said))}
        agreed = row(found["Do judges agree?"], "true")
        for name in ("Fleiss' κ", "α nominal", "α ordinal"):
            assert agreed[name].value == 1.0
            assert (agreed[name].low, agreed[name].high) == (1.0, 1.0)
        assert (agreed["judges"].value, agreed["judged by two or more"].value) == (2, 24)
        assert agreed["same answer"].value == 1.0
        assert row(found["Every two judges"], "true", "ann and bob")["Cohen's κ"].value == 1.0

    def test_one_answer_only_is_told_and_no_crash(self) -> None:
        found = {table.title: table for table in tables(judged(two_systems(2), always({"true": 1, GRADE: 0})))}
        table = found["Do judges agree?"]
        assert math.isnan(float(row(table, "true")["α nominal"].value or 0))
        assert any("all answers are the same" in note for note in table.footnotes)
        assert "–" in render_table(table, "markdown")

    def test_a_single_judge(self) -> None:
        found = {table.title: table for table in tables(judged(two_systems(2), said_apart, judges=["bob"]))}
        assert any("no item was answered by two judges" in note for note in found["Do judges agree?"].footnotes)
        assert "Every two judges" not in found

    def test_judges_who_never_met(self) -> None:
        def said(item: Item, judge: str, question: str, _system: str) -> int | None:
            return 1 if question == "true" and (item.query.id == "q0") == (judge == "ann") else None

        found = {table.title for table in tables(judged(two_systems(2), said))}
        assert "Do judges agree?" in found
        assert "Every two judges" not in found


class TestLittle:
    def test_nothing_was_said(self) -> None:
        [only] = tables(Judged(two_systems(2), []))
        assert only.title == "Progress"
        assert not only.rows
        assert only.footnotes[0].endswith("by none yet: 12.")

    def test_one_query_one_judge_one_answer(self) -> None:
        asked = two_systems(1)
        item = next(item for item in asked.items if item.kind == "reasons")
        sheet = Sheet(item.id, "ann", (Answer(item.id, "ann", "true", "plain", "", 2, 1.0, ""),))
        for table in tables(Judged(asked, [sheet])):
            for form in ("markdown", "latex", "csv", "json"):
                assert render_table(table, form)

    def test_grades_alone(self) -> None:
        rankings = {"one": [replace(ranking(0, ("sky", "sea"), "x"), explanations=None)]}
        found = judged(study(rankings, questions=[], prefer=False), always({GRADE: 1}))
        assert {table.title for table in tables(found)} == {
            "Progress",
            "How often each answer was given",
            "The order, by the grades",
            "Do judges agree?",
            "Every two judges",
        }

    def test_an_answer_from_elsewhere_is_refused(self) -> None:
        asked = two_systems(1)
        for item, system in (("elsewhere", ""), (asked.items[-1].id, "a third")):
            question = GRADE if item == "elsewhere" else "true"
            answer = Answer(item, "ann", question, system, "", 1, 1.0, "")
            with pytest.raises(BadInput, match=r"'ann' answered about .*, which the experiment does not have"):
                by_reason(Judged(asked, [Sheet(item, "ann", (answer,))]), question)
