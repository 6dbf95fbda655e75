"""Train what the evidence compares: an adapter for the body whose token vectors meet, by the same teachers and labels.

    python scripts/train_student/train_interaction.py --out build/student/words-0

A text's score is that of `evidence.py` without a first stage, times `--sharpness`. Losses and epochs are those of
`train.py`; there is no head to train, and nothing to point with but the cosines themselves.
"""

import argparse
import json
import time
from dataclasses import asdict, replace
from pathlib import Path

import torch
from interaction import parts, texts_of, wordless
from learning import Data, Settings, epochs, step_losses
from torch import Tensor

from train import Limits, save
from whyrank.train import losses
from whyrank.train.body import Read, Student, shipped_numbers

WEIGHTS = (0.25, 0.47, 0.28)  # of the parts where there is no first stage, as in evidence.toml


def kept(data: Data, student: Student, mute: Tensor) -> dict[str, float]:
    """Share of the teacher's preferences kept on the held-out lists, by all parts and by each."""
    right, preferences = torch.zeros(4), 0
    for group in data.of("dual-reasons", held_out=True):
        with torch.no_grad():
            found = parts(student, texts_of(data, [group]), mute)
        scores_4D = torch.cat([(found @ torch.tensor(WEIGHTS))[None], found.T])
        targets = torch.from_numpy(data.columns["target"][list(data.pairs(group))])
        prefers = targets[:, None] > targets[None, :]
        right += ((scores_4D[:, :, None] > scores_4D[:, None, :]) & prefers).sum(dim=(1, 2))
        preferences += int(prefers.sum())
    names = ("teacher_pairs", "document", "words", "sentence")
    return dict(zip(names, (right / preferences).tolist(), strict=True))


def train(data: Data, settings: Settings, sharpness: float, out: Path, limits: Limits) -> None:
    """The loop of `train.py` over texts that are read apart."""
    torch.manual_seed(settings.seed)
    student = Student(shipped_numbers(), rank=settings.rank, scale=settings.scale, seed=settings.seed)
    mute = wordless()
    optimizer = torch.optim.AdamW(list(student.adapter.values()), lr=settings.rate, weight_decay=0.01)
    weights = {n: w for n in ("pairwise", "listwise", "taught") if (w := getattr(settings, n))}
    groups = epochs(data, settings)
    seen = step = 0
    recent: dict[str, float] = {}
    started = time.process_time()
    with (out / "log.jsonl").open("w") as log:
        while True:
            progress = seen / settings.pairs
            factor = min(1.0, progress / settings.warm_up + 1e-3) * max(0.0, 1 - progress)
            optimizer.param_groups[0]["lr"] = settings.rate * factor
            is_over = progress >= 1 or seen >= limits.until
            if not is_over:
                chosen = [next(groups) for _ in range(settings.groups)]
                texts = texts_of(data, chosen)
                scores = sharpness * parts(student, texts, mute) @ torch.tensor(WEIGHTS)
                found = step_losses(data, chosen, texts.batch, Read(scores, scores), settings)
                losses.weighted_sum(found, weights).backward()
                torch.nn.utils.clip_grad_norm_(student.adapter.values(), 1.0)
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
                seen, step = seen + sum(texts.sizes), step + 1
                recent = {n: 0.95 * recent.get(n, v.item()) + 0.05 * v.item() for n, v in found.items()}
            if step % limits.check_every == 0 or is_over:
                row = {"step": step, "pairs": seen, "minutes": (time.process_time() - started) / 60}
                figures = kept(data, student, mute) if step % (4 * limits.check_every) == 0 or is_over else {}
                log.write(json.dumps({k: round(v, 6) for k, v in (row | recent | figures).items()}) + "\n")
                log.flush()
                save(student, settings, out)
            if is_over:
                return


def main() -> None:
    """Settings from the command line; a resolved copy is written beside the result."""
    parser = argparse.ArgumentParser(description="Train the adapter of the evidence.")
    parser.add_argument("--data-folder", type=Path, default=Path("build/student-interaction"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sharpness", type=float, default=20.0, help="logits that a unit of the score is worth")
    parser.add_argument("--until", type=int, default=10**12)
    parser.add_argument("--check-every", type=int, default=25)
    default = replace(Settings(), data="interaction", rate=3e-4, pairwise=0.2, listwise=0.2, evidence=0.0, taught=0.6)
    for name, value in asdict(replace(default, alone=1.0)).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    given = vars(parser.parse_args())
    folder, out, sharpness = (given.pop(n) for n in ("data_folder", "out", "sharpness"))
    limits = Limits(1e9, given.pop("until"), given.pop("check_every"))
    settings = Settings(**given)
    out.mkdir(parents=True, exist_ok=True)
    (out / "settings.json").write_text(json.dumps(asdict(settings) | {"sharpness": sharpness}, indent=1) + "\n")
    train(Data(folder / "groups.npz"), settings, sharpness, out, limits)


if __name__ == "__main__":
    main()
