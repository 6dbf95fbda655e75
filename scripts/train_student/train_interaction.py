"""Train what the evidence compares: an adapter for the body whose token vectors meet, by the same teachers and labels.

    python scripts/train_student/train_interaction.py --out build/student/words-0

A text's score is that of `evidence.py` without a first stage, times `--sharpness`. Losses and epochs are those of
`train.py`; there is no head to train, and nothing to point with but the cosines themselves.
"""

import argparse
import json
from dataclasses import asdict, replace
from pathlib import Path

import torch
from interaction import parts, texts_of, wordless
from learning import SHARPNESS, Data, Settings
from scored_set import weights
from torch import Tensor

from train import Learner, Limits, train
from whyrank.rankers.evidence import Parts
from whyrank.train.body import Batch, Read, Student, shipped_numbers

WEIGHTS = tuple(weights()["without_first_stage"][part] for part in Parts._fields)


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


def of_texts(data: Data, settings: Settings, sharpness: float) -> Learner:
    """A body that reads query and texts apart."""
    student = Student(shipped_numbers(), rank=settings.rank, scale=settings.scale, seed=settings.seed)
    optimizer = torch.optim.AdamW(list(student.adapter.values()), lr=settings.rate, weight_decay=0.01)
    mute = wordless()

    def read(chosen: list[int]) -> tuple[Batch, Read]:
        texts = texts_of(data, chosen)
        scores_P = sharpness * parts(student, texts, mute) @ torch.tensor(WEIGHTS)
        return texts.batch, Read(scores_P, scores_P)

    return Learner(student, optimizer, read, lambda: kept(data, student, mute))


def main() -> None:
    """Settings from the command line; a resolved copy is written beside the result."""
    parser = argparse.ArgumentParser(description="Train the adapter of the evidence.")
    parser.add_argument("--data-folder", type=Path, default=Path("build/student-interaction"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sharpness", type=float, default=SHARPNESS, help="logits that a unit of the score is worth")
    parser.add_argument("--until", type=int, default=10**12)
    parser.add_argument("--check-every", type=int, default=25)
    default = replace(Settings(), data="interaction", rate=3e-4, pairwise=0.2, listwise=0.2, evidence=0.0, taught=0.6)
    for name, value in asdict(replace(default, alone=1.0)).items():
        if name == "evidence":  # there is no head that could point
            continue
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    given = vars(parser.parse_args())
    folder, out, sharpness = (given.pop(n) for n in ("data_folder", "out", "sharpness"))
    limits = Limits(1e9, given.pop("until"), given.pop("check_every"))
    settings = Settings(**given, evidence=0.0)
    out.mkdir(parents=True, exist_ok=True)
    (out / "settings.json").write_text(json.dumps(asdict(settings) | {"sharpness": sharpness}, indent=1) + "\n")
    data = Data(folder / "groups.npz")
    train(data, settings, of_texts(data, settings, sharpness), out, limits)


if __name__ == "__main__":
    main()
