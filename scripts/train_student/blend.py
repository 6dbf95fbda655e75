"""The mean of several runs from one start, part of the way from the body: an adapter that forgets less.

    python scripts/train_student/blend.py --runs build/student/words-0 build/student/words-1 --share 0.5 --out FOLDER

What is averaged are the products, the changes that the adapters make to the matrices (Wortsman et al., 2022, model
soups), and `share` of the mean is kept (the same, robust fine-tuning). Heads that were trained are averaged.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

Array = NDArray[Any]


def blended(runs: Sequence[Mapping[str, Array]], share: float) -> dict[str, Array]:
    """Factors whose product is `share` of the mean product of the runs', and the mean of heads that were trained."""
    heads = (name for name in runs[0] if name.startswith("head.") and runs[0][name].any())
    result: dict[str, Array] = {head: np.mean([run[head].astype(np.float32) for run in runs], axis=0) for head in heads}
    for matrix in (name.removesuffix(".a") for name in runs[0] if name.endswith(".a")):
        result[f"{matrix}.a"] = np.concatenate([run[f"{matrix}.a"] for run in runs], axis=1)
        b = np.concatenate([run[f"{matrix}.b"].astype(np.float32) for run in runs])
        result[f"{matrix}.b"] = (b * (share / len(runs))).astype(np.float16)
    return result


def main() -> None:
    """Average, cut, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=Path, nargs="+", required=True)
    parser.add_argument("--share", type=float, default=0.5)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    factors = blended([load_file(run / "adapter.safetensors") for run in given.runs], given.share)
    about = {"runs": [run.name for run in given.runs], "share": given.share}
    (given.out / "settings.json").write_text(json.dumps(about) + "\n")
    save_file(factors, given.out / "adapter.safetensors")


if __name__ == "__main__":
    main()
