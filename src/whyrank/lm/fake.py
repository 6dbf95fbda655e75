"""A scripted language model, for tests, demonstrations and whoever builds on whyrank."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from whyrank.errors import BadInput, ModelError
from whyrank.lm.base import (
    NEEDS,
    Capability,
    Generate,
    OnReply,
    Reply,
    Request,
    Tokens,
    check_capabilities,
)
from whyrank.lm.estimate import EstimatedTokens
from whyrank.types import Usage

Scripted: TypeAlias = str | Reply | ModelError


class Fake:
    """Answers from a script.

    Args:
        script: a function from a request to its answer; or answers, given in the order in which they are asked for;
            or answers by the request's `tag`. An answer is a text, a `Reply` or a `ModelError`.
        name: what results are signed with.
        capabilities: what it claims to be able to do.
        context: most tokens of prompt and answer together.
        controls: texts that it takes for control tokens.

    Attributes:
        asked: every request so far, in order.
    """

    def __init__(
        self,
        script: Callable[[Request], Scripted] | Iterable[Scripted] | Mapping[str, Scripted],
        *,
        name: str = "fake",
        capabilities: Iterable[Capability] = tuple(Capability),
        context: int | None = None,
        tokens: Tokens | None = None,
        controls: tuple[str, ...] = (),
    ) -> None:
        self.name = name
        self.capabilities = frozenset(capabilities)
        self.context = context
        self.tokens: Tokens = tokens or EstimatedTokens()
        self.controls = controls
        self.asked: list[Request] = []
        self._answer = _script(script)

    def ask(self, requests: Sequence[Request], on_reply: OnReply | None = None) -> list[Reply | ModelError]:
        """What the script says.

        Raises:
            BadInput: a request outside its capabilities, or one that the script has no answer for.
        """
        check_capabilities(self, {NEEDS[type(request)] for request in requests}, "a request")
        replies = []
        for place, request in enumerate(requests):
            self.asked.append(request)
            answer = self._answer(request)
            reply = Reply(text=answer) if isinstance(answer, str) else answer
            if isinstance(reply, Reply):
                reply = replace(reply, usage=reply.usage + Usage(calls=1))
                if isinstance(request, Generate) and not reply.others and request.n > 1:
                    reply = replace(reply, others=(reply.text,) * (request.n - 1))
            replies.append(reply)
            if on_reply is not None:
                on_reply(place, reply)
        return replies


def _script(
    script: Callable[[Request], Scripted] | Iterable[Scripted] | Mapping[str, Scripted],
) -> Callable[[Request], Scripted]:
    if callable(script):
        return script
    if isinstance(script, Mapping):
        by_tag: dict[str, Scripted] = dict(script)

        def by_its_tag(request: Request) -> Scripted:
            if request.tag not in by_tag:
                raise BadInput(f"the script has no answer for the tag {request.tag!r}; it has {len(by_tag)} answers")
            return by_tag[request.tag]

        return by_its_tag
    answers = iter(script)

    def following(request: Request) -> Scripted:
        for answer in answers:
            return answer
        raise BadInput(f"the script is at its end, and {request.tag or 'a request'!r} wants an answer")

    return following
