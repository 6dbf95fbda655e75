"""The numbers of a ranking as both views show them: rounded, signed, summed and laid on one scale. Pure."""

import math
import re
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from whyrank.reason import phrases
from whyrank.reason.sums import Sum, by_subject
from whyrank.reason.writers import GIVEN, NOT_GIVEN
from whyrank.types import Comparison, Counterfactual, Difference, Direct, Explanations, Hit, Term, Usage

MINUS = "−"
WORDS_SHOWN = 5
"""Query words named beside a sentence; they come strongest first, and the weakest are mostly small words."""

LEAST_COST = 0.0001
"""Smaller costs, in US dollars, are not told apart."""

_LETTER = re.compile(r"\b[AB]\b")

NAME = "{name}"
"""Where `turning` leaves room for the lower document's name, which each view makes harmless in its own way."""


class Scale(NamedTuple):
    """Zero and all values of one chart on a line from `low` to `high`."""

    low: float
    high: float

    def share(self, value: float | None) -> float:
        """The size of `value` as a share of the line; 0 for what is no finite number."""
        width = self.high - self.low
        if value is None or not math.isfinite(value) or not width:
            return 0.0
        return min(abs(value) / width, 1.0)

    @property
    def zero(self) -> float:
        """Where zero lies, as a share of the line."""
        return -self.low / (self.high - self.low) if self.high > self.low else 0.0

    @property
    def has_positive(self) -> bool:
        """Whether anything lies above zero. Scores that do not get no bars: the worst would have the longest."""
        return self.high > 0

    @property
    def has_both(self) -> bool:
        """Whether something lies on either side of zero."""
        return self.low < 0 < self.high


class Move(NamedTuple):
    """How far a hit came from its place in the first list."""

    kind: Literal["up", "down", "same", "new"]
    places: int = 0


class Reasons(NamedTuple):
    """The explanations of one ranking, found by document; ours first, then those that a model wrote."""

    direct: dict[str, list[Direct]]
    above: dict[str, list[Comparison]]
    """By the id of the upper document."""


class Shown(NamedTuple):
    """The sums that are shown one by one, and what those that are not add up to."""

    largest: tuple[Sum, ...]
    others: int
    others_sum: float


def scale(values: Iterable[float | None]) -> Scale:
    """A line that holds zero and every finite value: lengths on it compare honestly."""
    finite = [v for v in values if v is not None and math.isfinite(v)]
    return Scale(min([0.0, *finite]), max([0.0, *finite]))


def number(value: float | None) -> str:
    """Three decimals for small values, fewer for large ones; a dash where there is none.

    >>> number(0.81237), number(-12.3456), number(None)
    ('0.812', '−12.35', '–')
    """
    if value is None:
        return "–"
    if not math.isfinite(value):
        return str(value)
    size = abs(value)
    decimals = 3 if size < 10 else 2 if size < 100 else 1
    text = f"{size:.2e}" if size >= 100_000 else f"{size:.{decimals}f}"
    return (MINUS if value < 0 and float(text) else "") + text


def signed(value: float | None) -> str:
    """The number with its sign.

    >>> signed(0.25), signed(-0.25), signed(0.0)
    ('+0.250', '−0.250', '0.000')
    """
    text = number(value)
    return f"+{text}" if value is not None and value > 0 and text.strip("0.") else text


def carried(contribution: float | None) -> str:
    """What a quoted sentence carries; "also" for one that says again what another carries.

    >>> carried(0.25), carried(0.0), carried(None)
    ('+0.250', 'also', '')
    """
    if contribution is None:
        return ""
    return "also" if contribution == 0 else signed(contribution)


def movement(rank: int, hit: Hit) -> Move:
    """How the hit at the 1-based place `rank` moved."""
    if hit.first_rank < 1:
        return Move("new")
    places = hit.first_rank - rank
    return Move("same") if not places else Move("up" if places > 0 else "down", abs(places))


def reasons(explanations: Explanations | None) -> Reasons:
    """The explanations by document; none at all for None."""
    given = explanations or Explanations()
    found = Reasons({}, {})
    for direct in sorted(given.direct, key=lambda d: d.source != ""):
        found.direct.setdefault(direct.document_id, []).append(direct)
    for comparison in sorted(given.comparisons, key=lambda c: c.source != ""):
        found.above.setdefault(comparison.upper_id, []).append(comparison)
    return found


def standing(hit: Hit) -> str:
    """The score; a dash for a hit that was placed without one, and words for one that was not read."""
    return number(hit.score) if hit.is_read else "not read"


def byline(reason: Direct | Comparison) -> str:
    """Who wrote a reason, or gave none; "" for ours."""
    if not reason.source:
        return ""
    return f"{'asked of' if reason.status in NOT_GIVEN else 'written by'} {reason.source}"


def only_writer(explanations: Explanations | None) -> str:
    """The language model that wrote all of the reasons; "" where there are several writers, or reasons of ours."""
    given = explanations or Explanations()
    sources = {*(direct.source for direct in given.direct), *(comparison.source for comparison in given.comparisons)}
    return sources.pop() if len(sources) == 1 else ""


