"""What rerank, search and demo have in common: load a ranker, rerank, give reasons."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from whyrank.cli.progress import Work
from whyrank.errors import BadInput, unknown
from whyrank.rankers.calibration import Calibration
from whyrank.rankers.outcome import likely
from whyrank.types import Ranking, Reranker, Scorer

EXPLAINED = 3
"""How many hits get reasons unless the caller says otherwise."""

BATCH = 1_000
"""Candidates that are ranked before the first results appear, where results are streamed."""


class Plan(NamedTuple):
    """How rankings are to be made.

    Attributes:
        ranker: its name.
        depth: candidates read per query.
        explain: for how many of the best hits reasons are given.
        threads: threads to compute with.
        min_probability: what is less likely to be relevant is left out; nothing is if None.
        calibration: a file to take probabilities from, in place of the ranker's own.
        is_streamed: whether results are wanted as soon as they are there.
    """

    ranker: str
    depth: int | None
    explain: int
    threads: int | None = None
    min_probability: float | None = None
    calibration: str | None = None
    is_streamed: bool = False


def gives_reasons(name: str) -> bool:
    """Whether the ranker of that name can say why.

    Raises:
        UnknownName: there is none; near matches are listed.
    """
    from whyrank.rankers import RANKERS

    if name not in RANKERS:
        raise unknown("ranker", name, RANKERS)
    return RANKERS[name].explains != "none"


def how_many_reasons(asked: int | None, ranker: str, *, fits: bool) -> int:
    """For how many hits reasons are given.

    Args:
        asked: what the caller asked for, None for the default.
        ranker: name of the ranker.
        fits: whether reasons are given by default.

    Raises:
        BadInput: reasons were asked of a ranker that has none.
    """
    can = gives_reasons(ranker)
    if asked and not can:
        raise BadInput(f"{ranker} gives no reasons; use --ranker evidence, or --explain 0")
    if asked is None:
        return EXPLAINED if fits and can else 0
    return asked


def load_ranker(name: str, threads: int | None, work: Work) -> Reranker:
    """Load a ranker by name."""
    from whyrank import api

    work.phase(f"loading {name}")
    return api.load(name, threads=threads)


def reranked(given: Sequence[Ranking], plan: Plan, work: Work) -> Iterator[Ranking]:
    """Each list reranked, with its reasons."""
    ranker = load_ranker(plan.ranker, plan.threads, work)
    calibrated = Calibration.load(plan.calibration).of(ranker.name) if plan.calibration else ranker
    batches = list(_batches(given, plan.depth)) if plan.is_streamed else [list(given)]
    done = 0
    for batch in batches:
        where = f" (queries {done + 1}–{done + len(batch)} of {len(given)})" if len(given) > 1 else ""
        ranked = ranker.rerank_many(batch, depth=plan.depth, progress=work.phase(f"reranking{where}"))
        explained = work.phase(f"finding reasons{where}") if plan.explain else None
        for number, ranking in enumerate(ranked, 1):
            if plan.min_probability is not None:
                ranking = likely(ranking, calibrated, plan.min_probability)
            yield with_reasons(ranking, ranker, plan.explain)
            if explained:
                explained(number, len(ranked))
        done += len(batch)


def with_reasons(ranking: Ranking, ranker: Reranker | Scorer, top: int) -> Ranking:
    """The same ranking with reasons for its best `top` hits; as it is for 0."""
    from whyrank import reason

    if not top:
        return ranking
    scorer = as_scorer(ranker)
    if scorer is None:
        raise BadInput(f"{ranker.name} gives no reasons; use evidence")
    return replace(ranking, explanations=reason.explain(ranking, scorer, top=top))


def _batches(given: Sequence[Ranking], depth: int | None) -> Iterator[list[Ranking]]:
    batch: list[Ranking] = []
    size = 0
    for ranking in given:
        batch.append(ranking)
        size += len(ranking.hits[:depth])
        if size >= BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def maker(ranking: Ranking, threads: int | None, work: Work) -> Scorer:
    """The ranker that made a saved ranking.

    Raises:
        BadInput: nothing has ranked it yet, or what did gives no reasons or is not here.
    """
    if all(hit.score is None for hit in ranking):
        raise BadInput(
            f"query {ranking.query.id!r}: no document has a score, so there is nothing to explain; rerank first: "
            "whyrank rerank --run FILE --explain 3"
        )
    found = as_scorer(maker_if_known(ranking, threads, work))
    if found is None:
        made_by = f"was made by {ranking.ranker!r}" if ranking.ranker else "does not say what made it"
        raise BadInput(f"query {ranking.query.id!r}: the ranking {made_by}; only evidence can say why")
    return found


def as_scorer(ranker: object) -> Scorer | None:
    """The ranker, if its scores can be taken apart."""
    return ranker if isinstance(ranker, Scorer) else None


def maker_if_known(ranking: Ranking, threads: int | None, work: Work) -> Reranker | None:
    """The ranker of ours that made a saved ranking; None if it was another.

    A ranking names it as "evidence-1/body@fingerprint"; whether version and body are the same is for others to check.
    """
    from whyrank.rankers import RANKERS

    name = next((known for known in RANKERS if ranking.ranker.startswith(known)), None)
    return None if name is None else load_ranker(name, threads, work)
