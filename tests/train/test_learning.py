"""It learns: a tiny model is taught which of eight documents holds a word, and to say so.

Chance is nDCG@10 0.49: the one relevant document stands anywhere among eight.
"""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lessons
import mimetic
import pytest
import torch
from safetensors.torch import load_file

from whyrank.rankers.student_network import RankHead
from whyrank.rankers.student_prompt import Kind
from whyrank.teach.records import Reasons, TeacherRecord
from whyrank.train.causal import CausalStudent, Told
from whyrank.train.examples import ListExample, prepare
from whyrank.train.loop import Trained, train
from whyrank.train.settings import DataSettings, TrainSettings
from whyrank.types import Document, Query

WORDS = tuple(f"w{number}" for number in range(40))
DOCUMENTS, LENGTH = 8, 4
HELD_OUT = 10**6
BOTH: tuple[Kind, ...] = ("direct", "comparison")


def record(number: int) -> TeacherRecord:
    """One of eight documents holds the word of the query, and the teacher says so of that one."""
    lots = random.Random(number)
    asked = lots.choice(WORDS)
    others = [word for word in WORDS if word != asked]
    texts = [lots.sample(others, LENGTH) for _ in range(DOCUMENTS)]
    best = lots.randrange(DOCUMENTS)
    texts[best][lots.randrange(LENGTH)] = asked
    said = [Reasons()] * DOCUMENTS
    said[best] = Reasons(f"it says {asked}", f"the other lacks {asked}")
    return TeacherRecord(
        key=f"k{number}",
        query=Query(f"q{number}", asked),
        documents=tuple(Document(f"d{place}", " ".join(text)) for place, text in enumerate(texts)),
        order=(best, *(place for place in range(DOCUMENTS) if place != best)),
        reasons=tuple(said),
        labels={f"d{best}": 1.0},
    )


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return mimetic.llama(tmp_path_factory.mktemp("models"), [*WORDS, *"it says the other lacks".split()])


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    held_out = [record(HELD_OUT + number) for number in range(40)]
    return lessons.written(tmp_path_factory.mktemp("data"), [record(number) for number in range(2_600)], held_out)


def settings(model: str, data: str, output: Path, **more: Any) -> TrainSettings:
    values = {
        "model.layout": "document-first",
        "model.max_tokens": 40,
        "model.query_tokens": 2,
        "model.reason_tokens": 6,
        "lora.targets": "all-linear",
        "lora.r": 32,
        "lora.alpha": 64,
        "lora.dropout": 0.0,
        "loss.weights.generation": 0.4,
        "optimizer.lr": 0.004,
        "optimizer.batch": 8,
        "optimizer.schedule": "linear",
        "optimizer.weight_decay": 0.0,
        "checkpoints.every": 1_000,
        "threads": 1,
        **{name.replace("__", "."): value for name, value in more.items()},
    }
    return lessons.settings(model, data, output, values)


def held_out(kinds: Sequence[Kind] = BOTH) -> tuple[ListExample, ...]:
    records = [record(HELD_OUT + number) for number in range(40)]
    return prepare(records, DataSettings(), kinds, seed=0).examples


def written(student: CausalStudent, told: Told) -> str:
    """A reason in the student's own words, the likeliest word at each place."""
    tokens = student.network.renderer.asked(told.kind, told.query, told.document, told.other)
    end = student.network.tokenizer.eos_token_id
    own: list[int] = []
    while len(own) < 8 and (not own or own[-1] != end):
        with torch.no_grad():
            logits = student.network.causal(input_ids=torch.tensor([[*tokens, *own]])).logits
        own.append(int(logits[0, -1].argmax()))
    return str(student.network.tokenizer.decode(own, skip_special_tokens=True))


def losses(done: Trained) -> dict[Kind, float]:
    """The mean cross-entropy of held-out reasons of each kind."""
    student = CausalStudent.load(done.folder)
    student.train(False)
    found: dict[Kind, float] = {}
    for kind in BOTH:
        told = [reason for one in held_out((kind,)) for reason in one.told]
        with torch.no_grad():
            found[kind] = float(student.generation_loss(told))
    return found


@pytest.mark.slow
def test_order_and_reasons_are_learnt_together(model: str, data: str, tmp_path: Path) -> None:
    done = train(settings(model, data, tmp_path / "run"))
    first = lessons.log(tmp_path / "run")[0]
    assert first["dev/nDCG@10"] < 0.65
    assert done.figures["dev/nDCG@10"] >= 0.9

    student = CausalStudent.load(done.folder)
    student.train(False)
    reasons = [reason for one in held_out() for reason in one.told]
    own = [(reason, written(student, reason).split()) for reason in reasons]
    forms = {"direct": ["it", "says"], "comparison": ["the", "other", "lacks"]}
    parsed = [(reason, words) for reason, words in own if words[:-1] == forms[reason.kind] and words[-1] in WORDS]
    assert len(parsed) >= 0.95 * len(own)
    # The word is one of forty: chance would be 0.025.
    assert sum(words[-1] == reason.query for reason, words in parsed) >= 0.5 * len(own)


SHORT = {"data__limit": 480, "optimizer__lr": 0.003, "optimizer__warmup": 0.1}


@pytest.mark.slow
def test_only_the_reasons_that_are_asked_for_are_learnt(model: str, data: str, tmp_path: Path) -> None:
    found = {}
    for reasons in ("none", "direct", "comparison"):
        done = train(settings(model, data, tmp_path / reasons, reasons=reasons, **SHORT))
        assert ("train/generation" in done.figures) == (reasons != "none")
        found[reasons] = losses(done)
    assert min(found["none"].values()) > 3
    assert found["direct"]["direct"] < 2 < 3 < found["direct"]["comparison"]
    assert found["comparison"]["comparison"] < 2 < 3 < found["comparison"]["direct"]


@pytest.mark.parametrize("part", ["pairwise", "listwise", "generation"])
def test_a_part_alone(part: str, model: str, data: str, tmp_path: Path) -> None:
    weights = {name: 0.0 for name in ("pairwise", "listwise", "generation") if name != part}
    more = {f"loss__weights__{name}": value for name, value in weights.items()}
    done = train(
        settings(model, data, tmp_path / "run", **{**SHORT, "data__limit": 24, f"loss__weights__{part}": 0.5}, **more)
    )
    rows = lessons.log(tmp_path / "run")
    names = {name for row in rows for name in row}
    assert f"train/{part}" in names
    assert not names & {f"train/{name}" for name in weights}
    assert not names & {f"dev/{name}" for name in weights}
    assert all(row["train/loss"] == pytest.approx(0.5 * row[f"train/{part}"]) for row in rows if "train/loss" in row)
    # The head starts the same in each: reasons alone do not reach it.
    heads = [load_file(done.folder / "rank_head.safetensors")["weight"], RankHead(mimetic.WIDTH, seed=42).weight]
    assert torch.equal(*heads) == (part == "generation")
