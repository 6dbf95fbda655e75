"""Collections of ir_datasets: a stand-in for it, the real package over local files, and every way to fail."""

import importlib.util
import logging
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
import requests

from whyrank import datasets
from whyrank.datasets import catalogue
from whyrank.datasets.remote import BOUNDS, document_of, query_of
from whyrank.errors import BadInput, Corrupt, MissingExtra, MissingFile, UnknownName, Unwritable
from whyrank.types import Document, Query


class Doc(NamedTuple):
    doc_id: str
    text: str
    title: str = ""
    url: str = ""


class Page(NamedTuple):
    doc_id: str
    text: str
    document_title: str
    spans: tuple[int, ...]


class Topic(NamedTuple):
    query_id: str
    title: str
    description: str

    def default_text(self) -> str:
        return self.title


class Asked(NamedTuple):
    query_id: str
    text: str


class Grade(NamedTuple):
    query_id: str
    doc_id: str
    relevance: int


class Scored(NamedTuple):
    query_id: str
    doc_id: str
    score: float


class FakeSet:
    """What a set of ir_datasets offers; counts what is read."""

    def __init__(self, **parts: Any) -> None:
        self.parts = parts
        self.read: list[str] = []

    def __getattr__(self, name: str) -> Any:
        kind, _, what = name.rpartition("_")
        if kind == "has":
            return lambda: what in self.parts
        if what == "iter" and kind in self.parts:
            return lambda: self._records(kind)
        raise AttributeError(name)

    def _records(self, kind: str) -> Iterator[Any]:
        self.read.append(kind)
        records = self.parts[kind]
        if isinstance(records, Exception):
            raise records
        yield from records

    def docs_store(self) -> Any:
        found = {doc.doc_id: doc for doc in self._records("docs")}
        return SimpleNamespace(get_many=lambda ids: {i: found[i] for i in ids if i in found})


Offer = Callable[..., FakeSet]


@pytest.fixture
def offer(monkeypatch: pytest.MonkeyPatch) -> Offer:
    """Puts a stand-in for ir_datasets in place that offers one set; no local collections."""
    monkeypatch.delenv("WHYRANK_DATA", raising=False)

    def offered(identifier: str = "tiny/test", **parts: Any) -> FakeSet:
        fake = FakeSet(**parts)
        sets = {identifier: fake}
        module = SimpleNamespace(__version__="0.0", registry=sets, load=lambda name: sets[name])
        monkeypatch.setitem(sys.modules, "ir_datasets", module)
        return fake

    return offered


QUERIES = [Asked("q1", "alpha"), Asked("q2", "beta")]
DOCS = [Doc("d1", "first", "One", "u"), Doc("d2", "second"), Doc("d3", "third")]


def test_a_set_is_read_part_by_part_when_it_is_asked_for(offer: Offer) -> None:
    fake = offer(
        queries=QUERIES,
        docs=DOCS,
        qrels=[Grade("q1", "d1", 2), Grade("q1", "d2", -100), Grade("q2", "d3", -1)],
        scoreddocs=[Scored("q1", "d2", 0.0), Scored("q1", "d1", 0.0), Scored("q2", "d3", 1.0), Scored("q2", "d1", 2.0)],
    )
    tiny = datasets.load("ir:tiny/test")
    assert (tiny.name, tiny.split, tiny.source) == ("ir:tiny/test", "test", "ir_datasets: tiny/test")
    assert tiny.parts == ("queries", "documents", "judgements", "runs")
    assert fake.read == []
    assert tiny.qrels == {"q1": {"d1": 2.0}, "q2": {"d3": -1.0}}
    assert tiny.excluded == {"q1": frozenset({"d2"})}
    assert fake.read == ["qrels"]
    assert tiny.queries == (Query("q1", "alpha"), Query("q2", "beta"))
    assert next(tiny.documents()) == Document("d1", "first", "One", {"url": "u"})
    assert tiny.runs == ("scoreddocs",)
    assert list(tiny.run("scoreddocs")["q1"]) == ["d2", "d1"]  # equal scores: the given order
    assert [r.ids for r in tiny.rankings(depth=1)] == [("d2",), ("d1",)]
    with pytest.raises(UnknownName, match="no run called 'bm25'"):
        tiny.run("bm25")


