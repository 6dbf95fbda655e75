"""From a name to a collection: the order of places, aliases, near matches, the table of names."""

from pathlib import Path

import pytest

from whyrank import datasets
from whyrank.datasets import catalogue
from whyrank.errors import BadInput, MissingFile, UnknownName


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of WHYRANK_DATA; the tests run in another one."""
    (tmp_path / "data").mkdir()
    (tmp_path / "here").mkdir()
    monkeypatch.setenv("WHYRANK_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "data"


def put(folder: Path, text: str = "why") -> Path:
    folder.mkdir(parents=True)
    (folder / "queries.jsonl").write_text('{"_id": "q", "text": "' + text + '"}\n', encoding="utf-8")
    (folder / "qrels.trec").write_text("q 0 d 1\n", encoding="utf-8")
    return folder


def test_the_demo_is_there_without_anything() -> None:
    demo = datasets.load("demo")
    assert (demo.source, demo.split, demo.runs, demo.licence) == ("built in", "test", (), "Apache-2.0")
    assert len(demo.queries) == 6
    assert {d for grades in demo.qrels.values() for d in grades} <= {d.id for d in demo.documents()}
    assert demo.excluded == {}
    assert datasets.load("demo", split="test").name == "demo"
    with pytest.raises(BadInput, match="no split 'train'"):
        datasets.load("demo", split="train")
    with pytest.raises(BadInput, match="has 0 runs; retrieve candidates first"):
        demo.rankings()
    with pytest.raises(UnknownName, match="no run called 'bm25'"):
        demo.run("bm25")


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("dl19", "trec-dl19-passage"),
        ("trec-dl-2019", "trec-dl19-passage"),
        ("trec-dl19-passage", "trec-dl19-passage"),
        ("beir/scifact", "beir-scifact"),
        ("beir/scifact", "beir/scifact"),
        ("beir/scifact", "scifact"),
        ("bright/biology", "bright-queries-qrels-runs/biology"),
        ("bright/earth-science", "bright/earth_science"),
        ("birco/arguana", "birco-arguana"),
        ("noveleval", "noveleval"),
        ("my-own", "my-own"),
        ("my/own", "my-own"),
        ("my/own", "my/own"),
    ],
)
def test_names_of_the_data_folder(root: Path, name: str, folder: str) -> None:
    put(root / folder)
    found = datasets.load(name)
    entry = catalogue.find(name)
    assert found.source == str(root / folder)
    assert found.name == (entry.name if entry else name)
    assert found.licence == (entry.licence if entry else "")


def test_a_folder_here_comes_before_the_data_folder_unless_it_has_the_name_of_a_known_collection(root: Path) -> None:
    put(Path("cisi/deep"), "here")
    assert datasets.load("cisi/deep").queries[0].text == "here"
    put(Path("own"), "here")
    put(root / "own", "there")
    assert datasets.load("own").queries[0].text == "here"
    put(Path("med"), "here")  # such as the folder of an experiment's results
    put(root / "medline-med", "there")
    assert datasets.load("med").queries[0].text == "there"
    assert datasets.load("./med").queries[0].text == "here"


def test_birco_is_not_taken_for_beir(root: Path) -> None:
    put(root / "arguana")
    with pytest.raises(MissingFile, match=r"birco/arguana .* no folder 'birco-arguana' in"):
        datasets.load("birco/arguana")
    assert datasets.load("beir/arguana").name == "beir/arguana"


def test_unknown_names_name_near_ones_and_where_was_looked(root: Path) -> None:
    put(root / "my-own-set")
    with pytest.raises(
        UnknownName, match=r"did you mean my-own-set\?.*looked for a folder 'my-own-sett' here and in .*da"
    ):
        datasets.load("my-own-sett")
    with pytest.raises(UnknownName, match=r"did you mean dl\d\d"):
        datasets.load("dl2")
    with pytest.raises(UnknownName, match="'ir:<id>' names any set"):
        datasets.load("something/else")


def test_names_do_not_climb_out_of_the_data_folder(root: Path, tmp_path: Path) -> None:
    (root / "x").mkdir()
    put(tmp_path / "secret")
    with pytest.raises(UnknownName):
        datasets.load("x/../../secret")


def test_a_folder_that_holds_nothing_says_what_it_may_hold(root: Path) -> None:
    Path("empty").mkdir()
    with pytest.raises(BadInput, match="empty: no collection in this folder; it may hold"):
        datasets.load("empty")
    with pytest.raises(BadInput, match="name of the dataset is empty"):
        datasets.load("")


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (None, "WHYRANK_DATA, which is not set"),
        ("/nowhere/at/all", r"/nowhere/at/all \(WHYRANK_DATA\), which is no folder"),
    ],
)
def test_what_is_got_by_hand_says_how(monkeypatch: pytest.MonkeyPatch, value: str | None, told: str) -> None:
    monkeypatch.delenv("WHYRANK_DATA", raising=False)
    if value:
        monkeypatch.setenv("WHYRANK_DATA", value)
    with pytest.raises(MissingFile, match=f"cisi .* no folder 'cisi' in .*{told}.*; put corpus.jsonl, .*licence"):
        datasets.load("cisi")
    with pytest.raises(MissingFile, match=r"ir_datasets does not have it: take corpus\.tsv.*RankGPT.*first line"):
        datasets.load("noveleval")
    with pytest.raises(MissingFile, match="for the whole collection load 'beir/dbpedia-entity'"):
        datasets.load("beir/dbpedia")


def test_noveleval_reads_as_its_authors_do_once_it_has_the_header(root: Path) -> None:
    folder = root / "noveleval"
    folder.mkdir()
    corpus = 'id\ttext\n0-0\tPlain text\n0-1\t"""The exact number?"" he said"\n'
    (folder / "corpus.tsv").write_text(corpus, encoding="utf-8")
    (folder / "queries.tsv").write_text("0\tHow many?\n", encoding="utf-8")
    (folder / "qrels.txt").write_text("0 Q0 0-0 0\n0 Q0 0-1 2\n", encoding="utf-8")
    found = datasets.load("noveleval")
    assert [d.text for d in found.documents()] == ["Plain text", '"The exact number?" he said']
    assert found.qrels == {"0": {"0-0": 0.0, "0-1": 2.0}}
    assert found.queries[0].text == "How many?"


