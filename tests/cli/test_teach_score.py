"""`whyrank teach score`: from candidates to records, and what is said on the way."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ended import Ended, Lines, Run
from whyrank.teach.records import TeacherRecord, read_records
from whyrank.teach.score_store import ScoreStore
from whyrank.teach.store import records_at


@pytest.fixture
def rankings(lines: Lines) -> str:
    """Two queries with four candidates, the last of which answers."""
    texts = ["Bread goes stale.", "Tides turn.", "Apples are fruit.", "Air scatters blue light, so the sky is blue."]
    return lines(
        "rankings.jsonl",
        [{"query": "why is the sky blue?", "documents": texts}, {"query": "what are apples?", "documents": texts}],
    )


@pytest.fixture
def score(run: Run, rankings: str) -> Run:
    def called(*args: object) -> Ended:
        return run("teach", "score", rankings, *args)

    return called


def orders(path: str) -> list[tuple[int, ...]]:
    return [record.order for record in records_at(path)]


def test_a_ranker_is_a_teacher_and_scores_nothing_twice(run: Run, score: Run) -> None:
    Path("qrels.trec").write_text("1 0 4 2\n1 0 1 0\n", encoding="utf-8")
    code, out, err = score("--ranker", "bi-encoder", "-o", "scores.db", "--qrels", "qrels.trec")
    assert (code, out) == (0, "")
    assert "2 of 2 lists are scored, 0 of them before; now 8 documents in" in err
    assert "scores.db: 2 records" in err
    assert Path("scores.db.settings.yaml").exists()
    first, second = records_at("scores.db")
    assert (first.order[0], second.order[0]) == (3, 2)
    assert first.scores[3] == max(score or 0 for score in first.scores)
    assert first.model.startswith("bi-encoder/")
    assert (first.labels, second.labels) == ({"4": 2.0, "1": 0.0}, {})
    code, _, err = score("--ranker", "bi-encoder", "-o", "again.jsonl", "--scores", "scores.db")
    assert "2 of them before; now 0 documents" in err
    assert [record.scores for record in read_records("again.jsonl")] == [first.scores, second.scores]
    code, out, _ = run("teach", "stats", "scores.db", "--json")
    told = {row["name"]: row["value"] for row in json.loads(out)}
    assert (code, told["lists"], told["usable orders"], told["relevant first"]) == (0, "2", "2", "1")
    assert run("teach", "filter", "scores.db", "kept.jsonl", "--keep", "permutation", "--keep", "labels").code == 0
    assert len(read_records("kept.jsonl")) == 2


def test_several_teachers_are_an_ensemble(score: Run) -> None:
    run = "1 Q0 1 1 9 s\n1 Q0 4 2 5 s\n1 Q0 2 3 4 s\n1 Q0 3 4 3 s\n2 Q0 3 1 7 s\n"
    Path("other.trec").write_text(run, encoding="utf-8")
    code, _, err = score(
        "--ranker", "bi-encoder", "--ranker", "evidence", "--teacher-run", "other.trec", "--weights", "1,1,2",
        "-o", "teacher.jsonl",
    )  # fmt: skip
    assert code == 0
    assert "lists with fewer than two scores have no record: 1" in err
    [record] = read_records("teacher.jsonl")
    assert record.model.startswith("ensemble@")
    assert record.model.count("0.25 ") == 2
    assert "0.5 run:other.trec@" in record.model
    assert sum(score or 0.0 for score in record.scores) == pytest.approx(0, abs=1e-9)
    with ScoreStore("teacher.jsonl.scores.db") as store:
        assert list(store.models().values()) == [8, 8]
        assert len(store) == 0


def test_lists_follow_the_flags(score: Run) -> None:
    flags = ("--depth", "3", "--window", "2", "--shuffles", "1", "--negatives", "1")
    assert score("--ranker", "bi-encoder", "-o", "scores.db", *flags).code == 0
    records = records_at("scores.db")
    assert len(records) == 2 * 2 * 2
    assert {len(record.documents) for record in records} == {3}
    by_document: dict[tuple[str, str], set[Any]] = {}
    for record in records:
        for document, given in zip(record.documents, record.scores, strict=True):
            by_document.setdefault((record.query.id, document.id), set()).add(given)
    assert all(len(scores) == 1 for scores in by_document.values())


def test_an_answerless_model_ends_it_with_3(score: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("openai")
    from faults import Faults

    monkeypatch.setenv("WHYRANK_CACHE", "answers.sqlite")
    with Faults(lambda _: (500, "down")) as server:
        code, _, err = score(
            "-m", "openai:m", "--url", server.url, "-c", "model.retries=0", "-c", "ask.scoring=generation",
            "-o", "teacher.jsonl",
        )  # fmt: skip
    assert code == 3
    assert "gave no score; the same command asks for them again" in err
    assert read_records("teacher.jsonl") == []


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["-o", "t.jsonl"], "no teacher; name a ranker, such as --ranker evidence"),
        (["-o", "t.jsonl", "--ranker", "evidenze"], "did you mean evidence"),
        (["-o", "t.jsonl", "--ranker", "setwise", "-m", "openai:m"], "setwise orders documents"),
        (["-o", "t.jsonl", "--ranker", "evidence", "--weights", "1,2"], "weights: 2 given, teachers: 1 (evidence)"),
        (["-o", "t.jsonl", "--ranker", "evidence", "--weights", "much"], "give numbers with commas"),
        (["-o", "t.jsonl", "--ranker", "evidence", "--weights", "-1"], "the weight of evidence is -1"),
        (["-o", "t.txt", "--ranker", "evidence"], "give a name that ends in .jsonl, .jsonl.gz, .db"),
        (["-o", "t.jsonl", "--ranker", "evidence", "--qrels", "qrels.trec"], "qrels.trec: judges none of the cand"),
        (["-o", "t.jsonl", "--teacher-run", "qrels.trec"], "qrels.trec:1: "),
        (["-o", "t.jsonl", "--ranker", "evidence", "-c", "lists.widow=3"], "no setting 'lists.widow'"),
        (["-o", "t.jsonl", "--ranker", "evidence", "--scores", "rankings.jsonl"], "no store of teacher records"),
    ],
)
def test_wrong_usage_says_what_to_do(score: Run, flags: list[str], message: str) -> None:
    Path("qrels.trec").write_text("9 0 z 1\n", encoding="utf-8")
    code, out, err = score(*flags)
    assert (code, out) == (2, "")
    assert message in err
    assert not Path("t.jsonl").exists()


THOUGHT = """Step 1. The query needs a cause, known since 2019.
Step 2. [4] > [2] for the cause; passage 3 of 4 has a date, 1 has none. So [1] > [2] > [3] > [4] would be wrong."""


@pytest.fixture
def reasoned(run: Run, rankings: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[TeacherRecord]]:
    """Asks with the prompt dear a server that says what it is told to."""
    pytest.importorskip("openai")
    from faults import Faults, answer

    monkeypatch.setenv("WHYRANK_CACHE", "answers.sqlite")

    def called(said: str) -> list[TeacherRecord]:
        with Faults(lambda _: answer(said)) as server:
            flags = ("--url", server.url, "--prompt", "dear", "--store", "cot.db")
            ended = run("teach", "ask", rankings, "-m", "openai:m", *flags)
        assert ended.code == 0
        assert server.requests[0].body["max_tokens"] >= 1_024
        return records_at("cot.db")

    return called


@pytest.mark.parametrize("end", ["\n### Final Reranking: [4] > [1] > [3] > [2]", "\n\n[4] > [1] > [3] > [2]"])
def test_a_chain_of_thought_is_kept_beside_its_ranking(
    reasoned: Callable[[str], list[TeacherRecord]], end: str
) -> None:
    records = reasoned(THOUGHT + end)
    assert [(one.order, one.status, one.thought, one.prompt) for one in records] == [
        ((3, 0, 2, 1), "ok", THOUGHT, "dear")
    ] * 2
    assert records[0].answer == THOUGHT + end
    assert (records[0].mode, records[0].reasons) == ("ranking", ())


@pytest.mark.parametrize("end", ["", "\n### Final Reranking:"])
def test_numbers_of_the_reasoning_rank_nothing(reasoned: Callable[[str], list[TeacherRecord]], end: str) -> None:
    records = reasoned(f"{THOUGHT.partition(' So')[0] if not end else THOUGHT}{end}")
    assert [(one.order, one.status) for one in records] == [((), "error")] * 2


def test_a_prompt_of_its_own_asks_for_an_order(run: Run, rankings: str) -> None:
    flags = ("-m", "openai:m", "--url", "http://127.0.0.1:9", "--store", "t.db")
    assert "leave one out" in run("teach", "ask", rankings, *flags, "--prompt", "dear", "--mode", "both").err
    assert "name a listwise one" in run("teach", "ask", rankings, *flags, "--prompt", "monot5").err
    assert "no prompt called 'deer'" in run("teach", "ask", rankings, *flags, "--prompt", "deer").err


def test_the_published_chains_of_thought_give_records_with_thought(run: Run, lines: Lines) -> None:
    shown = "I will provide you with 4 passages. query: why?\n[1] a\n[2] b\n[3] c\n[4] d\nSearch Query: why?."
    end = "\n### Final Reranking: [4] > [1] > [3] > [2]"
    name = lines("cot.jsonl", [{"instruction": shown, "input": "", "output": THOUGHT + end}])
    assert run("teach", "import", "dear-cot", name, "-o", "out.jsonl").code == 0
    [record] = read_records("out.jsonl")
    assert (record.order, record.status, record.thought) == ((3, 0, 2, 1), "ok", THOUGHT)
