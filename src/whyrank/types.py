"""The nouns of the house: queries, documents, rankings and the reasons that hang beside them.

Everything here is immutable, plain and light: standard library only. A `Ranking` is a query and its
hits, best first. Every stage takes rankings and gives rankings.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from numbers import Integral
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable

from whyrank.errors import BadInput, DuplicateId

Field: TypeAlias = Literal["text", "title"]
Status: TypeAlias = Literal["ok", "repaired", "refused", "truncated", "error", "partial"]
DEPTH = 1_000
"""Candidates that are read per query unless the caller says otherwise."""

Progress: TypeAlias = Callable[[int, int], None]
"""Called with (done, total) while long work runs."""

Qrels: TypeAlias = Mapping[str, Mapping[str, float]]
"""Judgements: query id → document id → grade."""

Run: TypeAlias = Mapping[str, Mapping[str, float]]
"""A run: query id → document id → score, documents in the order in which they were given (best first)."""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a document: code points [start, end) of its text, or of its title."""

    start: int
    end: int
    field: Field = "text"


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked."""

    id: str
    text: str
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Document:
    """What can be found. `metadata` is the caller's own and survives untouched."""

    id: str
    text: str
    title: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def full_text(self) -> str:
        """The title, a space, the text: what every ranker reads."""
        return f"{self.title} {self.text}" if self.title else self.text

    def field_text(self, name: Field) -> str:
        """The text of one field; "" for an absent title."""
        return self.text if name == "text" else (self.title or "")

    def quote(self, span: Span) -> str:
        """The words that `span` points at.

        Raises:
            BadInput: the span does not lie inside the field it names.
        """
        source = self.field_text(span.field)
        if not 0 <= span.start <= span.end <= len(source):
            raise BadInput(
                f"document {self.id!r}: span {span.start}:{span.end} lies outside its {span.field} "
                f"of {len(source)} characters"
            )
        return source[span.start : span.end]

    def without(self, spans: Iterable[Span]) -> "Document":
        """A copy with `spans` cut out; everything else stays to the letter."""
        kept: dict[Field, str] = {"text": "", "title": ""}
        reached: dict[Field, int] = {"text": 0, "title": 0}
        for span in sorted(set(spans), key=lambda s: s.start):
            self.quote(span)
            kept[span.field] += self.field_text(span.field)[reached[span.field] : span.start]
            reached[span.field] = max(reached[span.field], span.end)
        text, title = (kept[name] + self.field_text(name)[reached[name] :] for name in ("text", "title"))
        return replace(self, text=text, title=title or None)


@dataclass(frozen=True, slots=True)
class Usage:
    """What a result cost. Counts are of this result alone.

    Attributes:
        calls: requests to a language model, those answered from a cache included.
        documents: documents that were read, each as often as it was.
        prompt_tokens: tokens of the prompts, `cached_tokens` included.
        cached_tokens: of these, what the backend had computed before, or what our own cache answered.
        generated_tokens: tokens of the answers, `reasoning_tokens` included.
        reasoning_tokens: of these, tokens of reasoning that is no part of the answer.
        seconds: time that it took.
        cost: US dollars; None where the price is unknown.
        repaired: answers that had to be repaired.
        unusable: answers that ranked nothing (refused, broken off, no ranking), and requests that failed.
    """

    calls: int = 0
    documents: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    generated_tokens: int = 0
    reasoning_tokens: int = 0
    seconds: float = 0.0
    cost: float | None = 0.0
    repaired: int = 0
    unusable: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.calls + other.calls,
            self.documents + other.documents,
            self.prompt_tokens + other.prompt_tokens,
            self.cached_tokens + other.cached_tokens,
            self.generated_tokens + other.generated_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
            self.seconds + other.seconds,
            None if self.cost is None or other.cost is None else self.cost + other.cost,
            self.repaired + other.repaired,
            self.unusable + other.unusable,
        )


