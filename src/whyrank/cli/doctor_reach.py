"""What `whyrank doctor` asks elsewhere: one structured question to a language model, and a server for its models."""

import json
import time
from collections.abc import Iterator, Sequence
from http.client import HTTPException
from typing import Any, NamedTuple
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from whyrank.cli.doctor_checks import Finding
from whyrank.config import ModelSettings, Secret, Settings, load
from whyrank.errors import BadInput, ModelError, WhyrankError
from whyrank.lm.base import LM, Capability, Choose, Generate, Message

TIMEOUT_S = 20.0
"""Seconds that a model or a server has to answer, unless the settings say otherwise."""
MOST_BYTES = 1_000_000
"""Of an answer of a server that is read."""
SCHEMA = '{"type":"object","properties":{"best":{"type":"integer"}},"required":["best"],"additionalProperties":false}'
QUESTION = (
    Message(
        "user",
        "Which passage says why the sky is blue? [1] Bread is baked. [2] Air scatters blue light. "
        'Answer with a JSON object and nothing else, such as {"best": 3}.',
    ),
)
CHOICE = (Message("user", "Is the sky blue? Answer with one word, Yes or No."),)
MAX_TOKENS = 512


class Reached(NamedTuple):
    """What is looked at elsewhere: a language model, a server, and what the server wants to see."""

    model: ModelSettings | None
    server: str | None
    token: str | None


class _Given(Settings):
    model: ModelSettings | None = None
    token: Secret | None = None


def settings(model: str | None, url: Sequence[str] | None, server: str | None, config: Sequence[str] | None) -> Reached:
    """What the command line asks to look at.

    Raises:
        BadInput: settings that fit nothing, or an address that is none.
    """
    overrides = [f"model.name={json.dumps(model)}"] if model else []
    overrides += [f"model.url={json.dumps(list(url))}"] if url else []
    given = load(_Given, None, [*overrides, *(config or [])])
    if given.token is not None and server is None:
        raise BadInput("token is for a server; give --server URL, too")
    return Reached(given.model, _address(server), given.token.reveal() if given.token else None)


def of_model(given: ModelSettings) -> Iterator[Finding]:
    """Whether a language model answers, in the form that is asked for, and what it can do."""
    from whyrank.rankers.models import BACKENDS, open_model

    scheme = given.name.partition(":")[0]
    if scheme in BACKENDS and BACKENDS[scheme].is_remote:  # an answer of last week would tell nothing of today
        quick = {"cache": "off", "retries": 0, "timeout_s": min(given.timeout_s, TIMEOUT_S)}
        given = given.model_copy(update=quick)
    try:
        lm = open_model(given)
        answered = list(_structured(lm))
        yield from answered
        if all(finding.status != "broken" for finding in answered):
            yield from _likelihoods(lm)
    except WhyrankError as error:
        yield _broken("language model", str(error))


def _structured(lm: LM) -> Iterator[Finding]:
    if Capability.GENERATE not in lm.capabilities:
        yield Finding(lm.name, "answer", "told", "it writes none")
        return
    started = time.perf_counter()
    [reply] = lm.ask([Generate(QUESTION, MAX_TOKENS, schema=SCHEMA)])
    seconds = time.perf_counter() - started
    if isinstance(reply, ModelError):
        yield Finding(lm.name, "answer", "broken", str(reply))
        return
    tokens = reply.usage.prompt_tokens + reply.usage.generated_tokens
    yield Finding(lm.name, "answer", "fine", f"after {seconds:.1f} s, {tokens:,} tokens")
    if _is_as_asked(reply.text):
        yield Finding(lm.name, "JSON", "fine", "the answer has the form that was asked for")
    else:
        advice = "rankers repair or ask again; a server with structured output, or a larger model, answers in form"
        yield Finding(lm.name, "JSON", "warning", f"the answer has another form ({reply.finish})", advice)


def _likelihoods(lm: LM) -> Iterator[Finding]:
    able = ", ".join(sorted(lm.capabilities))
    context = "unknown" if lm.context is None else f"{lm.context:,} tokens"
    yield Finding(lm.name, "abilities", "told", f"{able}; context {context}")
    if Capability.LOGPROBS not in lm.capabilities:
        return
    [reply] = lm.ask([Choose(CHOICE, ("Yes", "No"))])
    if isinstance(reply, ModelError):
        advice = "rank by what it writes: --config ask.scoring=generation"
        yield Finding(lm.name, "logprobs", "warning", str(reply), advice)
    else:
        yield Finding(lm.name, "logprobs", "fine", "it says how likely an answer is")


def _is_as_asked(text: str) -> bool:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and set(value) == {"best"} and type(value["best"]) is int


def of_server(url: str, token: str | None) -> Iterator[Finding]:
    """Whether a server of whyrank takes requests, and which models it serves."""
    group = f"server {url}"
    status, said = _asked(f"{url}/readyz", token)
    if status != 200:
        yield Finding(group, "ready", "broken", said, "start it ('whyrank serve'), or name another address")
        return
    yield Finding(group, "ready", "fine", "it takes requests")
    status, said = _asked(f"{url}/v1/models", token)
    if status == 401:
        advice = "name the environment variable that holds it: --config token=env:NAME"
        yield Finding(group, "models", "broken", "it wants a token, or another one", advice)
        return
    names = _names(said) if status == 200 else None
    if names is None:
        yield Finding(group, "models", "broken", f"no list of models: {said[:200]}", "is it a server of whyrank?")
    else:
        yield Finding(group, "models", "fine", ", ".join(names) or "none")


class _Stay(HTTPRedirectHandler):
    """Follows no redirect: a token is for one server."""

    def redirect_request(self, *_args: Any) -> None:
        """Go nowhere."""


def _asked(url: str, token: str | None) -> tuple[int, str]:
    """The status and the text of an answer; 0 and what went wrong where there is none."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    try:
        with build_opener(_Stay).open(Request(url, headers=headers), timeout=TIMEOUT_S) as answer:  # noqa: S310 - checked
            return answer.status, answer.read(MOST_BYTES).decode("utf-8", "replace")
    except HTTPError as error:
        with error:
            return error.code, f"it answers {error.code}"
    except URLError as error:
        return 0, f"not reached: {error.reason}"
    except ValueError:
        return 0, "not asked: its address or the token holds characters that no header can"
    except (OSError, HTTPException) as error:
        return 0, f"not reached: {type(error).__name__}"


def _names(text: str) -> list[str] | None:
    try:
        listed: Any = json.loads(text)
        return [str(model["id"]) for model in listed["data"]]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def _address(url: str | None) -> str | None:
    if url is None:
        return None
    wrong = f"{url!r} is no address of a server; give one like http://localhost:8000"
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise BadInput(wrong) from None
    if "@" in parts.netloc:
        raise BadInput("the address of the server holds a user or password; give the token as --config token=env:NAME")
    if parts.scheme not in {"http", "https"} or not parts.hostname or len(url.split()) != 1:
        raise BadInput(wrong)
    return url.rstrip("/")


def _broken(name: str, what: str) -> Finding:
    return Finding(name, "answer", "broken", what)
