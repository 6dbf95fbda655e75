"""Query and document read together: the body with an adapter as a cross-encoder.

A pair is ``[CLS] query [SEP] document [SEP]``, all of the first segment; a long document is read in overlapping
passages, each beside the whole query. Nothing depends on what else is read in the call.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from whyrank.encode.adapters import Adapter, shipped_adapter
from whyrank.encode.engine import OVERLAP, WINDOW, Encoder, Vectors
from whyrank.encode.passages import CLS, SEP, Passage, cut
from whyrank.encode.weights import SHIPPED
from whyrank.errors import Corrupt

QUERY = 96
"""Tokens of a query that are read."""


class Pair(NamedTuple):
    """A query and the text of a document."""

    query: str
    text: str


class Piece(NamedTuple):
    """What was read of a pair in one passage.

    Attributes:
        score: the relevance head's logit: the mean token vector times the head.
        offsets: code points [start, end) of each of the passage's T document tokens, in the text.
        pointing: the evidence head's logit of each of them, float32 [T].
        tokens: read for it, markers and query included.
    """

    score: float
    offsets: tuple[tuple[int, int], ...]
    pointing: Vectors
    tokens: int


class PairReader:
    """The shipped body with an adapter, loaded and checked.

    Args:
        adapter: a name of a shipped one, or one that was loaded.
        folder: of the body.
        threads: as for `Encoder`.

    Raises:
        UnknownName: there is no such adapter.
        Corrupt: a file is damaged, or the adapter belongs to another body.
    """

    def __init__(
        self, adapter: str | Adapter = "research", *, folder: Path = SHIPPED, threads: int | None = None
    ) -> None:
        self.adapter = shipped_adapter(adapter) if isinstance(adapter, str) else adapter
        self._encoder = Encoder(folder, threads=threads, window=WINDOW, adapter=self.adapter)
        self.fingerprint = self._encoder.fingerprint
        self._relevance: Vectors = self.adapter.tensors["head.relevance"]
        self._evidence: Vectors = self.adapter.tensors["head.evidence"]
        if self._relevance.shape != (self._encoder.width,):
            raise Corrupt(
                f"the adapter {self.adapter.name!r} has heads of shape {self._relevance.shape}; no head of this body"
            )

    def read(self, pairs: Sequence[Pair]) -> Iterator[tuple[int, Piece]]:
        """The passages of each pair, with the pair's place in `pairs`, in any order; a text without tokens has none."""
        queries = self._ids([pair.query for pair in pairs])
        texts = self._encoder.tokens([pair.text for pair in pairs])
        owners: list[int] = []
        passages: list[Passage] = []
        for place, (query, (ids, offsets)) in enumerate(zip(queries, texts, strict=True)):
            for start, end in cut(len(ids), WINDOW - 3 - len(query), OVERLAP) if ids else ():
                owners.append(place)
                passages.append(Passage((CLS, *query, SEP, *ids[start:end], SEP), tuple(offsets[start:end])))
        for i, vectors_TW in self._encoder.run(passages):
            passage = passages[i]
            own_TW = vectors_TW[-1 - len(passage.offsets) : -1]
            # Not by @: BLAS splits a product by its number of threads, and rounds differently where it splits.
            pointing = np.einsum("tw,w->t", own_TW, self._evidence)
            score = float(np.einsum("w,w->", vectors_TW.mean(axis=0), self._relevance))
            yield owners[i], Piece(score, passage.offsets, pointing, len(passage.ids))

    def query_tokens(self, queries: Sequence[str]) -> dict[str, int]:
        """How many tokens each query has; the first `QUERY` are read."""
        distinct = list(dict.fromkeys(queries))
        return dict(zip(distinct, (len(ids) for ids, _ in self._encoder.tokens(distinct)), strict=True))

    def _ids(self, queries: Sequence[str]) -> list[tuple[int, ...]]:
        distinct = list(dict.fromkeys(queries))
        ids = dict(zip(distinct, (tuple(ids[:QUERY]) for ids, _ in self._encoder.tokens(distinct)), strict=True))
        return [ids[query] for query in queries]
