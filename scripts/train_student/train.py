"""Train the student: one flat loop over groups, from the shipped body to an adapter.

    python scripts/train_student/train.py --data-folder build/student --out build/student/research --data research
    python scripts/train_student/train.py --data-folder build/student --out build/student/open --data open

Loss of a step: 0.4 · RankNet + 0.4 · listwise + 0.2 · evidence, Reason-to-Rank's weights with pointing in the place of
generating. Listwise is ListNet on a teacher's order and softmax cross-entropy on a label. Writes adapter.safetensors,
settings.json and log.jsonl; the last checkpoint stands at any time, so a run that ends early can still be read.
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import torch
from learning import Data, Settings, epochs, held_out_figures, step_losses
from safetensors.numpy import load_file, save_file

from whyrank.train import losses
from whyrank.train.body import Batch, Read, Student, shipped_numbers


def save(student: Student, settings: Settings, out: Path) -> None:
    """The adapter, fp16; written beside and moved, so that a half-written file never has its name."""
    partial = out / "adapter.safetensors.partial"
    save_file(student.tensors(), partial, metadata={"settings": json.dumps(asdict(settings))})
    partial.replace(out / "adapter.safetensors")


class Limits(NamedTuple):
    """When to look and when to stop: minutes of processor time, pairs, steps between checkpoints."""

    minutes: float
    until: int
    check_every: int


class Learner(NamedTuple):
    """What is trained: how it reads groups, and what it shows on held-out lists."""

    student: Student
    optimizer: torch.optim.Optimizer
    read: Callable[[list[int]], tuple[Batch, Read]]
    figures: Callable[[], dict[str, float]]


def train(data: Data, settings: Settings, learner: Learner, out: Path, limits: Limits) -> None:
    """The loop. Progress is the share of pairs seen, or of minutes gone if that is more; the rate falls to 0."""
    optimizer = learner.optimizer
    trained = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    full = [group["lr"] for group in optimizer.param_groups]
    weights = {n: w for n in ("pairwise", "listwise", "evidence", "taught") if (w := getattr(settings, n))}
    groups = epochs(data, settings)
    seen = tokens = step = 0
    recent: dict[str, float] = {}
    started = time.process_time()
    with (out / "log.jsonl").open("w") as log:
        while True:
            elapsed = (time.process_time() - started) / 60
            progress = max(seen / settings.pairs, elapsed / limits.minutes)
            factor = min(1.0, progress / settings.warm_up + 1e-3) * max(0.0, 1 - progress)
            for group, rate in zip(optimizer.param_groups, full, strict=True):
                group["lr"] = rate * factor
            is_over = progress >= 1 or seen >= limits.until
            if not is_over:
                chosen = [next(groups) for _ in range(settings.groups)]
                batch, read = learner.read(chosen)
                found = step_losses(data, chosen, batch, read, settings)
                losses.weighted_sum(found, weights).backward()
                torch.nn.utils.clip_grad_norm_(trained, 1.0)
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
                seen, tokens, step = seen + len(read.scores_P), tokens + len(batch.ids_N), step + 1
                recent = {n: 0.95 * recent.get(n, v.item()) + 0.05 * v.item() for n, v in found.items()}
            if step % limits.check_every == 0 or is_over:
                row = {"step": step, "pairs": seen, "tokens": tokens, "minutes": elapsed, "rate": full[0] * factor}
                figures = learner.figures() if step % (4 * limits.check_every) == 0 or is_over else {}
                log.write(json.dumps({k: round(v, 6) for k, v in (row | recent | figures).items()}) + "\n")
                log.flush()
                save(learner.student, settings, out)
            if is_over:
                return


def of_pairs(data: Data, settings: Settings, start: Path | None) -> Learner:
    """A student that reads query and text together."""
    torch.manual_seed(settings.seed)
    student = Student(shipped_numbers(), rank=settings.rank, scale=settings.scale, seed=settings.seed)
    if start:
        student.restore(load_file(start / "adapter.safetensors"))
    optimizer = torch.optim.AdamW([
        {"params": list(student.adapter.values()), "lr": settings.rate, "weight_decay": 0.01},
        {"params": list(student.heads.values()), "lr": settings.head_rate, "weight_decay": 0.0},
    ])  # fmt: skip

    def read(chosen: list[int]) -> tuple[Batch, Read]:
        batch = data.batch([p for g in chosen for p in data.pairs(g)])
        return batch, student.read(batch, dtype=torch.bfloat16)

    return Learner(student, optimizer, read, lambda: held_out_figures(data, student))


def main() -> None:
    """Settings from the command line; a resolved copy is written beside the result."""
    parser = argparse.ArgumentParser(description="Train the student.")
    parser.add_argument("--data-folder", type=Path, default=Path("build/student"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=1e9, help="of processor time, if that ends before --pairs")
    parser.add_argument("--start", type=Path, help="the folder of a run to start from, instead of the body")
    parser.add_argument(
        "--until", type=int, default=10**12, help="pairs after which to stop, whatever the rate is then"
    )
    parser.add_argument("--check-every", type=int, default=25, help="steps between checkpoints")
    for name, value in asdict(Settings()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    given = vars(parser.parse_args())
    folder, out, start = (given.pop(n) for n in ("data_folder", "out", "start"))
    limits = Limits(*(given.pop(n) for n in Limits._fields))
    settings = Settings(**given)
    out.mkdir(parents=True, exist_ok=True)
    (out / "settings.json").write_text(json.dumps(asdict(settings), indent=1) + "\n")
    data = Data(folder / "groups.npz")
    train(data, settings, of_pairs(data, settings, start), out, limits)


if __name__ == "__main__":
    main()
