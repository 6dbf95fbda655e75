"""Opening a language model by the name that settings give it: "openai:gpt-4.1-mini", "transformers:org/name"."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, NamedTuple

from whyrank.config import ModelSettings
from whyrank.errors import BadInput, unknown
from whyrank.lm.base import LM
from whyrank.lm.budget import Budget
from whyrank.lm.cache import Cached
from whyrank.lm.prices import Price
from whyrank.rankers import STUDENTS


class Backend(NamedTuple):
    """A way to reach a model.

    Attributes:
        target: dotted name of its class, imported only when it is asked for.
        summary: what it reaches, in a line.
        extra: the extra of whyrank that it needs.
        is_remote: whether it asks over a network; then it takes addresses, keys, retries and a budget.
    """

    target: str
    summary: str
    extra: str
    is_remote: bool


BACKENDS: Mapping[str, Backend] = {
    "openai": Backend(
        "whyrank.lm.openai:OpenAI",
        "any server that speaks OpenAI's interface: OpenAI, vLLM, SGLang, llama.cpp, Ollama, LM Studio",
        "openai",
        True,
    ),
    "anthropic": Backend("whyrank.lm.anthropic:Anthropic", "Anthropic's models", "anthropic", True),
    "gemini": Backend("whyrank.lm.gemini:Gemini", "Google's models", "gemini", True),
    "transformers": Backend(
        "whyrank.lm.transformers:Transformers",
        "weights from a folder or the Hugging Face hub, in this process",
        "hf",
        False,
    ),
    "vllm": Backend("whyrank.lm.vllm:VLLM", "weights in this process through vLLM", "vllm", False),
}
SERVERS: Mapping[str, str] = {
    "llamacpp": "http://localhost:8080/v1",
    "lmstudio": "http://localhost:1234/v1",
    "ollama": "http://localhost:11434/v1",
    "sglang": "http://localhost:30000/v1",
    "tgi": "http://localhost:8080/v1",
}
"""Servers that people name as if they were backends, and where they listen unless told otherwise."""


def open_model(settings: ModelSettings) -> LM:
    """The model that settings name, within its budget and behind its cache.

    Raises:
        UnknownName: there is no such backend.
        BadInput: a setting that the backend has no use for, or a budget of money without a price.
        MissingExtra: what the backend needs is not installed.
    """
    scheme, colon, model = settings.name.partition(":")
    if not colon or not model:
        raise BadInput(
            f"{settings.name!r} names no backend; give BACKEND:NAME, such as openai:{settings.name.strip(':')} or "
            f"transformers:FOLDER (backends: {', '.join(BACKENDS)}), or a student of whyrank: {', '.join(STUDENTS)}"
        )
    if scheme in SERVERS:
        raise BadInput(
            f"a model behind {scheme} is reached through the interface of OpenAI: openai:{model}, with its address as "
            f"url ({SERVERS[scheme]})"
        )
    if scheme not in BACKENDS:
        raise unknown("backend of language models", scheme, BACKENDS)
    backend = BACKENDS[scheme]
    module, _, attribute = backend.target.partition(":")
    _refuse_strange(settings, scheme, backend)
    opened: Callable[..., LM] = getattr(import_module(module), attribute)
    lm = opened(model, **(_remote(settings, scheme) if backend.is_remote else _local(settings, scheme)))
    if settings.cache == "off" or not backend.is_remote:  # a folder's name does not tell which weights are in it
        return lm
    return Cached(lm, None if settings.cache == "default" else settings.cache)


def _remote(settings: ModelSettings, scheme: str) -> dict[str, Any]:
    has_budget = settings.max_cost is not None or settings.max_tokens is not None
    given: dict[str, Any] = {
        "key": settings.key.reveal() if settings.key else None,
        "context": settings.context,
        "concurrency": settings.concurrency,
        "timeout_s": settings.timeout_s,
        "retries": settings.retries,
        "deadline_s": settings.deadline_s,
        "budget": Budget(settings.max_cost, settings.max_tokens) if has_budget else None,
        "prices": Price(*settings.price) if settings.price else None,
    }
    if scheme == "openai":
        given |= {"url": settings.url or None, "prefill": settings.prefill, "echo": settings.echo}
    return given


def _local(settings: ModelSettings, scheme: str) -> dict[str, Any]:
    given: dict[str, Any] = {"dtype": settings.dtype, "context": settings.context}
    if scheme == "transformers":
        given |= {"device": settings.device, "mode": settings.mode}
    return given


def _refuse_strange(settings: ModelSettings, scheme: str, backend: Backend) -> None:
    """A setting without effect would be a promise that nobody keeps."""
    only_remote = ("url", "key", "deadline_s", "max_cost", "max_tokens", "price", "cache")
    only_openai = ("url", "prefill", "echo")
    only_transformers = ("device", "mode")
    refused = [
        *(only_remote if not backend.is_remote else ()),
        *(only_openai if scheme != "openai" else ()),
        *(only_transformers if scheme != "transformers" else ()),
    ]
    # A default that a resolved copy writes out asks for nothing.
    strange = sorted(n for n in set(refused) if getattr(settings, n) != ModelSettings.model_fields[n].default)
    if strange:
        raise BadInput(f"a model of the backend {scheme!r} has no setting {', '.join(strange)}; leave it out")
