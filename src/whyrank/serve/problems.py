"""Refusals: which status they have, which field they point at, and how each dialect reads them.

{"message", "detail", "error": {"message", "type", "param", "code"}}     Cohere, Voyage and Jina, OpenAI
{"error", "error_type", "message", "detail"}                             text-embeddings-inference
{"detail": [{"loc", "msg", "type"}], "message", "error"} with 422        Infinity

No body of a request gets a status of 500 or above, and no message quotes a text of one.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

from pydantic import ValidationError

from whyrank.errors import BadInput, BudgetSpent, ModelError, ModelUnavailable, UnknownName, WhyrankError

Code: TypeAlias = Literal[
    "invalid_request",
    "unauthorized",
    "forbidden",
    "not_found",
    "method_not_allowed",
    "timeout",
    "too_large",
    "overloaded",
    "model_error",
    "unavailable",
    "internal",
]
STATUS: Mapping[Code, int] = {
    "invalid_request": 422,
    "unauthorized": 401,
    "forbidden": 403,
    "not_found": 404,
    "method_not_allowed": 405,
    "timeout": 504,
    "too_large": 413,
    "overloaded": 429,
    "model_error": 502,
    "unavailable": 503,
    "internal": 500,
}
_OPENAI: Mapping[Code, str] = {
    "unauthorized": "authentication_error",
    "overloaded": "rate_limit_error",
    "timeout": "timeout_error",
    "model_error": "server_error",
    "unavailable": "server_error",
    "internal": "server_error",
}
_TEI: Mapping[Code, str] = {
    "overloaded": "Overloaded",
    "timeout": "Overloaded",
    "model_error": "Backend",
    "unavailable": "Unhealthy",
    "internal": "Backend",
}
SHOWN = 3
"""Problems of a body that one answer names."""


class Refused(Exception):
    """A request that gets no ranking.

    Attributes:
        code: why.
        message: what was given, what is accepted, what to do.
        param: the field it is about, as ``documents[3].text``.
        retry_s: seconds after which it is worth another try.
    """

    def __init__(self, code: Code, message: str, *, param: str | None = None, retry_s: float | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.param, self.retry_s = code, message, param, retry_s

    @property
    def status(self) -> int:
        """The status of HTTP."""
        return STATUS[self.code]

    @property
    def headers(self) -> dict[str, str]:
        """Headers that belong to it."""
        headers = {"WWW-Authenticate": "Bearer"} if self.code == "unauthorized" else {}
        if self.retry_s is not None:
            headers["Retry-After"] = str(max(1, math.ceil(self.retry_s)))
        return headers

    def body(self, *, tei: bool = False, infinity: bool = False) -> dict[str, Any]:
        """What the client reads."""
        told: dict[str, Any] = {"message": self.message, "detail": self.message}
        if infinity and self.code == "invalid_request":  # of all others it reads the whole body as a text
            place = ["body"] if self.param is None else ["body", self.param]
            told["detail"] = [{"loc": place, "msg": self.message, "type": self.code}]
        if tei:
            return {"error": self.message, "error_type": _TEI.get(self.code, "Validation"), **told}
        kind = _OPENAI.get(self.code, "invalid_request_error")
        return {**told, "error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}}


def refused_by(error: WhyrankError) -> Refused:
    """The refusal that an error of the library stands for.

    A message of the library may quote an id or a name from the request; whoever sent it may read it.
    """
    if isinstance(error, UnknownName):
        return Refused("not_found", str(error))
    if isinstance(error, BadInput):
        return Refused("invalid_request", str(error))
    if isinstance(error, ModelUnavailable | BudgetSpent):
        return Refused("unavailable", str(error), retry_s=None if isinstance(error, BudgetSpent) else 5)
    return Refused("model_error" if isinstance(error, ModelError) else "internal", str(error))


def refused_body(error: ValidationError) -> Refused:
    """The refusal of a body that does not have the shape it should; it points at the first wrong field."""
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    told = [f"{pointer(p['loc'])}: {_lowered(p['msg'].removeprefix('Value error, '))}" for p in problems[:SHOWN]]
    if len(problems) > SHOWN:
        told.append(f"and {len(problems) - SHOWN:,} more")
    return Refused("invalid_request", "; ".join(told), param=pointer(problems[0]["loc"]))


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:]


def pointer(place: Sequence[int | str]) -> str:
    """Where in a body something stands.

    >>> pointer(("documents", 3, "text"))
    'documents[3].text'
    """
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    return "".join(parts).removeprefix(".") or "body"
