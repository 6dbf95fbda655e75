"""The page at /: its files, what they may do, and a ranking as a file that can be passed on."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.staticfiles import StaticFiles
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response

from whyrank.report.html import render_html
from whyrank.report.page import asset
from whyrank.report.visible import clipped
from whyrank.serve.documented import documented
from whyrank.serve.models import Models
from whyrank.serve.reading import attended
from whyrank.serve.reasoning import explained
from whyrank.serve.routes import ranked_to_explain
from whyrank.serve.settings import Limits

STATIC = Path(__file__).with_name("static")
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"  # no string becomes markup, whatever a script tries
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
TITLE_LIMIT = 80


class Files(StaticFiles):
    """Files of the page, with its headers."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        """One of them."""
        response = super().file_response(*args, **kwargs)
        response.headers.update(HEADERS)
        return response


def show_page(app: FastAPI) -> None:
    """The page at /, and its files under /static/."""

    @app.get("/", include_in_schema=False)
    async def page() -> Response:
        return FileResponse(STATIC / "index.html", headers=HEADERS)

    @app.get("/static/report.css", include_in_schema=False)
    async def style() -> Response:
        """The page looks as the reports do."""
        return Response(asset("page.css"), media_type="text/css", headers=HEADERS)

    app.mount("/static", Files(directory=STATIC))


def report_routes(models: Models, limits: Limits) -> APIRouter:
    """The route that writes a report."""
    router = APIRouter()
    described = documented("explain")
    described |= {"summary": "The same as one self-contained HTML file", "operation_id": "report"}
    answered = {"description": "The report", "content": {"text/html": {}}}
    described["responses"] = {**described["responses"], 200: answered}

    @router.post("/v1/report", response_model=None, response_class=HTMLResponse, **described)
    async def report(request: Request) -> Response:
        body, model, _, kept = await ranked_to_explain(request, models, limits)
        reasons = await attended(explained(model, kept, body.top), request, limits)
        title = clipped(body.query, TITLE_LIMIT)
        content = render_html([replace(kept, explanations=reasons)], title=title)
        headers = {"Content-Disposition": 'attachment; filename="whyrank.html"', "X-Content-Type-Options": "nosniff"}
        return Response(content.encode(), media_type="text/html; charset=utf-8", headers=headers)

    return router
