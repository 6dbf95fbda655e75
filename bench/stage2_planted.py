"""A listwise student learns an order that nobody can know who reads one document at a time: chains of documents.

    OMP_NUM_THREADS=1 python bench/stage2_planted.py [--steps 1500] [--batch 32] [--seeds 1]

Trains a tiny Llama that begins with induction heads and nothing else (0.2 million parameters, and 0.1 million of its
adapter) by `train` with `learns: permutations`, on the chains of tests/train/chains.py, and asks it about 500 lists
that it has not seen, through the folder that was saved. Printed: the share of answers that parse without repair, of
orders that are exact, Kendall's tau, and CPU seconds. Beside them what a ranker of single documents can reach at best:
the first document right and the others by chance.
"""

import argparse
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import torch
from transformers.utils import logging

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "lm"))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "train"))
import chains

from whyrank.config import checked
from whyrank.rankers.listwise_student import load_listwise
from whyrank.teach.records import TeacherRecord, write_records
from whyrank.train.loop import train
from whyrank.train.permutation_objective import tau
from whyrank.train.settings import TrainSettings
from whyrank.types import Ranking

UNSEEN = 500


class Found(NamedTuple):
    """What a student does on unseen lists: shares, mean tau, and the CPU seconds in which it learnt."""

    parsed: float
    exact: float
    tau: float
    seconds: float


def settings(root: Path, steps: int, batch: int, lists: int, seed: int) -> TrainSettings:
    """A training of about so many steps."""
    return checked(
        TrainSettings,
        {
            "learns": "permutations",
            "model": {"base": chains.base(root / "base", seed=seed), "dtype": "float32", "max_tokens": 96},
            "lora": {"r": 32, "alpha": 64, "dropout": 0.0, "targets": "all-linear"},
            "data": {"path": str(root / "train.jsonl"), "prompt": chains.prompt(root), "conversation": ""},
            "optimizer": {
                "lr": 0.004,
                "schedule": "linear",
                "warmup": 0.03,
                "weight_decay": 0.0,
                "batch": batch,
                "epochs": max(1, round(steps * batch / lists)),
            },
            "checkpoints": {"every": 10**6},
            "seed": seed,
            "threads": 1,
            "output": str(root / "run"),
        },
    )


def answered(folder: Path, records: Sequence[TeacherRecord], seconds: float) -> Found:
    """How it answers about lists."""
    ranker = load_listwise(folder, device="cpu")
    ranked = ranker.rerank_many([Ranking.of(one.query, one.documents) for one in records])
    orders = [tuple(int(name.removeprefix("d")) for name in one.ids) for one in ranked]
    pairs = list(zip(orders, records, strict=True))
    return Found(
        statistics.mean(one.status == "ok" for one in ranked),
        statistics.mean(order == record.order for order, record in pairs),
        statistics.mean(tau(order, record.order) for order, record in pairs),
        seconds,
    )


def of_single_documents(records: Sequence[TeacherRecord]) -> tuple[float, float]:
    """Exact orders and tau, in expectation, of the first document right and the others in any order."""
    lengths = [len(one.documents) for one in records]
    exact = statistics.mean(1 / math.factorial(count - 1) for count in lengths)
    return exact, statistics.mean(2 / count for count in lengths)


def main() -> None:
    """Print what is reached."""
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=1_500)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--lists", type=int, default=8_000)
    parser.add_argument("--seeds", type=int, default=1)
    given = parser.parse_args()
    unseen = [chains.record(chains.HELD_OUT + number) for number in range(UNSEEN)]
    names = ("torch", "transformers", "peft")
    print(", ".join(f"{name} {version(name)}" for name in names), f"threads {torch.get_num_threads()}")
    exact, apart = of_single_documents(unseen)
    print(f"{UNSEEN} unseen lists; single documents at best: exact {exact:.3f}, tau {apart:.3f}")
    for seed in range(given.seeds):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            write_records(root / "train.jsonl", [chains.record(number) for number in range(given.lists)])
            how = settings(root, given.steps, given.batch, given.lists, seed)
            began = time.process_time()
            done = train(how)
            found = answered(done.folder, unseen, time.process_time() - began)
        print(
            f"seed {seed}: {done.steps:,} steps, {found.seconds:.0f} CPU s; parsed {found.parsed:.3f}, "
            f"exact {found.exact:.3f}, tau {found.tau:.3f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
