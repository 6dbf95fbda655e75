"""Asking through files that somebody else carries: the lists as they wait, their requests, and the answers to them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from whyrank.errors import BadInput, ModelUnavailable
from whyrank.lm.base import Request
from whyrank.lm.prices import Price
from whyrank.lm.replay import Replay
from whyrank.teach.asking import Outcome, ask
from whyrank.teach.batches import read_batch
from whyrank.teach.conversation import Conversation, Task, Teacher, tasks
from whyrank.teach.records import TeacherRecord
from whyrank.teach.store import Store
from whyrank.types import Qrels, Ranking


class Taken(NamedTuple):
    """What a batch brought.

    Attributes:
        outcome: what became of its lists.
        strangers: answers that belong to none of them.
    """

    outcome: Outcome
    strangers: int


def unasked(waiting: Iterable[Task], teacher: Teacher, labels: Qrels | None = None) -> list[TeacherRecord]:
    """Records of lists that nobody has answered for: status "partial", documents whole."""
    return [
        TeacherRecord(
            task.key,
            task.ranking.query,
            tuple(hit.document for hit in task.ranking),
            model=teacher.lm.name,
            prompt=teacher.prompt.partition("@")[0],
            mode=teacher.mode,
            status="partial",
            labels=dict((labels or {}).get(task.ranking.query.id, {})),
        )
        for task in waiting
    ]


def requests(waiting: Iterable[Task], teacher: Teacher) -> dict[str, Request]:
    """Key → what is asked about a list."""
    return {task.key: Conversation(teacher, task).request for task in waiting}


def take(
    waiting: Sequence[TeacherRecord],
    teacher: Teacher,
    results: Sequence[str | Path],
    store: Store,
    *,
    price: Price | None = None,
) -> Taken:
    """Keep what a provider answered to the requests of some lists.

    Args:
        waiting: the lists, as `unasked` made them.
        teacher: as it was when the requests were written.
        results: the provider's output and error files.
        store: keeps the records.
        price: of a batch's tokens; None leaves the cost unknown.

    Raises:
        BadInput: the teacher is another, or asks otherwise than when the requests were written.
        BadRecord: a line of the files is no answer.
        MissingFile: there is no such file.
    """
    teacher = replace(teacher, attempts=0)  # nobody is there to be asked again
    own = tasks([Ranking.of(record.query, record.documents) for record in waiting], teacher)
    if {task.key for task in own} != {record.key for record in waiting}:
        raise BadInput(
            f"the requests were written for another teacher, or with another prompt or other settings, than those of "
            f"{teacher.lm.name} and {teacher.prompt}; read them with the settings that stand beside them"
        )
    asked = requests(own, teacher)
    read = read_batch(results, asked, price=price)
    reached = [task for task in own if not isinstance(read.answers[task.key], ModelUnavailable)]
    carrier = Replay(
        {f"{task.name}/1": read.answers[task.key] for task in own},
        name=teacher.lm.name,
        context=teacher.lm.context,
        tokens=teacher.lm.tokens,
        controls=teacher.lm.controls,
    )
    outcome = ask([task.ranking for task in reached], replace(teacher, lm=carrier), store, labels=_labels(waiting))
    missed = len({task.key for task in own} - {task.key for task in reached} - store.keys())
    outcome.lists += missed
    outcome.left += missed
    return Taken(outcome, len(read.unknown))


def _labels(waiting: Iterable[TeacherRecord]) -> Mapping[str, Mapping[str, float]]:
    return {record.query.id: record.labels for record in waiting}
