"""Automatic measures against answers: where people say what a measure says, it is 1; what is undefined is counted."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from answered import TEXTS, judged, ranking, study, two_systems

import whyrank
from whyrank.evaluate.reasons.erasure import erasure
from whyrank.evaluate.reasons.judges import Lexical
from whyrank.evaluate.reasons.rationales import quoted
from whyrank.judge.correlation import correlation_tables, measured_reasons
from whyrank.judge.items import Item
from whyrank.judge.judged import Judged
from whyrank.judge.records import GRADE
from whyrank.report.tables import Cell, Table
from whyrank.types import Evidence, Ranking, Scorer


def row(table: Table, measure: str, question: str) -> dict[str, Cell]:
    [found] = [own for own in table.rows if (own[0].value, own[1].value) == (measure, question)]
    return {column.name: cell for column, cell in zip(table.columns, found, strict=True)}


def misquoted(rankings: Sequence[Ranking]) -> list[Ranking]:
    """The reason of every document but the first quotes what stands nowhere; the second's number does not either."""
    changed = []
    for own in rankings:
        assert own.explanations is not None
        first, *others = own.explanations.direct
        nowhere = (Evidence("No such words", None),)
        numbered = zip(others, ("77", "1,392,700"), strict=True)
        lying = [replace(d, text=f"{d.text} There are {number}.", evidence=nowhere) for d, number in numbered]
        changed.append(replace(own, explanations=replace(own.explanations, direct=(first, *lying))))
    return changed


def strict(item: Item, _judge: str, question: str, system: str) -> int | None:
    """A judge who looks every quote up, and says nothing of what is useful."""
    if question == GRADE or not system:
        return None
    found = item.reasons[system].direct.evidence[0].quote in item.document.text
    return {"true": 2 * found, "explains": 1, "useful": None}[question]


@pytest.fixture(scope="module")
def lied() -> Judged:
    order = ("sky", "sea", "sun")
    return judged(study({"one": misquoted([ranking(n, order, "It says so") for n in range(5)])}), strict)


def test_a_measure_that_says_what_people_say(lied: Judged) -> None:
    [table] = correlation_tables(lied)
    found = row(table, "exact quotes", "true")
    assert (found["Kendall's τ-b"].value, found["Spearman's ρ"].value) == (1.0, 1.0)
    assert (found["Kendall's τ-b"].low, found["Kendall's τ-b"].high) == (1.0, 1.0)
    assert (found["reasons"].value, found["left out"].value) == (15, 0)


def test_what_is_undefined_for_a_reason_is_left_out_and_counted(lied: Judged) -> None:
    [table] = correlation_tables(lied)
    numbers = row(table, "supported numbers", "true")
    assert (numbers["reasons"].value, numbers["left out"].value) == (10, 5)  # a reason without a number has no share
    assert math.isnan(float(numbers["Kendall's τ-b"].value or 0))  # people said the same of all ten
    assert numbers["Kendall's τ-b"].low is None
    erased = measured_reasons(lied).values["comp@1"]
    assert int(np.isnan(erased).sum()) == 10  # nothing to erase where no quote is found


def test_all_answers_alike_and_no_answers(lied: Judged) -> None:
    [table] = correlation_tables(lied)
    assert math.isnan(float(row(table, "exact quotes", "explains")["Spearman's ρ"].value or 0))
    useful = row(table, "exact quotes", "useful")
    assert (useful["reasons"].value, useful["left out"].value) == (0, 0)
    assert math.isnan(float(useful["Kendall's τ-b"].value or 0))


def test_a_measure_that_tells_no_reason_from_another_is_named_with_its_value() -> None:
    [table] = correlation_tables(judged(study({"one": [ranking(0, ("sky", "sea", "sun"), "It says so")]}), strict))
    assert "exact quotes" not in {own[0].value for own in table.rows}
    assert table.footnotes[-1] == "The same for all reasons, so that they tell none from another: exact quotes 1."


def test_a_measure_that_is_never_defined_has_no_row(lied: Judged) -> None:
    [table] = correlation_tables(lied)
    assert "true statements of order" not in {own[0].value for own in table.rows}


