"""Open-domain question answering: is an answer in the first passages? Top-k answer accuracy, query by query.

    from whyrank import evaluate, formats

    answers = formats.read_answers("answers.jsonl")
    rankings = formats.read_rankings("reranked.jsonl")
    evaluate.measure_answers("ours", rankings, answers, ["Answer@1", "Answer@5"]).mean("Answer@5")

Answer@k is 1 for a query where one of the first k passages holds an answer, and 0 elsewhere. Titles are not read, as in
DPR's evaluation. Answers are texts; Answer(regex=True)@k takes them as patterns, as for CuratedTREC.

# Q queries, M measures
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np

from whyrank.errors import BadInput, UnknownName
from whyrank.evaluate.answer_matching import Finder, finder
from whyrank.evaluate.measure_sets import MEASURE_SETS, expanded, is_of_answers
from whyrank.evaluate.ordering import Orders, Ties, orders_of, without
from whyrank.evaluate.results import Coverage, Evaluation
from whyrank.formats.problems import some
from whyrank.types import Query, Ranking, Run, Usage

Answers: TypeAlias = Mapping[str, Sequence[str]]
"""Query id → its answers, any of which will do; none where it has no answer."""

ANSWERS_KEY = "answers"
"""Where a query's metadata has them: DPR's files and ir_datasets bring them with the query."""

_NAME = re.compile(r"Answer(?:\(regex=(True|False)\))?@([1-9]\d{0,8})")


class AnswerMeasure(NamedTuple):
    """Whether an answer is in the first k passages.

    Attributes:
        cutoff: k.
        is_regex: answers are patterns.
    """

    cutoff: int
    is_regex: bool = False

    def __str__(self) -> str:
        """The name that it is asked for by."""
        return f"Answer{'(regex=True)' if self.is_regex else ''}@{self.cutoff}"


class Asked(NamedTuple):
    """Measures apart by what they need.

    Attributes:
        judged: names of those that need judgements.
        answered: those that need answers.
    """

    judged: tuple[str, ...]
    answered: tuple[AnswerMeasure, ...]


def split_measures(names: Iterable[str]) -> Asked:
    """Set the measures of answers apart from those of judgements, which are not checked; repeated ones of ours once.

    Names of sets are replaced by what they hold.

    Raises:
        UnknownName: a name that starts with "Answer" and is none of ours.
    """
    given = [name.strip() for name in expanded(names)]
    ours = dict.fromkeys(_parsed(name) for name in given if is_of_answers(name))
    return Asked(tuple(name for name in given if not is_of_answers(name)), tuple(ours))


def answers_of(queries: Iterable[Query]) -> dict[str, tuple[str, ...]]:
    """The answers that queries bring with them as metadata; queries without any are left out."""
    found: dict[str, tuple[str, ...]] = {}
    for query in queries:
        given = query.metadata.get(ANSWERS_KEY)
        if isinstance(given, list | tuple) and all(isinstance(answer, str) for answer in given):
            found[query.id] = tuple(given)
    return found


def measure_answers(
    name: str,
    run: Run | Sequence[Ranking],
    answers: Answers,
    measures: Iterable[str] = MEASURE_SETS["open-qa"],
    *,
    ties: Ties = "rank",
    excluded: Mapping[str, Collection[str]] | None = None,
    texts: Mapping[str, str] | None = None,
) -> Evaluation:
    """Measure by answers.

    A query that has answers and no results counts 0. Queries without answers are not measured; the coverage has them
    under `unjudged_queries`.

    Args:
        name: of the system.
        run: rankings, which bring their texts; or scores by query and document, with `texts`.
        answers: query id → answers.
        measures: Answer@k, Answer(regex=True)@k.
        ties: as for `measure`.
        excluded: query id → documents that leave the run first.
        texts: document id → text, of a run; see `needed_texts`.

    Returns:
        Values, 1 or 0, of the Q queries that have answers, in the order of `answers`.

    Raises:
        BadInput: no query of the run has an answer; a document has no text; a pattern is no regular expression.
        UnknownName: another measure than these.
    """
    judged, asked = split_measures(measures)
    if judged or not asked:
        raise UnknownName(
            f"{', '.join(judged) or 'nothing'} is no measure of answers; they are Answer@k, such as Answer@5"
        )
    answered = {query: given for query, given in answers.items() if given}
    orders, removed = without(orders_of(run, ties), excluded or {})
    _reject_unanswered(name, orders, answered)
    passages = _passages(name, run, _tops(orders, answered, asked), texts)
    values_QM = np.zeros((len(answered), len(asked)))
    for row, (query, given) in enumerate(answered.items()):
        for is_regex in {measure.is_regex for measure in asked}:
            columns = [column for column, measure in enumerate(asked) if measure.is_regex == is_regex]
            first = _first_hit(finder(given, "regex" if is_regex else "string"), passages.get(query, ()))
            values_QM[row, columns] = [first <= asked[column].cutoff for column in columns]
    return Evaluation(
        name=name,
        measures=tuple(map(str, asked)),
        queries=tuple(answered),
        values_QM=values_QM,
        coverage=Coverage(
            without_results=tuple(query for query in answered if not orders.get(query)),
            unjudged_queries=tuple(query for query in orders if query not in answered),
            excluded=removed,
        ),
        usage=None if isinstance(run, Mapping) else _usage(run),
        ties=ties if isinstance(run, Mapping) else "rank",
    )


def needed_texts(
    run: Run | Sequence[Ranking],
    answers: Answers,
    measures: Sequence[AnswerMeasure],
    *,
    ties: Ties = "rank",
    excluded: Mapping[str, Collection[str]] | None = None,
) -> set[str]:
    """Ids of the documents of a run whose texts `measure_answers` asks for; none of rankings, which bring theirs."""
    if not isinstance(run, Mapping):
        return set()
    orders = without(orders_of(run, ties), excluded or {}).orders
    answered = {query: given for query, given in answers.items() if given}
    return {document for top in _tops(orders, answered, measures).values() for document in top}


def beside(by_judgements: Evaluation, by_answers: Evaluation) -> Evaluation:
    """One system measured in both ways as one evaluation; NaN where a query has no judgements, or no answers.

    Coverage is that of the judgements.
    """
    queries = tuple(dict.fromkeys([*by_judgements.queries, *by_answers.queries]))
    place = {query: row for row, query in enumerate(queries)}
    parts = (by_judgements, by_answers)
    values_QM = np.full((len(queries), sum(len(part.measures) for part in parts)), np.nan)
    left = len(by_judgements.measures)
    values_QM[[place[query] for query in by_judgements.queries], :left] = by_judgements.values_QM
    values_QM[[place[query] for query in by_answers.queries], left:] = by_answers.values_QM
    return Evaluation(
        name=by_judgements.name,
        measures=(*by_judgements.measures, *by_answers.measures),
        queries=queries,
        values_QM=values_QM,
        coverage=by_judgements.coverage,
        usage=by_judgements.usage,
        gain=by_judgements.gain,
        ties=by_judgements.ties,
    )


def _parsed(name: str) -> AnswerMeasure:
    found = _NAME.fullmatch(name)
    if found is None:
        cutoff = re.search(r"[1-9]\d*$", name)
        near = f", did you mean Answer@{cutoff[0]}?" if cutoff else ""
        raise UnknownName(
            f"no measure called {name!r}{near}; answers are measured by Answer@k and Answer(regex=True)@k"
        )
    return AnswerMeasure(int(found[2]), found[1] == "True")


def _tops(orders: Orders, answered: Answers, measures: Sequence[AnswerMeasure]) -> Orders:
    """The documents that are read: of the queries that have answers, down to the deepest cutoff."""
    deepest = max(measure.cutoff for measure in measures)
    return {query: orders[query][:deepest] for query in answered if query in orders}


def _passages(
    name: str, run: Run | Sequence[Ranking], tops: Orders, texts: Mapping[str, str] | None
) -> dict[str, list[str]]:
    """Query id → the texts of its first documents, best first."""
    if not isinstance(run, Mapping):
        own = {ranking.query.id: {hit.document.id: hit.document.text for hit in ranking} for ranking in run}
        return {query: [own[query][document] for document in top] for query, top in tops.items()}
    known = texts or {}
    wanted = dict.fromkeys(document for top in tops.values() for document in top)
    if lost := [document for document in wanted if document not in known]:
        what = "documents in the first places have no text in the corpus" if known else "documents come without texts"
        raise BadInput(
            f"the run {name!r}: {len(lost):,} of {len(wanted):,} {what}, and answers are looked for in texts: "
            f"{some(lost)}; give the corpus of the run with --corpus FILE, or rankings with texts as whyrank rerank "
            "writes them (in Python: texts=…)"
        )
    return {query: [known[document] for document in top] for query, top in tops.items()}


def _first_hit(is_held: Finder, passages: Sequence[str]) -> float:
    """The 1-based place of the first passage that holds an answer; infinity if none does."""
    return next((place for place, passage in enumerate(passages, 1) if is_held(passage)), np.inf)


def _reject_unanswered(name: str, orders: Orders, answered: Answers) -> None:
    if not answered:
        raise BadInput("no query has an answer; give {'_id': query, 'answers': ['…', …]} for each")
    if orders.keys().isdisjoint(answered):
        raise BadInput(
            f"the run {name!r} and the answers have no query in common: the run's are such as {some(orders, 3)}, the "
            f"answered ones {some(answered, 3)}; give the answers to the queries of the run"
        )


def _usage(rankings: Sequence[Ranking]) -> Usage | None:
    total = sum((ranking.usage for ranking in rankings), Usage())
    return None if total == Usage() else total
