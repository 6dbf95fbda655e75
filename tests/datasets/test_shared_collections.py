"""The shared collections: each loads by its folder and by its short name, with the counts that its README gives."""

import json
import re
from pathlib import Path

import pytest

from whyrank import datasets, formats
from whyrank.errors import BadInput

pytestmark = pytest.mark.data

SHORT = {
    "trec-dl19-passage": "dl19",
    "trec-dl22-passage-noqrels": "dl22-noqrels",
    "beir-scifact": "beir/scifact",
    "beir-dbpedia-50q-5k": "beir/dbpedia",
    "birco-arguana": "birco/arguana",
    "birco-doris-mae-dev": "birco/doris-mae-dev",
    "birco-whatsthatbook-dev": "birco/whatsthatbook-dev",
    "birco-clinical-trial-dev": "birco/clinical-trial-dev",
    "cranfield": "cranfield",
    "cisi": "cisi",
    "medline-med": "med",
    "npl-vaswani": "npl",
    "multihop-hotpotqa-100": "hotpotqa-100",
    "checkthat2020-task2": "checkthat",
    "trecqa": "trecqa",
    "wikiqa-dev": "wikiqa",
    "xquad-en": "xquad",
}
OTHERS = (
    "multimodal-tiny train-medquad train-msmarco-instructir-1743 train-nq-open-gold train-pubmedqa-1k "
    "train-squad-sentences"
).split()
COUNTS = re.compile(r"queries (\d+), documents (\d+), judged queries (\d+), judgements (\d+)")
TASKS = (
    "aops biology earth_science economics leetcode pony psychology robotics stackoverflow sustainable_living "
    "theoremqa_questions theoremqa_theorems"
).split()


@pytest.fixture(autouse=True)
def named(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHYRANK_DATA", str(data))


@pytest.mark.parametrize("folder", [*SHORT, *OTHERS])
def test_counts_are_those_of_the_readme(data: Path, folder: str) -> None:
    found = datasets.load(folder)
    told = COUNTS.search((data / folder / "README.md").read_text(encoding="utf-8"))
    assert told is not None
    qrels = found.qrels if "judgements" in found.parts else {}
    judged = sum(map(len, qrels.values()))
    counted = (len(found.queries), sum(1 for _ in found.documents()), len(qrels), judged)
    assert counted == tuple(map(int, told.groups()))
    short = datasets.load(SHORT.get(folder, folder))
    assert (short.source, short.name) == (found.source, SHORT.get(folder, folder))
    assert found.excluded == {}
    assert datasets.load(data / folder).source == found.source


def test_every_folder_with_a_collection_is_known(data: Path) -> None:
    places = {row.place for row in datasets.known() if row.found == "here"}
    for folder in [f for f in data.iterdir() if f.is_dir()]:
        try:
            formats.open_folder(folder)
        except BadInput:
            assert str(folder) not in places
        else:
            assert str(folder) in places
    assert {str(data / "bright-queries-qrels-runs" / task) for task in TASKS} <= places


def test_bright_tasks(data: Path) -> None:
    total = 0
    for task in TASKS:
        bright = datasets.load(f"bright/{task}")
        total += len(bright.queries)
        assert bright.parts == ("queries", "judgements", "runs")
        assert {q.id for q in bright.queries} == set(bright.qrels)
        assert {"xrr2_rr", "reasonir_gpt4cot_top100"} <= set(bright.runs)
        assert set(bright.excluded) <= set(bright.qrels)
        with pytest.raises(BadInput, match=f"has no documents.*load 'ir:bright/{task.replace('_', '-')}'"):
            bright.rankings("xrr2_rr")
    assert total == 1384


def test_excluded_ids_of_bright_are_those_of_its_file(data: Path) -> None:
    file = data / "bright-queries-qrels-runs" / "leetcode" / "excluded_ids.jsonl"
    told = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        if record["excluded_ids"]:
            told[record["_id"]] = frozenset(record["excluded_ids"])
    assert datasets.load("bright/leetcode").excluded == told
    assert len(told) == 142


def test_splits(data: Path) -> None:
    with pytest.raises(BadInput, match="has no split 'test'; it has dev, train: name one"):
        datasets.load("train-nfcorpus")
    train = datasets.load("train-nfcorpus", split="train")
    assert (len(train.queries), sum(map(len, train.qrels.values()))) == (2590, 110575)
    assert len(datasets.load("beir/scifact", split="train").queries) == 809
    dev = datasets.load("trecqa", split="dev")
    assert len(dev.queries) == 81
    assert next(dev.documents()).id != next(datasets.load("trecqa").documents()).id


def test_runs_and_their_texts(data: Path) -> None:
    dl19 = datasets.load("dl19")
    rankings = dl19.rankings("bm25", depth=10)
    assert (len(rankings), {len(r) for r in rankings}) == (43, {10})
    run = dl19.run("bm25")
    assert {r.query.id: list(r.ids) for r in rankings} == {query: list(found)[:10] for query, found in run.items()}
    with pytest.raises(BadInput, match=r"900 of 4,300 documents of run 'repllama' have no text"):
        dl19.rankings("repllama")
    assert len(datasets.load("birco/arguana").runs) > 30
    with pytest.raises(BadInput, match=r"no judgements.*for judgements load 'dl22'"):
        _ = datasets.load("dl22-noqrels").qrels
