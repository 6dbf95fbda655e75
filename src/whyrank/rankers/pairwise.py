"""Pairwise judges: which of two documents is the better (Qin et al. 2023, "PRP", arXiv:2306.17563).

The algorithms ask each pair in both orders, which cancels a liking for the first.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from whyrank.lm.base import Capability, Choose, Generate, Reply
from whyrank.prompts import Template
from whyrank.rankers import choices
from whyrank.rankers.flow import Question
from whyrank.rankers.matter import Matter
from whyrank.rankers.untidy import Policy
from whyrank.rankers.verdict import Asking, judged
from whyrank.rankers.writing import chosen, expected_likelihoods, expected_text

CORRECTION = "That names neither. Answer with {first} or {second} alone."


@dataclass(frozen=True, slots=True)
class LikelierOfTwo:
    """Takes the label that is more likely to come next; equal likelihoods are a tie."""

    template: Template
    kind: Literal["pairwise"] = "pairwise"
    needs: frozenset[Capability] = frozenset({Capability.LOGPROBS})

    @property
    def name(self) -> str:
        """Kind, prompt and way of asking."""
        return f"pairwise-logprobs/{self.template.name}"

    def answer_tokens(self, _count: int) -> int:
        """One token, and nothing is written."""
        return 1

    def expected(self, labels: Sequence[str]) -> Reply:
        """The first is the better."""
        return expected_likelihoods(len(labels))

    def ask(self, matter: Matter, question: Question) -> Asking[int]:
        """+1 where the first is better, -1 the second, 0 a tie."""
        shown = matter.show(question)
        [reply] = yield [Choose(shown.prompt, self.template.choices or shown.choices(), shown.tag)]
        return judged(reply, 0, _sign)


@dataclass(frozen=True, slots=True)
class NamedBetter:
    """Has the model name the better one. Where it names none, it is a tie."""

    template: Template
    policy: Policy = Policy()
    kind: Literal["pairwise"] = "pairwise"
    needs: frozenset[Capability] = frozenset({Capability.GENERATE})

    @property
    def name(self) -> str:
        """Kind, prompt and way of asking."""
        return f"pairwise/{self.template.name}"

    def answer_tokens(self, _count: int) -> int:
        """Room for a label."""
        return self.template.max_tokens

    def expected(self, labels: Sequence[str]) -> Reply:
        """The first is the better."""
        return expected_text(f"Passage {labels[0]}")

    def ask(self, matter: Matter, question: Question) -> Asking[int]:
        """+1 where the first is better, -1 the second, 0 a tie."""
        shown = matter.show(question)
        first, second = shown.labels
        verdict = yield from chosen(
            matter.lm,
            Generate(shown.prompt, max_tokens=self.template.max_tokens, tag=shown.tag),
            choices.pairwise,
            self.policy,
            CORRECTION.format(first=first, second=second),
        )
        return verdict.of(verdict.value or 0)


def _sign(logprobs: Sequence[float]) -> int:
    first, second = logprobs
    return (first > second) - (first < second)
