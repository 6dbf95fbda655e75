"""Do automatic measures of whether reasons are true say what people say? Each measure of a reason against its answers.

A reason is what a judge saw on one side: the direct reason with its quotes, and the comparison with the next. Every
measure of `whyrank.evaluate.reasons` that has a value for a single reason is here. Those of whole lists (stability,
ranking from rationales, polarity) and those that need marked sentences (plausibility) have none.

# N reasons, Q questions
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from whyrank.evaluate.correlation import Correlation, rank_correlation
from whyrank.evaluate.reasons.comparisons import check_counterfactuals, check_differences
from whyrank.evaluate.reasons.erasure import erasure
from whyrank.evaluate.reasons.grounding import check_numbers, check_order, check_quotes
from whyrank.evaluate.reasons.judges import Judge, Lexical
from whyrank.evaluate.reasons.rationales import quoted
from whyrank.evaluate.reasons.statements import WIDE, told
from whyrank.evaluate.resampling import resampled
from whyrank.evaluate.results import Proportion, Values
from whyrank.judge.items import Item, Said
from whyrank.judge.judged import Judged, by_reason
from whyrank.report.tables import Cell, Column, Table
from whyrank.types import Explanations, Ranking, Scorer

RESAMPLES = 1_000
"""Of each coefficient: there are many, and each costs the square of the number of reasons."""
ERASURE = ("comp@1", "comp", "suff@1", "suff")
"""Of the measures of erasure, those that are held against the answers; low sufficiency is good."""
STATED = ("exact quotes", "supported numbers", "true statements of order")
"""Shares of what a reason states that holds."""
SCORED = ("signs", "values", "summands stated", "flips", "necessary sentences", "impossible")
"""The same, where what scored the documents is at hand to be asked again."""
SETS = 255
"""Sets of sentences that are tried for one counterfactual: all of eight sentences. What needs more is left out."""
ALL = "all systems"
NOTES = (
    "Each reason's measure against its mean answer; −1, the orders are each other's reverse, to 1, they are the same.",
    "In brackets: bootstrap 95 % intervals, over queries.",
    "left out: reasons for which the measure is undefined. –: all answers, or all that were measured, are the same.",
    "comp, suff: what BM25 loses without the quotes, and by the quotes alone; low suff is good: there − is agreement.",
)
FROM_SYSTEMS = "Here a correlation may come from differences between the systems alone."


class Reason(NamedTuple):
    """What was said on one side of an item.

    Attributes:
        item: the item.
        systems: those that said it.
        ranking: the first one's whole list, with this reason alone.
    """

    item: Item
    systems: tuple[str, ...]
    ranking: Ranking


class Measured(NamedTuple):
    """Reasons and what automatic measures make of each.

    Attributes:
        reasons: N of them.
        values: measure → N values; NaN where it is undefined for a reason.
    """

    reasons: tuple[Reason, ...]
    values: Mapping[str, Values]


def measured_reasons(judged: Judged, *, scorers: Mapping[str, Scorer] | None = None) -> Measured:
    """Every automatic measure of every reason that judges answered about.

    Args:
        judged: the experiment and its answers.
        scorers: system → what scored its documents, so that differences and counterfactuals are tried again; systems
            without one have no such measures.

    Raises:
        BadInput: an answer is about an item that the experiment does not have.
    """
    reasons = _answered(judged)
    values = _erased(reasons)
    values |= {name: np.array([_stated(reason.ranking)[name] for reason in reasons]) for name in STATED}
    if scorers:
        rescored = [_rescored(reason, scorers) for reason in reasons]
        values |= {name: np.array([own.get(name, math.nan) for own in rescored]) for name in SCORED}
    return Measured(reasons, {name: own for name, own in values.items() if not np.isnan(own).all()})


def correlation_tables(judged: Judged, *, scorers: Mapping[str, Scorer] | None = None) -> list[Table]:
    """Measures by questions: τ-b and ρ, of all reasons and, where there are several systems, of each system's.

    Arguments and errors as in `measured_reasons`. No table where nobody answered a question about a reason.
    """
    measured = measured_reasons(judged, scorers=scorers)
    if not measured.reasons:
        return []
    systems = list(judged.study.rankings)
    parts = {ALL: range(len(measured.reasons))} if len(systems) > 1 else {}
    of_each = {s: [n for n, reason in enumerate(measured.reasons) if s in reason.systems] for s in systems}
    return [_table(judged, measured, name, places) for name, places in {**parts, **of_each}.items() if places]


def _table(judged: Judged, measured: Measured, name: str, places: Sequence[int]) -> Table:
    varying, constant = _told_apart(measured, places)
    rows = []
    for question in (question.id for question in judged.study.settings.questions):
        given = by_reason(judged, question)
        answers_N = np.array([given.get((own.item.id, own.systems), math.nan) for own in measured.reasons])
        answered = [place for place in places if not math.isnan(answers_N[place])]
        for measure, values_N in varying.items():
            kept = [place for place in answered if not math.isnan(values_N[place])]
            queries = [measured.reasons[place].item.query.id for place in kept]
            draws = resampled(queries, seed=judged.study.settings.seed, resamples=RESAMPLES)
            found = rank_correlation(values_N[kept], answers_N[kept], draws_BN=draws)
            counts = Cell(len(kept)), Cell(len(answered) - len(kept))
            rows.append((Cell(measure), Cell(question), *counts, _cell(found.tau), _cell(found.rho)))
    columns = (
        Column("measure", "name"),
        Column("question", "text"),
        Column("reasons", "count"),
        Column("left out", "count"),
        Column("Kendall's τ-b", "score"),
        Column("Spearman's ρ", "score"),
    )
    notes = [*NOTES, *([FROM_SYSTEMS] if name == ALL else [])]
    if constant:
        values = ", ".join(f"{measure} {value:.4g}" for measure, value in constant.items())
        notes.append(f"The same for all reasons, so that they tell none from another: {values}.")
    return Table(f"Do measures say what people say? {name}", columns, tuple(rows), tuple(notes))


def _told_apart(measured: Measured, places: Sequence[int]) -> tuple[dict[str, Values], dict[str, float]]:
    """The measures that differ between these reasons, and the others with their one value; undefined ones are gone."""
    defined = {name: own[list(places)][~np.isnan(own[list(places)])] for name, own in measured.values.items()}
    varying = {name: measured.values[name] for name, own in defined.items() if len(own) and np.ptp(own) > 0}
    return varying, {name: float(own[0]) for name, own in defined.items() if len(own) and name not in varying}


def _cell(found: Correlation) -> Cell:
    return Cell(found.value) if math.isnan(found.low) else Cell(found.value, found.low, found.high)


def _answered(judged: Judged) -> tuple[Reason, ...]:
    """The reasons that somebody answered a question about, in the order of the items."""
    questions = [question.id for question in judged.study.settings.questions]
    keys = {key for question in questions for key in by_reason(judged, question)}
    whole = {s: {r.query.id: r for r in own} for s, own in judged.study.rankings.items()}
    return tuple(
        Reason(item, side, _alone(whole[side[0]][item.query.id], item.reasons[side[0]]))
        for item in judged.study.items
        for side in item.sides
        if (item.id, side) in keys
    )


def _alone(ranking: Ranking, said: Said) -> Ranking:
    comparisons = () if said.comparison is None else (said.comparison,)
    return replace(ranking, explanations=Explanations((said.direct,), comparisons))


def _erased(reasons: Sequence[Reason]) -> dict[str, Values]:
    """Comprehensiveness and sufficiency of the quotes of each reason, judged by BM25 over all candidates."""
    judge = _lexical(reasons)
    rankings, rationales = [], []
    for number, reason in enumerate(reasons):
        explained = reason.ranking.explanations or Explanations()
        # Each reason is measured as a query of its own: the value of a query is the mean over its reasons.
        rankings.append(replace(reason.ranking, query=replace(reason.ranking.query, id=str(number))))
        rationales.append(quoted(reason.ranking, explained.direct))
    if not rankings:
        return {}
    top = max(map(len, rankings))
    [found] = erasure(rankings, {"quotes": rationales}, judge, top=top, replaced=()).evaluations
    return {name: found.of(name) for name in ERASURE}


def _lexical(reasons: Sequence[Reason]) -> Judge:
    texts = {(r.ranking.query.id, d.id): d.full_text for r in reasons for d in r.ranking.documents}
    return Lexical(texts.values())


def _stated(ranking: Ranking) -> dict[str, float]:
    telling = [told(ranking)]
    numbers = check_numbers(telling).unsupported
    shares = (check_quotes([ranking]).exact_given.share, 1 - numbers.share, check_order(telling, WIDE).share)
    return dict(zip(STATED, shares, strict=True))


def _rescored(reason: Reason, scorers: Mapping[str, Scorer]) -> dict[str, float]:
    scorer = scorers.get(reason.systems[0])
    if scorer is None:
        return {}
    counterfactuals = check_counterfactuals([reason.ranking], scorer, budget=SETS)
    checks = (*check_differences([reason.ranking], scorer), *counterfactuals)
    return {check.name: check.share for check in checks if isinstance(check, Proportion) and check.name in SCORED}
