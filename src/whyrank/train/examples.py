"""From teacher records to what a student learns: lists with targets by the teacher's order, and its reasons.

Targets are what a document's place in the order is worth, never its identifier. A document without text is no part of
a list. What cannot be learnt from is counted by its reason; the counts stand in the model card.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

from whyrank.errors import BadInput, MissingFile
from whyrank.evaluate.reasons.grounding import normalised
from whyrank.rankers.student_prompt import Kind
from whyrank.teach.answers import states_order, unless_refused
from whyrank.teach.filters import filter_records
from whyrank.teach.records import TeacherRecord
from whyrank.teach.store import records_at
from whyrank.train.causal import Told
from whyrank.train.mentions import addressed, mentioned
from whyrank.train.settings import DataSettings, TrainSettings

WITHOUT_TEXT = "documents without text"
WITHOUT_REASONS = "lists without reasons"
NOT_GIVEN = "reasons that were not given"
REFUSED = "reasons that were refused"
OF_OTHERS = "reasons about documents that the student is not shown"
WITHOUT_SCORES = "lists of fewer than two scores of the teacher, which are not distilled"
WITHOUT_SCORE = "documents without a score of the teacher, which are not distilled"
REPAIRED = "of an order that was repaired (data.repaired: true takes it)"
ALL_THE_SAME = "lists whose labels are all the same, which say nothing of the order"


@dataclass(frozen=True, slots=True)
class ListExample:
    """One list to learn from.

    Attributes:
        query: its text.
        documents: their texts, as they were shown to the teacher.
        targets: what each is worth to the student's losses; higher is better.
        told: the teacher's reasons that are learnt, best document first.
        grades: what each counts in a measure: as it was judged, or by the teacher's order, the last 0.
        teacher: its score of each document where scores are distilled, None where it gave none; else empty.
    """

    query: str
    documents: tuple[str, ...]
    targets: tuple[float, ...]
    told: tuple[Told, ...]
    grades: tuple[int, ...]
    teacher: tuple[float | None, ...] = ()

    @property
    def is_scored(self) -> bool:
        """Whether there is something to distil: scores of two documents or more."""
        return sum(score is not None for score in self.teacher) > 1


class Prepared(NamedTuple):
    """What a file holds for a student.

    Attributes:
        examples: in the order of the file.
        records: how many there were.
        skipped: how many of them are not learnt from, by the reason.
        left_out: what of the others is not learnt from, and how often.
        is_judged: whether grades are judgements; if not, they are the teacher's order.
        teachers: whose answers they are.
    """

    examples: tuple[ListExample, ...]
    records: int
    skipped: Mapping[str, int]
    left_out: Mapping[str, int]
    is_judged: bool
    teachers: tuple[str, ...]

    @property
    def digest(self) -> str:
        """The sha256 of what is learnt from."""
        lists = [asdict(one) for one in self.examples]
        return hashlib.sha256(json.dumps(lists).encode()).hexdigest()


class Given(NamedTuple):
    """The files of a training.

    Attributes:
        train: what is learnt from.
        dev: what is measured on; None if nothing is.
    """

    train: Path
    dev: Path | None


def given(data: DataSettings) -> Given:
    """Find the files: train.jsonl and dev.jsonl (or .jsonl.gz) of a folder, or the file itself.

    Raises:
        MissingFile: nothing is there to train on.
    """
    folder = Path(data.path)
    dev = None if data.dev is None else Path(data.dev)
    if not folder.is_dir():
        return Given(folder, dev)
    found = {name: _either(folder, name) for name in ("train", "dev")}
    if found["train"] is None:
        raise MissingFile(f"{folder}: holds no train.jsonl; put teacher records there, or name a file as 'data.path'")
    return Given(found["train"], dev or found["dev"])


def read(path: Path, settings: TrainSettings, *, limit: int | None = None) -> Prepared:
    """Read the records of a file and prepare them.

    Args:
        path: a store of `whyrank teach`, or its records as JSON Lines.
        settings: which reasons, targets, filters and seed.
        limit: how many lists; all if None.

    Raises:
        MissingFile: there is no such file.
        BadRecord: a line is no teacher record.
        Corrupt: the store is damaged.
        BadInput: nothing of it can be learnt from.
        UnknownName: there is no such filter.
    """
    is_distilled = settings.loss.weights.distillation > 0
    prepared = prepare(
        records_at(path), settings.data, settings.kinds, seed=settings.seed, limit=limit, is_distilled=is_distilled
    )
    if not prepared.examples:
        why = "; ".join(f"{count:,} {reason}" for reason, count in prepared.skipped.items()) or "the file is empty"
        raise BadInput(f"{path}: none of {prepared.records:,} records can be learnt from: {why}")
    return prepared


def require_reasons(path: Path, prepared: Prepared, settings: TrainSettings) -> None:
    """Refuse to teach reasons that no record holds.

    Raises:
        BadInput: reasons are to be learnt, and none of their kinds is there.
    """
    if settings.kinds and not any(example.told for example in prepared.examples):
        kinds = " and no ".join(settings.kinds)
        raise BadInput(f"{path}: its records hold no {kinds} reason; set reasons=none to train without")


def require_scores(path: Path, prepared: Prepared, settings: TrainSettings) -> None:
    """Refuse to distil scores that no record holds.

    Raises:
        BadInput: scores are to be distilled, and no list has two of them.
    """
    if settings.loss.weights.distillation and not any(one.is_scored for one in prepared.examples):
        raise BadInput(
            f"{path}: none of its {len(prepared.examples):,} lists holds a teacher's scores of two documents or more, "
            "which 'loss.weights.distillation' learns from; give records with scores, or set it to 0"
        )


def prepare(
    records: Sequence[TeacherRecord],
    data: DataSettings,
    kinds: Sequence[Kind],
    *,
    seed: int,
    limit: int | None = None,
    is_distilled: bool = False,
) -> Prepared:
    """Sort out what cannot be learnt from, draw, and make examples of the rest.

    Args:
        records: of teachers.
        data: filters and targets.
        kinds: of the reasons that are learnt.
        seed: of the draw.
        limit: how many lists are drawn; all if None.
        is_distilled: whether the teacher's scores are learnt from beside the targets.
    """
    drawn, skipped = chosen(records, data, seed=seed, limit=limit)
    is_judged = any(record.labels for record in drawn)
    examples = tuple(example(record, data, kinds, is_judged=is_judged, is_distilled=is_distilled) for record in drawn)
    teachers = tuple(sorted({record.model for record in drawn if record.model}))
    left_out = Counter(why for record in drawn for why in _left_out(record, kinds))
    left_out.update(why for one in examples for why in _not_learnt(one, data, is_distilled=is_distilled))
    return Prepared(examples, len(records), dict(skipped), dict(left_out), is_judged, teachers)


def known(dev: Prepared, train: Prepared) -> int:
    """How many lists to measure on have a query that is also learnt from, by its letters and digits."""
    learnt = {normalised(one.query) for one in train.examples}
    return sum(normalised(one.query) in learnt for one in dev.examples)


class Chosen(NamedTuple):
    """Records to learn from, and how many others there were, by what is wrong with them."""

    records: Sequence[TeacherRecord]
    skipped: Mapping[str, int]


def chosen(
    records: Sequence[TeacherRecord],
    data: DataSettings,
    *,
    seed: int,
    limit: int | None = None,
    unfit: Callable[[TeacherRecord], str] = lambda _: "",
) -> Chosen:
    """Sort out what cannot be learnt from, and draw.

    Args:
        records: of teachers.
        data: filters and targets.
        seed: of the draw.
        limit: how many are drawn; all if None.
        unfit: what else is wrong with a record; "" if nothing is.
    """
    skipped: Counter[str] = Counter()
    seen: set[str] = set()
    sound = []
    for record in records:
        if reason := _unusable(record, data, seen) or unfit(record):
            skipped[reason] += 1
        else:
            sound.append(record)
            seen.add(record.key)
    filtered = filter_records(sound, data.filters)
    skipped.update({f"dropped by the filter {name}": count for name, count in filtered.dropped.items() if count})
    drawn = draw(filtered.kept, seed, limit)
    if left := len(filtered.kept) - len(drawn):
        skipped["not drawn (data.limit)"] = left
    return Chosen(drawn, skipped)


def draw(records: Sequence[TeacherRecord], seed: int, limit: int | None) -> list[TeacherRecord]:
    """Draw `limit` records, in their order: whatever else the file holds, a smaller draw is a part of a larger one."""

    def lot(record: TeacherRecord) -> str:
        return hashlib.sha256(f"{seed}/{record.key}".encode()).hexdigest()

    drawn = {record.key for record in sorted(records, key=lot)[:limit]}
    return [record for record in records if record.key in drawn]


def example(
    record: TeacherRecord, data: DataSettings, kinds: Sequence[Kind], *, is_judged: bool, is_distilled: bool = False
) -> ListExample:
    """A usable record as an example: place p (0-based) of n documents is worth n − p, unless `data.targets` differ."""
    order = _readable(record)
    worth = {place: len(order) - rank for rank, place in enumerate(order)}
    places = sorted(order)
    targets = [float(worth[place]) for place in places]
    if data.targets == "scores":
        targets = [score for place in places if (score := record.scores[place]) is not None]
    elif data.targets == "labels":
        targets = [float(record.labels.get(record.documents[place].id, 0.0)) for place in places]
    grades = [worth[place] - 1 for place in places]
    if is_judged:
        grades = [max(0, round(record.labels.get(record.documents[place].id, 0))) for place in places]
    texts = tuple(record.documents[place].full_text for place in places)
    told = tuple(reason for reason in _told(record, kinds) if isinstance(reason, Told))
    scores = tuple(record.scores[place] for place in places) if is_distilled and record.scores else ()
    return ListExample(record.query.text, texts, tuple(targets), told, tuple(grades), scores)


def _readable(record: TeacherRecord) -> list[int]:
    """Places of the documents that have text, best first."""
    return [place for place in record.order if record.documents[place].full_text.strip()]


def _left_out(record: TeacherRecord, kinds: Sequence[Kind]) -> Iterator[str]:
    """What of a record is not learnt from, as often as it is there."""
    yield from [WITHOUT_TEXT] * (len(record.documents) - len(_readable(record)))
    yield from (why for why in _told(record, kinds) if isinstance(why, str))


def _not_learnt(one: ListExample, data: DataSettings, *, is_distilled: bool) -> Iterator[str]:
    """What of a list's targets and scores teaches nothing, as often as it is there."""
    if data.targets == "labels" and len(set(one.targets)) == 1:
        yield ALL_THE_SAME
    if is_distilled:
        yield from [WITHOUT_SCORE] * one.teacher.count(None) if one.is_scored else [WITHOUT_SCORES]


