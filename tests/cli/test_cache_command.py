"""`whyrank cache`."""

import json
import sqlite3
from pathlib import Path

import pytest

from ended import Ended, Run
from whyrank.cli import app
from whyrank.lm.base import Generate, Reply, Request
from whyrank.lm.cache import Cached
from whyrank.lm.fake import Fake
from whyrank.types import Usage

PRICED, LOCAL = "openai:gpt-4.1-mini", "openai:qwen3-8b@127.0.0.1:8080"


@pytest.fixture
def cache(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    monkeypatch.setenv("WHYRANK_CACHE", str(tmp_path / "a.sqlite"))
    monkeypatch.setattr(app, "COMMANDS", {**app.COMMANDS, "cache": "Show what language models answered."})

    def called(*args: object) -> Ended:
        return run("cache", *args)

    return called


def fill(path: Path, name: str, cost: float | None, times: int, prompts: int = 3) -> None:
    def answer(_: Request) -> Reply:
        return Reply("[2] > [1]", usage=Usage(prompt_tokens=1_000, generated_tokens=20, cost=cost))

    with Cached(Fake(answer, name=name), path) as cached:
        for _ in range(1 + times):
            cached.ask([Generate(f"prompt {i}") for i in range(prompts)])


def test_no_cache_yet(cache: Run, tmp_path: Path) -> None:
    code, out, err = cache()
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        str(tmp_path / "a.sqlite"),
        "no cache yet: it is made when a language model is first asked",
    ]
    assert json.loads(cache("--json").out) == {
        "path": str(tmp_path / "a.sqlite"),
        "exists": False,
        "bytes": 0,
        "models": [],
        "removed": None,
    }
    assert cache("--clear").code == 0
    assert not (tmp_path / "a.sqlite").exists()


def test_what_is_kept_and_what_it_saved(cache: Run, tmp_path: Path) -> None:
    fill(tmp_path / "a.sqlite", PRICED, 0.0021, times=2)
    fill(tmp_path / "a.sqlite", LOCAL, None, times=1, prompts=1)
    code, out, err = cache()
    assert (code, err) == (0, "")
    path, kept, head, *models = (line.split() for line in out.splitlines())
    assert path == [str(tmp_path / "a.sqlite")]
    assert kept[:2] == ["4", "answers,"]
    assert " ".join(head) == "model answers reused tokens saved money saved last used"
    assert [tuple(row[:5]) for row in models] == [
        (PRICED, "3", "6", "6,120", "$0.0126"),
        (LOCAL, "1", "1", "1,020", "unknown"),
    ]


def test_money_is_told_as_far_as_it_is_known(cache: Run, tmp_path: Path) -> None:
    fill(tmp_path / "a.sqlite", "m", 1.25, times=2, prompts=1)
    assert "$2.50" in cache().out
    with sqlite3.connect(tmp_path / "a.sqlite") as connection:
        connection.execute("INSERT INTO answers SELECT x'00', model, kind, reply, 1, 1, NULL, 0, 0, 1 FROM answers")
    connection.close()
    assert "over $2.50" in cache().out
    [model] = json.loads(cache("--json").out)["models"]
    assert (model["cost_saved"], model["hits_unpriced"], model["hits"]) == (2.5, 1, 3)


def test_an_answer_that_was_never_used_again_saved_nothing(cache: Run, tmp_path: Path) -> None:
    fill(tmp_path / "a.sqlite", "m", None, times=0)
    assert cache().out.splitlines()[-1].split()[2:5] == ["0", "0", "$0.00"]


def test_prune_removes_what_was_not_used(cache: Run, tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    fill(path, PRICED, 0.1, times=0)
    fill(path, LOCAL, None, times=0)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE answers SET used = used - 40 * 86400 WHERE model = ? AND rowid > 1", (PRICED,))
    connection.close()
    assert cache("--prune", 41).err == "removed 0 answers\n"
    assert cache("--prune", 39, "--model", LOCAL).err == "removed 0 answers\n"
    assert cache("--prune", 39, "-q").err == ""
    assert {m["model"]: m["answers"] for m in json.loads(cache("--json").out)["models"]} == {PRICED: 1, LOCAL: 3}


def test_clear_removes_all_or_one_model(cache: Run, tmp_path: Path) -> None:
    fill(tmp_path / "a.sqlite", PRICED, 0.1, times=0)
    fill(tmp_path / "a.sqlite", LOCAL, None, times=0, prompts=1)
    ended = cache("--clear", "--model", LOCAL, "--json")
    assert (ended.code, ended.err) == (0, "removed 1 answer\n")
    assert (json.loads(ended.out)["removed"], json.loads(ended.out)["models"]) == (1, [])
    assert [m["model"] for m in json.loads(cache("--json").out)["models"]] == [PRICED]
    assert cache("--clear").err == "removed 3 answers\n"
    assert "0 answers" in cache().out


def test_what_is_wrong_is_said(cache: Run, tmp_path: Path) -> None:
    fill(tmp_path / "a.sqlite", PRICED, 0.1, times=0)
    unknown = cache("--clear", "--model", "openai:gpt-4.1-mni")
    assert unknown.code == 2
    assert f"did you mean {PRICED}?" in unknown.err
    both = cache("--clear", "--prune", 3)
    assert both.code == 2
    assert "give one of the two" in both.err
    assert cache("--prune", -1).code == 2
    (tmp_path / "d.csv").write_text("id,text\n" * 500)
    damaged = cache("--path", "d.csv", "--clear")
    assert damaged.code == 2
    assert damaged.err.startswith("error: d.csv: this is no cache")
    assert len(json.loads(cache("--json").out)["models"]) == 1


def test_names_of_models_cannot_move_the_cursor(cache: Run, tmp_path: Path) -> None:
    fill(tmp_path / "a.sqlite", "evil\x1b[2J[bold]x", 0.1, times=0)
    out = cache().out
    assert "\x1b" not in out
    assert "[bold]x" in out
