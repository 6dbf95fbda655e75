"""The reasoning of a ranker that reasons over lists, as reasons for single documents.

A list is reasoned about under labels ("[3]", "passage 3"), window after window. Here each sentence that names a
document is given to that document, its label replaced by the document's id in brackets; what it quotes is looked up.
Numbers in it rank nothing: the order was made before, from the ranking alone, and is only read here.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from whyrank.rankers.overhearing import Thought
from whyrank.reason.told import LEAST_WORDS, QUOTED, looked_up
from whyrank.text.sentences import split_sentences
from whyrank.types import Comparison, Direct, Document, Evidence, Explanations, Ranking, Status

LONGEST = 2_000
"""Characters of a document's reason; a model that repeats itself has said all before."""
_FINAL = re.compile(r"#{1,6}\s{0,3}\**final\s{1,3}re-?ranking", re.IGNORECASE)
_CHAIN = re.compile(
    r"\[\w{1,4}\]\s{0,3}(?:>|≻|,)\s{0,3}\[\w{1,4}\]\s{0,3}(?:>|≻|,)\s{0,3}\[\w{1,4}\]|\]\s{0,3}[>≻]\s{0,3}\["
)
_LABEL = re.compile(r"\[(\w{1,4})\]")
_SPOKEN = re.compile(
    r"\b((?:passages?|documents?|docs?|identifiers?)\s{1,3}#?)(\d{1,4}(?:(?:\s{0,3},\s{0,3}|\s{1,3})"
    r"(?:(?:and|or)\s{1,3})?#?\d{1,4}){0,30})\b",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"\d{1,4}")


class Step(NamedTuple):
    """A sentence of the reasoning.

    Attributes:
        text: its words, with ids in the place of labels.
        names: ids of the documents that it names, each once, in order.
    """

    text: str
    names: tuple[str, ...]


def steps(thought: Thought) -> list[Step]:
    """The sentences of an answer that name documents, without the ranking itself."""
    return list(dict.fromkeys(step for step in _steps(thought) if step.names))


def reasoned(ranking: Ranking, thoughts: Sequence[Thought], source: str, *, top: int = 3) -> Explanations:
    """What the reasoning says of the best `top` documents, and of neighbours that it names together.

    Args:
        ranking: the finished ranking.
        thoughts: what its ranker wrote.
        source: what reasons are signed with.
        top: how many documents get reasons.

    Returns:
        A direct reason for each of them that the reasoning names, and a comparison for each of them that a sentence
        names with the next and no other; in rank order. What it cost is in the ranking's usage.
    """
    found = list(dict.fromkeys(step for thought in thoughts for step in steps(thought)))
    documents = {document.id: document for document in ranking.documents}
    directs = [_direct(document, found, documents, source) for document in ranking.documents[:top]]
    pairs = list(pairwise(ranking.documents[: top + 1]))
    comparisons = [_comparison(upper, lower, found, source) for upper, lower in pairs]
    return Explanations(
        direct=tuple(reason for reason in directs if reason is not None),
        comparisons=tuple(reason for reason in comparisons if reason is not None),
    )


def _direct(document: Document, found: Sequence[Step], documents: Mapping[str, Document], source: str) -> Direct | None:
    said = list(_within(step for step in found if document.id in step.names))
    if not said:
        return None
    quotes = [quote for step in said for quote in _quoted(step, document, documents)]
    return Direct(document.id, _joined(said), tuple(quotes), source=source, status=_status(quotes))


def _comparison(upper: Document, lower: Document, found: Sequence[Step], source: str) -> Comparison | None:
    said = list(_within(step for step in found if set(step.names) == {upper.id, lower.id}))
    if not said:
        return None
    text = _joined(said)
    above, below = looked_up(text, [upper, lower])
    status = _status([*above, *below])
    return Comparison(
        upper.id, lower.id, text, source=source, status=status, upper_evidence=above, lower_evidence=below
    )


def _quoted(step: Step, document: Document, documents: Mapping[str, Document]) -> tuple[Evidence, ...]:
    """What a sentence quotes of this document: not what it quotes of another that it names."""
    others = [documents[name] for name in step.names if name != document.id and name in documents]
    return looked_up(step.text, [document, *others])[0]


def _status(quotes: Sequence[Evidence]) -> Status:
    return "repaired" if any(quote.span is None for quote in quotes) else "ok"


def _within(said: Iterator[Step]) -> Iterator[Step]:
    """As many sentences as fit."""
    length = 0
    for step in said:
        length += len(step.text)
        if length > LONGEST:
            return
        yield step


def _joined(said: Sequence[Step]) -> str:
    return " ".join(step.text for step in said)


def _steps(thought: Thought) -> Iterator[Step]:
    for line in thought.text.splitlines():
        if _FINAL.search(line):
            continue
        quoted = [found.span() for found in QUOTED.finditer(line) if len(found[0].split()) >= LEAST_WORDS]
        for start, end in split_sentences(line):
            sentence = line[start:end].strip()
            if any(map(str.isalpha, _LABEL.sub("", sentence))) and not _CHAIN.search(sentence):
                yield _linked(list(_stretches(line, start, end, quoted)), thought.named)


def _stretches(line: str, start: int, end: int, quoted: Sequence[tuple[int, int]]) -> Iterator[tuple[str, bool]]:
    """A sentence of a line in pieces, each with whether it is quoted: a quotation may reach over several sentences."""
    for opening, closing in quoted:
        if start < closing and opening < end:
            yield line[start : max(start, opening)], False
            yield line[max(start, opening) : min(closing, end)], True
            start = min(closing, end)
    yield line[start:end], False


def _linked(stretches: Sequence[tuple[str, bool]], named: Mapping[str, str]) -> Step:
    """A sentence with ids for labels; what looks like a label in a quotation is a document's own."""
    names: list[str] = []

    def name(label: str) -> str | None:
        identifier = named.get(label.upper()) or named.get(label)
        if identifier is not None and identifier not in names:
            names.append(identifier)
        return identifier

    text = "".join(words if is_quoted else _renamed(words, name) for words, is_quoted in stretches)
    return Step(text.strip(), tuple(names))


def _renamed(words: str, name: Callable[[str], str | None]) -> str:
    """The words with ids for the labels that name something."""

    def bracketed(found: re.Match[str]) -> str:
        identifier = name(found[1])
        return found[0] if identifier is None else f"[{identifier}]"

    def spoken(found: re.Match[str]) -> str:
        return found[1] + _NUMBER.sub(lambda number: _shown(name(number[0]), number[0]), found[2])

    # Ids may themselves look like labels, so what was replaced is not read again.
    parts: list[str] = []
    reached = 0
    for found in _SPOKEN.finditer(words):
        parts += [_LABEL.sub(bracketed, words[reached : found.start()]), spoken(found)]
        reached = found.end()
    return "".join([*parts, _LABEL.sub(bracketed, words[reached:])])


def _shown(identifier: str | None, label: str) -> str:
    return label if identifier is None else f"[{identifier}]"
