"""What every form of a stated ranking shares: identifiers, places, what announces a ranking, plain signs.

The forms themselves are `ranking_chains` (``[2] > [1] > [3]``), `ranking_json`, `ranking_lists` (commas, numbered
lines), `ranking_tables` and `ranking_prose`. No number outside them is an identifier. Every pattern is bounded or
possessive, so that no text takes more than linear time.
"""

import re
from collections.abc import Iterable
from typing import Literal, NamedTuple, TypeAlias

Labels: TypeAlias = Literal["numbers", "letters"]

REST = -1
"""Stands among identifiers for all documents that the answer does not name."""

_LONGEST_RANGE = 100
# Identifiers of more digits are out of any range, and int() refuses very long ones.
_MOST_DIGITS = 9

WORD = (
    r"(?:passages?|documents?|docs?|candidates?|texts?|items?|results?|articles?|snippets?|paragraphs?|identifiers?"
    r"|ids?|no\.|nr\.|dokumente?|documentos?|pasajes?|passaggio|passaggi|段落|文档|文章|文書|文件|документ|отрывок)"
)
_NAME = {"numbers": "(?<![0-9])[0-9]++", "letters": "[A-Za-z](?![A-Za-z])"}
MARKS = r"[\s\[\]\"'`*_#(){}$]{0,6}"
LABELLED = rf"(?:(?:{WORD}(?:[_ ]id)?[\s_#:=.-]{{0,3}}|[pd](?=[0-9])))?"

BETTER = r"(?:>{1,3}=?|≥|≻|»|›|→|⇒|➜|➔|➡|↓|⬇|[-=]{1,2}>)"
WORSE = r"(?:<{1,3}=?(?!/|[a-z]{2})|≤|≺|←|<[-=]{1,2})"


class Place(NamedTuple):
    """A stretch of an answer. A closed one was not cut off at its end; a strict one holds the ranking alone."""

    text: str
    is_closed: bool = False
    is_strict: bool = False


class Stated(NamedTuple):
    """Identifiers as an answer states them: 1-based, unchecked, with what is to be said about them.

    Attributes:
        identifiers: best first; `REST` where the answer puts all that it does not name.
        start: where in its place it begins.
        end: where it ends.
        is_cut: whether the answer broke off inside.
        is_draft: whether the answer calls it initial, previous or a draft.
        note: what had to be done to read it.
    """

    identifiers: tuple[int, ...]
    start: int = 0
    end: int = 0
    is_cut: bool = False
    is_draft: bool = False
    note: str = ""

    def turned(self, note: str = "stated worst first, turned round") -> "Stated":
        """The same, from its end."""
        return self._replace(identifiers=self.identifiers[::-1], note=note)


class Token(NamedTuple):
    """Identifiers in one pair of brackets (more than one for a range), and where they stand."""

    start: int
    end: int
    names: tuple[int, ...]


def compiled(pattern: str) -> dict[Labels, re.Pattern[str]]:
    """The pattern for both kinds of labels; NAME in it is an identifier."""
    return {
        "numbers": re.compile(pattern.replace("NAME", _NAME["numbers"]), re.IGNORECASE | re.DOTALL),
        "letters": re.compile(pattern.replace("NAME", _NAME["letters"]), re.IGNORECASE | re.DOTALL),
    }


IN_BRACKETS = compiled(
    rf"\[{{1,2}}\s{{0,3}}{LABELLED}#?(NAME)(?:\s{{0,3}}(?:[-–—]|to|\.\.)\s{{0,3}}#?(NAME))?"
    r"\s{0,3}(?:[:|]\s{0,3}[^\s0-9\[\]][^\[\]\n]{0,80})?\]{1,2}"
)
ALONE = compiled(rf"{MARKS}{LABELLED}{MARKS}(NAME){MARKS}")
_REMARK = re.compile(r"\([^()\n]{0,200}\)")


def identifier(name: str) -> int:
    """1-based number of a label; a number that no list can hold for one that is too long to read."""
    if name.isalpha():
        return ord(name.upper()) - ord("A") + 1
    digits = name.lstrip("0")
    return int(digits or "0") if len(digits) <= _MOST_DIGITS else 10**_MOST_DIGITS


def tokens(text: str, labels: Labels) -> list[Token]:
    """All identifiers in brackets."""
    found = []
    for match in IN_BRACKETS[labels].finditer(text):
        name = identifier(match[1])
        names = span(name, identifier(match[2])) if match[2] else (name,)
        found.append(Token(match.start(), match.end(), names))
    return found


def span(first: int, last: int) -> tuple[int, ...]:
    """All identifiers of a range, downwards too; its two ends where it is too long to be meant."""
    if abs(last - first) > _LONGEST_RANGE:
        return (first, last)
    step = 1 if last >= first else -1
    return tuple(range(first, last + step, step))


def item(text: str, labels: Labels) -> int | None:
    """The identifier that a text consists of, but for marks, a word such as "passage", and a remark in brackets."""
    match = ALONE[labels].fullmatch(text)
    if match is None and "(" in text:
        match = ALONE[labels].fullmatch(_REMARK.sub("", text).strip())
    return identifier(match[1]) if match else None


def names_all(identifiers: Iterable[int], n: int) -> bool:
    """Whether identifiers are those of all n documents, each once."""
    return n > 1 and sorted(identifiers) in (list(range(1, n + 1)), list(range(n)))


# What announces a ranking

