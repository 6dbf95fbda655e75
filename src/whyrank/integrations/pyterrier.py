"""PyTerrier: a transformer that reranks, for pipelines and experiments.

pipeline = bm25 >> text_loader >> WhyrankTransformer()
"""

from collections.abc import Sequence
from typing import Any

from whyrank import rankers
from whyrank._extras import require
from whyrank.errors import BadInput
from whyrank.integrations.reranked import KEYS, check_counts, reranked
from whyrank.types import Reranker

require("pyterrier", extra="pyterrier", purpose="the transformer for PyTerrier")

import pandas as pd  # noqa: E402 - only after the message that says what is missing
import pyterrier as pt  # noqa: E402


class WhyrankTransformer(pt.Transformer):
    """Puts the documents of each query into the order in which they answer it.

    Takes a frame with `qid`, `query`, `docno` and the column of texts, and returns its rows and columns, queries in
    the order in which they came. `score` is the ranker's and falls strictly, `rank` starts at 0; reasons that were
    asked for are columns, and those of an earlier pass are dropped.

    Args:
        ranker: a name for `whyrank.load`, or a loaded ranker.
        text_field: the column of texts.
        title_field: the column of titles, if there is one.
        top_n: how many are returned for a query; None returns all.
        reasons: how many of the best of each query get reasons.
        first_stage: whether the ranker weighs the scores in the column `score`, as it was fitted to weigh BM25's.

    Raises:
        BadInput: numbers out of range.
    """

    def __init__(
        self,
        ranker: str | Reranker = rankers.DEFAULT,
        *,
        text_field: str = "text",
        title_field: str | None = None,
        top_n: int | None = None,
        reasons: int = 0,
        first_stage: bool = False,
    ) -> None:
        super().__init__()
        check_counts(top_n, reasons)
        self.ranker, self.text_field, self.title_field = ranker, text_field, title_field
        self.top_n, self.reasons, self.first_stage = top_n, reasons, first_stage

    def transform(self, inp: pd.DataFrame) -> pd.DataFrame:
        """The rows in their new order.

        Args:
            inp: candidates; those of a query with a column `rank` are taken in its order, else as they stand.

        Raises:
            BadInput: a column is missing, a query is empty, or a text is none.
            UnknownName: there is no such ranker.
        """
        needed = ["qid", "query", "docno", self.text_field, *(["score"] if self.first_stage else [])]
        needed += [] if self.title_field is None else [self.title_field]
        if missing := [name for name in needed if name not in inp.columns]:
            raise BadInput(f"the frame has no column {missing[0]!r}; it has {', '.join(map(str, inp.columns))}")
        told = KEYS if self.reasons else ()
        given = inp.drop(columns=[name for name in KEYS if name in inp.columns])
        groups = [self._ranked(group, told) for _, group in given.groupby("qid", sort=False, dropna=False)]
        if groups:
            return pd.concat(groups, ignore_index=True)
        return given.assign(score=pd.Series(dtype="float64"), rank=pd.Series(dtype="int64"), **dict.fromkeys(told, ""))

    def _ranked(self, group: pd.DataFrame, told: Sequence[str]) -> pd.DataFrame:
        given = group.sort_values("rank", kind="stable") if "rank" in group.columns else group
        found = reranked(
            str(given["query"].iloc[0]),
            list(given[self.text_field]),
            titles=None if self.title_field is None else list(given[self.title_field]),
            scores=list(given["score"]) if self.first_stage else None,
            ranker=self.ranker,
            top_n=self.top_n,
            reasons=self.reasons,
        )
        columns: dict[str, Any] = {name: [own.reasons.get(name, "") for own in found] for name in told}
        ranked: pd.DataFrame = given.iloc[[own.place for own in found]].assign(
            score=[own.score for own in found], rank=range(len(found)), **columns
        )
        return ranked
