import errno
import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whyrank.errors import BadInput, Corrupt, MissingFile, Unwritable
from whyrank.retrieve import BM25
from whyrank.types import Document

DOCUMENTS = [
    Document("a", "the sky is blue", "Sky", {"year": 1999, "tags": ["x", None, True], "deep": {"f": 1.5}}),
    Document("b\n\u2028", "the \ud83d\ude00 sea\x00 is \udfff wide\r\n", None, {}),
    Document("c", "a 😀 blue, blue sea", "\ud800", {"k\udc00": ""}),
    Document("", "", "", {}),
]
QUERIES = ["sky", "blue sea", "wide", "zebra", ""]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    BM25.build(DOCUMENTS).save(tmp_path / "index")
    return tmp_path / "index"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


FILES = [
    *("columns.i64", "document_starts.i64", "documents.jsonl", "manifest.json", "positions.i32", "term_columns.i32"),
    *("term_starts.i64", "terms.utf8", "weights.f32"),
]


def test_a_loaded_index_answers_as_the_built_one(folder: Path) -> None:
    built, loaded = BM25.build(DOCUMENTS), BM25.load(folder)
    assert names(folder) == FILES
    assert len(loaded) == len(DOCUMENTS)
    assert [loaded.search(query) for query in QUERIES] == [built.search(query) for query in QUERIES]
    assert (loaded.name, loaded.language) == (built.name, "en")


@settings(max_examples=40)  # each one syncs nine files to disk
@given(st.builds(Document, st.text(), st.text(st.characters()), st.none() | st.text(st.characters())))
def test_documents_survive_untouched(tmp_path_factory: pytest.TempPathFactory, document: Document) -> None:
    folder = tmp_path_factory.mktemp("store") / "index"
    given_document = Document(document.id, document.text + " sky", document.title, {"t": document.text})
    BM25.build([given_document]).save(folder)
    assert BM25.load(folder).search("sky").documents == (given_document,)


def test_settings_are_kept(tmp_path: Path) -> None:
    index = BM25.build(DOCUMENTS, language="none", k1=1.2, b=0.75)
    index.save(tmp_path / "i")
    loaded = BM25.load(tmp_path / "i")
    assert (loaded.language, loaded.k1, loaded.b) == ("none", 1.2, 0.75)
    assert loaded.search("the blue") == index.search("the blue")


def test_an_empty_collection_is_saved(tmp_path: Path) -> None:
    BM25.build([]).save(tmp_path / "i")
    loaded = BM25.load(tmp_path / "i")
    loaded.verify()
    assert len(loaded) == 0
    assert loaded.search("sky").hits == ()


def test_the_same_collection_is_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    BM25.build(DOCUMENTS).save(tmp_path / "again")
    for name in FILES:
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes()


def test_a_loaded_index_can_be_saved_elsewhere_and_in_place(folder: Path, tmp_path: Path) -> None:
    loaded = BM25.load(folder)
    loaded.save(tmp_path / "copy")
    loaded.save(folder, overwrite=True)
    for path in (tmp_path / "copy", folder):
        copy = BM25.load(path)
        copy.verify()
        assert copy.search("blue sea") == loaded.search("blue sea")
    assert names(tmp_path) == ["copy", "index"]


