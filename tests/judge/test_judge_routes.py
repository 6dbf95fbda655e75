"""What the page asks of its server, what it is told, and what is refused."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import httpx
import pytest
from judging import AIR, ANN, BEN, SKY, direct, ranking, study_in

from whyrank.config import Secret
from whyrank.errors import BadInput
from whyrank.judge.app import STATIC, create_app
from whyrank.judge.assignment import sides_for
from whyrank.judge.items import Item
from whyrank.judge.records import BETTER
from whyrank.judge.store import Judgements
from whyrank.judge.study import Study
from whyrank.types import Direct, Evidence, Span

if TYPE_CHECKING:
    from fastapi import FastAPI

T = TypeVar("T")
TOKEN = "a token that is long enough"


class Server:
    """An experiment's application, talked to without a socket."""

    def __init__(self, study: Study, judge: str = "") -> None:
        self.study = study
        self.store = Judgements(study.settings.store, study.fixed)
        self.app: FastAPI = create_app(study, self.store, judge=judge)

    def talk(self, say: Callable[[httpx.AsyncClient], Awaitable[T]], **headers: str) -> T:
        async def talking() -> T:
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", headers=headers) as client:
                return await say(client)

        return asyncio.run(talking())

    def post(self, path: str, body: Any = None, **headers: str) -> httpx.Response:
        given: dict[str, Any] = {"content": body} if isinstance(body, bytes) else {"json": body}
        return self.talk(lambda client: client.post(path, **given), **headers)

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self.talk(lambda client: client.get(path), **headers)

    def following(self, judge: str = ANN) -> Any:
        return self.post("/v1/next", {"judge": judge}).json()

    def pair(self) -> Item:
        return next(item for item in self.study.items if item.is_pair)


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(study_in(tmp_path))


def whole(item: Item, judge: str = ANN, **changes: Any) -> dict[str, Any]:
    """A body that answers a pair."""
    given = [{"true": 2, "explains": 1, "useful": 0}, {"true": 0, "explains": 0, "useful": 0}]
    return {"judge": judge, "item": item.id, "seconds": 3.5, "sides": given, "better": 1} | changes


def test_what_is_asked_is_told_and_nothing_of_who_is_asked_about(server: Server) -> None:
    told = server.get("/v1/study").json()
    assert [question["id"] for question in told["questions"]] == ["true", "explains", "useful"]
    assert told["grades"][0] == "not relevant"
    assert (told["judge"], told["judges"], told["prefer"]) == ("", [], True)
    server.post("/v1/answer", {"judge": BEN, "item": server.study.items[0].id, "seconds": 1, "grade": 0})
    assert server.get("/v1/study").json()["judges"] == [BEN]
    assert Server(server.study, judge=" Ben ").get("/v1/study").json()["judge"] == BEN


def test_answers_are_kept_for_the_systems_that_were_shown(server: Server) -> None:
    pair = server.pair()
    for judge in (ANN, BEN, "Cleo", "Dan", "Eve"):
        answer = server.post("/v1/answer", whole(pair, judge))
        assert (answer.status_code, answer.json()["done"]) == (200, 1)
        ((first,), (second,)) = sides_for(pair, judge, server.study.settings.seed)
        said = {(own.question, own.system): own.value for own in server.store.answers() if own.judge == judge}
        assert {name: said["true", name] for name in (first, second)} == {first: 2, second: 0}
        [better] = [own for own in server.store.answers() if own.judge == judge and own.question == BETTER]
        assert (better.system, better.other) == ("evidence-own", "student-own")
        assert better.value == (1 if first == "evidence-own" else -1)
        assert better.seconds == 3.5
        undone = server.post("/v1/undo", {"judge": judge}).json()
        assert undone["item"]["id"] == pair.id
        assert undone["answers"] == {"grade": None, "sides": whole(pair)["sides"], "better": 1}
        assert undone["done"] == 0


def test_nothing_that_is_sent_tells_a_system(server: Server) -> None:
    sent = [server.get("/v1/study").text]
    judges = [f"judge {number}" for number in range(8)]
    for item in server.study.items:
        for judge in judges:
            given: dict[str, Any] = {"judge": judge, "item": item.id, "seconds": 1, "leaves": True}
            given |= {"sides": [{} for _ in item.sides]}
            sent.append(server.post("/v1/answer", given).text)
            undone = server.post("/v1/undo", {"judge": judge})
            assert undone.json()["item"]["id"] == item.id
            sent.append(undone.text)
            for side in undone.json()["item"]["sides"]:
                assert set(side) == {"rank", "text", "evidence", "above", "shared"}
                assert all(set(own) == {"quote", "span"} for own in side["evidence"])
    assert any("The model read it." in text for text in sent)
    for told in ("evidence-own", "student-own", "secret-model", "secret-ranker", "contribution"):
        assert not [text for text in sent if told in text]


