"""Rerankers that ask a language model: an algorithm decides what to ask, a judge asks it, the model answers."""

import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from inspect import signature
from time import perf_counter
from typing import Any

from whyrank.errors import BadInput, UnusableReply
from whyrank.lm.base import LM, check_capabilities
from whyrank.lm.prices import Price
from whyrank.lm.rehearsal import Estimate, Rehearsal
from whyrank.prompts import Passage
from whyrank.rankers.algorithms import Algorithm
from whyrank.rankers.costs import answer
from whyrank.rankers.flow import Flow, Outcome, Question, drive
from whyrank.rankers.matter import Matter, Showing, Shown
from whyrank.rankers.outcome import as_placed, check_depth, in_order
from whyrank.rankers.verdict import SEVERITY, UNUSABLE, Judge, Verdict, converse
from whyrank.types import Progress, Ranking, Status, Usage

_FIGURE = re.compile(r"[0-9][0-9.,]*")
NOTED = 3
"""Different remarks on answers that a ranking's notes hold."""
MANY = 200
"""So many documents make an algorithm ask its widest question."""
LETTERS = 24
"""Documents that letters can name, also where they are drawn."""


@dataclass(frozen=True)
class LMReranker:
    """Reranks by asking a language model.

    Attributes:
        lm: the model.
        judge: how a question is put and its answer read.
        algorithm: which questions are asked; its kind of question must be the judge's.
        showing: how documents are shown.
        options: of the algorithm, such as size and stride of a window.
        is_strict: whether an answer that is not what was asked for is an error instead of a status.
        on_show: told of every prompt, with the labels it uses, before it is asked.
    """

    lm: LM
    judge: Judge[Any]
    algorithm: Algorithm
    showing: Showing
    options: tuple[tuple[str, int], ...] = ()
    is_strict: bool = False
    on_show: Callable[[Shown], None] | None = None

    def __post_init__(self) -> None:
        if self.algorithm.judge != self.judge.kind:
            raise BadInput(
                f"{self.algorithm.name} asks {self.algorithm.judge} questions, and {self.judge.name} answers "
                f"{self.judge.kind} ones; take an algorithm of its kind"
            )
        check_capabilities(self.lm, self.judge.needs | self.showing.needs, f"the judge {self.judge.name}")
        accepted = [name for name in signature(self.algorithm.function).parameters if name != "n"]
        strange = [name for name, _ in self.options if name not in accepted]
        if strange:
            takes = ", ".join(accepted) or "(none)"
            raise BadInput(f"{self.algorithm.name} takes the options {takes}; it was given {', '.join(strange)}")
        widest = max((len(question) for question in next(self._flow(MANY), [])), default=0)
        if self.showing.template.labels == "letters" and widest > LETTERS:
            raise BadInput(
                f"{self.algorithm.name} would show {widest} documents at once, and the prompt "
                f"{self.showing.template.name} has letters for {LETTERS}; give smaller options"
            )

    @cached_property
    def name(self) -> str:
        """Judge, prompt, algorithm and model, and a fingerprint of all that can change an order."""
        return f"{self.judge.name}/{self.algorithm.name}/{self.lm.name}@{self._fingerprint()}"

    def _fingerprint(self) -> str:
        template = self.showing.template
        count = template.size or 2
        sample = template.render("query", [Passage(template.label(place), "passage") for place in range(count)])
        weights = getattr(self.lm, "weights", "")
        about = (self.judge, self.options, self.showing, sample, self.lm.context, weights)
        return sha256(repr(about).encode()).hexdigest()[:8]

    def rerank_many(
        self, rankings: Sequence[Ranking], *, depth: int | None = None, progress: Progress | None = None
    ) -> list[Ranking]:
        """Rerank each list; the first `depth` candidates of each are shown to the model, the rest stay below.

        The open questions of all lists go to the model in one batch.

        Raises:
            BadInput: the depth is below 1.
            NoRoom: a query leaves no room for documents in the model's context.
            AccessDenied: the model takes no request at all.
            UnusableReply: an answer is untidy, and the reranker is strict.
        """
        check_depth(depth)
        begun = perf_counter()
        tasks = [self._task(ranking, name, depth) for ranking, name in zip(rankings, list_names(rankings), strict=True)]
        counted = _Counted(progress, 0 if progress is None else self._expected(tasks))
        outcomes = drive(
            [self._flow(len(task.matter)) for task in tasks], lambda batch: self._judged(tasks, batch, counted)
        )
        seconds = (perf_counter() - begun) / max(1, len(tasks))
        if tasks:
            tasks[0].told = tuple(getattr(self.lm, "notes", ()))  # what befell the cache concerns no single query
        return [self._ranked(task, outcome, seconds) for task, outcome in zip(tasks, outcomes, strict=True)]

    def close(self) -> None:
        """Close the model, if it can be closed: connections, and the file of a cache."""
        close = getattr(self.lm, "close", None)
        if close is not None:
            close()

    def rehearse(
        self, rankings: Sequence[Ranking], *, depth: int | None = None, price: Price | None = None
    ) -> Estimate:
        """What reranking these lists would ask and cost; nothing is asked but of the cache.

        How much is asked may depend on the answers; here the model agrees with the order as it is.

        Args:
            rankings: as for `rerank_many`.
            depth: as for `rerank_many`.
            price: of a token; None if unknown.

        Raises:
            BadInput, NoRoom: as `rerank_many`.
        """
        labels: dict[str, tuple[str, ...]] = {}

        def shown(new: Shown) -> None:
            labels[new.tag] = new.labels

        rehearsal = Rehearsal(self.lm, lambda request: self.judge.expected(labels[request.tag]), price=price)
        replace(self, lm=rehearsal, on_show=shown, is_strict=False).rerank_many(rankings, depth=depth)
        return rehearsal.estimate

    def _task(self, ranking: Ranking, name: str, depth: int | None) -> "_Task":
        count = len(ranking.hits[:depth])
        matter = Matter(ranking, name, count, self.lm, self.showing, self.judge.answer_tokens, self.on_show)
        return _Task(ranking, matter)

    def _expected(self, tasks: Sequence["_Task"]) -> int:
        """How many questions a judge that changes nothing would be asked."""
        lengths = Counter(len(task.matter) for task in tasks)
        return sum(lists * _asked(self.judge.kind, self._flow(count)) for count, lists in lengths.items())

    def _flow(self, count: int) -> Flow[Any]:
        return self.algorithm.function(count, **dict(self.options))

    def _judged(self, tasks: Sequence["_Task"], batch: list[tuple[int, Question]], counted: "_Counted") -> list[Any]:
        askings = [self.judge.ask(tasks[i].matter, question) for i, question in batch]
        heard = converse(askings, self.lm)
        for (i, question), (verdict, usage) in zip(batch, heard, strict=True):
            if self.is_strict and verdict.status != "ok":
                about = f"query {tasks[i].ranking.query.id!r}: an answer about {len(question)} documents"
                why = "; ".join(verdict.notes) or "no remark"
                raise UnusableReply(f"{about} is {verdict.status} ({why}); without strict it has a status instead")
            tasks[i].note(question, verdict, usage)
        counted.add(len(batch))
        # A document without a score has its place decided by `in_order`; the flow only needs a number to go on.
        return [0.0 if verdict.value is None else verdict.value for verdict, _ in heard]

    def _ranked(self, task: "_Task", outcome: Outcome, seconds: float) -> Ranking:
        usage = replace(task.usage, seconds=seconds)
        cuts = task.matter.cuts()
        if self.judge.kind == "pointwise":
            scores = [task.scores[position] for position in range(len(task.matter))]
            ranked = in_order(task.ranking, scores, ranker=self.name, usage=usage, cuts=cuts)
        else:
            ranked = as_placed(task.ranking, outcome.order, ranker=self.name, usage=usage, cuts=cuts)
        return replace(ranked, status=task.status, notes=(*ranked.notes, *task.notes(), *task.told))


