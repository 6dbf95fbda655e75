"""Refusals: their status, the field they point at, their form in each dialect, and that nothing else gets out."""

import asyncio
import json
import logging
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from serving import PATIENCE_S, QUERY, TEXTS, Counting, events, get, post, talk

from whyrank.config import Secret
from whyrank.errors import AccessDenied, BudgetSpent, Corrupt, ModelUnavailable
from whyrank.serve.app import create_app
from whyrank.serve.problems import Refused, refused_by
from whyrank.serve.settings import Limits, Served, ServeSettings
from whyrank.types import Ranking

BODY = {"query": QUERY, "documents": TEXTS}


def served(ranker: Counting, limits: Limits | None = None, **settings: Any) -> FastAPI:
    models = (Served(name="counting", aliases=("length",)),)
    given = ServeSettings(models=models, limits=limits or Limits(), **settings)
    return create_app(given, rankers={"counting": ranker})


@pytest.fixture
def ranker() -> Counting:
    return Counting()


@pytest.fixture
def app(ranker: Counting) -> Iterator[FastAPI]:
    made = served(ranker, Limits(body_bytes=20_000, documents=10, query_tokens=100, tokens=2_000))
    yield made
    ranker.gate.set()
    made.state.models.close()


WRONG: list[tuple[Any, int, str | None]] = [
    (b"", 422, None),
    (b"null", 422, None),
    (b"[]", 422, None),
    (b"\xff{}", 422, None),
    (b"[" * 15_000, 422, None),
    (b'{"query": ' + b"9" * 5_000 + b"}", 422, None),
    (b'{"query": "a", "documents": [], "scores": [NaN]}', 422, None),
    ({}, 422, "query"),
    ({"query": QUERY}, 422, "body"),
    ({**BODY, "texts": []}, 422, "body"),
    ({**BODY, "query": ""}, 422, "query"),
    ({**BODY, "query": " \n"}, 422, "query"),
    ({**BODY, "query": None}, 422, "query"),
    ({**BODY, "query": {"text": "a"}}, 422, "query"),
    ({**BODY, "documents": "text"}, 422, "documents"),
    ({**BODY, "documents": ["a", 7]}, 422, "documents[1]"),
    ({**BODY, "documents": ["a", {"title": "b"}]}, 422, "documents[1].text"),
    ({**BODY, "documents": [{"text": "a", "title": []}]}, 422, "documents[0].title"),
    ({"query": "a", "texts": [None]}, 422, "texts[0]"),
    ({**BODY, "top_n": 0}, 422, "top_n"),
    ({**BODY, "top_n": True}, 422, "top_n"),
    ({**BODY, "top_k": "3"}, 422, "top_k"),
    ({**BODY, "top_n": 1e300}, 422, "top_n"),
    ({**BODY, "scores": [1.0]}, 422, "scores"),
    ({**BODY, "scores": [1, 2, 3, "4"]}, 422, "scores[3]"),
    ({**BODY, "scores": [1, 2, 3, 10**400]}, 422, "scores[3]"),
    ({**BODY, "return_documents": "yes"}, 422, "return_documents"),
    ({**BODY, "model": "lenght"}, 404, "model"),
    ({**BODY, "model": "../etc/passwd"}, 404, "model"),
    ({**BODY, "documents": ["a"] * 11}, 413, "documents"),
    ({**BODY, "documents": ["a" * 9_000]}, 413, "documents"),
    ({**BODY, "query": "a" * 400}, 413, "query"),
    (b" " * 20_001, 413, None),
]


@pytest.mark.parametrize(("body", "status", "param"), WRONG)
def test_a_wrong_body_is_pointed_at(app: FastAPI, body: Any, status: int, param: str | None) -> None:
    refused = post(app, "/v1/rerank", body)
    told = refused.json()
    assert (refused.status_code, told.get("error_type")) == (status, "Validation" if "texts" in str(body) else None)
    assert told["message"] == told["detail"] != ""
    if "error_type" not in told:
        assert (told["error"]["param"], told["error"]["message"]) == (param, told["message"])
        assert told["error"]["type"] == "invalid_request_error"


def test_near_matches_of_a_model(app: FastAPI) -> None:
    assert "did you mean length?" in post(app, "/rerank", {**BODY, "model": "lenght"}).json()["message"]


@pytest.mark.parametrize(
    "text", ["\x00", "\ud800", "\udfff\ud800", "<script>alert(1)</script>", "\u202e", "😀" * 9, "a" * 900]
)
def test_strange_texts_are_ranked(app: FastAPI, text: str) -> None:
    body = {
        "query": f"q {text}"[:250],
        "documents": [text, {"text": text, "title": text[:9]}],
        "return_documents": True,
    }
    answer = post(app, "/rerank", json.dumps(body).encode())
    assert answer.status_code == 200
    assert {result["document"]["text"] for result in answer.json()["results"]} == {text}
    asked = {**body, "model": text[:20], "upper": text, "lower": text}
    for path in ("/rerank", "/v1/explain", "/v1/compare", "/v1/search"):
        assert post(app, path, json.dumps({**asked, "corpus": text}).encode()).status_code in {404, 422}


