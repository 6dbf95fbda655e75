"""Help is instant, complete and says how the program ends."""

import subprocess
import sys

import pytest

from ended import Run
from whyrank.cli.app import COMMANDS

HEAVY = ("numpy", "onnxruntime", "tokenizers", "bm25s", "safetensors", "yaml", "whyrank.rankers", "whyrank.formats")


@pytest.mark.parametrize("args", [["--help"], ["rerank", "--help"], ["verify", "-h"]])
def test_help_loads_nothing_heavy(args: list[str]) -> None:
    code = (
        "import sys; from whyrank.cli import main; assert main(sys.argv[1:]) == 0; "
        f"print([m for m in {HEAVY} if m in sys.modules], "
        "[m for m in sys.modules if m.startswith('whyrank.cli.')], file=sys.stderr)"
    )
    found = subprocess.run([sys.executable, "-c", code, *args], capture_output=True, text=True, check=True).stderr
    assert found.startswith("[] "), f"loaded for help: {found}"
    called = args[0] if args[0] in COMMANDS else None
    assert [name for name in COMMANDS if f"'whyrank.cli.{name}'" in found] == ([called] if called else [])


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example_and_at_most_a_dozen_flags_in_a_panel(run: Run, command: str) -> None:
    code, out, _ = run(command, "--help")
    assert code == 0
    assert "Examples:" in out
    assert f"whyrank {command}" in out
    for panel in out.split("╭─")[1:]:
        assert sum(line.startswith("│ --") for line in panel.splitlines()) <= 12 + len(["--quiet", "--help"])


def test_exit_codes_are_documented(run: Run) -> None:
    out = run("--help").out
    for code in ("0 ", "1 ", "2 ", "3 ", "70 ", "130", "141"):
        assert f"\n   {code}" in out
    for command in COMMANDS:
        assert f"│ {command} " in out


def test_version(run: Run) -> None:
    import whyrank

    assert run("--version") == (0, f"whyrank {whyrank.__version__}\n", "")


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["rernk"], "rerank"),
        (["rerank", "cats", "x", "--dept", "3"], "--depth"),
        (["rerank", "cats", "x", "--depth", "0"], "--depth"),
        (["rerank", "cats", "x", "--depth", "many"], "--depth"),
        (["rerank", "cats", "x", "-k", "0"], "--top-k"),
        (["search", "cats"], "--index"),
        (["explain", "x", "--pair", "a"], "--pair"),
    ],
)
def test_wrong_usage_ends_with_2_and_names_what_is_wrong(run: Run, args: list[str], said: str) -> None:
    code, out, err = run(*args)
    assert (code, out) == (2, "")
    assert said in err
