"""Rankings in sentences and labelled lines, the weakest evidence: asked only where nothing else ranks.

The most relevant is [3], followed by [1] and then [2].      words that put one after the other
Passage 1: rank 3 ↵ Passage 2: rank 1                         ranks told of passages
Highly relevant: [3], [1] ↵ Not relevant: [2]                 tiers
The best passage is [3].                                      no more than the first
"""

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from whyrank.rankers.ranking_forms import (
    LABELLED,
    REST,
    WORD,
    Labels,
    Place,
    Stated,
    Token,
    compiled,
    identifier,
    item,
    names_all,
)

_MENTION = compiled(rf"\[\s{{0,3}}{LABELLED}#?(NAME)\s{{0,3}}\]|(?<!\w){WORD}\s{{0,3}}[#\[(]{{0,2}}(NAME)[\])]?")

# One after the other

_LINKING = frozenset(
    "is are was comes come the a an most best more relevant relevance useful helpful match first second third fourth "
    "fifth sixth seventh eighth ninth tenth next last least finally lastly followed by closely then and with in at "
    "place position to after that this it ranks ranked rank being while also would be top bottom after directly "
    "passage passages document documents number no spot one ones answer query of very highly somewhat".split()
)
_LINKS = re.compile(r"\b(?:followed|then|next|second|after|finally|lastly|last|third)\b", re.IGNORECASE)
_FIRST = re.compile(r"\b(?:most|best|first|top|rank\w{0,4}|order\w{0,3}|highest|leads?|start\w{0,4})\b", re.IGNORECASE)
_LEAST_FIRST = re.compile(r"\b(?:least|worst|lowest|not|reverse)\b", re.IGNORECASE)
_ABOVE = re.compile(
    r"[\s,*\"\])]{0,6}(?:which\s{1,3})?(?:(?:is|seems|being)\s{1,3})?(?:(?:much|slightly|clearly|still)\s{1,3})?"
    r"(?:(?:more\s{1,3}(?:relevant|useful)|better)\s{1,3}than|over|beats|outranks|above|before|ahead\s{1,3}of)[\s*\"]{1,6}",
    re.IGNORECASE,
)
_WORDS = re.compile(r"[^\W\d_]+")
_LONGEST_LINK = 120


def sentences(place: Place, labels: Labels, _n: int) -> Stated | None:
    """The ranking that words of order tell: the last of the longest."""
    best: Stated | None = None
    for run in _linked(place.text, _mentions(place.text, labels)):
        names = tuple(name for token in run for name in token.names)
        is_new = len(set(names)) == len(names)
        if is_new and _tells_order(place.text, run) and (best is None or len(names) >= len(best.identifiers)):
            best = Stated(names, run[0].start, run[-1].end, note="read from a sentence")
    return best


def _mentions(text: str, labels: Labels) -> list[Token]:
    return [Token(m.start(), m.end(), (identifier(m[1] or m[2]),)) for m in _MENTION[labels].finditer(text)]


def _linked(text: str, mentions: Sequence[Token]) -> Iterator[list[Token]]:
    """Mentions with nothing between them but words of order."""
    run: list[Token] = []
    for token in mentions:
        gap = text[run[-1].end : token.start] if run and token.start - run[-1].end <= _LONGEST_LINK else "\n\n"
        is_linked = _ABOVE.fullmatch(gap) or _LINKING.issuperset(word.lower() for word in _WORDS.findall(gap))
        if run and ("\n\n" in gap or not is_linked):
            yield run
            run = []
        run.append(token)
    if run:
        yield run


def _tells_order(text: str, run: Sequence[Token]) -> bool:
    if len(run) < 2:
        return False
    gaps = [text[a.end : b.start] for a, b in pairwise(run)]
    if len(run) > 2 and all(_ABOVE.fullmatch(gap) for gap in gaps):
        return True
    head = re.split(r"[.!?]\s|\n", text[max(0, run[0].start - 80) : run[0].start])[-1]
    if _LEAST_FIRST.search(head) or (_LEAST_FIRST.search(gaps[0]) and len(run) > 2):
        return False
    return bool(_FIRST.search(head) or _FIRST.search(gaps[0])) and any(_LINKS.search(gap) for gap in gaps)


# Ranks told of passages

_RANK_OF = compiled(
    rf"\W{{0,4}}(?:\[\s{{0,3}}{LABELLED}#?(NAME)\s{{0,3}}\]|{WORD}\s{{0,3}}[#\[(]{{0,2}}(NAME)[\])]?)[^\n]{{0,200}}?"
    r"(?:\brank(?:ed|ing|s)?\s{0,3}(?:is|as|at|in|:|=|#|number|no\.)?\s{0,3}#?(?P<rank>[0-9]{1,3})\b|\b(?P<place>[0-9]{1,3})(?:st|nd|rd|th)\b)"
)


def ranks(place: Place, labels: Labels, _n: int) -> Stated | None:
    """Lines that tell the rank of one passage each: all ranks from 1 on, each once."""
    told: dict[int, int] = {}
    for line in place.text.splitlines():
        if match := _RANK_OF[labels].match(line):
            rank = int(match["rank"] or match["place"])
            if rank in told:
                return None
            told[rank] = identifier(match[1] or match[2])
    if len(told) < 2 or sorted(told) != list(range(1, len(told) + 1)) or len(set(told.values())) < len(told):
        return None
    return Stated(tuple(told[rank] for rank in sorted(told)), note="read from the ranks of passages")


# Tiers

