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
    assert found.loss.weights.model_dump() == {"pairwise": 0.4, "listwise": 0.4, "generation": 0.2}
    assert (found.lora.r, found.lora.alpha, found.lora.targets) == (8, 32, ("q_proj", "v_proj"))
    assert (found.optimizer.lr, found.optimizer.gamma, found.model.max_tokens, found.seed) == (1e-4, 0.85, 618, 42)


@pytest.mark.parametrize("name", ["tiny-both", "tiny-ranking"])
def test_a_tiny_recipe_trains(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lessons.base(tmp_path / "base")
    scored = [lessons.record(n, documents=3, scores=(0.0, 2.0, 1.0)) for n in range(8)]
    lessons.written(tmp_path / "data", scored, scored[:2])
    [path] = [path for path in RECIPES if path.stem == name]
    shutil.copy(path, "config.yaml")
    done = train(load(TrainSettings, "config.yaml"))
    assert len(done.data.examples) == 6
    saved = json.loads((done.folder / "reranker.json").read_text(encoding="utf-8"))
    assert saved["reasons"] == {"tiny-both": "both", "tiny-ranking": "none"}[name]
    assert ("train/generation" in done.figures) == (name == "tiny-both")
