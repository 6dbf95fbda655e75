"""Each recipe is read as it is; the tiny ones are run."""

import json
import shutil
from pathlib import Path

import lessons
import pytest

from whyrank.config import load
from whyrank.train.loop import train
from whyrank.train.settings import TrainSettings

RECIPES = sorted((Path(__file__).parents[2] / "recipes").glob("*.yaml"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_is_read(path: Path) -> None:
    found = load(TrainSettings, path)
    assert found.output in (f"runs/{path.stem}", "run")
    assert path.read_text(encoding="utf-8").startswith("# ")


def test_the_published_settings_are_the_papers() -> None:
    found = load(TrainSettings, next(path for path in RECIPES if path.stem == "r2r-llama-3.1-8b"))
    assert found.model.base == "meta-llama/Llama-3.1-8B"
    weights = {"pairwise": 0.4, "listwise": 0.4, "distillation": 0.0, "generation": 0.2}
    assert found.loss.weights.model_dump() == weights
    assert (found.lora.r, found.lora.alpha, found.lora.targets) == (8, 32, ("q_proj", "v_proj"))
    assert (found.optimizer.lr, found.optimizer.gamma, found.model.max_tokens, found.seed) == (1e-4, 0.85, 618, 42)


@pytest.mark.parametrize("size", ["3b", "8b"])
def test_the_settings_of_dear_are_the_papers(size: str) -> None:
    found = load(TrainSettings, next(path for path in RECIPES if path.stem == f"dear-stage1-{size}"))
    assert found.model.base == {"3b": "meta-llama/Llama-3.2-3B", "8b": "meta-llama/Llama-3.1-8B"}[size]
    pair = found.model.format
    assert (pair.query, pair.document, pair.joined) == ("query: {query}", "document: {document}", "plain")
    assert (pair.query_tokens, pair.document_tokens, pair.max_tokens) == (32, 196, 228)
    weights = {"pairwise": 0.0, "listwise": 0.9, "distillation": 0.1, "generation": 0.0}
    assert found.loss.weights.model_dump() == weights
    assert (found.loss.listwise, found.loss.distillation_temperature) == ("softmax_cross_entropy", 2.0)
    assert found.data.targets == "labels"
    assert (found.lora.r, found.lora.alpha, len(found.lora.targets)) == (16, 32, 7)
    how = found.optimizer
    assert (how.lr, how.epochs, how.warmup, how.batch * how.accumulation) == (1e-4, 2, 0.1, 16)


@pytest.mark.parametrize("name", ["tiny-both", "tiny-ranking", "tiny-distillation"])
def test_a_tiny_recipe_trains(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lessons.base(tmp_path / "base")
    scored = [lessons.record(n, documents=3, scores=(0.0, 2.0, 1.0), labels={"d1": 1.0}) for n in range(8)]
    lessons.written(tmp_path / "data", scored, scored[:2])
    [path] = [path for path in RECIPES if path.stem == name]
    shutil.copy(path, "config.yaml")
    done = train(load(TrainSettings, "config.yaml"))
    assert len(done.data.examples) == 6
    saved = json.loads((done.folder / "reranker.json").read_text(encoding="utf-8"))
    assert saved["reasons"] == {"tiny-both": "both"}.get(name, "none")
    assert ("train/generation" in done.figures) == (name == "tiny-both")
    assert ("dev/distillation" in done.figures) == (name == "tiny-distillation")
