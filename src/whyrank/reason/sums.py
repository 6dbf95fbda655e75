"""The differences of a margin taken together: by subject as a table shows them, by source, by part.

Words are many and small one by one, and each stands in several parts of the score. Pure.
"""

from collections.abc import Callable, Sequence
from math import fsum
from typing import Literal, NamedTuple

from whyrank.reason.phrases import part_name, worth_naming
from whyrank.types import Difference

FUNCTION_WORDS = "function words"
ALL_WORDS = "the words of the query"
TOGETHER = "all words of the query together"
"""What they are called where they speak against a document that is ahead on one of them."""

Kind = Literal["word", "words", "part"]


class Sum(NamedTuple):
    """Some differences of a margin and what they add up to.

    Attributes:
        kind: one "word" of the query, several "words", or a "part" of the score.
        name: the word, what the words are called, or the part.
        members: the differences, largest first.
    """

    kind: Kind
    name: str
    members: tuple[Difference, ...]

    @property
    def upper(self) -> float:
        """What the upper document gets."""
        return fsum(d.upper for d in self.members)

    @property
    def lower(self) -> float:
        """What the lower document gets."""
        return fsum(d.lower for d in self.members)

    @property
    def value(self) -> float:
        """Positive where it speaks for the upper document."""
        return self.upper - self.lower

    @property
    def title(self) -> str:
        """The name in a sentence; words come without quotation marks."""
        return part_name(self.name) if self.kind == "part" else self.name


def by_subject(differences: Sequence[Difference]) -> list[Sum]:
    """Each word of the query over all parts, function words as one, and each part without words; largest first.

    Where no word is worth naming, each stands for itself.
    """
    named = set(worth_naming([d.query_term for d in differences if d.query_term is not None]))

    def subject(difference: Difference) -> tuple[Kind, str]:
        word = difference.query_term
        if word is None:
            return "part", difference.part
        return ("word", word) if word in named else ("words", FUNCTION_WORDS)

    return _together(differences, subject)


def by_source(differences: Sequence[Difference]) -> list[Sum]:
    """All words of the query over all parts as one, and each part without words; largest first."""

    def source(difference: Difference) -> tuple[Kind, str]:
        return ("part", difference.part) if difference.query_term is None else ("words", ALL_WORDS)

    return _together(differences, source)


def by_part(differences: Sequence[Difference]) -> list[Sum]:
    """Each part of the score, with and without words; largest first."""
    return _together(differences, lambda d: ("part", d.part))


def _together(differences: Sequence[Difference], key: Callable[[Difference], tuple[Kind, str]]) -> list[Sum]:
    groups: dict[tuple[Kind, str], list[Difference]] = {}
    for difference in differences:
        groups.setdefault(key(difference), []).append(difference)
    sums = [Sum(*k, tuple(sorted(own, key=lambda d: -abs(d.value)))) for k, own in groups.items()]
    return sorted(sums, key=lambda s: -abs(s.value))
