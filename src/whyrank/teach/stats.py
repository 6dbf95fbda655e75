"""What a set of teacher records holds, counted: lists, orders, reasons, quotes, labels, agreement, cost. Pure.

for row in stats(read_records("teacher.jsonl")).rows():
print(row.name, row.value, row.of, row.share)
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, median
from typing import NamedTuple

from whyrank.evaluate.reasons.grounding import check_numbers, check_order, check_polarity, check_quotes, normalised
from whyrank.evaluate.reasons.statements import PLAIN, WIDE
from whyrank.evaluate.results import Proportion
from whyrank.teach.agreement import Agreement, Teacher, agreements, teacher
from whyrank.teach.labels import grades_in_order, label_pairs
from whyrank.teach.records import Reasons, TeacherRecord
from whyrank.teach.tellings import has_text, telling
from whyrank.types import Usage


class Row(NamedTuple):
    """One line of the table, as texts; "" where there is nothing to say."""

    name: str
    value: str
    of: str = ""
    share: str = ""


class Mean(NamedTuple):
    """The mean of a value over so many cases."""

    name: str
    value: float
    of: int


@dataclass(frozen=True, slots=True)
class Stats:
    """What a set of records holds.

    Attributes:
        lists: records.
        queries: different query texts, letter case and signs aside.
        documents: documents of all lists, each as often as it was shown.
        sizes: documents in a list → lists.
        teachers: (model, prompt) → lists.
        statuses: what became of an answer → lists.
        shares: proportions, in the order in which they are shown; those of nothing (`of` 0) are left out.
        means: mean values, likewise.
        usage: what all of it cost; its `cost` is that of the lists whose cost is known.
        unpriced: lists whose cost is unknown.
    """

    lists: int
    queries: int
    documents: int
    sizes: Mapping[int, int]
    teachers: Mapping[Teacher, int]
    statuses: Mapping[str, int]
    shares: tuple[Proportion, ...]
    means: tuple[Mean, ...]
    usage: Usage
    unpriced: int

    def share(self, name: str) -> Proportion:
        """The proportion of a name; one of nothing where it was left out."""
        return next((share for share in self.shares if share.name == name), Proportion(name, 0, 0))

    def rows(self) -> list[Row]:
        """All of it as a table."""
        counts = [Row("lists", _whole(self.lists)), Row("queries", _whole(self.queries))]
        counts += [Row("documents", _whole(self.documents)), *_size_rows(self.sizes)]
        counts += [_part(f"by {_named(one)}", count, self.lists) for one, count in self.teachers.items()]
        counts += [_part(f"status {status}", count, self.lists) for status, count in self.statuses.items()]
        shares = [_part(share.name, share.count, share.of) for share in self.shares]
        means = [Row(mean.name, f"{mean.value:.3f}", _whole(mean.of)) for mean in self.means]
        return [*counts, *shares, *means, *_usage_rows(self)]


def stats(records: Iterable[TeacherRecord]) -> Stats:
    """Count a set of records; several teachers of the same lists are compared."""
    kept = list(records)
    agreed = _by_teachers(agreements(kept))
    shares = (*_order_shares(kept), *_reason_shares(kept), *_label_shares(kept), *_same_first(agreed))
    return Stats(
        lists=len(kept),
        queries=len({normalised(record.query.text) for record in kept}),
        documents=sum(len(record.documents) for record in kept),
        sizes=dict(sorted(Counter(len(record.documents) for record in kept).items())),
        teachers=dict(Counter(map(teacher, kept)).most_common()),
        statuses=dict(Counter(record.status for record in kept).most_common()),
        shares=tuple(share for share in shares if share.of),
        means=tuple(_taus(agreed)),
        usage=sum((replace(record.usage, cost=record.usage.cost or 0.0) for record in kept), Usage()),
        unpriced=sum(record.usage.cost is None for record in kept),
    )


def _order_shares(records: Sequence[TeacherRecord]) -> list[Proportion]:
    usable = [record for record in records if record.is_usable]
    valid = sum(record.status == "ok" for record in usable)
    identity = sum(record.order == tuple(range(len(record.order))) for record in usable)
    documents = [document for record in records for document in record.documents]
    empty = sum(not document.full_text.strip() for document in documents)
    return [
        Proportion("valid permutations", valid, len(records), "the answer states exactly this order"),
        Proportion("usable orders", len(usable), len(records), "stated, or repaired"),
        Proportion("order as shown", identity, len(usable), "of the usable: the teacher changed nothing"),
        Proportion("empty documents", empty, len(documents), "neither title nor text"),
    ]


def _reason_shares(records: Sequence[TeacherRecord]) -> list[Proportion]:
    said = [reasons for record in records for reasons in record.reasons]
    told = [telling(record) for record in records if record.is_usable and record.reasons and has_text(record)]
    quotes, polarity = check_quotes([one.ranking for one in told]), check_polarity(told)
    quoted = quotes[:-1] if quotes.empty.count < quotes.empty.of else ()
    return [
        _told("direct reasons", said, lambda one: bool(one.direct)),
        _told("comparing reasons", said, lambda one: bool(one.comparison)),
        _told("both reasons", said, lambda one: bool(one.direct and one.comparison)),
        *quoted,
        check_order(told, PLAIN),
        check_order(told, WIDE),
        check_numbers(told).unsupported,
        *polarity,
    ]


def _label_shares(records: Sequence[TeacherRecord]) -> list[Proportion]:
    grades = [[grade or 0.0 for grade in grades_in_order(one)] for one in records if one.is_usable and one.labels]
    relevant = [own for own in grades if any(grade > 0 for grade in own)]
    pairs = [label_pairs(record) for record in records if record.is_usable]
    return [
        Proportion("lists with a relevant document", len(relevant), len(grades), "of the usable lists with labels"),
        Proportion("relevant first", sum(own[0] > 0 for own in relevant), len(relevant), "of the lists with one"),
        Proportion(
            "relevant above irrelevant", sum(p.right for p in pairs), sum(p.of for p in pairs), "pairs of judged ones"
        ),
    ]


def _by_teachers(found: Iterable[Agreement]) -> dict[str, list[Agreement]]:
    """Grouped by the two teachers, whichever came first."""
    groups: defaultdict[str, list[Agreement]] = defaultdict(list)
    for one in found:
        groups[" and ".join(sorted({_named(teacher(one.first)), _named(teacher(one.second))}))].append(one)
    return groups


def _same_first(agreed: Mapping[str, Sequence[Agreement]]) -> list[Proportion]:
    return [
        Proportion(f"same first: {names}", sum(one.is_same_first for one in group), len(group), "of the same lists")
        for names, group in agreed.items()
    ]


def _taus(agreed: Mapping[str, Sequence[Agreement]]) -> list[Mean]:
    """Lists whose documents are all of one content have no τ and are left out."""
    taus = {names: [one.tau for one in group if one.tau == one.tau] for names, group in agreed.items()}
    return [Mean(f"Kendall's τ: {names}", fmean(values), len(values)) for names, values in taus.items() if values]


def _told(name: str, said: Sequence[Reasons], is_there: Callable[[Reasons], bool]) -> Proportion:
    return Proportion(name, sum(map(is_there, said)), len(said), "documents of lists with reasons")


def _size_rows(sizes: Mapping[int, int]) -> list[Row]:
    every = list(Counter(sizes).elements())
    if not every:
        return []
    return [Row("documents a list", f"{min(every)} to {max(every)}, median {median(every):g}, mean {fmean(every):.2f}")]


def _usage_rows(found: Stats) -> list[Row]:
    usage = found.usage
    rows = [
        Row("calls", _whole(usage.calls)),
        Row("prompt tokens", _whole(usage.prompt_tokens)),
        Row("generated tokens", _whole(usage.generated_tokens)),
        Row("cost", f"${usage.cost:.4f}"),
        _part("lists of unknown cost", found.unpriced, found.lists),
    ]
    return [row for row in rows if row.value not in ("0", "$0.0000")]


def _named(one: Teacher) -> str:
    model, prompt = one
    return f"{model or 'unnamed'} ({prompt})" if prompt else model or "unnamed"


def _part(name: str, count: int, of: int) -> Row:
    return Row(name, _whole(count), _whole(of), f"{100 * count / of:.1f} %" if of else "")


def _whole(number: int) -> str:
    return f"{number:,}"
