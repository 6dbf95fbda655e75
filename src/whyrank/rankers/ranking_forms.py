"""The forms in which a language model states a ranking, and how each is read. No other number is an identifier.

    JSON          the place as a whole, a fenced block, or from its first ``{`` to its last ``}``
    chain         ``[2] > [1] > [3]``, also with ties (``=``) and numbered steps; a line ``2 > 1 > 3``; steps
                  ``1. [2] 2. [1]``; identifiers in brackets, one a line
    comma list    ``[2], [1], [3]``, if there is nothing else
    numbered list ``1. [2] …``, or lines that open with an identifier; not if they ascend with text beside them,
                  for such lines go through the passages rather than rank them

Every pattern is bounded or possessive, so that no text takes more than linear time.
"""

import json
import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, Literal, NamedTuple, TypeAlias

Labels: TypeAlias = Literal["numbers", "letters"]


class Place(NamedTuple):
    """A stretch of an answer. A closed one was not cut off at its end; a strict one holds the ranking alone."""

    text: str
    is_closed: bool = False
    is_strict: bool = False


class Stated(NamedTuple):
    """Identifiers as an answer states them: 1-based, unchecked, with what is to be said about them."""

    identifiers: tuple[int, ...]
    is_cut: bool = False
    note: str = ""


class _Token(NamedTuple):
    start: int
    end: int
    identifier: int


# Identifiers of more digits are out of any range, and int() refuses very long ones.
_MOST_DIGITS = 9
_WORD = r"(?:passage|document|doc|candidate)"
_NAME = {"numbers": "[0-9]++", "letters": "[A-Za-z](?![A-Za-z])"}
_MARKS = r"[\s\[\]\"'`*_#()]{0,6}"


def _compiled(pattern: str) -> dict[Labels, re.Pattern[str]]:
    return {
        "numbers": re.compile(pattern.replace("NAME", _NAME["numbers"]), re.IGNORECASE | re.DOTALL),
        "letters": re.compile(pattern.replace("NAME", _NAME["letters"]), re.IGNORECASE | re.DOTALL),
    }


_IN_BRACKETS = _compiled(rf"\[\s{{0,3}}(?:{_WORD}\s{{0,3}})?#?(NAME)\s{{0,3}}\]")
# A prompt that ends in "[" leaves the first identifier without its bracket.
_BROKEN_FIRST = _compiled(r"\s*+(NAME)\s{0,3}\]?(?=\s{0,3}>)")
_ALONE = _compiled(rf"{_MARKS}(?:{_WORD}\s{{0,3}})?{_MARKS}(NAME){_MARKS}")
_LINE = _compiled(
    rf"(?:[-*•]\s{{0,3}})?(?P<number>(?:rank\s{{0,3}})?#?[0-9]{{1,4}}[.):]\s{{0,3}})?[*_\"`]{{0,3}}"
    rf"(?P<word>{_WORD}\s{{0,3}}#?)?(?P<open>\[?)\s{{0,3}}(?P<name>NAME)\s{{0,3}}\]?[*_\"`]{{0,3}}(?P<rest>.*)"
)
_BETTER = r"(?:>{1,3}=?|&gt;|≥|≻|»|→|[-=]>)"
_SPLIT = re.compile(_BETTER)
_CHAIN_GAP = re.compile(rf"{_BETTER}(?:\s{{0,3}}[0-9]{{1,4}}[.)])?")
_STEP_GAP = re.compile(r"[0-9]{1,4}[.)]")
_TIES = ("=", "==", "≈", "~")
_LONGEST_GAP = 24
_CUT = re.compile(rf"[\s*`]{{0,6}}{_BETTER}[\s*`]{{0,6}}(?:\[?\s{{0,3}}\w{{0,12}})?\s{{0,6}}")
_STEP_BEFORE = re.compile(r"(?:^|\n)[\s*#-]{0,6}[0-9]{1,4}[.)][\s*`]{0,6}\Z")
_EXAMPLE_BEFORE = re.compile(r"(?:\be\.?g\.?|\bfor example|\bsuch as)[\s,:\"'`(]{0,6}\Z", re.IGNORECASE)
_LABEL = re.compile(r"[A-Za-z *_-]{0,40}:\s{0,6}")
_JSON_LISTS = (
    "ranked_passages",
    "ranked_documents",
    "ranking",
    "reranking",
    "ranked",
    "order",
    "permutation",
    "answer",
)
_JSON_NAMES = ("identifier", "id", "passage_id", "document_id", "passage", "document")
_CUT_JSON_ITEM = _compiled(rf'"(?:{"|".join(_JSON_NAMES)})"\s{{0,4}}:\s{{0,4}}"?\[?(NAME)\]?"?\s{{0,4}}[,}}\n]')