def test_a_quote_whose_place_the_document_does_not_have_is_shown_as_not_found(tmp_path: Path) -> None:
    spans = [Span(0, 9), Span(0, 3, "title"), Span(0, 4, "title"), Span(5, 999), Span(3, 3), None]
    reason = Direct(AIR.id, "Why.", tuple(Evidence("quote", span) for span in spans))
    server = Server(study_in(tmp_path, results={"a": [ranking(SKY, [AIR], [reason])]}, grades=[]))
    [side] = server.following()["item"]["sides"]
    assert [own["span"] is not None for own in side["evidence"]] == [True, True, False, False, False, False]


def test_what_several_say_alike_is_answered_once_and_counts_for_each(tmp_path: Path) -> None:
    alike = [ranking(SKY, [AIR], [direct(AIR, "Why.")])]
    server = Server(study_in(tmp_path, results={"a": alike, "b": alike}, grades=[]))
    [item] = server.study.items
    shown = server.following()["item"]
    assert [side["shared"] for side in shown["sides"]] == [True]
    given = {"true": 2, "explains": 1, "useful": 0}
    body = {"judge": ANN, "item": item.id, "seconds": 1, "sides": [given]}
    assert server.post("/v1/answer", body | {"better": 0}).status_code == 422
    assert server.post("/v1/answer", body).status_code == 200
    said = {(own.system, own.question): own.value for own in server.store.answers()}
    assert said == {(system, name): value for system in "ab" for name, value in given.items()}


def test_two_that_say_alike_are_both_set_beside_a_third(tmp_path: Path) -> None:
    alike, third = ([ranking(SKY, [AIR], [direct(AIR, words)])] for words in ("Why.", "Other."))
    server = Server(study_in(tmp_path, results={"a": alike, "z": alike, "m": third}, grades=[]))
    [item] = server.study.items
    assert server.post("/v1/answer", whole(item)).status_code == 200
    better = {(own.system, own.other): own.value for own in server.store.answers() if own.question == BETTER}
    alike_first = sides_for(item, ANN, 0)[0] == ("a", "z")
    assert better == {("a", "m"): 1 if alike_first else -1, ("m", "z"): -1 if alike_first else 1}
    assert server.post("/v1/undo", {"judge": ANN}).json()["answers"]["better"] == 1


def test_what_cannot_be_said_is_left_out_on_purpose_alone(server: Server) -> None:
    pair = server.pair()
    part = whole(pair, sides=[{"true": 1}, {}], better=None)
    refused = server.post("/v1/answer", part)
    assert (refused.status_code, refused.json()["error"]["param"]) == (422, "sides[0].explains")
    assert server.post("/v1/answer", part | {"leaves": True}).status_code == 200
    assert [(own.question, own.value) for own in server.store.answers()] == [("true", 1)]
    assert server.store.done() == {ANN: {pair.id}}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"sides": [{"true": 3, "explains": 0, "useful": 0}, {}]}, "sides[0].true"),
        ({"sides": [{"true": -1, "explains": 0, "useful": 0}, {}]}, "sides[0].true"),
        ({"sides": [{"true": 1, "explains": 1, "useful": 1}, {"treu": 1}]}, "sides[1].treu"),
        ({"sides": [{"true": True, "explains": 1, "useful": 1}, {}]}, "sides[0].true"),
        ({"sides": [{}]}, "sides"),
        ({"sides": {}}, "sides"),
        ({"better": 2}, "better"),
        ({"better": None}, "better"),
        ({"better": "A"}, "better"),
        ({"grade": 1}, "grade"),
        ({"seconds": -1}, "seconds"),
        ({"seconds": 1e9}, "seconds"),
        ({"seconds": "3"}, "seconds"),
        ({"judge": ""}, "judge"),
        ({"judge": "x" * 1_000}, "judge"),
        ({"judge": 7}, "judge"),
        ({"judge": None}, "judge"),
        ({"leaves": "yes"}, "leaves"),
        ({"item": None}, "item"),
        ({"system": "evidence-own"}, "system"),
    ],
)
def test_an_answer_that_cannot_be_is_refused_with_its_field(server: Server, change: dict[str, Any], field: str) -> None:
    refused = server.post("/v1/answer", whole(server.pair()) | change)
    assert (refused.status_code, refused.json()["error"]["param"]) == (422, field)
    assert refused.json()["message"].startswith(field)
    assert server.store.sheets() == []


def test_a_grade_out_of_range_is_refused(server: Server) -> None:
    graded = server.study.items[0]
    assert graded.kind == "grade"
    for change in (
        {"grade": 4},
        {"grade": -1},
        {"grade": None},
        {"grade": 0, "better": 0},
        {"grade": 0, "sides": [{}]},
    ):
        body = {"judge": ANN, "item": graded.id, "seconds": 1, **change}
        assert server.post("/v1/answer", body).status_code == 422
    assert server.post("/v1/answer", {"judge": ANN, "item": graded.id, "seconds": 1, "grade": 3}).status_code == 200
    assert [own.value for own in server.store.answers()] == [3]


