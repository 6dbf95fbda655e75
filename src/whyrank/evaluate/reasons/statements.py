"""What a reason says, read off its text by plain patterns: order, numbers, leads, polarity. Pure; patterns are data.

Patterns are written for English and find some of what is said, never all; what each mistakes is said beside it.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from decimal import Decimal
from math import fsum
from typing import Literal, NamedTuple
from unicodedata import normalize

from whyrank.types import Comparison, Difference, Direct, Ranking, Span, Term


class Reason(NamedTuple):
    """One text to check.

    Attributes:
        text: what is said.
        about: the id of the document that it speaks of ("it", "this passage").
        beside: the ids of the documents that it compares it with; empty for a direct reason.
        values: numbers of the ranking that it may state: scores, contributions, margins, and their sums.
        counts: whole numbers that it may state: how many sentences, how many tries.
    """

    text: str
    about: str
    beside: tuple[str, ...] = ()
    values: tuple[float, ...] = ()
    counts: tuple[int, ...] = ()


class Told(NamedTuple):
    """A ranking and the texts that were told about it."""

    ranking: Ranking
    reasons: tuple[Reason, ...]


class OrderPattern(NamedTuple):
    """How statements of order look.

    Attributes:
        name: what to call it.
        regexes: each with the groups `side` (a word) and `named` (the numbers of passages).
        above: the words that put the passage spoken of above the named ones; all others put it below.
    """

    name: str
    regexes: tuple[re.Pattern[str], ...]
    above: frozenset[str]


class OrderStatement(NamedTuple):
    """A passage is said to stand above or below others, named by their number."""

    is_above: bool
    named: tuple[int, ...]
    words: str


_LABEL = r"\[?\d{1,4}\]?"
_LABELS = rf"{_LABEL}(?:(?:\s*,\s*(?:and\s+|or\s+)?|\s+(?:and|or)\s+|\s*&\s*)(?:(?:passages?|documents?)\s+)?{_LABEL})*"
_THE = r"(?:both\s+|either\s+)?(?:the\s+)?(?:other\s+)?(?:passages?|documents?)\s+"
_BETTER = "more better higher stronger closer above"
_WORSE = "less fewer lower worse weaker poorer below"

PLAIN = OrderPattern(
    "plain",
    (re.compile(rf"\b(?P<side>more|less) relevant than passages? (?P<named>(?!\[){_LABELS})", re.IGNORECASE),),
    frozenset({"more"}),
)
"""“more/less relevant than passage(s) X, Y and Z”, to the letter; numbers in brackets are left to `WIDE`."""

WIDE = OrderPattern(
    "wide",
    (
        re.compile(
            rf"\b(?P<side>{'|'.join(f'{_BETTER} {_WORSE}'.split())})\b(?:\s+[\w'’-]+){{0,6}}?\s+than\s+{_THE}"
            rf"(?P<named>{_LABELS})",
            re.IGNORECASE,
        ),
        re.compile(rf"\brank(?:s|ed)?\s+(?:\w+\s+)?(?P<side>above|below)\s+{_THE}(?P<named>{_LABELS})", re.IGNORECASE),
    ),
    frozenset(_BETTER.split()),
)
"""Any “more/higher/better/less/lower/worse … than passage(s) X”, up to six words between, and “ranked above/below X”.

