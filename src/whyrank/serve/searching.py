"""Indexes that the settings name: which there are, and what is found in one."""

from collections.abc import Mapping
from typing import Any

from anyio import to_thread
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from whyrank.errors import unknown
from whyrank.retrieve import BM25
from whyrank.serve.answers import Json, account, placed, shown_results
from whyrank.serve.documented import documented
from whyrank.serve.models import Models
from whyrank.serve.problems import Refused
from whyrank.serve.reading import attended, check_tokens, left_s, read
from whyrank.serve.settings import Limits
from whyrank.serve.shapes import SearchBody, check_query
from whyrank.types import Query, Ranking


class Corpora:
    """Indexes by name, open as long as the server.

    Raises:
        WhyrankError: a folder is no index, or is damaged.
    """

    def __init__(self, folders: Mapping[str, str]) -> None:
        self.all = {name: BM25.load(folder) for name, folder in folders.items()}

    def named(self, name: str) -> BM25:
        """The index that a request names.

        Raises:
            Refused: there is none of this name.
        """
        if name not in self.all:
            raise Refused("not_found", str(unknown("corpus", name, self.all)), param="corpus")
        return self.all[name]


def search_routes(corpora: Corpora, models: Models, limits: Limits) -> APIRouter:
    """The routes that search."""
    router = APIRouter()

    @router.get("/v1/corpora", summary="What can be searched")
    async def listed() -> dict[str, Any]:
        data = [{"id": name, "object": "corpus", "documents": len(index)} for name, index in corpora.all.items()]
        return {"object": "list", "data": data}

    @router.post("/v1/search", response_model=None, **documented("search"))
    async def search(request: Request) -> Response:
        body = await read(request, SearchBody, limits)
        check_query(body.query)
        check_tokens(body.query, (), limits)
        index, model = corpora.named(body.corpus), models.named(body.model)
        depth = min(body.depth, limits.documents)
        found = await attended(to_thread.run_sync(_found, index, body.query, depth), request, limits)
        if body.rerank:
            tokens = check_tokens(body.query, [hit.document.full_text for hit in found], limits)
            found = await attended(model.batcher.rank(found, tokens, left_s(request)), request, limits)
        hits = placed(found, model.ranker if body.rerank else index)[: body.top_n]
        results = [
            {**shown, "document": {"text": own.hit.document.text, "title": own.hit.document.title}}
            for shown, own in zip(shown_results(hits), hits, strict=True)
        ]
        name = model.name if body.rerank else None
        head = {"id": request.state.id, "object": "search", "model": name, "corpus": body.corpus}
        return Json(head | {"results": results} | account(found))

    return router


def _found(index: BM25, query: str, depth: int) -> Ranking:
    return index.search(Query("1", query), depth)
