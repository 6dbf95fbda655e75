"""`whyrank teach`: asking durably, and what becomes of the answers; against a server on this machine."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ended import Ended, Lines, Run
from whyrank.cli.messages import say
from whyrank.cli.teach_progress import EVERY_S, line, watching
from whyrank.teach.asking import Outcome
from whyrank.teach.records import read_records
from whyrank.teach.store import Store
from whyrank.types import Usage

pytest.importorskip("openai")
from faults import Faults, answer, refused_url

GROUPS = ("ask", "score", "export", "import", "stats", "filter", "batch write", "batch read")
USED = {"usage": {"prompt_tokens": 500, "completion_tokens": 1500, "total_tokens": 2000}}


class Model(Faults):
    """Ranks any list the other way round, with reasons; or says what it is told to."""

    def __init__(self) -> None:
        super().__init__(lambda number: answer(self.said(self.requests[number].body)) | USED)
        self.always = ""

    def said(self, body: dict[str, Any]) -> str:
        count = sum(turn["content"].startswith("Received passage") for turn in body["messages"])
        items = [
            {"identifier": n, "direct_reason": f"Why {n}.", "listwise_reason": "Better.", "direct_answer_sentence": ""}
            for n in range(count, 0, -1)
        ]
        return self.always or json.dumps({"ranked_passages": items})


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Model]:
    monkeypatch.setenv("WHYRANK_CACHE", str(tmp_path / "answers.sqlite"))
    with Model() as server:
        yield server


@pytest.fixture
def rankings(lines: Lines) -> str:
    """Three queries with seven candidates: two lists of five each."""
    return lines(
        "rankings.jsonl",
        [
            {"query": f"question {query}", "documents": [f"text {query} {number}" for number in range(7)]}
            for query in range(3)
        ],
    )


@pytest.fixture
def ask(run: Run, model: Model, rankings: str) -> Run:
    def called(*args: object) -> Ended:
        return run("teach", "ask", rankings, "-m", "openai:m", "--url", model.url, "--store", "teacher.db", *args)

    return called


def test_asking_keeps_every_answer_and_asks_nothing_twice(run: Run, model: Model, ask: Run) -> None:
    code, out, err = ask()
    assert (code, out) == (0, "")
    assert "teacher.db: 6 of 6 lists have a record; now came 6 ok; cost unknown" in err
    assert len(model.requests) == 6
    assert "name: openai:m" in Path("teacher.db.settings.yaml").read_text(encoding="utf-8")
    code, _, err = ask()
    assert (code, len(model.requests)) == (0, 6)
    assert "6 of 6 lists have a record; now came nothing new" in err
    assert run("teach", "export", "teacher.db", "out.jsonl").code == 0
    records = read_records("out.jsonl")
    assert [record.order for record in records] == [(4, 3, 2, 1, 0)] * 6
    assert {record.query.text for record in records} == {"question 0", "question 1", "question 2"}
    assert records[0].reasons[4].direct == "Why 5."


def test_lists_follow_the_flags(model: Model, ask: Run) -> None:
    assert ask("--depth", "4", "--window", "2", "--negatives", "1", "--shuffles", "1", "--mode", "ranking").code == 0
    with Store("teacher.db") as store:
        records = list(store.records())
    assert len(records) == 3 * 2 * 2
    assert {len(record.documents) for record in records} == {3}
    assert {record.prompt for record in records} == {"r2r-ranking"}


def test_a_dry_run_asks_nothing_and_makes_no_store(model: Model, ask: Run) -> None:
    code, out, _ = ask("--dry-run", "-c", "model.price=[2, 8]")
    assert (code, model.requests, Path("teacher.db").exists()) == (0, [], False)
    assert re.search(r"^lists +6, of which 0 are in the store$", out, re.MULTILINE)
    assert re.search(r"^calls +6$", out, re.MULTILINE)
    assert re.search(r"^answers +about 4,950 tokens; 18,000 if", out, re.MULTILINE)
    assert re.search(r"^cost +about \$0\.0\d+; \$0\.\d+ if each", out, re.MULTILINE)
    ask()
    assert "6, of which 6 are in the store" in ask("--dry-run").out
    assert "cost       unknown" in ask("--dry-run", "--seed", "1", "--window", "3").out


def test_a_budget_ends_it_with_3_and_the_same_command_goes_on(model: Model, ask: Run) -> None:
    flags = ("--concurrency", "1", "-c", "model.price=[1, 1]", "--max-cost", "0.0125")
    code, _, err = ask(*flags)
    first = len(model.requests)
    assert code == 3
    assert 0 < first < 6
    assert f"{6 - first} lists are left: the budget has no room for them; the same command goes on from here" in err
    assert "× BudgetSpent: openai:m" in err
    for _ in range(6):
        code, _, err = ask(*flags)
        if code == 0:
            break
    assert (code, len(model.requests)) == (0, 6)
    with Store("teacher.db") as store:
        assert len(store) == 6
        assert sum(record.usage.cost or 0.0 for record in store.records()) == pytest.approx(6 * 2000 / 1e6)


def test_a_server_that_does_not_answer_ends_it_with_3(run: Run, rankings: str) -> None:
    flags = ("--url", refused_url(), "-c", "model.retries=0", "--store", "teacher.db")
    code, _, err = run("teach", "ask", rankings, "-m", "openai:m", *flags)
    assert code == 3
    assert "6 lists are left: nobody answered for them; the same command goes on from here" in err
    assert "× ModelUnavailable" in err


def test_a_server_that_denies_access_is_an_error(run: Run, rankings: str) -> None:
    with Faults(lambda _: (401, "wrong key")) as server:
        code, _, err = run("teach", "ask", rankings, "-m", "openai:m", "--url", server.url, "--store", "teacher.db")
    assert code == 2
    assert "denies access" in err


def test_answers_that_rank_nothing_are_counted_and_can_be_asked_for_again(run: Run, model: Model, ask: Run) -> None:
    model.always = "I'm sorry, but I cannot rank these."
    code, _, err = ask("-c", "model.cache=off")
    assert code == 0
    assert "now came 6 refused" in err
    assert "6 of the answers that came rank nothing" in err
    code, out, _ = run("teach", "filter", "teacher.db", "kept.jsonl", "--keep", "usable", "--json")
    assert (code, json.loads(out)) == (0, {"given": 6, "kept": 0, "dropped": {"usable": 6}})
    model.always = ""
    assert "now came nothing new" in ask("-c", "model.cache=off").err
    assert "now came 6 ok" in ask("-c", "model.cache=off", "--retry").err


def test_what_is_not_shown_is_said(run: Run, model: Model, lines: Lines) -> None:
    given = [
        {"query": "one", "documents": ["a", "", "b"]},
        {"query": "two", "documents": ["a", " "]},
        {"query": " ", "documents": ["a", "b"]},
    ]
    name = lines("odd.jsonl", given)
    _, _, err = run("teach", "ask", name, "-m", "openai:m", "--url", model.url, "--store", "teacher.db")
    assert "candidates without text are not shown: 2" in err
    assert "queries with fewer than two candidates have no list: 1" in err
    assert "1 of 1 lists" in err


def test_labels_come_with_the_records(ask: Run) -> None:
    Path("qrels.trec").write_text("1 0 1 2\n1 0 3 0\n", encoding="utf-8")
    assert ask("--qrels", "qrels.trec").code == 0
    with Store("teacher.db") as store:
        labels = {(record.query.id, record.documents[0].id): dict(record.labels) for record in store.records()}
    assert labels["1", "1"] == {"1": 2.0, "3": 0.0}
    assert labels["1", "3"] == {"3": 0.0}
    assert labels["2", "1"] == {}


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--store", "t.db"], "no teacher; name a language model, such as --model openai:gpt-4.1"),
        (["--store", "t.db", "-m", "gpt-4"], "'gpt-4' names no backend"),
        (["--store", "t.db", "-m", "openai:m", "--mode", "all"], "'mode' is 'all'"),
        (["--store", "t.db", "-m", "openai:m", "--window", "3", "--stride", "4"], "wider than the window"),
        (["--store", "t.db", "-m", "openai:m", "-c", "windw=3"], "no setting 'windw'"),
        (["--store", "no/t.db", "-m", "openai:m", "--url", "http://127.0.0.1:9"], "create it first"),
        (["--store", "rankings.jsonl", "-m", "openai:m", "--url", "http://127.0.0.1:9"], "no store of teacher records"),
        (["--store", "t.db", "-m", "openai:m", "--url", "http://127.0.0.1:9", "--max-cost", "1"], "price"),
    ],
)
def test_wrong_usage_says_what_to_do(run: Run, rankings: str, flags: list[str], message: str) -> None:
    code, out, err = run("teach", "ask", rankings, *flags)
    assert (code, out) == (2, "")
    assert message in err


def test_documents_are_no_candidates(run: Run, lines: Lines) -> None:
    name = lines("documents.jsonl", [{"id": "a", "text": "b"}])
    code, _, err = run("teach", "ask", name, "-m", "openai:m", "--store", "t.db")
    assert code == 2
    assert "--run takes candidates" in err


# Files


def test_a_batch_goes_out_and_comes_back(run: Run, model: Model, ask: Run, rankings: str) -> None:
    flags = ("-m", "openai:m", "--url", model.url)
    code, _, err = run("teach", "batch", "write", rankings, *flags[:2], "-c", f"model.url={model.url}", "-o", "b.jsonl")
    assert (code, model.requests) == (0, [])
    assert "wrote b.jsonl: 6 requests" in err
    sent = [json.loads(text) for text in Path("b.jsonl").read_text(encoding="utf-8").splitlines()]
    back = [
        {
            "custom_id": one["custom_id"],
            "response": {"status_code": 200, "body": answer(model.said(one["body"])) | USED},
        }
        for one in sent
    ]
    write_lines("output.jsonl", [*back[:4], {**back[0], "custom_id": "of another batch"}])
    code, _, err = run("teach", "batch", "read", "b.jsonl", "output.jsonl", "--store", "teacher.db")
    assert code == 3
    assert "4 of 6 lists have a record" in err
    assert "1 answers belong to no request of b.jsonl" in err
    code, _, err = run("teach", "batch", "read", "b.jsonl", "output.jsonl", "--store", "teacher.db")
    assert "4 of 6 lists have a record; now came nothing new" in err
    write_lines("rest.jsonl", back[4:])
    assert run("teach", "batch", "read", "b.jsonl", "rest.jsonl", "output.jsonl", "--store", "teacher.db").code == 0
    assert "now came nothing new" in ask().err  # the very requests that teach ask would make
    assert model.requests == []
    more = ("-c", f"model.url={model.url}", "--store", "teacher.db", "-o", "c.jsonl")
    assert "0 requests" in run("teach", "batch", "write", rankings, *flags[:2], *more).err


def test_a_batch_of_other_settings_is_refused(run: Run, model: Model, rankings: str) -> None:
    flags = ("-m", "openai:m", "-c", f"model.url={model.url}", "-o", "b.jsonl", "-q")
    assert run("teach", "batch", "write", rankings, *flags).code == 0
    settings = Path("b.jsonl.settings.yaml")
    settings.write_text(settings.read_text(encoding="utf-8").replace("mode: both", "mode: direct"), encoding="utf-8")
    Path("output.jsonl").write_text("", encoding="utf-8")
    code, _, err = run("teach", "batch", "read", "b.jsonl", "output.jsonl", "--store", "teacher.db")
    assert code == 2
    assert "written for another teacher" in err


def test_a_batch_can_be_written_for_a_model_that_refuses_fields(run: Run, model: Model, rankings: str) -> None:
    flags = ("-m", "openai:m", "-c", f"model.url={model.url}", "-o", "b.jsonl", "-q")
    adapted = ("--adapt", "max_tokens", "--adapt", "temperature")
    assert run("teach", "batch", "write", rankings, *flags, *adapted).code == 0
    bodies = [json.loads(text)["body"] for text in Path("b.jsonl").read_text(encoding="utf-8").splitlines()]
    assert all("max_completion_tokens" in body and not {"max_tokens", "temperature"} & body.keys() for body in bodies)
    code, _, err = run("teach", "batch", "write", rankings, *flags, "--adapt", "max_token")
    assert code == 2
    assert "did you mean max_tokens?" in err


def test_a_batch_is_not_written_over_another_one(run: Run, model: Model, rankings: str) -> None:
    flags = ("-m", "openai:m", "-c", f"model.url={model.url}", "-o", "b.jsonl", "-q")
    assert run("teach", "batch", "write", rankings, *flags).code == 0
    before = Path("b.jsonl.lists.jsonl").read_bytes()
    assert run("teach", "batch", "write", rankings, *flags).code == 0  # the same requests
    code, _, err = run("teach", "batch", "write", rankings, *flags, "--mode", "direct")
    assert code == 2
    assert "b.jsonl: is a batch of 6 other requests" in err
    assert Path("b.jsonl.lists.jsonl").read_bytes() == before


@pytest.mark.parametrize("name", ["anthropic:claude", "m"])
def test_a_batch_is_for_a_model_that_takes_its_form(name: str, run: Run, rankings: str) -> None:
    code, _, err = run("teach", "batch", "write", rankings, "-m", name, "-o", "b.jsonl")
    assert code == 2
    assert f"the model '{name}' takes no batch files of OpenAI's form" in err
    assert not list(Path().glob("b.jsonl*"))


def write_lines(path: str, values: list[Any]) -> None:
    Path(path).write_text("".join(json.dumps(value) + "\n" for value in values), encoding="utf-8")


def test_stats_of_stores_and_lines(run: Run, ask: Run) -> None:
    ask()
    run("teach", "export", "teacher.db", "out.jsonl.gz", "-q")
    code, out, _ = run("teach", "stats", "teacher.db")
    assert code == 0
    assert re.search(r"^lists +6\b", out, re.MULTILINE)
    rows = json.loads(run("teach", "stats", "teacher.db", "out.jsonl.gz", "--json").out)
    assert rows[0] == {"name": "lists", "value": "12", "of": "", "share": ""}


def test_filters_count_what_they_drop(run: Run, ask: Run) -> None:
    ask()
    code, out, _ = run("teach", "filter", "teacher.db", "kept.jsonl", "--keep", "usable", "--keep", "reasons")
    assert code == 0
    assert re.search(r"^dropped by reasons +0$", out, re.MULTILINE)
    assert re.search(r"^kept +6$", out, re.MULTILINE)
    assert len(read_records("kept.jsonl")) == 6
    code, out, _ = run("teach", "filter")
    assert code == 0
    assert "quotes=1" in out
    for args, message in (
        (("teacher.db",), "no file to write"),
        (("teacher.db", "o.jsonl"), "no filter"),
        (("teacher.db", "o.jsonl", "--keep", "usble"), "did you mean usable"),
        (("absent.db", "o.jsonl", "--keep", "usable"), "no such file"),
    ):
        code, _, err = run("teach", "filter", *args)
        assert code == 2
        assert message in err


def test_imports_go_to_a_store_or_a_file(run: Run, ask: Run, lines: Lines) -> None:
    ask()
    run("teach", "export", "teacher.db", "out.jsonl", "-q")
    assert "6 records added, 0 were there" in run("teach", "import", "records", "out.jsonl", "--store", "new.db").err
    assert "0 records added, 6 were there" in run("teach", "import", "records", "out.jsonl", "--store", "new.db").err
    recorded = {
        "query": "why", "qid": "7", "unsorted_docs": ["a", "b"], "re_rank_id": [2, 1],
        "reason": {"ranked_passages": []},
    }  # fmt: skip
    name = lines("r2r.jsonl", [recorded])
    assert run("teach", "import", "r2r", name, "-o", "r2r-records.jsonl").code == 0
    assert read_records("r2r-records.jsonl")[0].order == (1, 0)
    assert "r2r" in run("teach", "import").out
    for args, message in (
        (("r2r",), "no file"),
        (("r2r", name), "say where the records go"),
        (("r2r", name, "-o", "x", "--store", "y"), "say where the records go"),
        (("r2s", name, "-o", "x"), "did you mean r2r"),
    ):
        code, _, err = run("teach", "import", *args)
        assert code == 2
        assert message in err


def test_a_damaged_store_can_be_salvaged(run: Run, ask: Run) -> None:
    ask()
    path = Path("teacher.db")
    path.write_bytes(path.read_bytes()[:-4096])
    code, _, err = run("teach", "export", "teacher.db", "out.jsonl")
    assert code == 2
    assert "whyrank teach export --salvage teacher.db" in err
    assert not Path("out.jsonl").exists()
    code, _, err = run("teach", "export", "--salvage", "teacher.db", "out.jsonl")
    saved = len(read_records("out.jsonl"))
    assert (code, 0 < saved < 6) == (3, True)
    assert f"teacher.db: is damaged; {6 - saved} of its 6 records cannot be read" in err


def test_versions_do_not_mix(run: Run, ask: Run) -> None:
    ask()
    run("teach", "export", "teacher.db", "out.jsonl", "-q")
    text = Path("out.jsonl").read_text(encoding="utf-8").splitlines()
    text[3] = text[3].replace("whyrank-teacher/1", "whyrank-teacher/2")
    Path("mixed.jsonl").write_text("\n".join(text), encoding="utf-8")
    for command in (("stats", "mixed.jsonl"), ("filter", "mixed.jsonl", "o.jsonl", "--keep", "usable")):
        code, _, err = run("teach", *command)
        assert code == 2
        assert "mixed.jsonl:4: a record of schema 'whyrank-teacher/2'" in err


# Help and progress


@pytest.mark.parametrize("command", GROUPS)
def test_every_command_has_help_with_an_example(run: Run, command: str) -> None:
    code, out, _ = run("teach", *command.split(), "--help")
    assert code == 0
    assert f"whyrank teach {command}" in out
    for panel in out.split("╭─")[1:]:
        assert sum(row.startswith(("│ --", "│    --", "│ *  --")) for row in panel.splitlines()) <= 14


def test_the_group_lists_its_commands(run: Run) -> None:
    code, out, _ = run("teach", "--help")
    assert code == 0
    for command in GROUPS:
        assert f"│ {command.split()[0]} " in out
    assert run("teach", "aks").code == 2


def outcome(done: int, seconds: float, cost: float | None) -> Outcome:
    made = Outcome(1_000, 100, usage=Usage(cost=cost), seconds=seconds)
    made.records["ok"] += done
    return made


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (outcome(100, 60.0, 2.0), "100 lists a minute, $2.00 so far, about $16.00 to come, 8 min left"),
        (outcome(1, 30.0, 0.01), "2.0 lists a minute, $0.0100 so far, about $8.99 to come, 7 h 30 min left"),
        (outcome(890, 890.0, None), "60 lists a minute, cost unknown so far, 10 s left"),
        (outcome(0, 0.0, 0.0), "$0.00 so far"),
    ],
)
def test_how_far_it_is(made: Outcome, words: str) -> None:
    assert line(made) == words


def test_a_log_gets_a_line_a_minute(capsys: pytest.CaptureFixture[str]) -> None:
    with watching() as told:
        assert told is not None
        for seconds in (1.0, EVERY_S, EVERY_S + 1, 2 * EVERY_S + 1):
            told(outcome(int(seconds), seconds, 1.0))
    said = capsys.readouterr().err.splitlines()
    assert [text.partition(" lists: ")[0] for text in said] == ["160 of 1,000", "221 of 1,000"]
    with watching(quiet=True) as told:
        assert told is None


def test_a_terminal_has_a_bar(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("whyrank.cli.teach_progress.is_live", lambda: True)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("FORCE_COLOR", "1")
    with watching() as told:
        assert told is not None
        told(outcome(100, 60.0, 2.0))
    say("end")
    assert "200/1000" in capsys.readouterr().err