False hits: the compared thing need not speak for relevance (“more general than”, “more repetitive than”), and may not
be the passage's (“while it answers less than passage 2 does of the first part, …”).
"""

NEGATIVE = (
    r"\b(?:is|are|seems?)\s+not\s+(?:\w+ly\s+|very\s+)?(?:relevant|related|applicable|helpful|useful)\b",
    r"(?:\bnot|n['’]t)\s+(?:directly\s+|specifically\s+|actually\s+|really\s+)?(?:answer|address)\b",
    r"(?:\bnot|n['’]t)\s+(?:directly\s+)?(?:provide|contain|give|offer|mention)\s+(?:any|relevant|information|an\s+answer)\b",
    r"\b(?:irrelevant|unrelated|inapplicable)\b",
    r"\bno\s+(?:relevant\s+)?(?:information|answer)\b",
)
"""The passage is said not to answer. False hits: “does not provide any specific figure, but …” of a good passage; a
list in which nothing answers, where the first rightly does not."""

POSITIVE = (
    r"\bdirectly\s+(?:answers|addresses|responds|defines|states|explains|provides)\b",
    r"\b(?:highly|most|perfectly|clearly|very)\s+relevant\b",
    r"\b(?:fully|completely|clearly|explicitly|perfectly)\s+(?:answers|addresses)\b",
    r"\bdirect(?:\s+and\s+[\w-]+)?\s+answer\s+to\b",
)
"""The passage is said to answer. False hits: “directly addresses a part of it only”; lists in which all five answer,
where the last rightly does."""

_NEGATIVE, _POSITIVE = (re.compile("|".join(patterns), re.IGNORECASE) for patterns in (NEGATIVE, POSITIVE))
_REFERENCE = re.compile(
    r"(?:\b(?:passages?|documents?|docs?|results?|candidates?)\s+(?:number\s+|#)?"
    rf"|\brank(?:s|ed)?\s+(?:higher|lower|above|below)\s+(?:than\s+)?|(?=\[))(?P<named>{_LABELS})",
    re.IGNORECASE,
)
_RANK = re.compile(
    r"\b(?:rank(?:s|ed|ing)?|placed?|position)\s+(?:at\s+|as\s+|in\s+)?(?:number\s+|#)?(?P<rank>\d{1,4})(?:st|nd|rd|th)?\b"
    r"|\b(?P<ordinal>\d{1,4})(?:st|nd|rd|th)\s+(?:rank|place|position)\b",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"(?<!\w)(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?|(?<![\w.])\.\d+")
_FRACTION = re.compile("[¼-¾⅐-⅞]")
_LEAD = re.compile(r"\bleads?\s+(?:passage\s+\S+\s+|the\s+other\s+)?by\s+(?P<lead>[-−]?\d+(?:\.\d+)?)", re.IGNORECASE)
_EQUAL = re.compile(r"\bboth\s+score\s+the\s+same\b", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]+")
_UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
)
SPELLED = {
    **{word: n for n, word in enumerate([*_UNITS.split(), "eighteen", "nineteen"])},
    **{word: 10 * n for n, word in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), 2)},
    **dict(zip("hundred thousand million billion".split(), (100, 1_000, 1_000_000, 1_000_000_000), strict=True)),
}
"""Number words that support a number in digits; only single words are read (“twenty-five” supports 20 and 5)."""


class Number(NamedTuple):
    """A number in a text: its value, and how many decimals it was given with."""

    value: Decimal
    decimals: int


def told(ranking: Ranking) -> Told:
    """The texts of a ranking's own explanations; a comparison speaks of its upper document."""
    explanations = ranking.explanations
    if explanations is None:
        return Told(ranking, ())
    direct = [
        Reason(d.text, d.document_id, (), tuple(_direct_values(d)), _direct_counts(d)) for d in explanations.direct
    ]
    return Told(ranking, (*direct, *(_compared(c) for c in explanations.comparisons)))


def order_statements(text: str, pattern: OrderPattern = PLAIN) -> list[OrderStatement]:
    """What a text says about the order, in reading order.

    >>> order_statements("It is less relevant than passages 1, 2, and 4.")
    [OrderStatement(is_above=False, named=(1, 2, 4), words='less relevant than passages 1, 2, and 4')]
    """
    found = sorted((m for regex in pattern.regexes for m in regex.finditer(text)), key=lambda m: m.start())
    return [OrderStatement(m["side"].lower() in pattern.above, _labels(m["named"]), m[0]) for m in found]


def polarity(text: str) -> Literal["positive", "negative", "mixed", "none"]:
    """Whether a text says that its passage answers (`POSITIVE`), that it does not (`NEGATIVE`), both or neither.

    >>> polarity("It directly answers the query."), polarity("It does not directly answer the query.")
    ('positive', 'negative')
    """
    yes, no = _POSITIVE.search(text) is not None, _NEGATIVE.search(text) is not None
    return "mixed" if yes and no else "positive" if yes else "negative" if no else "none"


def numbers(text: str) -> list[Number]:
    """The numbers of a text that are written in digits, in reading order.

    Thousands separators (a comma and three digits) and decimals are read; signs, currency and percent signs are not
    part of a number; digits that follow a letter (B12) are part of a name. A fraction is two numbers, ½ as 1/2 is.

    >>> [str(n.value) for n in numbers("1,200 of B12, 5.50 % on the 19th")]
    ['1200', '5.5', '19']
    """
    plain = _FRACTION.sub(lambda m: f" {normalize('NFKC', m[0])}", text)
    return [_number(match[0]) for match in _NUMBER.finditer(plain)]


