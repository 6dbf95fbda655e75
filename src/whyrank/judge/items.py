"""What is looked at: a document under a query, to be graded, or with what the systems say about it. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from random import Random
from typing import Literal, TypeAlias

from whyrank.formats.json_values import dumps
from whyrank.formats.plain import plain
from whyrank.types import Comparison, Direct, Document, Query, Ranking, Status

Kind: TypeAlias = Literal["grade", "reasons"]
GIVEN: tuple[Status, ...] = ("ok", "repaired")
"""Statuses of a reason that was given."""


@dataclass(frozen=True, slots=True)
class Said:
    """What one system says about a document.

    Attributes:
        rank: where it puts the document, from 1.
        direct: why the document answers the query.
        comparison: why it stands above the next; None if that was not said.
        lower: the next document; None without a comparison.
    """

    rank: int
    direct: Direct
    comparison: Comparison | None = None
    lower: Document | None = None

    @property
    def words(self) -> tuple[object, ...]:
        """What a judge sees of it: two systems with the same words say the same."""
        below = None
        if self.comparison is not None:
            turn = self.comparison.counterfactual
            turned = (turn.text, turn.quotes) if turn else ()
            lower = self.lower and (self.lower.id, self.lower.title, self.lower.text)
            below = (self.comparison.text, turned, lower)
        evidence = [(own.quote, plain(own.span)) for own in self.direct.evidence]
        return (self.rank, self.direct.text, evidence, below)


@dataclass(frozen=True, slots=True)
class Item:
    """What a judge sees at once.

    Attributes:
        id: names its content; the same results, names and seed give the same ids, and no id tells a system's name.
        kind: "grade", the document alone; "reasons", with what one or two sides say about it.
        query: what was asked.
        document: what was found.
        reasons: system → what it says; empty with "grade".
        sides: the systems of each side, one or two; systems that say the same share a side. Empty with "grade".
    """

    id: str
    kind: Kind
    query: Query
    document: Document
    reasons: Mapping[str, Said] = field(default_factory=dict)
    sides: tuple[tuple[str, ...], ...] = ()

    @property
    def is_pair(self) -> bool:
        """Whether two sides stand side by side, so that one may be better."""
        return len(self.sides) == 2


def items_of(
    rankings: Mapping[str, Sequence[Ranking]], *, depth: int, seed: int, with_grades: bool, with_reasons: bool
) -> list[Item]:
    """All items, query by query: the grades of a query come before its reasons, so that no reason sways a grade.

    A document is looked at if it is among the best `depth` of a system. What more than two systems say of it is set
    side by side in pairs that are drawn for each document; each is seen once.

    Args:
        rankings: system → its rankings, of the same queries in the same order.
        depth: hits of each system that are looked at.
        seed: of the pairs, and of the order of documents within a query.
        with_grades: whether documents are graded.
        with_reasons: whether reasons are looked at.
    """
    found: list[Item] = []
    for own in zip(*rankings.values(), strict=True):
        by_system = dict(zip(rankings, own, strict=True))
        query = own[0].query
        documents = {hit.document.id: hit.document for ranking in own for hit in ranking.hits[:depth]}
        draw = Random(sha256(f"{seed} {query.id}".encode("utf-8", "surrogatepass")).digest())  # noqa: S311 - a draw, no secret
        order = sorted(documents)
        draw.shuffle(order)
        if with_grades:
            found += (_item("grade", seed, query, documents[name]) for name in order)
        if with_reasons:
            for name in order:
                said = {system: words for system in by_system if (words := said_of(by_system[system], name, depth))}
                found += _paired(seed, query, documents[name], said, draw)
    return found


def said_of(ranking: Ranking, document_id: str, depth: int) -> Said | None:
    """What a system says about a document among its best `depth`; None if it gives no reason."""
    if ranking.explanations is None or document_id not in ranking.ids[:depth]:
        return None
    given = (own for own in ranking.explanations.direct if own.document_id == document_id and own.status in GIVEN)
    direct = next(given, None)
    if direct is None:
        return None
    comparisons = (own for own in ranking.explanations.comparisons if own.upper_id == document_id)
    comparison = next((own for own in comparisons if own.status in GIVEN and own.lower_id in ranking.ids), None)
    lower = None if comparison is None else ranking.documents[ranking.ids.index(comparison.lower_id)]
    return Said(ranking.ids.index(document_id) + 1, direct, comparison, lower)


def has_reasons(ranking: Ranking, depth: int) -> bool:
    """Whether a reason is given for one of its best `depth`."""
    return any(said_of(ranking, name, depth) for name in ranking.ids[:depth])


def digest(*parts: object) -> str:
    """24 hex digits that name these values, which JSON can hold."""
    return sha256(dumps(parts).encode()).hexdigest()[:24]


def _paired(seed: int, query: Query, document: Document, said: Mapping[str, Said], draw: Random) -> Iterable[Item]:
    """The sides, in pairs that are drawn; one is left alone where their number is odd."""
    sides = list(_sides(said))
    draw.shuffle(sides)
    for first in range(0, len(sides), 2):
        pair = tuple(sorted(sides[first : first + 2]))
        own = {system: said[system] for side in pair for system in side}
        yield _item("reasons", seed, query, document, own, pair)


def _sides(said: Mapping[str, Said]) -> Iterable[tuple[str, ...]]:
    together: dict[str, list[str]] = {}
    for system in sorted(said):
        together.setdefault(dumps(said[system].words), []).append(system)
    return map(tuple, together.values())


def _item(
    kind: Kind,
    seed: int,
    query: Query,
    document: Document,
    said: Mapping[str, Said] | None = None,
    sides: tuple[tuple[str, ...], ...] = (),
) -> Item:
    reasons = said or {}
    words = [[system, reasons[system].words] for system in sorted(reasons)]
    name = digest(kind, seed, query.id, query.text, document.id, document.title, document.text, words)
    return Item(name, kind, query, document, reasons, sides)