def test_a_defect_tells_neither_client_nor_log_a_text(app: FastAPI, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    refused = post(app, "/rerank", {**BODY, "query": "fail PRIVATE"})
    told = refused.json()
    assert (refused.status_code, told["error"]["code"]) == (500, "internal")
    assert refused.headers["x-request-id"] in told["message"]
    post(app, "/rerank?q=PRIVATE", {**BODY, "query": "PRIVATE", "documents": ["PRIVATE"], "model": "PRIVATE"})
    assert post(app, "/PRIVATE", BODY).status_code == 404
    log = "\n".join(caplog.handler.format(record) for record in caplog.records if record.name.startswith("whyrank"))
    told_all = log + refused.text + get(app, "/metrics").text
    assert "RuntimeError" in log
    assert refused.headers["x-request-id"] in log
    assert "PRIVATE" not in told_all


def test_other_paths_and_methods(app: FastAPI) -> None:
    assert (get(app, "/nowhere").status_code, get(app, "/nowhere").json()["error"]["code"]) == (404, "not_found")
    refused = get(app, "/rerank")
    assert (refused.status_code, refused.headers["allow"]) == (405, "POST")


def test_overload_is_told_with_when_to_come_back(ranker: Counting) -> None:
    app = served(ranker, Limits(waiting=1))

    async def act(client: httpx.AsyncClient) -> None:
        ranker.gate.clear()
        first = asyncio.ensure_future(client.post("/rerank", json=BODY))
        await asyncio.to_thread(ranker.begun.wait, PATIENCE_S)
        second = asyncio.ensure_future(client.post("/rerank", json=BODY))
        while app.state.models.all[0].batcher.waiting[0] < 1:
            await asyncio.sleep(0)
        third = await client.post("/rerank", json=BODY)
        assert (third.status_code, third.headers["retry-after"]) == (429, "1")
        assert third.json()["error"]["type"] == "rate_limit_error"
        tei = await client.post("/rerank", json={"query": QUERY, "texts": TEXTS})
        assert (tei.status_code, tei.json()["error_type"]) == (429, "Overloaded")
        assert (await client.get("/health")).status_code == 200
        ranker.gate.set()
        assert [(await answer).status_code for answer in (first, second)] == [200, 200]

    talk(app, act)
    app.state.models.close()


def test_only_so_many_requests_are_under_way(ranker: Counting) -> None:
    app = served(ranker, Limits(under_way=1))

    async def act(client: httpx.AsyncClient) -> None:
        ranker.gate.clear()
        first = asyncio.ensure_future(client.post("/rerank", json=BODY))
        await asyncio.to_thread(ranker.begun.wait, PATIENCE_S)
        assert (await client.post("/rerank", json=BODY)).status_code == 429
        assert (await client.get("/livez")).status_code == 200
        ranker.gate.set()
        assert (await first).status_code == 200

    talk(app, act)
    app.state.models.close()


def test_a_late_answer_is_504(ranker: Counting) -> None:
    app = served(ranker, Limits(seconds=0.05))
    ranker.gate.clear()
    refused = post(app, "/rerank", BODY)
    assert (refused.status_code, refused.json()["error"]["type"]) == (504, "timeout_error")
    ranker.gate.set()
    app.state.models.close()


def test_while_it_drains_nothing_new_is_taken(app: FastAPI) -> None:
    app.state.drain.is_begun = True
    refused = post(app, "/rerank", BODY)
    assert (refused.status_code, refused.headers["connection"], refused.headers["retry-after"]) == (503, "close", "1")
    assert [get(app, path).status_code for path in ("/livez", "/readyz", "/health", "/metrics")] == [200, 503, 503, 200]


def test_the_token(ranker: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHYRANK_TOKEN", "geheim-ß")
    app = served(ranker, token=Secret("env:WHYRANK_TOKEN"))
    for wrong in ("", "Bearer", "Bearer geheim", "Basic geheim-ß", "Bearer geheim-ßß"):
        refused = post(app, "/rerank", BODY, **({"authorization": wrong.encode()} if wrong else {}))
        assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
        assert refused.json()["error"]["type"] == "authentication_error"
    assert post(app, "/rerank", BODY, authorization="Bearer geheim-ß".encode()).status_code == 200
    assert [get(app, path).status_code for path in ("/health", "/metrics", "/v1/models", "/info")] == [
        200,
        401,
        401,
        401,
    ]
    assert ranker.batches == [[QUERY]]
    app.state.models.close()


def test_an_error_after_the_ranking_is_the_last_event(app: FastAPI, ranker: Counting) -> None:
    model = app.state.models.all[0]

    class Teller(Counting):
        kinds = ("direct",)

        def reasons(self, asked: Any) -> Any:
            raise ModelUnavailable("not reached")

    object.__setattr__(model, "ranker", Teller())
    found = [(name, json.loads(data)) for name, data in events(post(app, "/v1/explain", BODY).text)]
    assert [name for name, _ in found] == ["ranking", "error"]
    assert found[1][1]["error"]["code"] == "unavailable"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ModelUnavailable("slow"), 503),
        (BudgetSpent("none left"), 503),
        (AccessDenied("wrong key"), 502),
        (Corrupt("damaged"), 500),
    ],
)
def test_errors_of_the_library(error: Any, status: int) -> None:
    assert refused_by(error).status == status