def test_a_short_name_and_its_split_lead_to_the_id(offer: Offer) -> None:
    offer("beir/nfcorpus/dev", queries=QUERIES, qrels=[])
    found = datasets.load("beir/nfcorpus", split="dev")
    assert (found.name, found.split, found.source) == ("beir/nfcorpus", "dev", "ir_datasets: beir/nfcorpus/dev")
    assert found.licence == "free for academic use"
    assert datasets.load("ir:beir/nfcorpus/dev").licence == "free for academic use"
    with pytest.raises(BadInput, match="has no split 'validation' of it; it has test, dev, train"):
        datasets.load("beir/nfcorpus", split="validation")
    with pytest.raises(BadInput, match="names its split itself"):
        datasets.load("ir:beir/nfcorpus/dev", split="dev")


@pytest.mark.parametrize("name", ["beir/arguana", "ir:beir/arguana"])
def test_the_own_document_of_a_query_is_excluded_in_arguana(offer: Offer, name: str) -> None:
    offer("beir/arguana", queries=QUERIES, qrels=[Grade("q1", "d1", 1), Grade("q2", "q1", 1)])
    assert datasets.load(name).excluded == {"q1": frozenset({"q1"}), "q2": frozenset({"q2"})}


def test_missing_parts(offer: Offer) -> None:
    offer(docs=DOCS)
    bare = datasets.load("ir:tiny/test")
    assert bare.parts == ("documents",)
    assert bare.runs == ()
    with pytest.raises(BadInput, match="has no judgements"):
        _ = bare.qrels
    with pytest.raises(BadInput, match="has no queries; name one of its subsets"):
        _ = bare.queries
    assert bare.excluded == {}


def test_two_different_grades_of_one_document_are_an_error_and_equal_ones_are_not(offer: Offer) -> None:
    offer(qrels=[Grade("q1", "d1", 1), Grade("q1", "d1", 1)])
    assert datasets.load("ir:tiny/test").qrels == {"q1": {"d1": 1.0}}
    offer(qrels=[Grade("q1", "d1", 1), Grade("q1", "d1", 2)])
    with pytest.raises(BadInput, match="judges document 'd1' for query 'q1' more than once, as 1 and 2"):
        _ = datasets.load("ir:tiny/test").qrels


def test_records_without_a_text_give_their_default_text() -> None:
    assert query_of(Topic("7", "short", "long")) == Query("7", "short", {"title": "short", "description": "long"})
    assert document_of(Page("d", "words", "Name", ())) == Document("d", "words", "Name")


def test_unknown_ids_name_near_ones(offer: Offer) -> None:
    offer("tiny/test")
    with pytest.raises(UnknownName, match=r"no set of ir_datasets 0\.0 called 'tiny/tset'; did you mean tiny/test\?"):
        datasets.load("ir:tiny/tset")
    with pytest.raises(UnknownName, match="known: tiny"):
        datasets.load("ir:other")


def unanswered(host: str) -> requests.ConnectionError:
    request = requests.Request("GET", f"https://{host}/file.zip").prepare()
    return requests.ConnectionError("no answer", request=request)


ALL_FAILED = RuntimeError(
    "All download sources failed", [("mirror", unanswered("a.org")), ("mirror", unanswered("b.org"))]
)


