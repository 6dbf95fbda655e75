"""The default ranker: what can be pointed at, and a student of large teachers who reads query and document together.

    score(q, d) = evidence(q, d) + s · softplus(student(q, d) − b)

* evidence: the score of `evidence.py`, with all its parts; its body has an adapter, where the student brings one, that
  learnt from the same teachers to tell what belongs together, word by word;
* student: the logit of the shipped body with another adapter, that was distilled by Reason-to-Rank from recorded orders
  and reasons of GPT-4 and from public labels, for the best passage of the document. Far below the bend b it adds next
  to nothing: what the student knows nothing of, the evidence decides. A text without tokens gets nothing, and so does
  every text where the query is longer than those that the student reads.

A cross-encoder is no sum over words or sentences, so its part stays whole: an explicit remainder that no sentence is
given. Which sentence answers is its second answer: a head that was trained on the sentences that the teacher quoted.
It is told beside the evidence and orders nothing: put first, it made reasons less faithful (docs/explanations.md).
"""

import math
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path

import numpy as np

from whyrank.encode.adapters import Adapter
from whyrank.encode.engine import Encoder
from whyrank.encode.pairs import QUERY, Pair, PairReader, Piece
from whyrank.errors import Corrupt
from whyrank.rankers.calibration import Calibration
from whyrank.rankers.evidence import EvidenceRanker
from whyrank.rankers.matching import Sheet, in_chunks
from whyrank.rankers.outcome import in_order
from whyrank.types import Decomposition, Document, Progress, Query, Ranking, Term, Usage

PART = "student's reading"
"""The name of the student's part of a score."""
VERSION = 2
"""Changes when the arithmetic does: how texts are cut into passages and sentences, how the parts are put together."""


def research(*, threads: int | None = None) -> "DistilledRanker":
    """With the student that learnt from all there was, for research."""
    return DistilledRanker("research", threads=threads)


def openly(*, threads: int | None = None) -> "DistilledRanker":
    """With the student that learnt from openly licensed texts alone."""
    return DistilledRanker("open", threads=threads)


@dataclass(frozen=True, slots=True)
class Read:
    """What the student says of one document.

    Attributes:
        score: its logit, that of the best passage; None for a text without tokens, and for one that was not read.
        pointing: how strongly it points at each sentence: the mean over its tokens, in the passage where that is
            highest; −inf for one that was not read, and for a title beside sentences.
        tokens: read for it.
        passages: read for it.
    """

    score: float | None
    pointing: tuple[float, ...]
    tokens: int
    passages: int