def _identifier(name: str) -> int:
    """1-based number of a label; a number that no list can hold for one that is too long to read."""
    if name.isalpha():
        return ord(name.upper()) - ord("A") + 1
    digits = name.lstrip("0")
    return int(digits or "0") if len(digits) <= _MOST_DIGITS else 10**_MOST_DIGITS


# Chains


def chains(place: Place, labels: Labels) -> list[Stated]:
    """All chains of a place, in order; examples ("e.g. [4] > [2]") are none."""
    text = place.text
    tokens = [_Token(m.start(), m.end(), _identifier(m[1])) for m in _IN_BRACKETS[labels].finditer(text)]
    if broken := _BROKEN_FIRST[labels].match(text):
        tokens.insert(0, _Token(broken.start(), broken.end(), _identifier(broken[1])))
    found = []
    for runs in _joined_lines(text, _runs(text, tokens)):
        if not _EXAMPLE_BEFORE.search(text[max(0, runs[0][0].start - 24) : runs[0][0].start]):
            note = "joined from several lines" if len(runs) > 1 else ""
            names = tuple(token.identifier for run in runs for token in run)
            found.append(Stated(names, _is_cut(place, runs[-1][-1].end), note))
    if found:
        return found
    if lines := _bare_chains(place, labels):
        return lines
    is_alone = len(tokens) == 1 and (place.is_strict or text.strip() == text[tokens[0].start : tokens[0].end])
    return [Stated((tokens[0].identifier,))] if is_alone else []


def _is_cut(place: Place, end: int) -> bool:
    """Whether the answer ends inside a chain whose last whole identifier ends at `end`."""
    return not place.is_closed and len(place.text) - end <= 40 and _CUT.fullmatch(place.text, end) is not None


def _runs(text: str, tokens: Sequence[_Token]) -> Iterator[list[_Token]]:
    """Tokens that a chain, numbered steps or line ends hold together."""
    run: list[_Token] = []
    kind = ""
    for token in tokens:
        link = _link(text, run[-1], token) if run else ""
        if link and kind in ("", link):
            run.append(token)
            kind = link
            continue
        if _is_ranking(text, run, kind):
            yield run
        run, kind = [token], ""
    if _is_ranking(text, run, kind):
        yield run


def _link(text: str, left: _Token, right: _Token) -> str:
    if right.start - left.end > _LONGEST_GAP:
        return ""
    gap = text[left.end : right.start]
    core = gap.strip(" \t\r\n*_`\"'")
    if core in _TIES or _CHAIN_GAP.fullmatch(core):
        return "chain"
    if _STEP_GAP.fullmatch(core):
        return "steps"
    return "lines" if not core and "\n" in gap else ""


def _is_ranking(text: str, run: Sequence[_Token], kind: str) -> bool:
    if kind == "steps":
        return _STEP_BEFORE.search(text[max(0, run[0].start - 16) : run[0].start]) is not None
    if kind == "lines":
        before = text[max(0, run[0].start - 80) : run[0].start].rpartition("\n")[2]
        after = text[run[-1].end : run[-1].end + 80].partition("\n")[0]
        return not before.strip(" \t*`-") and not after.strip(" \t\r*`")
    return kind == "chain"


def _joined_lines(text: str, runs: Iterator[list[_Token]]) -> Iterator[list[list[_Token]]]:
    """Runs on neighbouring lines that share no identifier are one ranking, broken into lines."""
    group: list[list[_Token]] = []
    seen: set[int] = set()
    for run in runs:
        names = {token.identifier for token in run}
        if group and (seen & names or _link(text, group[-1][-1], run[0]) != "lines"):
            yield group
            group, seen = [], set()
        group.append(run)
        seen |= names
    if group:
        yield group


