"""What judges say: one answer to one question, and the sheet of answers that a judge gave to one item."""

from dataclasses import dataclass, field

GRADE, BETTER = "grade", "better"
"""The questions that every experiment may ask beside its own: how relevant is it, which of two is better."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a judge said to one question.

    Attributes:
        item: id of the item it is about.
        judge: who said it.
        question: id of a question of the settings, asked of what one system says; `GRADE`; or `BETTER`.
        system: whose reason it is about; "" for a grade, which is about the document.
        other: with `BETTER`, the system that it was set beside; `system` sorts before `other`. Else "".
        value: place among the answers or grades that the settings list, from 0; with `BETTER` 1 for `system`, 0 for
            none, −1 for `other`.
        seconds: that the judge looked at the whole item; the same in all answers of the item.
        at: when it was given, in ISO 8601, UTC.
    """

    item: str
    judge: str
    question: str
    system: str
    other: str
    value: int
    seconds: float
    at: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """What a judge said to one item, all at once. Answers that the judge could not give are not there.

    Attributes:
        item: id of the item.
        judge: who answered.
        answers: each with the item, judge, seconds and time of the sheet.
    """

    item: str
    judge: str
    answers: tuple[Answer, ...] = field(default=())
