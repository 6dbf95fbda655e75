"""Work that no two processes do at once."""

import subprocess
import sys
from pathlib import Path

import pytest

from whyrank.errors import BadInput, Unwritable
from whyrank.formats.locks import alone

HELD = """
import os, pathlib, sys
from whyrank.formats.locks import alone
with alone(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
    os._exit(1)
"""


def test_one_process_at_a_time_until_it_ends_however_it_ends(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HELD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(BadInput, match=r"lock: another process is working here"), alone(tmp_path):
            pytest.fail("two at once")
        other.kill()
        other.wait()
    with alone(tmp_path):
        pass
    with alone(tmp_path), pytest.raises(BadInput), alone(tmp_path):
        pytest.fail("twice at once")


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(Unwritable, match="name another folder"), alone(tmp_path / "absent"):
        pytest.fail("nowhere")
