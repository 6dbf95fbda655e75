"""Collections in folders: what each layout gives, what is missing, what is excluded, how runs get their texts."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from whyrank import datasets
from whyrank.datasets.collection import judgements
from whyrank.errors import BadInput, BadRecord, DuplicateId, MissingFile, UnknownName

Put = Callable[..., Path]


def lines(*records: object) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


CORPUS = lines(
    {"_id": "d1", "title": "One", "text": "first"},
    {"_id": "d2", "title": "", "text": "second"},
    {"_id": "d 3", "title": "", "text": "third"},
)
QUERIES = lines({"_id": "q1", "text": "alpha"}, {"_id": "q2", "text": "beta"})
RUN = "q1 Q0 d2 2 1.5 t\nq1 Q0 d1 1 1.5 t\nq1 Q0 d 3 3 9.0 t\nq2 Q0 d1 1 0.5 t\n"


@pytest.fixture
def folder(tmp_path: Path) -> Put:
    """Writes files into a folder; names ending in .gz are packed."""

    def put(name: str = "tiny", **files: str) -> Path:
        for file, content in files.items():
            path = tmp_path / name / file.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            data = content.encode()
            path.write_bytes(gzip.compress(data) if path.name.endswith(".gz") else data)
        return tmp_path / name

    return put


@pytest.fixture
def plain(folder: Put) -> Path:
    return folder(
        **{
            "corpus.jsonl": CORPUS,
            "queries.jsonl": QUERIES,
            "qrels.trec": "q1 0 d1 2\nq1 0 d 3 0.5\n",
            "bm25.trec": RUN,
        }
    )


@pytest.fixture
def beir(folder: Put) -> Path:
    return folder(
        "arguana",
        **{
            "corpus.jsonl.gz": CORPUS,
            "queries.jsonl": QUERIES + lines({"_id": "q3", "text": "gamma"}),
            "qrels__test.tsv": "query-id\tcorpus-id\tscore\r\nq1\td1\t1\r\n",
            "qrels__train.tsv": "query-id\tcorpus-id\tscore\nq2\td2\t1\nq3\td 3\t2\n",
        },
    )


def test_plain_layout(plain: Path) -> None:
    tiny = datasets.load(plain)
    assert (tiny.name, tiny.split, tiny.source, tiny.licence) == ("tiny", "test", str(plain), "")
    assert tiny.parts == ("queries", "documents", "judgements", "runs")
    assert [(q.id, q.text) for q in tiny.queries] == [("q1", "alpha"), ("q2", "beta")]
    assert tiny.qrels == {"q1": {"d1": 2.0, "d 3": 0.5}}
    assert [(d.id, d.title, d.text) for d in tiny.documents()][2] == ("d 3", None, "third")
    assert tiny.runs == ("bm25",)
    assert tiny.excluded == {}


def test_a_run_is_ordered_by_score_and_then_by_the_given_rank(plain: Path) -> None:
    run = datasets.load(plain).run("bm25")
    assert {query: list(documents.items()) for query, documents in run.items()} == {
        "q1": [("d 3", 9.0), ("d1", 1.5), ("d2", 1.5)],  # d1 has rank 1, though d2 stands above it in the file
        "q2": [("d1", 0.5)],
    }


def test_rankings_have_texts_scores_and_depth(plain: Path) -> None:
    first, second = datasets.load(plain).rankings(depth=2)
    assert (first.query.text, first.ids, second.ids) == ("alpha", ("d 3", "d1"), ("d1",))
    assert first[1].document.full_text == "One first"
    assert [hit.first_score for hit in first] == [9.0, 1.5]
    assert [hit.first_rank for hit in first] == [1, 2]
    assert datasets.load(plain).rankings("bm25")[0].ids == ("d 3", "d1", "d2")


@pytest.mark.parametrize("depth", [0, -1])
def test_depth_is_one_or_more(plain: Path, depth: int) -> None:
    with pytest.raises(BadInput, match=f"depth is {depth}; give 1 or more"):
        datasets.load(plain).rankings(depth=depth)


def test_documents_of_a_run_without_text_are_counted_and_named(folder: Put, plain: Path) -> None:
    folder(**{"runs__deep.trec": "".join(f"q1 Q0 x{i} {i} {99 - i} t\n" for i in range(1, 8)) + "q1 Q0 d1 8 1 t\n"})
    tiny = datasets.load(plain)
    with pytest.raises(BadInput, match=r"7 of 8 documents of run 'deep' have no text .*'x1', 'x2'.*another run or a s"):
        tiny.rankings("deep")
    with pytest.raises(BadInput, match="1 of 1 documents"):
        tiny.rankings("deep", depth=1)


def test_which_run_must_be_said_where_there_are_several(folder: Put, plain: Path) -> None:
    folder(**{"other.trec": RUN})
    with pytest.raises(BadInput, match="has 2 runs; name one of bm25, other"):
        datasets.load(plain).rankings()
    with pytest.raises(UnknownName, match="no run called 'bm52'; did you mean bm25"):
        datasets.load(plain).rankings("bm52")
    with pytest.raises(UnknownName, match="no run called 'bm52'"):
        datasets.load(plain).run("bm52")


def test_a_run_of_ranks_only(folder: Put, plain: Path) -> None:
    folder(**{"msmarco.run": "q1\td2\t1\nq1\td1\t2\n"})
    tiny = datasets.load(plain)
    assert list(tiny.run("msmarco")["q1"]) == ["d2", "d1"]
    assert tiny.rankings("msmarco")[0].ids == ("d2", "d1")


def test_queries_of_a_run_that_are_not_in_the_split_are_left_out(folder: Put, beir: Path) -> None:
    folder("arguana", **{"bm25.trec": RUN})
    assert [r.query.id for r in datasets.load(beir, split="train").rankings()] == ["q2"]
    folder("arguana", **{"none.trec": "q9 Q0 d1 1 1.0 t\n"})
    with pytest.raises(BadInput, match="run 'none' shares no query with the split 'test'"):
        datasets.load(beir).rankings("none")


def test_beir_layout_has_the_judged_queries_of_its_split(beir: Path) -> None:
    test, train = datasets.load(beir), datasets.load(beir, split="train")
    assert (test.split, [q.id for q in test.queries]) == ("test", ["q1"])
    assert (train.split, [q.id for q in train.queries]) == ("train", ["q2", "q3"])
    assert train.qrels == {"q2": {"d2": 1.0}, "q3": {"d 3": 2.0}}
    assert len(list(train.documents())) == 3


def test_sets_whose_queries_are_documents_exclude_the_query_itself(beir: Path, folder: Put, plain: Path) -> None:
    assert datasets.load(beir).excluded == {"q1": frozenset({"q1"})}
    # The same name in another layout is another collection, and so is another name.
    other = folder("quora", **{"queries.jsonl": QUERIES, "qrels.trec": "q1 0 d1 1\n"})
    assert datasets.load(other).excluded == {}
    beir.rename(beir.with_name("mine"))
    assert datasets.load(beir.with_name("mine")).excluded == {}


def test_the_grade_that_excludes(folder: Put) -> None:
    path = folder(**{"queries.jsonl": QUERIES, "qrels.trec": "q1 0 d1 1\nq1 0 d2 -100\nq2 0 d1 -1\nq2 0 d2 -100\n"})
    tiny = datasets.load(path)
    assert tiny.excluded == {"q1": frozenset({"d2"}), "q2": frozenset({"d2"})}
    assert tiny.qrels == {"q1": {"d1": 1.0}, "q2": {"d1": -1.0}}  # other negative grades are grades


@pytest.mark.parametrize("name", ["excluded_ids.jsonl", "excluded_ids.jsonl.gz"])
def test_a_file_of_excluded_ids_joins_the_grades(folder: Put, name: str) -> None:
    given = lines(
        {"_id": "q1", "excluded_ids": ["d 3", "N/A"]},
        {"_id": "q2", "excluded_ids": []},
        {"_id": "q3", "excluded_ids": ["d1"]},
    )
    path = folder(**{"queries.jsonl": QUERIES, "qrels.trec": "q1 0 d2 -100\nq1 0 d1 1\n", name: given})
    assert datasets.load(path).excluded == {"q1": frozenset({"d2", "d 3"}), "q3": frozenset({"d1"})}


@pytest.mark.parametrize("record", [["d1"], {"_id": "q1"}, {"excluded_ids": ["d1"]}, {"_id": "q1", "excluded_ids": 3}])
def test_a_bad_record_of_excluded_ids_is_named(folder: Put, record: object) -> None:
    path = folder(
        **{"qrels.trec": "q1 0 d1 1\n", "excluded_ids.jsonl": lines({"_id": "q0", "excluded_ids": []}, record)}
    )
    with pytest.raises(BadRecord, match=r"excluded_ids\.jsonl:2: .*give \{'_id': query, 'excluded_ids'"):
        _ = datasets.load(path).excluded


def test_judgements_keep_a_query_whose_documents_are_all_excluded() -> None:
    assert judgements({"q": {"a": -100.0}}) == ({"q": {}}, {"q": frozenset({"a"})})


def test_what_is_missing_is_told_when_it_is_asked_for(folder: Put) -> None:
    path = folder(**{"queries.jsonl": QUERIES, "bm25.trec": RUN})
    bare = datasets.load(path)
    assert bare.parts == ("queries", "runs")
    assert len(bare.run("bm25")["q1"]) == 3
    with pytest.raises(BadInput, match="has no judgements, only queries, runs: no system can be measured on it"):
        _ = bare.qrels
    with pytest.raises(BadInput, match=r"has no documents.*neither reranked nor explained; add the documents to it"):
        bare.documents()
    with pytest.raises(BadInput, match="has no documents"):
        bare.rankings("bm25")
    with pytest.raises(BadInput, match="has no queries"):
        _ = datasets.load(folder("runs-only", **{"bm25.trec": RUN})).queries


def test_a_folder_without_judgements_answers_to_the_split_it_says_it_has(folder: Put) -> None:
    path = folder(**{"queries.jsonl": QUERIES, "bm25.trec": RUN})
    assert datasets.load(path, split=datasets.load(path).split).split == "test"
    with pytest.raises(BadInput, match="no split 'train'"):
        datasets.load(path, split="train")


def test_a_split_must_be_named_where_none_is_the_default(folder: Put) -> None:
    path = folder(
        **{f"{s}-{f}": c for s in ("dev", "train") for f, c in (("queries.jsonl", QUERIES), ("qrels.trec", ""))}
    )
    with pytest.raises(BadInput, match="has no split 'test'; it has dev, train: name one"):
        datasets.load(path)
    assert datasets.load(path, split="dev").split == "dev"


def test_only_split_is_the_default(folder: Put) -> None:
    path = folder(**{"queries.jsonl": QUERIES, "dev-qrels.trec": "q1 0 d1 1\n"})
    assert datasets.load(path).split == "dev"


def test_loading_reads_nothing_and_judgements_do_not_read_the_corpus(folder: Put, plain: Path) -> None:
    folder(**{"corpus.jsonl": "not JSON\n"})
    tiny = datasets.load(plain)
    assert len(tiny.qrels["q1"]) == 2
    documents = tiny.documents()
    with pytest.raises(BadInput):
        next(documents)
    folder(**{"qrels.trec": "not a judgement file\n", "queries.jsonl": "{"})
    assert datasets.load(plain).name == "tiny"


def test_documents_are_streamed_and_looking_up_stops_when_all_are_found(folder: Put, plain: Path) -> None:
    folder(**{"corpus.jsonl": CORPUS + "not JSON\n"})
    tiny = datasets.load(plain)
    assert next(tiny.documents()).id == "d1"
    assert len(tiny.rankings("bm25")) == 2
    with pytest.raises(BadRecord, match=r"corpus\.jsonl:4"):
        list(tiny.documents())


def test_a_document_twice_in_a_run_or_in_the_judgements_is_an_error(folder: Put, plain: Path) -> None:
    folder(**{"bm25.trec": RUN + "q1 Q0 d1 4 0.1 t\n", "qrels.trec": "q1 0 d1 1\nq1 0 d1 2\n"})
    tiny = datasets.load(plain)
    with pytest.raises(DuplicateId, match=r"bm25\.trec:5"):
        tiny.run("bm25")
    with pytest.raises(DuplicateId, match=r"qrels\.trec:2"):
        _ = tiny.qrels


def test_ids_of_ms_marco_v2_and_ids_with_blanks_survive(folder: Put) -> None:
    passage, spaced = "msmarco_passage_00_172", "Camel/a b  c.txt"
    path = folder(
        **{
            "corpus.jsonl.gz": lines({"_id": passage, "text": "x"}, {"_id": spaced, "text": "y"}).replace("\n", "\r\n"),
            "queries.tsv": "2001010\tcamels\r\n",
            "qrels.txt": f"2001010 0 {passage} 3\r\n2001010 0 {spaced} 1\r\n",
            "bm25.trec.gz": f"2001010 Q0 {passage} 1 2.0 t\r\n2001010 Q0 {spaced} 2 1.0 t\r\n",
        }
    )
    found = datasets.load(path)
    assert found.qrels == {"2001010": {passage: 3.0, spaced: 1.0}}
    assert found.rankings()[0].ids == (passage, spaced)


def test_paths_that_hold_nothing(tmp_path: Path, plain: Path) -> None:
    with pytest.raises(MissingFile, match="no such folder"):
        datasets.load(tmp_path / "absent")
    with pytest.raises(MissingFile, match="no such folder"):
        datasets.load("./absent")
    with pytest.raises(BadInput, match=r"bm25\.trec: is a file; give the folder"):
        datasets.load(plain / "bm25.trec")
    with pytest.raises(BadInput, match="no collection in this folder"):
        datasets.load(tmp_path)


def test_a_dataset_is_frozen(plain: Path) -> None:
    tiny = datasets.load(plain)
    with pytest.raises(AttributeError):
        tiny.name = "other"  # type: ignore[misc]
    assert tiny.queries is tiny.queries
