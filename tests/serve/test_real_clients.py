"""Clients as their makers publish them, unmodified, against a server process: order, scores, refusals.

Each is tested where it is installed. Not all can live in one environment: `scripts/test_integrations.sh` makes several.
"""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pkgutil import resolve_name
from typing import NamedTuple, TypeAlias

import httpx
import pytest
from serving import QUERY, TEXTS

import whyrank

pytestmark = pytest.mark.filterwarnings("default")  # what clients do among themselves is theirs

TOKEN = "a token of the tests"
START_S = 120
ONCE = {"max_retries": 0}
SETTINGS = """\
port: 0
threads: 1
token: env:WHYRANK_TOKEN
models: [{ranker: evidence, aliases: [rerank-v4.0, rerank-2.5, jina-reranker-v3]}]
limits: {under_way: 2, seconds: 300}
"""


class Found(NamedTuple):
    """A result as a client hands it to its user; `text` is None where it hands out no documents."""

    place: int
    score: float
    text: str | None = None


Ask: TypeAlias = Callable[..., list[Found]]


class Client(NamedTuple):
    """A client and what it raises.

    Attributes:
        modules: what must be installed.
        ask: called with url, token, query, documents and top_n.
        refusals: dotted names of what it raises at 401, 422 and 429, where it raises something of its own.
        shows_texts: whether its results hold the documents.
    """

    modules: tuple[str, ...]
    ask: Ask
    refusals: dict[int, str]
    shows_texts: bool = False


def cohere_v2(url: str, token: str, query: str, documents: list[str], top_n: int | None) -> list[Found]:
    import cohere

    wanted = {} if top_n is None else {"top_n": top_n}
    with cohere.ClientV2(token, base_url=url) as client:
        answer = client.rerank(model="rerank-v4.0", query=query, documents=documents, request_options=ONCE, **wanted)
    return [Found(own.index, own.relevance_score) for own in answer.results]


def cohere_v1(url: str, token: str, query: str, documents: list[str], top_n: int | None) -> list[Found]:
    import cohere

    with cohere.Client(token, base_url=url) as client:
        answer = client.rerank(
            model="rerank-v4.0",
            query=query,
            documents=documents,
            top_n=top_n,
            return_documents=True,
            request_options=ONCE,
        )
    return [Found(own.index, own.relevance_score, own.document and own.document.text) for own in answer.results]


def voyage(url: str, token: str, query: str, documents: list[str], top_n: int | None) -> list[Found]:
    import requests
    import voyageai

    client = voyageai.Client(token, base_url=f"{url}/v1", max_retries=0)
    with requests.Session() as voyageai.requestssession:  # its own would stay open
        answer = client.rerank(query, documents, model="rerank-2.5", top_k=top_n)
    assert answer.total_tokens > 0
    return [Found(own.index, own.relevance_score, own.document) for own in answer.results]


def langchain_cohere(url: str, token: str, query: str, documents: list[str], top_n: int | None) -> list[Found]:
    import cohere
    from langchain_cohere import CohereRerank
    from langchain_core.documents import Document

    given = [Document(text, metadata={"place": place}) for place, text in enumerate(documents)]
    with cohere.ClientV2(token, base_url=url) as client:
        found = CohereRerank(client=client, model="rerank-v4.0", top_n=top_n).compress_documents(given, query)
    return [Found(own.metadata["place"], own.metadata["relevance_score"], own.page_content) for own in found]


def litellm_as(provider: str) -> Ask:
    """LiteLLM's `rerank` as one of its providers."""

    def ask(url: str, token: str, query: str, documents: list[str], top_n: int | None) -> list[Found]:
        import litellm

        answer = litellm.rerank(
            model=f"{provider}/evidence",
            query=query,
            documents=documents,
            top_n=top_n,
            return_documents=True,
            api_key=token,
            api_base=url,
            max_retries=0,
        )
        return [
            Found(own["index"], own["relevance_score"], (own.get("document") or {}).get("text"))
            for own in answer.results
        ]

    return ask


