"""Teachers that others have asked: every format, and what is wrong with a file told by path and line."""

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ended import Lines
from whyrank.errors import BadInput, BadRecord, MissingFile, UnknownName
from whyrank.formats.problems import Collector, Wrong
from whyrank.teach.answers import quoting
from whyrank.teach.importing import IMPORTERS, files_read, import_lists, import_records
from whyrank.teach.records import Reasons, TeacherRecord, from_json, to_json
from whyrank.teach.shown import Shown, shown_in
from whyrank.types import Document, Query

SKY, SEA, SUN = "The sky is blue. It scatters light.", "Seas are salt.", "The sun is old."
SAID = [
    {
        "identifier": 2,
        "direct_reason": "It names salt.",
        "listwise_reason": "More relevant than passage 1.",
        "direct_answer_sentence": "Seas are salt.",
    },
    {
        "identifier": 1,
        "direct_reason": "It names light.",
        "listwise_reason": "Less relevant than passage 2.",
        "direct_answer_sentence": "it SCATTERS light",
    },
    {
        "identifier": 3,
        "direct_reason": "Nothing.",
        "listwise_reason": "Last.",
        "direct_answer_sentence": "N/A",
    },
]
R2R: dict[str, Any] = {
    "query": "why blue",
    "qid": 7,
    "unsorted_docs": [SKY, SEA, SUN],
    "re_rank_id": [2, 1, 3],
    "sorted_docids": ["sea", "sky", "sun"],
    "reason": {"ranked_passages": SAID},
    "scores": ["0", "1", "0"],
}
WINDOW: dict[str, Any] = {
    "query": "why blue",
    "documents": [SKY, SEA, SUN],
    "order": [1, 0, 2],
    "reason": "[2] > [1] > [3]\n\n1. [2]: names salt in 3 seas.\n- **Passage [1]** is next, below [2].\n\nSo is [3].",
}
PROMPT = (
    "I will provide you with 3 passages, each indicated by a numerical identifier []. Rank the passages based on "
    f"their relevance to the search query: why blue?.\n\n[1] {SKY}\n[2] {SEA}\n[1998] was a year\n[3] {SUN}\n"
    "Search Query: why blue?.\nRank the 3 passages above based on their relevance to the search query."
)
TALK: dict[str, Any] = {
    "id": "one",
    "messages": [
        {"role": "system", "content": "You rank."},
        {"role": "user", "content": PROMPT},
        {"role": "assistant", "content": "[2] > [1] > [3]"},
    ],
}
COT: dict[str, Any] = {
    "instruction": PROMPT,
    "input": "",
    "output": "Step 1: 2 needs, see [1] and [3].\n### Final Reranking: [2] > [1] > [3]",
    "history": [],
    "think": "",
}
LIST: dict[str, Any] = {
    "query": "why blue",
    "positive_passages": [{"docid": "b", "text": SEA}, {"docid": "elsewhere", "text": "x"}],
    "retrieved_passages": [
        {"docid": "a", "title": "Sky", "text": SKY},
        {"docid": "b", "title": "", "text": SEA},
        {"docid": "c", "text": SUN},
    ],
}
ANSWERED = {**LIST, "response": "[2] > [1] > [3]", "model": "gpt-3.5"}
GOOD: Mapping[str, Mapping[str, Any]] = {
    "r2r": R2R,
    "windows": WINDOW,
    "rankgpt": ANSWERED,
    "conversations": TALK,
    "dear-cot": COT,
}


def one(lines: Lines, tmp_path: Path, kind: str, value: Any, **rest: Any) -> TeacherRecord:
    """The record of a file with one value."""
    [record] = import_records(kind, tmp_path / lines("x.jsonl", [value]), **rest)
    return record