@pytest.mark.parametrize(
    ("error", "kind", "told"),
    [
        (unanswered("a.org"), MissingFile, r"had no answer from a\.org; connect to the network, or put corpus\.jsonl"),
        (ALL_FAILED, MissingFile, r"had no answer from a\.org, b\.org;"),
        (requests.ConnectionError("?"), MissingFile, "had no answer from the network;"),
        (FileNotFoundError("/x/disk45.tar"), MissingFile, r"must be got by hand and put there: /x/disk45\.tar"),
        (
            ImportError("This dataset requires pyarrow"),
            MissingExtra,
            "another package for it: This dataset requires pya",
        ),
        (PermissionError("read-only"), Unwritable, "cannot write: read-only; set IR_DATASETS_HOME"),
        (EOFError("user name?"), Corrupt, r"and failed: EOFError: user name\?"),
        (OSError("hash differs"), Corrupt, "failed: OSError: hash differs"),
    ],
)
@pytest.mark.parametrize("part", ["queries", "qrels", "docs", "scoreddocs", "texts"])
def test_every_failure_is_one_clear_error(
    offer: Offer, part: str, error: Exception, kind: type[Exception], told: str
) -> None:
    good = {"queries": QUERIES, "qrels": [], "docs": DOCS, "scoreddocs": [Scored("q1", "d1", 1.0)]}
    offer("msmarco-passage/trec-dl-2020/judged", **(good | {"docs" if part == "texts" else part: error}))
    dl20 = datasets.load("dl20")
    asking: dict[str, Callable[[], object]] = {
        "queries": lambda: dl20.queries,
        "qrels": lambda: dl20.qrels,
        "docs": lambda: next(dl20.documents()),
        "scoreddocs": lambda: dl20.run("scoreddocs"),
        "texts": lambda: dl20.rankings(),
    }
    where = r"dl20 \(TREC.*\) is not on this machine: no folder 'trec-dl20-passage' in .*WHYRANK_DATA, which is not set"
    with pytest.raises(kind, match=f"{where}; ir_datasets would fetch 'msmarco-passage/trec-dl-2020/judged',.* {told}"):
        asking[part]()


def test_a_failure_says_the_licence(offer: Offer) -> None:
    offer("msmarco-passage/trec-dl-2020/judged", queries=unanswered("a.org"))
    with pytest.raises(MissingFile, match=r"\(licence: MS MARCO terms: non-commercial research only\)"):
        _ = datasets.load("dl20").queries


def test_a_failure_in_the_middle_is_told_too(offer: Offer) -> None:
    def broken() -> Iterator[Doc]:
        yield DOCS[0]
        raise unanswered("a.org")

    offer(docs=broken())
    documents = datasets.load("ir:tiny/test").documents()
    assert next(documents).id == "d1"
    with pytest.raises(MissingFile, match=r"had no answer from a\.org"):
        next(documents)


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ir_datasets", None)
    monkeypatch.delenv("WHYRANK_DATA", raising=False)
    with pytest.raises(MissingExtra, match=r"dl20 .*no folder 'trec-dl20-passage'.*pip install 'whyrank\[datasets\]'"):
        datasets.load("dl20")
    with pytest.raises(MissingExtra, match=r"pip install 'whyrank\[datasets\]'"):
        datasets.load("ir:beir/nfcorpus")
    assert len(datasets.known()) > 60


def test_bounds_hold_while_something_is_fetched_and_the_users_own_are_kept(
    offer: Offer, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    seen: list[dict[str, str | None]] = []
    logger = logging.getLogger("ir_datasets")
    handler = logging.StreamHandler(sys.stderr)

    def records() -> Iterator[Asked]:
        seen.append({name: os.environ.get(name) for name in BOUNDS})
        logger.warning("Download failed: try 1")
        logger.warning("Please confirm you agree to the data usage agreement")
        yield QUERIES[0]

    for name in BOUNDS:
        monkeypatch.delenv(name, raising=False)
    logger.addHandler(handler)
    try:
        offer(queries=records())
        assert len(datasets.load("ir:tiny/test").queries) == 1
        assert not BOUNDS.keys() & os.environ.keys()
        monkeypatch.setenv("IR_DATASETS_DL_TRIES", "7")
        offer(queries=records())
        assert len(datasets.load("ir:tiny/test").queries) == 1
    finally:
        logger.removeHandler(handler)
    assert logger.filters == []
    assert seen == [BOUNDS, BOUNDS | {"IR_DATASETS_DL_TRIES": "7"}]
    told = capfd.readouterr().err
    assert "agreement" in told
    assert "Download failed" not in told


needs_ir_datasets = pytest.mark.skipif(
    importlib.util.find_spec("ir_datasets") is None, reason="ir_datasets is not installed"
)


def python(code: str, home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """A process of its own, whose ir_datasets has a folder of its own and no way out."""
    kept = {name: value for name, value in os.environ.items() if "proxy" not in name.lower() and name != "WHYRANK_DATA"}
    closed = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), "http://127.0.0.1:9")
    environment = kept | closed | {"IR_DATASETS_HOME": str(home)} | environment
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=60, cwd=home.parent
    )