@dataclass(frozen=True, slots=True)
class Hit:
    """A document in a ranking.

    Attributes:
        document: the document itself.
        score: the ranker's score; None where it gives no scores, or did not read the document (see `Ranking.notes`).
        first_score: the first stage's score, or None where there was none.
        first_rank: 1-based place in the list as it was given to the ranker that made this ranking.
        cut: characters at the end of the document that were not read; 0 for nearly all.
        placed: the ranker read it and gave it its place otherwise than by a score, as those do that order lists. A
            score beside it is that of the first of two stages, which the order need not follow.
    """

    document: Document
    score: float | None = None
    first_score: float | None = None
    first_rank: int = 0
    cut: int = 0
    placed: bool = False

    @property
    def is_read(self) -> bool:
        """Whether the ranker read the document."""
        return self.placed or self.score is not None

    def standing(self, score: float) -> tuple[float, int, str]:
        """The tie law: hits stand in ascending order of this key, by (−score, original rank, document id)."""
        return -score, self.first_rank, self.document.id


@dataclass(frozen=True, slots=True)
class Term:
    """One summand of a score.

    Attributes:
        part: which part of the score it belongs to ("late interaction", "first stage", "remainder" …).
        value: its contribution, in units of the score.
        query_term: the word of the query that it answers, if it is about one.
        span: the sentence that carries it, if one does.
    """

    part: str
    value: float
    query_term: str | None = None
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Decomposition:
    """A score taken apart: `terms` sum to `score` to 1e-9.

    Attributes:
        document_id: of the document.
        score: its score.
        terms: the summands.
        sentences: the document's, in order.
        matches: how well each of them meets the query on its own, in a unit of the scorer's; () if it does not say.
        pointing: how strongly a head that was trained to point names each of them; () if there is none.
    """

    document_id: str
    score: float
    terms: tuple[Term, ...]
    sentences: tuple[Span, ...]
    matches: tuple[float, ...] = ()
    pointing: tuple[float, ...] = ()

    @property
    def pointed(self) -> Span | None:
        """The sentence that a head points at, the first of the strongest; None without head or sentence."""
        strongest = max(self.pointing, default=-math.inf)
        return None if strongest == -math.inf else self.sentences[self.pointing.index(strongest)]

    def by_sentence(self) -> dict[Span, float]:
        """What each sentence carries; terms that belong to no sentence are left out."""
        sums = dict.fromkeys(self.sentences, 0.0)
        for term in self.terms:
            if term.span is not None:
                sums[term.span] = sums.get(term.span, 0.0) + term.value
        return sums

    def rationale(self) -> tuple[Span, ...]:
        """The sentences, the most telling first: the one that carries most, then those that meet the query best.

        What a sentence carries alone does not order them well: where two say the same, one carries all of it, and only
        `matches` tells the other from one that says nothing. Without matches they stand by what they carry. A sentence
        that is pointed at has no better place for it: what answers need not be what carries the score.
        """
        carried = self.by_sentence()
        by_weight = sorted(carried, key=lambda span: -carried[span])
        if not self.matches:
            return tuple(by_weight)
        match = dict(zip(self.sentences, self.matches, strict=True))
        rest = sorted(by_weight[1:], key=lambda span: -match.get(span, 0.0))
        return (*by_weight[:1], *rest)


@dataclass(frozen=True, slots=True)
class Evidence:
    """A quote that carries relevance. `span` is None where the quote was not found in the document."""

    quote: str
    span: Span | None
    contribution: float | None = None
    query_terms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Direct:
    """Why this document answers the query.

    Attributes:
        document_id: of the document.
        text: the reason in words.
        evidence: quotes that carry it.
        score: the score it explains; None for a reason that explains no score.
        terms: the score taken apart. Where `score` is None: what a place follows from that is no score, or ().
        source: the language model that wrote it; "" for our own words, which follow from `terms`.
        status: "ok", or what is wrong with it: "repaired", the answer was broken, or quotes what the document does not
            hold; "refused", "truncated" or "error", no reason was given and `text` says so.
        pointed: the sentence that the ranker points at as the one that answers, if it learnt to; no part of the score.
    """

    document_id: str
    text: str
    evidence: tuple[Evidence, ...] = ()
    score: float | None = None
    terms: tuple[Term, ...] = ()
    source: str = ""
    status: Status = "ok"
    pointed: Span | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """One summand of a margin: what a part (or query term) gives the upper and gives the lower."""

    part: str
    upper: float
    lower: float
    query_term: str | None = None
    upper_span: Span | None = None
    lower_span: Span | None = None

    @property
    def value(self) -> float:
        """Positive where it speaks for the upper document."""
        return self.upper - self.lower


