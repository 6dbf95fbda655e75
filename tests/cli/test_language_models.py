"""Ranking with a language model from the command line, against a server on this machine."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ended import Lines, Run
from whyrank.rankers import DEFAULT

pytest.importorskip("openai")
from faults import Faults, answer

DOCUMENTS = [
    {"id": "pears", "text": "Pears do not keep. Eat them soon."},
    {"id": "apples", "text": "Apples keep for months in a cool cellar. They are sweet."},
    {"id": "pie", "text": "A pie is made of apples."},
]
QUERY = "how long do apples keep"


class Model(Faults):
    """Ranks apples first, then pie, then pears, and gives a reason for everything."""

    def __init__(self) -> None:
        super().__init__(self.answered)
        self.listwise = "[2] > [3] > [1]"

    def answered(self, number: int) -> Any:
        prompt = json.dumps(self.requests[number].body["messages"])
        if "quote_a" in prompt:
            return json.dumps(
                {"better": "A", "reason": "It says how long.", "quote_a": "Apples keep for months", "quote_b": ""}
            )
        if '\\"better\\"' in prompt:
            return json.dumps({"better": "B"})
        if '\\"quote\\"' in prompt:
            return json.dumps(
                {"reason": "It says that they keep for months.", "quote": "Apples keep for months in a cool cellar."}
            )
        return answer(self.listwise) | {"usage": {"prompt_tokens": 100, "completion_tokens": 15, "total_tokens": 115}}


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Model]:
    monkeypatch.setenv("WHYRANK_CACHE", str(tmp_path / "answers.sqlite"))
    with Model() as server:
        yield server


@pytest.fixture
def documents(lines: Lines) -> str:
    return lines("documents.jsonl", DOCUMENTS)


def test_a_model_ranks(run: Run, model: Model, documents: str) -> None:
    code, out, _ = run("rerank", QUERY, documents, "--model", "openai:m", "--url", model.url, "--format", "jsonl")
    assert code == 0
    ranking = json.loads(out)
    assert [hit["id"] for hit in ranking["hits"]] == ["apples", "pie", "pears"]
    assert (ranking["status"], ranking["usage"]["calls"], ranking["usage"]["prompt_tokens"]) == ("ok", 1, 100)
    assert ranking["usage"]["cost"] is None
    assert ranking["ranker"].startswith("listwise/rankgpt/tournament-graph/openai:m@127.0.0.1")
    assert [hit["placed"] for hit in ranking["hits"]] == [True] * 3


def test_nothing_is_asked_twice(run: Run, model: Model, documents: str) -> None:
    asked = ("rerank", QUERY, documents, "--model", "openai:m", "--url", model.url, "--format", "jsonl")
    first, second = json.loads(run(*asked).out), json.loads(run(*asked).out)
    assert len(model.requests) == 1
    assert second["hits"] == first["hits"]
    assert (second["usage"]["calls"], second["usage"]["cached_tokens"], second["usage"]["cost"]) == (1, 100, 0.0)
    assert "1" in run("cache").out
    run(*asked, "--config", "model.cache=off")
    assert len(model.requests) == 2


def test_the_price_makes_the_cost(run: Run, model: Model, documents: str) -> None:
    flags = ("--model", "openai:m", "--url", model.url, "--config", "model.price=[2, 8]", "--format", "jsonl")
    ranking = json.loads(run("rerank", QUERY, documents, *flags).out)
    assert ranking["usage"]["cost"] == pytest.approx((100 * 2 + 15 * 8) / 1e6)


def test_a_dry_run_asks_nothing(run: Run, model: Model, documents: str) -> None:
    code, out, _ = run("rerank", QUERY, documents, "--model", "openai:m", "--url", model.url, "--dry-run")
    assert code == 0
    assert model.requests == []
    assert re.search(r"calls +1$", out, re.MULTILINE)
    assert "cost       unknown" in out
    priced = run(
        "rerank", QUERY, documents, "-m", "openai:m", "--url", model.url, "--dry-run", "-c", "model.price=[2, 8]"
    )
    assert re.search(r"cost +about \$0\.00\d+; \$0\.00\d+ if each", priced.out)


def test_a_dry_run_counts_the_reasons_too(run: Run, model: Model, documents: str) -> None:
    flags = ("--model", "openai:m", "--url", model.url, "--explain", "2")
    out = run("rerank", QUERY, documents, *flags, "--dry-run").out
    calls = [int(count) for count in re.findall(r"^calls +(\d+)$", out, re.MULTILINE)]
    assert model.requests == []
    assert run("rerank", QUERY, documents, *flags, "--format", "jsonl").code == 0
    assert sum(calls) == len(model.requests) == 7  # one ranking, two reasons, two comparisons in both orders
    only = run("rerank", QUERY, documents, "--ranker", "evidence", *flags, "--dry-run").out
    assert re.search(r"^calls +6, of which [0-9] from the cache", only, re.MULTILINE)


def test_a_budget_is_kept_and_the_result_says_so(run: Run, model: Model, documents: str) -> None:
    flags = ("--model", "openai:m", "--url", model.url, "--max-tokens", "50", "--format", "jsonl")
    code, out, err = run("rerank", QUERY, documents, *flags)
    assert code == 3
    assert model.requests == []
    ranking = json.loads(out)
    assert ranking["status"] == "partial"
    assert [hit["id"] for hit in ranking["hits"]] == ["pears", "apples", "pie"]
    assert "the budget has no room" in err


def test_money_cannot_be_held_without_a_price(run: Run, model: Model, documents: str) -> None:
    code, _, err = run("rerank", QUERY, documents, "--model", "openai:m", "--url", model.url, "--max-cost", "0.10")
    assert code == 2
    assert "price" in err


def test_an_untidy_answer_is_a_status_and_strict_an_error(run: Run, model: Model, documents: str) -> None:
    model.listwise = "I cannot rank these."
    flags = ("--model", "openai:m", "--url", model.url, "--format", "jsonl")
    code, out, err = run("rerank", QUERY, documents, *flags)
    assert (code, json.loads(out)["status"]) == (3, "refused")
    assert "of 1 question: 1 without a usable answer" in err
    code, out, err = run("rerank", QUERY, documents, *flags, "--strict")
    assert (code, out) == (2, "")
    assert "is refused" in err


def test_a_repaired_answer_is_no_failure(run: Run, model: Model, documents: str) -> None:
    model.listwise = "[2] > [3]"
    code, out, _ = run("rerank", QUERY, documents, "--model", "openai:m", "--url", model.url, "--format", "jsonl")
    assert (code, json.loads(out)["status"]) == (0, "repaired")


def test_a_model_writes_reasons_after_the_order_is_fixed(run: Run, model: Model, documents: str) -> None:
    flags = ("--model", "openai:m", "--url", model.url)
    plain = json.loads(run("rerank", QUERY, documents, *flags, "--format", "jsonl").out)
    code, _, _ = run("rerank", QUERY, documents, *flags, "--explain", "1", "-o", "result.jsonl", "--format", "jsonl")
    assert code == 0
    told = json.loads(Path("result.jsonl").read_text(encoding="utf-8"))
    assert told["hits"] == plain["hits"]
    [direct] = told["explanations"]["direct"]
    assert direct["evidence"][0]["quote"] == "Apples keep for months in a cool cellar."
    assert direct["source"].startswith("openai:m@")
    [comparison] = told["explanations"]["comparisons"]
    assert (comparison["lower_id"], comparison["agrees"]) == ("pie", True)
    assert run("verify", "result.jsonl").code == 0
    settings = Path("result.jsonl.settings.yaml").read_text(encoding="utf-8")
    assert "name: openai:m" in settings


def test_on_a_screen_the_order_comes_first_and_reasons_as_they_are_written(
    run: Run, model: Model, documents: str
) -> None:
    flags = ("--model", "openai:m", "--url", model.url, "--format", "table", "--explain", "2")
    code, out, _ = run("rerank", QUERY, documents, *flags)
    assert code == 0
    last_of_order = out.index("Pears do not keep")
    whys = [match.start() for match in re.finditer("why  ", out)]
    aboves = [match.start() for match in re.finditer("above #", out)]
    assert len(whys) == len(aboves) == 2
    assert last_of_order < whys[0] < aboves[0] < whys[1] < aboves[1] < out.index("reasons: ")


def test_a_model_writes_reasons_for_the_default_ranker(run: Run, model: Model, documents: str) -> None:
    own = json.loads(run("rerank", QUERY, documents, "--format", "jsonl", "--explain", "0").out)
    flags = ("--ranker", DEFAULT, "--model", "openai:m", "--url", model.url, "--explain", "1", "--format", "jsonl")
    code, out, _ = run("rerank", QUERY, documents, *flags)
    assert code == 0
    told = json.loads(out)
    assert told["hits"] == own["hits"]
    assert told["explanations"]["direct"][0]["source"].startswith("openai:m@")
    assert any("adds" in json.dumps(asked.body) or "+" in json.dumps(asked.body) for asked in model.requests)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--model", "gpt-4"], "'gpt-4' names no backend; give BACKEND:NAME, such as openai:gpt-4"),
        (["--model", "ollama:llama3"], "openai:llama3, with its address as url (http://localhost:11434/v1)"),
        (["--max-cost", "0.05"], "--max-cost belongs to a language model; name one with --model"),
        (["--strict"], "asks no language model"),
        (["--model", "openai:m", "--url", "http://127.0.0.1:9", "-c", "min_probability=0.5"], "not calibrated"),
        (["--model", "openai:m", "--url", "http://127.0.0.1:9", "--format", "trec", "-e", "1"], "holds no reasons"),
        (["--model", "opnai:x"], "did you mean openai"),
        (["--ranker", "listwise"], "name one, such as"),
        (["--ranker", "evidence", "--dry-run"], "asks no language model"),
        (["--model", "openai:m", "--url", "http://127.0.0.1:9", "-c", "ask.prompt=rankgtp"], "did you mean rankgpt"),
        (["--model", "openai:m", "--url", "http://127.0.0.1:9", "-c", "model.mode=isolated"], "no setting mode"),
        (["--model", "openai:m", "--url", "http://127.0.0.1:9", "-c", "model.key=abc"], "write env:NAME"),
    ],
)
def test_bad_input(run: Run, documents: str, flags: list[str], message: str) -> None:
    code, out, err = run("rerank", QUERY, documents, *flags)
    assert (code, out) == (2, "")
    assert message in err


def test_a_server_that_is_not_there_leaves_the_order_and_says_so(run: Run, documents: str) -> None:
    from faults import refused_url

    flags = ("--model", "openai:m", "--url", refused_url(), "-c", "model.retries=0", "-c", "model.cache=off")
    code, out, err = run("rerank", QUERY, documents, *flags, "--format", "jsonl")
    assert code == 3
    assert json.loads(out)["status"] == "partial"
    assert "no connection" in err
