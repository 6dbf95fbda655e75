"""Any scorer as a teacher: every document of a list is scored once, and kept by query, document and model.

    with ScoreStore("scores.db") as store:
        asked = candidates(shown)
        score(asked, ranker, store)
        records = score_records(shown, [scored_by(ranker.name, store)])

Scores are of query and document alone: first-stage scores are not shown to the teacher. A batch is on the disk before
the next one is scored, so whatever ends the work, the same work goes on, and scores nothing twice but that batch.
"""

import hashlib
import json
import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import NamedTuple

from whyrank.errors import BadInput
from whyrank.formats import read_run
from whyrank.rankers.asking import LMReranker
from whyrank.teach.asking import Outcome, Told
from whyrank.teach.ensembles import combined, ensemble_name
from whyrank.teach.records import TeacherRecord, request_key
from whyrank.teach.score_store import Scored, ScoreStore
from whyrank.teach.scorers import GIVE_SCORES, check_scores
from whyrank.types import Document, Qrels, Query, Ranking, Reranker, Usage

BATCH = 512
"""Documents that are scored before they are kept; a list is never parted."""


class Member(NamedTuple):
    """A teacher whose scores are at hand.

    Attributes:
        name: with its fingerprint.
        scores: of one query's candidates, document id → score; what it has no score for is left out.
        spent: what its scores for a query have cost.
        weight: in an ensemble.
    """

    name: str
    scores: Callable[[Ranking], Mapping[str, float]]
    spent: Callable[[Query], Usage]
    weight: float = 1.0


def candidates(lists: Sequence[Ranking]) -> list[Ranking]:
    """Each query once, with every document that its lists show, in first-stage order and without first-stage scores.

    Raises:
        BadInput: a query, or a document within a query, has two texts under one id.
    """
    queries: dict[str, Query] = {}
    documents: defaultdict[str, dict[str, tuple[int, Document]]] = defaultdict(dict)
    for ranking in lists:
        query = queries.setdefault(ranking.query.id, ranking.query)
        if query.text != ranking.query.text:
            raise BadInput(
                f"query {query.id!r} has two texts: {query.text!r} and {ranking.query.text!r}; ids must differ"
            )
        for hit in ranking:
            _, known = documents[query.id].setdefault(hit.document.id, (hit.first_rank, hit.document))
            if (known.title, known.text) != (hit.document.title, hit.document.text):
                raise BadInput(
                    f"document {known.id!r} has two texts among the candidates of query {query.id!r}; a score belongs "
                    "to one text, so give each text an id of its own"
                )
    return [Ranking.of(query, _in_order(documents[name])) for name, query in queries.items()]


def score(
    asked: Sequence[Ranking],
    ranker: Reranker,
    store: ScoreStore,
    *,
    told: Told | None = None,
    clock: Callable[[], float] = monotonic,
) -> Outcome:
    """Score every document that the store holds no score of this ranker for.

    Args:
        asked: as `candidates` makes them.
        ranker: the teacher.
        store: keeps the scores.
        told: told how far it is, after each batch; its `usage.documents` are those that got a score.
        clock: seconds that never go back.

    Returns:
        How many lists are scored whole. It ends early where a language model answers for no document of a batch.

    Raises:
        BadInput: the ranker gives no scores, or one that is no finite number; what was kept before is safe.
        AccessDenied: a language model takes no request at all.
        Unwritable: the store cannot be written; what was kept before is safe.
    """
    check_scores(ranker)
    begun = clock()
    waiting = [rest for rest in (_missing(one, ranker.name, store) for one in asked) if len(rest)]
    outcome = Outcome(len(asked), len(asked) - len(waiting))
    for batch in _batches(waiting):
        scored = [_scored(ranking, ranker.name) for ranking in ranker.rerank_many(batch)]
        store.keep(ranker.name, scored)
        for given, one in zip(batch, scored, strict=True):
            outcome.usage += one.usage
            if len(one.documents) == len(given):
                outcome.records["ok"] += 1
            else:
                outcome.left += 1
        outcome.seconds = clock() - begun
        if told is not None:
            told(outcome)
        if isinstance(ranker, LMReranker) and not any(one.documents for one in scored):
            break
    return outcome


def scored_by(name: str, store: ScoreStore, weight: float = 1.0) -> Member:
    """What a store holds of a teacher."""
    return Member(
        name,
        lambda ranking: store.scores(name, ranking.query, ranking.documents),
        lambda query: store.spent(name, query),
        weight,
    )


