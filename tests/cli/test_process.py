"""What only a process of its own can show: terminals, pipes, signals, a full disk."""

import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import whyrank
from ended import CORPUS
from whyrank.cli.endings import ended_by

WHYRANK = (sys.executable, "-m", "whyrank")
HOSTILE = {"id": "a\x1b[31m", "title": "t\x1b]0;title\x07", "text": "stale \x1b[2J bread \x9b31m \u202e"}


def on_a_terminal(args: list[str], **environment: str) -> tuple[int, str]:
    """Exit code, and what a terminal was sent: results and messages."""
    ours, theirs = pty.openpty()
    inherited = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "COLUMNS"}}
    process = subprocess.Popen(
        [*WHYRANK, *args],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**inherited, "TERM": "xterm", "COLUMNS": "100", **environment},
    )
    os.close(theirs)
    seen = b""
    try:
        while piece := os.read(ours, 1 << 16):
            seen += piece
    except OSError:  # the other side has closed
        pass
    os.close(ours)
    return process.wait(), seen.decode().replace("\r\n", "\n")


def many(path: Path, count: int) -> Path:
    with path.open("w") as file:
        for i in range(count):
            texts = [f"bread of day {i}, loaf {loaf}" for loaf in range(50)]
            file.write(json.dumps({"query": {"id": str(i), "text": f"stale bread {i}"}, "documents": texts}) + "\n")
    return path


def test_a_terminal_gets_a_coloured_table(tmp_path: Path) -> None:
    code, seen = on_a_terminal(["rerank", "stale bread", str(CORPUS), "-k", "2", "-e", "1"])
    assert code == 0
    assert "\x1b[32m▲" in seen
    assert "2 of 43 hits" in seen


def test_no_color_and_dumb_terminals_are_respected() -> None:
    args = ["rerank", "stale bread", str(CORPUS), "-k", "1", "-e", "0", "-q"]
    assert "\x1b[3" not in on_a_terminal(args, NO_COLOR="1")[1]
    assert "\x1b" not in on_a_terminal(args, TERM="dumb")[1]
    assert on_a_terminal(["rerank", "x", "nope"])[1].endswith("\x1b[1;31merror:\x1b[0m nope: no such file\n")
    assert on_a_terminal(["rerank", "x", "nope"], TERM="dumb")[1] == "error: nope: no such file\n"


@pytest.mark.parametrize("name", ["table", "jsonl", "json", "trec", "html"])
def test_escapes_in_documents_never_reach_a_terminal(tmp_path: Path, name: str) -> None:
    file = tmp_path / "d.jsonl"
    file.write_text(json.dumps(HOSTILE))
    code, seen = on_a_terminal(["rerank", "stale\x1b[35m bread", str(file), "-f", name, "-q"], TERM="dumb")
    assert code == 0
    assert [c for c in seen if not c.isprintable() and c != "\n"] == []
    assert "a" in seen


@pytest.mark.parametrize("name", ["jsonl", "csv"])
def test_escapes_never_reach_a_terminal_that_converts(tmp_path: Path, name: str) -> None:
    file = tmp_path / "d.jsonl"
    file.write_text(json.dumps(HOSTILE))
    code, seen = on_a_terminal(["convert", str(file), "-", "--to", name, "-q"])
    assert code == 0
    assert [c for c in seen if not c.isprintable() and c != "\n"] == []
    assert "stale" in seen


@pytest.mark.parametrize("name", ["jsonl", "table", "html"])
def test_a_closed_pipe_is_a_silent_end(name: str) -> None:
    process = subprocess.Popen(
        [*WHYRANK, "rerank", "stale bread", str(CORPUS), "-f", name, "-e", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert (process.stderr.read(), process.wait()) == (b"", 141)
    process.stderr.close()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("args", [["rerank", "x", str(CORPUS), "-e", "0"], ["methods"], ["validate", str(CORPUS)]])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_disk_is_one_line(args: list[str], unbuffered: str) -> None:
    environment = os.environ | {"PYTHONUNBUFFERED": unbuffered}
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run(
            [*WHYRANK, *args], stdout=full, stderr=subprocess.PIPE, text=True, check=False, env=environment
        )
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert "No space left on device" in ended.stderr


def interrupted(args: list[str], folder: Path, ready: Path) -> subprocess.CompletedProcess[str]:
    """Run until `ready` has something in it or a file is being written; then press Ctrl-C."""
    # A process that was started in the background ignores Ctrl-C.
    code = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    code += "from whyrank.cli import main; sys.exit(main())"
    with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
        process = subprocess.Popen(
            [sys.executable, "-c", code, *args],
            stdout=out,
            stderr=err,
        )
        started = time.monotonic()
        while not (list(folder.glob(".whyrank-*")) or ready.stat().st_size) and time.monotonic() - started < 30:
            time.sleep(0.05)
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        returned = process.wait(timeout=30)
    return subprocess.CompletedProcess(args, returned, (folder / "out").read_text(), (folder / "err").read_text())


def test_ctrl_c_keeps_the_lines_that_were_finished(tmp_path: Path) -> None:
    given = many(tmp_path / "in.jsonl", 2_000)
    ended = interrupted(["rerank", "--run", str(given), "--threads", "1"], tmp_path, tmp_path / "out")
    assert (ended.returncode, ended.stderr) == (130, "interrupted\n")
    lines = ended.stdout.splitlines(keepends=True)
    assert 0 < len(lines) < 2_000
    assert all(line.endswith("\n") and json.loads(line)["status"] == "ok" for line in lines)


def test_ctrl_c_leaves_files_as_they_were(tmp_path: Path) -> None:
    given = many(tmp_path / "in.jsonl", 2_000)
    (tmp_path / "keep.jsonl").write_text("old")
    args = ["rerank", "--run", str(given), "-o", str(tmp_path / "keep.jsonl"), "--threads", "1"]
    ended = interrupted(args, tmp_path, tmp_path / "out")
    assert (ended.returncode, ended.stderr) == (130, "interrupted\n")
    assert (tmp_path / "keep.jsonl").read_text() == "old"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["err", "in.jsonl", "keep.jsonl", "out"]


def test_ctrl_c_inside_native_code_is_an_interrupt_too(capsys: pytest.CaptureFixture[str]) -> None:
    told = SystemError("<built-in method run> returned a result with an exception set")
    told.__cause__ = KeyboardInterrupt()
    assert ended_by(told) == 130
    assert capsys.readouterr().err == "interrupted\n"
    assert ended_by(SystemError("something else")) == 70


@pytest.mark.parametrize("damage", ["flip", "truncate"])
def test_a_damaged_model_is_found(tmp_path: Path, damage: str) -> None:
    package = tmp_path / "whyrank"
    shutil.copytree(Path(whyrank.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    weights = package / "encode" / "model" / "weights.safetensors"
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 4
    weights.write_bytes(content if damage == "flip" else content[:1000])
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    for args, code in ((["rerank", "x", str(CORPUS)], 2), (["doctor", "-q"], 1)):
        ended = subprocess.run([*WHYRANK, *args], env=environment, capture_output=True, text=True, check=False)
        assert ended.returncode == code
        assert "weights.safetensors" in (ended.stdout + ended.stderr).replace("\n", "")
        assert "Traceback" not in ended.stderr
