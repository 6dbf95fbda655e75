"""What is said on standard error, one line each: standard output belongs to results."""

import os
import sys
from collections.abc import Iterable
from contextlib import suppress

from whyrank.report.visible import flat, visible
from whyrank.types import Ranking

_COLOURS = {"error": "1;31", "note": "33"}
NOTES_SHOWN = 5


def say(text: str, label: str = "") -> None:
    """One line on standard error; whatever `text` quotes is made harmless. A label is coloured on a terminal."""
    stream = sys.stderr
    if stream is None:
        return
    line = flat(visible(text, encoding=getattr(stream, "encoding", None) or "utf-8")).strip()
    if label:
        head = f"\x1b[{_COLOURS[label]}m{label}:\x1b[0m" if is_coloured() else f"{label}:"
        line = f"{head} {line}"
    with suppress(OSError):
        stream.write(line + "\n")
        stream.flush()


def say_notes(rankings: Iterable[Ranking]) -> None:
    """What a careful reader of these rankings must know, the first few of it."""
    rankings = list(rankings)
    notes = [(r.query.id, note) for r in rankings for note in r.notes]
    notes += [(r.query.id, f"the status of this ranking is {r.status!r}") for r in rankings if r.status != "ok"]
    several = len({query for query, _ in notes}) > 1
    for query, note in notes[:NOTES_SHOWN]:
        say(f"query {query!r}: {note}" if several else note, label="note")
    if len(notes) > NOTES_SHOWN:
        say(f"and {len(notes) - NOTES_SHOWN} more; results as jsonl, json or html hold them all", label="note")


def is_coloured() -> bool:
    """Whether standard error is a terminal that is to be coloured (https://no-color.org)."""
    return is_live() and not os.environ.get("NO_COLOR")


def is_live() -> bool:
    """Whether standard error is a terminal on which things may move."""
    return sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM", "") not in {"dumb", "unknown"}