_CUE = (
    r"(?:re-?rank(?:ing|ed|s)?|rank(?:ing|ed|s)?(?!\s{0,3}[0-9])|(?:re-?)?order(?:ed|ing)?|sort(?:ed)?|permutation|top[\s-]{1,3}(?:[0-9]{1,3}|\w{2,6})"
    r"|clas+ement|clasificaci[oó]n|classifica|reihenfolge|rangfolge|rangliste|orden|ordre|ordine|排名|排序|顺序|順位|順序|순위"
    r"|порядок|рейтинг)"
)
ANNOUNCED = re.compile(
    rf"(?<!\w){_CUE}(?!\w)[^.\n\[\]:=]{{0,80}}?[\"'*_`]{{0,3}}\s{{0,3}}(?:(?:[:=]|\b(?:is|are|be|follows)\b:?)[\"'*_`]{{0,3}}\s{{0,6}})",
    re.IGNORECASE,
)
_CUE_NEAR = re.compile(rf"(?<!\w){_CUE}(?!\w)", re.IGNORECASE)
_WORST_FIRST = re.compile(
    r"(?:least|lowest|worst|less)\b[^.\n]{0,40}(?:\bto|→|->)\s{1,3}(?:the\s)?(?:most|highest|best|more)\b"
    r"|\b(?:ascending|increasing)\s{1,3}(?:order\s{1,3})?(?:of\s{1,3}|by\s{1,3})?(?:relevan|order)"
    r"|worst[\s-]{1,3}first|least\s{1,3}relevant\s{1,3}first|[从由]低到高|升序|昇順",
    re.IGNORECASE,
)
_BEST_FIRST = re.compile(
    r"\bdescending|\b(?:most|best)\b[^.\n]{0,40}\bto\s{1,3}(?:the\s)?(?:least|worst)\b", re.IGNORECASE
)
_NONE_OF_ITS_OWN = re.compile(
    r"(?:\be\.?g\.?|\bfor (?:example|instance)|\bsuch as|\bnot|\binstead of|\brather than|\bunlike"
    r"|\b(?:original|input|given)\s{1,3}(?:order|ranking|list)(?:ing)?(?:\s{1,3}(?:was|is))?)[\s,:\"'`*(]{0,6}\Z",
    re.IGNORECASE,
)
_DRAFT = re.compile(
    r"\b(?:initial|previous|old|earlier|default|first)\s{1,3}(?:order|ranking|list|draft|guess)(?:ing)?"
    r"(?:\s{1,3}(?:was|is|were))?[\s:,\"'`*(]{0,6}\Z"
    r"|\b(?:draft|previously|formerly|originally|before|old)[\s:,\"'`*(]{0,6}\Z",
    re.IGNORECASE,
)
_MARKER_LINE = re.compile(r"\s{0,6}(?:\[start\]|<\w{1,16}>|```\w{0,10}|[-|:\s]{3,80})?\s{0,6}", re.IGNORECASE)


def before(text: str, start: int) -> str:
    """What introduces a position: the rest of its line, or the last line that says something before it."""
    for line in reversed(text[max(0, start - 240) : start].split("\n")):
        if not _MARKER_LINE.fullmatch(line):
            return line
    return ""


def is_announced(text: str, start: int) -> bool:
    """Whether what stands before a position announces a ranking."""
    line = before(text, start).rstrip(" *_`\"'([{")
    is_head = line.endswith((":", "=", " is", " are", " be", " follows")) or line.lstrip().startswith(("#", "**"))
    return is_head and bool(_CUE_NEAR.search(line))


def is_worst_first(text: str, start: int) -> bool:
    """Whether what stands before a position says that the least relevant comes first."""
    line = before(text, start)
    return bool(_WORST_FIRST.search(line)) and not _BEST_FIRST.search(line)


def is_foreign(text: str, start: int) -> bool:
    """Whether a position opens an example, the order as it was given, or one that the answer rejects."""
    return bool(_NONE_OF_ITS_OWN.search(text[max(0, start - 40) : start]))


def is_draft(text: str, start: int) -> bool:
    """Whether what stands before a position calls what follows initial, previous or a draft."""
    return bool(_DRAFT.search(text[max(0, start - 48) : start]))


# One spelling for signs that mean the same

_DIGITS = "".join(chr(0xFF10 + i) for i in range(10))
_CAPITALS = "".join(chr(0xFF21 + i) for i in range(26))
_BRACKETS = "\uff3b\uff3d\u3010\u3011\u3014\u3015\uff1e\uff1c\uff0c\u3001\uff1a\uff1b\uff08\uff09\uff1d\u00a0"
_INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff\ufe0f\u20e3"
_PLAIN = str.maketrans(
    _DIGITS + _CAPITALS + _BRACKETS, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ[][][]><,,:;()= ", _INVISIBLE
)
_WRITTEN = {"gt": ">", "lt": "<", "succ": ">", "prec": "<", "succeq": ">", "preceq": "<", "to": ">", "rightarrow": ">"}
_ESCAPED = re.compile(
    r"&(?:amp;)?(?P<entity>gt|lt);|\\(?P<command>succeq|succ|preceq|prec|gt|lt|to|rightarrow)(?![A-Za-z])|\\(?P<sign>[\[\]<>])",
)


_STRUCK = re.compile(r"~~[^~\n]{1,1000}~~")


def plain(text: str) -> str:
    """The text with full-width, escaped and LaTeX signs spelt plainly; without what is invisible or struck."""
    if not text.isascii():
        text = text.translate(_PLAIN)
    if "&" in text or "\\" in text:
        text = _ESCAPED.sub(lambda m: _WRITTEN[m["entity"] or m["command"]] if m["sign"] is None else m["sign"], text)
    return _STRUCK.sub("", text) if "~~" in text else text
