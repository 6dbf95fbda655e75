"""Requests drawn from the description of the server, and from what it forbids: none gets a status of 500 or above.

A few cases by default; WHYRANK_FUZZ=1000 draws as many for each route.
"""

import os
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from serving import Counting, talk

import whyrank
from whyrank.serve.app import create_app
from whyrank.serve.settings import Limits, Served, ServeSettings

CASES = int(os.environ.get("WHYRANK_FUZZ", "5"))


ROUTES = (
    *("/rerank", "/v1/rerank", "/v2/rerank", "/v1/explain", "/v1/compare", "/v1/report", "/v1/search"),
    *("/v1/corpora", "/v1/models", "/info", "/health", "/livez", "/readyz", "/metrics"),
)


@pytest.fixture(scope="module")
def app() -> Iterator[FastAPI]:
    served = (Served(ranker="evidence"), Served(name="counting"))
    rankers = {"evidence": whyrank.load("evidence", threads=1), "counting": Counting()}
    made = create_app(ServeSettings(models=served, limits=Limits(documents=50, seconds=120)), rankers=rankers)
    yield made
    made.state.models.close()


def operations(app: FastAPI) -> dict[str, Any]:
    """What the description says of each path."""
    schema: Any = schemathesis.openapi.from_dict(app.openapi())
    return {operation.path: operation for operation in (found.ok() for found in schema.get_all_operations())}


def test_every_route_is_described(app: FastAPI) -> None:
    assert sorted(operations(app)) == sorted(ROUTES)


@pytest.mark.parametrize("mode", list(GenerationMode))
@pytest.mark.parametrize("path", ROUTES)
def test_no_request_breaks_the_server(app: FastAPI, path: str, mode: GenerationMode) -> None:
    operation = operations(app)[path]
    if mode == GenerationMode.NEGATIVE and not operation.body:
        return  # where nothing goes in, nothing can be wrong

    @settings(max_examples=CASES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(operation.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        drawn = case.as_transport_kwargs(base_url="http://127.0.0.1")
        prepared = requests.Request(**{key: drawn.get(key) for key in ("method", "url", "json", "data")}).prepare()
        body = prepared.body.encode() if isinstance(prepared.body, str) else prepared.body
        answer = talk(app, lambda client: client.request(case.method, str(prepared.url), content=body))
        assert answer.status_code < 500

    ask()