@pytest.mark.parametrize("kind", GOOD)
def test_every_format_gives_the_same_list_and_order(kind: str, lines: Lines, tmp_path: Path) -> None:
    record = one(lines, tmp_path, kind, GOOD[kind])
    assert record.query.text.removesuffix("?") == "why blue"
    assert [d.text for d in record.documents] == [SKY, record.documents[1].text, SUN]
    assert record.documents[1].text.startswith(SEA)
    assert record.order == (1, 0, 2)
    assert record.status == "ok"
    assert record.source == f"{kind}:x.jsonl:1"
    assert record.usage.cost is None
    assert from_json(json.loads(json.dumps(to_json(record)))) == record


def test_both_reasons_spans_ids_and_labels_of_r2r(lines: Lines, tmp_path: Path) -> None:
    record = one(lines, tmp_path, "r2r", R2R)
    assert record.query == Query("7", "why blue")
    assert [d.id for d in record.documents] == ["sky", "sea", "sun"]
    assert record.labels == {"sky": 0.0, "sea": 1.0, "sun": 0.0}
    assert [r.direct for r in record.reasons] == ["It names light.", "It names salt.", "Nothing."]
    assert record.reasons[1].comparison == "More relevant than passage 1."
    spans = [SKY[slice(*r.span)] if r.span else None for r in record.reasons[:1]]
    assert spans == ["It scatters light."]  # found by letters and digits, shown as the document has it
    assert record.reasons[1].span == (0, len(SEA))
    assert record.reasons[2].span is None
    assert (record.model, record.prompt, record.mode) == ("gpt-4", "r2r", "both")
    assert json.loads(record.answer) == R2R["reason"]
    assert one(lines, tmp_path, "r2r", R2R, model="claude").model == "claude"


def test_what_says_that_nothing_is_quoted_is_no_quote() -> None:
    document = Document("d", "None of it.", title="It names salt.")
    assert quoting(document, direct="x", answer="None") == Reasons("x", "", "None", None)
    assert quoting(document, answer="It names salt.").span is None  # in the title only
    assert quoting(document, answer="of it").span == (5, 10)


def test_first_stage_scores_of_r2r_are_no_labels(lines: Lines, tmp_path: Path) -> None:
    record = one(lines, tmp_path, "r2r", {**R2R, "scores": [3.5, 2.0, 1.0]})
    assert (record.labels, record.scores) == ({}, ())
    assert [d.metadata for d in record.documents] == [{"first_score": s} for s in (3.5, 2.0, 1.0)]


@pytest.mark.parametrize(
    ("change", "status", "order", "told"),
    [
        ({"re_rank_id": [0, 0, 0]}, "repaired", (1, 0, 2), 3),  # what its client stores; the reasons have the order
        ({"re_rank_id": [0, 0, 0], "reason": None}, "error", (), 0),
        ({"re_rank_id": "2, 1, 3", "reason": "text"}, "error", (), 0),
        ({"re_rank_id": ["2", "1", "3"], "reason": {}}, "error", (), 0),
        ({"re_rank_id": [2, 2, 1]}, "repaired", (1, 0, 2), 3),
        ({"re_rank_id": [9, 3]}, "repaired", (2, 0, 1), 3),
        ({"reason": {"ranked_passages": SAID[:2]}}, "repaired", (1, 0, 2), 2),
        ({"reason": {"ranked_passages": [*SAID[:2], {**SAID[2], "identifier": 4}]}}, "repaired", (1, 0, 2), 2),
        ({"reason": {"ranked_passages": [*SAID, {**SAID[0], "direct_reason": "Again."}]}}, "repaired", (1, 0, 2), 3),
        ({"reason": {"ranked_passages": [*SAID[:2], {**SAID[2], "direct_reason": None}]}}, "repaired", (1, 0, 2), 3),
    ],
)
def test_a_bad_answer_is_a_record_with_its_status(
    change: dict[str, Any], status: str, order: tuple[int, ...], told: int, lines: Lines, tmp_path: Path
) -> None:
    record = one(lines, tmp_path, "r2r", {**R2R, **change})
    assert (record.status, record.order) == (status, order)
    assert sum(bool(r.comparison) for r in record.reasons) == told
    assert all(r.direct != "Again." for r in record.reasons)
    assert [d.text for d in record.documents] == [SKY, SEA, SUN]


