"""Listwise judges: order a window of documents, by writing the order or by the likelihood of one label."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from whyrank.errors import ModelError, UnusableReply
from whyrank.lm.base import Capability, Choose, Generate, Reply
from whyrank.prompts import Template
from whyrank.rankers import parsing
from whyrank.rankers.flow import Flow, Question
from whyrank.rankers.listwise_sorting import sliding_window
from whyrank.rankers.matter import Matter, Shown
from whyrank.rankers.parsing import Parsed
from whyrank.rankers.untidy import Policy, in_place
from whyrank.rankers.verdict import Asking, Verdict, judged, unanswered
from whyrank.rankers.writing import Answered, again, expected_likelihoods, expected_text, written
from whyrank.types import Status

TOKENS_A_LABEL = 7
"""Tokens of "[12] > " and the like, at most."""
CORRECTION = (
    "That is no ranking of all {count} passages. Answer with their identifiers alone, the most relevant first, "
    "in the form {form}."
)


@dataclass(frozen=True, slots=True)
class Written:
    """Has the model write the order (Sun et al. 2023, "RankGPT", and its descendants).

    Attributes:
        template: a listwise prompt.
        policy: what to do with an untidy answer.
        reasoning_tokens: most tokens of reasoning before the answer; 0 for models that do not reason.
    """

    template: Template
    policy: Policy = Policy()
    reasoning_tokens: int = 0
    kind: Literal["listwise"] = "listwise"
    needs: frozenset[Capability] = frozenset({Capability.GENERATE})

    @property
    def name(self) -> str:
        """Kind, prompt and way of asking."""
        return f"listwise/{self.template.name}"

    def answer_tokens(self, count: int) -> int:
        """Room for every label, and for the reasoning."""
        written = 0 if self.template.reasons else self.template.max_tokens
        return max(self._labels_tokens(count), written) + self.reasoning_tokens

    def expected(self, labels: Sequence[str]) -> Reply:
        """The labels as they stand; the reasoning as long as it may be."""
        return expected_text(" > ".join(f"[{label}]" for label in labels), self.reasoning_tokens, len(labels))

    def ask(self, matter: Matter, question: Question) -> Asking[list[int]]:
        """The order of a window."""
        shown = matter.show(question)
        count = len(question)
        request = Generate(shown.prompt, max_tokens=self.answer_tokens(count), tag=shown.tag)
        heard: list[Status] = []
        best: Parsed | None = None
        failure: ModelError | None = None
        for attempt in range(self.policy.attempts + 1):
            reply = yield from self._written(matter, request, count)
            if isinstance(reply, ModelError):
                failure = reply
                break
            parsed = heard_ranking(shown.read(reply.text), reply, count, self.template)
            heard.append(parsed.status)
            best = (
                parsed
                if best is None or (parsed.status == "ok", parsed.named) > (best.status == "ok", best.named)
                else best
            )
            if parsed.status == "ok" or not self._asks_again(parsed):
                break
            request = again(request, reply, attempt + 1, self._correction(shown))
        return (yield from self._settled(matter, question, best, failure, heard))

    def _asks_again(self, parsed: Parsed) -> bool:
        """Whether asking again comes before whatever else would settle the answer."""
        for step in self.policy.steps:
            if step == "again":
                return True
            if step in ("split", "previous") or parsed.named:
                return False
        return False

    def _settled(
        self, matter: Matter, question: Question, best: Parsed | None, failure: ModelError | None, heard: list[Status]
    ) -> Asking[list[int]]:
        """The verdict on the best answer that was heard; a later try that failed takes nothing from it."""
        as_it_was = list(range(len(question)))
        if best is None or (failure is not None and not best.named):
            verdict = unanswered(as_it_was, failure or UnusableReply("no answer"))
            return replace(verdict, heard=(*heard, *verdict.heard))
        if best.status == "ok":
            return Verdict(list(best.order), "ok", (), tuple(heard))
        for step in self.policy.steps:
            if step in ("repair", "keep") and best.named:
                heard[-1] = "repaired" if heard[-1] == "truncated" else heard[-1]
                told = ("broke off", *best.repairs) if best.status == "truncated" else best.repairs
                return Verdict(_placed(best, step), "repaired", told, tuple(heard))
            if step == "split" and len(question) > 3:
                return (yield from self._split(matter, question, best, heard))
            if step == "previous":
                break
        return Verdict(as_it_was, best.status, best.repairs, tuple(heard))

    def _written(self, matter: Matter, request: Generate, count: int) -> Answered:
        return written(matter.lm, request, self._labels_tokens(count), reasons=self.reasoning_tokens > 0)

    def _labels_tokens(self, count: int) -> int:
        return TOKENS_A_LABEL * count + 32

    def _correction(self, shown: Shown) -> str:
        first, second = (*shown.labels, *shown.labels)[:2]
        return CORRECTION.format(count=len(shown.labels), form=f"[{second}] > [{first}] > …")

    def _split(self, matter: Matter, question: Question, parsed: Parsed, heard: list[Status]) -> Asking[list[int]]:
        """The window sorted by smaller, overlapping windows of its own."""
        size = -(-2 * len(question) // 3)
        inner = replace(self, policy=replace(self.policy, steps=tuple(s for s in self.policy.steps if s != "split")))
        flow: Flow[list[int]] = sliding_window(len(question), size=size, stride=len(question) - size)
        worst: Status = "repaired"
        try:
            asked = next(flow)
            while True:
                answers = []
                for part in asked:
                    verdict = yield from inner.ask(matter, tuple(question[i] for i in part))
                    heard += verdict.heard
                    worst = verdict.status if verdict.status not in ("ok", "repaired") else worst
                    answers.append(verdict.value)
                asked = flow.send(answers)
        except StopIteration as stop:
            notes = (f"asked again in parts of {size}", *parsed.repairs)
            return Verdict(list(stop.value), worst, notes, tuple(heard))


@dataclass(frozen=True, slots=True)
class FirstLabel:
    """Orders a window by how likely each label is to come first (Gangi Reddy et al. 2024, "FIRST").

    One forward pass and no generation. Every label must be one token, which the backend checks.
    """

    template: Template
    kind: Literal["listwise"] = "listwise"
    needs: frozenset[Capability] = frozenset({Capability.LOGPROBS})

    @property
    def name(self) -> str:
        """Kind, prompt and way of asking."""
        return f"listwise-first/{self.template.name}"

    def answer_tokens(self, _count: int) -> int:
        """One token, and nothing is written."""
        return 1

    def expected(self, labels: Sequence[str]) -> Reply:
        """Each label less likely than the one before."""
        return expected_likelihoods(len(labels))

    def ask(self, matter: Matter, question: Question) -> Asking[list[int]]:
        """The order of a window."""
        shown = matter.show(question)
        [reply] = yield [Choose(shown.prompt, shown.choices(), shown.tag)]
        return judged(reply, list(range(len(question))), best_first)


def best_first(values: Sequence[float]) -> list[int]:
    """Places by descending value; equal values keep their order."""
    return sorted(range(len(values)), key=lambda place: -values[place])


def heard_ranking(text: str, reply: Reply, count: int, template: Template) -> Parsed:
    """What an answer says about `count` documents; what the backend knows of its end is heard too."""
    if reply.finish == "refused":  # whatever labels the refusal mentions
        return Parsed(tuple(range(count)), "refused", ("declines to rank",))
    parsed = parsing.ranking(text, count, labels=template.labels)
    if reply.finish == "length" and parsed.named < count:
        return replace(parsed, status="truncated")
    return parsed


def _placed(parsed: Parsed, step: str) -> list[int]:
    if step == "repair" or parsed.named == len(parsed.order):
        return list(parsed.order)
    moved = in_place(parsed.order[: parsed.named])
    return [moved.get(place, place) for place in range(len(parsed.order))]