def test_what_is_not_there_is_told(server: Server) -> None:
    assert server.post("/v1/answer", whole(server.pair()) | {"item": "nonsense"}).status_code == 404
    assert server.post("/v1/undo", {"judge": ANN}).status_code == 422
    assert "nothing to take back" in server.post("/v1/undo", {"judge": ANN}).json()["message"]
    assert server.get("/v1/answers").status_code == 404
    assert server.get("/v1/next").status_code == 405
    assert server.get("/openapi.json").status_code == 404
    assert server.get("/static/../app.py").status_code == 404


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b"\xff", b'{"judge": NaN}', b'{"judge": "' + b"x" * 200_000 + b'"}']
)
def test_bodies_that_are_none_are_refused(server: Server, body: bytes) -> None:
    for path in ("/v1/next", "/v1/answer", "/v1/undo"):
        assert server.post(path, body).status_code in (413, 422)


def test_a_store_that_takes_no_answer_is_told_and_the_server_goes_on(server: Server) -> None:
    server.store._connection.execute("PRAGMA query_only = ON")
    refused = server.post("/v1/answer", whole(server.pair()))
    assert refused.status_code == 500
    assert "what was kept before is safe" in refused.json()["message"]
    server.store._connection.execute("PRAGMA query_only = OFF")
    assert server.post("/v1/answer", whole(server.pair())).status_code == 200


def test_judges_at_the_same_time_are_all_kept(server: Server) -> None:
    judges = [f"judge {number}" for number in range(12)]

    async def all_of_them(client: httpx.AsyncClient) -> list[httpx.Response]:
        bodies = [whole(server.pair(), judge) for judge in judges]
        return list(await asyncio.gather(*(client.post("/v1/answer", json=body) for body in bodies)))

    assert {answer.status_code for answer in server.talk(all_of_them)} == {200}
    assert set(server.store.done()) == set(judges)


def test_two_servers_on_one_store_know_of_each_other(server: Server) -> None:
    other = Server(server.study)
    first, second, *_ = server.study.items
    assert server.post("/v1/answer", {"judge": ANN, "item": first.id, "seconds": 1, "grade": 0}).status_code == 200
    assert other.following()["item"]["id"] == second.id
    assert other.post("/v1/answer", {"judge": ANN, "item": second.id, "seconds": 1, "grade": 3}).status_code == 200
    assert server.following()["done"] == 2
    assert server.post("/v1/undo", {"judge": ANN}).json()["item"]["id"] == second.id
    assert other.following()["item"]["id"] == second.id


def test_what_is_mended_is_given_to_nobody_else_meanwhile(tmp_path: Path) -> None:
    server = Server(study_in(tmp_path, overlap=1))
    first, second, third, *_ = server.study.items
    server.post("/v1/answer", {"judge": ANN, "item": first.id, "seconds": 1, "grade": 0})
    assert server.post("/v1/undo", {"judge": ANN}).json()["item"]["id"] == first.id
    assert server.following(BEN)["item"]["id"] == second.id
    after = server.post("/v1/answer", {"judge": ANN, "item": first.id, "seconds": 1, "grade": 3}).json()
    assert after["item"]["id"] == third.id


def test_another_site_may_not_ask(server: Server) -> None:
    for headers in ({"host": "evil.example"}, {"origin": "https://evil.example"}):
        assert server.post("/v1/next", {"judge": ANN}, **headers).status_code == 403
        assert server.get("/v1/study", **headers).status_code == 403
    assert server.post("/v1/next", {"judge": ANN}, origin="http://localhost:8000").status_code == 200


def test_a_token_is_wanted_where_one_is_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = study_in(tmp_path, token=Secret("env:JUDGE_TOKEN"))
    monkeypatch.delenv("JUDGE_TOKEN", raising=False)
    with pytest.raises(BadInput, match="JUDGE_TOKEN is not set"):
        Server(study)
    monkeypatch.setenv("JUDGE_TOKEN", TOKEN)
    server = Server(study)
    assert server.get("/").status_code == 200
    assert server.get("/v1/study").status_code == 401
    assert server.post("/v1/next", {"judge": ANN}, authorization="Bearer wrong").status_code == 401
    assert server.post("/v1/next", {"judge": ANN}, authorization=f"Bearer {TOKEN}").status_code == 200


def test_the_page_may_load_nothing_from_elsewhere(server: Server) -> None:
    policy = server.get("/").headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    for name in [*(f"static/{own.name}" for own in STATIC.iterdir()), "static/shared/dom.js", "static/report.css"]:
        answer = server.get(f"/{name}")
        assert (answer.status_code, answer.headers["content-security-policy"]) == (200, policy)


def test_a_name_that_cannot_be_is_told_before_anything_is_served(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="a judge's name"):
        Server(study_in(tmp_path), judge="x" * 100)
