"""What may be asked: one shape for the dialects of Cohere, Jina, Voyage and text-embeddings-inference together.

Every optional key may be null, and keys that are unknown are passed over, as clients of the four send their own.
"""

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, StrictInt, model_validator

from whyrank.errors import DuplicateId
from whyrank.serve.problems import Refused
from whyrank.types import Document, Query, Ranking

Count = Annotated[StrictInt, Field(ge=1)]
Score = Annotated[float, Field(strict=True, allow_inf_nan=False)]
BYTES_A_TOKEN = 3
"""English has more in a token, other scripts about as many: the estimate errs towards more tokens."""
QUERY = "why is the sky blue?"
TEXTS = [
    "The sea is blue because water absorbs red light.",
    "Molecules of the air scatter blue light more than red light. That is why the sky is blue.",
]


class GivenDocument(BaseModel):
    """A document: its text alone, or this."""

    text: str
    title: str | None = None
    id: str | StrictInt | None = Field(default=None, description="names it in reasons; by default its index")


class SpansWanted(BaseModel):
    """How Cohere's clients ask for relevant spans."""

    mode: Literal["enabled", "disabled"]
    threshold: Score | None = Field(default=None, description="the least score of a span")
    max_spans: Count | None = Field(default=None, description="how many of a document")


def _examples(*bodies: dict[str, Any]) -> dict[str, Any]:
    return {"examples": list(bodies)}


def _wanted(given: Any) -> Any:
    if isinstance(given, bool):
        return {"mode": "enabled" if given else "disabled"}
    if not isinstance(given, dict):
        raise ValueError(f"relevant spans are true, false or an object with 'mode', not {type(given).__name__}")
    return given


def _document(given: Any) -> Any:
    if isinstance(given, str):
        return {"text": given}
    if not isinstance(given, dict):
        raise ValueError(f"a document is a text or an object with 'text', not {type(given).__name__}")
    return given


Given = Annotated[GivenDocument, BeforeValidator(_document, json_schema_input_type=str | GivenDocument)]
Wanted = Annotated[SpansWanted, BeforeValidator(_wanted, json_schema_input_type=bool | SpansWanted)]


class RerankBody(BaseModel):
    """A query and the documents to put in order."""

    model_config = ConfigDict(
        json_schema_extra=_examples(
            {"query": QUERY, "documents": TEXTS, "top_n": 1},
            {"query": QUERY, "documents": [{"title": "Sky", "text": TEXTS[1]}], "relevant_spans": True},
            {"query": QUERY, "texts": TEXTS},
        )
    )

    query: str = Field(json_schema_extra={"minLength": 1})
    documents: list[Given] | None = Field(default=None, description="texts, or objects with text and title")
    texts: list[str] | None = Field(default=None, description="in place of documents: answered as a bare list (TEI)")
    model: str | None = Field(default=None, description="a name of /v1/models; the first of them by default")
    scores: list[Score | None] | None = Field(default=None, description="first-stage scores, one a document")
    top_n: Count | None = Field(default=None, description="how many results; all by default")
    top_k: Count | None = Field(default=None, description="the same; the answer holds data as well (Voyage)")
    return_documents: StrictBool | None = None
    return_text: StrictBool | None = None
    raw_scores: StrictBool | None = Field(default=None, description="the raw score as relevance (TEI, Infinity)")
    relevant_spans: Wanted | None = Field(default=None, description="which sentences of each result carry it")

    @model_validator(mode="after")
    def _one_list(self) -> "RerankBody":
        if (self.documents is None) == (self.texts is None):
            raise ValueError("give documents (or, as text-embeddings-inference takes them, texts)")
        return self

    @property
    def given(self) -> list[GivenDocument]:
        """The documents, whatever they were called. Their ids have no say: two may share one."""
        texts = self.texts or ()
        documents = self.documents if self.documents is not None else [GivenDocument(text=text) for text in texts]
        return [document.model_copy(update={"id": None}) for document in documents]

    @property
    def spans(self) -> SpansWanted | None:
        """Which relevant spans are wanted, if any are."""
        asked = self.relevant_spans
        return asked if asked is not None and asked.mode == "enabled" else None

    @property
    def limit(self) -> int | None:
        """How many results are wanted."""
        wanted = [count for count in (self.top_n, self.top_k) if count is not None]
        return min(wanted, default=None)