def scored_in_run(path: str | Path, asked: Sequence[Ranking], weight: float = 1.0) -> Member:
    """A TREC run as a teacher; it is named after its file and a fingerprint of its scores.

    Raises:
        BadInput: it has a score for none of the documents that are asked about.
        BadRecord: a line is wrong; a score that is no finite number is.
    """
    run = read_run(path)
    if not any(hit.document.id in run.get(ranking.query.id, {}) for ranking in asked for hit in ranking):
        raise BadInput(f"{path}: has a score for none of the candidates; give a run of the same queries and documents")
    digest = hashlib.sha256(json.dumps(run, sort_keys=True).encode()).hexdigest()[:12]

    def scores(ranking: Ranking) -> dict[str, float]:
        own = run.get(ranking.query.id, {})
        return {document.id: own[document.id] for document in ranking.documents if document.id in own}

    return Member(f"run:{Path(path).name}@{digest}", scores, lambda _: Usage(), weight)


def score_records(
    lists: Sequence[Ranking], members: Sequence[Member], labels: Qrels | None = None
) -> Iterator[TeacherRecord]:
    """A record of each list in which at least two documents have a score.

    Documents without one have the score None and stand below, in first-stage order; the record counts as repaired.
    What the scores of a query have cost stands in the record of its first list.

    Args:
        lists: what is shown.
        members: the teachers; of several the ensemble.
        labels: judged grades, which are kept with the records.

    Raises:
        BadInput: a member stands there twice; or as `candidates`.
    """
    weights = [member.weight for member in members]
    name = ensemble_name([member.name for member in members], weights)
    own: defaultdict[str, list[Ranking]] = defaultdict(list)
    for ranking in lists:
        own[ranking.query.id].append(ranking)
    for asked in candidates(lists):
        scores = combined([member.scores(asked) for member in members], weights)
        usage = sum((member.spent(asked.query) for member in members), Usage())
        variant = _stood_among(asked) if len(members) > 1 else ""
        for ranking in own[asked.query.id]:
            if sum(document.id in scores for document in ranking.documents) > 1:
                yield _record(ranking, scores, name, variant, usage, (labels or {}).get(asked.query.id, {}))
                usage = Usage()


def check_labels(labels: Qrels, lists: Sequence[Ranking], path: str) -> None:
    """Refuse judgements that are of something else.

    Raises:
        BadInput: none of them judges a document that is shown for its query.
    """
    if not any(document.id in labels.get(ranking.query.id, {}) for ranking in lists for document in ranking.documents):
        raise BadInput(f"{path}: judges none of the candidates; give the judgements of the same queries and documents")


def _in_order(documents: Mapping[str, tuple[int, Document]]) -> list[Document]:
    return [document for _, document in sorted(documents.values(), key=lambda one: (one[0], one[1].id))]


def _missing(asked: Ranking, model: str, store: ScoreStore) -> Ranking:
    """What of a query's candidates has no score yet."""
    there = store.scores(model, asked.query, asked.documents)
    return Ranking.of(asked.query, [document for document in asked.documents if document.id not in there])


def _batches(waiting: Sequence[Ranking]) -> Iterator[list[Ranking]]:
    batch: list[Ranking] = []
    for ranking in waiting:
        batch.append(ranking)
        if sum(map(len, batch)) >= BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _scored(ranking: Ranking, model: str) -> Scored:
    """What a ranker made of documents; those that it gave no score are left out."""
    found = []
    for hit in ranking:
        if hit.placed:
            raise BadInput(f"{model} orders documents and gives no scores; {GIVE_SCORES}")
        if hit.score is not None and not math.isfinite(hit.score):
            raise BadInput(
                f"query {ranking.query.id!r}: {model} scores document {hit.document.id!r} {hit.score}; scores are "
                "finite numbers. What was scored before is kept"
            )
        if hit.score is not None:
            found.append((hit.document, float(hit.score)))
    documents, scores = tuple(document for document, _ in found), tuple(score for _, score in found)
    return Scored(ranking.query, documents, scores, replace(ranking.usage, documents=len(documents)))


def _record(
    ranking: Ranking, scores: Mapping[str, float], name: str, variant: str, usage: Usage, labels: Mapping[str, float]
) -> TeacherRecord:
    documents = ranking.documents
    column = tuple(scores.get(document.id) for document in documents)
    places = range(len(documents))
    standing = {place: ranking[place].standing(column[place] or 0.0) for place in places}
    return TeacherRecord(
        request_key(ranking.query.text, documents, model=name, prompt="", variant=variant),
        ranking.query,
        documents,
        tuple(sorted(places, key=lambda place: (column[place] is None, standing[place]))),
        column,
        model=name,
        status="repaired" if None in column else "ok",
        usage=usage,
        labels={d.id: float(labels[d.id]) for d in documents if d.id in labels},
    )


def _stood_among(asked: Ranking) -> str:
    """A fingerprint of the documents whose scores were standardised together."""
    made_of = [(d.id, d.title, d.text) for d in asked.documents]
    return hashlib.sha256(json.dumps(made_of).encode()).hexdigest()
