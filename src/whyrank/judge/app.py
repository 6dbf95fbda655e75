"""The page for judges: its files, what it asks of the server, and nothing that tells which system is which."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, Response

from whyrank import __version__
from whyrank.errors import WhyrankError
from whyrank.judge.assignment import Assignment, judge_name
from whyrank.judge.shown import NamedBody, SheetBody, asked_of, filled, sheet_of, view
from whyrank.judge.store import Judgements
from whyrank.judge.study import Study
from whyrank.report.page import asset
from whyrank.serve.answers import Json
from whyrank.serve.guard import Drain, Guard
from whyrank.serve.observing import Metrics
from whyrank.serve.page import HEADERS, Files
from whyrank.serve.page import STATIC as SHARED
from whyrank.serve.problems import Refused, refused_by
from whyrank.serve.reading import read
from whyrank.serve.settings import Limits

STATIC = Path(__file__).with_name("static")
LIMITS = Limits(body_bytes=100_000)


def create_app(study: Study, store: Judgements, *, judge: str = "") -> FastAPI:
    """The page and what stands behind it, as an ASGI application.

    Args:
        study: what is to be judged.
        store: where answers are kept; it is closed with the application.
        judge: the name that the page begins with; it asks for one if "".

    Raises:
        BadInput: the judge's name cannot be one, or the token is not in the environment.
    """
    served, drain = study.settings.served, Drain()
    token = served.token.reveal() if served.token else None
    preset = judge_name(judge) if judge else ""

    @asynccontextmanager
    async def closing(_: FastAPI) -> AsyncIterator[None]:
        yield
        store.close()

    app = FastAPI(title="whyrank judge", version=__version__, openapi_url=None, lifespan=closing)
    app.state.drain = drain
    app.include_router(_judging(study, store, preset))
    _show_page(app)
    app.add_middleware(Guard, drain=drain, metrics=Metrics(), token=token, hosts=served.trusted, limits=LIMITS)
    for kind in (Refused, WhyrankError, HTTPException):
        app.add_exception_handler(kind, _refuse)
    return app


def _judging(study: Study, store: Judgements, preset: str) -> APIRouter:
    router = APIRouter()
    assignment = Assignment(study)

    def given_next(judge: str) -> dict[str, Any]:
        """What a judge looks at next, and how far it went."""
        done = store.done()
        item = assignment.next(judge, done)
        return _given(judge, done, None if item is None else view(item, judge, study.settings.seed))

    def _given(judge: str, done: dict[str, set[str]], item: dict[str, Any] | None) -> dict[str, Any]:
        left = assignment.left(judge, done)
        return {"judge": judge, "done": len(done.get(judge, ())), "left": left, "item": item}

    def taken_back(judge: str) -> dict[str, Any]:
        """The item that a judge was done with last, with its answers."""
        sheet = store.take_back(judge)
        if sheet is None:
            raise Refused("invalid_request", f"there is nothing to take back: {judge!r} has answered nothing yet")
        item = study.by_id[sheet.item]
        assignment.hold(judge, item.id)
        given = _given(judge, store.done(), view(item, judge, study.settings.seed))
        return given | {"answers": filled(sheet, item, study.settings.seed)}

    def answered(body: SheetBody, judge: str) -> dict[str, Any]:
        if body.item not in study.by_id:
            raise Refused("not_found", "item: is none of this experiment; load the page anew", param="item")
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        store.put(sheet_of(body, study.by_id[body.item], judge, study.settings, at))
        return given_next(judge)

    @router.get("/v1/study")
    async def told() -> Response:
        judges = await asyncio.to_thread(store.done)
        return Json(asked_of(study.settings) | {"judge": preset, "judges": sorted(judges)})

    @router.post("/v1/next")
    async def following(request: Request) -> Response:
        judge = _name((await read(request, NamedBody, LIMITS)).judge)
        return Json(await asyncio.to_thread(given_next, judge))

    @router.post("/v1/answer")
    async def answer(request: Request) -> Response:
        body = await read(request, SheetBody, LIMITS)
        return Json(await asyncio.to_thread(answered, body, _name(body.judge)))

    @router.post("/v1/undo")
    async def undo(request: Request) -> Response:
        judge = _name((await read(request, NamedBody, LIMITS)).judge)
        return Json(await asyncio.to_thread(taken_back, judge))

    return router


def _show_page(app: FastAPI) -> None:
    @app.get("/")
    async def page() -> Response:
        return FileResponse(STATIC / "index.html", headers=HEADERS)

    @app.get("/static/report.css")
    async def style() -> Response:
        """The page looks as the reports do."""
        return Response(asset("page.css"), media_type="text/css", headers=HEADERS)

    app.mount("/static/shared", Files(directory=SHARED))
    app.mount("/static", Files(directory=STATIC))


def _name(given: str) -> str:
    try:
        return judge_name(given)
    except WhyrankError as error:
        raise Refused("invalid_request", f"judge: {error}", param="judge") from None


async def _refuse(_: Request, error: Exception) -> Response:
    if isinstance(error, HTTPException):
        error = Refused("not_found" if error.status_code == 404 else "method_not_allowed", "nothing is served here")
    if isinstance(error, WhyrankError):
        error = refused_by(error)
    assert isinstance(error, Refused)
    return Json(error.body(), error.status, error.headers)