def test_a_local_copy_without_documents_tells_where_they_are(root: Path) -> None:
    put(root / "bright-queries-qrels-runs" / "biology")
    with pytest.raises(BadInput, match=r"has no documents.*load 'ir:bright/biology'"):
        datasets.load("bright/biology").documents()


def test_known_names(root: Path) -> None:
    put(root / "beir-scifact")
    put(root / "mine" / "inner")
    (root / "mine" / "not-a-collection").mkdir()
    rows = {row.name: row for row in datasets.known()}
    assert len(rows) == len(datasets.known())
    assert "beir-scifact" not in rows  # listed once, by its short name
    assert rows["demo"].found == "built in"
    assert rows["beir/scifact"][2:] == ("here", str(root / "beir-scifact"), "CC BY-NC 2.0")
    assert rows["mine/inner"][1:3] == ("a folder: queries and judgements, splits test; runs: 0", "here")
    assert rows["dl20"][2:4] == ("network", "msmarco-passage/trec-dl-2020/judged")
    assert rows["cisi"].found == "absent"
    assert "put corpus.jsonl" in rows["cisi"].place
    assert datasets.load("mine/inner").name == "mine/inner"


def test_every_name_of_the_issue_is_in_the_catalogue() -> None:
    beir = "trec-covid nfcorpus nq hotpotqa fiqa arguana webis-touche2020 quora dbpedia-entity scidocs fever scifact"
    forums = "android english gaming gis mathematica physics programmers stats tex unix webmasters wordpress"
    wanted = {
        *(f"dl{year}" for year in range(19, 24)),
        *(f"beir/{name}" for name in [*beir.split(), "climate-fever", "msmarco"]),
        *(f"beir/cqadupstack/{name}" for name in forums.split()),
        *("noveleval", "msmarco", "natural-questions", "nq-dpr"),
    }
    names = set(catalogue.entries())
    assert wanted <= names
    assert len([name for name in names if name.startswith("bright/")]) == 12


def test_catalogue_is_unambiguous_and_says_something() -> None:
    taken: set[str] = set()
    for entry in catalogue.entries().values():
        names = {entry.name, *entry.aliases}
        assert not names & taken, entry.name
        taken |= names
        assert entry.about
        assert entry.folders, entry.name
        assert "\n" not in entry.about + entry.licence + entry.remedy
    folders = [folder for entry in catalogue.entries().values() for folder in entry.folders]
    assert len(folders) == len(set(folders))
