"""What judges said, as tables: how far they are, what they say of each system, whom they prefer, whether they agree.

A query counts as much as any other, whatever was said about it: its value is the mean over its reasons, a reason's the
mean over its judges. Intervals and tests are over queries.

# S systems, Q queries, M questions
"""

import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from whyrank._extras import require
from whyrank.evaluate.comparison import contrasts_of, holm, interval, intervals_of
from whyrank.evaluate.measures import measure
from whyrank.evaluate.results import Evaluation, Values
from whyrank.judge.agreement import agreement_table, pairs_table
from whyrank.judge.judged import Judged, Opinion, by_reason, opinions, qrels_of, questions_of
from whyrank.judge.records import BETTER
from whyrank.report.tables import Cell, Column, Intervals, Table, ranking_table, reason_table


class _Preference(NamedTuple):
    """One system set beside another.

    Attributes:
        first, second: the systems.
        counts: of judgements: 1 for the first, 0 for neither, −1 for the second.
        values_Q: the mean judgement of each query.
        p: two-sided sign test over the queries that lean to one of them; 1.0 where none does.
    """

    first: str
    second: str
    counts: Mapping[int, int]
    values_Q: Values
    p: float


def tables(judged: Judged) -> list[Table]:
    """Every table of an experiment; those about which nothing was said yet are left out.

    Raises:
        BadInput: an answer is about an item that the experiment does not have.
        MissingExtra: scipy is not installed.
    """
    made = (answers_table, given_table, preference_table, effectiveness_table, agreement_table, pairs_table)
    return [progress_table(judged), *(table for make in made if (table := make(judged)).rows)]


def progress_table(judged: Judged) -> Table:
    """How far each judge is, and how long an item takes."""
    seconds: dict[str, list[float]] = defaultdict(list)
    for sheet in judged.sheets:
        seconds[sheet.judge] += [answer.seconds for answer in sheet.answers[:1]]
    total, wanted = len(judged.study.items), judged.study.settings.overlap
    done = Counter(sheet.judge for sheet in judged.sheets)
    rows = tuple(
        (
            Cell(judge),
            Cell(done[judge]),
            Cell(done[judge] / total if total else math.nan),
            Cell(statistics.median(seconds[judge]) if seconds[judge] else math.nan),
            Cell(math.fsum(seconds[judge])),
        )
        for judge in sorted(done)
    )
    judges = Counter(sheet.item for sheet in judged.sheets)
    enough = sum(count >= wanted for count in judges.values())
    left = total - len(judges)
    notes = (
        f"Items: {total:,}. Answered by {wanted:,} judges, as wanted, or more: {enough:,}; by none yet: {left:,}.",
        "Seconds that an item was looked at; items of which a judge could say nothing are left out.",
    )
    columns = (
        Column("judge", "name"),
        Column("items", "count"),
        Column("of all", "share"),
        Column("seconds, median", "seconds"),
        Column("seconds in all", "seconds"),
    )
    return Table("Progress", columns, rows, notes)


def evaluations(judged: Judged) -> tuple[Evaluation, ...]:
    """What judges answered of each system: one measure a question, so that `whyrank.evaluate` compares them.

    A value is the mean place of the answer among those that can be given, from 0; NaN where a query has none.
    """
    queries = tuple(dict.fromkeys(item.query.id for item in judged.study.items))
    asked = tuple(question.id for question in judged.study.settings.questions)
    of_item = {item.id: item.query.id for item in judged.study.items}
    found = {name: np.full((len(queries), len(asked)), math.nan) for name in judged.study.rankings}
    for m, question in enumerate(asked):
        values: dict[tuple[str, str], list[float]] = defaultdict(list)
        for (item, systems), value in by_reason(judged, question).items():
            for system in systems:
                values[system, of_item[item]].append(value)
        for (system, query), own in values.items():
            found[system][queries.index(query), m] = math.fsum(own) / len(own)
    return tuple(Evaluation(name, asked, queries, values_QM) for name, values_QM in found.items())


def answers_table(judged: Judged) -> Table:
    """Systems by questions: means with intervals, and each system against the first with paired tests."""
    measured = [e for e in evaluations(judged) if not np.isnan(e.values_QM).all()]
    if not measured:
        return Table("What judges answered", (Column("system", "name"),), ())
    seed = judged.study.settings.seed
    table = reason_table(
        measured, contrasts_of(measured, None, seed), _intervals(measured, seed), title="What judges answered"
    )
    scales = [
        f"{question}: {', '.join(f'{place} {answer}' for place, answer in enumerate(answers))}."
        for question, answers in questions_of(judged).items()
        if question in measured[0].measures
    ]
    alike = ["What two systems say word for word alike is judged once and counts for both."] if measured[1:] else []
    return replace(table, footnotes=(*scales, *alike, *table.footnotes))


