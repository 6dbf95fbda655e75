"""The model card says what a student learnt from, how, and how well it does."""

from dataclasses import replace
from pathlib import Path

import lessons
import pytest
import yaml

from whyrank.config import load
from whyrank.rankers.student_folder import Lora, Manifest
from whyrank.rankers.student_prompt import PromptSettings
from whyrank.train.card import Run, facts, last_figures, render
from whyrank.train.examples import prepare
from whyrank.train.settings import TrainSettings
from whyrank.types import Query

STUDENT = Manifest("maker/base-1b", "0123abc", "f00d", Lora(), PromptSettings())
ROWS = [
    {"step": 0, "dev/loss": 2.0, "dev/nDCG@10": 0.5},
    *({"step": n, "train/loss": 2.0 - n / 20, "train/lr": 0.1, "train/seconds": 1.0} for n in range(1, 21)),
    {"step": 20, "dev/loss": 1.0, "dev/nDCG@10": 0.875},
]


@pytest.fixture
def settings(tmp_path: Path) -> TrainSettings:
    values = {"card.license": "apache-2.0", "card.base_license": "llama3.1", "card.name": "sky-ranker"}
    return lessons.settings("maker/base-1b", "data", tmp_path / "run", values)


@pytest.fixture
def run(settings: TrainSettings) -> Run:
    records = [*lessons.records(5), lessons.record(9, status="refused", order=(), reasons=())]
    data = prepare(records, settings.data, settings.kinds, seed=1)
    return Run(data, prepare(lessons.records(2), settings.data, settings.kinds, seed=1), ROWS, 2)


def test_what_it_says(settings: TrainSettings, run: Run) -> None:
    card = render(settings, STUDENT, run)
    for told in (
        "# sky-ranker",
        "direct and comparison reasons",
        "| lists | 5 of 6 records |",
        "| documents | 14 |",
        "| direct reasons | 14 |",
        "| comparison reasons | 9 |",
        "| left out: records of status 'refused': the answer ranked nothing | 1 |",
        "| teachers | made-up |",
        "| this adapter | apache-2.0 |",
        "| the base model | llama3.1 |",
        "| queries, documents and the teacher's answers | not stated |",
        "| dev/nDCG@10 | 0.5000 | 0.8750 |",
        "| train/loss | 1.9250 | 1.0250 |",
        "by the teacher's order",
        "| model | maker/base-1b |",
        "| revision | 0123abc |",
        "| processes | 2 |",
    ):
        assert told in card
    assert "train/seconds" not in card


def test_its_head_is_metadata_and_its_settings_are_settings(settings: TrainSettings, run: Run, tmp_path: Path) -> None:
    card = render(settings, STUDENT, run)
    head = yaml.safe_load(card.split("---\n")[1])
    assert (head["base_model"], head["license"], head["language"]) == ("maker/base-1b", "apache-2.0", ["en"])
    [shown] = [part.removeprefix("yaml\n") for part in card.split("```") if part.startswith("yaml\n")]
    (tmp_path / "shown.yaml").write_text(shown, encoding="utf-8")
    assert load(TrainSettings, tmp_path / "shown.yaml") == settings


def test_a_licence_that_nobody_gave_is_not_made_up(run: Run, tmp_path: Path) -> None:
    settings = lessons.settings("maker/base-1b", "data", tmp_path / "runs" / "first")
    card = render(settings, STUDENT, run._replace(dev=None, rows=ROWS[1:-1]))
    assert "license" not in yaml.safe_load(card.split("---\n")[1])
    assert "| this adapter | not stated |" in card
    assert "# first\n" in card
    assert "nDCG" not in card.split("## Settings")[0]


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"reasons": "both"}, "and direct and comparison reasons, as in"),
        ({"reasons": "comparison"}, "and comparison reasons, as in"),
        ({"reasons": "none"}, "and no reasons, as in"),
        ({"reasons": "both", "loss.weights.generation": 0}, "and no reasons, as in"),
    ],
)
def test_which_reasons_were_learnt(values: dict[str, object], told: str, run: Run, tmp_path: Path) -> None:
    settings = lessons.settings("maker/base-1b", "data", tmp_path / "run", values)
    assert told in render(settings, STUDENT, run)


def test_a_base_in_a_folder_is_called_as_the_folder_is(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "models" / "base-1b"
    folder.mkdir(parents=True)
    card = render(lessons.settings(str(folder), "data", Path("run")), replace(STUDENT, base=str(folder)), run)
    assert str(tmp_path) not in card
    assert yaml.safe_load(card.split("---\n")[1])["base_model"] == "base-1b"
    assert "A reranker on base-1b (LoRA" in card
    assert "| model | base-1b |" in card


def test_lists_that_are_in_both_files_are_counted(settings: TrainSettings, run: Run) -> None:
    assert "| lists whose query is also learnt from | 2 |" in render(settings, STUDENT, run)
    other = prepare([lessons.record(1, query=Query("q", "who"))], settings.data, settings.kinds, seed=1)
    assert "also learnt from" not in render(settings, STUDENT, run._replace(dev=other))


def test_facts_for_programs(settings: TrainSettings, run: Run) -> None:
    told = facts(settings, run)
    assert (told["lists"], told["seed"], told["steps"]) == (5, 42, 20)
    assert told["figures"]["dev/nDCG@10"] == 0.875
    assert told["data_sha256"] == run.data.digest
    assert last_figures([{"step": 1, "a": 1.0, "b": 2.0}, {"step": 2, "a": 3.0}]) == {"a": 3.0, "b": 2.0}
