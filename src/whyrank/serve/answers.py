"""Answers in every dialect: the superset of Cohere and Jina, Voyage's `data` beside it, the bare list of TEI. Pure.

Infinity's client is known by `raw_scores`, which it alone sends with documents.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from starlette.responses import Response

from whyrank.formats.json_values import dumps
from whyrank.formats.plain import plain
from whyrank.serve.relevance import relevances
from whyrank.serve.shapes import RerankBody, SpansWanted
from whyrank.types import Direct, Document, Hit, Ranking, Span


class Json(Response):
    """An answer in JSON, also of texts that UTF-8 cannot hold."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """One line of JSON."""
        return dumps(content).encode()


class Placed(NamedTuple):
    """A hit as it is answered.

    Attributes:
        hit: of the ranking.
        place: of its document in the request, from 0.
        relevance: in [0, 1], for eyes and for clients that sort.
    """

    hit: Hit
    place: int
    relevance: float


def placed(ranking: Ranking, ranker: object) -> list[Placed]:
    """The hits of a finished ranking, best first."""
    numbers = relevances(ranking.hits, ranker)
    return [Placed(hit, hit.first_rank - 1, number) for hit, number in zip(ranking.hits, numbers, strict=True)]


def rerank_answer(
    body: RerankBody, name: str, found: Ranking, hits: Sequence[Placed], identifier: str, reasons: Sequence[Direct]
) -> dict[str, Any] | list[dict[str, Any]]:
    """What a request to rerank is answered, in the dialect in which it was asked.

    Args:
        body: the request.
        name: what requests call the model.
        found: the ranking.
        hits: its hits that are returned.
        identifier: of the answer.
        reasons: direct reasons of some of the hits, by which relevant spans are shown.
    """
    if body.texts is not None:
        return [_tei(body, own) for own in hits]
    wanted = body.spans or SpansWanted(mode="disabled")
    spans = {
        reason.document_id: relevant_spans(own.hit.document, reason, wanted) for own, reason in _with(hits, reasons)
    }
    results = [_result(own, spans, is_shown=bool(body.return_documents)) for own in hits]
    if "raw_scores" in body.model_fields_set:
        results = [_as_infinity(body, own, result) for own, result in zip(hits, results, strict=True)]
    answer = {"id": identifier, "object": "rerank", "model": name, "results": results, **account(found)}
    if "top_k" in body.model_fields_set:
        answer["data"] = [_voyage(own, is_shown=bool(body.return_documents)) for own in hits]
    return answer


def account(found: Ranking) -> dict[str, Any]:
    """What a ranking cost and what must be known of it, where clients look for it."""
    usage = found.usage
    total = usage.prompt_tokens + usage.generated_tokens
    warnings = {"warnings": list(found.notes)} if found.notes else {}
    return {
        "usage": {"total_tokens": total, "completion_tokens": usage.generated_tokens, **plain(usage)},
        "meta": {
            "api_version": {"version": "2"},
            "billed_units": {"search_units": 1},
            "tokens": {"input_tokens": usage.prompt_tokens, "output_tokens": usage.generated_tokens},
            "ranker": found.ranker,
            "status": found.status,
            **warnings,
        },
    }


def shown_results(hits: Sequence[Placed]) -> list[dict[str, Any]]:
    """Results with what a page shows of them: ids, and where each stood before."""
    return [
        {
            **_result(own, {}, is_shown=False),
            "id": own.hit.document.id,
            "first_rank": own.hit.first_rank,
            "first_score": own.hit.first_score,
            "cut": own.hit.cut,
        }
        for own in hits
    ]


def relevant_spans(document: Document, reason: Direct, wanted: SpansWanted) -> list[dict[str, Any]]:
    """The sentences that carry a result, strongest first; code points [start, end) of the field.

    `score` is the contribution, held within [0, 1] as Cohere's clients expect it.
    """
    spans = [
        {
            "text": found.quote,
            **_place(found.span),
            "score": min(1.0, max(0.0, found.contribution or 0.0)),
            "contribution": found.contribution,
        }
        for found in reason.evidence
        if found.span is not None and found.quote == document.quote(found.span)
    ]
    return [own for own in spans if wanted.threshold is None or own["score"] >= wanted.threshold][: wanted.max_spans]


def _place(span: Span) -> Mapping[str, Any]:
    return {"start": span.start, "end": span.end, "field": span.field}


def _with(hits: Sequence[Placed], reasons: Sequence[Direct]) -> list[tuple[Placed, Direct]]:
    by_id = {reason.document_id: reason for reason in reasons}
    return [(own, by_id[own.hit.document.id]) for own in hits if own.hit.document.id in by_id]


def _result(own: Placed, spans: Mapping[str, Any], *, is_shown: bool) -> dict[str, Any]:
    document = own.hit.document
    result: dict[str, Any] = {"index": own.place, "relevance_score": own.relevance, "score": own.hit.score}
    if is_shown:
        title = {} if document.title is None else {"title": document.title}
        result["document"] = {"text": document.text, **title}
    if document.id in spans:
        result["relevant_spans"] = spans[document.id]
    return result


def _as_infinity(body: RerankBody, own: Placed, result: Mapping[str, Any]) -> dict[str, Any]:
    """A result for Infinity's client: the document is its text, and the raw score is given where it is asked for."""
    shown = {"document": own.hit.document.text} if "document" in result else {}
    raw = {"relevance_score": own.hit.score} if body.raw_scores and own.hit.score is not None else {}
    return {**result, **shown, **raw}


def _voyage(own: Placed, *, is_shown: bool) -> dict[str, Any]:
    shown = {"document": own.hit.document.text} if is_shown else {}
    return {"index": own.place, "relevance_score": own.relevance, **shown}


def _tei(body: RerankBody, own: Placed) -> dict[str, Any]:
    score = own.hit.score if body.raw_scores and own.hit.score is not None else own.relevance
    return {"index": own.place, "score": score, **({"text": own.hit.document.text} if body.return_text else {})}
