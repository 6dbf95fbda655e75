"""Reasons over HTTP: those of the library, in the forms in which it writes them, streamed or not."""

import json
from collections.abc import Iterator, Sequence
from threading import Event
from typing import Any

import pytest
from fastapi import FastAPI
from serving import PATIENCE_S, QUERY, TEXTS, Counting, events, get, post

import whyrank
from whyrank import reason
from whyrank.formats.plain import plain
from whyrank.rankers import load
from whyrank.rankers.dual_stage import DualStage
from whyrank.rankers.evidence import EvidenceRanker
from whyrank.rankers.guard import Guard
from whyrank.reason.giving import with_reasons
from whyrank.retrieve import BM25
from whyrank.serve import reading
from whyrank.serve.app import create_app
from whyrank.serve.settings import Served, ServeSettings
from whyrank.types import Decomposition, Document, Query, Ranking, Scorer

DOCUMENTS = [{"id": f"d{place}", "text": text} for place, text in enumerate(TEXTS)]
BODY = {"query": QUERY, "documents": DOCUMENTS}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FastAPI]:
    folder = tmp_path_factory.mktemp("corpora") / "sky.index"
    BM25.build([Document(f"d{place}", text) for place, text in enumerate(TEXTS)]).save(folder)
    models = (Served(), Served(name="counting"), Served(name="dual"))
    settings = ServeSettings(models=models, corpora={"sky": str(folder)})
    dual = DualStage(load("evidence"), load("bi-encoder"), guard=Guard.off())
    made = create_app(settings, rankers={"student": whyrank.load(), "counting": Counting(), "dual": dual})
    yield made
    made.state.models.close()


def without_seconds(explanations: Any) -> Any:
    """What is said, without how long it took to find out."""
    return {key: value for key, value in explanations.items() if key != "usage"}


@pytest.mark.parametrize("top", [0, 1, 3, 9])
def test_reasons_are_the_librarys(app: FastAPI, top: int) -> None:
    answer = post(app, "/v1/explain", {**BODY, "top": top, "stream": False}).json()
    ours = whyrank.rerank(QUERY, DOCUMENTS, explain=top)
    expected = plain(ours.explanations) or {"direct": [], "comparisons": []}
    assert without_seconds(answer["explanations"]) == without_seconds(expected)
    assert [result["id"] for result in answer["results"]] == list(ours.ids)
    assert [result["first_rank"] for result in answer["results"]] == [hit.first_rank for hit in ours]


def test_reasons_are_streamed_after_the_ranking(app: FastAPI) -> None:
    whole = post(app, "/v1/explain", {**BODY, "top": 2, "top_n": 3, "stream": False}).json()
    streamed = post(app, "/v1/explain", {**BODY, "top": 2, "top_n": 3})
    assert streamed.headers["content-type"].startswith("text/event-stream")
    found = [(name, json.loads(data)) for name, data in events(streamed.text)]
    assert [name for name, _ in found] == ["ranking", "reasons", "reasons", "done"]
    assert found[0][1]["results"] == whole["results"]
    reasons = [content for name, content in found if name == "reasons"]
    assert [own["direct"] for own in reasons] == whole["explanations"]["direct"]
    assert [own["comparison"] for own in reasons] == whole["explanations"]["comparisons"]
    assert [own["index"] for own in reasons] == [result["index"] for result in whole["results"][:2]]
    assert found[-1][1]["usage"]["documents"] > whole["usage"]["documents"]


def test_what_has_no_reasons_says_so(app: FastAPI) -> None:
    refused = post(app, "/v1/explain", {**BODY, "model": "counting"})
    assert (refused.status_code, refused.json()["error"]["param"]) == (422, "top")
    answer = post(app, "/v1/explain", {**BODY, "model": "counting", "top": 0, "stream": False}).json()
    assert answer["explanations"]["direct"] == []


@pytest.mark.parametrize(
    ("path", "more"),
    [
        ("/v1/rerank", {"relevant_spans": True}),
        ("/v1/explain", {}),
        ("/v1/report", {}),
        ("/v1/compare", {"upper": "d0", "lower": "d1"}),
    ],
)
def test_what_has_no_reasons_ranks_nothing_to_say_so(app: FastAPI, path: str, more: dict[str, Any]) -> None:
    counting = app.state.models.named("counting").ranker
    counting.batches.clear()
    assert post(app, path, {**BODY, **more, "model": "counting"}).status_code == 422
    assert counting.batches == []


@pytest.mark.parametrize(("upper", "lower"), [("d9", "d0"), ("d0", "d9"), ("d0", "d0")])
def test_what_is_not_there_to_be_compared_is_not_ranked(app: FastAPI, upper: str, lower: str) -> None:
    before = get(app, "/metrics").text
    assert post(app, "/v1/compare", {**BODY, "upper": upper, "lower": lower}).status_code in {404, 422}
    assert _busy(get(app, "/metrics").text) == _busy(before)


def _busy(metrics: str) -> list[str]:
    return [line for line in metrics.splitlines() if line.startswith("whyrank_documents_total")]


def test_models_say_whether_they_give_reasons(app: FastAPI) -> None:
    listed = get(app, "/v1/models").json()["data"]
    assert {model["id"]: model["reasons"] for model in listed} == {"student": True, "counting": False, "dual": True}


