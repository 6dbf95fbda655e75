"""What can be asked of a language model, and what comes back.

A backend takes a batch of requests and gives one reply, or one error, for each, in order. An error is a value in
the place of its reply, so that one request that fails loses no other; it is never a text, so that it can never be
read as an answer.

    Generate     write a text
    Choose       how likely is each of a few next tokens
    Likelihood   how likely is this continuation
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Protocol, TypeAlias, runtime_checkable

from whyrank.errors import BadInput, ModelError
from whyrank.types import Usage


class Capability(StrEnum):
    """What a backend can do with a model."""

    GENERATE = "generate"
    """It answers `Generate`."""
    LOGPROBS = "logprobs"
    """It answers `Choose`."""
    LIKELIHOOD = "likelihood"
    """It answers `Likelihood`."""
    PREFILL = "prefill"
    """A prompt may end with the beginning of the assistant's turn, which the model continues."""
    ATTENTION = "attention"
    """It can show where the model looks."""


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    text: str


Prompt: TypeAlias = str | tuple[Message, ...]
"""A text that the model continues as it is, or a conversation that is put into the form the model was trained on.

A conversation that ends with an assistant's message is continued within that message (`Capability.PREFILL`).
"""


@dataclass(frozen=True, slots=True)
class Generate:
    """Write an answer.

    Attributes:
        prompt: what to answer.
        max_tokens: most tokens of the answer, reasoning included.
        temperature: 0 is greedy.
        seed: of the sampling; None leaves it to the backend.
        stop: texts at which it stops; they are no part of the answer.
        schema: a JSON schema (as JSON text) that the answer must follow, where the backend can hold it to one.
        n: how many answers.
        tag: who asks, such as "query id/number of the question": for replays and logs; never shown to the model, and
            no part of what a cache goes by.
    """

    prompt: Prompt
    max_tokens: int = 256
    temperature: float = 0.0
    seed: int | None = None
    stop: tuple[str, ...] = ()
    schema: str = ""
    n: int = 1
    tag: str = ""


@dataclass(frozen=True, slots=True)
class Choose:
    """How likely is each of a few texts, of one token each, to come next?"""

    prompt: Prompt
    choices: tuple[str, ...]
    tag: str = ""


@dataclass(frozen=True, slots=True)
class Likelihood:
    """How likely is each token of a continuation?"""

    prompt: Prompt
    continuation: str
    tag: str = ""


Request: TypeAlias = Generate | Choose | Likelihood
NEEDS = {Generate: Capability.GENERATE, Choose: Capability.LOGPROBS, Likelihood: Capability.LIKELIHOOD}
"""Kind of request → what a backend must be able to do."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model answered.

    Attributes:
        text: the answer (`Generate`), without its reasoning where the backend tells the two apart.
        others: further answers, where more than one was asked for.
        reasoning: what the model thought before it answered, where the backend tells.
        finish: "stop", it had said all; "length", it was cut off; "refused", the provider or the model declined.
        logprobs: `Choose`: one a choice, up to a constant that they share, so that differences and a softmax over the
            choices mean something and single values do not. A choice that the backend did not report has the lowest
            value that it did. `Likelihood`: natural logarithm, one a token of the continuation.
        usage: what this reply cost; a reply from a cache cost nothing.
    """

    text: str = ""
    others: tuple[str, ...] = ()
    reasoning: str = ""
    finish: Literal["stop", "length", "refused"] = "stop"
    logprobs: tuple[float, ...] = ()
    usage: Usage = Usage()


OnReply: TypeAlias = Callable[[int, Reply | ModelError], None]
"""Called with (place in the batch, reply or error) as each arrives, on any thread, one at a time."""


class Tokens(Protocol):
    """Counts and cuts in tokens of a model."""

    @property
    def is_exact(self) -> bool:
        """False for an estimate, which errs towards more tokens."""
        ...

    def count(self, text: str) -> int:
        """Number of tokens."""
        ...

    def cut(self, text: str, limit: int) -> str:
        """The longest beginning of `text` with at most `limit` tokens; a prefix of `text`, character for character."""
        ...


@runtime_checkable
class LM(Protocol):
    """A language model that can be asked."""

    @property
    def name(self) -> str:
        """Backend and model, such as "openai:gpt-4.1-mini": what results are signed with."""
        ...

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What it can do; checked when a ranker is built, not when it runs."""
        ...

    @property
    def context(self) -> int | None:
        """Most tokens of prompt and answer together; None where nobody knows."""
        ...

    @property
    def tokens(self) -> Tokens:
        """Counts and cuts as the model does, or estimates."""
        ...

    @property
    def controls(self) -> tuple[str, ...]:
        """Texts that the model's tokenizer reads as control tokens; they never come from a document."""
        ...

    def ask(self, requests: Sequence[Request], on_reply: OnReply | None = None) -> list[Reply | ModelError]:
        """One reply or error for each request, in order; returns when all are there.

        Raises:
            BadInput: a request that this backend can never answer (a choice that is not one token, a kind of
                request outside its capabilities): a mistake of the program, not of the model.
        """
        ...


def check_capabilities(lm: LM, needed: Iterable[Capability], purpose: str) -> None:
    """Refuse a model that cannot do what `purpose` needs.

    Raises:
        BadInput: what is missing, and what the model can do.
    """
    missing = sorted(set(needed) - lm.capabilities)
    if missing:
        raise BadInput(
            f"{purpose} needs a model that gives {', '.join(missing)}; {lm.name} gives "
            f"{', '.join(sorted(lm.capabilities)) or 'nothing'}"
        )
