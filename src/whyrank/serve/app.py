"""The application: what is served where."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from fastapi import FastAPI, Request
from fastapi.openapi.utils import get_openapi
from starlette.exceptions import HTTPException
from starlette.responses import Response

from whyrank import __version__
from whyrank.errors import WhyrankError
from whyrank.serve.answers import Json
from whyrank.serve.documented import schemas
from whyrank.serve.guard import Drain, Guard
from whyrank.serve.models import Models
from whyrank.serve.observing import Metrics
from whyrank.serve.page import report_routes, show_page
from whyrank.serve.problems import Code, Refused, refused_by
from whyrank.serve.routes import ranking_routes
from whyrank.serve.searching import Corpora, search_routes
from whyrank.serve.settings import ServeSettings
from whyrank.serve.telling import telling_routes
from whyrank.types import Reranker

TICK_S = 0.05
"""Seconds between two looks at whether the last turns have ended."""
_HTTP: Mapping[int, tuple[Code, str]] = {
    404: ("not_found", "nothing is served at this path"),
    405: ("method_not_allowed", "this path is not served to this method"),
}


def create_app(settings: ServeSettings, *, rankers: Mapping[str, Reranker] | None = None) -> FastAPI:
    """A server as an ASGI application, its models open and warm.

    Args:
        settings: what is served, and its limits.
        rankers: rankers that are open already, by the labels of the settings.

    Raises:
        WhyrankError: a model or an index cannot be opened, or the token is not in the environment.
    """
    metrics = Metrics()
    token = settings.token.reveal() if settings.token else None
    corpora = Corpora(settings.corpora)
    models = Models(settings, metrics.turned, rankers)
    drain = Drain(partial(models.close, 0.0))
    metrics.watch(models.all)

    @asynccontextmanager
    async def closing(_: FastAPI) -> AsyncIterator[None]:
        yield
        drain.begin(settings.limits.drain_s)
        models.refuse()
        while models.busy and not drain.is_over:
            await asyncio.sleep(TICK_S)
        models.close(0.0)

    app = FastAPI(
        title="whyrank",
        summary="Reranks documents and says why.",
        version=__version__,
        docs_url=None,  # its page would load scripts from elsewhere
        redoc_url=None,
        lifespan=closing,
    )
    app.state.drain, app.state.models = drain, models
    app.include_router(ranking_routes(models, settings.limits))
    app.include_router(report_routes(models, settings.limits))
    app.include_router(search_routes(corpora, models, settings.limits))
    app.include_router(telling_routes(models, settings.limits, metrics, drain))
    show_page(app)
    app.add_middleware(Guard, drain=drain, metrics=metrics, token=token, hosts=settings.trusted, limits=settings.limits)
    app.add_exception_handler(Refused, _refuse)
    app.add_exception_handler(WhyrankError, _refuse)
    app.add_exception_handler(HTTPException, _refuse)
    app.openapi = lambda: _described(app)  # type: ignore[method-assign]
    return app


async def _refuse(request: Request, error: Exception) -> Response:
    if isinstance(error, HTTPException):
        code, what = _HTTP.get(error.status_code, ("invalid_request", str(error.detail)))
        refused = Refused(code, f"{what}; /openapi.json lists what is served")
        return Json(refused.body(), refused.status, error.headers)
    if isinstance(error, WhyrankError):
        error = refused_by(error)
    assert isinstance(error, Refused)
    body = error.body(tei=request.state.is_tei, infinity=request.state.is_infinity)
    return Json(body, error.status, error.headers)


def _described(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        found = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
        found.setdefault("components", {}).setdefault("schemas", {}).update(schemas())
        found["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        app.openapi_schema = found
    return app.openapi_schema
