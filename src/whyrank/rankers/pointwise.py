"""Pointwise judges: how relevant one document is, by the likelihood of an answer or by the answer itself.

A score depends on the model, the query and the document alone, never on its neighbours.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from whyrank.errors import ModelError
from whyrank.lm.base import Capability, Choose, Generate, Likelihood, Reply, Request
from whyrank.prompts import Template
from whyrank.rankers import choices
from whyrank.rankers.choices import Choice
from whyrank.rankers.flow import Question
from whyrank.rankers.matter import Matter
from whyrank.rankers.untidy import Policy
from whyrank.rankers.verdict import Asking, judged, unanswered
from whyrank.rankers.writing import after_thought, chosen, expected_likelihoods, expected_text

Score: TypeAlias = float | None
"""None where the model gave none: never taken for "relevant"."""
CORRECTION = "That is no judgement. Answer with {form} alone."


@dataclass(frozen=True, slots=True)
class LikelyRelevant:
    """Scores a document by what the model would answer: the likelihood of "yes", or the expected grade.

    With two choices, the first of which is the positive one, the score is the difference of their logits; with
    more, which are grades from the lowest to the highest, the expectation of the grade (Zhuang et al. 2023,
    arXiv:2310.14122).

    Attributes:
        template: a pointwise prompt with choices.
        reasoning_tokens: most tokens of reasoning before the likelihood is read (Weller et al. 2025, "Rank1"); 0
            reads it at once.
    """

    template: Template
    reasoning_tokens: int = 0
    kind: Literal["pointwise"] = "pointwise"

    @property
    def needs(self) -> frozenset[Capability]:
        """Likelihoods; reasoning is written, and then continued."""
        if not self.reasoning_tokens:
            return frozenset({Capability.LOGPROBS})
        return frozenset({Capability.LOGPROBS, Capability.GENERATE, Capability.PREFILL})

    @property
    def name(self) -> str:
        """Kind, prompt and way of asking."""
        return f"pointwise-logprobs/{self.template.name}"

    def answer_tokens(self, _count: int) -> int:
        """One token, and room for the reasoning."""
        return 1 + self.reasoning_tokens

    def expected(self, _labels: Sequence[str]) -> Reply:
        """Each choice less likely than the one before; the reasoning as long as it may be."""
        return replace(
            expected_text("", self.reasoning_tokens), logprobs=expected_likelihoods(len(self.template.choices)).logprobs
        )

    def ask(self, matter: Matter, question: Question) -> Asking[Score]:
        """The score of one document."""
        shown = matter.show(question)
        prompt = shown.prompt
        if self.reasoning_tokens:
            thinking: list[Request] = [
                Generate(prompt, max_tokens=self.reasoning_tokens, stop=("</think>",), tag=shown.tag)
            ]
            [thought] = yield thinking
            if isinstance(thought, ModelError):
                return unanswered(None, thought)
            reasoning = (thought.reasoning or thought.text).removeprefix("<think>").rstrip()
            prompt = after_thought(prompt, reasoning, end="")
        [reply] = yield [Choose(prompt, self.template.choices, shown.tag)]
        return judged(reply, None, scored)


@dataclass(frozen=True, slots=True)
class LikelyQuery:
    """Scores a document by how likely the query is to be asked of it, per token (Sachan et al. 2022, "UPR")."""

    template: Template
    kind: Literal["pointwise"] = "pointwise"
    needs: frozenset[Capability] = frozenset({Capability.LIKELIHOOD})

    @property
    def name(self) -> str:
        """Kind, prompt and way of asking."""
        return f"query-likelihood/{self.template.name}"

    def answer_tokens(self, _count: int) -> int:
        """Nothing is written; the query's own tokens are counted with the prompt."""
        return 0

    def expected(self, _labels: Sequence[str]) -> Reply:
        """A token of an even chance."""
        return expected_likelihoods(1)

    def ask(self, matter: Matter, question: Question) -> Asking[Score]:
        """The score of one document."""
        shown = matter.show(question)
        [reply] = yield [Likelihood(shown.prompt, matter.query, shown.tag)]
        return judged(reply, None, lambda logprobs: math.fsum(logprobs) / max(1, len(logprobs)))


@dataclass(frozen=True, slots=True)
class StatedRelevance:
    """Has the model say yes or no, or a grade: for models that show no likelihoods. Many documents will tie."""

    template: Template
    policy: Policy = Policy()
    kind: Literal["pointwise"] = "pointwise"
    needs: frozenset[Capability] = frozenset({Capability.GENERATE})

    @property
    def name(self) -> str:
        """Kind, prompt and way of asking."""
        return f"pointwise/{self.template.name}"

    def answer_tokens(self, _count: int) -> int:
        """Room for a judgement."""
        return self.template.max_tokens

    def expected(self, _labels: Sequence[str]) -> Reply:
        """The first of the choices."""
        return expected_text(self.template.choices[0] if self.template.choices else "yes")

    def ask(self, matter: Matter, question: Question) -> Asking[Score]:
        """The score of one document."""
        shown = matter.show(question)
        verdict = yield from chosen(
            matter.lm,
            Generate(shown.prompt, max_tokens=self.template.max_tokens, tag=shown.tag),
            self._read,
            self.policy,
            CORRECTION.format(form=self._form()),
        )
        return verdict.of(None if verdict.value is None else float(verdict.value))

    def _read(self, text: str) -> Choice:
        if self.template.parser == "grade":
            grades = [int(grade) for grade in self.template.choices]
            return choices.grade(text, lowest=min(grades), highest=max(grades))
        return choices.yes_no(text)

    def _form(self) -> str:
        return " or ".join(choice.strip() for choice in self.template.choices) or "yes or no"


def scored(logprobs: Sequence[float]) -> float:
    """A score from the likelihoods of the choices: of two their difference, of more the expected place."""
    if len(logprobs) == 2:
        positive, negative = logprobs
        return positive - negative
    highest = max(logprobs)
    weights = [math.exp(value - highest) for value in logprobs]
    return math.fsum(grade * weight for grade, weight in enumerate(weights)) / math.fsum(weights)
