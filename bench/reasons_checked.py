"""Whether our reasons, and a recorded teacher's, are true to the score, the documents and the order.

    python bench/reasons_checked.py [--sets trec-dl19-passage …] [--queries 25] [--top 3] [--budget 1023] [--seed 0]

Reasons of the default ranker for the best documents of each list (BM25 top 20, with counterfactuals; their stability
without, for time), the recorded Reason-to-Rank lists, and the circles among the recorded rankers of BIRCO ArguAna.
Reads the judged collections (WHYRANK_DATA) to report only. Prints Markdown: the tables in docs/explanations.md are
this output.
"""

import argparse
import os
import platform
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from importlib.metadata import version
from itertools import combinations
from pathlib import Path

from whyrank import formats
from whyrank.evaluate.reasons.comparisons import check_counterfactuals, check_differences, comparisons_in_order
from whyrank.evaluate.reasons.grounding import check_numbers, check_order, check_polarity, check_quotes
from whyrank.evaluate.reasons.pairwise import (
    Judgement,
    PositionBias,
    consistency,
    order_swap_consistency,
    position_bias,
)
from whyrank.evaluate.reasons.recorded import read_dual_reasons
from whyrank.evaluate.reasons.stability import MEASURES, stability, unchanged_by_explaining
from whyrank.evaluate.reasons.statements import PLAIN, WIDE, Told, told
from whyrank.evaluate.results import Evaluation, Proportion
from whyrank.rankers.evidence import EvidenceRanker
from whyrank.reason import explain
from whyrank.types import Explanations, Ranking

DATA = Path(os.environ.get("WHYRANK_DATA", Path(__file__).parents[2] / "shared" / "data"))
SETS = ("trec-dl19-passage", "cranfield", "medline-med", "trecqa")
TEACHERS = ("train-msmarco-500", "validation-msmarco19", "validation-touche", "validation-trec_covid")
DEPTH = 20
JUDGED = 10  # documents of a query that are compared pair by pair


def shown(proportion: Proportion) -> str:
    """A share with its counts, or a dash where nothing could be counted."""
    return f"{proportion.share:.1%} of {proportion.of:,}" if proportion.of else "–"