OFFLINE = """
from whyrank import datasets
from whyrank.errors import WhyrankError
for name in {names}:
    found = datasets.load(name)
    first = lambda: next(found.documents())
    for ask in (lambda: found.qrels, lambda: found.queries, first, first):
        try:
            ask()
        except WhyrankError as error:
            print(type(error).__name__, error)
"""


@needs_ir_datasets
def test_the_real_package_offline_fails_at_once_and_again(tmp_path: Path) -> None:
    """Twice in a row: what the first failure left behind is not taken for the whole."""
    started = time.perf_counter()
    ended = python(OFFLINE.format(names=["dl20", "beir/nfcorpus", "natural-questions"]), tmp_path / "home")
    assert ended.returncode == 0, ended.stderr
    said = ended.stdout.splitlines()
    assert len(said) == 12
    assert all(line.startswith("MissingFile ") and "had no answer from" in line for line in said), said
    assert "trec.nist.gov" in said[0]
    assert "Traceback" not in ended.stderr
    assert "Download failed" not in ended.stderr
    assert time.perf_counter() - started < 30
    assert not [file for file in (tmp_path / "home").rglob("*") if file.suffix in {".zip", ".tmp"}]


@needs_ir_datasets
def test_the_real_package_waits_no_longer_than_its_bounds_for_a_silent_host(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, and never answers
        proxy = f"http://127.0.0.1:{silent.getsockname()[1]}"
        started = time.perf_counter()
        ended = python(
            "from whyrank import datasets; datasets.load('beir/nfcorpus').qrels",
            tmp_path / "home",
            HTTPS_PROXY=proxy,
            https_proxy=proxy,
            IR_DATASETS_DL_TIMEOUT="0.3",
        )
    assert "had no answer from public.ukp.informatik.tu-darmstadt.de" in ended.stderr
    assert time.perf_counter() - started < 15


REAL = """
import ir_datasets
from whyrank import datasets
for name, text in {files!r}.items():
    open(name, "w").write(text)
made = ir_datasets.create_dataset(docs_tsv="docs.tsv", queries_tsv="queries.tsv", qrels_trec="qrels")
ir_datasets.registry.register("mine/test", made)
mine = datasets.load("ir:mine/test")
print(mine.parts, mine.split)
print([(q.id, q.text) for q in mine.queries], dict(mine.qrels))
print([(d.id, d.text) for d in mine.documents()])
print({{i: d.text for i, d in mine._store.texts(["d2", "none"]).items()}})
"""


@needs_ir_datasets
def test_the_real_package_over_local_files(tmp_path: Path) -> None:
    files = {"docs.tsv": "d1\tfirst\nd2\tsecond\n", "queries.tsv": "q1\talpha\n", "qrels": "q1 0 d1 2\n"}
    ended = python(REAL.format(files=files), tmp_path / "home")
    assert ended.stdout.splitlines() == [
        "('queries', 'documents', 'judgements') test",
        "[('q1', 'alpha')] {'q1': {'d1': 2.0}}",
        "[('d1', 'first'), ('d2', 'second')]",
        "{'d2': 'second'}",
    ], ended.stderr


@needs_ir_datasets
def test_every_id_of_the_catalogue_is_one_of_ir_datasets(tmp_path: Path) -> None:
    given = [identifier for entry in catalogue.entries().values() for identifier in entry.ir.values()]
    assert len(given) > 60
    code = f"import ir_datasets; print([i for i in {given!r} if i not in set(ir_datasets.registry)])"
    assert python(code, tmp_path / "home").stdout.strip() == "[]"