def given_table(judged: Judged) -> Table:
    """How often each answer was given: judgements, not means."""
    rows = []
    for question, answers in questions_of(judged).items():
        if question == BETTER:
            continue
        counts: dict[str, Counter[int]] = defaultdict(Counter)
        for opinion in opinions(judged, question):
            for name in opinion.systems or ("the documents",):
                counts[name][opinion.value] += 1
        for name in sorted(counts, key=[*judged.study.rankings, "the documents"].index):
            said = ", ".join(f"{answer} {counts[name][place]:,}" for place, answer in enumerate(answers))
            rows.append((Cell(question), Cell(name), Cell(counts[name].total()), Cell(said)))
    columns = (Column("question", "name"), Column("of", "text"), Column("answers", "count"), Column("given", "text"))
    return Table("How often each answer was given", columns, tuple(rows))


def preference_table(judged: Judged) -> Table:
    """Which of two systems was said to be better, with ties and a sign test over queries."""
    found = list(_preferences(judged))
    adjusted = holm([preference.p for preference in found])
    rows = []
    for preference, p in zip(found, adjusted, strict=True):
        low, high = interval(preference.values_Q, seed=judged.study.settings.seed)
        mean = math.fsum(preference.values_Q) / len(preference.values_Q)
        wins, losses = _leaning(preference.values_Q)
        counts = [Cell(preference.counts.get(value, 0)) for value in (1, 0, -1)]
        queries = f"{wins:,}/{len(preference.values_Q) - wins - losses:,}/{losses:,}"
        names = Cell(f"{preference.first} beside {preference.second}")
        rows.append((names, *counts, Cell(mean, low, high), Cell(queries), Cell(p)))
    columns = (
        Column("systems", "name"),
        Column("first better", "count"),
        Column("the same", "count"),
        Column("second better", "count"),
        Column("preference", "score"),
        Column("queries W/T/L", "text"),
        Column("p", "score"),
    )
    notes = (
        "Counts are judgements. preference: from 1, the first always better, to −1; mean over queries.",
        "In brackets: bootstrap 95 % intervals, over queries.",
        "p: two-sided sign test over the queries that lean to one of the two, after Holm's correction over the pairs.",
    )
    return Table("Which is better", columns, tuple(rows), notes)


def effectiveness_table(judged: Judged) -> Table:
    """The order of each system by the grades that judges gave (`qrels_of`), as far down as documents were graded."""
    qrels, depth = qrels_of(judged), judged.study.settings.depth
    if not qrels:
        return Table("The order, by the grades", (Column("system", "name"),), ())
    name, seed = f"nDCG@{depth}", judged.study.settings.seed
    measured = [
        measure(system, [ranking.top(depth) for ranking in own], qrels, [name], allow_unjudged=True)
        for system, own in judged.study.rankings.items()
    ]
    contrasts, intervals = contrasts_of(measured, None, seed), _intervals(measured, seed)
    return ranking_table(measured, contrasts, intervals, title="The order, by the grades")


def _intervals(measured: Sequence[Evaluation], seed: int) -> Intervals:
    """Of every mean that there is."""
    return {key: own for key, own in intervals_of(measured, seed).items() if not math.isnan(own.low)}


def _preferences(judged: Judged) -> Iterator[_Preference]:
    """Every two systems that were set side by side, in the order of the settings."""
    order = list(judged.study.rankings)
    values: dict[tuple[str, str], dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for opinion in opinions(judged, BETTER):
        for first, second, value in _of_systems(opinion, order):
            values[first, second][opinion.item.query.id].append(value)
    stats = require("scipy.stats", extra="evaluate", purpose="The sign test of preferences") if values else None
    for (first, second), by_query in sorted(values.items(), key=lambda pair: [order.index(name) for name in pair[0]]):
        values_Q = np.array([math.fsum(own) / len(own) for own in by_query.values()])
        wins, losses = _leaning(values_Q)
        p = float(stats.binomtest(wins, wins + losses).pvalue) if stats and wins + losses else 1.0
        yield _Preference(first, second, Counter(value for own in by_query.values() for value in own), values_Q, p)


def _of_systems(opinion: Opinion, order: Sequence[str]) -> Iterator[tuple[str, str, int]]:
    """A preference for a side is one for each of its systems over each of the other's."""
    left, right = opinion.item.sides
    for one in left:
        for other in right:
            is_in_order = order.index(one) < order.index(other)
            yield (one, other, opinion.value) if is_in_order else (other, one, -opinion.value)


def _leaning(values_Q: Values) -> tuple[int, int]:
    return int((values_Q > 0).sum()), int((values_Q < 0).sum())
