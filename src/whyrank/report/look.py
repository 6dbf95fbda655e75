"""What a terminal can show: its encoding and width, our colours, and bars made of characters."""

from dataclasses import dataclass, replace

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

    def bar(self, share: float, cells: int, style: str) -> Text:
        """A bar that fills `share` of `cells`, to half a cell; something small still shows."""
        halves = _halves(share, cells)
        if self.is_unicode:
            return Text("━" * (halves // 2) + "╸" * (halves % 2), style=style)
        return Text("=" * ((halves + 1) // 2), style=style)

    def diverging(self, share: float, cells: int) -> Text:
        """A bar to the right of a middle line for positive shares, to the left for negative ones."""
        halves = _halves(abs(share), cells)
        if self.is_unicode:
            left, right = "╺" * (halves % 2) + "━" * (halves // 2), "━" * (halves // 2) + "╸" * (halves % 2)
        else:
            left = right = "=" * ((halves + 1) // 2)
        against, speaks_for = (left, "") if share < 0 else ("", right)
        middle = self.sign("│", "|")
        return Text.assemble(
            (against.rjust(cells), AGAINST), (middle, MUTED), (speaks_for.ljust(cells), FOR), no_wrap=True
        )


def _halves(share: float, cells: int) -> int:
    return max(min(round(share * cells * 2), cells * 2), 1 if share > 0 else 0)