class ExplainBody(BaseModel):
    """A query and the documents to put in order, and how many of the best get reasons."""

    model_config = ConfigDict(json_schema_extra=_examples({"query": QUERY, "documents": TEXTS, "stream": False}))

    query: str = Field(json_schema_extra={"minLength": 1})
    documents: list[Given]
    model: str | None = None
    scores: list[Score | None] | None = Field(default=None, description="first-stage scores, one a document")
    top_n: Count | None = Field(default=None, description="how many results; all by default")
    top: Annotated[StrictInt, Field(ge=0)] = Field(default=3, description="how many results get reasons")
    stream: StrictBool = Field(default=True, description="server-sent events, each reason as it is found; else JSON")

    @property
    def given(self) -> list[GivenDocument]:
        """The documents."""
        return self.documents

    @property
    def limit(self) -> int | None:
        """How many results are wanted."""
        return self.top_n


class CompareBody(BaseModel):
    """A query, the documents, and the two of them that are compared."""

    model_config = ConfigDict(
        json_schema_extra=_examples({"query": QUERY, "documents": TEXTS, "upper": "1", "lower": "0"})
    )

    query: str = Field(json_schema_extra={"minLength": 1})
    documents: list[Given]
    model: str | None = None
    scores: list[Score | None] | None = Field(default=None, description="first-stage scores, one a document")
    upper: str | StrictInt = Field(description="id of one; by default a document's id is its index")
    lower: str | StrictInt = Field(description="id of the other; whichever stands higher is explained above the other")

    @property
    def given(self) -> list[GivenDocument]:
        """The documents."""
        return self.documents


class SearchBody(BaseModel):
    """A query, and the index to search."""

    model_config = ConfigDict(json_schema_extra=_examples({"query": QUERY, "corpus": "papers", "top_n": 5}))

    query: str = Field(json_schema_extra={"minLength": 1})
    corpus: str = Field(description="a name of /v1/corpora")
    model: str | None = Field(default=None, description="what reranks the candidates")
    depth: Count = Field(default=100, description="candidates that are found; at most as many as a request may hold")
    top_n: Count = Field(default=10, description="how many results")
    rerank: StrictBool = Field(default=True, description="whether the candidates are reranked")


Asking: TypeAlias = RerankBody | ExplainBody | CompareBody


def candidates(body: Asking) -> Ranking:
    """The list that a body asks about, as the library takes it; a document without an id is called by its index.

    Raises:
        Refused: there is no word to ask for, an id is given twice, or the scores are not one a document.
    """
    check_query(body.query)
    documents = [
        Document(str(place) if given.id is None else str(given.id), given.text, given.title or None)
        for place, given in enumerate(body.given)
    ]
    if body.scores is not None and len(body.scores) != len(documents):
        message = f"scores: holds {len(body.scores):,} for {len(documents):,} documents; give one each"
        raise Refused("invalid_request", message, param="scores")
    try:
        return Ranking.of(Query("1", body.query), documents, body.scores)
    except DuplicateId as error:
        raise Refused("invalid_request", f"documents: {error}", param="documents") from None


def check_query(query: str) -> None:
    """Refuse a query that asks nothing.

    Raises:
        Refused: it is empty.
    """
    if not query.strip():
        raise Refused("invalid_request", "query: is empty; give at least one word", param="query")


def tokens_of(text: str) -> int:
    """About how many tokens a text has, rather more than fewer."""
    return 1 + len(text.encode("utf-8", "surrogatepass")) // BYTES_A_TOKEN