def _bare_chains(place: Place, labels: Labels) -> list[Stated]:
    """Lines that are a chain of identifiers without brackets, after a label at most."""
    found = []
    lines = [line for line in place.text.splitlines() if line.strip()]
    for at, line in enumerate(lines):
        label = _LABEL.match(line)
        parts = _SPLIT.split(line[label.end() :] if label else line)
        is_last = at == len(lines) - 1 and not place.is_closed
        is_cut = is_last and len(parts) > 2 and not parts[-1].strip()
        matches = [_ALONE[labels].fullmatch(part) for part in (parts[:-1] if is_cut else parts)]
        names = tuple(_identifier(match[1]) for match in matches if match)
        if len(names) == len(matches) > 1:
            found.append(Stated(names, is_cut))
    return found


# Lists


def comma_list(place: Place, labels: Labels) -> Stated | None:
    """A place that is nothing but identifiers with commas; a single one only where the place is strict."""
    text = place.text.strip().removesuffix(".")
    label = _LABEL.match(text)
    parts = (text[label.end() :] if label else text).split(",")
    matches = [_ALONE[labels].fullmatch(part.strip()) for part in parts]
    if len(parts) < 2 and not place.is_strict:
        return None
    names = tuple(_identifier(match[1]) for match in matches if match)
    return Stated(names) if len(names) == len(matches) else None


def numbered_lists(text: str, labels: Labels) -> list[Stated]:
    """Lists of lines that open with an identifier; a list ends where an identifier returns."""
    blocks: list[list[tuple[int, bool, bool]]] = [[]]
    seen: set[int] = set()
    for line in text.splitlines():
        match = _LINE[labels].match(line.strip())
        if match is None:
            continue
        is_bare = not match["rest"].strip(" .,;:*")
        if not (match["open"] or (match["number"] and (match["word"] or is_bare))):
            continue
        name = _identifier(match["name"])
        if name in seen:
            blocks.append([])
            seen.clear()
        seen.add(name)
        blocks[-1].append((name, is_bare, match["number"] is not None))
    return [stated for block in blocks if (stated := _ranked_block(block))]


def _ranked_block(block: Sequence[tuple[int, bool, bool]]) -> Stated | None:
    names = tuple(name for name, _, _ in block)
    is_bare = all(bare for _, bare, _ in block)
    if len(names) < 2 or (not is_bare and all(a < b for a, b in pairwise(names))):
        return None
    is_numbered = all(numbered for _, _, numbered in block)
    return Stated(names, note="" if is_bare or is_numbered else "read from the order of remarks")


# JSON


def json_list(text: str, labels: Labels) -> Stated | None:
    """A ranking in JSON; of JSON that breaks off, the items that are whole."""
    stripped = text.strip()
    fenced = stripped.split("```")
    candidates = [stripped] if stripped[:1] in ("{", "[") else []
    candidates += [part.strip().removeprefix("json").strip() for part in fenced[1::2][-1:]]
    if "{" in stripped:
        candidates.append(stripped[stripped.index("{") : stripped.rfind("}") + 1])
    for candidate in candidates:
        try:
            names = _json_names(json.loads(candidate), labels)
        except (ValueError, RecursionError):
            continue
        if names:
            return Stated(names)
    start = stripped.removeprefix("```").removeprefix("json").lstrip()
    if start[:1] in ("{", "["):
        items = tuple(_identifier(match[1]) for match in _CUT_JSON_ITEM[labels].finditer(start))
        return Stated(items, is_cut=True, note="JSON that does not end") if items else None
    return None


def _json_names(value: Any, labels: Labels) -> tuple[int, ...]:
    """The identifiers of a list that holds nothing else; () for any other value."""
    if isinstance(value, dict):
        value = next((value[key] for key in _JSON_LISTS if key in value), None)
    if isinstance(value, str):
        found = chains(Place(value, is_strict=True), labels)
        return found[-1].identifiers if found else ()
    if not isinstance(value, list):
        return ()
    names = [_json_name(item, labels) for item in value]
    return tuple(name for name in names if name is not None) if None not in names else ()


def _json_name(item: Any, labels: Labels) -> int | None:
    if isinstance(item, dict):
        item = next((item[key] for key in _JSON_NAMES if key in item), None)
    if isinstance(item, str) and (match := _ALONE[labels].fullmatch(item)):
        return _identifier(match[1])
    return item if isinstance(item, int) and not isinstance(item, bool) and labels == "numbers" else None