def test_ids_that_are_not_one_for_each_are_numbers(lines: Lines, tmp_path: Path) -> None:
    for change in ({"sorted_docids": ["a", "a", "b"]}, {"sorted_docids": None}, {"re_rank_id": [2, 2, 1]}):
        record = one(lines, tmp_path, "r2r", {**R2R, **change})
        assert [d.id for d in record.documents] == ["1", "2", "3"]
        assert record.labels == {"1": 0.0, "2": 1.0, "3": 0.0}


def test_windows_give_each_passage_its_lines(lines: Lines, tmp_path: Path) -> None:
    record = one(lines, tmp_path, "windows", WINDOW)
    assert [r.comparison for r in record.reasons] == [
        "**Passage [1]** is next, below [2].",
        "[2]: names salt in 3 seas.",
        "",
    ]
    assert record.answer == WINDOW["reason"]
    assert record.model == "x"
    without = {key: value for key, value in WINDOW.items() if key != "order"}
    assert one(lines, tmp_path, "windows", without).order == (1, 0, 2)
    bare = one(lines, tmp_path, "windows", {**WINDOW, "order": [0, 0, 0, 0], "reason": None})
    assert (bare.status, bare.order, bare.reasons) == ("repaired", (0, 1, 2), ())


def test_rankgpt_in_two_files(lines: Lines, tmp_path: Path) -> None:
    lines("train.jsonl", [LIST])
    lines("train-10k.jsonl", [LIST, LIST, LIST])
    answers = tmp_path / "train-10k-gpt3.5.json"
    answers.write_text(json.dumps(["[2] > [1] > [3]", "I cannot rank these.", "[3] > [1]"]))
    first, second, third = import_records("rankgpt", answers)
    assert (first.order, first.status, first.model, first.prompt) == ((1, 0, 2), "ok", "gpt3.5", "rankgpt")
    assert first.documents[0].title == "Sky"
    assert first.labels == {"b": 1.0, "elsewhere": 1.0}
    assert (second.order, second.status, second.answer) == ((), "refused", "I cannot rank these.")
    assert (third.order, third.status) == ((2, 0, 1), "repaired")
    assert len({first.key, second.key, third.key}) == 3


def test_rankgpt_counts_answers_and_finds_their_lists(lines: Lines, tmp_path: Path) -> None:
    lines("train.jsonl", [LIST, LIST])
    answers = tmp_path / "train-gpt.json"
    answers.write_text('["[2] > [1] > [3]"]')
    with pytest.raises(BadRecord, match=r"train-gpt\.json: 1 answers for the 2 lists of train\.jsonl"):
        import_records("rankgpt", answers)
    assert len(import_records("rankgpt", answers, complain=Collector(9))) == 1
    (tmp_path / "train.jsonl").unlink()
    with pytest.raises(BadInput, match="no file of lists lies beside it"):
        import_records("rankgpt", answers)


def test_rankgpt_takes_the_forms_of_its_examples(lines: Lines, tmp_path: Path) -> None:
    hits = {"query": "why blue", "hits": [{"content": SKY}, {"content": SEA}], "permutation": [2, 1]}
    record = one(lines, tmp_path, "rankgpt", hits)
    assert ([d.id for d in record.documents], record.order, record.answer) == (["1", "2"], (1, 0), "[2, 1]")


def test_conversations_of_both_layouts_and_one_passage_a_turn(lines: Lines, tmp_path: Path) -> None:
    record = one(lines, tmp_path, "conversations", TALK)
    assert (record.query, record.documents[1].text) == (Query("one", "why blue?"), f"{SEA}\n[1998] was a year")
    turns = ["Here are 2 passages for the query: why blue.", f"[1] {SKY}", f"[2] {SEA}"]
    talk = [{"from": "system", "value": "You rank passages for a query: none.\n[1] is a label."}]
    talk += [{"from": "human", "value": text} for text in turns] + [{"from": "gpt", "value": "[2] > [1]"}]
    other = one(lines, tmp_path, "conversations", {"conversations": talk})
    assert (other.query.text, [d.text for d in other.documents], other.order) == ("why blue", [SKY, SEA], (1, 0))


