"""What is answered to whom: rankings, reasons, comparisons."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from whyrank.errors import WhyrankError
from whyrank.formats.json_values import dumps
from whyrank.formats.plain import plain
from whyrank.serve.answers import Json, Placed, account, placed, rerank_answer, shown_results
from whyrank.serve.documented import documented
from whyrank.serve.models import Model, Models
from whyrank.serve.observing import log_defect
from whyrank.serve.problems import Refused, refused_by
from whyrank.serve.reading import attended, check_size, left_s, read, within
from whyrank.serve.reasoning import (
    Reasons,
    check_compares,
    check_gives_reasons,
    check_points,
    compared,
    each_reason,
    explained,
    spans_of,
)
from whyrank.serve.settings import Limits
from whyrank.serve.shapes import Asking, CompareBody, ExplainBody, RerankBody, candidates
from whyrank.types import Ranking


def ranking_routes(models: Models, limits: Limits) -> APIRouter:
    """The routes that rank and say why."""
    router = APIRouter()

    async def rerank(request: Request) -> Response:
        body = await read(request, RerankBody, limits)
        model = models.named(body.model)
        if body.spans:
            check_points(model)
        found = await ranked(request, body, model, limits)
        kept = found if body.limit is None else found.top(body.limit)
        reasons = await attended(spans_of(model, kept), request, limits) if body.spans else ()
        hits = placed(found, model.ranker)[: len(kept)]
        return Json(rerank_answer(body, model.name, found, hits, request.state.id, reasons))

    for path in ("/rerank", "/v1/rerank", "/v2/rerank"):
        router.add_api_route(path, rerank, methods=["POST"], response_model=None, **documented("rerank", path))

    @router.post("/v1/explain", response_model=None, **documented("explain"))
    async def explain(request: Request) -> Response:
        body, model, found, kept = await ranked_to_explain(request, models, limits)
        hits = placed(found, model.ranker)[: len(kept)]
        if body.stream:
            reasons = within(request, each_reason(model, kept, body.top), limits)
            events = _events(request, model, found, hits, reasons)
            return StreamingResponse(events, media_type="text/event-stream", headers={"Cache-Control": "no-store"})
        explanations = {"explanations": plain(await attended(explained(model, kept, body.top), request, limits))}
        return Json(_head(request, model, "explanation") | _listed(hits) | explanations | account(found))

    @router.post("/v1/compare", response_model=None, **documented("compare"))
    async def compare(request: Request) -> Response:
        body = await read(request, CompareBody, limits)
        model = models.named(body.model)
        one, other = str(body.upper), str(body.lower)
        check_compares(model, candidates(body).ids, one, other)
        found = await ranked(request, body, model, limits)
        reason = await attended(compared(model, found, one, other), request, limits)
        pair = [own for own in placed(found, model.ranker) if own.hit.document.id in (reason.upper_id, reason.lower_id)]
        comparison = {"comparison": plain(reason)}
        return Json(_head(request, model, "comparison") | _listed(pair) | comparison | account(found))

    return router


async def ranked_to_explain(
    request: Request, models: Models, limits: Limits
) -> tuple[ExplainBody, Model, Ranking, Ranking]:
    """What a request for reasons says, who ranks, the order, and as much of it as is wanted."""
    body = await read(request, ExplainBody, limits)
    model = models.named(body.model)
    if body.top:
        check_gives_reasons(model, "top")
    found = await ranked(request, body, model, limits)
    return body, model, found, found if body.top_n is None else found.top(body.top_n)


async def ranked(request: Request, body: Asking, model: Model, limits: Limits) -> Ranking:
    """The order of what a request gave, within its deadline."""
    tokens = check_size(body, limits)
    return await attended(model.batcher.rank(candidates(body), tokens, left_s(request)), request, limits)


async def _events(
    request: Request, model: Model, found: Ranking, hits: list[Placed], reasons: AsyncIterator[Reasons]
) -> AsyncIterator[str]:
    """The ranking, the reasons of each hit as they are found, the end; an error in place of what it prevented."""
    yield _event("ranking", _head(request, model, "ranking") | _listed(hits) | account(found))
    usage = found.usage
    try:
        async for own in reasons:
            if await request.is_disconnected():
                return
            usage += own.usage
            index = hits[own.place].place
            told = {"direct": plain(own.direct), "comparison": plain(own.comparison)}
            yield _event("reasons", {"place": own.place, "index": index, **told})
    except Refused as refused:
        yield _event("error", refused.body())
    except WhyrankError as error:
        yield _event("error", refused_by(error).body())
    except Exception as error:  # noqa: BLE001 - the answer has begun: what went wrong is its last event
        log_defect(error)
        yield _event("error", Refused("internal", f"a defect of whyrank ({request.state.id})").body())
    else:
        yield _event("done", {"usage": account(replace(found, usage=usage))["usage"]})


def _event(name: str, content: Any) -> str:
    return f"event: {name}\ndata: {dumps(content)}\n\n"


def _head(request: Request, model: Model, kind: str) -> dict[str, Any]:
    return {"id": request.state.id, "object": kind, "model": model.name}


def _listed(hits: list[Placed]) -> dict[str, Any]:
    return {"results": shown_results(hits)}
