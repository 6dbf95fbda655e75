"""A teacher's reasons in the shape in which `whyrank.evaluate.reasons` measures reasons."""

from collections.abc import Iterator
from dataclasses import replace

from whyrank.evaluate.reasons.statements import Reason, Told
from whyrank.teach.records import Reasons, TeacherRecord
from whyrank.types import Direct, Evidence, Explanations, Ranking


def telling(record: TeacherRecord) -> Told:
    """The list as it was ordered, and what was said about it.

    A document's id is its number in the list as it was shown, which is how reasons name it. What a mode with direct
    reasons gave as answer sentences are the quotes, those that are empty included.

    Args:
        record: a usable one.
    """
    documents = [replace(document, id=str(number)) for number, document in enumerate(record.documents, 1)]
    shown = Ranking.of(record.query, documents)
    direct = () if record.mode == "ranking" else tuple(_direct(record))
    ranking = replace(shown, hits=tuple(shown.hits[place] for place in record.order), explanations=Explanations(direct))
    said = [reason for place, reasons in enumerate(record.reasons) for reason in _said(place, reasons, shown.ids)]
    return Told(ranking, tuple(said))


def has_text(record: TeacherRecord) -> bool:
    """Whether any of its documents has text: quotes and numbers can be looked up in nothing else."""
    return any(document.full_text.strip() for document in record.documents)


def _direct(record: TeacherRecord) -> Iterator[Direct]:
    for number, reasons in enumerate(record.reasons, 1):
        yield Direct(str(number), reasons.direct, (Evidence(reasons.answer, None),), source=record.model)


def _said(place: int, reasons: Reasons, names: tuple[str, ...]) -> Iterator[Reason]:
    about = names[place]
    if reasons.direct:
        yield Reason(reasons.direct, about)
    if reasons.comparison:
        yield Reason(reasons.comparison, about, tuple(name for name in names if name != about))
