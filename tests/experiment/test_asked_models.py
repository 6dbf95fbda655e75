"""An experiment in which a language model ranks: what is done stays done, what a budget left undone is done later."""

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from whyrank import config
from whyrank.experiment import ExperimentSettings
from whyrank.experiment import run as conduct

pytest.importorskip("openai")
from faults import Faults, answer


class Reversing(Faults):
    """Ranks every list the other way round; now and then it forgets a passage."""

    def __init__(self) -> None:
        super().__init__(self.answered)

    def answered(self, number: int) -> Any:
        last = self.requests[number].body["messages"][-1]["content"]
        count = int(re.findall(r"the (\d+) passages", last)[0])
        named = range(count, 1 if number % 3 == 0 else 0, -1)
        usage = {"prompt_tokens": 1_000, "completion_tokens": 50, "total_tokens": 1_050}
        return answer(" > ".join(f"[{i}]" for i in named)) | {"usage": usage}


def settings(folder: Path, url: str, **model: Any) -> ExperimentSettings:
    asked = {"name": "openai:reverse/it", "url": [url], "cache": "off", "concurrency": 1, **model}
    system = {"ranker": "listwise", "model": asked, "ask": {"prompt": "rankzephyr"}}
    given = {
        "dataset": "demo",
        "rankers": ["evidence", system],
        "depth": 8,
        "measures": ["nDCG@10"],
        "reasons": None,
        "output": str(folder / "results"),
    }
    (folder / "exp.yaml").write_text(yaml.safe_dump(given))
    return config.load(ExperimentSettings, folder / "exp.yaml")


def test_a_model_beside_our_own_ranker_killed_by_its_budget_and_taken_up_again(tmp_path: Path) -> None:
    with Reversing() as server:
        conduct(settings(tmp_path, server.url, max_tokens=8_000))
        first = len(server.requests)
        costs = json.loads((tmp_path / "results" / "costs.json").read_text())
        assert 0 < first < 6
        assert costs["listwise-reverse-it"]["unusable"] == 6 - first
        conduct(settings(tmp_path, server.url))
        assert len(server.requests) == 6  # those that were answered are not asked again
        costs = json.loads((tmp_path / "results" / "costs.json").read_text())["listwise-reverse-it"]
    assert (costs["calls"], costs["prompt_tokens"], costs["repaired"], costs["unusable"]) == (6, 6_000, 2, 0)
    assert costs["cost"] is None
    rows = list(csv.DictReader((tmp_path / "results" / "scores.csv").read_text().splitlines()))
    assert {row["system"] for row in rows} == {"bm25", "evidence", "listwise-reverse-it"}
    assert re.search(r"\| repaired \| unusable \|", (tmp_path / "results" / "tables.md").read_text())


def test_systems_are_named_by_their_models() -> None:
    given = {
        "dataset": "demo",
        "output": "x",
        "rankers": [{"model": {"name": "transformers:org/model-1"}}, {"ranker": "evidence"}],
    }
    labels = [system.label for system in config.checked(ExperimentSettings, given).rankers]
    assert labels == ["org-model-1", "evidence"]
