"""DeAR's first stage on real data: does a small student gain from the scores of a larger ensemble, beside the labels?

    python scripts/train_student/distil.py --teachers build/student/research build/student/plain-long

Students of the embedded body learn from the same labelled training groups at the same budget, three seeds each:

    labels             softmax cross-entropy
    + teacher          (1 - a) · softmax cross-entropy + a · T² · KL(teacher, student)
    + teacher, DL22    the same, and unlabelled lists of TREC DL 2022 that the teacher alone scores

The teacher is the mean of standard scores, within a group, of the evidence ranker, of every adapter that is named and,
on the lists of DL 2022, of SPLADE's order; each is asked once and kept. None of it meets a judged query. Reports
nDCG@10 of the students alone and the difference to labels alone: mean over seeds, and a bootstrap interval over queries
of the differences, which are averaged over seeds first.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from learning import Data, table
from numpy.typing import NDArray
from score import restored, scores
from scored_set import ndcg, opened

from whyrank.train import losses
from whyrank.train.body import Student, shipped_numbers

Array = NDArray[Any]
LABELLED = ("instructir", "trecqa", "nq", "squad")
UNLABELLED = "splade"
SHOWN = {True: 1_200, False: 300}  # groups with labels and without, drawn once: what any of the students may see
SETS = ("test-trec-dl19-passage", "dev-trecqa-dev", "test-wikiqa-dev")
SEEDS = (0, 1, 2)
GROUPS = 8  # of a step
PAIRS = 5_000
RATE, HEAD_RATE, WARM_UP = 5e-4, 2e-3, 0.05
TEMPERATURE = 2.0  # as published
SHARPNESS = 3.0  # logits that a standard deviation of the teacher is worth


class Arm(NamedTuple):
    """What a student learns from: the share of the teacher, and of the groups that are the teacher's alone."""

    alpha: float = 0.0
    unlabelled: float = 0.0


ARMS = {"labels": Arm(), "+ teacher": Arm(0.5), "+ teacher, DL22": Arm(0.5, 0.5)}


def shown(data: Data, *, labelled: bool) -> list[int]:
    """The groups that are learnt from, the same for every arm and seed."""
    groups = data.of(*LABELLED) if labelled else data.of(UNLABELLED)
    return [int(g) for g in np.random.default_rng(0).permutation(groups)[: SHOWN[labelled]]]


def teacher(data: Data, members: Sequence[Path], kept: Path) -> Array:
    """One score a pair of the groups that are used: the mean of the members' standard scores; NaN elsewhere."""
    groups = shown(data, labelled=True) + shown(data, labelled=False)
    pairs = np.array([p for g in groups for p in data.pairs(g)])
    read = [data.columns["known"][pairs]]
    read += [_of_adapter(data, pairs, folder, kept) for folder in members]
    total = np.full(len(data.columns["ends"]), np.nan)
    start = 0
    for group in groups:
        size = len(data.pairs(group))
        own = [scores[start : start + size] for scores in read]
        if data.names[data.columns["source"][group]] == UNLABELLED:
            own.append(data.columns["target"][pairs[start : start + size]])
        total[pairs[start : start + size]] = np.mean([_standard(values) for values in own], axis=0)
        start += size
    return np.asarray(total * SHARPNESS)


def _standard(values: Array) -> Array:
    return np.asarray((values - values.mean()) / (values.std() or 1.0))


def _of_adapter(data: Data, pairs: Array, folder: Path, kept: Path) -> Array:
    path = kept / f"teacher-{folder.name}.npy"
    if not path.exists():
        spans = [slice(int(data.pair_starts[p]), int(data.columns["ends"][p])) for p in pairs]
        ids = np.concatenate([data.columns["ids"][s] for s in spans])
        each = np.arange(len(pairs))
        found = {"ids": ids, "ends": np.cumsum([s.stop - s.start for s in spans]), "did": each, "owner": each}
        np.save(path, scores(restored(folder), found, torch.bfloat16))
    return np.asarray(np.load(path))