def test_dear_keeps_its_thought(lines: Lines, tmp_path: Path) -> None:
    record = one(lines, tmp_path, "dear-cot", COT)
    assert record.thought == "Step 1: 2 needs, see [1] and [3]."
    assert (record.answer, record.model) == (COT["output"], "gpt-4o")
    assert one(lines, tmp_path, "dear-cot", {**COT, "think": "I think."}).thought == "I think."
    from_zero = one(lines, tmp_path, "dear-cot", {**COT, "output": "### Final Reranking: [1] > [0] > [2]"})
    assert (from_zero.order, from_zero.status) == ((1, 0, 2), "repaired")
    earlier = {**COT, "instruction": PROMPT.partition("[1]")[2], "history": [[PROMPT.partition("[1]")[0], "ok"]]}
    split = one(lines, tmp_path, "dear-cot", {**earlier, "instruction": "[1]" + earlier["instruction"]})
    assert split.documents == record.documents


@pytest.mark.parametrize(
    ("prompt", "what"),
    [
        ("[1] a\n[2] b", "names no query"),
        ("query: x\n[1] a\n[3] b", r"labelled \[1, 3\]"),
        ("query: x\n[1] a\n[2] b\n[2] c", r"labelled \[1, 2, 2\]"),
        ("query: x\nnothing", r"labelled \[\]"),
        ("3 passages, query: x\n[1] a\n[2] b", "says 3 passages and shows 2"),
    ],
)
def test_a_prompt_that_shows_no_list_is_refused(prompt: str, what: str) -> None:
    with pytest.raises(Wrong, match=what):
        shown_in(prompt)


def test_a_prompt_is_read_in_linear_time() -> None:
    spaces = " " * 200_000
    assert shown_in(f"query: x{spaces}y\n[1] a{spaces}\n[2] b").passages == ("a", "b")
    shown = shown_in(f"query: z\n[0] a\n[1] b\nSearch Query: x{spaces}y." + "\nSearch Query:" * 5_000 + " x\nRank the ")
    assert shown == Shown("x", ("a", "b" + f"\nSearch Query: x{spaces}y." + "\nSearch Query:" * 4_999))


@pytest.fixture
def folder(tmp_path: Path, lines: Lines) -> Path:
    """A collection with a run in it."""
    lines("corpus.jsonl", [{"id": name, "text": f"text {name}"} for name in "abc"])
    lines("queries.jsonl", [{"id": "q", "text": "why blue"}])
    (tmp_path / "qrels.trec").write_text("q 0 c 2\nq 0 z 1\n")
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "zephyr.trec").write_text("q Q0 c 1 3.5 x\nq Q0 a 2 2 x\nq Q0 b 3 1 x\n")
    return tmp_path


def test_a_run_is_a_teacher_with_scores(folder: Path) -> None:
    for path in (folder, folder / "runs" / "zephyr.trec"):
        [record] = import_records("run", path)
        assert [d.id for d in record.documents] == ["a", "b", "c"]
        assert (record.order, record.scores) == ((2, 0, 1), (2.0, 1.0, 3.5))
        assert (record.labels, record.model, record.status) == ({"c": 2.0}, "zephyr", "ok")


def test_a_run_keeps_the_best_of_a_query(folder: Path) -> None:
    run = folder / "runs" / "zephyr.trec"
    assert import_lists("run", run).cut == 0
    assert import_lists("run", run, depth=3).cut == 0
    found = import_lists("run", run, depth=2)
    [record] = found.records
    assert ([d.id for d in record.documents], found.cut) == (["a", "c"], 1)
    assert (record.order, record.scores, record.labels) == ((1, 0), (2.0, 3.5), {"c": 2.0})
    [first] = import_lists("run", run, depth=1).records
    assert (first.order, first.scores) == ((0,), (3.5,))
    with pytest.raises(BadInput, match="keep at least 1 document"):
        import_lists("run", run, depth=0)


