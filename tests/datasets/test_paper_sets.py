"""The sets that papers on reranking report, by the names they are reported under; and who learnt from which."""

from pathlib import Path

import pytest

from whyrank import datasets
from whyrank.datasets import catalogue
from whyrank.errors import MissingFile

BEIR = {
    "beir/covid": "beir/trec-covid",
    "beir/nfcorpus": "beir/nfcorpus",
    "beir/touche": "beir/webis-touche2020",
    "beir/dbpedia-entity": "beir/dbpedia-entity",
    "beir/scifact": "beir/scifact",
    "beir/signal": "beir/signal1m",
    "beir/news": "beir/trec-news",
    "beir/robust04": "beir/robust04",
}


@pytest.mark.parametrize("name", [*BEIR, *BEIR.values(), "dl19", "dl20", "noveleval", "webquestions", "nq-dpr"])
def test_known_by_name_and_read_from_the_data_folder(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = catalogue.find(name)
    assert entry is not None
    assert entry.name == BEIR.get(name, name)
    monkeypatch.setenv("WHYRANK_DATA", str(tmp_path))
    folder = tmp_path / entry.folders[0]
    folder.mkdir(parents=True)
    (folder / "qrels.trec").write_text("q 0 d 1\n")
    found = datasets.load(name)
    assert (found.name, found.qrels) == (entry.name, {"q": {"d": 1.0}})


@pytest.mark.parametrize("name", ["beir/signal", "beir/news", "beir/robust04", "webquestions"])
def test_what_nobody_gives_away_says_what_to_do(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WHYRANK_DATA", raising=False)
    with pytest.raises(MissingFile, match=r"is not on this machine: no folder .* WHYRANK_DATA"):
        datasets.load(name)


def test_who_learnt_from_the_questions_of_a_split() -> None:
    everyone = ("evidence", "student-open", "student-research")
    assert catalogue.learnt_by("beir/nq", "test") == everyone
    assert catalogue.learnt_by("nq", "test") == everyone
    assert catalogue.learnt_by("natural-questions", "train") == ()
    assert catalogue.learnt_by("dl19", "test") == ()
    assert catalogue.learnt_by("somewhere/else", "test") == ()


def test_the_families_are_the_names_of_rankers() -> None:
    from whyrank.rankers import load

    families = {family for entry in catalogue.entries().values() for own in entry.learnt.values() for family in own}
    names = [load(name).name for name in ("evidence", "student", "student-open")]
    assert all(any(name.startswith(f"{family}-") for name in names) for family in families)
    assert all(any(name.startswith(f"{family}-") for family in families) for name in names)
    bi_encoder = load("bi-encoder").name
    assert not any(bi_encoder.startswith(f"{family}-") for family in families)