def spelled_numbers(text: str) -> set[Decimal]:
    """The values of the number words of a text (`SPELLED`)."""
    return {Decimal(SPELLED[w]) for w in (word.lower() for word in _WORD.findall(text)) if w in SPELLED}


def without_references(text: str, known: Iterable[int]) -> str:
    """The text without the places where it names passages by number; a place with an unknown number stays."""
    accepted = set(known)
    return _REFERENCE.sub(lambda m: " " if accepted.issuperset(_labels(m["named"])) else m[0], text)


def without_ranks(text: str, right: Iterable[int]) -> str:
    """The text without the ranks it states, where they are right; a wrong one stays, and is a number like others."""
    accepted = set(right)
    return _RANK.sub(lambda m: " " if int(m["rank"] or m["ordinal"]) in accepted else m[0], text)


def stated_leads(text: str) -> list[Number]:
    """By how much the upper document is said to lead; 0 where both are said to score the same.

    >>> stated_leads("Leads by 0.31, mostly on the words of the query (0.2).")
    [Number(value=Decimal('0.31'), decimals=2)]
    """
    leads = [_number(m["lead"].replace("−", "-")) for m in _LEAD.finditer(text)]
    return leads + [Number(Decimal(0), 0) for _ in _EQUAL.finditer(text)]


def rounds_to(value: float, said: Number) -> bool:
    """Whether `value`, rounded to the decimals with which a number is given, is that number; its sign counts."""
    return abs(Decimal(value) - said.value) <= Decimal("0.5000001").scaleb(-said.decimals)


def _number(written: str) -> Number:
    plain = written.replace(",", "")
    value = Decimal(plain)
    whole = value == value.to_integral_value()
    return Number(value.to_integral_value() if whole else value.normalize(), len(plain.partition(".")[2]))


def _labels(named: str) -> tuple[int, ...]:
    return tuple(dict.fromkeys(int(label) for label in re.findall(r"\d+", named)))


def _compared(comparison: Comparison) -> Reason:
    found = comparison.counterfactual
    values, counts = list(_comparison_values(comparison)), []
    if found is not None:
        values += [found.score] if found.score is not None else []
        counts += [len(found.removed), found.rescored]
    text = f"{comparison.text} {found.text}".strip() if found else comparison.text
    return Reason(text, comparison.upper_id, (comparison.lower_id,), tuple(values), tuple(counts))


def _direct_values(direct: Direct) -> Iterator[float]:
    """The score, and every sum of its terms that a text may speak of: by sentence, part, word, and of all sentences."""
    yield from [direct.score] if direct.score is not None else []
    yield from (e.contribution for e in direct.evidence if e.contribution is not None)
    sentences = sorted(_by_sentence(direct.terms).values(), reverse=True)
    yield from sentences
    yield fsum(sentences[:2])
    yield fsum(v for v in sentences if v > 0)
    yield from (sign * fsum(v for v in sentences if v < 0) for sign in (1, -1))
    yield from _magnitudes(
        fsum(t.value for t in direct.terms if t.part == part and t.span is None)
        for part in {t.part for t in direct.terms}
    )


def _direct_counts(direct: Direct) -> tuple[int, ...]:
    carrying = sum(value > 0 for value in _by_sentence(direct.terms).values())
    return (carrying,) if carrying else ()


def _by_sentence(terms: Iterable[Term]) -> dict[Span, float]:
    sums: dict[Span, list[float]] = defaultdict(list)
    for term in terms:
        if term.span is not None:
            sums[term.span].append(term.value)
    return {span: fsum(values) for span, values in sums.items()}


def _comparison_values(comparison: Comparison) -> Iterator[float]:
    """The margin, and the differences summed by part, by word, over all words, and over the words of one part."""
    yield from [comparison.margin] if comparison.margin is not None else []
    groups: dict[tuple[str, ...], list[Difference]] = defaultdict(list)
    for d in comparison.differences:
        groups["part", d.part].append(d)
        keys: list[tuple[str, ...]] = [("bare", d.part)]
        if d.query_term is not None:
            keys = [("word", d.query_term), ("both", d.part, d.query_term), ("words",), ("words of", d.part)]
        for key in keys:
            groups[key].append(d)
    yield from _magnitudes(fsum(d.value for d in own) for own in groups.values())


def _magnitudes(values: Iterable[float]) -> Iterator[float]:
    for value in values:
        yield from (value, -value)