def test_what_a_reason_states_is_measured_alone() -> None:
    [own] = misquoted([ranking(0, ("sky", "sea", "sun"), "It says so")])
    assert own.explanations is not None
    sky, sea, sun = own.explanations.direct
    above, below = own.explanations.comparisons
    sky = replace(sky, text="Number 0, as it says.", evidence=(*sky.evidence, Evidence("None", None)))
    compared = (replace(above, text="It ranks above passage 2."), replace(below, text="It ranks below passage 3."))
    told = replace(own, explanations=replace(own.explanations, direct=(sky, sea, sun), comparisons=compared))
    found = measured_reasons(judged(study({"one": [told]}), strict))
    by_document = {reason.item.document.id: place for place, reason in enumerate(found.reasons)}
    values = {name: [own[by_document[d]] for d in ("sky", "sea", "sun")] for name, own in found.values.items()}
    assert values["exact quotes"] == [1.0, 0.0, 0.0]  # of the quotes that are given
    assert values["supported numbers"] == [1.0, 0.0, 1.0]
    assert values["true statements of order"][:2] == [1.0, 0.0]
    assert math.isnan(values["true statements of order"][2])


def test_erasure_of_a_reason_is_that_of_its_quotes() -> None:
    found = measured_reasons(judged(two_systems(1), strict))
    texts = Lexical([f"{text} Number 0." for text in TEXTS.values()])
    for number, reason in enumerate(found.reasons):
        explained = reason.ranking.explanations
        assert explained is not None
        [direct] = explained.direct
        [alone] = erasure([reason.ranking], {"": [quoted(reason.ranking, [direct])]}, texts).evaluations
        for name in ("comp@1", "suff@1", "comp", "suff"):
            assert found.values[name][number] == pytest.approx(alone.of(name)[0])
    assert not np.isnan(found.values["comp@1"]).any()
    assert len(set(found.values["comp@1"])) > 2


def test_intervals_are_over_queries_not_over_reasons() -> None:
    """Of one query every resample is the same."""

    def said(item: Item, _judge: str, question: str, system: str) -> int | None:
        return len(item.document.text) * (1 + (system == "other")) % 3 if question == "true" and system else None

    [whole, *_] = correlation_tables(judged(two_systems(1), said))
    found = [row(whole, measure, "true")["Kendall's τ-b"] for measure in ("comp@1", "suff@1")]
    assert all(cell.low == cell.high == cell.value for cell in found)
    assert any(abs(float(cell.value or 0)) < 1 for cell in found)


def test_systems_together_and_apart() -> None:
    whole, plain, other = correlation_tables(judged(two_systems(3), strict))
    assert [table.title.split("? ")[1] for table in (whole, plain, other)] == ["all systems", "plain", "other"]
    counts = [row(table, "comp@1", "true")["reasons"].value for table in (whole, plain, other)]
    assert counts == [18, 9, 9]
    assert any("differences between the systems" in note for note in whole.footnotes)
    assert not any("differences between the systems" in note for note in plain.footnotes)


def test_what_two_systems_say_alike_is_one_reason() -> None:
    alike = [ranking(n, ("sky", "sea"), "It says so") for n in range(3)]
    whole, one, two = correlation_tables(judged(study({"one": alike, "two": alike}), strict))
    assert [row(table, "comp@1", "true")["reasons"].value for table in (whole, one, two)] == [6, 6, 6]


def test_nothing_was_said() -> None:
    assert correlation_tables(Judged(two_systems(1), [])) == []


def test_what_scored_the_documents_is_asked_again() -> None:
    """Reasons of the product, some with their differences changed: a judge who says so agrees with the measure."""
    ranker = whyrank.load("evidence", threads=1)
    assert isinstance(ranker, Scorer)
    texts = [f"{text} Number {n}." for n in range(2) for text in TEXTS.values()]
    told = whyrank.rerank("why is the sky blue", texts, ranker=ranker, explain=4)
    assert told.explanations is not None
    honest, *others = told.explanations.comparisons
    false = [replace(c, differences=tuple(replace(d, upper=d.lower - d.value) for d in c.differences)) for c in others]
    changed = replace(told, explanations=replace(told.explanations, comparisons=(honest, *false)))

    def said(item: Item, _judge: str, question: str, system: str) -> int | None:
        if question != "explains" or not system:
            return None
        return 2 * (item.reasons[system].comparison == honest)

    answered = judged(study({"evidence": [changed]}, depth=3), said)
    [table] = correlation_tables(answered, scorers={"evidence": ranker})
    found = row(table, "signs", "explains")
    assert found["Kendall's τ-b"].value == pytest.approx(1.0)
    assert found["reasons"].value == 3
    assert "signs" not in {own[0].value for own in correlation_tables(answered)[0].rows}
    assert "signs" not in {own[0].value for own in correlation_tables(answered, scorers={"else": ranker})[0].rows}
