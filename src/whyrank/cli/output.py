"""Results in the format that was asked for, on standard output or in a file."""

import io
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from whyrank import formats
from whyrank.cli.endings import FINE, PARTIAL
from whyrank.cli.messages import say, say_notes
from whyrank.cli.progress import Work
from whyrank.errors import BadInput, unknown
from whyrank.types import Explanation, Explanations, Ranking, Status

if TYPE_CHECKING:
    from rich.console import Console

FORMATS = ("table", "json", "jsonl", "trec", "html")
BY_SUFFIX = {".json": "json", ".html": "html", ".htm": "html", ".trec": "trec", ".run": "trec", ".txt": "table"}
HELD: tuple[Status, ...] = ("ok", "repaired")
"""Statuses of an order, or of a reason, that stands."""
SHOWN = 10
"""Hits that a table shows unless the caller says otherwise."""
PAGE_WIDTH = 100
"""Columns of a table that is written into a file."""


class Target(NamedTuple):
    """Where results go and how.

    Attributes:
        format: one of `FORMATS`.
        path: a file; None for standard output.
        top_k: how many hits are kept, or shown in a table.
        quiet: whether to keep silent about it.
    """

    format: str
    path: str | None = None
    top_k: int | None = None
    quiet: bool = False

    @property
    def is_streamed(self) -> bool:
        """Whether each ranking is written as soon as it is there."""
        return self.path is None and self.format in {"jsonl", "trec", "table"}


def target(name: str | None, path: str | None, top_k: int | None = None, *, quiet: bool = False) -> Target:
    """Decide on the format, if none was asked for: by the name of the file, or by who reads standard output.

    Raises:
        UnknownName: no such format; near matches are listed.
    """
    if name is not None and name not in FORMATS:
        raise unknown("output format", name, FORMATS)
    if name is None and path is not None:
        suffix = Path(path.removesuffix(".gz")).suffix.lower()
        name = BY_SUFFIX.get(suffix, "jsonl")
    return Target(name or ("table" if sys.stdout.isatty() else "jsonl"), path, top_k, quiet)


def write(
    rankings: Iterable[Ranking], to: Target, work: Work | None = None, *, title: str = "whyrank"
) -> list[Ranking]:
    """Write rankings; those that were written come back, without their hits, for their status and notes."""
    seen: list[Ranking] = []

    def noted() -> Iterator[Ranking]:
        for ranking in rankings:
            seen.append(replace(ranking, hits=()))
            yield ranking

    work = work or Work()
    if to.path is not None:
        formats.write_lines(to.path, _lines(noted(), to, title))
    elif to.format == "table":
        console = screen()
        for ranking in noted():
            with work.paused():
                if len(seen) > 1:
                    console.print()
                show(ranking, console, to.top_k)
    else:
        print_lines(_lines(noted(), to, title), work)
    return seen


def concluded(written: Sequence[Ranking], to: Target) -> int:
    """Say where the results are and what must be known of them; the exit code."""
    not_given = sum(_not_given(ranking) for ranking in written)
    if not to.quiet:
        if to.path is not None:
            count = f"{len(written):,} ranking{'' if len(written) == 1 else 's'}"
            say(f"wrote {to.path}: {count}, as {to.format}")
        if to.format != "table" or to.path is not None:  # a table shows them itself
            say_notes(written)
            if not_given:
                count = f"{not_given:,} reason{' was' if not_given == 1 else 's were'}"
                say(f"{count} not given; the result says why")
    return FINE if not not_given and all(ranking.status in HELD for ranking in written) else PARTIAL


def _not_given(ranking: Ranking) -> int:
    """How many reasons were asked for, and not given."""
    given = ranking.explanations or Explanations()
    reasons: list[Explanation] = [*given.direct, *given.comparisons]
    return sum(reason.status not in HELD for reason in reasons)


def screen() -> "Console":
    """Standard output as rich sees it; it honours NO_COLOR and TERM, and leaves a closed pipe to us."""
    from rich.console import Console

    class Screen(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    return Screen(highlight=False, soft_wrap=False)


def show(ranking: Ranking, console: "Console", top_k: int | None = None) -> None:
    """One ranking as a table. Where no ranker has been, the first stage's scores are shown."""
    from whyrank.report.terminal import RankingView

    if all(hit.score is None for hit in ranking):
        ranking = replace(ranking, hits=tuple(replace(hit, score=hit.first_score) for hit in ranking))
    console.print(RankingView(ranking, limit=top_k or SHOWN))


def kept(ranking: Ranking, top_k: int | None) -> Ranking:
    """The best `top_k` hits, and the reasons that concern them alone."""
    if top_k is None or len(ranking) <= top_k:
        return ranking
    best = ranking.top(top_k)
    reasons = best.explanations
    if reasons is not None:
        direct = tuple(d for d in reasons.direct if d.document_id in best.ids)
        comparisons = tuple(c for c in reasons.comparisons if {c.upper_id, c.lower_id} <= set(best.ids))
        reasons = Explanations(direct, comparisons, reasons.usage)
    return replace(best, explanations=reasons)


def _lines(rankings: Iterable[Ranking], to: Target, title: str) -> Iterator[str]:
    if to.format == "table":
        yield from _page(rankings, to)
        return
    best = (kept(ranking, to.top_k) for ranking in rankings)
    if to.format == "html":
        from whyrank.report.html import render_html

        yield render_html(list(best), title=title)
    elif to.format == "json":
        yield from _array(formats.render(best))
    else:
        yield from formats.render(best, "run" if to.format == "trec" else "rankings")


def _array(lines: Iterable[str]) -> Iterator[str]:
    every = list(lines)  # whole or not at all: an array that breaks off is no JSON
    yield "[" + ",\n".join(every) + "]"


def _page(rankings: Iterable[Ranking], to: Target) -> Iterator[str]:
    from rich.console import Console

    for ranking in rankings:
        page = io.StringIO()
        show(ranking, Console(file=page, width=PAGE_WIDTH, no_color=True, highlight=False), to.top_k)
        yield from page.getvalue().splitlines()


def print_lines(lines: Iterable[str], work: Work) -> None:
    """Lines on standard output as UTF-8, whatever the locale; on a terminal what could act on it is escaped."""
    is_seen = sys.stdout.isatty()
    for line in lines:
        text = _harmless(line) if is_seen else line
        try:
            data = text.encode()
        except UnicodeEncodeError as error:
            raise BadInput(
                f"an id holds {error.object[error.start]!r}, half a surrogate pair, which UTF-8 cannot hold; "
                "write jsonl"
            ) from None
        with work.paused():
            sys.stdout.flush()
            sys.stdout.buffer.write(data + b"\n")
            sys.stdout.buffer.flush()


def _harmless(line: str) -> str:
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in line)
