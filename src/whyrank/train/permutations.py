"""From teacher records to permutations to write: DeAR's second stage (Abdallah et al., arXiv 2508.16998).

A student is shown a list under labels, as it will be later, and learns to write what the teacher thought and, last,

    ### Final Reranking: [2] > [1] > [3]

A list can be shown in further orders than the teacher's. The labels in its thought are then written anew, where it is
plain which they are: numbers in square brackets, one or several, and none elsewhere that could be meant as one.
A thought that is not plain is learnt in the teacher's order only, and counted.
"""

import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

from whyrank.errors import BadInput
from whyrank.teach.records import TeacherRecord
from whyrank.teach.store import records_at
from whyrank.train.examples import ListExample, Prepared, chosen, example
from whyrank.train.settings import DataSettings, TrainSettings

HEADING = "### Final Reranking:"
NO_THOUGHT = "without a thought (data.thoughts: required)"
NO_TEXT = "with a document without text"
ONE_ORDER = "further orders of lists whose thoughts name passages in a way that cannot be rewritten"
WITHOUT_THOUGHTS = "lists without a thought, of which the ranking alone is learnt"
_LABELS = re.compile(r"\[\s{0,2}\d{1,3}(?:\s{0,2}(?:,|;|and|&)\s{0,2}\d{1,3})*\s{0,2}\]")
_NUMBER = re.compile(r"\d{1,3}")
_RANGE = re.compile(r"\]\s{0,2}(?:-|–|—|to|through|\.\.\.?|…)\s{0,2}\[", re.IGNORECASE)
_LOOSE = re.compile(
    r"\b(?:passages?|documents?|docs?|texts?|candidates?|identifiers?|ids?|items?|results?|numbers?|no\.|nos\.)"
    r"\s{0,2}[#(:]?\s{0,2}\d|#\s{0,2}\d"
    r"|\b(?:first|second|third|fourth|fifth|last|previous|next|above|below|former|latter)\s(?:\w{1,20}\s)?"
    r"(?:passages?|documents?|texts?|ones?)\b|\bpassages?\s[A-Z]\b",
    re.IGNORECASE,
)
_COUNTED = re.compile(
    r"^[\s*#>-]{0,12}\d{1,3}[.):]|\b(?:steps?|requirements?|needs?|points?|aspects?|parts?)\s{1,2}#?\d{1,3}\b",
    re.IGNORECASE | re.MULTILINE,
)
_BARE = re.compile(r"(?<![\w.,])\d{1,3}(?![\w%]|[.,]\d)")
_ANY_FINAL = re.compile(r"#{1,6}\s{0,3}\**final\s{1,3}re-?ranking", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class PermutationExample(ListExample):
    """One list, and what is written about it.

    Attributes:
        order: places in `documents`, best first.
        thought: what is written before the ranking; "" for nothing.
        tokens: of the prompt and what is written, once a student has measured it.
        learnt: of these, tokens that are written.
    """

    order: tuple[int, ...] = ()
    thought: str = ""
    tokens: int = 0
    learnt: int = 0


def read(path: Path, settings: TrainSettings, *, limit: int | None = None, orders: int = 1) -> Prepared:
    """Read the records of a file and prepare them.

    Args:
        path: a store of `whyrank teach`, or its records as JSON Lines.
        settings: filters, thoughts and seed.
        limit: how many lists; all if None.
        orders: in how many orders each is shown.

    Raises:
        MissingFile: there is no such file.
        BadRecord: a line is no teacher record.
        Corrupt: the store is damaged.
        BadInput: nothing of it can be learnt from.
        UnknownName: there is no such filter.
    """
    prepared = prepare(records_at(path), settings.data, seed=settings.seed, limit=limit, orders=orders)
    require_some(path, prepared)
    return prepared


def require_some(path: Path | str, prepared: Prepared) -> None:
    """Refuse data of which nothing is left.

    Raises:
        BadInput: there is no example; what was wrong with the records is counted.
    """
    if not prepared.examples:
        why = "; ".join(f"{count:,} {reason}" for reason, count in prepared.skipped.items()) or "the file is empty"
        raise BadInput(f"{path}: none of {prepared.records:,} records can be learnt from: {why}")


def prepare(
    records: Sequence[TeacherRecord], data: DataSettings, *, seed: int, limit: int | None = None, orders: int = 1
) -> Prepared:
    """Sort out what cannot be learnt from, draw, and make examples of the rest.

    Args:
        records: of teachers.
        data: filters, and whether thoughts are required.
        seed: of the draw and of further orders.
        limit: how many lists are drawn; all if None.
        orders: in how many orders each is shown, the teacher's first.
    """

    def unfit(record: TeacherRecord) -> str:
        if not all(document.full_text.strip() for document in record.documents):
            return NO_TEXT
        return NO_THOUGHT if data.thoughts == "required" and not thought_of(record) else ""

    drawn, skipped = chosen(records, data, seed=seed, limit=limit, unfit=unfit)
    is_judged = any(record.labels for record in drawn)
    left_out: Counter[str] = Counter()
    examples = []
    for record in drawn:
        shown = list(_shown(record, _one(record, data, is_judged=is_judged), seed, orders))
        examples += shown
        left_out[ONE_ORDER] += orders - len(shown)
        left_out[WITHOUT_THOUGHTS] += not shown[0].thought
    teachers = tuple(sorted({record.model for record in drawn if record.model}))
    return Prepared(tuple(examples), len(records), skipped, dict(+left_out), is_judged, teachers)


def thought_of(record: TeacherRecord) -> str:
    """What a teacher wrote before its ranking; not what it was asked to leave out (`data.thoughts: none`)."""
    found = _ANY_FINAL.search(record.thought)
    return (record.thought[: found.start()] if found else record.thought).strip()


def answer(thought: str, labels: Sequence[str]) -> str:
    r"""What a student writes: its thought, and the labels best first.

    >>> answer("Passage [2] says it.", ["2", "1"])
    'Passage [2] says it.\n\n### Final Reranking: [2] > [1]'
    """
    ranking = f"{HEADING} {' > '.join(f'[{label}]' for label in labels)}"
    return f"{thought}\n\n{ranking}" if thought else ranking


def relabelled(thought: str, moved: Sequence[int]) -> str | None:
    """A thought about a list that is shown in another order.

    >>> relabelled("[1] and [3, 2] say it.", [2, 0, 1])
    '[3] and [2, 1] say it.'

    Args:
        thought: names passages by numbers from 1 in square brackets.
        moved: where the passage at each place (0-based) is shown now.

    Returns:
        None where it names them otherwise, or may do so: by a bare number that no list and no step counts, a range of
        them, a number that is no passage's.
    """
    rest = _COUNTED.sub(" ", _LABELS.sub(" ", thought))
    if any(1 <= int(found[0]) <= len(moved) for found in _BARE.finditer(rest)):
        return None
    numbers = [int(number) for found in _LABELS.finditer(thought) for number in _NUMBER.findall(found[0])]
    if _RANGE.search(thought) or _LOOSE.search(rest) or not all(1 <= number <= len(moved) for number in numbers):
        return None
    return _LABELS.sub(lambda found: _NUMBER.sub(lambda n: str(moved[int(n[0]) - 1] + 1), found[0]), thought)


def _one(record: TeacherRecord, data: DataSettings, *, is_judged: bool) -> PermutationExample:
    made = example(record, data, (), is_judged=is_judged)
    given = {each.name: getattr(made, each.name) for each in fields(ListExample)}
    thought = "" if data.thoughts == "none" else thought_of(record)
    return PermutationExample(**given, order=tuple(record.order), thought=thought)


def _shown(record: TeacherRecord, one: PermutationExample, seed: int, orders: int) -> Iterator[PermutationExample]:
    """An example, and the same list in further orders."""
    yield one
    lots = random.Random(f"{seed}/{record.key}/orders")  # noqa: S311 - no secret
    for _ in range(orders - 1):
        places = list(range(len(one.documents)))
        lots.shuffle(places)
        moved = [places.index(place) for place in range(len(places))]
        thought = relabelled(one.thought, moved)
        if thought is None:
            return
        yield replace(
            one,
            documents=tuple(one.documents[place] for place in places),
            targets=tuple(one.targets[place] for place in places),
            grades=tuple(one.grades[place] for place in places),
            order=tuple(moved[place] for place in one.order),
            thought=thought,
        )
