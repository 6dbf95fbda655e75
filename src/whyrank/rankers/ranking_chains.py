"""Rankings as chains: identifiers held together by signs.

[2] > [1] > [3]          also with ties (``=``, a comma), remarks in round brackets and numbered steps
[1] < [3] < [2]          worst first, and turned round
[2] > [4]-[6] > …        a range is written out; dots stand for what is not named
1. [2] 2. [1] 3. [3]     numbered steps
[2] ↵ [1] ↵ [3]          one a line
2 > 1 > 3                without brackets: lines of their own, or three and more in a sentence
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from whyrank.rankers.ranking_forms import (
    ALONE,
    BETTER,
    LABELLED,
    REST,
    WORSE,
    Labels,
    Place,
    Stated,
    Token,
    compiled,
    identifier,
    is_announced,
    is_draft,
    is_foreign,
    is_worst_first,
    item,
    names_all,
    span,
    tokens,
)

# A prompt that ends in "[" leaves the first identifier without its bracket.
_BROKEN_FIRST = compiled(r"\s*+(NAME)\s{0,3}\]?(?=\s{0,3}>)")
_ASKED_FOR = compiled(r"\s*+\[NAME\](?:\s{0,3}>\s{0,3}\[NAME\])++\s*+")
_NAMES = {"numbers": re.compile("[0-9]++"), "letters": re.compile("[A-Za-z]")}
_LONE = compiled(rf"[\s*_`\"']{{0,8}}{LABELLED}\[[^\[\]]{{1,24}}\][\s*_`\"'.]{{0,8}}")
_STEP = r"(?:rank\s{0,3})?[0-9]{1,4}[.):]"
_AROUND = r"[\s*_`\"'(){}$]{0,8}"
_REMARK = rf"(?:(?:\([^()\n]{{0,200}}\)|[:–-]\s{{0,3}}[0-9][0-9./%]{{0,8}}|[0-9]{{1,3}}\.[0-9]{{1,4}}){_AROUND})?"
_LINK = re.compile(
    rf"{_AROUND}(?:{_REMARK}(?:(?P<skip>(?:{BETTER}\s{{0,3}})?\[?(?:\.{{2,}}+|…)\]?(?:\s{{0,3}}{BETTER})?)"
    rf"|(?P<better>{BETTER}(?:\s{{0,3}}{_STEP})?)|(?P<worse>{WORSE}))|(?P<tie>={{1,2}}|≈|~)"
    rf"|(?P<comma>,(?:\s{{0,3}}and)?|and|&)|(?P<range>[-–—]|to)|(?P<steps>{_STEP})|(?P<lines>(?<=\n)|(?=\n))"
    rf"){_AROUND}",
    re.IGNORECASE,
)
_LONGEST_LINK = 240
_NEUTRAL = ("skip", "tie", "comma", "range")
_CUT = re.compile(rf"[\s*`]{{0,6}}{BETTER}[\s*`]{{0,6}}(?:\[?\s{{0,3}}\w{{0,12}})?\s{{0,6}}")
_STEP_BEFORE = re.compile(rf"(?:^|\n|[:;,.])(?P<step>[\s*#>-]{{0,6}}{_STEP}[\s*`]{{0,6}})\Z", re.IGNORECASE)
_LINE_LABEL = re.compile(r"(?:>\s{1,3})?(?:[^\W\d][\w *_'’()-]{0,60}[:=]\s{0,6})?")
_SIGN = re.compile(rf"{BETTER}|{WORSE}")
_SPLIT = re.compile(rf"{BETTER}|{WORSE}|={{1,2}}|≈")
_WORSE_SIGN = re.compile(WORSE)
_OPENS = compiled(rf"(?:^|[\s:(,\"'*]){LABELLED}[\"'`*#]{{0,3}}(NAME)[\"'`*]{{0,3}}\s{{0,3}}\Z")
_ENDS = compiled(
    rf"\s{{0,3}}[\"'`*]{{0,3}}{LABELLED}[\"'`*#]{{0,3}}(NAME)[\"'`*$]{{0,3}}(?=\s|[.,;:!?)]|\Z)(?!\s{{0,3}}%|[.,][0-9])"
)
_TOLD = r"(?:\((?=[^()\n]{0,200}[^\W\d]{2})[^()\n]{0,200}\))?"
_REMARK_END = re.compile(rf"\s{{0,3}}{_TOLD}\s{{0,3}}[.;]?\s{{0,3}}{_TOLD}\s{{0,3}}\Z")


class _Run(NamedTuple):
    """Tokens and the links between them; `kind` is the sign that makes them a ranking."""

    tokens: list[Token]
    links: list[str]
    kind: str


def asked_for(text: str, labels: Labels) -> Stated | None:
    """An answer that is one plain chain, which most are: found at once."""
    if _ASKED_FOR[labels].fullmatch(text) is None:
        return None
    return Stated(tuple(identifier(name) for name in _NAMES[labels].findall(text)))


def chains(place: Place, labels: Labels, n: int) -> list[Stated]:
    """All chains of a place, in order; examples ("e.g. [4] > [2]") are none."""
    text = place.text
    named = tokens(text, labels)
    if broken := _BROKEN_FIRST[labels].match(text):
        named.insert(0, Token(broken.start(), broken.end(), (identifier(broken[1]),)))
    own = [
        run for run in _runs(text, named) if _is_ranking(place, run, n) and not is_foreign(text, run.tokens[0].start)
    ]
    if found := list(_joined_lines(text, [_stated(place, run) for run in own])):
        return found
    if found := _bare_chains(place, labels, n):
        return found
    is_alone = len(named) == 1 and (place.is_strict or _LONE[labels].fullmatch(text) is not None)
    return [Stated(named[0].names, named[0].start, named[0].end)] if is_alone else []


def _runs(text: str, named: Sequence[Token]) -> Iterator[_Run]:
    """Tokens that a chain, numbered steps or line ends hold together."""
    run = _Run([], [], "")
    seen: set[int] = set()
    for token in named:
        link = _link(text, run.tokens[-1], token) if run.tokens else ""
        if link == "comma" and (
            seen.intersection(token.names) or text[token.end : token.end + 2].strip()[:1].isalpha()
        ):
            link = ""
        if not link or not _goes_with(run, link):
            yield from _segments(run) if run.tokens else ()
            run, seen = _Run([], [], ""), set()
        else:
            run.links.append(link)
            run = run._replace(kind=run.kind if link in _NEUTRAL else link)
        run.tokens.append(token)
        seen.update(token.names)
    yield from _segments(run) if run.tokens else ()


def _link(text: str, left: Token, right: Token) -> str:
    if right.start - left.end > _LONGEST_LINK:
        return ""
    match = _LINK.fullmatch(text, left.end, right.start)
    return (match.lastgroup or "") if match else ""


def _goes_with(run: _Run, link: str) -> bool:
    if link in _NEUTRAL:
        return run.kind in ("", "better", "worse")
    return link == run.kind or (run.kind == "" and (not run.links or link in ("better", "worse")))


def _segments(run: _Run) -> Iterator[_Run]:
    """The run, or its parts where commas divide nothing but comparisons: ``[2] > [1], [4] > [3]``."""
    cuts = [at + 1 for at, link in enumerate(run.links) if link == "comma"]
    parts = [
        _Run(run.tokens[a:b], run.links[a : b - 1], run.kind)
        for a, b in zip([0, *cuts], [*cuts, len(run.tokens)], strict=True)
    ]
    are_comparisons = len(parts) > 1 and all(len(part.tokens) > 1 for part in parts)
    yield from parts if are_comparisons else [run]


def _is_ranking(place: Place, run: _Run, n: int) -> bool:
    text, start, end = place.text, run.tokens[0].start, run.tokens[-1].end
    if run.kind == "steps":
        step = _STEP_BEFORE.search(text[max(0, start - 32) : start])
        if step is None or "\n" in text[start:end] or place.is_strict:
            return step is not None
        # On one line and without ">", steps are weak evidence: a list that skips documents may be a selection.
        is_whole = names_all((name for token in run.tokens for name in token.names), n)
        return is_whole or is_announced(text, start - len(step["step"]))
    if run.kind == "lines":
        head = text[max(0, start - 80) : start].rpartition("\n")[2]
        tail = text[end : end + 80].partition("\n")[0]
        return not head.strip(" \t*`-") and not tail.strip(" \t\r*`")
    return run.kind in ("better", "worse") or (len(run.tokens) > 1 and set(run.links) == {"tie"})


def _stated(place: Place, run: _Run) -> Stated:
    """The run as identifiers, with its ranges and dots written out."""
    names: list[int] = list(run.tokens[0].names)
    note = "a range written out" if any(len(token.names) > 1 for token in run.tokens) else ""
    for link, token in zip(run.links, run.tokens[1:], strict=True):
        if link == "range":
            names += span(names[-1], token.names[0])[1:]
            note = "a range written out"
        elif link == "skip":
            names += _skipped(names, token.names[0])
            note = "dots stand for documents that are not named"
        names += token.names[1:] if link == "range" else token.names
    start, end = run.tokens[0].start, run.tokens[-1].end
    is_cut = _is_cut(place, end)
    stated = Stated(tuple(names), start, end, is_cut, is_draft(place.text, start), note)
    return stated.turned() if run.kind == "worse" or is_worst_first(place.text, start) else stated


def _skipped(names: Sequence[int], following: int) -> tuple[int, ...]:
    """What dots stand for: the numbers in between where the chain counts up or down, else all that is not named."""
    step = names[-1] - names[-2] if len(names) > 1 else 0
    if abs(step) == 1 and (following - names[-1]) * step > 0:
        return span(names[-1], following)[1:-1]
    return (REST,)


def _is_cut(place: Place, end: int) -> bool:
    """Whether the answer ends inside a chain whose last whole identifier ends at `end`."""
    return not place.is_closed and len(place.text) - end <= 40 and _CUT.fullmatch(place.text, end) is not None


def _joined_lines(text: str, found: Sequence[Stated]) -> Iterator[Stated]:
    """Chains on neighbouring lines that share no identifier are one ranking, broken into lines."""
    whole: Stated | None = None
    seen: set[int] = set()
    for stated in found:
        gap = text[whole.end : stated.start] if whole and stated.start - whole.end <= 24 else "x"
        if whole and "\n" in gap and not gap.strip(" \t\r\n*_`\"'") and not seen.intersection(stated.identifiers):
            names = whole.identifiers + stated.identifiers
            whole = stated._replace(identifiers=names, start=whole.start, note="joined from several lines")
        else:
            if whole:
                yield whole
            whole, seen = stated, set()
        seen.update(stated.identifiers)
    if whole:
        yield whole


# Without brackets


def _bare_chains(place: Place, labels: Labels, n: int) -> list[Stated]:
    """Lines that are a chain of identifiers without brackets, after a label at most; and chains in sentences."""
    found = []
    start = 0
    end_of_all = len(place.text.rstrip())
    for line in place.text.splitlines(keepends=True):
        if _SIGN.search(line):
            is_last = start + len(line) >= end_of_all and not place.is_closed
            whole = _bare_line(line, labels, is_last=is_last)
            own = [whole] if whole else _bare_in_sentence(line, labels, n)
            found += [_placed(place.text, start, stated) for stated in own if not is_foreign(line, stated.start)]
        start += len(line)
    return found


def _placed(text: str, line_start: int, stated: Stated) -> Stated:
    """A chain of a line as one of the whole text, and turned round where words before it say so."""
    start, end = line_start + stated.start, line_start + stated.end
    stated = stated._replace(start=start, end=end, is_draft=is_draft(text, start))
    return stated.turned() if is_worst_first(text, start) and not stated.note else stated


def _bare_line(line: str, labels: Labels, *, is_last: bool) -> Stated | None:
    label = _LINE_LABEL.match(line)
    begin = label.end() if label else 0
    tail = max(begin, len(line) - 240)
    remark = _REMARK_END.search(line, tail)
    end = remark.start() if remark else len(line)
    parts = _SPLIT.split(line[begin:end])
    is_cut = is_last and len(parts) > 2 and not parts[-1].strip()
    found = [item(part, labels) for part in (parts[:-1] if is_cut else parts)]
    names = tuple(name for name in found if name is not None)
    return _of_one_sign(Stated(names, begin, end, is_cut), line) if len(names) == len(found) > 1 else None


def _bare_in_sentence(line: str, labels: Labels, n: int) -> list[Stated]:
    """Chains of three identifiers and more, all of documents, with words before and after them."""
    found: list[Stated] = []
    names: list[int] = []
    start = at = 0
    for sign in [*_SPLIT.finditer(line), None]:
        end = sign.start() if sign else len(line)
        part = line[at:end]
        whole = ALONE[labels].fullmatch(part)
        closing = whole or _ENDS[labels].match(part)
        if names and closing:
            names.append(identifier(closing[1]))
        if not (names and whole and sign):
            found.append(Stated(tuple(names), start, at + (closing.end() if closing else 0)))
            opening = whole or _OPENS[labels].search(part[-40:])
            names = [identifier(opening[1])] if opening else []
            start = end - len(opening[0].lstrip(" :(,\"'*")) if opening else end
        at = sign.end() if sign else end
    long = [chain for chain in found if len(chain.identifiers) > 2 and all(1 <= i <= n for i in chain.identifiers)]
    return [stated for chain in long if (stated := _of_one_sign(chain, line))]


def _of_one_sign(stated: Stated, line: str) -> Stated | None:
    """The chain, turned round where all its signs say so; one that mixes both says nothing certain."""
    body = line[stated.start : stated.end]
    worse = len(_WORSE_SIGN.findall(body))
    if worse == 0:
        return stated
    return stated.turned() if worse == len(_SIGN.findall(body)) else None
