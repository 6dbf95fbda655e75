"""Plain dense similarity: the cosine of query and document vectors. The baseline that the default has to beat."""

import time
from collections.abc import Sequence

import numpy as np

from whyrank.encode.engine import Encoder, Vectors
from whyrank.rankers.outcome import check_depth, in_order
from whyrank.types import Progress, Ranking, Usage

CHUNK = 512  # documents encoded at once


class BiEncoder:
    """Reranks by the cosine of whole-text vectors; implements `Reranker`.

    Args:
        encoder: the body; the shipped one by default.
        threads: threads of the shipped body; ignored where an encoder is given.
    """

    def __init__(self, encoder: Encoder | None = None, *, threads: int | None = None) -> None:
        self._encoder = encoder or Encoder(threads=threads)
        self.name = f"bi-encoder/{self._encoder.name}@{self._encoder.fingerprint}"

    def rerank_many(
        self, rankings: Sequence[Ranking], *, depth: int | None = None, progress: Progress | None = None
    ) -> list[Ranking]:
        """Rerank each list; a document that several queries ask about is encoded once.

        Raises:
            BadInput: a depth below 1.
        """
        check_depth(depth)
        started = time.perf_counter()
        texts = [[hit.document.full_text for hit in ranking.hits[:depth]] for ranking in rankings]
        places = {text: i for i, text in enumerate(dict.fromkeys(text for list_ in texts for text in list_))}
        documents = self._vectors(list(places), progress)
        tokens = dict(zip(places, self._tokens(list(places)), strict=True))
        queries = self._encoder.embed([ranking.query.text for ranking in rankings])
        seconds = (time.perf_counter() - started) / max(1, len(rankings))
        return [
            in_order(
                ranking,
                [float(documents[places[text]] @ query) for text in own],
                ranker=self.name,
                usage=Usage(documents=len(own), prompt_tokens=sum(tokens[text] for text in own), seconds=seconds),
            )
            for ranking, own, query in zip(rankings, texts, queries, strict=True)
        ]

    def _tokens(self, texts: Sequence[str]) -> list[int]:
        return [sum(len(p.ids) for p in passages) for passages in self._encoder.passages(texts)]

    def _vectors(self, texts: Sequence[str], progress: Progress | None) -> Vectors:
        vectors = np.zeros((len(texts), self._encoder.width), dtype=np.float32)
        for start in range(0, len(texts), CHUNK):
            chunk = texts[start : start + CHUNK]
            vectors[start : start + len(chunk)] = self._encoder.embed(chunk)
            if progress:
                progress(start + len(chunk), len(texts))
        return vectors
