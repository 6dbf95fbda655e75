import errno
import gzip
import io
import os
import sys
from pathlib import Path

import pytest

from whyrank.errors import BadInput, BadRecord, Corrupt, MissingFile, Unwritable
from whyrank.formats import files
from whyrank.formats.problems import Collector


def lines_of(path: Path) -> list[tuple[int, str]]:
    with files.opening(path) as source:
        return list(source.lines())


def test_lines_keep_their_numbers_and_ends(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("one\r\ntwo\u2028still two\n\nfour".encode())
    assert lines_of(path) == [(1, "one\r\n"), (2, "two\u2028still two\n"), (3, "\n"), (4, "four")]


def test_gzip_is_seen_by_its_bytes_not_its_name(tmp_path: Path) -> None:
    path = tmp_path / "plain.txt"
    path.write_bytes(gzip.compress(b"packed\n"))
    assert lines_of(path) == [(1, "packed\n")]
    assert files.read_bytes(path) == b"packed\n"


@pytest.mark.parametrize("size", [1, 3, 4, 5, 100])
def test_what_was_peeked_is_read_again(tmp_path: Path, size: int) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"abc\nde\nf")
    with files.opening(path) as source:
        assert source.peek(2) == b"ab"
        assert source.peek(size) == b"abc\nde\nf"[:size]
        assert [text for _, text in source.lines()] == ["abc\n", "de\n", "f"]


def test_standard_input_may_be_packed_and_is_peeked_without_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(gzip.compress(b"x\ny\n"))))
    with files.opening("-") as source:
        assert source.peek(1) == b"x"
        assert [text for _, text in source.lines()] == ["x\n", "y\n"]


def test_byte_order_mark_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xef\xbb\xbfa\n\xef\xbb\xbfb\n")
    assert lines_of(path) == [(1, "a\n"), (2, "\ufeffb\n")]


@pytest.mark.parametrize("bom", [b"\xff\xfe", b"\xfe\xff"])
def test_utf16_is_named(tmp_path: Path, bom: bytes) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(bom + b"a\0b\0")
    with pytest.raises(BadRecord, match=r"a\.txt:1: .*UTF-16.*iconv"):
        lines_of(path)


def test_invalid_utf8_names_line_and_byte(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xef\xbb\xbfgood\nb\xc3\xa4d \xff\nmore\n")
    with pytest.raises(BadRecord, match=r"a\.txt:2: not UTF-8: byte 0xff at offset 13 "):
        lines_of(path)
    assert path.read_bytes()[13] == 0xFF


def test_a_told_reader_leaves_the_bad_line_out(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"one\n\xff\nthree\n")
    told = Collector(9)
    with files.opening(path) as source:
        assert list(source.lines(told)) == [(1, "one\n"), (3, "three\n")]
    assert [problem.line for problem in told.kept] == [2]


@pytest.mark.parametrize("kept", [5, 20, -1])
def test_truncated_gzip_is_corrupt(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(b"some text\n" * 1000)[:kept])
    with pytest.raises(Corrupt, match=r"a\.gz: damaged gzip data"):
        lines_of(path)
    with pytest.raises(Corrupt):
        files.read_bytes(path)


def test_damaged_gzip_is_corrupt(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(bytes(range(256)) * 50))
    packed[-6] ^= 0xFF
    path = tmp_path / "a.gz"
    path.write_bytes(packed)
    with pytest.raises(Corrupt):
        files.read_bytes(path)


def test_absent_folder_and_unreadable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MissingFile, match="no such file"):
        files.read_bytes(tmp_path / "absent")
    with pytest.raises(BadInput, match="is a folder"):
        files.read_bytes(tmp_path)

    def denied(*_args: object, **_more: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)
    with pytest.raises(BadInput, match=r"cannot be read \(Permission denied\)"):
        files.read_bytes(tmp_path / "secret")


def test_progress_ends_with_everything_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"0123456789\n" * 100)
    monkeypatch.setattr(files, "PROGRESS_EVERY", 500)
    told: list[tuple[int, int]] = []
    with files.opening(path, lambda done, total: told.append((done, total))) as source:
        assert sum(1 for _ in source.lines()) == 100
    assert len(told) == 3
    assert told[-1] == (1100, 1100)


def test_replacing_writes_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("before")
    with pytest.raises(RuntimeError), files.replacing(path) as stream:  # noqa: PT012
        stream.write(b"half")
        raise RuntimeError
    assert path.read_text() == "before"
    with files.replacing(path) as stream:
        stream.write(b"after")
    assert path.read_text() == "after"
    assert [left.name for left in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.parametrize("call", ["os.fsync", "pathlib.Path.replace"])
def test_full_disk_leaves_what_stood_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    path = tmp_path / "a.txt"
    path.write_text("before")

    def full(*_args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(call, full)
    with pytest.raises(Unwritable, match=r"No space left on device\); nothing was changed"), files.replacing(path) as f:
        f.write(b"after")
    assert path.read_text() == "before"
    assert [left.name for left in tmp_path.iterdir()] == ["a.txt"]


def test_target_in_no_folder_and_target_that_is_one(tmp_path: Path) -> None:
    with pytest.raises(Unwritable, match="does not exist; create it"), files.replacing(tmp_path / "no" / "a"):
        pass
    (tmp_path / "folder").mkdir()
    with pytest.raises(Unwritable), files.replacing(tmp_path / "folder"):
        pass
    assert [left.name for left in tmp_path.iterdir()] == ["folder"]


def test_gzip_target_is_the_same_bytes_each_time(tmp_path: Path) -> None:
    for name in ("a.gz", "b.gz"):
        with files.replacing(tmp_path / name) as stream:
            stream.write(b"text")
    assert gzip.decompress((tmp_path / "a.gz").read_bytes()) == b"text"
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()


def test_links_and_permissions_stay(tmp_path: Path) -> None:
    path, link = tmp_path / "a.txt", tmp_path / "link"
    path.write_text("before")
    path.chmod(0o600)
    link.symlink_to(path)
    with files.replacing(link) as stream:
        stream.write(b"after")
    assert link.is_symlink()
    assert path.read_text() == "after"
    assert path.stat().st_mode & 0o777 == 0o600


def test_new_files_follow_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        with files.replacing(tmp_path / "a"):
            pass
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640


def test_devices_are_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with files.replacing(pipe) as stream:
            stream.write(b"through")
        assert os.read(reader, 100) == b"through"
    finally:
        os.close(reader)
    assert pipe.is_fifo()


def test_text_writer_writes_plain_newlines() -> None:
    binary = io.BytesIO()
    with files.text_writer(binary) as text:
        text.write("ä\n")
        text.flush()
        assert binary.getvalue() == b"\xc3\xa4\n"
