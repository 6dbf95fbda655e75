"""What a browser is shown of an item, never a system's name; and the sheet of answers that it sends back.

Sides come in the order that is drawn for the judge, so that a place on the page tells nothing.
"""

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt

from whyrank.formats.plain import plain
from whyrank.judge.assignment import sides_for
from whyrank.judge.items import Item, Said
from whyrank.judge.records import BETTER, GRADE, Answer, Sheet
from whyrank.judge.settings import JudgeSettings
from whyrank.report.passages import is_found
from whyrank.serve.problems import Refused
from whyrank.types import Document, Evidence

LONGEST_S = 86_400.0


class NamedBody(BaseModel):
    """Who asks.

    Attributes:
        judge: the name that the judge gave.
    """

    model_config = ConfigDict(extra="forbid")

    judge: str


class SheetBody(NamedBody):
    """What a judge says to an item.

    Attributes:
        item: its id.
        seconds: that the judge looked at it.
        grade: of a document: place among the grades, from 0.
        sides: of each side, in the order in which they were shown: question → place among its answers, from 0.
        better: 1 for the first side, 0 for none, −1 for the second.
        leaves: whether what is not answered is left out on purpose.
    """

    item: str
    seconds: Annotated[float, Field(strict=True, ge=0, le=LONGEST_S, allow_inf_nan=False)]
    grade: StrictInt | None = None
    sides: list[dict[str, StrictInt]] = []
    better: StrictInt | None = None
    leaves: StrictBool = False


def asked_of(settings: JudgeSettings) -> dict[str, Any]:
    """What the page must know of the experiment: what is asked, and nothing of who is asked about."""
    return {
        "title": settings.title,
        "grades": list(settings.grades),
        "questions": [{"id": own.id, "ask": own.ask, "answers": list(own.answers)} for own in settings.questions],
        "prefer": settings.prefers,
    }


def view(item: Item, judge: str, seed: int) -> dict[str, Any]:
    """An item as its judge sees it."""
    sides = sides_for(item, judge, seed)
    return {
        "id": item.id,
        "kind": item.kind,
        "query": item.query.text,
        "document": _document(item.document),
        "sides": [_side(item.reasons[side[0]], item.document) | {"shared": len(side) > 1} for side in sides],
    }


def filled(sheet: Sheet, item: Item, seed: int) -> dict[str, Any]:
    """The answers of a sheet as the page gave them, so that they can be mended."""
    sides = sides_for(item, sheet.judge, seed)
    found: dict[str, Any] = {"grade": None, "sides": [{} for _ in sides], "better": None}
    for answer in sheet.answers:
        if answer.question == GRADE:
            found["grade"] = answer.value
        elif answer.question == BETTER:
            found["better"] = answer.value if answer.system in sides[0] else -answer.value
        else:
            place = next(place for place, side in enumerate(sides) if answer.system in side)
            found["sides"][place][answer.question] = answer.value
    return found


def sheet_of(body: SheetBody, item: Item, judge: str, settings: JudgeSettings, at: str) -> Sheet:
    """What is kept of what the page sent.

    Args:
        body: what it sent.
        item: that it is about.
        judge: the judge's name, as it is kept.
        settings: of the experiment.
        at: the time, in ISO 8601, UTC.

    Raises:
        Refused: an answer is out of range, is to a question that is not asked, or is missing and not left out on
            purpose.
    """

    def answer(question: str, value: int, system: str = "", other: str = "") -> Answer:
        return Answer(item.id, judge, question, system, other, value, body.seconds, at)

    if item.kind == GRADE:
        _refuse_strange(body, "sides", "better")
        grade = _checked("grade", body.grade, range(len(settings.grades)), body)
        return Sheet(item.id, judge, () if grade is None else (answer(GRADE, grade),))
    _refuse_strange(body, "grade")
    sides = sides_for(item, judge, settings.seed)
    found = [
        answer(question, value, system)
        for side, given in zip(sides, _given(body, item, settings), strict=True)
        for question, value in given.items()
        for system in side
    ]
    if settings.prefers and item.is_pair:
        better = _checked("better", body.better, range(-1, 2), body)
        if better is not None:
            found += (answer(BETTER, value, *pair) for pair, value in _pairs(sides, better))
    else:
        _refuse_strange(body, "better")
    return Sheet(item.id, judge, tuple(found))


def _pairs(sides: tuple[tuple[str, ...], ...], better: int) -> Iterator[tuple[tuple[str, str], int]]:
    """Each system of one side against each of the other, the names in alphabetical order."""
    for first, second in product(*sides):
        yield ((first, second), better) if first < second else ((second, first), -better)


def _given(body: SheetBody, item: Item, settings: JudgeSettings) -> list[Mapping[str, int]]:
    if len(body.sides) != len(item.sides):
        raise _wrong("sides", f"has answers for {len(body.sides)} sides; the item has {len(item.sides)}")
    asked = {question.id: range(len(question.answers)) for question in settings.questions}
    found: list[Mapping[str, int]] = []
    for place, given in enumerate(body.sides):
        if strange := sorted(set(given) - set(asked)):
            raise _wrong(f"sides[{place}].{strange[0]}", f"is not asked; the questions are {', '.join(asked)}")
        checked = {name: _checked(f"sides[{place}].{name}", given.get(name), own, body) for name, own in asked.items()}
        found.append({name: value for name, value in checked.items() if value is not None})
    return found


def _checked(field: str, value: int | None, allowed: range, body: SheetBody) -> int | None:
    if value is None and body.leaves:
        return None
    if value not in allowed:
        what = "is missing" if value is None else f"is {value}"
        raise _wrong(field, f"{what}; give {allowed[0]} to {allowed[-1]}, or leaves: true")
    return value


def _refuse_strange(body: SheetBody, *fields: str) -> None:
    for field in fields:
        if getattr(body, field) not in (None, []):
            raise _wrong(field, "is not asked of this item; leave it out")


def _wrong(field: str, what: str) -> Refused:
    return Refused("invalid_request", f"{field}: {what}", param=field)


def _side(said: Said, document: Document) -> dict[str, Any]:
    evidence = _evidence(said.direct.evidence, document)
    shown: dict[str, Any] = {"rank": said.rank, "text": said.direct.text, "evidence": evidence}
    if said.comparison is None or said.lower is None:
        return shown | {"above": None}
    turn = said.comparison.counterfactual
    return shown | {
        "above": {
            "text": said.comparison.text,
            "lower": _document(said.lower),
            "turn": turn.text if turn else "",
            "removed": list(turn.quotes) if turn else [],
        }
    }


def _evidence(evidence: tuple[Evidence, ...], document: Document) -> list[dict[str, Any]]:
    """Quotes and where they stand. What each contributes is not shown: it would tell rankers that score from others."""
    return [{"quote": own.quote, "span": plain(own.span) if is_found(document, own) else None} for own in evidence]


def _document(document: Document) -> dict[str, str | None]:
    return {"id": document.id, "title": document.title, "text": document.text}