def draws(data: Data, arm: Arm, seed: int) -> Iterator[int]:
    """Groups without end, every epoch of the labelled ones in another order."""
    rng = np.random.default_rng(seed)
    labelled, unlabelled = shown(data, labelled=True), shown(data, labelled=False)
    while True:
        for group in rng.permutation(labelled):
            yield int(rng.choice(unlabelled)) if rng.random() < arm.unlabelled else int(group)


def learn(data: Data, teacher_P: Array, arm: Arm, seed: int) -> Student:
    """Train one student."""
    torch.manual_seed(seed)
    student = Student(shipped_numbers(), rank=32, scale=2.0, seed=seed)
    optimizer = torch.optim.AdamW([
        {"params": list(student.adapter.values()), "lr": RATE, "weight_decay": 0.01},
        {"params": list(student.heads.values()), "lr": HEAD_RATE, "weight_decay": 0.0},
    ])  # fmt: skip
    full = [group["lr"] for group in optimizer.param_groups]
    groups, seen = draws(data, arm, seed), 0
    while seen < PAIRS:
        progress = seen / PAIRS
        for options, rate in zip(optimizer.param_groups, full, strict=True):
            options["lr"] = rate * min(1.0, progress / WARM_UP + 1e-3) * (1 - progress)
        chosen = [next(groups) for _ in range(GROUPS)]
        pairs = [p for g in chosen for p in data.pairs(g)]
        sizes = [len(data.pairs(g)) for g in chosen]
        scores_QD = table(list(student.read(data.batch(pairs), dtype=torch.bfloat16).scores_P.split(sizes)))
        there_QD = table([torch.ones(n) for n in sizes]) > 0
        has_label_Q = torch.from_numpy(~data.columns["order"][chosen])
        labels_QD = table(list(torch.from_numpy(data.columns["target"][pairs]).split(sizes)))
        loss = (1 - arm.alpha) * losses.softmax_cross_entropy(scores_QD, labels_QD, there_QD & has_label_Q[:, None])
        if arm.alpha:
            taught_QD = table(list(torch.from_numpy(teacher_P[pairs]).float().split(sizes)))
            loss = loss + arm.alpha * losses.kl(scores_QD, taught_QD, there_QD, temperature=TEMPERATURE)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(student.parameters().values(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        seen += len(pairs)
    return student


def interval(differences: Array) -> tuple[float, float]:
    """95 % of 10,000 means of queries drawn again."""
    rng = np.random.default_rng(0)
    means = differences[rng.integers(len(differences), size=(10_000, len(differences)))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def main() -> None:
    """Ask the teacher, train what is not there yet, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-folder", type=Path, default=Path("build/student"))
    parser.add_argument("--teachers", type=Path, nargs="+", required=True)
    parser.add_argument("--out", type=Path, default=Path("build/student/distilled"))
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    data = Data(given.data_folder / "groups.npz")
    teacher_P = teacher(data, given.teachers, given.out)
    sets = {name: opened(given.data_folder / f"{name}.npz") for name in SETS}
    print("| learnt from | " + " | ".join(SETS) + " |\n|" + "---|" * (1 + len(SETS)))
    first: dict[str, Array] = {}
    for name, arm in ARMS.items():
        found: dict[str, list[Array]] = {s: [] for s in SETS}
        for seed in SEEDS:
            path = given.out / f"{name.replace('+ ', 'and-').replace(', ', '-')}-{seed}.json"
            if not path.exists():
                student = learn(data, teacher_P, arm, seed)
                values = {s: ndcg(sets[s], scores(student, sets[s], torch.bfloat16)) for s in SETS}
                path.write_text(json.dumps(values))
            for s, values in json.loads(path.read_text()).items():
                found[s].append(np.array(list(values.values())))
        cells = []
        for s, seeds in found.items():
            mean_Q = np.mean(seeds, axis=0)
            low, high = interval(mean_Q - first.setdefault(s, mean_Q))
            gain = "" if name == "labels" else f" ({(mean_Q - first[s]).mean():+.4f} [{low:+.4f}, {high:+.4f}])"
            cells.append(f"{mean_Q.mean():.4f} ± {np.std([v.mean() for v in seeds], ddof=1):.4f}{gain}")
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
