"""Hard negatives that a student found itself: labelled groups again, with the wrong texts that it ranks highest.

    python scripts/train_student/mine.py --data-folder build/student-together --adapter build/student/together

Each query's labelled text stands beside BM25's first texts; of those that the student puts below the labelled one by a
margin, the highest are kept. What it puts above may well be right and unlabelled, so it teaches nothing. Writes a
groups.npz that holds the given one and the mined sources ("mined-nq", ...); where the given one has a column "taught",
theirs is what the student said.
"""

import argparse
import json
import os
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from groups import SOURCES, Group, labelled
from numpy.typing import NDArray
from prepare import TRAINED, Pairs, as_arrays, kept_away
from score import restored, scores
from tokenizers import Tokenizer

from whyrank.encode.weights import SHIPPED

LOOKED_AT = 20  # texts of BM25 that the student reads for each query
KEPT = 4
MARGIN = 1.0  # logits below the labelled text from which on a text counts as wrong
MINED = {
    "nq": labelled("nq", negatives=LOOKED_AT, limit=1_500, run=True),
    "instructir": labelled("instructir", negatives=LOOKED_AT, limit=1_743, run=True),
    "squad": labelled("squad", negatives=15, limit=3_000, run=True),
    "scifact": labelled("scifact", negatives=LOOKED_AT, limit=400, prefix="train-"),
}


def hardest(read: NDArray[Any]) -> list[int]:
    """The first text's place, and of those read the margin below it the `KEPT` highest; none where none is."""
    below = [int(i) for i in np.argsort(-read, kind="stable") if i and read[i] < read[0] - MARGIN]
    return [0, *below[:KEPT]] if below else []


def picked(group: Group, places: list[int]) -> Group:
    """The group with these of its texts."""
    return replace(
        group,
        texts=tuple(group.texts[i] for i in places),
        targets=tuple(group.targets[i] for i in places),
        answers=tuple(group.answers[i] for i in places),
    )


def joined(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Two sets of columns as one; the second's sources by the names that they have there."""
    shift = {"ends": old["ends"][-1], "group_end": old["group_end"][-1], "source": len(old["names"])}
    both = {
        name: np.concatenate([old[name], new[name] + shift[name] if name in shift else new[name]])
        for name in old
        if name != "names"
    }
    return {"names": np.array([*old["names"], *new["names"]]), **both}


def main() -> None:
    """Read, score, keep, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-folder", type=Path, default=Path("build/student"))
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("WHYRANK_DATA", "../shared/data")))
    parser.add_argument("--adapter", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("build/student-mined"))
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    student = restored(given.adapter)
    tokenizer = Tokenizer.from_file(str(SHIPPED / "tokenizer.json"))
    away = kept_away(given.data, seed=0)
    mined: dict[str, list[Group]] = {}
    said: list[NDArray[Any]] = []
    removed: dict[str, dict[str, int]] = {}
    for name, found in MINED.items():
        groups = list(found(given.data / SOURCES[name].folder, np.random.default_rng(given.seed)))
        why = Counter(away.reason(group.query) for group in groups)
        removed[f"mined-{name}"] = {f"removed: {reason}": n for reason, n in why.items() if reason}
        groups = [group for group in groups if not away.reason(group.query)]
        pairs, sizes = Pairs(tokenizer), [len(group.texts) for group in groups]
        for group in groups:
            query = pairs.query(group.query)
            for text in group.texts:
                pairs.add(query, text, TRAINED)
        each = np.arange(sum(sizes))
        values = scores(student, {**pairs.arrays(), "did": each, "owner": each}, torch.bfloat16)
        read = np.split(values, np.cumsum(sizes)[:-1])
        places = [hardest(own) for own in read]
        mined[name] = [picked(group, few) for group, few in zip(groups, places, strict=True) if few]
        said += [own[few] for own, few in zip(read, places, strict=True) if few]
        above = np.mean([(own[1:] > own[0]).mean() for own in read])
        print(
            f"{name}: {len(groups)} queries read, {len(mined[name])} kept; {above:.1%} of texts above the label",
            flush=True,
        )
    arrays, report = as_arrays(mined, tokenizer, away)
    arrays["names"] = np.array([f"mined-{name}" for name in arrays["names"]])
    with np.load(given.data_folder / "groups.npz") as file:
        old = {name: file[name] for name in file.files}
    if "taught" in old:
        arrays["taught"] = np.concatenate(said).astype(np.float32)
    np.savez(given.out / "groups.npz", **joined(old, arrays))
    sources = json.loads((given.data_folder / "groups.json").read_text())
    report = {name: report[name.removeprefix("mined-")] | counts for name, counts in removed.items()}
    (given.out / "groups.json").write_text(json.dumps(sources | report, indent=1) + "\n")


if __name__ == "__main__":
    main()
