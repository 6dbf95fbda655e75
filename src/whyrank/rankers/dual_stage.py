"""Two stages as one ranker: a pointwise one reads all candidates, a listwise one orders the best of them.

After Abdallah et al., 2025, "DeAR: Dual-Stage Document Reranking with Reasoning Agents via LLM Distillation". Deviates:
the scores of stage 1 are not thrown away but fused with the places of stage 2 (`fusion`), and stage 2 is asked only
where stage 1 is unsure, and believed only where it agrees with itself (`guard`).

A hit keeps the score of stage 1, which belongs to query and document alone. Where stage 2 had a word in its place, it
is `placed`: the order of those hits is not that of their scores.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from hashlib import sha256
from statistics import fmean
from typing import NamedTuple, Protocol, runtime_checkable

from whyrank.errors import BadInput, BudgetSpent, ModelUnavailable, NoRoom
from whyrank.lm.prices import Price
from whyrank.lm.rehearsal import Estimate
from whyrank.rankers.accounts import Account, Accounts
from whyrank.rankers.asking import LMReranker
from whyrank.rankers.calibration import Calibration
from whyrank.rankers.fusion import Fusion, Summands, order, standardised
from whyrank.rankers.guard import Decision, Guard, agreement, stake, summary, within_budget
from whyrank.rankers.outcome import check_depth
from whyrank.rankers.overhearing import Thought, rerank_overheard
from whyrank.rankers.verdict import SEVERITY
from whyrank.types import Calibrated, Hit, Progress, Ranking, Reranker, Status

TOP = 30
"""Candidates that stage 2 reads, as published."""


@runtime_checkable
class Rehearsed(Protocol):
    """A ranker that can say what it would ask."""

    def rehearse(
        self, rankings: Sequence[Ranking], *, depth: int | None = None, price: Price | None = None
    ) -> Estimate:
        """What reranking these lists would ask."""
        ...


class _Answer(NamedTuple):
    """What stage 2 made of a list; `ranking` is None where it was not to be had."""

    ranking: Ranking | None
    thoughts: tuple[Thought, ...] = ()
    failure: str = ""


class _Head(NamedTuple):
    """The best of a list by stage 1, and what stage 1 thinks of them.

    Attributes:
        hits: that have a score, in the order of stage 1.
        values: from 0 to 1.
        is_calibrated: whether the values are probabilities.
    """

    hits: tuple[Hit, ...]
    values: list[float]
    is_calibrated: bool


class DualStage:
    """Reranks in two stages; implements `Reranker`.

    Args:
        stage1: gives scores.
        stage2: orders lists, such as a language model that is shown windows of them.
        top: how many of the best by stage 1 are given to stage 2.
        fusion: how scores and places come to an order.
        guard: when stage 2 is asked, and when it is believed.
        calibrated: what turns the scores of stage 1 into probabilities; by default stage 1 itself, if it can.

    Raises:
        BadInput: `top` is below 2; stage 1 gives no scores; a budget for a stage 2 that cannot be rehearsed.
    """

    def __init__(
        self,
        stage1: Reranker,
        stage2: Reranker,
        *,
        top: int = TOP,
        fusion: Fusion | None = None,
        guard: Guard | None = None,
        calibrated: Calibrated | None = None,
    ) -> None:
        if top < 2:
            raise BadInput(f"top is {top}; stage 2 orders a list, so give 2 or more")
        if isinstance(stage1, LMReranker) and stage1.judge.kind != "pointwise":
            raise _scoreless(stage1.name)
        self.stage1, self.stage2, self.top = stage1, stage2, top
        self.fusion, self.guard = fusion or Fusion(), guard or Guard()
        self.calibrated = calibrated or (stage1 if isinstance(stage1, Calibrated) else None)
        self._accounts = Accounts()
        has_budget = self.guard.calls is not None or self.guard.tokens is not None
        if has_budget and not isinstance(stage2, Rehearsed):
            raise BadInput(
                f"{stage2.name} cannot say what it would ask, so it has no budget of calls or tokens; give a share"
            )

    @cached_property
    def name(self) -> str:
        """Both stages, and a fingerprint of how they are put together."""
        about = repr((self.top, self.fusion, self.guard, _name_of(self.calibrated)))
        return f"dual/{self.stage1.name}+{self.stage2.name}@{sha256(about.encode()).hexdigest()[:8]}"

    def close(self) -> None:
        """Close the stages that can be closed."""
        for stage in (self.stage1, self.stage2):
            if close := getattr(stage, "close", None):
                close()

    def rehearse(
        self, rankings: Sequence[Ranking], *, depth: int | None = None, price: Price | None = None
    ) -> Estimate:
        """What stage 2 would ask and cost at most, if it were asked about the best of every list as it stands.

        It cannot be asked about a list whose query leaves no room for documents in its context.

        Args:
            rankings: as for `rerank_many`.
            depth: as for `rerank_many`.
            price: of a token; None if unknown.

        Raises:
            BadInput: stage 2 cannot be rehearsed.
        """
        if not isinstance(self.stage2, Rehearsed):
            raise BadInput(f"{self.stage2.name} asks no language model, so there is nothing to rehearse")
        most = self.top if depth is None else min(self.top, depth)
        heads = [replace(ranking, hits=ranking.hits[:most]) for ranking in rankings if len(ranking) > 1]
        return _rehearsed(self.stage2, heads if self.guard.second == "off" else [*heads, *heads], price)

    def account(self, ranking: Ranking) -> Account | None:
        """What lies behind one of the latest rankings (`accounts.KEPT`), also where it was cut; None for any other."""
        return self._accounts.of(ranking) if ranking.ranker == self.name else None

    def rerank_many(
        self, rankings: Sequence[Ranking], *, depth: int | None = None, progress: Progress | None = None
    ) -> list[Ranking]:
        """Rerank each list: all candidates by stage 1, the best of them by both.

        What stage 2 is asked about all lists, in both orders, is asked at once.

        Args:
            rankings: candidates in first-stage order.
            depth: candidates that stage 1 reads; the rest keep their order below.
            progress: told of the work of stage 1, then of that of stage 2.

        Raises:
            BadInput: the depth is below 1; stage 1 gives no scores; stage 2 gives no permutation.
        """
        check_depth(depth)
        firsts = self.stage1.rerank_many(rankings, depth=depth, progress=progress)
        heads = [self._head(ranking) for ranking in firsts]
        decisions = self._asked_about(firsts, heads)
        open_ = [place for place, decision in enumerate(decisions) if decision.outcome == "kept"]
        lists = [self._shown(firsts[place], heads[place], second=False) for place in open_]
        if self.guard.second != "off":
            lists += [self._shown(firsts[place], heads[place], second=True) for place in open_]
        answers = self._answers(lists, progress) if lists else []
        both = {place: answers[number :: len(open_)] for number, place in enumerate(open_)}
        finished = [
            self._finished(ranking, head, decision, both.get(place, []))
            for place, (ranking, head, decision) in enumerate(zip(firsts, heads, decisions, strict=True))
        ]
        self._accounts.keep(finished)
        ranked = [ranking for ranking, _ in finished]
        if len(ranked) > 1:
            told = summary([account.decision for _, account in finished])
            ranked[0] = replace(ranked[0], notes=(*ranked[0].notes, told))  # a count of many concerns no single query
        return ranked

    def _head(self, ranking: Ranking) -> _Head:
        if any(hit.placed for hit in ranking):
            raise _scoreless(self.stage1.name)
        hits = tuple(hit for hit in ranking if hit.score is not None)[: self.top]
        scores = [hit.score for hit in hits if hit.score is not None]
        probabilities = _probabilities(self.calibrated, hits)
        if probabilities is None:
            return _Head(hits, standardised(scores), is_calibrated=False)
        return _Head(hits, probabilities, is_calibrated=True)

    def _asked_about(self, firsts: Sequence[Ranking], heads: Sequence[_Head]) -> list[Decision]:
        """For each list whether stage 2 is asked: "kept", until its answer is there; or why not."""
        decisions = [self._sure(ranking, head) for ranking, head in zip(firsts, heads, strict=True)]
        unsure = [place for place, decision in enumerate(decisions) if decision.outcome == "kept"]
        stakes = [decisions[place].stake for place in unsure]
        prices = [self._price(firsts[place], heads[place]) for place in unsure]
        taken = within_budget(self.guard, stakes, prices, len(firsts))
        for place, is_taken in zip(unsure, taken, strict=True):
            if not is_taken:
                decisions[place] = replace(decisions[place], outcome="budget")
        return decisions

    def _sure(self, ranking: Ranking, head: _Head) -> Decision:
        if len(head.hits) < 2:
            is_silent = len(ranking) > 1 and not head.hits
            return Decision("unscored" if is_silent else "short")
        at_stake = stake(head.values) if head.is_calibrated else None
        is_sure = at_stake is not None and at_stake < self.guard.least_stake
        return Decision("sure" if is_sure else "kept", at_stake)

    def _price(self, ranking: Ranking, head: _Head) -> tuple[int, int]:
        if (self.guard.calls is None and self.guard.tokens is None) or not isinstance(self.stage2, Rehearsed):
            return 0, 0
        seconds = (False,) if self.guard.second == "off" else (False, True)
        estimate = _rehearsed(self.stage2, [self._shown(ranking, head, second=second) for second in seconds])
        return estimate.calls, estimate.prompt_tokens + estimate.generated_tokens

    def _shown(self, ranking: Ranking, head: _Head, *, second: bool) -> Ranking:
        """The list that stage 2 is given: the best by stage 1, without their scores."""
        key = "\0".join([ranking.query.text, *(hit.document.id for hit in head.hits)])
        count = len(head.hits)
        places = self.guard.other_order(count, key) if second else list(range(count))
        chosen = [head.hits[place] for place in places]
        hits = [Hit(hit.document, None, hit.first_score, rank) for rank, hit in enumerate(chosen, 1)]
        return Ranking(ranking.query, tuple(hits))

    def _answers(self, lists: Sequence[Ranking], progress: Progress | None) -> list[_Answer]:
        """What stage 2 makes of the lists; where it is not to be had for all at once, each alone."""
        try:
            return [
                _checked(given, answer) for given, answer in zip(lists, self._at_once(lists, progress), strict=True)
            ]
        except (ModelUnavailable, BudgetSpent, NoRoom) as error:
            if len(lists) == 1:
                return [_Answer(None, failure=str(error))]
        return [answer for given in lists for answer in self._answers([given], None)]

    def _at_once(self, lists: Sequence[Ranking], progress: Progress | None) -> list[_Answer]:
        if isinstance(self.stage2, LMReranker) and self.stage2.showing.template.reasons:
            ranked, thoughts = rerank_overheard(self.stage2, lists, progress=progress)
            return [_Answer(*both) for both in zip(ranked, thoughts, strict=True)]
        return [_Answer(ranking) for ranking in self.stage2.rerank_many(lists, progress=progress)]

    def _finished(
        self, first: Ranking, head: _Head, decision: Decision, answers: Sequence[_Answer]
    ) -> tuple[Ranking, Account]:
        decision, orders = self._judged(head, decision, answers)
        summands: list[Summands] = []
        hits = first.hits
        if decision.outcome == "kept":
            ranks = [fmean(1 + order.index(place) for order in orders) for place in range(len(head.hits))]
            summands = self.fusion.fuse(head.values, ranks)
            fused = [replace(head.hits[place], placed=True) for place in order(summands)]
            hits = (*fused, *first.hits[len(fused) :])
        given = [answer.ranking for answer in answers if answer.ranking is not None]
        ranking = replace(
            first,
            hits=hits,
            ranker=self.name,
            status=_worst([first.status, *(one.status for one in given)], is_missing=len(given) < len(answers)),
            notes=(*first.notes, str(decision), *_told(answers)),
            usage=sum((one.usage for one in given), first.usage),
        )
        places = {hit.document.id: one for hit, one in zip(head.hits, summands, strict=bool(summands))}
        thoughts = tuple(thought for answer in answers for thought in answer.thoughts)
        return ranking, Account(decision, places, head.is_calibrated, thoughts)

    def _judged(self, head: _Head, decision: Decision, answers: Sequence[_Answer]) -> tuple[Decision, list[list[int]]]:
        """What becomes of the answers, and their orders as positions in the head."""
        if not answers:
            return decision, []
        given = [answer.ranking for answer in answers if answer.ranking is not None]
        if len(given) < len(answers):
            return replace(decision, outcome="unavailable", status="partial"), []
        status = _worst([ranking.status for ranking in given])
        decision = replace(decision, status=status)
        if not self.guard.takes(status):
            return replace(decision, outcome="unavailable" if status == "partial" else "unusable"), []
        places = {hit.document.id: place for place, hit in enumerate(head.hits)}
        orders = [[places[identifier] for identifier in ranking.ids] for ranking in given]
        if len(orders) == 1:
            return decision, orders
        decision = replace(decision, tau=agreement(*orders))
        is_firm = decision.tau is not None and decision.tau >= self.guard.agreement
        return (decision, orders) if is_firm else (replace(decision, outcome="disagrees"), [])


def _name_of(calibrated: Calibrated | None) -> object:
    """What tells one calibration from another."""
    if calibrated is None or isinstance(calibrated, Calibration):
        return calibrated
    return getattr(calibrated, "name", type(calibrated).__name__)


def _rehearsed(stage2: Rehearsed, lists: Sequence[Ranking], price: Price | None = None) -> Estimate:
    """What would be asked about the lists that leave room for documents."""
    try:
        return stage2.rehearse(lists, price=price)
    except NoRoom:
        return stage2.rehearse([given for given in lists if _leaves_room(stage2, given)], price=price)


def _leaves_room(stage2: Rehearsed, given: Ranking) -> bool:
    try:
        stage2.rehearse([given])
    except NoRoom:
        return False
    return True


def _probabilities(calibrated: Calibrated | None, hits: Sequence[Hit]) -> list[float] | None:
    """How likely each hit is relevant; None where there is no calibration, or none for candidates like these."""
    if calibrated is None:
        return None
    try:
        return [calibrated.probability(hit.score, hit.first_score) for hit in hits if hit.score is not None]
    except BadInput:
        return None


def _checked(given: Ranking, answer: _Answer) -> _Answer:
    ranking = answer.ranking
    if ranking is not None and sorted(ranking.ids) != sorted(given.ids):
        raise BadInput(
            f"query {given.query.id!r}: {ranking.ranker or 'stage 2'} was given {len(given)} documents and returned "
            f"{len(ranking)} that are not the same; a reranker returns a permutation"
        )
    return answer


def _worst(statuses: Sequence[Status], *, is_missing: bool = False) -> Status:
    return "partial" if is_missing else max(statuses, key=SEVERITY.__getitem__)


def _told(answers: Sequence[_Answer]) -> list[str]:
    """What must be known of the answers of stage 2, in which order."""
    notes: list[str] = []
    for which, answer in zip(("stage 2", "stage 2, second order"), answers, strict=False):
        told = (answer.failure,) if answer.ranking is None else answer.ranking.notes
        notes += [f"{which}: {note}" for note in told]
    return notes


def _scoreless(name: str) -> BadInput:
    return BadInput(
        f"{name} orders lists and gives no scores, which stage 1 must; take a ranker that scores, and let this one be "
        "stage 2"
    )
