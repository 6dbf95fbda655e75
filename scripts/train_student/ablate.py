"""The ablations at a fixed budget: pairwise only, + listwise, + evidence; the number of lists; where a student starts.

    python scripts/train_student/ablate.py --data-folder build/student --out build/student/ablations [--workers 2]

Three seeds each, about 5,000 pairs of every source in the training mixture (the losses), or of teacher lists alone
(their number; the start: the body as it is, a bi-encoder's, or a cross-encoder, `--start`, that never saw a teacher's
list nor MS MARCO). Reports nDCG@10 of the student alone and figures on held-out teacher lists: mean over seeds and the
half-width of a 95 % t interval. Runs that are done are not run again. DL19 is read to report; nothing is chosen by it.
"""

import argparse
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from scored_set import ndcg, opened

HERE = Path(__file__).parent
SEEDS = (0, 1, 2)
PAIRS = 5_000
LOSSES = {
    "pairwise": ["--pairwise", "1", "--listwise", "0", "--evidence", "0"],
    "+ listwise": ["--pairwise", "0.5", "--listwise", "0.5", "--evidence", "0"],
    "+ evidence": ["--pairwise", "0.4", "--listwise", "0.4", "--evidence", "0.2"],
}
LISTS = {f"{n} lists": ["--data", "lists", "--lists", str(n)] for n in (100, 500, 2000)}
START = "2000 lists, from a cross-encoder"
SETS = ("test-trec-dl19-passage", "dev-trecqa-dev", "dev-squad")
T_OF_THREE = 4.303  # the 97.5 % point of Student's t with two degrees of freedom


def run(name: str, options: list[str], seed: int, given: argparse.Namespace) -> Path:
    """Train and score one; its folder."""
    out = Path(given.out) / f"{name.replace(' ', '-').replace(',', '').replace('+', 'and')}-{seed}"
    data = ["--data-folder", str(given.data_folder)]
    train = [str(HERE / "train.py"), *data, "--out", str(out), "--pairs", str(PAIRS), "--seed", str(seed), *options]
    score = [str(HERE / "score.py"), *data, "--adapter", str(out), "--sets", *given.sets]
    if not all((out / f"scores-{s}.npy").exists() for s in given.sets):
        for command in (train, score):
            subprocess.run([sys.executable, *command], check=True, stdout=subprocess.DEVNULL)
    return out


def figures(out: Path, given: argparse.Namespace) -> list[float]:
    """Of one run: preferences kept, sentences pointed at, nDCG@10 of each set."""
    last = json.loads((out / "log.jsonl").read_text().splitlines()[-1])
    row = [last["teacher_pairs"], last["pointed"]]
    for name in given.sets:
        found = opened(Path(given.data_folder) / f"{name}.npz")
        row.append(float(np.mean(list(ndcg(found, np.load(out / f"scores-{name}.npy")).values()))))
    return row


def main() -> None:
    """All runs, then the table."""
    parser = argparse.ArgumentParser(description="Ablations of the student.")
    parser.add_argument("--data-folder", type=Path, default=Path("build/student"))
    parser.add_argument("--out", type=Path, default=Path("build/student/ablations"))
    parser.add_argument("--start", type=Path, default=Path("build/student/open-plain"), help="a student of labels")
    parser.add_argument("--sets", nargs="+", default=list(SETS))
    parser.add_argument("--workers", type=int, default=1, help="runs side by side, one thread each")
    given = parser.parse_args()
    starts = {START: [*LISTS["2000 lists"], "--start", str(given.start)]}
    with ThreadPoolExecutor(given.workers) as pool:
        started = {
            name: [pool.submit(run, name, options, seed, given) for seed in SEEDS]
            for name, options in {**LOSSES, **LISTS, **starts}.items()
        }
        print("| setting | teacher's pairs | sentence | " + " | ".join(given.sets) + " |")
        print("|---" * (3 + len(given.sets)) + "|")
        for name, futures in started.items():
            rows = np.array([figures(f.result(), given) for f in futures])
            half = T_OF_THREE * rows.std(axis=0, ddof=1) / len(SEEDS) ** 0.5
            cells = (f"{m:.3f} ± {h:.3f}" for m, h in zip(rows.mean(axis=0), half, strict=True))
            print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
