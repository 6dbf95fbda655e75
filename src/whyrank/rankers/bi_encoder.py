"""Plain dense similarity: the cosine of query and document vectors. The baseline that the default has to beat."""

import time
from collections.abc import Sequence

from whyrank.encode.engine import Encoder
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
        """Rerank each list; the first `depth` candidates are read, the rest keep their order below.

        Raises:
            BadInput: a depth below 1.
        """
        check_depth(depth)
        total = sum(len(r.hits[:depth]) for r in rankings)
        done = 0
        result = []
        for ranking in rankings:
            started = time.perf_counter()
            query = self._encoder.embed([ranking.query.text])[0]
            read = ranking.hits[:depth]
            scores: list[float] = []
            for start in range(0, len(read), CHUNK):
                texts = [h.document.full_text for h in read[start : start + CHUNK]]
                scores += [float(row @ query) for row in self._encoder.embed(texts)]
                done += len(texts)
                if progress:
                    progress(done, total)
            usage = Usage(documents=len(read), seconds=time.perf_counter() - started)
            result.append(in_order(ranking, scores, ranker=self.name, usage=usage))
        return result