def infinity(url: str, token: str, query: str, documents: list[str], top_n: int | None) -> list[Found]:
    from infinity_client import AuthenticatedClient
    from infinity_client.api.default import rerank
    from infinity_client.models import RerankInput

    body = RerankInput(query=query, documents=documents, return_documents=True, top_n=top_n, model="evidence")
    with AuthenticatedClient(url, token, raise_on_unexpected_status=True) as client:
        answer = rerank.sync(client=client, body=body)
    return [Found(own.index, own.relevance_score, own.document) for own in answer.results]


COHERE = {
    401: "cohere.errors.UnauthorizedError",
    422: "cohere.errors.UnprocessableEntityError",
    429: "cohere.errors.TooManyRequestsError",
}
VOYAGE = {
    401: "voyageai.error.AuthenticationError",
    422: "voyageai.error.MalformedRequestError",
    429: "voyageai.error.RateLimitError",
}
LITELLM = {401: "litellm.AuthenticationError", 422: "litellm.BadRequestError", 429: "litellm.RateLimitError"}
INFINITY = dict.fromkeys((401, 429), "infinity_client.errors.UnexpectedStatus")
CLIENTS = {
    "cohere": Client(("cohere",), cohere_v2, COHERE),
    "cohere-v1": Client(("cohere",), cohere_v1, COHERE, shows_texts=True),
    "voyageai": Client(("voyageai",), voyage, VOYAGE, shows_texts=True),
    "langchain-cohere": Client(("langchain_cohere",), langchain_cohere, COHERE, shows_texts=True),
    "litellm-cohere": Client(("litellm",), litellm_as("cohere"), LITELLM, shows_texts=True),
    "litellm-jina": Client(("litellm",), litellm_as("jina_ai"), LITELLM, shows_texts=True),
    "litellm-vllm": Client(("litellm",), litellm_as("hosted_vllm"), LITELLM, shows_texts=True),
    "infinity": Client(("infinity_client",), infinity, INFINITY, shows_texts=True),
}


