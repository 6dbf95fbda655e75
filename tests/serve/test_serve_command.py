"""The command: what it says to settings that it cannot serve."""

import sys

import pytest

from ended import Run
from whyrank.config import load
from whyrank.serve.settings import Served, ServeSettings


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["-c", "limits.document=3"], "no setting 'limits.document', did you mean documents"),
        (["-c", "port=99999"], "'port' is 99999"),
        (["-c", "models=[]"], "'models' is"),
        (["-c", "models=[student, student]"], "two models are called 'student'"),
        (["-c", "token=geheim"], "'token' is a secret: write env:NAME"),
        (["-c", "token=env:WHYRANK_NO_TOKEN"], "the environment variable WHYRANK_NO_TOKEN is not set"),
        (["-c", "corpora={papers: nowhere}"], "nowhere"),
        (["--ranker", "studnet"], "did you mean student"),
        (["-c", "one.yaml", "-c", "two.yaml"], "--config names 2 files"),
    ],
)
def test_what_cannot_be_served_is_told_in_a_line(run: Run, args: list[str], told: str) -> None:
    ended = run("serve", "-q", *args)
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert told in ended.err


@pytest.mark.parametrize("package", ["fastapi", "uvicorn", "prometheus_client"])
def test_what_is_not_installed_is_told(run: Run, monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    ended = run("serve")
    assert ended.code == 2
    assert f"the server needs {package}: pip install 'whyrank[serve]'" in ended.err


def test_models_are_called_as_a_person_would() -> None:
    settings = load(ServeSettings, None, ["models=[student, {ranker: evidence, name: fast, aliases: [x]}]"])
    assert [served.label for served in settings.models] == ["student", "fast"]
    model = load(ServeSettings, None, ["models=[{model: {name: 'openai:gpt-4.1-mini'}}]"]).models[0]
    assert model.label == "gpt-4.1-mini"
    assert Served().label == "student"
