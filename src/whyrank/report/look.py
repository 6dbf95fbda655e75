"""What a terminal can show: its encoding and width, our colours, and bars made of characters."""

import re
from dataclasses import dataclass, replace

from rich.cells import cell_len
from rich.text import Text

from whyrank.report.visible import clipped, flat, is_unicode, visible

# The sixteen named colours follow the terminal's own theme, light or dark.
MUTED = "bright_black"
ACCENT = "cyan"
FOR = "green"
AGAINST = "red"
EVIDENCE = "bold magenta"
EVIDENCE_WEAK = "magenta"
EVIDENCE_AGAINST = "red"

_PIECES = re.compile(r"[^/@\s]*[/@\s]|[^/@\s]+")


@dataclass(frozen=True)
class Look:
    """The output's encoding and the width in cells that may be used."""

    encoding: str
    width: int

    @property
    def is_unicode(self) -> bool:
        """Whether arrows and lines can be drawn."""
        return is_unicode(self.encoding)

    def narrowed(self, by: int) -> "Look":
        """The same look with `by` cells less."""
        return replace(self, width=max(self.width - by, 20))

    def sign(self, fine: str, plain: str) -> str:
        """The fine sign, or the plain one where the encoding is too small."""
        return fine if self.is_unicode else plain

    def text(self, text: str, style: str = "") -> Text:
        """Foreign text, harmless, with its line breaks."""
        return Text(visible(text, encoding=self.encoding), style=style)

    def line(self, text: str, style: str = "") -> Text:
        """Foreign text, harmless, on one line."""
        return Text(flat(visible(text, encoding=self.encoding)), style=style)

    def clipped(self, text: str, limit: int, style: str = "") -> Text:
        """Foreign text, harmless, on one line and at most `limit` characters of it."""
        return Text(visible(clipped(text, limit), encoding=self.encoding), style=style)

    def quote(self, text: str, limit: int, style: str = "") -> Text:
        """The same in quotation marks."""
        return Text.assemble(self.sign("“", '"'), self.clipped(text, limit, style), self.sign("”", '"'))

    def folded(self, name: str, width: int, style: str = "") -> Text:
        """Foreign text, harmless, in lines of at most `width` cells, broken after a slash, an @ or a space."""
        lines = [""]
        for piece in _PIECES.findall(flat(visible(name, encoding=self.encoding))):
            if lines[-1] and cell_len(lines[-1] + piece.rstrip()) > width:
                lines.append("")
            lines[-1] += piece
        return Text("\n".join(line.rstrip() for line in lines), style=style)

    def bar(self, share: float, cells: int, style: str) -> Text:
        """A bar that fills `share` of `cells`, to half a cell; something small still shows."""
        return Text(self._drawn(_halves(share, cells)), style=style)

    def around(self, share: float, zero: float, cells: int, style: str) -> Text:
        """A bar that fills |share| of `cells`, right of a line at `zero` for positive shares, else left of it."""
        left = min(max(round(zero * (cells - 1)), 1), cells - 2)
        room = left if share < 0 else cells - 1 - left
        halves = min(_halves(abs(share), cells - 1), 2 * room)
        before, after = (self._drawn(halves, to_left=True), "") if share < 0 else ("", self._drawn(halves))
        line = self.sign("│", "|")
        return Text.assemble((before.rjust(left), style), (line, MUTED), (after, style), no_wrap=True)

    def diverging(self, share: float, cells: int) -> Text:
        """A bar to the right of a middle line for positive shares, to the left for negative ones."""
        halves = _halves(abs(share), cells)
        against, speaks_for = (self._drawn(halves, to_left=True), "") if share < 0 else ("", self._drawn(halves))
        middle = self.sign("│", "|")
        return Text.assemble(
            (against.rjust(cells), AGAINST), (middle, MUTED), (speaks_for.ljust(cells), FOR), no_wrap=True
        )

    def _drawn(self, halves: int, *, to_left: bool = False) -> str:
        """A line of so many half cells; whole cells where the encoding has no halves."""
        if not self.is_unicode:
            return "=" * ((halves + 1) // 2)
        whole, half = "━" * (halves // 2), halves % 2
        return "╺" * half + whole if to_left else whole + "╸" * half


def _halves(share: float, cells: int) -> int:
    return max(min(round(share * cells * 2), cells * 2), 1 if share > 0 else 0)
