"""A teacher's order against judged grades. Pure. What was not judged is left out, and counts for nothing."""

from typing import NamedTuple

from whyrank.teach.records import TeacherRecord


class Pairs(NamedTuple):
    """Of the pairs of a relevant and an irrelevant document of a list, those with the relevant one above."""

    right: int
    of: int


def grades_in_order(record: TeacherRecord) -> list[float | None]:
    """The grades of the documents, best first; None where a document was not judged."""
    return [record.labels.get(record.documents[place].id) for place in record.order]


def label_pairs(record: TeacherRecord) -> Pairs:
    """How often a document with a grade above 0 stands above one that was judged and has none."""
    relevant = right = irrelevant = 0
    for grade in grades_in_order(record):
        if grade is not None and grade > 0:
            relevant += 1
        elif grade is not None:
            irrelevant += 1
            right += relevant
    return Pairs(right, relevant * irrelevant)
