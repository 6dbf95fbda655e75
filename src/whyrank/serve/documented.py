"""What the OpenAPI description says of each route: what goes in, with examples, and what comes out."""

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from whyrank.serve.problems import STATUS, Refused
from whyrank.serve.shapes import QUERY, CompareBody, ExplainBody, RerankBody, SearchBody

SHAPES: dict[str, type[BaseModel]] = {
    "rerank": RerankBody,
    "explain": ExplainBody,
    "compare": CompareBody,
    "search": SearchBody,
}
_SUMMARIES = {
    "rerank": "Put documents into the order in which they answer a query",
    "explain": "The same, and say why each stands where it does",
    "compare": "Say why one of two documents stands above the other",
    "search": "Find candidates in an index, and rerank them",
}
_USAGE = {"usage": {"total_tokens": 96, "prompt_tokens": 96}, "meta": {"api_version": {"version": "2"}, "status": "ok"}}
_RESULT = {"index": 1, "relevance_score": 0.8123456, "score": 0.7215094838353892}
_ANSWERS: dict[str, Any] = {
    "rerank": {"id": "6f…", "object": "rerank", "model": "student", "results": [_RESULT], **_USAGE},
    "explain": {
        "id": "6f…",
        "object": "explanation",
        "model": "student",
        "results": [{**_RESULT, "id": "1", "first_rank": 2, "first_score": None, "cut": 0}],
        "explanations": {"direct": [{"document_id": "1", "text": f"It answers “{QUERY}” …"}], "comparisons": []},
        **_USAGE,
    },
    "compare": {
        "id": "6f…",
        "object": "comparison",
        "model": "student",
        "results": [_RESULT, {**_RESULT, "index": 0, "relevance_score": 0.1, "score": 0.31}],
        "comparison": {"upper_id": "1", "lower_id": "0", "text": "Leads by 0.41 …", "margin": 0.41},
        **_USAGE,
    },
}
_ANSWERS["search"] = {
    **_ANSWERS["rerank"],
    "object": "search",
    "corpus": "papers",
    "results": [
        {**_RESULT, "id": "p7", "first_rank": 2, "first_score": 11.2, "document": {"text": "…", "title": None}}
    ],
}
_REFUSALS = {
    "invalid_request": "The body is no JSON, or a field is wrong: error.param points at it",
    "unauthorized": "No token, or a wrong one",
    "not_found": "There is no such model, document or corpus; near matches are listed",
    "too_large": "The body, its documents or its tokens are over a limit, or take longer to read than an answer may",
    "overloaded": "Too much is waiting for an answer in time; see Retry-After",
    "model_error": "A language model behind the server gave no answer",
    "unavailable": "The server is stopping, or a language model is not reached",
    "timeout": "No answer within the time of a request",
}


def documented(name: str, path: str = "") -> dict[str, Any]:
    """Arguments for a route: its summary, its body and its answers."""
    schema = {"$ref": f"#/components/schemas/{SHAPES[name].__name__}"}
    answers: dict[int, Any] = {STATUS[code]: _refusal(code, text) for code, text in _REFUSALS.items()}  # type: ignore[index]
    content: dict[str, Any] = {"application/json": {"example": _ANSWERS[name]}}
    if name == "explain":
        content["text/event-stream"] = {"example": "event: ranking\ndata: {…}\n\nevent: reasons\ndata: {…}\n\n"}
    answers[200] = {"description": "The answer", "content": content}
    return {
        "summary": _SUMMARIES[name],
        "operation_id": f"{name}{path.removesuffix(name).replace('/', '_').rstrip('_')}",
        "responses": answers,
        "openapi_extra": {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}},
    }


def schemas() -> dict[str, Any]:
    """The schemas of all bodies."""
    inputs: Any = [(shape, "validation") for shape in SHAPES.values()]
    found: dict[str, Any] = models_json_schema(inputs, ref_template="#/components/schemas/{model}")[1]["$defs"]
    return found


def _refusal(code: Any, text: str) -> dict[str, Any]:
    return {"description": text, "content": {"application/json": {"example": Refused(code, "what to do").body()}}}
