"""Servers in this process, and rankers whose turns a test controls."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from threading import Event
from typing import Any, TypeVar

import httpx
from fastapi import FastAPI

from whyrank.rankers.outcome import in_order
from whyrank.types import Decomposition, Document, Progress, Query, Ranking, Usage

T = TypeVar("T")
QUERY = "why is the sky blue?"
TEXTS = [
    "The sea is blue because water absorbs red light. Bread is baked in ovens.",
    "Molecules of the air scatter blue light more than red light. That is why the sky is blue. Clouds are white.",
    "Bread goes stale when starch crystallises.",
    "",
]
PATIENCE_S = 20


class Counting:
    """A ranker that scores by length, and remembers which lists it was given together.

    `gate` holds its turns back; a query that holds "fail" fails the whole batch.
    """

    name = "counting"

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.gate = Event()
        self.begun = Event()
        self.gate.set()

    def rerank_many(
        self, rankings: Sequence[Ranking], *, depth: int | None = None, progress: Progress | None = None
    ) -> list[Ranking]:
        self.batches.append([ranking.query.text for ranking in rankings])
        self.begun.set()
        assert self.gate.wait(PATIENCE_S)
        if any("fail" in ranking.query.text for ranking in rankings):
            raise RuntimeError(rankings[0].query.text)
        return [
            in_order(r, [float(len(hit.document.text)) for hit in r], ranker=self.name, usage=Usage(documents=len(r)))
            for r in rankings
        ]


class Pointwise(Counting):
    """The same with a score that belongs to query and document: long lists may be read in pieces."""

    def score(self, query: Query, documents: Sequence[Document], first_scores: Sequence[float | None]) -> list[float]:
        return [float(len(document.text)) for document in documents]

    def decompose(
        self, query: Query, documents: Sequence[Document], first_scores: Sequence[float | None]
    ) -> list[Decomposition]:
        return [
            Decomposition(document.id, score, (), (), ())
            for document, score in zip(documents, self.score(query, documents, first_scores), strict=True)
        ]

    def floor(self, first_score: float | None) -> float:
        return 0.0


def talk(app: FastAPI, say: Callable[[httpx.AsyncClient], Awaitable[T]], **headers: bytes) -> T:
    """What `say` gives when it talks to the application."""

    async def talking() -> T:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        given = {name.encode(): value for name, value in headers.items()}
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", headers=given) as client:
            return await say(client)

    return asyncio.run(talking())


def post(app: FastAPI, path: str, body: Any = None, **headers: bytes) -> httpx.Response:
    """One request; a body in bytes is sent as it is."""
    given: dict[str, Any] = {"content": body} if isinstance(body, bytes) else {"json": body}
    return talk(app, lambda client: client.post(path, **given), **headers)


def get(app: FastAPI, path: str, **headers: bytes) -> httpx.Response:
    """One request."""
    return talk(app, lambda client: client.get(path), **headers)


def post_all(app: FastAPI, path: str, bodies: Iterable[Any]) -> list[httpx.Response]:
    """Requests at the same time."""

    async def all_of_them(client: httpx.AsyncClient) -> list[httpx.Response]:
        return list(await asyncio.gather(*(client.post(path, json=body) for body in bodies)))

    return talk(app, all_of_them)


def events(text: str) -> list[tuple[str, str]]:
    """Server-sent events: name and data."""
    found = []
    for block in text.strip().split("\n\n"):
        name, data = block.split("\n")
        found.append((name.removeprefix("event: "), data.removeprefix("data: ")))
    return found
