"""Scores of an adapter on prepared sets, and how well it points on the held-out teacher lists.

    python scripts/train_student/score.py --adapter build/student/research --sets dev-nq test-trecqa

Writes <adapter>/scores-<set>.npy, one score a candidate (its best passage's), and prints nDCG@10 of the student alone.
`--exact` computes in fp32, as the engine does; without it bf16, three times as fast on processors that have it.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from learning import Data, held_out_figures
from numpy.typing import NDArray
from safetensors.numpy import load_file
from scored_set import ndcg, opened

from whyrank.train.body import Batch, Student, shipped_numbers

Array = NDArray[Any]
BATCH = 4096  # tokens


def restored(folder: Path | None) -> Student:
    """The student of a training run, of a blend of several, or the body as it is."""
    tensors = load_file(folder / "adapter.safetensors") if folder else {}
    rank = tensors["0.qkv.a"].shape[1] if tensors else 1
    student = Student(shipped_numbers(), rank=rank, scale=1.0, seed=0)
    student.restore(student.tensors() | tensors)
    return student


def scores(student: Student, found: dict[str, Array], dtype: torch.dtype) -> Array:
    """One score a candidate: the highest of its passages'. Pairs of like length are read together."""
    starts = np.concatenate([[0], found["ends"][:-1]])
    lengths = found["ends"] - starts
    result = np.full(len(found["did"]), -np.inf)
    order = np.argsort(lengths, kind="stable")
    fits = np.concatenate([[0], np.cumsum(lengths[order]) // BATCH])[:-1]
    for part in np.split(order, np.flatnonzero(np.diff(fits)) + 1):
        ids = np.concatenate([found["ids"][starts[p] : found["ends"][p]] for p in part]).astype(np.int64)
        batch = Batch(torch.from_numpy(ids), torch.full((len(ids),), -1), tuple(int(n) for n in lengths[part]))
        with torch.no_grad():
            read = student.read(batch, dtype=dtype)
        np.maximum.at(result, found["owner"][part], read.scores_P.double().numpy())
    return result


def main() -> None:
    """Score, save, print."""
    parser = argparse.ArgumentParser(description="Score prepared sets with an adapter.")
    parser.add_argument("--data-folder", type=Path, default=Path("build/student"))
    parser.add_argument("--groups", type=Path, help="where groups.npz is, if not there")
    parser.add_argument("--adapter", type=Path, required=True)
    parser.add_argument("--sets", nargs="*", default=[])
    parser.add_argument("--exact", action="store_true")
    given = parser.parse_args()
    student = restored(given.adapter)
    print(json.dumps(held_out_figures(Data((given.groups or given.data_folder) / "groups.npz"), student)))
    for name in given.sets:
        found = opened(given.data_folder / f"{name}.npz")
        mine = scores(student, found, torch.float32 if given.exact else torch.bfloat16)
        np.save(given.adapter / f"scores-{name}.npy", mine)
        values, first = (list(ndcg(found, s).values()) for s in (mine, found["first"]))
        print(f"| {name} | {len(values)} | {np.mean(first):.4f} | {np.mean(values):.4f} |", flush=True)


if __name__ == "__main__":
    main()
