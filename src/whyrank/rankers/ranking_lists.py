"""Rankings as lists: identifiers with commas, numbered lines, lines that open with an identifier.

Ranking: [2], [1], [3]        announced, or naming every document, or nothing else in the place
1. [2] …  /  1. 2 - …         numbered lines, in the order of their numbers
[2] …  /  - [2] …             lines that open with an identifier; not if they ascend with text beside them, for
                              such lines go through the passages rather than rank them
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from whyrank.rankers.ranking_forms import (
    ANNOUNCED,
    LABELLED,
    WORD,
    Labels,
    Place,
    Stated,
    compiled,
    identifier,
    is_announced,
    is_draft,
    is_foreign,
    is_worst_first,
    item,
    names_all,
)

# Lists with commas

_LABEL = re.compile(r"(?:[^\W\d][\w *_'’()-]{0,60}[:=]\s{0,6})?")
_COMMAS = re.compile(r"[,;](?:\s{0,3}(?:and|then|und|et|y)\b)?|\s(?:and|und|et|y|&)\s", re.IGNORECASE)
_LOOSE = re.compile(r"(?<=\])\s{0,3}(?=\[)|[\s|/–—-]{1,8}")
_ITEM = (
    rf"[\"'`*(]{{0,3}}{LABELLED}\[{{0,2}}[\"']?\s{{0,2}}{LABELLED}#?NAME\s{{0,2}}[\"']?\]{{0,2}}[\"'`*)]{{0,3}}"
    r"(?:\s{0,2}\([^()\n]{0,100}\))?"
)
_BETWEEN = (
    r"\s{0,3}(?:[,;]\s{0,6}(?:(?:and|then|und|et|y)\s{1,3})?|(?:and|then|und|et|y|&)\s{1,3}|(?<=\])(?=\s{0,3}\[))"
)
_LIST = compiled(
    rf"(?<![\w\[])(?=[\[(\"'`*0-9a-zд段文])\[?\s{{0,3}}{_ITEM}(?P<more>(?:{_BETWEEN}\s{{0,3}}{_ITEM}){{1,}}+)"
    r"\s{0,3},?\s{0,3}(?P<close>\])?"
)
_ONE = compiled(
    rf"[*\"'`(]{{0,3}}(?:\[\s{{0,2}}{LABELLED}#?(NAME)\s{{0,2}}\]|{WORD}\s{{0,3}}#?(NAME))[*\"'`).]{{0,4}}\s*\Z"
)
_ITEM_NAME = compiled(rf"{LABELLED}\[{{0,2}}[\"']?\s{{0,2}}{LABELLED}#?(NAME)")
_REMARK = re.compile(r"\([^()\n]{0,100}\)")
_NO_LIST_AFTER = re.compile(r"\s{0,3}(?:>|<|≻|→|=|%|/|of\b|out\b|[.][0-9])")
_IN_ORDER = re.compile(r"[\s,]{0,3}(?:in|strictly in) (?:that|this|descending) order", re.IGNORECASE)


def comma_list(place: Place, labels: Labels, n: int) -> Stated | None:
    """A place that is nothing but identifiers, after a label at most.

    Without commas they must name every document, and a single one counts only where the place is strict.
    """
    text = place.text.strip().removesuffix(".")
    label = _LABEL.match(text)
    begin = label.end() if label else 0
    for separator in (_COMMAS, _LOOSE):
        parts = separator.split(_REMARK.sub("", text[begin:]).strip())
        names = [item(part.strip().rstrip("."), labels) for part in parts if part.strip()]
        known = tuple(name for name in names if name is not None)
        is_list = len(known) == len(names) and (sum(0 <= i <= n for i in known) > 1 or (place.is_strict and known))
        if is_list and (separator is _COMMAS or place.is_strict or names_all(known, n)):
            return _directed(Stated(known, begin, len(text)), text)
    return None


def announced_lists(place: Place, labels: Labels, n: int) -> list[Stated]:
    """Lists with commas that words announce as a ranking, or that name every document on a line of their own."""
    text = place.text
    found = [stated for cue in ANNOUNCED.finditer(text) if (stated := _list_at(place, cue.end(), labels))]
    for match in _LIST[labels].finditer(text):
        if _NO_LIST_AFTER.match(text, match.end()):
            continue
        names = _names(text[match.start() : match.end()], labels)
        is_whole = names_all(names, n) and _has_its_line(text, match)
        if is_whole or _IN_ORDER.match(text, match.end()) or _is_headed(text, match):
            found.append(_directed(Stated(names, match.start(), match.end()), text))
    return [stated for stated in found if not is_foreign(text, stated.start)]


def _has_its_line(text: str, match: re.Match[str]) -> bool:
    """Whether nothing but a label shares the line with a list."""
    head = text[max(0, match.start() - 80) : match.start()].rpartition("\n")[2]
    tail = text[match.end() : match.end() + 16].partition("\n")[0]
    return not tail.strip(" *_`.\"'") and (not head.strip(" *_`>-\"'") or head.rstrip(" *_`\"'").endswith(":"))


def _is_headed(text: str, match: re.Match[str]) -> bool:
    """Whether a list stands under a line that announces a ranking."""
    head = text[max(0, match.start() - 80) : match.start()].rpartition("\n")[2]
    return not head.strip(" *_`>-") and is_announced(text, match.start())


def _list_at(place: Place, start: int, labels: Labels) -> Stated | None:
    text = place.text
    match = _LIST[labels].match(text, start)
    if match and not _NO_LIST_AFTER.match(text, match.end()):
        stated = Stated(_names(match[0], labels), start, match.end(), is_draft=is_draft(text, start))
        return _directed(stated, text)
    if match is None and (one := _ONE[labels].match(text, start)):
        return Stated((identifier(one[1] or one[2]),), start, one.end(), is_draft=is_draft(text, start))
    return None


def _names(text: str, labels: Labels) -> tuple[int, ...]:
    return tuple(identifier(match[1]) for match in _ITEM_NAME[labels].finditer(_REMARK.sub("", text)))


def _directed(stated: Stated, text: str) -> Stated:
    return stated.turned() if is_worst_first(text, stated.start) else stated


# Lines

_LEAD = r"(?:>\s{1,3})?(?:[-*•+]\s{1,3}|#{1,6}\s{1,3}|\|\s{0,3}|(?:[a-z]|[ivx]{1,4})[.)]\s{1,3})?[*_]{0,3}"
_NUMBER = (
    r"(?P<number>(?:(?:rank|top|place|position)\s{0,3})?[#(]?[0-9]{1,4}(?:st|nd|rd|th)?(?:\s{0,3}place)?[.):|]{1,2}[*_]{0,3}"
    r"\s{0,3}[-–—]?\s{0,3}|(?:rank\s{0,3}[0-9]{1,4}|[0-9]{1,3}(?:st|nd|rd|th))\s{0,3}[-–—=]\s{0,3}|#[0-9]{1,4}\s{1,3}"
    r"|[0-9]{1,3}\s{1,3}[-–—=]\s{1,3}(?=\[)|\[rank\s{0,3}[0-9]{1,4}\]\s{0,3})?"
)
_LINE = compiled(
    rf"{_LEAD}{_NUMBER}[*_\"`(]{{0,3}}"
    rf"(?P<word>{WORD}[\s_#:.-]{{0,3}})?(?P<open>[\[(]{{0,2}})\s{{0,3}}(?:{LABELLED})(?P<name>NAME)\s{{0,3}}[\])]{{0,2}}[*_\"`]{{0,3}}(?P<rest>.*)"
)
_NUMBERED = re.compile(rf"{_LEAD}{_NUMBER}(?P<rest>.*)", re.IGNORECASE | re.DOTALL)
_MENTION = compiled(rf"\[\s{{0,3}}{LABELLED}#?(NAME)\s{{0,3}}\]|(?<![\w]){WORD}\s{{0,3}}[#\[(]{{0,2}}(NAME)")
_LINE_END = re.compile(
    r"\n|[,;.]\s{1,3}(?=(?:rank|place|top|position)\s{0,3}[0-9]{1,3}\s{0,3}[:)=-]|[0-9]{1,2}(?:st|nd|rd|th)\s{0,3}(?:place\s{0,3})?[:-])",
    re.IGNORECASE,
)
_DIGITS = re.compile(r"[0-9]{1,4}")
_REMARK_SIGN = re.compile(r"\s{0,3}(?:[-–—:]\s|\()")


class _Line(NamedTuple):
    """A line that names an identifier: its number in a list, whether nothing else is on it, and no sign either."""

    name: int
    number: int | None
    is_bare: bool
    is_loose: bool
    start: int
    end: int


def line_lists(place: Place, labels: Labels, n: int) -> list[Stated]:
    """Lists of lines that open with an identifier; a list ends where an identifier returns.

    Lines of numbers without any sign count only where they are announced, or name every document.
    """
    lines = list(_lines(place.text, labels, n))
    firm = [line for line in lines if not line.is_loose]
    blocks = [block for block in _blocks(firm or lines) if firm or _is_clear(place.text, block, n)]
    found = [stated for block in blocks if (stated := _ranked(place.text, block))]
    return found or _lists_that_mention(place.text, labels)


def _is_clear(text: str, block: Sequence[_Line], n: int) -> bool:
    return bool(block) and (names_all((line.name for line in block), n) or is_announced(text, block[0].start))


def is_numbered(text: str, stated: Stated) -> bool:
    """Whether a list of lines opens with a number."""
    match = _NUMBERED.match(text[stated.start : stated.start + 80].lstrip())
    return match is not None and match["number"] is not None


def _blocks(lines: Iterable[_Line]) -> Iterator[list[_Line]]:
    block: list[_Line] = []
    seen: set[int] = set()
    for line in lines:
        if line.name in seen:
            yield block
            block, seen = [], set()
        block.append(line)
        seen.add(line.name)
    yield block


def _lines(text: str, labels: Labels, n: int) -> Iterator[_Line]:
    start = 0
    for end in [*(match.start() + 1 for match in _LINE_END.finditer(text)), len(text)]:
        match = _LINE[labels].match(text[start:end].strip(" \t\r\n,;"))
        if match and (named := _line(match, start, end, n)):
            yield named
        start = end


def _line(match: re.Match[str], start: int, end: int, n: int) -> _Line | None:
    name = identifier(match["name"])
    is_bare = not match["rest"].strip(" .,;:*")
    has_number = match["number"] is not None
    is_told = has_number and 1 <= name <= n and _REMARK_SIGN.match(match["rest"])
    is_firm = "[" in match["open"] or (has_number and (match["word"] or is_bare or match["open"] or is_told))
    if not (is_firm or is_bare):
        return None
    digits = _DIGITS.search(match["number"]) if has_number else None
    return _Line(name, int(digits[0]) if digits else None, is_bare, not is_firm, start, end)


def _ranked(text: str, block: Sequence[_Line]) -> Stated | None:
    names = tuple(line.name for line in block)
    is_bare = all(line.is_bare for line in block)
    if len(names) < 2:
        return None
    start, end = block[0].start, block[-1].end
    if not is_bare and all(a < b for a, b in pairwise(names)) and not _is_selected(text, start, names):
        return None
    numbers = [line.number for line in block]
    is_list = None not in numbers
    if is_list and sorted(number for number in numbers if number is not None) == list(range(1, len(numbers) + 1)):
        names = tuple(name for _, name in sorted(zip(numbers, names, strict=True)))
    note = "" if is_bare or is_list else "read from the order of remarks"
    return _directed(Stated(names, start, end, note=note), text)


def _is_selected(text: str, start: int, names: Sequence[int]) -> bool:
    """Whether ascending lines are a ranking all the same: announced as one, and skipping documents."""
    return names != tuple(range(names[0], names[0] + len(names))) and is_announced(text, start)


def _lists_that_mention(text: str, labels: Labels) -> list[Stated]:
    """Lines numbered from 1 on, each of which mentions one identifier: ``1. Gardens [3]``."""
    names: list[int] = []
    begin = start = end = 0
    for line in text.splitlines(keepends=True):
        match = _NUMBERED.match(line.strip())
        digits = _DIGITS.search(match["number"]) if match and match["number"] else None
        if match and digits and int(digits[0]) == len(names) + 1:
            mentioned = {identifier(m[1] or m[2]) for m in _MENTION[labels].finditer(match["rest"])}
            if len(mentioned) != 1:
                return []
            begin = begin if names else start
            names += mentioned
            end = start + len(line)
        start += len(line)
    is_ranking = 1 < len(names) == len(set(names)) and any(a > b for a, b in pairwise(names))
    return [Stated(tuple(names), begin, end, note="read from the lines of a list")] if is_ranking else []
