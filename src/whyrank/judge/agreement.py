"""Do the judges of an experiment agree? Tables of the coefficients, with intervals over queries."""

import math
from collections.abc import Mapping
from itertools import combinations

from whyrank.evaluate.agreement import Agreement, cohen_kappa, fleiss_kappa, krippendorff_alpha, share_alike
from whyrank.evaluate.resampling import resampled
from whyrank.judge.judged import Judged, questions_of, ratings
from whyrank.report.tables import Cell, Column, Table


def agreement_table(judged: Judged) -> Table:
    """For each question whether judges agree: Fleiss' κ and Krippendorff's α with intervals over queries."""
    rows, notes = [], []
    for question in questions_of(judged):
        given = ratings(judged, question)
        if not len(given.queries):
            continue
        draws = resampled(given.queries, seed=judged.study.settings.seed)
        found = {
            "Fleiss' κ": fleiss_kappa(given.values_IJ, draws_BI=draws),
            "α nominal": krippendorff_alpha(given.values_IJ, draws_BI=draws),
            "α ordinal": krippendorff_alpha(given.values_IJ, level="ordinal", draws_BI=draws),
        }
        items = next(iter(found.values())).items
        head = (Cell(question), Cell(len(given.judges)), Cell(items), Cell(share_alike(given.values_IJ)))
        rows.append((*head, *map(_cell, found.values())))
        notes += _undefined(question, found)
    columns = (
        Column("question", "name"),
        Column("judges", "count"),
        Column("judged by two or more", "count"),
        Column("same answer", "share"),
        *(Column(name, "score") for name in ("Fleiss' κ", "α nominal", "α ordinal")),
    )
    about = (
        "same answer: of the pairs of answers to the same thing. Coefficients: 1, all agree; 0, as often as by chance.",
        "Ordinal: the further apart two answers stand, the more they differ.",
        "In brackets: bootstrap 95 % intervals, over queries.",
    )
    return Table("Do judges agree?", columns, tuple(rows), (*about, *notes))


def pairs_table(judged: Judged) -> Table:
    """Cohen's κ of every two judges who answered about the same things; no rows with fewer than two judges."""
    rows, notes = [], []
    for question in questions_of(judged):
        given = ratings(judged, question)
        draws = resampled(given.queries, seed=judged.study.settings.seed)
        for one, other in combinations(range(len(given.judges)), 2):
            both_I2 = given.values_IJ[:, [one, other]]
            found = {
                "κ": cohen_kappa(both_I2, draws_BI=draws),
                "linear": cohen_kappa(both_I2, weights="linear", draws_BI=draws),
                "quadratic": cohen_kappa(both_I2, weights="quadratic", draws_BI=draws),
            }
            items = found["κ"].items
            if items:
                names = f"{given.judges[one]} and {given.judges[other]}"
                rows.append((Cell(question), Cell(names), Cell(items), *map(_cell, found.values())))
                notes += _undefined(f"{question}, {names}", found)
    columns = (
        Column("question", "name"),
        Column("judges", "text"),
        Column("both judged", "count"),
        *(Column(name, "score") for name in ("Cohen's κ", "linear weights", "quadratic weights")),
    )
    return Table("Every two judges", columns, tuple(rows), tuple(notes))


def _cell(found: Agreement) -> Cell:
    return Cell(found.value) if math.isnan(found.low) else Cell(found.value, found.low, found.high)


def _undefined(what: str, found: Mapping[str, Agreement]) -> list[str]:
    """Why coefficients are undefined, once where it is the same for all."""
    reasons = dict.fromkeys(own.reason for own in found.values() if own.reason)
    return [f"{what}: undefined where nothing is shown; {reason}." for reason in reasons]
