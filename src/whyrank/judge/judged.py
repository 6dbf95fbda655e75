"""An experiment with what its judges said: their answers one by one, by item and judge, and by system and query. Pure.

# I things that were judged, J judges
"""

import math
import statistics
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from whyrank.errors import BadInput
from whyrank.evaluate.results import Values
from whyrank.judge.items import Item
from whyrank.judge.records import BETTER, GRADE, Answer, Sheet
from whyrank.judge.study import Study

BETTER_ANSWERS = ("the second", "neither", "the first")
"""What is said where one of two sides is to be preferred, from −1 to 1."""


@dataclass(frozen=True)
class Judged:
    """What was asked, and what was answered.

    Attributes:
        study: the experiment and its items.
        sheets: those that count: one for each item and judge.
    """

    study: Study
    sheets: Sequence[Sheet]

    @property
    def answers(self) -> Iterator[Answer]:
        """The answers of all sheets."""
        return (answer for sheet in self.sheets for answer in sheet.answers)


class Opinion(NamedTuple):
    """One answer of one judge.

    Attributes:
        item: what it is about.
        systems: whose words it is about: those that say the same; () for a grade and for a preference.
        judge: who said it.
        value: place among the answers, from 0; of a preference 1 for the item's first side, −1 for its second.
    """

    item: Item
    systems: tuple[str, ...]
    judge: str
    value: int


class Ratings(NamedTuple):
    """The answers to one question as a table.

    Attributes:
        judges: J names, in alphabetical order.
        queries: of each of the I things that were judged.
        values_IJ: NaN where a judge gave no answer.
    """

    judges: tuple[str, ...]
    queries: tuple[str, ...]
    values_IJ: Values


def questions_of(judged: Judged) -> dict[str, tuple[str, ...]]:
    """Each question that was asked of something, with its possible answers, the lowest first."""
    settings = judged.study.settings
    found = {question.id: tuple(question.answers) for question in settings.questions}
    if settings.grades:
        found[GRADE] = tuple(settings.grades)
    if settings.prefers and any(item.is_pair for item in judged.study.items):
        found[BETTER] = BETTER_ANSWERS
    return found


def opinions(judged: Judged, question: str) -> list[Opinion]:
    """The answers to one question, each once, however many systems it is about; in the order of the items.

    Raises:
        BadInput: an answer is about an item that the experiment does not have.
    """
    places = {item.id: place for place, item in enumerate(judged.study.items)}
    found: dict[tuple[int, tuple[str, ...], str], Opinion] = {}
    for answer in judged.answers:
        if answer.question != question:
            continue
        place = places.get(answer.item)
        opinion = None if place is None else _opinion(judged.study.items[place], answer)
        if place is None or opinion is None:
            about = f"what {answer.system!r} says in item" if answer.system else "item"
            raise BadInput(
                f"{answer.judge!r} answered about {about} {answer.item!r}, which the experiment does not have; give "
                "the settings and results that were judged"
            )
        found[place, opinion.systems, opinion.judge] = opinion
    return [found[key] for key in sorted(found)]


def ratings(judged: Judged, question: str) -> Ratings:
    """The answers to one question by item, side and judge; what two systems say alike is one thing."""
    given = opinions(judged, question)
    judges = sorted({opinion.judge for opinion in given})
    rows: dict[tuple[str, tuple[str, ...]], dict[str, int]] = defaultdict(dict)
    queries: dict[tuple[str, tuple[str, ...]], str] = {}
    for opinion in given:
        key = opinion.item.id, opinion.systems
        rows[key][opinion.judge] = opinion.value
        queries[key] = opinion.item.query.id
    values = [[row.get(judge, math.nan) for judge in judges] for row in rows.values()]
    return Ratings(
        tuple(judges), tuple(queries.values()), np.array(values, dtype=np.float64).reshape(len(rows), len(judges))
    )


def by_reason(judged: Judged, question: str) -> dict[tuple[str, tuple[str, ...]], float]:
    """The mean over judges of what they said of each item's sides: (item, systems) → value."""
    values: dict[tuple[str, tuple[str, ...]], list[int]] = defaultdict(list)
    for opinion in opinions(judged, question):
        values[opinion.item.id, opinion.systems].append(opinion.value)
    return {key: math.fsum(own) / len(own) for key, own in values.items()}


def qrels_of(judged: Judged) -> dict[str, dict[str, int]]:
    """The grades of documents: what most judges gave; where several lead, the lower median of all that were given.

    Only documents that somebody graded are there, in the order of the items.
    """
    given: dict[tuple[str, str], list[int]] = defaultdict(list)
    for opinion in opinions(judged, GRADE):
        given[opinion.item.query.id, opinion.item.document.id].append(opinion.value)
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for (query, document), grades in given.items():
        leading = statistics.multimode(grades)
        found[query][document] = leading[0] if len(leading) == 1 else statistics.median_low(grades)
    return dict(found)


def _opinion(item: Item, answer: Answer) -> Opinion | None:
    if answer.question == GRADE:
        return Opinion(item, (), answer.judge, answer.value)
    side = next((own for own in item.sides if answer.system in own), None)
    if side is None:
        return None
    if answer.question == BETTER:
        return Opinion(item, (), answer.judge, answer.value if side == item.sides[0] else -answer.value)
    return Opinion(item, side, answer.judge, answer.value)
