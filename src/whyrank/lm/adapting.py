"""Servers that refuse a field of a request by name: ask again without it, and remember."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from whyrank.errors import AccessDenied, ModelRejected
from whyrank.lm.base import Reply
from whyrank.lm.failures import CallFailed

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """Another way to send a field.

    Attributes:
        complaint: what a refusal that is about the field says.
        apply: makes the new body.
    """

    complaint: re.Pattern[str]
    apply: Callable[[Body], Body]


def without(field: str, complaint: str | None = None) -> Change:
    """Leave a field out."""
    return Change(
        re.compile(complaint or rf"\b{field}\b", re.IGNORECASE),
        lambda body: {name: value for name, value in body.items() if name != field},
    )


class Adapting:
    """Sends bodies as a server will take them.

    Args:
        changes: field → another way to send it.
        fixed: fields that are sent as they are, or not at all.

    Attributes:
        adapted: the fields that the server refused and is no longer sent as they were.
    """

    def __init__(self, changes: Mapping[str, Change], fixed: frozenset[str] = frozenset()) -> None:
        self._changes = {field: change for field, change in changes.items() if field not in fixed}
        self.adapted: frozenset[str] = frozenset()

    def ask(self, body: Body, send: Callable[[Body], Reply]) -> Reply:
        """Send a body; where it is refused by name, without what is refused. Only what helped is remembered.

        Raises:
            CallFailed: it is refused for another reason, or still.
        """
        adapted = self.adapted
        for field in adapted:
            body = self._changes[field].apply(body)
        while True:
            try:
                reply = send(body)
            except CallFailed as failure:
                field = self._blamed(failure, body, adapted)
                if not field:
                    raise
                adapted |= {field}
                body = self._changes[field].apply(body)
            else:
                self.adapted |= adapted
                return reply

    def _blamed(self, failure: CallFailed, body: Body, adapted: frozenset[str]) -> str:
        if isinstance(failure.error, ModelRejected) and not isinstance(failure.error, AccessDenied):
            for field, change in self._changes.items():
                if field in body and field not in adapted and change.complaint.search(str(failure.error)):
                    return field
        return ""
