"""Setwise judges: which of a few documents is the best (Zhuang et al. 2024, arXiv:2310.09497; Rank-R1)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from whyrank.lm.base import Capability, Choose, Generate, Reply
from whyrank.prompts import Template
from whyrank.rankers import choices
from whyrank.rankers.flow import Question
from whyrank.rankers.listwise import best_first
from whyrank.rankers.matter import Matter
from whyrank.rankers.untidy import Policy
from whyrank.rankers.verdict import Asking, judged
from whyrank.rankers.writing import chosen, expected_likelihoods, expected_text

CORRECTION = "That names none of them. Answer with the label of the most relevant passage alone, such as {form}."

ANSWER_TOKENS = 24
"""Room for "<answer>[12]</answer>" after a thought."""


@dataclass(frozen=True, slots=True)
class LikeliestLabel:
    """Takes the label that is most likely to come next: one forward pass."""

    template: Template
    kind: Literal["setwise"] = "setwise"
    needs: frozenset[Capability] = frozenset({Capability.LOGPROBS})

    @property
    def name(self) -> str:
        """Kind, prompt and way of asking."""
        return f"setwise-logprobs/{self.template.name}"

    def answer_tokens(self, _count: int) -> int:
        """One token, and nothing is written."""
        return 1

    def expected(self, labels: Sequence[str]) -> Reply:
        """The first is the best."""
        return expected_likelihoods(len(labels))

    def ask(self, matter: Matter, question: Question) -> Asking[int]:
        """The place of the best within the question."""
        shown = matter.show(question)
        [reply] = yield [Choose(shown.prompt, shown.choices(), shown.tag)]
        return judged(reply, 0, lambda logprobs: best_first(logprobs)[0])


@dataclass(frozen=True, slots=True)
class NamedBest:
    """Has the model name the best, with or without reasoning first. Where it names none, the first stays the best."""

    template: Template
    policy: Policy = Policy()
    reasoning_tokens: int = 0
    kind: Literal["setwise"] = "setwise"
    needs: frozenset[Capability] = frozenset({Capability.GENERATE})

    @property
    def name(self) -> str:
        """Kind, prompt and way of asking."""
        return f"setwise/{self.template.name}"

    def answer_tokens(self, _count: int) -> int:
        """Room for a label, and for the reasoning."""
        return self.reasoning_tokens + (ANSWER_TOKENS if self.template.reasons else self.template.max_tokens)

    def expected(self, labels: Sequence[str]) -> Reply:
        """The first is the best; the reasoning is as long as it may be."""
        form = labels[0] if self.template.labels == "letters" else f"[{labels[0]}]"
        return expected_text(form, self.reasoning_tokens)

    def ask(self, matter: Matter, question: Question) -> Asking[int]:
        """The place of the best within the question."""
        shown = matter.show(question)
        form = shown.labels[-1] if self.template.labels == "letters" else f"[{shown.labels[-1]}]"
        verdict = yield from chosen(
            matter.lm,
            Generate(shown.prompt, max_tokens=self.answer_tokens(len(question)), tag=shown.tag),
            lambda text: choices.setwise(shown.read(text), len(question), labels=self.template.labels),
            self.policy,
            CORRECTION.format(form=form),
            reasoned_answer_tokens=ANSWER_TOKENS if self.reasoning_tokens else 0,
        )
        return verdict.of(verdict.value or 0)