_TIER = re.compile(r"\W{0,6}(?P<label>[^\W\d][\w '’()/-]{1,40}?)[*_]{0,2}\s{0,3}(?:[:=–]|-\s)[*_]{0,2}(?P<items>.*)")
_BOTTOM = 99
_LEVELS: tuple[tuple[re.Pattern[str], int], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), level)
    for pattern, level in (
        (r"\b(?:not|ir\w+|un\w+|non|least|worst|last|lowest|bottom|no|off)\b", _BOTTOM),
        (r"\b(?:somewhat|partial\w*|moderate\w*|medium|fair\w*|related|middle)\b", 50),
        (r"\b(?:marginal\w*|slight\w*|weak\w*|less|low|barely|tangential\w*)\b", 70),
        (r"\b(?:second|2nd)\b", 2),
        (r"\b(?:third|3rd)\b", 3),
        (r"\b(?:fourth|4th)\b", 4),
        (r"\b(?:fifth|5th)\b", 5),
        (r"\b(?:sixth|6th)\b", 6),
        (r"\b(?:seventh|7th)\b", 7),
        (r"\b(?:eighth|8th)\b", 8),
        (r"\b(?:ninth|9th)\b", 9),
        (r"\b(?:tenth|10th)\b", 10),
        (r"\b(?:highly|most|best|top|first|1st|very|direct\w*|perfect\w*|highest|high|strong\w*)\b", 1),
        (r"\brelevant\b", 40),
    )
)
_NEXT = re.compile(r"\b(?:next|then|followed by|after that)\b", re.IGNORECASE)


def tiers(place: Place, labels: Labels, n: int) -> Stated | None:
    """Lines that put passages under "most relevant", "second", "not relevant" …: at least two such lines.

    Numbers without any sign may be counts, and count only where they are all documents.
    """
    told: list[tuple[int, tuple[int, ...]]] = []
    is_bare = False
    for line in place.text.splitlines():
        match = _TIER.fullmatch(line.strip())
        names = _named_alone(match["items"], labels) if match else ()
        if match and not names and (number := item(match["items"], labels)) is not None:
            names, is_bare = (number,), True
        level = _level(match["label"], told[-1][0] if told else 0) if match and names else None
        if level is not None:
            told.append((level, names))
    named = [name for _, names in told for name in names]
    if len({level for level, _ in told}) < 2 or len(set(named)) < len(named) or (is_bare and not names_all(named, n)):
        return None
    told.sort(key=lambda tier: tier[0])
    above = tuple(name for level, names in told if level < _BOTTOM for name in names)
    below = tuple(name for level, names in told if level == _BOTTOM for name in names)
    return Stated((*above, REST, *below) if below else above, note="read from tiers")


def _level(label: str, above: int) -> int | None:
    found = next((level for pattern, level in _LEVELS if pattern.search(label)), None)
    return above if found is None and _NEXT.search(label) else found


def _named_alone(text: str, labels: Labels) -> tuple[int, ...]:
    """The identifiers of a line that says nothing else, but for remarks in brackets or after a dash."""
    mentions = _mentions(text, labels)
    left = _MENTION[labels].sub(" ", text)
    said = re.sub(r"\([^()]{0,200}\)|(?:[-–—]|because|as it|since)\s.{0,400}", " ", left) if mentions else "x"
    is_alone = not _WORDS.search(re.sub(r"\band\b", " ", said))
    return tuple(name for token in mentions for name in token.names) if is_alone else ()


# The first, and no more

_SPACE = r"[ \t]{1,3}"
_ONE = (
    rf"(?:\[\s{{0,3}}{LABELLED}#?(NAME)\s{{0,3}}\]"
    r"|(?<!\w)(?:passage|document|doc|candidate|item|result)\s{0,3}[#\[(]{0,2}(NAME))"
)
_BEST = compiled(
    rf"\b(?:most{_SPACE}relevant|best)\b(?:{_SPACE}(?:passage|document|doc|one|match|result|to|for|the|your|query|answer))"
    rf"{{0,6}}(?:{_SPACE}(?:is|would{_SPACE}be)|[ \t]{{0,3}}[:=])[ \t*\"]{{0,4}}{_ONE}"
    rf"|{_ONE}[\])]?[*\"]{{0,3}}{_SPACE}(?:is|seems|appears|would{_SPACE}be)(?:{_SPACE}(?:to{_SPACE}be|clearly|by{_SPACE}far))?"
    rf"{_SPACE}the{_SPACE}(?:most{_SPACE}relevant|best)\b"
)
_BETTER_THAN = compiled(
    rf"{_ONE}[\])]?{_SPACE}(?:is|seems|appears){_SPACE}(?:\w{{1,12}}{_SPACE})?(?:more{_SPACE}(?:relevant|useful)|better)\b"
    rf"[^.\n\[\]]{{0,60}}?\bthan{_SPACE}{_ONE}"
)


def best(place: Place, labels: Labels, n: int) -> Stated | None:
    """The one passage that is said to be the most relevant; of two, also the better."""
    if n == 2:
        pairs = {(m[1] or m[2], m[3] or m[4]) for m in _BETTER_THAN[labels].finditer(place.text)}
        if len(pairs) == 1:
            [(first, second)] = pairs
            return Stated((identifier(first), identifier(second)), note="read from a comparison")
    named = {identifier(m[1] or m[2] or m[3] or m[4]) for m in _BEST[labels].finditer(place.text)}
    return Stated((named.pop(),), note="only the first is named") if len(named) == 1 else None


FORMS: tuple[Callable[[Place, Labels, int], Stated | None], ...] = (ranks, tiers, sentences, best)
