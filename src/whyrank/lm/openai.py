"""Any server with the interface of OpenAI: OpenAI, vLLM, SGLang, llama.cpp, Ollama, LM Studio, gateways.

Tested against llama.cpp's server and `transformers serve`; OpenAI's own service and vLLM's extensions against their
documented wire formats.
"""

import re
import threading
import time
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any, Literal

from whyrank._extras import require
from whyrank.lm.adapting import Adapting, Body, Change, without
from whyrank.lm.base import Capability, Prompt, Reply, Request, Tokens
from whyrank.lm.budget import Budget
from whyrank.lm.credentials import Key, addresses, signed
from whyrank.lm.failures import CallFailed
from whyrank.lm.limits import Limits, Timing
from whyrank.lm.openai_format import Served, body_of, prefilled, reply_of, served_of
from whyrank.lm.prices import Price, price_of
from whyrank.lm.remote import Remote
from whyrank.lm.stainless import Clients, Streamed, call

SERVICE = "https://api.openai.com/v1"
FEW_TOP_LOGPROBS = 5
LONGEST_LOOK_S = 2.0
"""For asking what a server serves, all replicas together: a server that is down costs this once."""
CONTINUED = {"add_generation_prompt": False, "continue_final_message": True}
"""What vLLM and SGLang must be told to continue the assistant's turn."""
COMMON_CONTROLS = tuple(
    "<s> </s> <unk> <pad> <bos> <eos> [INST] [/INST] [SYSTEM_PROMPT] [/SYSTEM_PROMPT] [BOS] [EOS] "
    "<|im_start|> <|im_end|> <|im_sep|> <|endoftext|> <|endofprompt|> <|begin_of_text|> <|end_of_text|> <|eot_id|> "
    "<|eom_id|> <|start_header_id|> <|end_header_id|> <|python_tag|> <|start|> <|end|> <|message|> <|channel|> "
    "<|return|> <|call|> <|user|> <|assistant|> <|system|> <|observation|> <start_of_turn> <end_of_turn> "
    "<|START_OF_TURN_TOKEN|> <|END_OF_TURN_TOKEN|> <|USER_TOKEN|> <|CHATBOT_TOKEN|> <|SYSTEM_TOKEN|> <think> </think> "
    "<｜begin▁of▁sentence｜> <｜end▁of▁sentence｜> <｜User｜> <｜Assistant｜> <tool_call> </tool_call>".split()
)
"""Control tokens of the models that such servers run. Which model it is only the server knows, so all of them."""


def _renamed(body: Body) -> Body:
    return {"max_completion_tokens" if name == "max_tokens" else name: value for name, value in body.items()}


def _fewer_logprobs(body: Body) -> Body:
    field = "top_logprobs" if "top_logprobs" in body else "logprobs"
    return body | {field: min(body[field], FEW_TOP_LOGPROBS)}


CHANGES = {
    "max_tokens": Change(re.compile("max_completion_tokens"), _renamed),
    "response_format": without("response_format", r"response_format|json_schema|structured.outputs?|grammar|json mode"),
    "temperature": without("temperature"),
    "seed": without("seed"),
    "n": without("n", r"['\"`]n['\"`]|\bn(_cmpl)? (must|is|cannot)|\bn\s*[=>]"),
    "logprobs": Change(re.compile("logprobs"), _fewer_logprobs),
}
"""Field → what to send in its place to a server that refuses it. Reasoning models of OpenAI refuse the first three."""


