"""A language model that is never wrong: it knows the worth of every document, whatever the prompt."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from whyrank.lm.base import Choose, Generate, Prompt, Reply, Request
from whyrank.lm.fake import Fake
from whyrank.prompts import Template
from whyrank.rankers.matter import Shown
from whyrank.types import Ranking

_MARK = re.compile(r"worth(\d{3})x")


def candidates(worths: list[int], query: str = "which is best") -> Ranking:
    """A list whose documents are worth so much, from 0 to 999."""
    return Ranking.of(query, [f"text number {i} worth{worth:03d}x and some words" for i, worth in enumerate(worths)])


def in_order(ranking: Ranking) -> list[int]:
    """The worths of a ranking's documents, as it stands."""
    return [worth_of(text)[0] for text in (hit.document.text for hit in ranking)]


def worth_of(text: str) -> list[int]:
    """The worths that are shown in a text, each once, in order."""
    return list(dict.fromkeys(int(worth) for worth in _MARK.findall(text)))


def flat(prompt: Prompt) -> str:
    """All the words of a prompt."""
    return prompt if isinstance(prompt, str) else "\n".join(message.text for message in prompt)


@dataclass
class Oracle:
    """Answers in the form that a template asks for. Give `on_show` to the ranker, and `lm` too."""

    template: Template
    labels: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def on_show(self, shown: Shown) -> None:
        self.labels[shown.tag] = shown.labels

    @property
    def lm(self) -> Fake:
        return Fake(self.answer)

    def broken(self, at: int, answer: str | Reply) -> Fake:
        """An oracle whose answer number `at`, from 0 on, is another."""
        return Fake(_nth(self.answer, at, answer))

    def answer(self, request: Request) -> str | Reply:
        worths = worth_of(flat(request.prompt))
        labels = self.labels[request.tag]
        if isinstance(request, Choose):
            return Reply(logprobs=_likely(request, worths, self.template))
        if not isinstance(request, Generate):
            return Reply(logprobs=(-1.0 / (1 + worths[0]),) * 3)
        best_first = [labels[i] for i in sorted(range(len(worths)), key=lambda i: -worths[i])]
        match self.template.parser:
            case "ranking":
                return " > ".join(f"[{label}]" for label in best_first)
            case "json":
                return json.dumps({"ranked_passages": [{"identifier": int(label)} for label in best_first]})
            case "setwise":
                return f"<answer>[{best_first[0]}]</answer>" if self.template.labels == "numbers" else best_first[0]
            case "pairwise":
                return f"Passage {best_first[0]}"
            case "grade":
                return self.template.choices[worths[0] * len(self.template.choices) // 1000]
        return "yes" if worths[0] >= 500 else "no"


def _likely(request: Choose, worths: list[int], template: Template) -> tuple[float, ...]:
    if len(worths) == len(request.choices) > 1:
        return tuple(worth / 1000 for worth in worths)
    if len(request.choices) == 2:
        return (worths[0] / 1000, 0.0)
    return tuple(place * worths[0] / 1000 for place in range(len(request.choices)))


def _nth(answer: Callable[[Request], str | Reply], at: int, other: str | Reply) -> Callable[[Request], str | Reply]:
    count = -1

    def answered(request: Request) -> str | Reply:
        nonlocal count
        count += 1
        return other if count == at else answer(request)

    return answered