class DistilledRanker:
    """Evidence and student; implements `Reranker`, `Scorer` and `Calibrated`.

    Args:
        adapter: a name of a shipped one, or one that was loaded.
        threads: as for `Encoder`.
    """

    def __init__(self, adapter: str | Adapter = "research", *, threads: int | None = None) -> None:
        self._reader = PairReader(adapter, threads=threads)
        body = Encoder(threads=threads, adapter=self._reader.adapter.evidence)
        try:
            fitted = self._reader.adapter.manifest["fitted"]
            self._scale, self._bend = float(fitted["scale"]), float(fitted["bend"])
            self._evidence = EvidenceRanker(body, fitted=fitted.get("evidence"))
            if not (0 <= self._scale < math.inf and math.isfinite(self._bend)):
                raise ValueError(f"scale {self._scale}, bend {self._bend}")
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise Corrupt(
                f"the manifest of the student {self._reader.adapter.name!r} does not say how it is weighed ({error}); "
                "reinstall whyrank or restore the model"
            ) from error
        made_of = repr((self._scale, self._bend, QUERY, self._evidence.name, self._reader.fingerprint))
        digits = sha256(made_of.encode()).hexdigest()[:12]
        self.name = f"student-{self._reader.adapter.name}-{VERSION}@{digits}"

    def rerank_many(
        self, rankings: Sequence[Ranking], *, depth: int | None = None, progress: Progress | None = None
    ) -> list[Ranking]:
        """Rerank each list.

        Args:
            rankings: candidates in first-stage order.
            depth: candidates read per query; the rest keep their order below, with score None and a note.
            progress: called with (documents read, documents to read); one that was read once counts as half.

        Raises:
            BadInput: a depth below 1, or a query over the limit of characters.
        """
        first, second = _halves(progress, sum(len(r.hits[:depth]) for r in rankings))
        known = self._evidence.rerank_many(rankings, depth=depth, progress=first)
        started = time.perf_counter()
        asked = [
            [] if _is_wordless(done) else [(given.query, hit.document) for hit in given.hits[:depth]]
            for given, done in zip(rankings, known, strict=True)
        ]
        read = iter(self._read([pair for own in asked for pair in own], second))
        spent = (time.perf_counter() - started) / max(1, sum(map(len, asked)))
        charged: set[int] = set()
        result = []
        for given, done, own in zip(rankings, known, asked, strict=True):
            mine = [next(read) for _ in own]
            usage = sum((_usage(one, charged) for one in mine), done.usage)
            usage = replace(usage, seconds=usage.seconds + spent * len(own))
            result.append(self._ranked(given, done, mine, usage))
        return result

    def rerank(self, ranking: Ranking, *, depth: int | None = None) -> Ranking:
        """Rerank one list."""
        return self.rerank_many([ranking], depth=depth)[0]

    def score(self, query: Query, documents: Sequence[Document], first_scores: Sequence[float | None]) -> list[float]:
        """Scores in the order of `documents`."""
        known = self._evidence.score(query, documents, first_scores)
        read = self._read([(query, d) for d in documents])
        return [score + self._part(mine) for score, mine in zip(known, read, strict=True)]

    def decompose(
        self, query: Query, documents: Sequence[Document], first_scores: Sequence[float | None]
    ) -> list[Decomposition]:
        """The scores, taken apart: the terms of the evidence, and the student's part as one.

        Raises:
            BadInput: the query has no word, or is over the limit of characters.
        """
        known = self._evidence.decompose(query, documents, first_scores)
        return [
            replace(
                found,
                score=found.score + self._part(mine),
                terms=(*found.terms, Term(PART, self._part(mine))),
                pointing=mine.pointing,
            )
            for found, mine in zip(known, self._read([(query, d) for d in documents]), strict=True)
        ]

    def floor(self, first_score: float | None) -> float:
        """The least that evidence can score; the student takes nothing away."""
        return self._evidence.floor(first_score)

    def probability(self, score: float, first_score: float | None = None) -> float:
        """How likely a document with this score is relevant, by the calibration that is shipped with the student."""
        return self._calibration.probability(score, first_score)

    @cached_property
    def _calibration(self) -> Calibration:
        name = f"distilled.{self._reader.adapter.name}.calibration.json"
        return Calibration.load(Path(__file__).with_name(name)).of(self.name)

    def _part(self, read: Read) -> float:
        return 0.0 if read.score is None else self._scale * softplus(read.score - self._bend)

    def _ranked(self, given: Ranking, known: Ranking, read: Sequence[Read], usage: Usage) -> Ranking:
        if _is_wordless(known):
            return replace(known, ranker=self.name)
        by_id = {hit.document.id: hit for hit in known.hits}
        scores, cuts = [], []
        for hit, mine in zip(given.hits, read, strict=False):
            done = by_id[hit.document.id]
            scores.append((done.score or 0.0) + self._part(mine))
            cuts.append(done.cut)
        ranking = in_order(given, scores, ranker=self.name, usage=usage, cuts=cuts)
        tokens = self._reader.query_tokens([given.query.text])[given.query.text]
        if tokens <= QUERY:
            return ranking
        note = f"the query has {tokens:,} tokens, the student reads {QUERY}: the evidence read all and decides alone"
        return replace(ranking, notes=(*ranking.notes, note))

    def _read(self, asked: Sequence[tuple[Query, Document]], progress: Progress | None = None) -> list[Read]:
        """What the student says of each; the same pair is read once."""
        sheets = [Sheet.of(document) for _, document in asked]
        pairs = [Pair(query.text, sheet.text) for (query, _), sheet in zip(asked, sheets, strict=True)]
        tokens = self._reader.query_tokens([pair.query for pair in pairs])
        every = dict.fromkeys(zip(pairs, sheets, strict=True))
        found = {
            key: Read(None, (-math.inf,) * len(key[1].spans), 0, 0) for key in every if tokens[key[0].query] > QUERY
        }
        wanted = [key for key in every if key not in found]
        if progress and every and not wanted:
            progress(len(every), len(every))
        for chunk in in_chunks(wanted, lambda key: len(key[0].text)):
            pieces: dict[int, list[Piece]] = defaultdict(list)
            for place, piece in self._reader.read([pair for pair, _ in chunk]):
                pieces[place].append(piece)
            found.update({key: _read_of(key[1], pieces[place]) for place, key in enumerate(chunk)})
            if progress:
                progress(len(found), len(every))
        return [found[key] for key in zip(pairs, sheets, strict=True)]


def softplus(x: float) -> float:
    """log(1 + eˣ): 0 far below 0, x far above it.

    >>> softplus(-800.0), softplus(800.0)
    (0.0, 800.0)
    """
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def _is_wordless(known: Ranking) -> bool:
    """Whether the evidence found no word in the query, and left the order as it was."""
    return known.status == "partial" and all(hit.score is None for hit in known.hits)


def _usage(read: Read, charged: set[int]) -> Usage:
    """The first candidate that needs a reading pays for it; others get it from memory."""
    again = id(read) in charged
    charged.add(id(read))
    return Usage(
        calls=0 if again else read.passages,
        prompt_tokens=read.tokens,
        cached_tokens=read.tokens if again else 0,
    )


def _read_of(sheet: Sheet, pieces: Sequence[Piece]) -> Read:
    pointing = np.full(len(sheet.spans), -np.inf)
    for piece in pieces:
        places = np.array([sheet.place(start) for start, _ in piece.offsets], dtype=np.intp)
        sizes = np.bincount(places, minlength=len(pointing))
        sums = np.bincount(places, weights=piece.pointing, minlength=len(pointing))
        means = np.divide(sums, sizes, out=np.full(len(pointing), -np.inf), where=sizes > 0)
        pointing = np.maximum(pointing, means)
    is_title = np.array([span.field == "title" for span in sheet.spans], dtype=bool)
    if np.isfinite(
        pointing[~is_title]
    ).any():  # it learnt on texts without titles: a title answers where nothing else is
        pointing[is_title] = -np.inf
    score = max((piece.score for piece in pieces), default=None)
    return Read(score, tuple(pointing.tolist()), sum(p.tokens for p in pieces), len(pieces))


def _halves(progress: Progress | None, documents: int) -> tuple[Progress | None, Progress | None]:
    """Progress of two passes over the same documents, told as one."""
    if progress is None:
        return None, None

    def first(done: int, total: int) -> None:
        progress(documents * done // (2 * total), documents)

    def second(done: int, total: int) -> None:
        progress((documents + documents * done // total) // 2, documents)

    return first, second
