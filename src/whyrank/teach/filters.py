"""Which teacher records are good enough to learn from: pure tests of one record, each with a name.

    filter_records(records, ["usable", "quotes=0.8", "agreement=0.5"])

A record is dropped by the first filter that it fails, and counted there, so that what was kept and what was dropped add
up to what was given.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, TypeAlias

from whyrank.errors import BadInput, unknown
from whyrank.evaluate.reasons.grounding import check_order, check_quotes
from whyrank.evaluate.reasons.statements import PLAIN, WIDE, OrderPattern
from whyrank.teach.agreement import by_list, compare, same_list, teacher
from whyrank.teach.labels import label_pairs
from whyrank.teach.records import TeacherRecord
from whyrank.teach.tellings import has_text, telling

Keeps: TypeAlias = Callable[[TeacherRecord], bool]


@dataclass(frozen=True, slots=True)
class Filter:
    """A test that a record passes or fails.

    Attributes:
        name: what is counted under it.
        keeps: whether a record passes.
    """

    name: str
    keeps: Keeps


@dataclass(frozen=True, slots=True)
class Named:
    """A filter that can be asked for by name.

    Attributes:
        description: one line for `--help`.
        make: given the least value that passes, and all records, makes the test.
        least: that value unless another is given; None where the filter takes none.
        lowest: the least value that makes sense; the greatest is 1.
    """

    description: str
    make: Callable[[float, Sequence[TeacherRecord]], Keeps]
    least: float | None = None
    lowest: float = 0.0


class Filtered(NamedTuple):
    """What became of a set of records.

    Attributes:
        kept: those that passed every filter, in order.
        dropped: name of a filter → how many it was the first to drop; 0 where none.
        keys: name of a filter → the keys of these.
    """

    kept: list[TeacherRecord]
    dropped: Counter[str]
    keys: dict[str, list[str]]


def filter_records(records: Iterable[TeacherRecord], filters: Sequence[str | Filter]) -> Filtered:
    """Keep the records that pass every filter.

    Args:
        records: to choose from; "agreement" looks for the same lists among them.
        filters: names of `FILTERS`, each with "=value" or without, or filters of one's own; applied in this order.

    Raises:
        UnknownName: no filter of a name.
        BadInput: a value that is no number, out of its range, or for a filter that takes none.
    """
    given = list(records)
    tests = [_built(one, given) if isinstance(one, str) else one for one in filters]
    dropped: Counter[str] = Counter({test.name: 0 for test in tests})
    keys: defaultdict[str, list[str]] = defaultdict(list)
    kept = []
    for record in given:
        failed = next((test.name for test in tests if not test.keeps(record)), None)
        if failed is None:
            kept.append(record)
        else:
            dropped[failed] += 1
            keys[failed].append(record.key)
    return Filtered(kept, dropped, dict(keys))


def agreement(others: Iterable[TeacherRecord], least: float = 0.5, *, keep_alone: bool = False) -> Filter:
    """Lists that some other teacher, or the same with another prompt, orders alike.

    Args:
        others: where the same lists are looked for.
        least: Kendall's τ that the closest of them must reach; documents that are all alike cannot be ordered wrongly.
        keep_alone: whether a list that no other ordered passes.
    """
    return Filter("agreement", _agrees(least, others, keep_alone=keep_alone))


def _built(text: str, records: Sequence[TeacherRecord]) -> Filter:
    name, equals, written = text.partition("=")
    if name not in FILTERS:
        raise unknown("filter", name, FILTERS)
    named = FILTERS[name]
    if equals and named.least is None:
        raise BadInput(f"the filter {name!r} takes no value, and {written!r} was given; name it alone")
    least = _value(name, written, named.lowest) if equals else named.least or 0.0
    return Filter(text, named.make(least, records))


def _value(name: str, written: str, lowest: float) -> float:
    try:
        value = float(written)
    except ValueError:
        value = math.nan
    if not lowest <= value <= 1:
        raise BadInput(f"the filter {name!r} was given {written!r}; give a number from {lowest:g} to 1: {name}=0.5")
    return value


# The tests


def _is_exact(record: TeacherRecord) -> bool:
    return record.is_usable and record.status == "ok"


def _has_texts(record: TeacherRecord) -> bool:
    return all(document.full_text.strip() for document in record.documents)


def _has_reasons(record: TeacherRecord) -> bool:
    """Each document has the reasons that were asked for; any reason where none were."""
    wanted = {"direct": (True, False), "both": (True, True), "ranking": (False, False)}[record.mode]
    return len(record.reasons) == len(record.documents) and all(
        (one.direct or one.comparison) and bool(one.direct) >= wanted[0] and bool(one.comparison) >= wanted[1]
        for one in record.reasons
    )


def _quotes(least: float, record: TeacherRecord, *, is_exact: bool) -> bool:
    if not record.is_usable or not has_text(record):
        return False
    found = check_quotes([telling(record).ranking])
    share = (found.exact_given if is_exact else found.normalised_given).share
    return math.isnan(share) or share >= least


def _is_consistent(pattern: OrderPattern, record: TeacherRecord) -> bool:
    if not record.is_usable:
        return False
    found = check_order([telling(record)], pattern)
    return found.count == found.of


def _agrees_with_labels(least: float, record: TeacherRecord) -> bool:
    pairs = label_pairs(record)
    return record.is_usable and (not pairs.of or pairs.right / pairs.of >= least)


def _agrees(least: float, others: Iterable[TeacherRecord], *, keep_alone: bool) -> Keeps:
    lists = by_list(others)

    def keeps(record: TeacherRecord) -> bool:
        same = lists.get(same_list(record), []) if record.is_usable else []
        taus = [compare(record, other).tau for other in same if teacher(other) != teacher(record)]
        if not taus:
            return record.is_usable and keep_alone
        return any(math.isnan(tau) or tau >= least for tau in taus)

    return keeps


FILTERS: Mapping[str, Named] = {
    "usable": Named("an order, stated or repaired", lambda _least, _all: lambda record: record.is_usable),
    "permutation": Named("the answer states exactly this order, unrepaired", lambda _least, _all: _is_exact),
    "documents": Named("no document without title and text", lambda _least, _all: _has_texts),
    "reasons": Named("the reasons that were asked for, for every document", lambda _least, _all: _has_reasons),
    "quotes": Named(
        "answer sentences that are given stand in their documents to the letter: at least this share",
        lambda least, _all: partial(_quotes, least, is_exact=True),
        1.0,
    ),
    "near-quotes": Named(
        "the same, letters and digits alone",
        lambda least, _all: partial(_quotes, least, is_exact=False),
        1.0,
    ),
    "order": Named(
        "“more (less) relevant than passage X” in a reason agrees with the order",
        lambda _least, _all: partial(_is_consistent, PLAIN),
    ),
    "order-wide": Named(
        "the same for any “better, higher, worse … than passage X”; finds more, and some by mistake",
        lambda _least, _all: partial(_is_consistent, WIDE),
    ),
    "labels": Named(
        "relevant documents above irrelevant ones: at least this share of the judged pairs",
        lambda least, _all: partial(_agrees_with_labels, least),
        1.0,
    ),
    "agreement": Named(
        "another teacher or prompt among the records orders the same list alike: Kendall's τ of at least this",
        lambda least, every: _agrees(least, every, keep_alone=False),
        0.5,
        -1.0,
    ),
    "agreement-or-alone": Named(
        "the same; a list that nobody else ordered passes",
        lambda least, every: _agrees(least, every, keep_alone=True),
        0.5,
        -1.0,
    ),
}
"""Name → filter. A list without what a filter looks at (quotes, statements, judged pairs) passes it, and a list that
nobody else ordered does not pass "agreement"."""
