"""A prepared set, nDCG@10 of scores for it, and what the ranker makes of its parts."""

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whyrank.encode.pairs import QUERY
from whyrank.encode.passages import SEP
from whyrank.rankers.evidence import FITTED, Weights

Array = NDArray[Any]
DISCOUNTS = 1 / np.log2(np.arange(2, 12))


def opened(path: Path) -> dict[str, Array]:
    """The arrays of an npz."""
    with np.load(path) as file:
        return {name: file[name] for name in file.files}


def gain(grades: Array) -> float:
    """Discounted gain of the first ten in this order, linear in the grade."""
    return float(grades[:10] @ DISCOUNTS[: len(grades)])


def ndcg(found: dict[str, Array], given: Array) -> dict[str, float]:
    """nDCG@10 of each query: linear gain, ties in the first stage's order, over queries with a relevant document."""
    ideal = json.loads(str(found["ideal"]))
    result = {}
    for qid, grades in ideal.items():
        mine = np.flatnonzero(found["qid"] == qid)
        ranked = np.maximum(found["grade"][mine[np.argsort(-given[mine], kind="stable")]], 0)
        result[qid] = gain(ranked) / gain(np.array(grades))
    return result


def is_short(found: dict[str, Array]) -> Array:
    """For each candidate whether the student reads its query: prepared ones are cut at `QUERY`, so fewer are whole.

    One of exactly `QUERY` tokens, which the ranker reads, counts as longer here.
    """
    starts = np.concatenate([[0], found["ends"][:-1]])
    places = np.searchsorted(found["owner"], np.arange(len(found["did"])))
    first = starts[np.minimum(places, len(starts) - 1)]
    markers = np.flatnonzero(found["ids"] == SEP)
    return np.asarray(markers[np.searchsorted(markers, first)] - first - 1 < QUERY)


def credit(logits: Array, bend: float) -> Array:
    """What a logit is worth before it is scaled, as `distilled.py` computes it; nothing where there is none."""
    return np.where(np.isfinite(logits), np.logaddexp(0.0, np.nan_to_num(logits) - bend), 0.0)


def weights(path: Path | None = None) -> Mapping[str, Any]:
    """The evidence's weights: those of a file, or of the plain body."""
    return tomllib.loads((path or FITTED).read_text(encoding="utf-8"))


def evidence(parts: Array, fitted: Mapping[str, Any], first: Array | None = None) -> Array:
    """The evidence's score from its parts, for candidates with or without a first stage."""
    w = Weights(**fitted["without_first_stage" if first is None else "with_first_stage"])
    own = parts @ np.array([w.document, w.words, w.sentence])
    return np.asarray(own if first is None else own + w.first_stage * first / (w.half + np.abs(first)))