def test_a_run_is_cut_to_a_hundred(folder: Path, lines: Lines) -> None:
    lines("corpus.jsonl", [{"id": f"{number:03}", "text": "text"} for number in range(102)])
    rows = "".join(f"q Q0 {number:03} {102 - number} {number} x\n" for number in range(102))
    (folder / "runs" / "zephyr.trec").write_text(rows)
    found = import_lists("run", folder)
    assert (found.cut, [d.id for d in found.records[0].documents][:2]) == (1, ["002", "003"])
    assert len(found.records[0].documents) == 100


def test_only_the_lists_of_a_run_are_cut(tmp_path: Path, lines: Lines) -> None:
    with pytest.raises(BadInput, match=r"a depth of 2 for 'windows', whose lists are kept whole; .+ it is for run"):
        import_lists("windows", tmp_path / lines("x.jsonl", [WINDOW]), depth=2)


def test_the_files_that_an_import_reads(folder: Path, lines: Lines) -> None:
    own = [folder / name for name in ("runs/zephyr.trec", "corpus.jsonl", "queries.jsonl", "qrels.trec")]
    assert list(files_read("run", folder)) == list(files_read("run", own[0])) == own
    lists, answers = folder / lines("lists.jsonl", [LIST]), folder / "lists-gpt.json"
    answers.write_text('["[2] > [1]"]')
    assert files_read("rankgpt", answers) == (answers, lists)
    assert files_read("rankgpt", lists) == (lists,)
    assert files_read("r2r", lists) == (lists,)


def test_a_run_without_its_collection(tmp_path: Path, folder: Path) -> None:
    (folder / "corpus.jsonl").unlink()
    with pytest.raises(BadInput, match="no corpus and queries lie beside this run"):
        import_records("run", folder / "runs" / "zephyr.trec")


# What is wrong with a file

WRONG: Mapping[str, list[Any]] = {
    "r2r": [3, {}, {**R2R, "query": None}, {**R2R, "unsorted_docs": [1]}, {**R2R, "scores": [1]}, {**R2R, "qid": {}}],
    "windows": [[], {**WINDOW, "query": 1}, {**WINDOW, "documents": "text"}, {**WINDOW, "documents": []}],
    "rankgpt": [
        "[1]",
        LIST,
        {**ANSWERED, "retrieved_passages": 3},
        {**ANSWERED, "query": 1},
        {**ANSWERED, "retrieved_passages": []},
    ],
    "conversations": [
        {},
        {"messages": []},
        {"messages": TALK["messages"][:2]},
        {"messages": [3]},
        {"conversations": 1},
    ],
    "dear-cot": [{}, {**COT, "output": None}, {**COT, "think": 3}, {**COT, "instruction": "hello"}],
}


@pytest.mark.parametrize(("kind", "value"), [(kind, value) for kind, values in WRONG.items() for value in values])
def test_a_line_that_is_no_list_is_named_and_the_others_are_read(
    kind: str, value: Any, lines: Lines, tmp_path: Path
) -> None:
    path = tmp_path / lines("x.jsonl", [GOOD[kind], value, GOOD[kind]])
    with pytest.raises(BadInput, match=r"x\.jsonl:2: .+; .+"):
        import_records(kind, path)
    told = Collector(9)
    records = import_records(kind, path, complain=told)
    assert [record.source[-1] for record in records] == ["1", "3"]
    assert [problem.line for problem in told.kept] == [2]


