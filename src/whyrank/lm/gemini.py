"""Gemini, through Google's interface.

Tested against its documented wire format, not against the service.
"""

import json
import math
import re
import threading
import time
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

from whyrank._extras import require
from whyrank.lm.adapting import Adapting, Body, without
from whyrank.lm.base import Capability, Reply, Request, Tokens
from whyrank.lm.budget import Budget
from whyrank.lm.credentials import Key, addresses, signed
from whyrank.lm.failures import CallFailed, bad_status, no_connection, too_slow
from whyrank.lm.gemini_format import config_of, contents_of, reply_of
from whyrank.lm.limits import Limits, Timing
from whyrank.lm.prices import Price, is_loopback, price_of
from whyrank.lm.remote import Remote
from whyrank.lm.stainless import json_object

SERVICE = "https://generativelanguage.googleapis.com"
CHANGES = {
    "response_json_schema": without("response_json_schema", "responseJsonSchema|response_json_schema|JSON mode"),
    "candidate_count": without("candidate_count", "candidateCount|candidate_count|multiple candidates"),
    "seed": without("seed"),
}
_DELAY = re.compile(r'"retryDelay":\s*"([\d.]+)s"')


class Gemini(Remote):
    """A model behind Google's Gemini interface. It takes conversations only.

    An answer that drips in slowly is ended by the deadline, not by the time-out: the SDK does not hand it on in parts.

    Args:
        model: as Google names it.
        url: where it is; None is Google's own service.
        key: API key; None reads GEMINI_API_KEY, for https addresses only.
        concurrency: most calls at once.
        timeout_s: of one call.
        retries: further tries of a call that failed in a way that may pass.
        deadline_s: of a whole `ask`.
        budget: of tokens and money.
        context: most tokens of prompt and answer together.
        tokens: counts as the model does; None estimates.
        prices: of its tokens; None looks them up (extra ``prices``).
        extra_body: further fields of every request, such as ``{"generationConfig": {"thinkingConfig": {…}}}``.
        logprobs: the model tells the likeliest tokens; not all do.
        timing: clock, waiting and chance.

    Raises:
        MissingExtra: google-genai is not installed.
        BadInput: an address or a limit makes no sense, or money is limited and the price unknown.
    """

    takes_texts = False

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
        logprobs: bool = False,
        timing: Timing | None = None,
    ) -> None:
        sdk = require("google.genai", extra="gemini", purpose="the Gemini backend")
        urls = addresses(url, SERVICE)
        super().__init__(
            _Wire(sdk, model, Key(key, "GEMINI_API_KEY", urls), dict(extra_body or {})),
            name=signed("gemini", model, urls, SERVICE),
            urls=urls,
            capabilities=frozenset({Capability.GENERATE} | ({Capability.LOGPROBS} if logprobs else set())),
            limits=Limits(concurrency, timeout_s, retries, deadline_s, budget),
            price=prices or price_of("google" if urls == (SERVICE,) else urls[0], model),
            context=context,
            tokens=tokens,
            timing=timing,
        )


class _Wire:
    """Makes the calls."""

    def __init__(self, sdk: ModuleType, model: str, key: Key, extra_body: dict[str, Any]) -> None:
        self._sdk = sdk
        self._model = model
        self._key = key
        self._extra_body = extra_body
        self._adapting = Adapting(CHANGES)
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()

    def send(self, request: Request, url: str, timeout_s: float) -> Reply:
        """Ask one server."""
        client = self._client(url)
        options = {"timeout": math.ceil(timeout_s * 1000), "extra_body": self._extra_body or None}

        def once(config: Body) -> Reply:
            config |= {"http_options": options, "should_return_http_response": True}
            return reply_of(self._call(client, request, config, timeout_s), request)

        return self._adapting.ask(config_of(request), once)

    def close(self) -> None:
        """End its connections."""
        with self._lock:
            clients, self._clients = list(self._clients.values()), {}
        for client in clients:
            client.close()

    def _client(self, url: str) -> Any:
        key = self._key.value()
        with self._lock:
            if url not in self._clients:
                options = {"base_url": url, "client_args": {"trust_env": not is_loopback(url)}}
                self._clients[url] = self._sdk.Client(vertexai=False, api_key=key, http_options=options)
            return self._clients[url]

    def _call(self, client: Any, request: Request, config: Body, timeout_s: float) -> dict[str, Any]:
        try:
            response = client.models.generate_content(model=self._model, contents=contents_of(request), config=config)
        except self._sdk.errors.APIError as error:
            raise _failed(error.code, self._key.redact(json.dumps(error.details)), error.response) from None
        except Exception as error:
            if not type(error).__module__.startswith("httpx"):  # the SDK passes on what its HTTP library raises
                raise
            if "Timeout" in type(error).__name__:
                raise too_slow(timeout_s) from None
            raise no_connection(str(error), was_sent=type(error).__name__ != "ConnectError") from None
        return json_object(response.sdk_http_response.body or "", self._key)


def _failed(status: int, said: str, response: Any) -> CallFailed:
    """Google says 400 to a wrong key, and tells in the body when to come back."""
    headers = dict(getattr(response, "headers", {}))
    if delay := _DELAY.search(said):
        headers["retry-after"] = delay[1]
    return bad_status(401 if "API_KEY_INVALID" in said else status, said, headers, time.time())
