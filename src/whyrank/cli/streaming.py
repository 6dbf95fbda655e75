"""Reasons on a terminal as they are written: first the order, which they cannot change, then one after the other."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from rich.padding import Padding
from rich.text import Text

from whyrank.cli import output
from whyrank.cli.progress import Work
from whyrank.cli.ranking import Plan, reranked
from whyrank.report.look import Look
from whyrank.report.terminal import WIDEST, reasons_footer
from whyrank.report.terminal_reasons import comparison_block, direct_block
from whyrank.types import Comparison, Direct, Ranking

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from whyrank.cli.output import Target


def write(given: Sequence[Ranking], plan: Plan, to: "Target", work: Work) -> list[Ranking]:
    """Rerank, and print each ranking when its order is fixed, and each reason when it is written.

    Reasons come in rank order: one that is written early waits for those above it.
    """
    console = output.screen()
    seen: list[Ranking] = []
    view: list[_Reasons] = []

    def begun(ranking: Ranking) -> "_Reasons":
        with work.paused():
            if seen:
                console.print()
            output.show(ranking, console, to.top_k)
        view.append(_Reasons(ranking, plan.explain, console, work))
        return view[-1]

    for ranking in reranked(given, plan._replace(on_ranked=begun), work):
        with work.paused():
            view[-1].finish(ranking)
        seen.append(replace(ranking, hits=()))
    return seen


class _Reasons:
    """The reasons of one ranking, on their way to the screen."""

    def __init__(self, ranking: Ranking, top: int, console: "Console", work: Work) -> None:
        self._ranks = {hit.document.id: rank for rank, hit in enumerate(ranking, 1)}
        self._hits = {hit.document.id: hit for hit in ranking}
        self._console, self._work = console, work
        self._look = Look(console.encoding, min(console.width, WIDEST))
        shown = [hit.document.id for hit in ranking if hit.is_read][: top + 1]
        self._awaited: list[tuple[str, str]] = []
        for place, upper in enumerate(shown[:top]):
            self._awaited.append((upper, ""))
            self._awaited += [(upper, lower) for lower in shown[place + 1 : place + 2]]
        self._there: dict[tuple[str, str], Direct | Comparison] = {}

    def __call__(self, reason: Direct | Comparison) -> None:
        """Take a reason, and print what can be printed by now."""
        self._there[_key(reason)] = reason
        with self._work.paused():
            while self._awaited and self._awaited[0] in self._there:
                self._print(self._there[self._awaited.pop(0)])

    def finish(self, ranking: Ranking) -> None:
        """Print what has not come one by one, and what the reasons cost."""
        reasons = ranking.explanations
        given: tuple[Direct | Comparison, ...] = (*reasons.direct, *reasons.comparisons) if reasons else ()
        for reason in given:
            if _key(reason) not in self._there:
                self._print(reason)
        if footer := list(reasons_footer(reasons, self._look)):
            self._console.print()
            self._console.print(*footer, sep="\n")

    def _print(self, reason: Direct | Comparison) -> None:
        """Print a reason, unsigned: a run has one writer, and what comes last names it."""
        block: RenderableType
        if isinstance(reason, Direct):
            self._console.print()
            name = reason.document_id
            self._console.print(Text.assemble((f"{self._ranks[name]}  ", "bold"), self._look.line(name, style="bold")))
            block = direct_block(reason, self._hits[name].document, self._look, is_signed=False)
        else:
            upper, lower = self._hits[reason.upper_id], self._hits[reason.lower_id]
            block = comparison_block(
                reason,
                self._look,
                upper_rank=self._ranks[reason.upper_id],
                lower_rank=self._ranks[reason.lower_id],
                lower_score=lower.score,
                documents=(upper.document, lower.document),
                is_signed=False,
            )
        above = 0 if isinstance(reason, Direct) else 1
        self._console.print(Padding(block, (above, 0, 0, 3)))


def _key(reason: Direct | Comparison) -> tuple[str, str]:
    if isinstance(reason, Direct):
        return reason.document_id, ""
    return reason.upper_id, reason.lower_id
