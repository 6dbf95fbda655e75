"""Rankings over HTTP: every dialect, and the library's own scores to the bit, whatever else is asked meanwhile."""

import random
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from serving import QUERY, TEXTS, get, post, post_all

import whyrank
from ended import CORPUS
from whyrank import formats
from whyrank.serve.app import create_app
from whyrank.serve.settings import Limits, Served, ServeSettings


@pytest.fixture(scope="module")
def app() -> Iterator[FastAPI]:
    settings = ServeSettings(models=(Served(aliases=("rerank-2.5",)), Served(ranker="bi-encoder")))
    made = create_app(settings, rankers={"student": whyrank.load()})
    yield made
    made.state.models.close()


BODY = {"query": QUERY, "documents": TEXTS}


@pytest.mark.parametrize("path", ["/rerank", "/v1/rerank", "/v2/rerank"])
def test_the_superset_of_cohere_and_jina(app: FastAPI, path: str) -> None:
    answer = post(app, path, {**BODY, "top_n": 2, "model": "student", "max_chunks_per_doc": 1, "priority": None}).json()
    ours = whyrank.rerank(QUERY, TEXTS)
    assert (answer["object"], answer["model"], len(answer["results"])) == ("rerank", "student", 2)
    assert [(r["index"], r["score"]) for r in answer["results"]] == [(h.first_rank - 1, h.score) for h in ours][:2]
    assert all(0 <= r["relevance_score"] <= 1 and "document" not in r for r in answer["results"])
    assert answer["usage"]["total_tokens"] == ours.usage.prompt_tokens > 0
    assert answer["meta"]["ranker"] == ours.ranker


def test_documents_come_back_on_request(app: FastAPI) -> None:
    documents = [{"title": "Sky", "text": TEXTS[1], "id": "same"}, {"text": TEXTS[0], "id": "same", "more": [1]}]
    answer = post(app, "/v1/rerank", {"query": QUERY, "documents": documents, "return_documents": True}).json()
    assert answer["results"][0]["document"] == {"text": TEXTS[1], "title": "Sky"}
    [hit, _] = whyrank.rerank(QUERY, [{"title": "Sky", "text": TEXTS[1]}, TEXTS[0]]).hits
    assert answer["results"][0]["score"] == hit.score


def test_voyage_gets_data_with_texts(app: FastAPI) -> None:
    body = {**BODY, "top_k": 1, "model": "rerank-2.5", "truncation": True, "return_documents": True}
    answer = post(app, "/v1/rerank", body).json()
    [result] = answer["results"]
    assert answer["data"] == [{"index": 1, "relevance_score": result["relevance_score"], "document": TEXTS[1]}]
    assert len(post(app, "/v1/rerank", {**BODY, "top_k": None}).json()["data"]) == len(TEXTS)
    assert "data" not in post(app, "/v1/rerank", BODY).json()


def test_text_embeddings_inference_gets_a_bare_list(app: FastAPI) -> None:
    ours = whyrank.rerank(QUERY, TEXTS)
    plain = post(app, "/rerank", {"query": QUERY, "texts": TEXTS, "truncate": True}).json()
    raw = post(app, "/rerank", {"query": QUERY, "texts": TEXTS, "raw_scores": True, "return_text": True}).json()
    assert [found["index"] for found in plain] == [hit.first_rank - 1 for hit in ours]
    assert plain[0].keys() == {"index", "score"}
    assert 0 <= plain[0]["score"] <= 1
    assert raw == [{"index": h.first_rank - 1, "score": h.score, "text": h.document.text} for h in ours]


def test_first_stage_scores_count(app: FastAPI) -> None:
    scores = [9.0, 1.0, None, 0.5]
    answer = post(app, "/rerank", {**BODY, "scores": scores}).json()
    ours = whyrank.rerank(QUERY, TEXTS, scores=scores)
    assert [(r["index"], r["score"]) for r in answer["results"]] == [(h.first_rank - 1, h.score) for h in ours]


def test_no_documents_and_a_query_without_words(app: FastAPI) -> None:
    assert post(app, "/rerank", {"query": QUERY, "documents": []}).json()["results"] == []
    answer = post(app, "/rerank", {"query": "???", "documents": TEXTS}).json()
    assert [result["index"] for result in answer["results"]] == [0, 1, 2, 3]
    assert answer["meta"]["status"] == "partial"
    assert answer["meta"]["warnings"] == ["the query has no word; the order is as it was given"]


