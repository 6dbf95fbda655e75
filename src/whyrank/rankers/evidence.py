"""The evidence: a score built from what can be pointed at, so that its reasons are exact.

    score(q, d) = a · whole document + b · late interaction + c · best sentence + e · first stage

* whole document: cosine of query and passage vectors, the best passage of the document;
* late interaction: the mean over the query's word tokens of each token's best cosine in the document (Khattab and
  Zaharia, 2020, on a body that was not trained for it unless an adapter is); every summand belongs to one query word
  and one sentence;
* best sentence: the same mean, with all words matched within one sentence, the one where it is highest;
* first stage: the candidate's first-stage score s, squashed to s / (s + k), so that its scale can do no harm.

All four come from one pass of the body over the document. Weights and constants were fitted once
(`evidence.toml`, which says how) and never look at the other candidates: a score belongs to (model, query, document,
first-stage score). Without a first-stage score the part is absent and the other weights are the ones fitted for that.
"""

import json
import math
import time
import tomllib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from whyrank.encode.engine import Encoder
from whyrank.encode.passages import Passage
from whyrank.errors import BadInput
from whyrank.rankers.calibration import Calibration
from whyrank.rankers.matching import MAX_DOCUMENT_CHARS, Asked, Match, Sheet, in_chunks, match, read_query
from whyrank.rankers.outcome import check_depth, in_order
from whyrank.types import Decomposition, Document, Hit, Progress, Query, Ranking, Span, Term, Usage

Key: TypeAlias = tuple[str, str | None]  # what makes two documents the same to a reader: full text and title
Found: TypeAlias = dict[tuple[int, Key], tuple[Match | None, Sheet]]  # by query and document; None for an empty one

MAX_QUERY_CHARS = 20_000
FITTED = Path(__file__).with_name("evidence.toml")
CALIBRATED = Path(__file__).with_name("evidence.calibration.json")


@dataclass(frozen=True, slots=True)
class Weights:
    """Weights of the parts, for lists with or without first-stage scores; all are at least 0."""

    document: float
    words: float
    sentence: float
    first_stage: float = 0.0
    half: float = 1.0

    def __post_init__(self) -> None:
        weights = (self.document, self.words, self.sentence, self.first_stage)
        if not all(0 <= weight < math.inf for weight in weights) or not 0 < self.half < math.inf:
            raise ValueError(f"weights of the evidence are at least 0 and the half above it; these are {self}")

    def first(self, score: float | None) -> float:
        """The first-stage part: monotone, between −1 and 1 times its weight; `half` of it is reached at score k."""
        return 0.0 if score is None else self.first_stage * score / (self.half + abs(score))


class Parts(NamedTuple):
    """The similarities of a document before they are weighted."""

    document: float
    words: float
    sentence: float


@dataclass(frozen=True, slots=True)
class _Job:
    """One document that some queries of this call ask about."""

    sheet: Sheet
    passages: tuple[Passage, ...]
    queries: tuple[int, ...]