class Running(NamedTuple):
    """A server of its own."""

    url: str
    port: int


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    settings = tmp_path_factory.mktemp("serve") / "serve.yaml"
    settings.write_text(SETTINGS, encoding="utf-8")
    args = [sys.executable, "-m", "whyrank", "serve", "-c", str(settings)]
    environment = os.environ | {"WHYRANK_TOKEN": TOKEN, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(args, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stderr is not None
        told = re.search(r"serving evidence at (http://127\.0\.0\.1:(\d+));", process.stderr.readline())
        assert told is not None
        try:
            yield Running(told[1], int(told[2]))
        finally:
            process.kill()


@pytest.fixture(params=CLIENTS)
def client(request: pytest.FixtureRequest) -> Client:
    found: Client = CLIENTS[request.param]
    for module in found.modules:
        pytest.importorskip(module)
    return found


def asked(
    client: Client, server: Running, *, token: str = TOKEN, query: str = QUERY, top_n: int | None = None
) -> list[Found]:
    """What a client finds for the texts."""
    return client.ask(server.url, token, query, TEXTS, top_n)


def test_the_order_is_the_librarys_and_scores_fall(client: Client, server: Running) -> None:
    found = asked(client, server)
    ours = whyrank.rerank(QUERY, TEXTS, ranker="evidence")
    assert [own.place for own in found] == [hit.first_rank - 1 for hit in ours]
    scores = [own.score for own in found]
    assert scores == sorted(set(scores), reverse=True)
    assert all(0 <= score <= 1 for score in scores)
    assert [own.text for own in found] == [TEXTS[own.place] if client.shows_texts else None for own in found]


@pytest.mark.parametrize("top_n", [1, 3, 99])
def test_as_many_as_are_asked_for(client: Client, server: Running, top_n: int) -> None:
    assert asked(client, server, top_n=top_n) == asked(client, server)[:top_n]


def test_a_wrong_token_raises_what_the_client_calls_it(client: Client, server: Running) -> None:
    with pytest.raises(resolve_name(client.refusals[401]), match="no token, or a wrong one"):
        asked(client, server, token="another")


def test_a_wrong_field_raises_what_the_client_calls_it(client: Client, server: Running) -> None:
    if 422 not in client.refusals:
        pytest.skip("this client hands out what is wrong and raises nothing: see below")
    with pytest.raises(resolve_name(client.refusals[422]), match="query: is empty"):
        asked(client, server, query=" ")


def test_infinity_hands_out_what_is_wrong(server: Running) -> None:
    pytest.importorskip("infinity_client")
    from infinity_client import AuthenticatedClient
    from infinity_client.api.default import rerank
    from infinity_client.models import HTTPValidationError, RerankInput

    with AuthenticatedClient(server.url, TOKEN, raise_on_unexpected_status=True) as client:
        answer = rerank.sync(client=client, body=RerankInput(query=" ", documents=TEXTS, model="evidence"))
    assert isinstance(answer, HTTPValidationError)
    assert [(own.loc, own.msg) for own in answer.detail] == [
        (["body", "query"], "query: is empty; give at least one word")
    ]


def test_openais_client_reads_refusals(server: Running) -> None:
    openai = pytest.importorskip("openai")
    with openai.OpenAI(api_key=TOKEN, base_url=f"{server.url}/v1", max_retries=0) as client:
        for change, error, param in (
            ({"query": " "}, openai.UnprocessableEntityError, "query"),
            ({"model": "evidenc"}, openai.NotFoundError, "model"),
        ):
            with pytest.raises(error) as refused:
                client.post("/rerank", body={"query": QUERY, "documents": TEXTS} | change, cast_to=object)
            assert (refused.value.param, refused.value.type) == (param, "invalid_request_error")
            assert refused.value.body["message"] in str(refused.value)


def test_hugging_faces_client_reads_refusals_of_the_bare_form(server: Running) -> None:
    hub = pytest.importorskip("huggingface_hub.utils")
    headers = {"Authorization": f"Bearer {TOKEN}"}
    answer = hub.get_session().post(f"{server.url}/rerank", json={"query": " ", "texts": TEXTS}, headers=headers)
    with pytest.raises(hub.HfHubHTTPError, match="query: is empty"):
        hub.hf_raise_for_status(answer)


def test_a_server_that_is_full_raises_what_the_client_calls_it(client: Client, server: Running) -> None:
    head = (
        b"POST /rerank HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer %b\r\nContent-Length: 9\r\n\r\n" % TOKEN.encode()
    )
    before = asked(client, server)
    with ExitStack() as held:
        for _ in range(2):
            connection = held.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=START_S))
            connection.sendall(head)
        while under_way(server) < 3:  # these two, and the one that asks for the figure
            pass
        with pytest.raises(resolve_name(client.refusals[429]), match="no more may"):
            asked(client, server)
    while under_way(server) > 1:
        pass
    assert asked(client, server) == before


def test_coheres_relevant_spans(server: Running) -> None:
    cohere = pytest.importorskip("cohere")
    if not hasattr(cohere, "RerankRelevantSpans"):
        pytest.skip("this client of Cohere is older than relevant spans")

    def spans(**wanted: object) -> list[list[str] | None]:
        shape = cohere.RerankRelevantSpans(**wanted)
        with cohere.ClientV2(TOKEN, base_url=server.url) as client:
            answer = client.rerank(model="rerank-v4.0", query=QUERY, documents=TEXTS[:2], relevant_spans=shape)
        assert all(0 <= span.score <= 1 for own in answer.results for span in own.relevant_spans or ())
        return [
            own.relevant_spans and [TEXTS[own.index][span.start : span.end] for span in own.relevant_spans]
            for own in answer.results
        ]

    best = "That is why the sky is blue."
    assert spans(mode="disabled") == [None, None]
    assert [own and own[0] for own in spans(mode="enabled")] == [
        best,
        "The sea is blue because water absorbs red light.",
    ]
    assert [own and len(own) for own in spans(mode="enabled", max_spans=1)] == [1, 1]
    assert spans(mode="enabled", threshold=0.5) == [[best], []]


def under_way(server: Running) -> float:
    """How many requests the server has begun and not answered."""
    told = httpx.get(f"{server.url}/metrics", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=START_S).text
    return next(float(line.split()[1]) for line in told.splitlines() if line.startswith("whyrank_requests_under_way "))
