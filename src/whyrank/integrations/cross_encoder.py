"""sentence-transformers: `predict` and `rank` as its CrossEncoder has them, for code that was written for one.

    model = CrossEncoderLike()
    model.predict([("why is the sky blue?", "Air scatters blue light."), ("why is the sky blue?", "Bread is baked.")])
    model.rank("why is the sky blue?", ["Bread is baked.", "Air scatters blue light."], return_documents=True)

Nothing of sentence-transformers is needed.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from whyrank import rankers
from whyrank.api import load
from whyrank.errors import BadInput
from whyrank.integrations.reranked import reranked
from whyrank.types import Ranking, Reranker

Pair = tuple[str, str] | list[str]


class CrossEncoderLike:
    """A ranker in the place of a CrossEncoder with one output.

    Its numbers are the ranker's scores, through no activation. Arguments of CrossEncoder that concern how it computes
    (`batch_size`, `show_progress_bar`, `convert_to_numpy`) are accepted and change nothing.

    Args:
        ranker: a name for `whyrank.load`, or a loaded ranker.
        reasons: how many of the best documents of each `rank` get reasons, beside their scores.

    Attributes:
        num_labels: 1, as of every CrossEncoder that reranks.

    Raises:
        UnknownName: there is no such ranker.
    """

    num_labels = 1

    def __init__(self, ranker: str | Reranker = rankers.DEFAULT, *, reasons: int = 0) -> None:
        self.ranker: Reranker = load(ranker) if isinstance(ranker, str) else ranker
        self.reasons = reasons

    def predict(
        self,
        inputs: Sequence[Pair] | Pair,
        prompt_name: str | None = None,
        batch_size: int = 32,  # noqa: ARG002 - CrossEncoder's
        show_progress_bar: bool | None = None,  # noqa: ARG002 - CrossEncoder's
        convert_to_numpy: bool = True,  # noqa: ARG002 - CrossEncoder's
    ) -> Any:
        """The scores of pairs of a query and a document.

        Args:
            inputs: pairs, or one of them.
            prompt_name: None; there are no prompts.
            batch_size: without effect.
            show_progress_bar: without effect.
            convert_to_numpy: without effect.

        Returns:
            Scores, an array of float64 of one a pair; of one pair, its score alone.

        Raises:
            BadInput: what is no pair of texts, an empty query, a prompt, or a ranker that gives places and no scores.
        """
        if prompt_name is not None:
            raise BadInput(f"prompt_name is {prompt_name!r}; whyrank's rankers take no prompts: leave it out")
        if len(inputs) == 2 and all(isinstance(text, str) for text in inputs):
            return self._scores([inputs])[0]
        return self._scores(inputs)

    def rank(
        self,
        query: str,
        documents: Sequence[str],
        top_k: int | None = None,
        return_documents: bool = False,
        batch_size: int = 32,  # noqa: ARG002 - CrossEncoder's
        show_progress_bar: bool | None = None,  # noqa: ARG002 - CrossEncoder's
    ) -> list[dict[str, Any]]:
        """Documents best first: `corpus_id`, its place in `documents`, `score`, and on request `text` and reasons.

        Args:
            query: the query.
            documents: candidates, in first-stage order.
            top_k: how many are returned; None returns all.
            return_documents: whether the texts are returned.
            batch_size: without effect.
            show_progress_bar: without effect.

        Raises:
            BadInput: the query is empty, a document is no text, or a number is out of range.
        """
        found = reranked(query, documents, ranker=self.ranker, top_n=top_k, reasons=self.reasons)
        return [
            {
                "corpus_id": own.place,
                "score": own.score,
                **({"text": documents[own.place]} if return_documents else {}),
                **own.reasons,
            }
            for own in found
        ]

    def _scores(self, pairs: Sequence[Any]) -> "np.ndarray[Any, np.dtype[np.float64]]":
        places: dict[str, list[int]] = {}
        for place, pair in enumerate(pairs):
            places.setdefault(_query_of(place, pair), []).append(place)
        lists = [Ranking.of(query, [pairs[place][1] for place in own]) for query, own in places.items()]
        scores = np.zeros(len(pairs))
        for found, own in zip(self.ranker.rerank_many(lists), places.values(), strict=True):
            for hit in found:
                if hit.score is None or hit.placed:
                    raise BadInput(f"{self.ranker.name} gives places and no scores; use rank in place of predict")
                scores[own[hit.first_rank - 1]] = hit.score
        return scores


def _query_of(place: int, pair: Any) -> str:
    if isinstance(pair, str) or len(pair) != 2 or not all(isinstance(text, str) for text in pair):
        raise BadInput(f"pair {place + 1} is {type(pair).__name__}; give a query and a document, two texts")
    query: str = pair[0]
    if not query.strip():
        raise BadInput(f"pair {place + 1}: the query is empty; give at least one word")
    return query