@dataclass(frozen=True, slots=True)
class Counterfactual:
    """What would have to be missing from the upper document for the lower to pass it.

    Attributes:
        status: "flips": without `removed` the upper falls below, verified by re-scoring; "impossible": no
            removal of sentences does it (each was re-scored, or ruled out by a bound); "unknown": the search
            ended (greedy or out of budget) without an answer.
        removed: the sentences removed, in document order.
        score: the upper document's score without them.
        minimal: every smaller set was re-scored or ruled out. False for greedy answers.
        rescored: how many versions of the document were scored to find out.
        text: the same in English; "" until it stands in a comparison.
    """

    status: Literal["flips", "impossible", "unknown"]
    removed: tuple[Span, ...] = ()
    quotes: tuple[str, ...] = ()
    score: float | None = None
    minimal: bool = False
    rescored: int = 0
    text: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Why one document stands above another. `differences` sum to `margin` to 1e-9.

    Attributes:
        upper_id, lower_id: of the documents.
        text: the reason in words.
        margin: what the scores differ by; None for a reason that explains no scores.
        differences: the margin taken apart.
        counterfactual: what would turn it.
        source: the language model that wrote it; "" for our own words.
        status: "ok", or what is wrong with it, as in `Direct`.
        upper_evidence, lower_evidence: quotes of the two that a written reason rests on.
        agrees: whether its writer puts the upper document first whichever of the two it is shown first; None where
            it was not asked.
    """

    upper_id: str
    lower_id: str
    text: str
    margin: float | None = None
    differences: tuple[Difference, ...] = ()
    counterfactual: Counterfactual | None = None
    source: str = ""
    status: Status = "ok"
    upper_evidence: tuple[Evidence, ...] = ()
    lower_evidence: tuple[Evidence, ...] = ()
    agrees: bool | None = None


Explanation: TypeAlias = Direct | Comparison


@dataclass(frozen=True, slots=True)
class Explanations:
    """The reasons beside a ranking: direct ones in rank order, comparisons of neighbours in rank order."""

    direct: tuple[Direct, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    usage: Usage = Usage()


@dataclass(frozen=True, slots=True)
class Ranking:
    """A query and its hits, best first.

    Attributes:
        query: the query.
        hits: best first; hits that the ranker did not read (`score` None) keep their order at the end.
        ranker: name and fingerprint of what made the order; "" for a list as it was given.
        status: "ok", or what went wrong on the way; `notes` says it in words.
        notes: what a careful reader must know: what was cut, what was not read, what was repaired.
        usage: what this ranking cost.
        explanations: reasons, if they were asked for. They never change the order.
        left_out: hits that stood below and were cut off by `top`.
    """

    query: Query
    hits: tuple[Hit, ...]
    ranker: str = ""
    status: Status = "ok"
    notes: tuple[str, ...] = ()
    usage: Usage = Usage()
    explanations: Explanations | None = None
    left_out: int = 0

    @classmethod
    def of(
        cls,
        query: "str | Query",
        documents: Iterable["str | Document | Mapping[str, Any]"],
        scores: Sequence[float | None] | None = None,
    ) -> "Ranking":
        """Coerce what a caller has at hand; the one place where that happens.

        Args:
            query: text, or a Query.
            documents: texts (ids become "1", "2", …), Documents, or mappings with ``text`` and optionally
                ``id`` or ``_id``, ``title``; other keys become metadata.
            scores: first-stage scores, one a document; None where there is none.

        Raises:
            BadInput: a single document in place of a list, a document of another type or without a usable id, the
                wrong number of scores, a score that is no finite number.
            DuplicateId: two documents share an id.
        """
        if isinstance(documents, str | Mapping | Document):
            raise BadInput(f"the documents are one {type(documents).__name__}; give a list of them: [text, …]")
        docs = [_document(d, i) for i, d in enumerate(documents, 1)]
        _reject_duplicates(docs)
        if scores is None:
            scores = [None] * len(docs)
        if len(scores) != len(docs):
            raise BadInput(f"{len(scores)} first-stage scores for {len(docs)} documents; give one each")
        for doc, score in zip(docs, scores, strict=True):
            if score is not None and not math.isfinite(score):
                raise BadInput(
                    f"document {doc.id!r}: first-stage score is {score}; give a finite number, or none at all"
                )
        asked = Query(id="1", text=query) if isinstance(query, str) else query
        if not isinstance(asked, Query):
            raise BadInput(f"a query is a text or a whyrank.Query, not {type(query).__name__}")
        return cls(
            query=asked,
            hits=tuple(
                Hit(d, first_score=None if s is None else float(s), first_rank=i)
                for i, (d, s) in enumerate(zip(docs, scores, strict=True), 1)
            ),
        )

    @property
    def documents(self) -> tuple[Document, ...]:
        """The documents, best first."""
        return tuple(hit.document for hit in self.hits)

    @property
    def ids(self) -> tuple[str, ...]:
        """The documents' ids, best first."""
        return tuple(hit.document.id for hit in self.hits)

    def top(self, k: int) -> "Ranking":
        """The same ranking with only its best `k` hits."""
        return replace(self, hits=self.hits[:k], left_out=self.left_out + len(self.hits[k:]))

    def __len__(self) -> int:
        return len(self.hits)

    def __iter__(self) -> Iterator[Hit]:
        return iter(self.hits)

    def __getitem__(self, index: int) -> Hit:
        return self.hits[index]