def test_an_index_is_replaced_only_on_purpose(folder: Path, tmp_path: Path) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    other = BM25.build([Document("z", "zebra")])
    with pytest.raises(Unwritable, match="holds an index already"):
        other.save(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    reader = BM25.load(folder)
    other.save(folder, overwrite=True)
    assert BM25.load(folder).search("zebra").ids == ("z",)
    assert reader.search("sky").ids == ("a",)  # a reader keeps what it opened
    assert names(tmp_path) == ["index"]


def test_other_things_are_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("keep")
    (tmp_path / "file").write_text("keep")
    index = BM25.build(DOCUMENTS)
    with pytest.raises(Unwritable, match="a folder with other files in it"):
        index.save(tmp_path / "notes", overwrite=True)
    with pytest.raises(Unwritable, match="is a file"):
        index.save(tmp_path / "file", overwrite=True)
    with pytest.raises(Unwritable, match="does not exist; create it first"):
        index.save(tmp_path / "no" / "such")
    assert names(tmp_path) == ["file", "notes"]
    (tmp_path / "empty").mkdir()
    index.save(tmp_path / "empty")
    assert len(BM25.load(tmp_path / "empty")) == len(DOCUMENTS)


@pytest.mark.parametrize("place", [os.fsync, Path.mkdir, Path.rename])
def test_a_full_disk_leaves_nothing_behind(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: object
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    owner = os if place is os.fsync else Path
    monkeypatch.setattr(owner, place.__name__, full)  # type: ignore[attr-defined]
    for target in (tmp_path / "new", folder):
        with pytest.raises(Unwritable, match="No space left on device\\); nothing was changed"):
            BM25.build([Document("z", "zebra")]).save(target, overwrite=True)
    monkeypatch.undo()
    assert names(tmp_path) == ["index"]
    assert BM25.load(folder).search("sky").ids == ("a",)


def test_a_failed_swap_puts_the_old_index_back(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rename = Path.rename

    def failing(self: Path, target: Path) -> Path:
        if self.name.endswith(".tmp") and target == folder:
            raise OSError(errno.EACCES, "Permission denied")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(Unwritable, match="Permission denied"):
        BM25.build([]).save(folder, overwrite=True)
    assert names(tmp_path) == ["index"]
    assert BM25.load(folder).search("sky").ids == ("a",)


@pytest.mark.parametrize(
    ("metadata", "where"),
    [
        ({"a": (1, 2)}, r"\['a'\] \(a tuple\)"),
        ({1: "a"}, r"\[1\]"),
        ({"a": [{"b": {3}}]}, r"\['a'\]\[0\]\['b'\] \(a set\)"),
    ],
)
def test_metadata_that_json_would_change_is_refused(tmp_path: Path, metadata: dict[str, object], where: str) -> None:
    with pytest.raises(BadInput, match=f"document 'x': metadata{where} would not come back"):
        BM25.build([Document("x", "sky", metadata=metadata)]).save(tmp_path / "i")
    assert names(tmp_path) == []


def test_there_is_no_index(tmp_path: Path) -> None:
    with pytest.raises(MissingFile, match="no such index"):
        BM25.load(tmp_path / "i")
    with pytest.raises(Corrupt, match=r"has no manifest\.json"):
        BM25.load(tmp_path)


def test_another_format_is_refused(folder: Path) -> None:
    from whyrank.retrieve import index_folder

    manifest = json.loads((folder / "manifest.json").read_text())
    facts = {key: manifest[key] for key in ("documents", "terms", "postings", "language", "k1", "b")}
    index_folder.write_manifest(folder, "whyrank BM25 index", 99, facts)
    with pytest.raises(Corrupt, match="is a whyrank BM25 index of format 99"):
        BM25.load(folder)


def test_a_manifest_cannot_point_out_of_its_folder(folder: Path, tmp_path: Path) -> None:
    from whyrank.retrieve import index_folder

    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["sha256"]
    manifest["files"]["../stolen"] = {"bytes": 0, "sha256": "0"}
    (folder / "manifest.json").write_text(json.dumps({**manifest, "sha256": index_folder._checksum(manifest)}))
    with pytest.raises(Corrupt, match=r"names '\.\./stolen', which is no file of an index"):
        BM25.load(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(Corrupt, match=rf"{name}.*rebuild with whyrank index"):
        BM25.load(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_truncated_file_is_named(folder: Path, name: str) -> None:
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(Corrupt, match=rf"{name}.*rebuild with whyrank index"):
        BM25.load(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_bit_is_found_by_verify_and_breaks_nothing_else(folder: Path, name: str) -> None:
    content = (folder / name).read_bytes()
    opened = BM25.load(folder)
    opened.verify()
    for place in range(0, len(content), 1 if name != "manifest.json" else 7):
        damaged = bytearray(content)
        damaged[place] ^= 1 << (place % 8)
        (folder / name).unlink()  # what is mapped stays as it was
        (folder / name).write_bytes(damaged)
        with pytest.raises(Corrupt, match=rf"{name}.*rebuild with whyrank index"):
            opened.verify()
        try:
            index = BM25.load(folder)
            for query in QUERIES:
                index.search(query)
        except Corrupt as error:
            assert "rebuild with whyrank index" in str(error)  # noqa: PT017


def test_a_damaged_index_is_not_copied(folder: Path, tmp_path: Path) -> None:
    loaded = BM25.load(folder)
    content = (folder / "weights.f32").read_bytes()
    (folder / "weights.f32").unlink()
    (folder / "weights.f32").write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(Corrupt, match=r"weights\.f32"):
        loaded.save(tmp_path / "copy")
    assert names(tmp_path) == ["index"]