class Stalling(EvidenceRanker):
    """Takes no list apart that holds a document about bread until the gate is open."""

    def __init__(self) -> None:
        super().__init__(threads=1)
        self.gate = Event()

    def decompose(
        self, query: Query, documents: Sequence[Document], first_scores: Sequence[float | None]
    ) -> list[Decomposition]:
        if any(document.text.startswith("Bread") for document in documents):
            assert self.gate.wait(PATIENCE_S)
        return super().decompose(query, documents, first_scores)


def test_reasons_that_come_too_late_end_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    """One reason comes in time; the ranking and it stand."""
    ranker = Stalling()
    app = create_app(ServeSettings(models=(Served(name="stalling"),)), rankers={"stalling": ranker})
    left = iter([PATIENCE_S, PATIENCE_S, 0.01])  # for the ranking, for the first reason, for the second
    monkeypatch.setattr(reading, "left_s", lambda _: next(left))
    found = [(name, json.loads(data)) for name, data in events(post(app, "/v1/explain", BODY).text)]
    ranker.gate.set()
    assert [name for name, _ in found] == ["ranking", "reasons", "error"]
    assert len(found[0][1]["results"]) == len(TEXTS)
    assert (found[2][1]["error"]["code"], found[2][1]["message"][:19]) == ("timeout", "no answer within 30")
    app.state.models.close()


def test_two_stages_give_their_reasons(app: FastAPI) -> None:
    """Also of a request that another one follows."""
    answer = post(app, "/v1/explain", {**BODY, "model": "dual", "top": 2, "stream": False}).json()
    dual = app.state.models.named("dual").ranker
    [ranking] = dual.rerank_many([Ranking.of(QUERY, DOCUMENTS)])
    ours = with_reasons(ranking, dual, 2).explanations
    assert [result["id"] for result in answer["results"]] == list(ranking.ids)
    assert without_seconds(answer["explanations"]) == without_seconds(plain(ours))
    texts = [own["text"] for own in answer["explanations"]["direct"] if own["document_id"] == ranking.ids[0]]
    assert len(texts) == 2
    assert texts[1].startswith("Placed by ")
    streamed = events(post(app, "/v1/explain", {**BODY, "model": "dual", "top": 2}).text)
    told = [json.loads(data) for name, data in streamed if name == "reasons"]
    assert [own["direct"] for own in told] == answer["explanations"]["direct"]
    assert [own["place"] for own in told] == [0, 0, 1, 1]


@pytest.mark.parametrize("pair", [("d1", "d2"), ("d2", "d1"), ("d0", "d2")])
def test_any_two_are_compared(app: FastAPI, pair: tuple[str, str]) -> None:
    answer = post(app, "/v1/compare", {**BODY, "upper": pair[0], "lower": pair[1]}).json()
    ranker = whyrank.load()
    assert isinstance(ranker, Scorer)
    [ranking] = ranker.rerank_many([Ranking.of(QUERY, DOCUMENTS)])
    upper, lower = sorted(pair, key=ranking.ids.index)
    assert answer["comparison"] == plain(reason.explain_pair(ranking, ranker, upper, lower))
    assert [result["id"] for result in answer["results"]] == [upper, lower]


def test_documents_are_named_by_index_unless_they_have_ids(app: FastAPI) -> None:
    answer = post(app, "/v1/compare", {"query": QUERY, "documents": TEXTS, "upper": 1, "lower": "2"}).json()
    assert (answer["comparison"]["upper_id"], answer["comparison"]["lower_id"]) == ("1", "2")


@pytest.mark.parametrize(
    ("change", "status", "param"),
    [
        ({"upper": "d9", "lower": "d0"}, 404, None),
        ({"upper": "d0", "lower": "d0"}, 422, "lower"),
        ({"upper": "d0"}, 422, "lower"),
        ({"upper": "d0", "lower": "d1", "model": "counting"}, 422, "model"),
        ({"upper": "d0", "lower": "d1", "documents": [DOCUMENTS[0], DOCUMENTS[0]]}, 422, "documents"),
        ({"upper": "d0", "lower": "d1", "query": "???"}, 422, None),
    ],
)
def test_what_cannot_be_compared(app: FastAPI, change: dict[str, Any], status: int, param: str | None) -> None:
    refused = post(app, "/v1/compare", BODY | change)
    assert (refused.status_code, refused.json()["error"]["param"]) == (status, param)


def test_an_index_is_searched_and_reranked(app: FastAPI) -> None:
    assert get(app, "/v1/corpora").json()["data"] == [{"id": "sky", "object": "corpus", "documents": 4}]
    answer = post(app, "/v1/search", {"query": QUERY, "corpus": "sky", "top_n": 1}).json()
    index = BM25.build([Document(f"d{place}", text) for place, text in enumerate(TEXTS)])
    found = index.search(QUERY)
    [ours] = whyrank.load().rerank_many([found])
    [result] = answer["results"]
    assert (result["id"], result["score"], result["first_score"]) == (
        ours[0].document.id,
        ours[0].score,
        ours[0].first_score,
    )
    assert result["document"]["text"] == ours[0].document.text
    plain_search = post(app, "/v1/search", {"query": QUERY, "corpus": "sky", "rerank": False}).json()
    assert [result["id"] for result in plain_search["results"]] == list(found.ids)
    unknown = post(app, "/v1/search", {"query": QUERY, "corpus": "skies"})
    assert (unknown.status_code, unknown.json()["error"]["param"]) == (404, "corpus")
    assert "did you mean sky?" in unknown.json()["message"]
