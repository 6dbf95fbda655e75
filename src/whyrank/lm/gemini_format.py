"""The JSON that Google's Gemini interface takes and gives. Pure: requests to arguments, bodies to replies."""

import json
import math
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from whyrank.lm.adapting import Body
from whyrank.lm.base import Choose, Generate, Reply, Request
from whyrank.lm.failures import unusable
from whyrank.lm.openai_format import MOST_TOP_LOGPROBS, choice_logprobs
from whyrank.types import Usage

REFUSED = frozenset(
    {"SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "LANGUAGE", "MODEL_ARMOR", "ESCALATION"}
)


class _Camel(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel)


class Part(_Camel):
    """A piece of an answer."""

    text: str = ""
    thought: bool = False


class Content(_Camel):
    """An answer in pieces."""

    parts: list[Part] = Field(default_factory=list)


class Token(_Camel):
    """A token that could have come."""

    token: str = ""
    log_probability: float = -math.inf


class TopTokens(_Camel):
    """The likeliest in one place."""

    candidates: list[Token] = Field(default_factory=list)


class Logprobs(_Camel):
    """The likeliest in each place."""

    top_candidates: list[TopTokens] = Field(default_factory=list)


class Candidate(_Camel):
    """One answer."""

    content: Content = Content()
    finish_reason: str = "STOP"
    logprobs_result: Logprobs = Logprobs()

    def text(self, *, is_thought: bool = False) -> str:
        """What it says, or what it thought."""
        return "".join(part.text for part in self.content.parts if part.thought == is_thought)

    def finish(self) -> Literal["stop", "length", "refused"]:
        """How it ended."""
        return (
            "length" if self.finish_reason == "MAX_TOKENS" else "refused" if self.finish_reason in REFUSED else "stop"
        )


class Feedback(_Camel):
    """Why a prompt was not answered."""

    block_reason: str = ""


class Counts(_Camel):
    """The `usageMetadata`; thoughts are counted beside the answer."""

    prompt_token_count: int = 0
    cached_content_token_count: int = 0
    candidates_token_count: int = 0
    thoughts_token_count: int = 0


class Answer(_Camel):
    """What came back."""

    candidates: list[Candidate] = Field(default_factory=list)
    prompt_feedback: Feedback = Feedback()
    usage_metadata: Counts = Counts()

    def usage(self) -> Usage:
        """What it cost, in our words."""
        counts = self.usage_metadata
        return Usage(
            prompt_tokens=counts.prompt_token_count,
            cached_tokens=counts.cached_content_token_count,
            generated_tokens=counts.candidates_token_count + counts.thoughts_token_count,
            reasoning_tokens=counts.thoughts_token_count,
        )


def contents_of(request: Request) -> list[Body]:
    """The conversation, without what the system says."""
    assert not isinstance(request.prompt, str)
    roles = {"user": "user", "assistant": "model"}
    return [
        {"role": roles[message.role], "parts": [{"text": message.text}]}
        for message in request.prompt
        if message.role != "system"
    ]


def config_of(request: Request) -> Body:
    """How to answer."""
    config: Body = {"temperature": 0.0, "automatic_function_calling": {"disable": True}}
    system = "\n\n".join(
        message.text for message in request.prompt if not isinstance(message, str) and message.role == "system"
    )
    if system:
        config["system_instruction"] = system
    if isinstance(request, Choose):
        return config | {"max_output_tokens": 1, "response_logprobs": True, "logprobs": MOST_TOP_LOGPROBS}
    assert isinstance(request, Generate)
    config |= {"max_output_tokens": request.max_tokens, "temperature": request.temperature}
    if request.seed is not None:
        config["seed"] = request.seed
    if request.stop:
        config["stop_sequences"] = list(request.stop)
    if request.n > 1:
        config["candidate_count"] = request.n
    if request.schema:
        config |= {"response_mime_type": "application/json", "response_json_schema": json.loads(request.schema)}
    return config


def reply_of(body: Mapping[str, Any], request: Request) -> Reply:
    """What it says.

    Raises:
        CallFailed: it says nothing that answers the request.
    """
    try:
        answer = Answer.model_validate(body)
    except ValidationError as error:
        raise unusable(f"the server said 200 and sent no answer: {error.errors()[0]['msg']}") from None
    if not answer.candidates:
        if answer.prompt_feedback.block_reason:
            return Reply(finish="refused", usage=answer.usage())
        raise unusable("the server said 200 and sent no answer: no candidates")
    first, *rest = answer.candidates
    if isinstance(request, Choose):
        top = first.logprobs_result.top_candidates
        likely = [each for each in (top[0].candidates if top else ()) if math.isfinite(each.log_probability)]
        table = {each.token: each.log_probability for each in likely}
        return Reply(logprobs=choice_logprobs(table, request.choices), usage=answer.usage())
    return Reply(
        text=first.text(),
        others=tuple(each.text() for each in rest),
        reasoning=first.text(is_thought=True),
        finish=first.finish(),
        usage=answer.usage(),
    )