class EvidenceRanker:
    """Ranks by what can be pointed at alone; implements `Reranker` and `Scorer`.

    Args:
        encoder: the body; the shipped one by default.
        fitted: version and weights, as evidence.toml has them; those of the shipped body by default.
        threads: threads of the shipped body; ignored where an encoder is given.
    """

    def __init__(
        self,
        encoder: Encoder | None = None,
        *,
        fitted: Mapping[str, Any] | None = None,
        threads: int | None = None,
    ) -> None:
        self._encoder = encoder or Encoder(threads=threads)
        text = FITTED.read_text(encoding="utf-8") if fitted is None else json.dumps(fitted)
        fitted = tomllib.loads(text) if fitted is None else fitted
        self._with = Weights(**fitted["with_first_stage"])
        self._without = Weights(**fitted["without_first_stage"])
        self.body = self._encoder.fingerprint
        made_of = f"{text}{self._encoder.fingerprint}{MAX_DOCUMENT_CHARS}"
        self.name = f"evidence-{fitted['version']}/{self._encoder.name}@{sha256(made_of.encode()).hexdigest()[:12]}"

    def rerank_many(
        self, rankings: Sequence[Ranking], *, depth: int | None = None, progress: Progress | None = None
    ) -> list[Ranking]:
        """Rerank each list; a document that several queries ask about is read once.

        Args:
            rankings: candidates in first-stage order.
            depth: candidates read per query; the rest keep their order below, with score None and a note.
            progress: called with (documents read, documents to read).

        Raises:
            BadInput: a depth below 1, or a query over the limit of characters.
        """
        check_depth(depth)
        started = time.perf_counter()
        asked = self._read_queries([r.query for r in rankings])
        pairs = [(q, hit.document) for q, r in enumerate(rankings) if asked[q] for hit in r.hits[:depth]]
        matches, usage = self._match(asked, pairs, progress)
        seconds = time.perf_counter() - started
        total = sum(u.prompt_tokens for u in usage) or 1
        return [
            self._assemble(r, asked[q], matches, q, depth, replace(u, seconds=seconds * u.prompt_tokens / total))
            for q, (r, u) in enumerate(zip(rankings, usage, strict=True))
        ]

    def rerank(self, ranking: Ranking, *, depth: int | None = None) -> Ranking:
        """Rerank one list."""
        return self.rerank_many([ranking], depth=depth)[0]

    def score(self, query: Query, documents: Sequence[Document], first_scores: Sequence[float | None]) -> list[float]:
        """Scores in the order of `documents`."""
        return [d.score for d in self.decompose(query, documents, first_scores)]

    def decompose(
        self, query: Query, documents: Sequence[Document], first_scores: Sequence[float | None]
    ) -> list[Decomposition]:
        """The scores, taken apart: one term per query word and sentence, and one for each other part.

        Raises:
            BadInput: the query has no word, or is over the limit of characters.
        """
        if not documents:
            return []
        [asked] = self._read_queries([query])
        if asked is None:
            raise BadInput(f"query {query.id!r} has no word; there is nothing to score")
        matches, _ = self._match([asked], [(0, d) for d in documents], None)
        result = []
        for document, first in zip(documents, first_scores, strict=True):
            found, sheet = matches[0, _key(document)]
            terms = self._terms(asked, found, sheet, first)
            score = math.fsum(t.value for t in terms)
            alone = tuple(found.by_sentence.tolist()) if found else ()
            result.append(Decomposition(document.id, score, terms, sheet.spans, alone))
        return result

    def similarities(self, rankings: Sequence[Ranking], *, progress: Progress | None = None) -> list[list[Parts]]:
        """The unweighted parts of every candidate: what weights are fitted on. Zeros for an empty document or query."""
        asked = self._read_queries([r.query for r in rankings])
        pairs = [(q, hit.document) for q, r in enumerate(rankings) if asked[q] for hit in r.hits]
        matches, _ = self._match(asked, pairs, progress)
        nothing = Parts(0.0, 0.0, 0.0)

        def parts(q: int, hit: Hit) -> Parts:
            found, _ = matches.get((q, _key(hit.document)), (None, None))
            if found is None:
                return nothing
            return Parts(found.document, float(found.words.mean()), float(found.sentence.mean()))

        return [[parts(q, hit) for hit in r.hits] for q, r in enumerate(rankings)]

    def probability(self, score: float, first_score: float | None = None) -> float:
        """How likely a document with this score is relevant, by the calibration that is shipped with the weights."""
        return self._calibration.probability(score, first_score)

    @cached_property
    def _calibration(self) -> Calibration:
        return Calibration.load(CALIBRATED).of(self.name)

    def floor(self, first_score: float | None) -> float:
        """Every cosine at −1 (or, for an empty document, absent)."""
        w = self._weights(first_score)
        return w.first(first_score) - w.document - w.words - w.sentence

    # How it works: queries are read once; each distinct document is read once, passage by passage, and each passage
    # is compared at once with the queries that ask for it, so that no token vector outlives its batch.

    def _read_queries(self, queries: Sequence[Query]) -> list[Asked | None]:
        for query in queries:
            if len(query.text) > MAX_QUERY_CHARS:
                raise BadInput(
                    f"query {query.id!r} has {len(query.text):,} characters; at most {MAX_QUERY_CHARS:,} are accepted"
                )
        cut = self._encoder.passages([q.text for q in queries])
        vectors = dict(self._encoder.run([p for passages in cut for p in passages]))
        result: list[Asked | None] = []
        place = 0
        for query, passages in zip(queries, cut, strict=True):
            mine = [vectors[place + i] for i in range(len(passages))]
            place += len(passages)
            asked = read_query(query.text, passages, mine, self._continues)
            result.append(asked if asked.words else None)
        return result

    @cached_property
    def _continues(self) -> frozenset[int]:
        return self._encoder.continuing_pieces()

    def _match(
        self, asked: Sequence[Asked | None], pairs: Sequence[tuple[int, Document]], progress: Progress | None
    ) -> tuple[Found, list[Usage]]:
        wanted: dict[Key, tuple[Document, dict[int, None]]] = {}
        for q, document in pairs:
            wanted.setdefault(_key(document), (document, {}))[1][q] = None
        found: Found = {}
        usage = [Usage(prompt_tokens=query.read) if query else Usage() for query in asked]
        done = 0
        for chunk in in_chunks(wanted, lambda key: len(key[0])):
            jobs = self._jobs([(wanted[key][0], tuple(wanted[key][1])) for key in chunk])
            for key, job in zip(chunk, jobs, strict=True):
                _account(usage, job)
                found.update({(q, key): (None, job.sheet) for q in job.queries})
            for place, q, one in self._compare(asked, jobs):
                earlier, sheet = found[q, chunk[place]]
                found[q, chunk[place]] = (one if earlier is None else earlier.merge(one), sheet)
            done += len(chunk)
            if progress:
                progress(done, len(wanted))
        return found, usage

    def _jobs(self, documents: Sequence[tuple[Document, tuple[int, ...]]]) -> list[_Job]:
        sheets = [Sheet.of(d) for d, _ in documents]
        cut = self._encoder.passages([s.text for s in sheets])
        return [_Job(s, tuple(p), q) for s, p, (_, q) in zip(sheets, cut, documents, strict=True)]

    def _compare(self, asked: Sequence[Asked | None], jobs: Sequence[_Job]) -> Iterator[tuple[int, int, Match]]:
        flat = [(place, passage) for place, job in enumerate(jobs) for passage in job.passages]
        for i, vectors_TW in self._encoder.run([passage for _, passage in flat]):
            place, passage = flat[i]
            for q in jobs[place].queries:
                query = asked[q]
                one = match(query, jobs[place].sheet, passage, vectors_TW) if query else None
                if one is not None:
                    yield place, q, one

    def _weights(self, first_score: float | None) -> Weights:
        return self._without if first_score is None else self._with

    def _terms(self, asked: Asked, found: Match | None, sheet: Sheet, first: float | None) -> tuple[Term, ...]:
        w = self._weights(first)
        terms = [] if first is None else [Term("first stage", w.first(first))]
        if found is None:
            return tuple(terms)
        terms.append(Term("whole document", w.document * found.document))
        nearest = [found.sentence_place] * len(asked.words)
        for part, weight, cosines, places in (
            ("late interaction", w.words, found.words.tolist(), found.word_places.tolist()),
            ("best sentence", w.sentence, found.sentence.tolist(), nearest),
        ):
            cells: dict[tuple[str, Span], list[float]] = defaultdict(list)
            for word, cosine, place in zip(asked.words, cosines, places, strict=True):
                cells[word, sheet.spans[place]].append(weight * cosine / len(asked.words))
            terms += [Term(part, math.fsum(v), word, span) for (word, span), v in cells.items()]
        return tuple(terms)

    def _assemble(
        self,
        ranking: Ranking,
        asked: Asked | None,
        matches: Found,
        q: int,
        depth: int | None,
        usage: Usage,
    ) -> Ranking:
        if asked is None:
            note = "the query has no word; the order is as it was given"
            return replace(ranking, ranker=self.name, status="partial", notes=(*ranking.notes, note))
        scores, cuts = [], []
        for hit in ranking.hits[:depth]:
            found, sheet = matches[q, _key(hit.document)]
            scores.append(math.fsum(t.value for t in self._terms(asked, found, sheet, hit.first_score)))
            cuts.append(sheet.cut)
        return in_order(ranking, scores, ranker=self.name, usage=usage, cuts=cuts)


def _key(document: Document) -> Key:
    return document.full_text, document.title


def _account(usage: list[Usage], job: _Job) -> None:
    """The first query that asks for a document pays for reading it; the others get it from memory."""
    tokens = sum(len(p.ids) for p in job.passages)
    for n, q in enumerate(job.queries):
        cached = tokens if n else 0
        usage[q] += Usage(calls=0 if n else len(job.passages), documents=1, prompt_tokens=tokens, cached_tokens=cached)
