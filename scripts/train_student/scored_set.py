"""A prepared set, and nDCG@10 of scores for it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def opened(path: Path) -> dict[str, Array]:
    """The arrays of an npz."""
    with np.load(path) as file:
        return {name: file[name] for name in file.files}


def ndcg(found: dict[str, Array], given: Array) -> dict[str, float]:
    """nDCG@10 of each query: linear gain, ties in the first stage's order, over queries with a relevant document."""
    ideal = json.loads(str(found["ideal"]))
    discounts = 1 / np.log2(np.arange(2, 12))
    result = {}
    for qid, grades in ideal.items():
        mine = np.flatnonzero(found["qid"] == qid)
        ranked = np.maximum(found["grade"][mine[np.argsort(-given[mine], kind="stable")]], 0)[:10]
        result[qid] = float(ranked @ discounts[: len(ranked)]) / float(np.array(grades) @ discounts[: len(grades)])
    return result
