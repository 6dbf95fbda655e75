"""What a language model wrote on the way to its rankings, kept with the documents that its labels meant."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from whyrank.errors import ModelError
from whyrank.lm.base import LM, OnReply, Reply, Request
from whyrank.rankers.asking import LMReranker, list_names
from whyrank.rankers.matter import Shown
from whyrank.types import Progress, Ranking


@dataclass(frozen=True, slots=True)
class Thought:
    """An answer about some documents, as it was written.

    Attributes:
        text: all of it, reasoning and ranking; of several tries, one below the other.
        named: label in the prompt → id of the document that bore it.
    """

    text: str
    named: dict[str, str]


class Overheard:
    """A language model whose answers are kept by the tag of their request.

    Args:
        lm: the model; what else it can do is asked of it.

    Attributes:
        said: tag → what was written, try by try.
    """

    def __init__(self, lm: LM) -> None:
        self._lm = lm
        self.name = lm.name
        self.capabilities = lm.capabilities
        self.context = lm.context
        self.tokens = lm.tokens
        self.controls = lm.controls
        self.said: dict[str, list[str]] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._lm, name)

    def ask(self, requests: Sequence[Request], on_reply: OnReply | None = None) -> list[Reply | ModelError]:
        """The model's replies."""
        replies = self._lm.ask(requests, on_reply)
        for request, reply in zip(requests, replies, strict=True):
            if isinstance(reply, Reply):
                self.said.setdefault(request.tag, []).append(f"{reply.reasoning}\n{reply.text}".strip())
        return replies


def rerank_overheard(
    ranker: LMReranker, rankings: Sequence[Ranking], *, progress: Progress | None = None
) -> tuple[list[Ranking], list[tuple[Thought, ...]]]:
    """The rankings, and what the model wrote about each list, window after window."""
    shown: dict[str, Shown] = {}
    heard = Overheard(ranker.lm)

    def keep(one: Shown) -> None:
        shown[one.tag] = one
        if ranker.on_show is not None:
            ranker.on_show(one)

    ranked = replace(ranker, lm=heard, on_show=keep).rerank_many(rankings, progress=progress)
    names = list_names(rankings)
    thoughts: dict[str, list[Thought]] = {name: [] for name in names}
    for tag, texts in heard.said.items():
        one = shown[tag]
        named = dict(zip(one.labels, one.ids, strict=True))
        thoughts[tag.rpartition("/")[0]].append(Thought("\n".join(texts), named))
    return ranked, [tuple(thoughts[name]) for name in names]