@pytest.mark.parametrize("kind", GOOD)
def test_a_first_line_that_is_no_json_stops_nothing(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text("{3}\n" + json.dumps(GOOD[kind]) + "\n")
    told = Collector(9)
    assert [record.source[-1] for record in import_records(kind, path, complain=told)] == ["2"]
    assert [problem.line for problem in told.kept] == [1]


def test_free_text_is_read_in_linear_time(lines: Lines, tmp_path: Path) -> None:
    text = " " * 200_000 + "x\n1." + " " * 200_000 + "x\n" + "[2] names salt."
    record = one(lines, tmp_path, "windows", {**WINDOW, "reason": text})
    assert [r.comparison for r in record.reasons] == ["", "[2] names salt.", ""]


def test_the_same_list_twice_is_kept_twice(lines: Lines, tmp_path: Path) -> None:
    path = tmp_path / lines("x.jsonl", [WINDOW, WINDOW])
    first, second = import_records("windows", path)
    assert first.key != second.key
    assert [r.key for r in import_records("windows", path)] == [first.key, second.key]


def test_unknown_formats_and_absent_files(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="did you mean windows"):
        import_records("window", tmp_path)
    for kind in GOOD:
        with pytest.raises(MissingFile):
            import_records(kind, tmp_path / "no.jsonl")
    assert all(importer.description and importer.source for importer in IMPORTERS.values())


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["0", "[2] > [1]"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=st.data())
@pytest.mark.parametrize("kind", GOOD)
def test_importers_are_total(kind: str, drawn: st.DataObject, tmp_path: Path) -> None:
    """Whatever a field holds, a line is a record or a problem."""
    keys = drawn.draw(st.lists(st.sampled_from(sorted(GOOD[kind])), min_size=1, max_size=3, unique=True))
    value = {**GOOD[kind], **{key: drawn.draw(json_values) for key in keys}}
    path = tmp_path / "x.jsonl"
    path.write_text(json.dumps(GOOD[kind]) + "\n" + json.dumps(value) + "\n", encoding="utf-8")
    told = Collector(9)
    records = import_records(kind, path, complain=told)
    assert len(records) + told.errors == 2
    assert all(from_json(json.loads(json.dumps(to_json(record)))).key == record.key for record in records)


# The shared collections


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("train-msmarco-500", 500),
        ("validation-msmarco19", 43),
        ("validation-touche", 49),
        ("validation-trec_covid", 50),
    ],
)
def test_the_recorded_lists_of_r2r(data: Path, name: str, count: int) -> None:
    records = import_records("r2r", data / "teacher-r2r-dual-reasons" / f"{name}.jsonl.gz")
    assert Counter(record.status for record in records) == {"ok": count}
    assert all(len(record.documents) == len(record.reasons) == 5 for record in records)
    assert all(bool(record.labels) == name.startswith("train") for record in records)


@pytest.mark.data
def test_the_ids_of_recorded_lists_are_those_of_their_texts(data: Path) -> None:
    from whyrank.formats import read_documents

    def words(text: str) -> str:
        return "".join(filter(str.isalnum, text.lower()))

    corpus = {d.id: d for d in read_documents(data / "trec-dl19-passage" / "corpus.jsonl.gz")}
    records = import_records("r2r", data / "teacher-r2r-dual-reasons" / "validation-msmarco19.jsonl.gz")
    shown = [document for record in records for document in record.documents]
    assert all(words(corpus[document.id].text) == words(document.text) for document in shown)


@pytest.mark.data
def test_the_recorded_windows(data: Path) -> None:
    """Where the text states an order it is the stored one."""
    for name, count in (("gpt-3.5-turbo", 2199), ("gpt-4", 591)):
        records = import_records("windows", data / "teacher-windows-gpt35-gpt4" / f"{name}.jsonl.gz")
        assert len(records) == count
        assert {(record.model, record.status, len(record.documents)) for record in records} == {(name, "ok", 5)}


@pytest.mark.data
def test_the_conversations_of_rankzephyr(data: Path) -> None:
    records = import_records("conversations", data / "train-rankzephyr-listwise-100" / "listwise.jsonl")
    assert len(records) == 100
    assert Counter(record.status for record in records) == {"ok": 100}
    assert {len(record.documents) for record in records} == set(range(2, 21)) - {5}
