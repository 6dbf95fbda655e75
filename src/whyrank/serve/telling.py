"""What a server tells of itself: whether it lives, what it serves, how busy it is."""

from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from whyrank import __version__
from whyrank.serve.guard import Drain
from whyrank.serve.models import Model, Models
from whyrank.serve.observing import Metrics
from whyrank.serve.problems import Refused
from whyrank.serve.reasoning import gives_reasons
from whyrank.serve.settings import Limits


def telling_routes(models: Models, limits: Limits, metrics: Metrics, drain: Drain) -> APIRouter:
    """Health, models and metrics."""
    router = APIRouter()

    @router.get("/livez", summary="Whether the process lives")
    async def livez() -> dict[str, str]:
        return {"status": "ok"}

    @router.get("/health", summary="Whether requests are taken", responses=_NOT_NOW)
    @router.get("/readyz", summary="Whether requests are taken", responses=_NOT_NOW)
    async def readyz() -> dict[str, str]:
        if drain.is_begun:
            raise Refused("unavailable", "the server is stopping; ask another")
        if dead := [model.name for model in models.all if not model.batcher.is_alive]:
            raise Refused("unavailable", f"the worker of {', '.join(dead)} has ended; start the server again")
        return {"status": "ok"}

    @router.get("/v1/models", summary="What requests may name as model")
    async def listed() -> dict[str, Any]:
        return {"object": "list", "data": [_listed(name, model) for name, model in models.names.items()]}

    @router.get("/info", summary="The first model and the limits, as text-embeddings-inference tells them")
    async def info() -> dict[str, Any]:
        return _info(models, limits)

    @router.get("/metrics", summary="Figures for Prometheus", response_class=Response)
    async def figures() -> Response:
        return Response(metrics.text(), media_type="text/plain; version=0.0.4")

    return router


_NOT_NOW: dict[int | str, dict[str, Any]] = {503: {"description": "They are not: the server stops, or is broken"}}


def _listed(name: str, model: Model) -> dict[str, Any]:
    head = {"id": name, "object": "model", "created": 0, "owned_by": "whyrank"}
    return head | {"ranker": model.ranker.name, "reasons": gives_reasons(model)}


def _info(models: Models, limits: Limits) -> dict[str, Any]:
    first = models.all[0]
    labels = {"id2label": {"0": "relevance"}, "label2id": {"relevance": 0}}
    return {
        "model_id": first.name,
        "model_sha": first.ranker.name.rpartition("@")[2] or None,
        "model_dtype": "float32",
        "model_type": {"reranker": labels},
        "max_concurrent_requests": limits.waiting,
        "max_input_length": limits.tokens,
        "max_batch_tokens": limits.batch_tokens,
        "max_batch_requests": None,
        "max_client_batch_size": limits.documents,
        "auto_truncate": True,
        "tokenization_workers": 1,
        "version": __version__,
        "sha": None,
        "docker_label": None,
    }