def test_relevant_spans_are_exact(app: FastAPI) -> None:
    answer = post(app, "/rerank", {**BODY, "relevant_spans": True, "top_n": 2}).json()
    ours = whyrank.rerank(QUERY, TEXTS, top_k=2, explain=2).explanations
    assert ours is not None
    for result, reason in zip(answer["results"], ours.direct, strict=True):
        spans = result["relevant_spans"]
        assert spans
        assert [span["contribution"] for span in spans] == [quote.contribution for quote in reason.evidence]
        assert all(TEXTS[result["index"]][span["start"] : span["end"]] == span["text"] for span in spans)
        assert all(span["score"] == min(1.0, max(0.0, span["contribution"])) for span in spans)
    refused = post(app, "/rerank", {**BODY, "model": "bi-encoder", "relevant_spans": True})
    assert (refused.status_code, refused.json()["error"]["param"]) == (422, "relevant_spans")


def test_relevant_spans_as_cohere_asks_for_them(app: FastAPI) -> None:
    def spans(wanted: Any) -> Any:
        answer = post(app, "/v2/rerank", {**BODY, "relevant_spans": wanted, "top_n": 1}).json()
        return answer["results"][0].get("relevant_spans")

    everything = spans(True)
    assert len(everything) > 1
    assert spans({"mode": "enabled"}) == spans({"mode": "enabled", "threshold": None, "max_spans": None}) == everything
    assert spans({"mode": "enabled", "max_spans": 1}) == everything[:1]
    least = everything[0]["score"]
    assert spans({"mode": "enabled", "threshold": least}) == [own for own in everything if own["score"] >= least]
    assert spans({"mode": "disabled", "max_spans": 1}) is spans(False) is None
    for wrong, field in ((3, "relevant_spans"), ({"mode": "on"}, "relevant_spans.mode")):
        refused = post(app, "/v2/rerank", {**BODY, "relevant_spans": wrong})
        assert (refused.status_code, refused.json()["error"]["param"]) == (422, field)


def test_infinity_gets_texts_and_raw_scores(app: FastAPI) -> None:
    ours = whyrank.rerank(QUERY, TEXTS)
    for is_raw in (False, True):
        body = {**BODY, "raw_scores": is_raw, "return_documents": True}
        results = post(app, "/rerank", body).json()["results"]
        assert [result["document"] for result in results] == [hit.document.text for hit in ours]
        assert ([result["relevance_score"] for result in results] == [hit.score for hit in ours]) is is_raw
    assert "document" not in post(app, "/rerank", {**BODY, "raw_scores": True}).json()["results"][0]


def test_scores_are_the_librarys_to_the_bit_whatever_the_load(app: FastAPI) -> None:
    corpus = [document.text for document in formats.read_documents(CORPUS)]
    rng = random.Random(5)
    asked: list[dict[str, Any]] = [
        {"query": f"{rng.choice(corpus).split('.')[0]}?", "documents": rng.sample(corpus, rng.randint(1, 9))}
        for _ in range(24)
    ]
    before = get(app, "/metrics").text
    answers = post_all(app, "/v2/rerank", asked)
    assert turns(get(app, "/metrics").text) - turns(before) < len(asked)  # they shared batches
    for body, answer in zip(asked, answers, strict=True):
        ours = whyrank.rerank(body["query"], body["documents"])
        found = [(r["index"], r["score"].hex()) for r in answer.json()["results"]]
        assert found == [(h.first_rank - 1, (h.score or 0.0).hex()) for h in ours]


def test_a_request_in_several_turns_has_the_librarys_scores_and_spans(app: FastAPI) -> None:
    limits = Limits(batch_tokens=100)
    ranker = app.state.models.named("student").ranker
    small = create_app(ServeSettings(limits=limits), rankers={"student": ranker})
    body = {"query": QUERY, "documents": [f"{text} {place}" for place in range(4) for text in TEXTS]}
    whole = post(app, "/rerank", {**body, "relevant_spans": True}).json()
    answer = post(small, "/rerank", {**body, "relevant_spans": True}).json()
    assert answer["results"] == whole["results"]
    assert turns(get(small, "/metrics").text) > 10
    small.state.models.close()


def turns(metrics: str) -> float:
    lines = [line for line in metrics.splitlines() if line.startswith('whyrank_batch_requests_count{model="student"}')]
    return sum(float(line.split()[-1]) for line in lines)


def test_what_the_server_tells_of_itself(app: FastAPI) -> None:
    assert [get(app, path).json() for path in ("/health", "/livez", "/readyz")] == [{"status": "ok"}] * 3
    models = get(app, "/v1/models").json()
    assert [model["id"] for model in models["data"]] == ["student", "rerank-2.5", "bi-encoder"]
    info = get(app, "/info").json()
    assert (info["model_id"], list(info["model_type"])) == ("student", ["reranker"])
    assert info["max_client_batch_size"] == Limits().documents
    metrics = get(app, "/metrics").text
    assert 'whyrank_requests_total{path="/info",status="200"} 1.0' in metrics
    assert 'whyrank_waiting_requests{model="student"} 0.0' in metrics