def letters(comparison: Comparison, upper: str, lower: str) -> str:
    """What the letters mean that the writer of a comparison knew the two documents by; "" if its words have none.

    The words themselves stay as they are: not every A or B in them is a document.
    """
    return f"A is {upper}, B is {lower}" if _LETTER.search(comparison.text) and comparison.status in GIVEN else ""


def agreement(comparison: Comparison, upper: str, lower: str) -> str:
    """What the writer of a comparison thinks of the order itself; "" where that is not known.

    Args:
        comparison: of two documents.
        upper: what the reader knows the upper one by.
        lower: and the lower one.
    """
    if comparison.agrees is None:
        return ""
    if comparison.agrees:
        return f"asked both ways, the writer prefers {upper}"
    return f"the writer prefers {lower} at least once"


def by_part(terms: Sequence[Term]) -> dict[str, float]:
    """What each part of the score adds up to, in the order of the terms."""
    sums: dict[str, list[float]] = {}
    for term in terms:
        sums.setdefault(term.part, []).append(term.value)
    return {part: math.fsum(values) for part, values in sums.items()}


def largest(differences: Sequence[Difference], limit: int) -> Shown:
    """The differences by word of the query, or part without words: the `limit` largest, or one more if it is the last.

    The parts of one word are taken together, and so are the function words.
    """
    ordered = [s for s in by_subject(differences) if s.value]
    keep = len(ordered) if len(ordered) <= limit + 1 else limit
    rest = ordered[keep:]
    return Shown(tuple(ordered[:keep]), len(rest), math.fsum(s.value for s in rest))


def unsaid_margin(comparison: Comparison) -> float | None:
    """The margin, unless there is none or the text says it."""
    margin = comparison.margin
    is_said = margin is not None and f"leads by {phrases.number(margin)}" in comparison.text.lower()
    return None if is_said else margin


def struck(found: Counterfactual) -> tuple[str, ...]:
    """The removed sentences to show beside a counterfactual's text: all, or none where it quotes the only one."""
    is_quoted = len(found.quotes) == 1 and f"“{found.quotes[0]}”" in found.text
    return () if is_quoted else found.quotes


def turning(found: Counterfactual, lower_score: float | None) -> str:
    """What would turn a comparison that has no text of its own, with room for a name; the sentences stand beside it."""
    if found.status == "impossible":
        return f"Nothing turns it: whichever sentences are removed, it still stands above {NAME}."
    if found.status == "unknown":
        return f"Not known: the search ended after {counted(found.rescored, 're-scored version')}."
    count = len(found.removed) or len(found.quotes)
    these = "this sentence" if count == 1 else f"these {count} sentences"
    against = "" if lower_score is None else f" ({number(lower_score)})"
    score = "" if found.score is None else f"score {number(found.score)} and "
    fewer = "" if count <= 1 else " No smaller removal does." if found.minimal else " A smaller removal may do."
    return f"Without {these} it would {score}fall below {NAME}{against}.{fewer}"


def counted(count: int, noun: str) -> str:
    """A count and its noun.

    >>> counted(1, "document"), counted(1200, "document")
    ('1 document', '1,200 documents')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


REUSED = "reused"
"""What `usage` calls tokens that a model had read before, or that whyrank's own cache answered for."""


def usage(spent: Usage) -> tuple[str, ...]:
    """What a result cost, in words; what it did not use is left out.

    Calls count where something was generated or paid for: nobody waits or pays for those to a model in this process.
    """
    is_called = spent.generated_tokens > 0 or spent.cost != 0 or spent.repaired > 0 or spent.unusable > 0
    asked = (
        (spent.calls if is_called else 0, "call", ""),
        (spent.prompt_tokens, "token", " read" + _of_them(spent.cached_tokens, REUSED)),
        (spent.generated_tokens, "generated token", _of_them(spent.reasoning_tokens, "reasoning")),
    )
    counts = (
        (spent.documents, "document", " read"),
        *([(spent.calls, "answer", " from the cache, nothing asked")] if is_answered_by_cache(spent) else asked),
        (spent.repaired, "answer", " repaired"),
        (spent.unusable, "answer", " unusable"),
    )
    said = [counted(count, noun) + more for count, noun, more in counts if count]
    if spent.seconds:
        said.append(f"{spent.seconds:.3f} s" if spent.seconds < 0.1 else f"{spent.seconds:,.2f} s")
    if spent.cost is None:
        said.append("cost unknown")
    elif spent.cost > 0:
        said.append(f"${spent.cost:,.4f}" if spent.cost >= LEAST_COST else f"less than ${LEAST_COST}")
    return tuple(said)


def is_answered_by_cache(spent: Usage) -> bool:
    """Whether our own cache gave every answer: all that was read had been read before, and nothing was written."""
    is_reused = 0 < spent.prompt_tokens == spent.cached_tokens
    return is_reused and spent.calls > 0 and not spent.generated_tokens and spent.cost == 0


def _of_them(count: int, what: str) -> str:
    return f" ({count:,} {what})" if count else ""
