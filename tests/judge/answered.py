"""A small experiment with judges, made up: two systems, what they say, and what was answered."""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from whyrank.judge.items import Item, items_of
from whyrank.judge.judged import Judged
from whyrank.judge.records import BETTER, GRADE, Answer, Sheet
from whyrank.judge.settings import JudgeSettings
from whyrank.judge.study import Study
from whyrank.types import Comparison, Direct, Document, Evidence, Explanations, Hit, Query, Ranking, Span

AT = "2026-01-01T00:00:00+00:00"
TEXTS = {
    "sky": "The sky is blue because air scatters blue light. Sunsets are red.",
    "sea": "The sea is salt. It mirrors the blue sky above it. Rivers are not salt.",
    "sun": "The sun is a star of 1,392,700 km. Its light is white.",
}
Said = Callable[[Item, str, str, str], int | None]
"""(item, judge, question, system or "") → value, or None for no answer; a preference is for the first side."""


def ranking(number: int, order: Sequence[str], words: str, *, quote_at: int = 0) -> Ranking:
    """A list in this order, each document with a reason that quotes one sentence and a comparison with the next."""
    query = Query(f"q{number}", f"why is the sky blue {number}")
    documents = [Document(name, f"{TEXTS[name]} Number {number}.") for name in order]
    hits = tuple(Hit(d, 1.0 - 0.1 * place, None, place + 1) for place, d in enumerate(documents))
    direct = tuple(Direct(d.id, f"{words}: {d.id}.", (_quote(d, quote_at),), source="a model") for d in documents)
    above = pairwise(documents)
    comparisons = tuple(Comparison(a.id, b.id, f"{words}: {a.id} above {b.id}.", source="a model") for a, b in above)
    return Ranking(query, hits, "made up", explanations=Explanations(direct, comparisons))


def study(rankings: Mapping[str, Sequence[Ranking]], **settings: Any) -> Study:
    """The items of these rankings."""
    asked = JudgeSettings(systems={name: f"{name}.jsonl" for name in rankings}, **settings)
    items = items_of(
        rankings,
        depth=asked.depth,
        seed=asked.seed,
        with_grades=bool(asked.grades),
        with_reasons=asked.looks_at_reasons,
    )
    return Study(asked, rankings, tuple(items))


def two_systems(queries: int = 6, **settings: Any) -> Study:
    """ "plain" quotes the first sentence of each document, "other" the second; the same order of all three."""
    order = ("sky", "sea", "sun")
    return study(
        {
            "plain": [ranking(n, order, "It says so") for n in range(queries)],
            "other": [ranking(n, order, "It tells why", quote_at=1) for n in range(queries)],
        },
        **settings,
    )


def judged(asked: Study, said: Said, judges: Sequence[str] = ("ann", "bob"), seconds: float = 8.0) -> Judged:
    """Every judge answers every item as `said` says."""
    sheets = []
    for item in asked.items:
        for judge in judges:
            answers = [
                Answer(item.id, judge, question, system, other, value, seconds, AT)
                for question, system, other in _questions(asked, item)
                if (value := said(item, judge, question, system if question != BETTER else "")) is not None
            ]
            sheets.append(Sheet(item.id, judge, tuple(answers)))
    return Judged(asked, sheets)


def _questions(asked: Study, item: Item) -> list[tuple[str, str, str]]:
    if item.kind == "grade":
        return [(GRADE, "", "")]
    own = [(q.id, side[0], "") for side in item.sides for q in asked.settings.questions]
    pair = [(BETTER, item.sides[0][0], item.sides[1][0])] if item.is_pair and asked.settings.prefers else []
    return [*own, *pair]


def _quote(document: Document, place: int) -> Evidence:
    sentence = document.text.split(". ")[place] + "."
    start = document.text.index(sentence)
    return Evidence(sentence, Span(start, start + len(sentence)))
