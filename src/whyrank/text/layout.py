"""Which lines of a text belong together: wrapped prose is joined, list items, tables and code stand alone."""

import re
from collections.abc import Iterator
from typing import NamedTuple

# What `str.splitlines` breaks at.
_LINE = re.compile(r"[^\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]+")
_FENCE = ("```", "~~~")
_ITEM = re.compile(r"[-*+•‣◦▪–—]\s|\(?\d{1,3}[.)]\s|\(?[a-z]\)\s|>")
_HEADING = re.compile(r"#{1,6}\s")
_LOG = re.compile(r"\[?(?:\d{4}-\d\d-\d\d|\d\d:\d\d:\d\d)")
_CODE = re.compile(
    r"""(?://|/\*|\#include|\#!|@\w+\b|"[^"]{1,80}":\s    # comments, decorators, JSON keys
    |(?:import|from)\ [\w.]+(?:\ import\ .{1,200}|\ as\ \w+)?$
    |(?:\w+\ ){0,3}[\w.\[\]]{1,80}\ ?[-+*/|&]?=\ ?[^\s=]    # assignments
    |[\w.]{1,80}\([^)]*\)$)                                # a call alone""",
    re.VERBOSE,
)
_WORDLESS = re.compile(r"\W{3,}+$")
_CONTINUES = re.compile(r"[.,;:!?)\]}»”%]")
_WIDE = re.compile(r"[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff]")

# A line this short is no wrapped prose (wide characters fill a line with half as many), nor is one this long.
_NARROWEST, _NARROWEST_WIDE, _WIDEST = 40, 20, 120
# Longer lines are prose whatever they look like, so that a quote from them stays readable.
_LONGEST_UNIT = 400


class Block(NamedTuple):
    """Text in which sentences are sought: code points [start, end); `whole` where it is one unit as it stands."""

    start: int
    end: int
    whole: bool


class _Line(NamedTuple):
    start: int
    end: int
    indent: int


def blocks(text: str) -> Iterator[Block]:
    """Cut a text into blocks, in order; what lies between them is white space.

    Blank lines always separate. A single line break separates unless the line was wrapped: the next one starts
    in lower case or with closing punctuation, or its first word would not have fitted into the paragraph's width.
    Items, headings, table rows, log and code lines start a block of their own.
    """
    fenced = False
    for paragraph in _paragraphs(text):
        width = max(line.end - line.start for line in paragraph)
        current: Block | None = None
        before = paragraph[0]
        code_before = False
        for line in paragraph:
            content = text[line.start : line.end]
            fence = content.startswith(_FENCE)
            code = fence or fenced or _is_code(content) or (code_before and line.indent >= 4)
            whole = len(content) <= _LONGEST_UNIT and (code or _is_row(content))
            if current and not whole and not current.whole and _is_wrapped(text, before, line, width):
                current = current._replace(end=line.end)
            else:
                if current:
                    yield current
                current = Block(line.start, line.end, whole)
            fenced ^= fence
            before, code_before = line, code
        if current:
            yield current


def _paragraphs(text: str) -> Iterator[list[_Line]]:
    paragraph: list[_Line] = []
    before = 0
    for match in _LINE.finditer(text):
        content = match[0]
        stripped = content.strip()
        gap = match.start() - before
        if paragraph and (gap > 2 or (gap == 2 and text[before] + text[before + 1] != "\r\n") or not stripped):
            yield paragraph
            paragraph = []
        if stripped:
            start = match.start() + len(content) - len(content.lstrip())
            paragraph.append(_Line(start, start + len(stripped), start - match.start()))
        before = match.end()
    if paragraph:
        yield paragraph


def _is_wrapped(text: str, before: _Line, line: _Line, width: int) -> bool:
    """Whether `line` carries on the prose of the line before."""
    content = text[line.start : min(line.end, line.start + 64)]
    if any(pattern.match(content) for pattern in (_ITEM, _HEADING, _LOG)):
        return False
    if content[0].islower() or _CONTINUES.match(content):
        return True
    wide = _WIDE.match(content) is not None
    first_word = 1 if wide else len(content.split(maxsplit=1)[0])
    narrowest = _NARROWEST_WIDE if wide else _NARROWEST
    return narrowest <= width <= _WIDEST and before.end - before.start + first_word + 1 > width


def _is_row(content: str) -> bool:
    """A row of a table, a heading, a log line or a rule."""
    if "\t" in content or content.startswith("|") or content.count("|") > 1:
        return True
    return any(pattern.match(content) for pattern in (_HEADING, _LOG, _WORDLESS))


def _is_code(content: str) -> bool:
    return content.endswith(("{", "}", ";", "):", "->", "=>", "};", "({", "[", "],")) or bool(_CODE.match(content))