def test_a_dialect_of_text_embeddings_inference() -> None:
    assert Refused("overloaded", "much").body(tei=True) == {
        "error": "much",
        "error_type": "Overloaded",
        "message": "much",
        "detail": "much",
    }


def test_infinitys_client_reads_a_list_of_problems(app: FastAPI) -> None:
    """It alone sends `raw_scores` with documents; with other statuses it reads no form at all."""
    told = post(app, "/rerank", {**BODY, "raw_scores": False, "scores": [1, 2, 3, "4"]}).json()
    assert told["detail"] == [{"loc": ["body", "scores[3]"], "msg": told["message"], "type": "invalid_request"}]
    assert told["error"]["param"] == "scores[3]"
    late = post(app, "/rerank", {**BODY, "raw_scores": False, "query": " "}).json()
    assert late["detail"][0]["msg"] == late["message"]
    too_large = post(app, "/rerank", {**BODY, "raw_scores": False, "documents": ["a"] * 11}).json()
    assert too_large["detail"] == too_large["message"]


def test_what_takes_too_long_by_the_measured_pace_is_refused_at_once(ranker: Counting) -> None:
    app = served(ranker, Limits(seconds=30))
    app.state.models.all[0].batcher.pace.learn(200, 30.0)
    refused = post(app, "/rerank", {**BODY, "documents": ["a" * 900]})
    assert (refused.status_code, refused.json()["error"]["param"]) == (413, "documents")
    assert post(app, "/rerank", BODY).status_code == 200
    app.state.models.close()


def test_a_server_that_ends_waits_for_the_turn(ranker: Counting) -> None:
    app = served(ranker)

    async def act() -> None:
        batcher = app.state.models.all[0].batcher
        async with app.router.lifespan_context(app):
            ranker.gate.clear()
            begun = asyncio.ensure_future(batcher.rank(Ranking.of("begun", ["a"]), 1))
            await asyncio.to_thread(ranker.begun.wait, PATIENCE_S)
            waiting = asyncio.ensure_future(batcher.rank(Ranking.of("waiting", ["a"]), 1))
            await asyncio.sleep(0)

            async def opened_when_it_ends() -> None:
                with pytest.raises(Refused):
                    await waiting
                ranker.gate.set()

            opening = asyncio.ensure_future(opened_when_it_ends())
        assert app.state.models.busy == []
        await opening
        assert len(await begun) == 1

    asyncio.run(act())


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        (b"127.0.0.1:8000", None, 200),
        (b"localhost", b"http://localhost:8000", 200),
        (b"[::1]:8000", None, 200),
        (b"evil.example", None, 403),
        (b"127.0.0.1", b"http://evil.example", 403),
        (b"127.0.0.1", b"null", 403),
        (b"[", None, 403),
    ],
)
def test_a_page_from_elsewhere_cannot_have_a_browser_ask(
    app: FastAPI, host: bytes, origin: bytes | None, status: int
) -> None:
    headers = {"host": host} | ({} if origin is None else {"origin": origin})
    assert post(app, "/v1/rerank", {"query": "q", "documents": ["a"]}, **headers).status_code == status


def test_too_many_documents_are_refused_before_anything_is_made_of_them(app: FastAPI) -> None:
    answer = post(app, "/v1/rerank", {"query": "q", "documents": [1] * 5_000})
    assert answer.status_code == 413
    assert answer.json()["error"]["param"] == "documents"


def test_a_long_unknown_name_is_not_echoed_whole(app: FastAPI) -> None:
    answer = post(app, "/v1/rerank", {"query": "q", "documents": ["a"], "model": "x" * 15_000})
    assert answer.status_code == 404
    assert len(answer.content) < 5_000


class Careless(Counting):
    """Loses lists, or ends as a panic of native code does, when it is told to."""

    def rerank_many(self, rankings: Any, **more: Any) -> Any:
        if rankings[0].query.text == "lose":
            return []
        if rankings[0].query.text == "panic":
            raise BaseException("panic")
        return super().rerank_many(rankings, **more)


@pytest.mark.parametrize("query", ["lose", "panic"])
def test_one_bad_turn_does_not_end_a_model(query: str) -> None:
    app = served(Careless())
    assert post(app, "/v1/rerank", {"query": query, "documents": ["a"]}).status_code == 500
    assert post(app, "/v1/rerank", {"query": "q", "documents": ["a"]}).status_code == 200
    app.state.models.close()
