"""The JSON that OpenAI-compatible servers take and give. Pure: requests to bodies, bodies to replies."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, Field, ValidationError

from whyrank.errors import UnusableReply
from whyrank.lm.base import Choose, Likelihood, Message, Prompt, Reply, Request
from whyrank.lm.failures import CallFailed, unusable
from whyrank.types import Usage

MOST_TOP_LOGPROBS = 20
LISTED = 8
NO_LOGPROBS = "none, so it may not give logprobs; ask it to write instead: --config ask.scoring=generation"
TELLS_WEIGHTS = ("id", "root", "parent", "owned_by", "digest", "meta")
"""What a server says of a model that stays while its weights do. `created` is none of it: vLLM, SGLang and llama.cpp
put the time of the request there, and vLLM a number of its own into every `permission`."""
TELLS_SETTINGS = frozenset({"n_ctx"})
"""Of llama.cpp's `meta`: how the server is run, whatever the weights."""
FINISHES: Mapping[str | None, Literal["stop", "length", "refused"]] = {
    "length": "length",
    "content_filter": "refused",
    "refusal": "refused",
}


class TopToken(BaseModel):
    """A token that could have come, and how likely it was."""

    token: str
    logprob: float


class Position(TopToken):
    """One token of an answer, with the likeliest in its place."""

    top_logprobs: list[TopToken] = Field(default_factory=list)


class Logprobs(BaseModel):
    """Both forms: that of conversations (`content`) and that of plain texts (the rest)."""

    content: list[Position] | None = None
    tokens: list[str] = Field(default_factory=list)
    token_logprobs: list[float | None] = Field(default_factory=list)
    top_logprobs: list[dict[str, float] | None] | None = None
    text_offset: list[int] = Field(default_factory=list)

    def first(self) -> dict[str, float]:
        """Token → natural logarithm of its probability, in the first place of the answer."""
        pairs: Iterable[tuple[str, float]] = ()
        if self.content:
            here = self.content[0]
            pairs = [(each.token, each.logprob) for each in (*here.top_logprobs, here)]
        elif self.top_logprobs:
            pairs = (self.top_logprobs[0] or {}).items()
        table: dict[str, float] = {}
        for token, value in pairs:
            if math.isfinite(value):
                table[token] = max(value, table.get(token, -math.inf))
        return table


class Part(BaseModel):
    """A piece of a content that is given in pieces."""

    text: str = ""


class Turn(BaseModel):
    """The assistant's message."""

    content: str | list[Part] | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None


class Answer(BaseModel):
    """One of the `choices`."""

    message: Turn | None = None
    text: str | None = None
    finish_reason: str | None = None
    logprobs: Logprobs | None = None


class PromptDetails(BaseModel):
    """Of the tokens of the prompt."""

    cached_tokens: int | None = None


class AnswerDetails(BaseModel):
    """Of the tokens of the answer."""

    reasoning_tokens: int | None = None


class Counts(BaseModel):
    """The `usage`."""

    prompt_tokens: int = Field(default=0, ge=0)
    completion_tokens: int | None = Field(default=0, ge=0)
    prompt_tokens_details: PromptDetails | None = None
    completion_tokens_details: AnswerDetails | None = None

    def usage(self) -> Usage:
        """The same in our words."""
        prompt, answer = self.prompt_tokens_details, self.completion_tokens_details
        generated = self.completion_tokens or 0
        return Usage(
            prompt_tokens=self.prompt_tokens,
            cached_tokens=min((prompt.cached_tokens if prompt else 0) or 0, self.prompt_tokens),
            generated_tokens=generated,
            reasoning_tokens=min((answer.reasoning_tokens if answer else 0) or 0, generated),
        )


class Body(BaseModel):
    """What came back."""

    choices: list[Answer] = Field(min_length=1)
    usage: Counts | None = None


class Served(NamedTuple):
    """What a server says of a model.

    Attributes:
        context: most tokens of prompt and answer together; None where it does not say.
        fingerprint: of what tells one set of weights from another; "" where it says nothing.
    """

    context: int | None = None
    fingerprint: str = ""


def served_of(body: Mapping[str, Any], model: str) -> Served:
    """Read the list of models that a server gives.

    A model is found by its name, one of its aliases, or the name that Ollama makes of it; where a server has only
    one, by whatever name, it is that (llama.cpp does not look at the name).
    """
    data = body.get("data")
    cards = [card for card in data if isinstance(card, dict)] if isinstance(data, list) else []
    names = (model, f"{model}:latest")
    found = [card for card in cards if any(each in names for each in (card.get("id"), *_aliases(card)))] or cards
    if len(found) != 1:
        return Served()
    return Served(_context(found[0]), _fingerprint(found[0]))


def body_of(request: Request, model: str) -> dict[str, Any]:
    """What to send: a conversation goes to chat/completions, a text to completions."""
    body: dict[str, Any] = {"model": model, **_prompt(request.prompt)}
    if isinstance(request, Likelihood):
        text = f"{request.prompt}{request.continuation}"
        return {**body, "prompt": text, "max_tokens": 1, "temperature": 0.0, "echo": True, "logprobs": 1}
    if isinstance(request, Choose):
        body |= {"max_tokens": 1, "temperature": 0.0}
        if isinstance(request.prompt, str):
            return body | {"logprobs": MOST_TOP_LOGPROBS}
        return body | {"logprobs": True, "top_logprobs": MOST_TOP_LOGPROBS}
    body |= {"max_tokens": request.max_tokens, "temperature": request.temperature}
    if request.seed is not None:
        body["seed"] = request.seed
    if request.stop:
        body["stop"] = list(request.stop)
    if request.n > 1:
        body["n"] = request.n
    if request.schema:
        schema = {"name": "answer", "strict": True, "schema": json.loads(request.schema)}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    return body


