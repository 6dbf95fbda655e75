"""How a run of the program ends: its exit code, errors in one line, interrupts, closed pipes, full disks."""

import os
import sys
from collections.abc import Sequence
from contextlib import suppress

from whyrank.errors import WhyrankError

FINE = 0
CHECK_FAILED = 1
BAD_INPUT = 2
PARTIAL = 3
DEFECT = 70
INTERRUPTED = 130
CLOSED_PIPE = 141


def main(args: Sequence[str] | None = None) -> int:
    """Run the program.

    Args:
        args: what stands behind its name on the command line; those of this process if None.

    Returns:
        The exit code; see `whyrank.cli`. With WHYRANK_DEBUG=1, errors come with their traceback.
    """
    code = FINE
    try:
        code = _run(sys.argv[1:] if args is None else args)
        if sys.stdout is not None:
            sys.stdout.flush()
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the end of every road
        # What could not be written when it was printed fails again here, and was told there.
        code = code if code == BAD_INPUT and not isinstance(error, BrokenPipeError) else ended_by(error)
    _settle_stdout()
    return code


def _run(args: Sequence[str]) -> int:
    from whyrank.cli.app import program

    try:
        program()(args, prog_name="whyrank")
    except SystemExit as end:
        if isinstance(end.__context__, BrokenPipeError):  # help is printed by rich, which exits by itself
            return CLOSED_PIPE
        return end.code if isinstance(end.code, int) else FINE
    return FINE


def leave_beneath(busy: Sequence[str], advice: str = "") -> None:
    """End the process where a turn of a model outlasts the server: its thread is in native code.

    An interpreter that ends beneath such a thread aborts; so this leaves without ending it.

    Args:
        busy: names of the models whose turn has not ended; with none nothing happens.
        advice: what to do about it, told after the names.
    """
    from whyrank.cli.messages import say

    if busy:
        say(f"ended in a turn of {', '.join(busy)}{advice}", label="error")
        os._exit(PARTIAL)


def ended_by(error: BaseException) -> int:
    """Say what went wrong on standard error; the exit code for it."""
    from whyrank.cli.messages import say

    if os.environ.get("WHYRANK_DEBUG", "") not in {"", "0"}:
        _show_traceback(error)
    # Native code that a Ctrl-C meets may return a result all the same: a SystemError, with the interrupt as its cause.
    if isinstance(error, KeyboardInterrupt) or isinstance(error.__cause__, KeyboardInterrupt):
        say("interrupted")
        return INTERRUPTED
    if isinstance(error, BrokenPipeError):
        return CLOSED_PIPE
    if isinstance(error, WhyrankError):
        say(str(error), label="error")
        return BAD_INPUT
    if isinstance(error, OSError):
        what = error.strerror or str(error)
        say(f"{error.filename}: {what}" if error.filename else f"the output could not be written ({what})", "error")
        return BAD_INPUT
    if isinstance(error, MemoryError):
        say("out of memory; give fewer or shorter documents, or a smaller --depth", label="error")
        return BAD_INPUT
    _show_traceback(error)
    say("this is a defect of whyrank; please report it with the lines above", label="error")
    return DEFECT


def _show_traceback(error: BaseException) -> None:
    import traceback

    with suppress(OSError):
        traceback.print_exception(error, file=sys.stderr)


def _settle_stdout() -> None:
    """Send what standard output refused nowhere, so that Python's own flush at exit has nothing to complain of."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError, AttributeError):
        with suppress(OSError, ValueError, AttributeError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, sys.stdout.fileno())
            os.close(nowhere)