def _document(given: "str | Document | Mapping[str, Any]", number: int) -> Document:
    if isinstance(given, Document):
        return given
    if isinstance(given, str):
        return Document(id=str(number), text=given)
    if isinstance(given, Mapping):
        rest = dict(given)
        identifier = next((rest.pop(key) for key in ("id", "_id") if key in rest), number)
        if isinstance(identifier, bool) or not isinstance(identifier, str | Integral) or identifier == "":
            raise BadInput(f"document {number}: its id is {identifier!r}; give a string or a whole number, or no id")
        text, title = rest.pop("text", None), rest.pop("title", None)
        if not isinstance(text, str):
            raise BadInput(
                f"document {number} has no 'text'; it has the keys {sorted(map(str, given))}; "
                "give {'id': …, 'text': …, 'title': … (optional)}"
            )
        if not (title is None or isinstance(title, str)):
            raise BadInput(f"document {identifier!r}: 'title' is {type(title).__name__}, not a string")
        return Document(id=str(identifier), text=text, title=title or None, metadata=rest)
    raise BadInput(
        f"document {number} is {type(given).__name__}; give a text, a whyrank.Document or a mapping with 'text'"
    )


def _reject_duplicates(documents: Sequence[Document]) -> None:
    seen: dict[str, int] = {}
    for place, doc in enumerate(documents, 1):
        if doc.id in seen:
            raise DuplicateId(
                f"document id {doc.id!r} is given twice (places {seen[doc.id]} and {place}); ids must differ"
            )
        seen[doc.id] = place


class Retriever(Protocol):
    """Finds candidates in a collection."""

    def search_many(self, queries: Sequence[Query], *, k: int) -> list[Ranking]:
        """The best `k` documents for each query, best first, with first-stage scores."""
        ...


@runtime_checkable
class Reranker(Protocol):
    """Puts candidates into a better order. Returns a permutation of what it was given, for any n ≥ 0."""

    @property
    def name(self) -> str:
        """What results are signed with: it changes with whatever changes an order."""
        ...

    def rerank_many(
        self, rankings: Sequence[Ranking], *, depth: int | None = None, progress: Progress | None = None
    ) -> list[Ranking]:
        """Rerank each list; the first `depth` candidates of each are read, the rest keep their order below."""
        ...


@runtime_checkable
class Scorer(Protocol):
    """A pointwise ranker whose score can be taken apart: what reasons without a language model need."""

    name: str

    def score(self, query: Query, documents: Sequence[Document], first_scores: Sequence[float | None]) -> list[float]:
        """Scores in the order of `documents`; the same bits for a pair whatever its neighbours."""
        ...

    def decompose(
        self, query: Query, documents: Sequence[Document], first_scores: Sequence[float | None]
    ) -> list[Decomposition]:
        """The same scores, bit for bit, taken apart."""
        ...

    def floor(self, first_score: float | None) -> float:
        """No document with this first-stage score can score less: a bound that prunes searches."""
        ...


@runtime_checkable
class Calibrated(Protocol):
    """What turns scores into probabilities, so that they can be thresholded: a ranker, or a calibration of one."""

    def probability(self, score: float, first_score: float | None = None) -> float:
        """How likely a document with this score is relevant; never falls as the score rises."""
        ...