class OpenAI(Remote):
    """A model behind an OpenAI-compatible interface.

    What a server refuses by name it is not sent again: `response_format`, `temperature` and `seed` are left out,
    `max_tokens` becomes `max_completion_tokens` (see `adapted`).

    Args:
        model: as the server names it.
        url: where it is, such as "http://localhost:8000/v1"; several servers of the same model share the work; None
            is OpenAI's own service.
        key: API key; None reads OPENAI_API_KEY, for https addresses only. Other servers need none.
        concurrency: most calls at once, over all servers.
        timeout_s: of one call.
        retries: further tries of a call that failed in a way that may pass.
        deadline_s: of a whole `ask`.
        budget: of tokens and money.
        context: most tokens of prompt and answer together; None takes what the server says of its model.
        tokens: counts as the model does; None estimates.
        prices: of its tokens; None looks them up (extra ``prices``). A server on this machine costs nothing only if
            `Price(0, 0)` says so.
        extra_body: further fields of every request, such as ``{"top_k": 1}``.
        schema_mode: "auto" holds answers to a schema where the server takes one, "json_schema" insists, "none" never
            asks for it.
        logprobs: the server tells the likeliest tokens.
        echo: the server tells the logprobs of a prompt (vLLM, SGLang), so likelihoods can be asked for.
        prefill: the server continues the assistant's turn (vLLM, SGLang, llama.cpp).
        controls: the control tokens of the model; None takes those of all models that are common.
        timing: clock, waiting and chance.

    Raises:
        MissingExtra: openai is not installed.
        BadInput: an address or a limit makes no sense, or money is limited and the price unknown.
    """

    def __init__(
        self,
        model: str,
        *,
        url: str | Sequence[str] | None = None,
        key: str | None = None,
        concurrency: int = 8,
        timeout_s: float = 60.0,
        retries: int = 4,
        deadline_s: float | None = None,
        budget: Budget | None = None,
        context: int | None = None,
        tokens: Tokens | None = None,
        prices: Price | None = None,
        extra_body: Mapping[str, Any] | None = None,
        schema_mode: Literal["auto", "json_schema", "none"] = "auto",
        logprobs: bool = True,
        echo: bool = False,
        prefill: bool = False,
        controls: tuple[str, ...] | None = None,
        timing: Timing | None = None,
    ) -> None:
        sdk = require("openai", extra="openai", purpose="the OpenAI backend")
        urls = addresses(url, SERVICE)
        self._others = tuple(each for each in urls if each != SERVICE)
        optional = {
            Capability.LOGPROBS: logprobs,
            Capability.LIKELIHOOD: echo,
            Capability.PREFILL: prefill,
        }
        self._wire = _Wire(sdk, model, Key(key, "OPENAI_API_KEY", urls), schema_mode, dict(extra_body or {}))
        super().__init__(
            self._wire,
            name=signed("openai", model, urls, SERVICE),
            urls=urls,
            capabilities=frozenset({Capability.GENERATE, *(each for each, has in optional.items() if has)}),
            limits=Limits(concurrency, timeout_s, retries, deadline_s, budget),
            price=prices or price_of("openai" if urls == (SERVICE,) else urls[0], model),
            context=context,
            tokens=tokens,
            controls=COMMON_CONTROLS if controls is None else controls,
            timing=timing,
        )

    @property
    def context(self) -> int | None:
        """As it was given; else as the server says, which is asked once, when this is first needed."""
        return self._context if self._context is not None else self._served().context

    @context.setter
    def context(self, context: int | None) -> None:
        self._context = context

    @property
    def cache_identity(self) -> str:
        """The name, and a fingerprint of what the server says of its model; the name alone if it says nothing.

        It tells models apart by what servers show: the name, path or size of the weights (llama.cpp, vLLM, SGLang).
        It cannot tell two files of one architecture that were served from the same path, nor what Ollama pulled anew
        under an old name: then leave the cache out, or empty it.
        """
        fingerprint = self._served().fingerprint
        return f"{self.name}#{fingerprint}" if fingerprint else self.name

    def _served(self) -> Served:
        return self._wire.served(self._others)

    @property
    def adapted(self) -> frozenset[str]:
        """The fields that the server refused and is no longer sent as they were."""
        return self._wire.adapting.adapted


class _Wire:
    """Makes the calls."""

    def __init__(
        self,
        sdk: ModuleType,
        model: str,
        key: Key,
        schema_mode: Literal["auto", "json_schema", "none"],
        extra_body: dict[str, Any],
    ) -> None:
        self._sdk = sdk
        self._model = model
        self._key = key
        self._has_schema = schema_mode != "none"
        self._extra_body = extra_body
        self._clients = Clients(sdk, sdk.OpenAI, key)
        self._served: Served | None = None
        self._looking = threading.Lock()
        self.adapting = Adapting(CHANGES, frozenset({"response_format"} if schema_mode == "json_schema" else ()))

    def send(self, request: Request, url: str, timeout_s: float) -> Reply:
        """Ask one server."""
        body = body_of(request, self._model)
        if not self._has_schema:
            body.pop("response_format", None)

        def once(body: Body) -> Reply:
            return reply_of(call(self._sdk, self._create(request, url), body, timeout_s, self._key), request)

        return self.adapting.ask(body | self._extra(request.prompt), once)

    def served(self, urls: Sequence[str]) -> Served:
        """What the first of these servers that answers says of the model. They are asked once, whatever comes."""
        with self._looking:
            if self._served is None:
                self._served = self._look(urls)
            return self._served

    def close(self) -> None:
        """End its connections."""
        self._clients.close()

    def _look(self, urls: Sequence[str]) -> Served:
        ends = time.monotonic() + LONGEST_LOOK_S
        for place, url in enumerate(urls):
            share_s = (ends - time.monotonic()) / (len(urls) - place)
            timeout_s = max(share_s, LONGEST_LOOK_S / len(urls))  # what making a client took is nobody's fault
            try:
                return served_of(self._models(url, timeout_s), self._model)
            except CallFailed:
                continue
        return Served()

    def _models(self, url: str, timeout_s: float) -> dict[str, Any]:
        models = self._clients.of(url).models.with_streaming_response

        def listed(*, timeout: float, **_body: object) -> Any:
            return models.list(timeout=timeout)

        return call(self._sdk, listed, {}, timeout_s, self._key)

    def _create(self, request: Request, url: str) -> Streamed:
        client = self._clients.of(url)
        endpoint = client.completions if isinstance(request.prompt, str) else client.chat.completions
        create: Streamed = endpoint.with_streaming_response.create
        return create

    def _extra(self, prompt: Prompt) -> dict[str, Any]:
        return self._extra_body | CONTINUED if prefilled(prompt) else self._extra_body