class _Task:
    """One list on its way: what was asked about it, and what came back."""

    def __init__(self, ranking: Ranking, matter: Matter) -> None:
        self.ranking, self.matter = ranking, matter
        self.usage = Usage()
        self.told: tuple[str, ...] = ()
        self.status: Status = "ok"
        self.scores: dict[int, float | None] = {}
        self.answers: Counter[Status] = Counter()
        self.remarks: Counter[str] = Counter()
        self.first: dict[str, str] = {}

    def note(self, question: Question, verdict: Verdict[Any], usage: Usage) -> None:
        """Take a verdict down."""
        was_asked = verdict.status != "partial"
        self.usage += replace(usage, documents=len(question) if was_asked else 0)
        self.answers[verdict.status] += 1
        if SEVERITY[verdict.status] > SEVERITY[self.status]:
            self.status = verdict.status
        if verdict.status != "ok":
            remark = f"{verdict.status}: {'; '.join(verdict.notes)}"
            kind = _FIGURE.sub("#", remark)  # the same remark with other numbers is the same remark
            self.remarks[kind] += 1
            self.first.setdefault(kind, remark)
        if len(question) == 1:
            self.scores[question[0]] = verdict.value

    def notes(self) -> tuple[str, ...]:
        """What a careful reader must know of the answers."""
        if self.status == "ok":
            return ()
        unusable = sum(count for status, count in self.answers.items() if SEVERITY[status] >= UNUSABLE)
        told = [(self.answers["repaired"], "answered after a repair"), (unusable, "without a usable answer")]
        rates = ", ".join(f"{count} {what}" for count, what in told if count)
        total = sum(self.answers.values())
        remarks = [f"{self.first[kind]} ({count} ×)" for kind, count in self.remarks.most_common(NOTED)]
        more = len(self.remarks) - len(remarks)
        return (
            f"of {total:,} question{'' if total == 1 else 's'}: {rates}",
            *remarks,
            *([f"and {more} more kinds of remarks"] if more > 0 else []),
        )


class _Counted:
    """Progress in questions, of about as many as a judge that changes nothing would be asked."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress, self._done, self._total = progress, 0, total

    def add(self, questions: int) -> None:
        self._done += questions
        if self._progress is not None:
            self._progress(self._done, max(self._done, self._total))


def list_names(rankings: Sequence[Ranking]) -> list[str]:
    """A name for each list, which tags its requests: its query's id, and a number where several share one.

    No two lists have one name, also where a query's id looks like another's with a number.
    """
    taken = {ranking.query.id for ranking in rankings}
    spare: dict[str, Iterator[str]] = {}
    names = []
    for name in (ranking.query.id for ranking in rankings):
        if name in spare:
            names.append(next(other for other in spare[name] if other not in taken))
            taken.add(names[-1])
        else:
            names.append(name)
            spare[name] = _numbered(name)
    return names


def _numbered(name: str) -> Iterator[str]:
    return (f"{name}#{number}" for number in itertools.count(2))


def _asked(kind: Any, flow: Flow[Any]) -> int:
    asked = 0

    def as_it_is(batch: list[tuple[int, Question]]) -> list[Any]:
        nonlocal asked
        asked += len(batch)
        return [answer(kind, tuple(range(len(question))), [-i for i in range(len(question))]) for _, question in batch]

    drive([flow], as_it_is)
    return asked
