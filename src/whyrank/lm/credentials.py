"""Keys and addresses: where a key comes from, where it may go, and that nobody ever reads it."""

import os
from collections.abc import Sequence
from urllib.parse import urlsplit

from whyrank.errors import AccessDenied, BadInput
from whyrank.lm.failures import CallFailed

NO_KEY = "none"
"""Sent to servers that want no key: the SDKs insist on sending one."""


class Key:
    """An API key, read when it is first needed.

    Args:
        given: the key; None or "" reads it from the environment.
        variable: of the environment.
        urls: where it will be sent. A key from the environment goes over https only, so that one that was meant for a
            provider never reaches a server in the next room in the clear; other servers are sent "none".
    """

    def __init__(self, given: str | None, variable: str, urls: Sequence[str]) -> None:
        self._given = given or ""
        self._variable = variable
        self._is_from_environment = not given and all(url.startswith("https://") for url in urls)

    def __repr__(self) -> str:
        return "Key(…)"

    def value(self) -> str:
        """The key.

        Raises:
            CallFailed: it is in neither place.
        """
        key = self._read()
        if not key:
            raise CallFailed(
                AccessDenied(f"set {self._variable}, or name another variable with --config model.key=env:NAME"),
                is_for_all=True,
            )
        return key

    def redact(self, text: str) -> str:
        """`text` without the key, should a server repeat it."""
        key = self._read()
        return text if key in {"", NO_KEY} else text.replace(key, "[key]")

    def _read(self) -> str:
        if self._is_from_environment:
            return os.environ.get(self._variable, "").strip()
        return self._given or NO_KEY


def addresses(url: str | Sequence[str] | None, default: str) -> tuple[str, ...]:
    """The addresses of the servers, checked.

    Raises:
        BadInput: no address, one that is not http or https, or one with a user or password in it.
    """
    urls = (default,) if url is None else (url,) if isinstance(url, str) else tuple(url)
    if not urls:
        raise BadInput("no address; give url='http://…/v1', a list of them, or None for the provider's own")
    for each in urls:
        parts = urlsplit(each)
        if "@" in parts.netloc:
            raise BadInput(f"the address of {parts.hostname} holds a user or password; give it as key=…")
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise BadInput(f"{each!r} is no address of a server; give one like http://localhost:8000/v1")
    return tuple(each.rstrip("/") for each in urls)


def host(url: str) -> str:
    """The part of an address that tells a server, or a deployment on it, from others."""
    parts = urlsplit(url)
    return f"{parts.netloc}{parts.path.rstrip('/').removesuffix('/v1')}"


def signed(backend: str, model: str, urls: Sequence[str], default: str) -> str:
    """The name of a backend: its kind, its model and, where it is not the provider's own, its servers."""
    hosts = sorted({host(url) for url in urls} - {host(default)})
    return f"{backend}:{model}" + (f"@{','.join(hosts)}" if hosts else "")