def _told(record: TeacherRecord, kinds: Sequence[Kind]) -> Iterator[Told | str]:
    """The reasons of a record, best document first; in the place of one that cannot be learnt, why.

    A comparison is with the best document below that it names, or else with the next one; the last has none.
    """
    if not kinds:
        return
    if not record.reasons:
        yield WITHOUT_REASONS
        return
    count, order = len(record.documents), _readable(record)
    for rank, place in enumerate(order):
        said, below = record.reasons[place], order[rank + 1 :]
        if "direct" in kinds:
            yield _one(record, "direct", said.direct, addressed(said.direct, count, place + 1), place)
        if "comparison" in kinds and below:
            named = mentioned(said.comparison, count)
            other = next((lower for lower in below if lower + 1 in named), below[0])
            words = addressed(said.comparison, count, place + 1, other + 1)
            yield _one(record, "comparison", said.comparison, words, place, other)


def _one(record: TeacherRecord, kind: Kind, said: str, words: str, place: int, other: int | None = None) -> Told | str:
    """A reason in the words of the prompt that it answers."""
    if not words:
        return OF_OTHERS if said.strip() else NOT_GIVEN
    if not unless_refused(said):
        return REFUSED
    below = None if other is None else record.documents[other].full_text
    return Told(kind, record.query.text, record.documents[place].full_text, below, words)


def _unusable(record: TeacherRecord, data: DataSettings, seen: set[str]) -> str:
    """Why a record cannot be learnt from; "" if it can."""
    if not record.is_usable:
        return f"of status {record.status!r}: the answer ranked nothing"
    if data.targets == "order" and not (data.repaired or states_order(record)):
        return REPAIRED
    if record.key in seen:
        return "given twice"
    if len(_readable(record)) < 2:
        return "of fewer than two documents with text"
    if not record.query.text.strip():
        return "without a query"
    if data.targets == "scores" and (not record.scores or None in [record.scores[at] for at in _readable(record)]):
        return "without a score for each document (data.targets: scores)"
    if data.targets == "labels" and not any(record.documents[at].id in record.labels for at in _readable(record)):
        return "without a label of any document (data.targets: labels)"
    return ""


def _either(folder: Path, name: str) -> Path | None:
    found = [folder / f"{name}{suffix}" for suffix in (".jsonl", ".jsonl.gz")]
    return next((path for path in found if path.is_file()), None)
