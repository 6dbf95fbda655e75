"""Asking a teacher: prompts and answers as the listwise ranker has them, each finished list kept as it comes.

The lists of a chunk are asked about side by side. A reply that ends the conversation about its list makes a record,
and the record is on the disk before the next reply is heard; a list that was not reached, for want of money or of a
server, makes none and is asked about when the same work is begun again.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import TypeAlias

from whyrank.errors import AccessDenied, BudgetSpent, ModelError
from whyrank.lm.base import LM, Reply, Request
from whyrank.lm.cache import Cached
from whyrank.lm.prices import Price
from whyrank.lm.rehearsal import Estimate, Rehearsal
from whyrank.teach.conversation import Conversation, Task, Teacher, tasks
from whyrank.teach.records import Mode
from whyrank.teach.store import Store
from whyrank.types import Qrels, Ranking, Status, Usage

CHUNK = 500
"""Lists that are asked about side by side. All their prompts are held in memory, and their failures are weighed."""
TOKENS_A_DOCUMENT: Mapping[Mode, int] = {"ranking": 12, "direct": 115, "both": 165}
"""Tokens of an answer a document: with reasons as GPT-4 wrote them (means over 1,000 recorded passages, counted by our
estimate); for an order alone a guess."""


@dataclass(slots=True)
class Outcome:
    """How far the asking is.

    Attributes:
        lists: how many there are, those that are equal to the letter counted once.
        kept: of these, how many were in the store when it began.
        records: how many have come since, by status.
        left: how many were asked about and not reached.
        already: how many somebody else had stored by the time they came.
        is_spent: the budget has no room for what is left.
        failures: what failed, by the name of its error, and how often.
        words: what the first of each said.
        usage: what all replies since cost.
        seconds: since it began.
    """

    lists: int
    kept: int
    records: Counter[Status] = field(default_factory=Counter)
    left: int = 0
    already: int = 0
    is_spent: bool = False
    failures: Counter[str] = field(default_factory=Counter)
    words: dict[str, str] = field(default_factory=dict)
    usage: Usage = field(default_factory=Usage)
    seconds: float = 0.0

    @property
    def done(self) -> int:
        """Lists that have a record by now."""
        return self.kept + self.records.total()

    @property
    def is_whole(self) -> bool:
        """Whether every list has a record."""
        return self.done == self.lists

    @property
    def cost_to_come(self) -> float | None:
        """US dollars for what is missing, if it costs as much as what has come; None where nobody knows."""
        return None if self.usage.cost is None else self._for_the_rest(self.usage.cost)

    @property
    def seconds_to_come(self) -> float | None:
        """Seconds for what is missing, if it takes as long as what has come; None before anything has."""
        return self._for_the_rest(self.seconds)

    def _for_the_rest(self, spent: float) -> float | None:
        came = self.records.total()
        return spent / came * (self.lists - self.done) if came else None


Told: TypeAlias = Callable[[Outcome], None]


def rehearse(
    teacher: Teacher, waiting: Sequence[Task], *, again: Collection[str] = (), price: Price | None = None
) -> Estimate:
    """What asking about these lists would take; nothing is asked but of the cache.

    Args:
        teacher: who would be asked.
        waiting: the lists.
        again: keys of those that are asked about again, of which the cache is not asked either.
        price: of the teacher's tokens; None where it is unknown.
    """
    counts = {task.name: len(task.ranking) for task in waiting}

    def answered(request: Request) -> Reply:
        count = counts[request.tag.rpartition("/")[0]]
        order = " > ".join(f"[{number}]" for number in range(1, count + 1))
        generated = teacher.thought_tokens + TOKENS_A_DOCUMENT[teacher.mode] * count
        return Reply(order, usage=Usage(generated_tokens=generated))

    rehearsals = [Rehearsal(lm, answered, price=price) for lm in (teacher.lm, _anew(teacher.lm))]
    for chunk in _chunks(waiting):
        for rehearsal, own in zip(rehearsals, _parted(chunk, again), strict=True):
            stand_in = replace(teacher, lm=rehearsal)
            _converse([Conversation(stand_in, task) for task in own], rehearsal, lambda _: None)
    return rehearsals[0].estimate + rehearsals[1].estimate


def ask(
    lists: Sequence[Ranking],
    teacher: Teacher,
    store: Store,
    *,
    labels: Qrels | None = None,
    retry: bool = False,
    told: Told | None = None,
    clock: Callable[[], float] = monotonic,
) -> Outcome:
    """Ask about every list that the store holds no record of; keep each record as it comes.

    Args:
        lists: what is shown.
        teacher: who is asked.
        store: keeps the records.
        labels: judged grades, which are kept with the records.
        retry: ask also about lists whose record has no usable order. Of these nothing is taken from a cache, and what
            is answered now replaces what it holds.
        told: told how far it is, each time that a list is done with.
        clock: seconds that never go back.

    Returns:
        How far it came. It ends early where the budget is spent, or nobody answers for a whole chunk.

    Raises:
        AccessDenied: the model takes no request at all.
        BadInput: a query leaves no room for documents in the model's context.
        Unwritable: the store cannot be written; what was kept before is safe.
    """
    begun = clock()
    different = tasks(lists, teacher)
    there = store.keys(usable=retry)
    again = store.keys() - there
    waiting = [task for task in different if task.key not in there]
    outcome = Outcome(len(different), len(different) - len(waiting))

    def ended(conversation: Conversation) -> None:
        outcome.seconds = clock() - begun
        outcome.usage += conversation.usage
        for error in conversation.failures:
            outcome.failures[type(error).__name__] += 1
            outcome.words.setdefault(type(error).__name__, str(error))
        record = conversation.record((labels or {}).get(conversation.task.ranking.query.id, {}))
        if record is None:
            outcome.left += 1
            outcome.is_spent |= any(isinstance(error, BudgetSpent) for error in conversation.failures)
        else:
            outcome.already += not store.add(record, again=record.key in again)
            outcome.records[record.status] += 1
        if told is not None:
            told(outcome)

    for chunk in _chunks(waiting):
        before = outcome.done
        for lm, own in zip((teacher.lm, _anew(teacher.lm)), _parted(chunk, again), strict=True):
            asked = replace(teacher, lm=lm)
            _converse([Conversation(asked, task) for task in own], lm, ended)
        if outcome.is_spent or outcome.done == before:
            break
    return outcome


def _converse(conversations: Sequence[Conversation], lm: LM, ended: Callable[[Conversation], None]) -> None:
    """Hold conversations side by side; `ended` is called at the moment that one ends.

    Raises:
        AccessDenied: the model takes no request at all.
    """
    going = list(conversations)
    while going:
        going = _round(going, lm, ended)


def _round(going: Sequence[Conversation], lm: LM, ended: Callable[[Conversation], None]) -> list[Conversation]:
    """One request of each conversation; those that have not ended come back."""
    following: list[Conversation] = []
    waiting = dict(enumerate(going))
    denied: list[AccessDenied] = []

    def arrived(place: int, reply: Reply | ModelError) -> None:
        conversation = waiting.pop(place)
        if isinstance(reply, AccessDenied):
            denied.append(reply)
        elif conversation.hear(reply):
            ended(conversation)
        else:
            following.append(conversation)

    replies = lm.ask([conversation.request for conversation in going], arrived)
    for place in list(waiting):  # of backends that tell of no reply before all are there
        arrived(place, replies[place])
    if denied:
        raise denied[0]
    return following


def _chunks(waiting: Sequence[Task]) -> Iterator[Sequence[Task]]:
    for start in range(0, len(waiting), CHUNK):
        yield waiting[start : start + CHUNK]


def _anew(lm: LM) -> LM:
    """The model, without what a cache holds of it."""
    return lm.anew() if isinstance(lm, Cached) else lm


def _parted(chunk: Sequence[Task], again: Collection[str]) -> tuple[list[Task], list[Task]]:
    """Lists that are asked about for the first time, and those that are asked about again."""
    return [task for task in chunk if task.key not in again], [task for task in chunk if task.key in again]