def table(first: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """One Markdown table."""
    print(f"| {first} | " + " | ".join(columns) + " |\n" + "|---" * (len(columns) + 1) + "|")
    for row in rows:
        print("| " + " | ".join(row) + " |", flush=True)
    print()


def by_name(groups: Sequence[Iterable[Proportion]]) -> list[list[str]]:
    """Proportions of several systems as rows, one a name."""
    return [[same[0].name, *map(shown, same)] for same in zip(*groups, strict=True)]


def candidates(name: str, queries: int) -> list[Ranking]:
    """BM25's best of each query, the first `queries` of them; 0 for all."""
    folder = DATA / name
    run = next(p for p in (folder / "bm25.trec", folder / "bm25.trec.gz") if p.exists())
    first = [r.top(DEPTH) for r in formats.read_rankings(run, corpus=folder, queries=folder)]
    return first[: queries or None]


def grounded(tellings: Sequence[Told]) -> list[Proportion]:
    """What is checked without a scorer."""
    return [
        *check_quotes([one.ranking for one in tellings]),
        *check_numbers(tellings),
        check_order(tellings, PLAIN),
        check_order(tellings, WIDE),
        *check_polarity(tellings),
    ]


def checked(ranker: EvidenceRanker, first: Sequence[Ranking], given: argparse.Namespace) -> Iterator[Proportion]:
    """All checks of the default ranker's reasons on one collection."""
    kept: dict[str, Explanations] = {}

    def reasons(ranking: Ranking) -> Explanations:
        kept[ranking.query.id] = explain(ranking, ranker, top=given.top)
        return kept[ranking.query.id]

    def answer(rankings: Sequence[Ranking]) -> list[Ranking]:
        ranked = ranker.rerank_many(rankings)
        return [replace(r, explanations=explain(r, ranker, top=given.top, counterfactuals=False)) for r in ranked]

    unchanged = unchanged_by_explaining(ranker, reasons, first)
    explained = [replace(r, explanations=kept[r.query.id]) for r in ranker.rerank_many(first)]
    claims = check_counterfactuals(explained, ranker, budget=given.budget)
    yield from (p for p in claims if isinstance(p, Proportion))
    yield Proportion("claims not searched", claims.unsearched, claims.answered.of)
    yield from check_differences(explained, ranker)
    yield comparisons_in_order(explained)
    yield from grounded([told(r) for r in explained])
    yield unchanged
    yield from shares(stability(answer, first, seed=given.seed))


def shares(found: Evaluation) -> Iterator[Proportion]:
    """The columns of ones and zeros of an evaluation, counted."""
    for measure in MEASURES:
        values = [v for v in found.of(measure).tolist() if v == v]
        yield Proportion(measure, int(sum(values)), len(values))


def judged_by_scores(ranker: EvidenceRanker, first: Sequence[Ranking]) -> Iterator[Judgement]:
    """The default ranker as a judge of pairs, in both orders: the control, for it cannot be swayed."""
    for ranking in first:
        hits = {h.document.id: h for h in ranking.hits[:JUDGED]}
        for pair in combinations(hits, 2):
            for shown_first, second in (pair, pair[::-1]):
                both = [hits[shown_first], hits[second]]
                one, other = ranker.score(ranking.query, [h.document for h in both], [h.first_score for h in both])
                winner = None if one == other else shown_first if one > other else second
                yield Judgement(ranking.query.id, shown_first, second, winner)


def majority(folder: Path) -> tuple[int, list[Judgement]]:
    """Each recorded ranker's order of BM25's best as judgements of pairs, and how many rankers there are."""
    first = {q: list(run)[:JUDGED] for q, run in formats.read_run(folder / "bm25.trec").items()}
    runs = sorted((folder / "runs").glob("*.trec.gz"))
    judgements = []
    for path in runs:
        for query, scores in formats.read_run(path).items():
            for one, other in combinations([d for d in first.get(query, ()) if d in scores], 2):
                gap = scores[one] - scores[other]
                judgements.append(Judgement(query, one, other, None if gap == 0 else one if gap > 0 else other))
    return len(runs), judgements


def circles(name: str, judgements: Sequence[Judgement]) -> list[str]:
    """A row on a judge of pairs."""
    found = consistency(judgements, name=name)
    swapped, bias = order_swap_consistency(judgements), position_bias(judgements)
    said = _bias(bias) if swapped.of else "–"
    return [name, shown(swapped), said, f"{found.mean('circular triads'):.2f}", f"{found.mean('ζ'):.4f}"]


def _bias(bias: PositionBias) -> str:
    return f"{shown(bias.first)} (p = {bias.p:.3g})"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sets", nargs="+", default=list(SETS))
    parser.add_argument("--queries", type=int, default=25, help="the first of each set; 0 for all")
    parser.add_argument("--top", type=int, default=3)
    parser.add_argument("--budget", type=int, default=1_023, help="sets of sentences a search may score: 2^n - 1")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    if not DATA.exists():
        sys.exit(f"no judged collections at {DATA}; set WHYRANK_DATA")
    ranker = EvidenceRanker()
    print(f"python {platform.python_version()}, onnxruntime {version('onnxruntime')}; {ranker.name}")
    print(f"BM25 top {DEPTH}, reasons for the best {given.top}, budget {given.budget}, seed {given.seed}\n")
    groups, columns = [], []
    for name in given.sets:
        started, first = time.perf_counter(), candidates(name, given.queries)
        groups.append(list(checked(ranker, first, given)))
        columns.append(f"{name} ({len(first)})")
        print(f"{name}: {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
    table("our reasons", columns, by_name(groups))
    folder = DATA / "teacher-r2r-dual-reasons"
    recorded = [read_dual_reasons(folder / f"{name}.jsonl.gz") for name in TEACHERS]
    headings = [f"{name} ({len(t)})" for name, t in zip(TEACHERS, recorded, strict=True)]
    table("recorded teacher", headings, by_name([grounded(t) for t in recorded]))
    rankers, votes = majority(DATA / "birco-arguana")
    rows = [
        circles(f"evidence on {SETS[0]}", list(judged_by_scores(ranker, candidates(SETS[0], 10)))),
        circles(f"majority of {rankers} recorded rankers on birco-arguana", votes),
    ]
    table("judge of pairs", ["same in both orders", "first preferred", "circular triads", "ζ"], rows)


if __name__ == "__main__":
    main()
