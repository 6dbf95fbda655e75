"""`whyrank judge`: what it serves, what it says, what came of it."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from judging import ANN, BEN, evidence_system, settings_in, student_system, written

from ended import Ended, Run
from whyrank.config import load
from whyrank.judge.settings import JudgeSettings
from whyrank.judge.shown import SheetBody, sheet_of
from whyrank.judge.store import Judgements
from whyrank.judge.study import Study, open_study

START_S = 60


@pytest.fixture
def judge(run: Run) -> Run:
    def called(*args: object) -> Ended:
        return run("judge", *args)

    return called


@pytest.fixture
def experiment(tmp_path: Path) -> str:
    systems = written(tmp_path, {"evidence-own": evidence_system(), "student-own": student_system()})
    own = {"title": "Which?", "systems": systems, "store": str(tmp_path / "judged.sqlite"), "port": 0}
    (tmp_path / "exp.yaml").write_text(yaml.safe_dump(own))
    return "exp.yaml"


def answered(study: Study, judges: tuple[str, ...] = (ANN, BEN)) -> None:
    """Each judge answers everything."""
    with Judgements(study.settings.store, study.fixed) as store:
        for number, judge in enumerate(judges):
            for place, item in enumerate(study.items):
                given: dict[str, Any] = {"judge": judge, "item": item.id, "seconds": 2.0}
                if item.kind == "grade":
                    given["grade"] = (place + number) % 4
                else:
                    asked = [question.id for question in study.settings.questions]
                    given["sides"] = [dict.fromkeys(asked, (place + n) % 3) for n, _ in enumerate(item.sides)]
                    given["better"] = 1 if item.is_pair else None
                body = SheetBody.model_validate(given)
                store.put(sheet_of(body, item, judge, study.settings, "2026-11-22T00:00:00+00:00"))


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return open_study(settings_in(tmp_path))


@pytest.fixture
def serving(tmp_path: Path, experiment: str) -> Iterator["subprocess.Popen[str]"]:
    args = [sys.executable, "-m", "whyrank", "judge", experiment]
    process = subprocess.Popen(args, stderr=subprocess.PIPE, text=True, cwd=tmp_path)
    yield process
    if process.poll() is None:
        process.kill()
    process.communicate()


def test_a_page_is_served_until_it_is_told_to_stop(serving: "subprocess.Popen[str]", tmp_path: Path) -> None:
    assert serving.stderr is not None
    told = re.search(r"(\d+) items to judge at (http://127\.0\.0\.1:\d+); Ctrl-C stops", serving.stderr.readline())
    assert told is not None
    url = told[2]
    given = httpx.post(f"{url}/v1/next", json={"judge": ANN}, timeout=START_S).json()
    assert given["left"] == int(told[1])
    body = {"judge": ANN, "item": given["item"]["id"], "seconds": 1.5, "grade": 2}
    assert httpx.post(f"{url}/v1/answer", json=body, timeout=START_S).json()["done"] == 1
    serving.send_signal(signal.SIGTERM)
    assert serving.wait(START_S) == 0
    assert "Traceback" not in serving.stderr.read()
    study = open_study(settings_in(tmp_path))
    with Judgements(study.settings.store, study.fixed, create=False) as store:
        assert [(answer.judge, answer.value) for answer in store.answers()] == [(ANN, 2)]


def test_a_report_shows_what_was_said(judge: Run, experiment: str, study: Study) -> None:
    answered(study)
    ended = judge(experiment, "--report")
    assert (ended.code, ended.err) == (0, "")
    for told in ("Progress", ANN, "evidence-own", "student-own", "Do judges agree?"):
        assert told in ended.out


@pytest.mark.parametrize("name", ["report.md", "report.tex", "report.csv", "report.json", "report.html", "report.txt"])
def test_a_report_is_written_in_the_form_that_its_name_says(
    judge: Run, experiment: str, study: Study, tmp_path: Path, name: str
) -> None:
    answered(study)
    ended = judge(experiment, "-o", name)
    assert (ended.code, ended.out) == (0, ""), ended.err
    text = (tmp_path / name).read_text(encoding="utf-8")
    assert "student-own" in text
    assert text.startswith("<!doctype html>") == name.endswith(".html")
    assert f"wrote {name}, as " in ended.err


def test_what_was_said_goes_straight_into_evaluate(
    judge: Run, run: Run, experiment: str, study: Study, tmp_path: Path
) -> None:
    answered(study)
    ended = judge(experiment, "--export", "judged", "-q")
    assert (ended.code, ended.out, ended.err) == (0, "", "")
    lines = (tmp_path / "judged" / "answers.jsonl").read_text(encoding="utf-8").splitlines()
    assert {json.loads(line)["judge"] for line in lines} == {ANN, BEN}
    measured = run("evaluate", "evidence-own.jsonl", "student-own.jsonl", "--qrels", "judged/qrels.trec", "-f", "json")
    assert measured.code == 0, measured.err
    assert "student-own" in measured.out


def test_a_report_before_anybody_has_judged_makes_no_store(judge: Run, experiment: str, tmp_path: Path) -> None:
    ended = judge(experiment, "--report")
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert "nobody has judged yet" in ended.err
    assert not (tmp_path / "judged.sqlite").exists()
    study = open_study(settings_in(tmp_path))
    answered(study, judges=())
    ended = judge(experiment, "--report")
    assert (ended.code, ended.err) == (0, "")
    assert "by none yet: 15" in ended.out


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["-c", "dept=3"], "no setting 'dept', did you mean depth or port?"),
        (["-c", "questions=[{id: grade, ask: x, answers: [a, b]}]"], "a question has the id 'grade'"),
        (["-c", "systems={a: absent.jsonl}"], "absent.jsonl: no such file"),
        (["-c", "exp.yaml"], "--config names the file exp.yaml"),
        (["-c", "store=absent/judged.sqlite"], "does not exist; create it first"),
        (["-c", "store=exp.yaml"], "exp.yaml: is no store of judgements"),
        (["--judge", "x" * 99], "a judge's name has 1 to 60 characters, not 99"),
        (["-c", "token=env:WHYRANK_NO_TOKEN"], "WHYRANK_NO_TOKEN is not set"),
        (["--report", "-f", "pdf"], "no report format called 'pdf'"),
        (["--report", "-o", "report.doc"], "no report format by the name called '.doc'"),
        (["--host", "256.0.0.1"], "256.0.0.1:0 cannot be listened at"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(judge: Run, experiment: str, args: list[str], told: str) -> None:
    ended = judge(experiment, "-q", *args)
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert told in ended.err


@pytest.mark.parametrize("name", ["judged.sqlite", "exp.yaml", "evidence-own.jsonl"])
def test_a_report_takes_no_place_of_what_it_rests_on(
    judge: Run, experiment: str, study: Study, tmp_path: Path, name: str
) -> None:
    answered(study)
    before = (tmp_path / name).read_bytes()
    ended = judge(experiment, "-f", "json", "-o", tmp_path / name)
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert f"{name}: is read by this experiment" in ended.err
    assert (tmp_path / name).read_bytes() == before


def test_an_export_takes_no_place_of_what_it_rests_on(judge: Run, experiment: str, tmp_path: Path) -> None:
    (tmp_path / "judged").mkdir()
    store = tmp_path / "judged" / "answers.jsonl"
    answered(open_study(settings_in(tmp_path, store=str(store))))
    ended = judge(experiment, "--export", "judged", "-c", f"store={store}")
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert "answers.jsonl: is read by this experiment" in ended.err
    assert store.read_bytes().startswith(b"SQLite")


@pytest.mark.parametrize("option", ["--output", "--export"])
def test_a_file_without_a_name_serves_no_page(judge: Run, experiment: str, option: str) -> None:
    ended = judge(experiment, "-q", option, "")
    assert ended.code == 2
    assert f"{option} names no place" in ended.err


def test_another_experiment_is_refused_by_what_differs(judge: Run, experiment: str, study: Study) -> None:
    answered(study)
    ended = judge(experiment, "-c", "grades=[]")
    assert ended.code == 2
    assert "holds answers to another experiment: grades was" in ended.err


@pytest.mark.parametrize("package", ["fastapi", "uvicorn", "prometheus_client"])
def test_what_is_not_installed_is_told(
    judge: Run, experiment: str, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    ended = judge(experiment, "-q")
    assert ended.code == 2
    assert f"the page for judges needs {package}: pip install 'whyrank[serve]'" in ended.err


def test_the_page_of_the_documents_tells_every_setting_and_its_default(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "howto" / "judge.md").read_text(encoding="utf-8")
    [shown] = re.findall(r"^```yaml exp.yaml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    (tmp_path / "exp.yaml").write_text(shown, encoding="utf-8")
    settings = load(JudgeSettings, tmp_path / "exp.yaml")
    assert settings == JudgeSettings(systems=settings.systems)
    for name in JudgeSettings.model_fields:
        assert re.search(rf"^{name}: |`{name}`|{name}=|--{name}", page, re.MULTILINE), name


def test_help_names_examples(judge: Run) -> None:
    code, out, _ = judge("--help")
    assert code == 0
    assert "whyrank judge exp.yaml --report" in out
