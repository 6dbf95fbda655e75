"""What the evidence says of every pair once its body has an adapter: the groups again, with another column "known".

    python scripts/train_student/known.py --data-folder build/student-mined --evidence build/student/evidence

A student that learns beside these scores learns what that evidence leaves over. They are without a first stage, as
those of the plain body that `prepare.py` wrote. Writes groups.npz and groups.json.
"""

import argparse
import shutil
from pathlib import Path

import numpy as np
import torch
from interaction import parts, texts_of, wordless
from learning import Data
from score import restored
from scored_set import evidence, weights

STEP = 8  # groups read at once


def main() -> None:
    """Read, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-folder", type=Path, required=True)
    parser.add_argument("--evidence", type=Path, required=True, help="a run, with the weights that `weigh.py` fitted")
    parser.add_argument("--out", type=Path, default=Path("build/student-beside"))
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    data = Data(given.data_folder / "groups.npz")
    body, fitted, mute = restored(given.evidence), weights(given.evidence / "weights.toml"), wordless()
    found = []
    for start in range(0, len(data.group_starts), STEP):
        groups = list(range(start, min(start + STEP, len(data.group_starts))))
        with torch.no_grad():
            found.append(evidence(parts(body, texts_of(data, groups), mute).numpy(), fitted))
    np.savez(given.out / "groups.npz", **(data.columns | {"known": np.concatenate(found).astype(np.float32)}))
    shutil.copy(given.data_folder / "groups.json", given.out)


if __name__ == "__main__":
    main()
