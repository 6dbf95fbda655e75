"""What rerank, search and demo have in common: load a ranker, rerank, give reasons."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple

from whyrank.cli.progress import Work
from whyrank.config import AskSettings, ModelSettings, ThenSettings
from whyrank.errors import BadInput
from whyrank.rankers.calibration import Calibration
from whyrank.rankers.outcome import check_calibrated, likely
from whyrank.types import Comparison, Direct, Ranking, Reranker, Scorer

if TYPE_CHECKING:
    from whyrank.lm.base import LM

EXPLAINED = 3
"""How many hits get reasons unless the caller says otherwise."""

BATCH = 1_000
"""Candidates that are ranked before the first results appear, where results are streamed."""


class Plan(NamedTuple):
    """How rankings are to be made.

    Attributes:
        ranker: its name; None for what the model is made for, or the default.
        depth: candidates read per query.
        explain: for how many of the best hits reasons are given.
        threads: threads to compute with.
        min_probability: what is less likely to be relevant is left out; nothing is if None.
        calibration: a file to take probabilities from, in place of the ranker's own.
        is_streamed: whether results are wanted as soon as they are there.
        model: a language model.
        ask: how it is asked to rank.
        then: a second stage.
        on_ranked: told of each ranking when its order is fixed; gives what is to be told of each reason that a model
            writes for it.
    """

    ranker: str | None
    depth: int | None
    explain: int
    threads: int | None = None
    min_probability: float | None = None
    calibration: str | None = None
    is_streamed: bool = False
    model: ModelSettings | None = None
    ask: AskSettings | None = None
    then: ThenSettings | None = None
    on_ranked: Callable[[Ranking], Callable[[Direct | Comparison], None]] | None = None


def how_many_reasons(asked: int | None, ranker: str | None, *, has_model: bool, fits: bool) -> int:
    """For how many hits reasons are given. Of a model that ranks they must be asked for, since they cost something.

    Args:
        asked: what the caller asked for, None for the default.
        ranker: name of the ranker.
        has_model: whether there is a language model.
        fits: whether reasons are given by default.

    Raises:
        BadInput: reasons were asked of a ranker that has none.
        UnknownName: there is no such ranker.
    """
    from whyrank.rankers import DEFAULT, RANKERS

    if ranker is not None and ranker not in RANKERS:
        from whyrank.rankers.building import check_name

        check_name(ranker)
        return asked or 0
    if has_model and ranker is None:
        return asked or 0
    can = has_model or RANKERS[ranker or DEFAULT].explains != "none"
    if asked and not can:
        raise BadInput(f"{ranker} gives no reasons; use --ranker student or evidence, name a --model, or --explain 0")
    if asked is None:
        return EXPLAINED if fits and can else 0
    return asked


def load_ranker(name: str, threads: int | None, work: Work) -> Reranker:
    """Load a ranker of our own by name."""
    from whyrank import api

    work.phase(f"loading {name}")
    return api.load(name, threads=threads)


def resolved(plan: Plan, work: Work) -> "tuple[Reranker, LM | None]":
    """The ranker of a plan, and the model that writes its reasons, if one does."""
    ranker, writer = _first_stage(plan, work)
    if plan.then is None:
        return ranker, writer
    from whyrank.rankers.dual_folder import with_second_stage

    second = plan.then.model.name if plan.then.model else plan.then.ranker
    work.phase(f"loading {second}")
    return with_second_stage(ranker, plan.then), writer


def _first_stage(plan: Plan, work: Work) -> "tuple[Reranker, LM | None]":
    from whyrank.rankers import DEFAULT, RANKERS

    name = plan.ranker or (DEFAULT if plan.model is None else None)
    if name is not None and name in RANKERS and plan.model is None:
        if plan.ask is not None:
            from whyrank.rankers.building import refuse_without_model

            refuse_without_model(name, plan.ask)
        return load_ranker(name, plan.threads, work), None
    from whyrank.rankers.building import resolve

    work.phase(f"loading {plan.model.name if plan.model else name}")
    return resolve(name, model=plan.model, ask=plan.ask, threads=plan.threads)


def reranked(given: Sequence[Ranking], plan: Plan, work: Work) -> Iterator[Ranking]:
    """Each list reranked, with its reasons."""
    ranker, writer = resolved(plan, work)
    with ExitStack() as opened:
        for one in (ranker, writer):
            if close := getattr(one, "close", None):
                opened.callback(close)
        yield from _reranked(given, plan, work, ranker, writer)


def _reranked(
    given: Sequence[Ranking], plan: Plan, work: Work, ranker: Reranker, writer: "LM | None"
) -> Iterator[Ranking]:
    from whyrank.reason.giving import with_reasons, with_reasons_many

    calibrated = Calibration.load(plan.calibration).of(ranker.name) if plan.calibration else ranker
    if plan.min_probability is not None:
        check_calibrated(calibrated)  # before anything is asked
    batches = list(_batches(given, plan.depth)) if plan.is_streamed else [list(given)]
    done = 0
    for batch in batches:
        where = f" (queries {done + 1}–{done + len(batch)} of {len(given)})" if len(given) > 1 else ""
        ranked = ranker.rerank_many(batch, depth=plan.depth, progress=work.phase(f"reranking{where}"))
        if plan.min_probability is not None:
            ranked = [likely(ranking, calibrated, plan.min_probability) for ranking in ranked]
        explained = work.phase(f"finding reasons{where}") if plan.explain else None
        if writer is not None and plan.on_ranked is None:
            yield from with_reasons_many(ranked, ranker, plan.explain, writer, explained)
            done += len(batch)
            continue
        for number, ranking in enumerate(ranked, 1):
            told = plan.on_ranked(ranking) if plan.on_ranked else None
            yield with_reasons(ranking, ranker, plan.explain, writer, told)
            if explained:
                explained(number, len(ranked))
        done += len(batch)


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
        raise BadInput(f"query {ranking.query.id!r}: the ranking {made_by}; only student and evidence can say why")
    return found


def as_scorer(ranker: object) -> Scorer | None:
    """The ranker, if its scores can be taken apart."""
    return ranker if isinstance(ranker, Scorer) else None


def maker_if_known(ranking: Ranking, threads: int | None, work: Work) -> Reranker | None:
    """The ranker of ours that made a saved ranking; None if it was another.

    A ranking names it as "evidence-1/body@fingerprint"; whether version and body are the same is for others to check.
    """
    from whyrank.rankers import RANKERS

    fitting = [known for known in RANKERS if ranking.ranker.startswith(known)]
    name = max(fitting, key=len, default=None)
    return None if name is None else load_ranker(name, threads, work)