def reply_of(body: Mapping[str, Any], request: Request) -> Reply:
    """What it says.

    Raises:
        CallFailed: it says nothing that answers the request.
    """
    try:
        read = Body.model_validate(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise unusable(f"the server said 200 and sent no answer: {where}: {first['msg']}") from None
    usage = read.usage.usage() if read.usage else Usage()
    logprobs = read.choices[0].logprobs or Logprobs()
    if isinstance(request, Choose):
        return Reply(logprobs=choice_logprobs(logprobs.first(), request.choices), usage=usage)
    if isinstance(request, Likelihood):
        assert isinstance(request.prompt, str)
        return Reply(logprobs=_continued(logprobs, len(request.prompt), len(request.continuation)), usage=usage)
    begun = prefilled(request.prompt)
    text, reasoning, finish = _written(read.choices[0], begun)
    others = tuple(_written(each, begun)[0] for each in read.choices[1 : request.n])
    return Reply(text=text, others=others, reasoning=reasoning, finish=finish, usage=usage)


def choice_logprobs(table: Mapping[str, float], choices: Sequence[str]) -> tuple[float, ...]:
    """Look the choices up among the likeliest tokens: as they are, else without spaces around.

    A choice that is not among them has the lowest value of those that are.

    Raises:
        CallFailed: none of them is.
    """
    bare: dict[str, float] = {}
    for token, value in table.items():
        bare[token.strip()] = max(value, bare.get(token.strip(), -math.inf))
    found = [table.get(choice, bare.get(choice.strip())) for choice in choices]
    if all(value is None for value in found):
        likeliest = sorted(table, key=lambda token: -table[token])[:LISTED]
        listed = ", ".join(map(repr, likeliest)) or NO_LOGPROBS
        wanted = ", ".join(map(repr, choices[:LISTED]))
        said = f"none of the choices ({wanted}) is among the tokens that the server reports: {listed}"
        raise CallFailed(UnusableReply(said), may_have_cost=True)
    lowest = min(table.values())
    return tuple(lowest if value is None else value for value in found)


def split_reasoning(text: str) -> tuple[str, str]:
    """The reasoning before an answer, as models write it that have no place of their own for it, and the answer."""
    body = text.lstrip()
    is_opened = body.startswith("<think>")
    before, is_closed, after = body.removeprefix("<think>").partition("</think>")
    if is_closed:
        return before.strip(), after.lstrip()
    return (before.strip(), "") if is_opened else ("", text)


def _aliases(card: Mapping[str, Any]) -> list[Any]:
    aliases = card.get("aliases")
    return aliases if isinstance(aliases, list) else []


def _meta(card: Mapping[str, Any]) -> dict[str, Any]:
    meta = card.get("meta")
    return meta if isinstance(meta, dict) else {}


def _context(card: Mapping[str, Any]) -> int | None:
    """As vLLM and SGLang say it, llama.cpp (of one slot), gateways; else what llama.cpp's model was trained with."""
    meta = _meta(card)
    told = (card.get("max_model_len"), meta.get("n_ctx"), card.get("context_length"), meta.get("n_ctx_train"))
    return next((each for each in told if type(each) is int and each > 0), None)


def _fingerprint(card: Mapping[str, Any]) -> str:
    told = {field: card[field] for field in TELLS_WEIGHTS if card.get(field)}
    if "meta" in told:
        told["meta"] = {field: value for field, value in _meta(card).items() if field not in TELLS_SETTINGS}
    return sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


def _prompt(prompt: Prompt) -> dict[str, Any]:
    if isinstance(prompt, str):
        return {"prompt": prompt}
    return {"messages": [_turn(message) for message in prompt]}


def _turn(message: Message) -> dict[str, str]:
    return {"role": message.role, "content": message.text}


def prefilled(prompt: Prompt) -> str:
    """What the assistant has already said, where the model is to continue it."""
    is_begun = not isinstance(prompt, str) and bool(prompt) and prompt[-1].role == "assistant"
    return prompt[-1].text if is_begun and not isinstance(prompt, str) else ""


def _written(answer: Answer, begun: str) -> tuple[str, str, Literal["stop", "length", "refused"]]:
    finish = FINISHES.get(answer.finish_reason, "stop")
    turn = answer.message
    if turn is None:
        reasoning, text = split_reasoning(answer.text or "")
        return text, reasoning, finish
    if turn.refusal:
        return turn.refusal, "", "refused"
    content = turn.content or ""
    whole = content if isinstance(content, str) else "".join(part.text for part in content)
    if begun:
        whole = whole.removeprefix(begun)  # llama.cpp says it again, others do not
    told = turn.reasoning_content or turn.reasoning or ""
    reasoning, text = ("", whole) if told else split_reasoning(whole)
    return text, told or reasoning, finish


def _continued(logprobs: Logprobs, begin: int, length: int) -> tuple[float, ...]:
    """Values of the tokens that reach into the continuation; the token that was generated after it is left out."""
    values = []
    rows = zip(logprobs.tokens, logprobs.token_logprobs, logprobs.text_offset, strict=False)
    for token, value, offset in rows:
        if offset + len(token) > begin and offset < begin + length:
            if value is None or not math.isfinite(value):
                raise unusable(f"the server reports no logprob for the token {token!r} of the continuation")
            values.append(value)
    if not values:
        raise unusable("the server reports no logprobs for the prompt (echo); build the backend without echo=True")
    return tuple(values)
