"""Tries, pauses, servers, deadline, Ctrl-C: with a transport and a clock of our own, so that nothing waits."""

import os
import random
import signal
import threading
from collections.abc import Iterator

import pytest
from acted import Acted, Clock, fails, remote, status

from whyrank.errors import (
    AccessDenied,
    BadInput,
    ModelError,
    ModelRejected,
    ModelUnavailable,
    UnusableReply,
)
from whyrank.lm.base import LM, Capability, Choose, Generate, Likelihood, Message, Reply, Request
from whyrank.lm.failures import (
    CallFailed,
    no_connection,
    plain,
    retry_after,
    server_message,
    too_slow,
    unusable,
)
from whyrank.lm.limits import Limits
from whyrank.lm.remote import Remote, worst_case
from whyrank.lm.replicas import Breaker, Replica, Replicas
from whyrank.types import Usage

ASK = Generate((Message("user", "hi"),))


def test_it_is_a_language_model() -> None:
    lm = remote(Acted(lambda number, url: Reply()))
    assert isinstance(lm, LM)
    assert repr(lm) == "<Remote test:m>"
    with lm:
        assert lm.ask([]) == []


@pytest.mark.parametrize(
    ("failure", "error", "calls"),
    [
        (status(408), ModelUnavailable, 5),
        (status(409), ModelUnavailable, 5),
        (status(429), ModelUnavailable, 5),
        (status(500), ModelUnavailable, 5),
        (status(503), ModelUnavailable, 5),
        (status(529), ModelUnavailable, 5),
        (too_slow(60), ModelUnavailable, 5),
        (no_connection("refused", was_sent=False), ModelUnavailable, 5),
        (unusable("HTML"), UnusableReply, 2),
        (status(400), ModelRejected, 1),
        (status(413), ModelRejected, 1),
        (status(422), ModelRejected, 1),
        (status(401), AccessDenied, 1),
        (status(403), ModelRejected, 1),
        (status(404), AccessDenied, 1),
        (status(429, '{"error": {"code": "insufficient_quota"}}'), AccessDenied, 1),
    ],
)
def test_what_is_tried_again_and_how_it_ends(failure: CallFailed, error: type[ModelError], calls: int) -> None:
    transport = Acted(fails(failure))
    [result] = remote(transport).ask([ASK])
    assert type(result) is error
    assert str(result).startswith("test:m: ")
    assert len(transport.sent) == calls
    assert (f"tried {calls} times" in str(result)) == (calls > 1)


def test_a_try_that_succeeds_ends_it_and_all_tries_are_accounted() -> None:
    clock = Clock(chance=0.5)
    transport = Acted(fails(status(500), times=2))
    [result] = remote(transport, clock=clock).ask([ASK])
    assert isinstance(result, Reply)
    # pauses of half of 0.5 and half of 1 second; the price is unknown
    assert clock.pauses == [0.25, 0.5]
    assert result.usage == Usage(calls=3, prompt_tokens=10, generated_tokens=2, seconds=0.75, cost=None)


def test_pauses_double_up_to_a_limit_and_are_spread() -> None:
    clock = Clock(chance=1.0)
    remote(Acted(fails(status(409))), Limits(1, retries=9), clock).ask([ASK])
    assert clock.pauses == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]
    clock = Clock(chance=0.0)
    remote(Acted(fails(status(409))), clock=clock).ask([ASK])
    assert clock.pauses == [0, 0, 0, 0]


def test_a_server_that_says_when_to_come_back_is_left_alone_until_then() -> None:
    clock = Clock(chance=0.0)
    times: list[float] = []

    def act(number: int, url: str) -> Reply:
        times.append(clock.time)
        if number == 0:
            raise status(429, **{"retry-after": "7"})
        return Reply("ok")

    results = remote(Acted(act), clock=clock).ask([ASK, ASK])
    assert [isinstance(result, Reply) for result in results] == [True, True]
    assert times == [0, 7, 7]


def test_another_server_is_asked_meanwhile() -> None:
    clock = Clock(chance=0.0)

    def act(number: int, url: str) -> Reply:
        if url == "a":
            raise status(429, **{"retry-after": "50"})
        return Reply(url)

    transport = Acted(act)
    results = remote(transport, clock=clock, urls=("a", "b")).ask([ASK] * 5)
    assert [result.text for result in results if isinstance(result, Reply)] == ["b"] * 5
    assert [url for _, url, _ in transport.sent] == ["a", "b", "b", "b", "b", "b"]
    assert clock.time == 0


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7),
        ("0.5", 0.5),
        ("-3", 0),
        ("100000", 60),
        ("inf", None),
        ("nan", None),
        ("", None),
        ("soon", None),
        ("Thu, 01 Jan 1970 00:01:40 GMT", 10),
        ("Thu, 01 Jan 1970 00:00:10 GMT", 0),
        ("Thu, 01 Jan 2070 00:00:10 GMT", 60),
    ],
)
def test_retry_after(header: str, seconds: float | None) -> None:
    assert retry_after(header, wall_s=90.0) == seconds


def test_a_wrong_key_is_not_tried_with_every_request() -> None:
    transport = Acted(fails(status(401)))
    results = remote(transport).ask([ASK] * 50)
    assert {type(result) for result in results} == {AccessDenied}
    assert len(transport.sent) == 1
    transport = Acted(fails(status(403)))  # some gateways say 403 to one request
    remote(transport).ask([ASK] * 5)
    assert len(transport.sent) == 5


def test_after_the_deadline_there_is_no_further_try() -> None:
    clock = Clock(chance=1.0)
    transport = Acted(fails(status(500)))
    results = remote(transport, Limits(1, retries=100, deadline_s=5.0), clock).ask([ASK])
    # tries at 0, 0.5, 1.5 and 3.5 s; the next would be at 7.5
    assert [type(result) for result in results] == [ModelUnavailable]
    assert "deadline of 5 s; before that, the server answered 500: no (tried 4 times)" in str(results[0])
    assert clock.time == 3.5
    assert [timeout_s for _, _, timeout_s in transport.sent] == [5.0, 4.5, 3.5, 1.5]


def test_ask_returns_at_the_deadline_whatever_a_call_does() -> None:
    let_go = threading.Event()
    seen: list[int] = []

    def act(number: int, url: str) -> Reply:
        if number:
            let_go.wait()
        return Reply(f"{number}")

    lm = Remote(
        Acted(act),
        name="t",
        urls=("a",),
        capabilities=frozenset({Capability.GENERATE}),
        limits=Limits(2, deadline_s=0.2),
    )
    results = lm.ask([ASK] * 6, lambda place, result: seen.append(place))
    let_go.set()
    assert sorted(seen) == list(range(6))
    assert [type(result) for result in results].count(Reply) == 1
    assert [type(result) for result in results].count(ModelUnavailable) == 5


def test_calls_run_side_by_side_but_not_too_many_even_over_two_asks() -> None:
    lock, here, most = threading.Lock(), 0, 0
    all_in = threading.Barrier(3)

    def act(number: int, url: str) -> Reply:
        nonlocal here, most
        with lock:
            here += 1
            most = max(most, here)
        all_in.wait(timeout=20)  # breaks unless three are here at once
        with lock:
            here -= 1
        return Reply("ok")

    lm = remote(Acted(act), Limits(concurrency=3))
    results: list[Reply | ModelError] = []
    others = threading.Thread(target=lambda: results.extend(lm.ask([ASK] * 6)))
    others.start()
    results += lm.ask([ASK] * 6)
    others.join()
    assert [result.text for result in results if isinstance(result, Reply)] == ["ok"] * 12
    assert most == 3


def test_replies_are_in_order_and_told_from_the_calling_thread() -> None:
    told: dict[int, str] = {}
    threads = set()

    def note(place: int, result: Reply | ModelError) -> None:
        threads.add(threading.current_thread())
        assert isinstance(result, Reply)
        told[place] = result.text

    class Named(Acted):
        def send(self, request: Request, url: str, timeout_s: float) -> Reply:
            return Reply(request.tag)

    requests = [Generate("x", tag=str(i)) for i in range(100)]
    results = remote(Named(lambda number, url: Reply()), Limits(8)).ask(requests, note)
    assert [result.text for result in results if isinstance(result, Reply)] == [str(i) for i in range(100)]
    assert told == {i: str(i) for i in range(100)}
    assert threads == {threading.current_thread()}


@pytest.fixture
def heard() -> Iterator[None]:
    """Ctrl-C is heard, as in a terminal: a process that was started in the background ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heard")
def test_ctrl_c_ends_the_work_at_once() -> None:
    let_go = threading.Event()

    def act(number: int, url: str) -> Reply:
        if number == 1:
            os.kill(os.getpid(), signal.SIGINT)
        let_go.wait()
        return Reply()

    transport = Acted(act)
    with pytest.raises(KeyboardInterrupt):
        remote(transport, Limits(2)).ask([ASK] * 50)
    let_go.set()
    for thread in threading.enumerate():
        if thread.name == "test:m":
            thread.join()
    assert len(transport.sent) == 2


def test_a_mistake_of_the_program_is_raised_and_not_swallowed() -> None:
    def act(number: int, url: str) -> Reply:
        raise ZeroDivisionError("ours")

    with pytest.raises(ZeroDivisionError, match="ours"):
        remote(Acted(act)).ask([ASK])

    def hears(place: int, result: Reply | ModelError) -> None:
        raise ZeroDivisionError("yours")

    with pytest.raises(ZeroDivisionError, match="yours"):
        remote(Acted(lambda number, url: Reply())).ask([ASK], hears)


def test_answers_that_a_server_left_out_are_asked_for() -> None:
    usage = Usage(prompt_tokens=10, generated_tokens=1)
    transport = Acted(lambda number, url: Reply(f"{number}", usage=usage))
    [result] = remote(transport).ask([Generate("x", n=3, seed=5)])
    assert isinstance(result, Reply)
    assert (result.text, result.others) == ("0", ("1", "2"))
    assert (result.usage.calls, result.usage.prompt_tokens) == (3, 30)
    assert [(each[0].n, each[0].seed) for each in transport.sent if isinstance(each[0], Generate)] == [
        (3, 5),
        (1, 6),
        (1, 7),
    ]


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        (Choose("x", ()), "without choices"),
        (Generate("x", n=0), "n is 0"),
        (Generate("x", max_tokens=0), "max_tokens 0"),
        (Likelihood((Message("user", "x"),), "y"), "likelihood of a conversation"),
        (Generate((Message("user", "x"), Message("assistant", "y"))), "prefill=True"),
    ],
)
def test_requests_that_make_no_sense(request_: Request, says: str) -> None:
    transport = Acted(lambda number, url: Reply())
    with pytest.raises(BadInput, match=says):
        remote(transport).ask([ASK, request_])
    assert transport.sent == []


@pytest.mark.parametrize(
    "wrong", [{"concurrency": 0}, {"retries": -1}, {"timeout_s": 0.0}, {"timeout_s": float("nan")}, {"deadline_s": 0.0}]
)
def test_limits_that_make_no_sense(wrong: dict[str, float]) -> None:
    with pytest.raises(BadInput, match=next(iter(wrong))):
        Limits(**wrong)  # type: ignore[arg-type]


class TestReplicas:
    def replicas(self, clock: Clock, *urls: str) -> Replicas:
        return Replicas(urls, 4, Breaker(failures=3, span_s=2.0, cool_down_s=15.0), lambda: clock.time)

    def take(self, replicas: Replicas, avoid: Replica | None = None) -> Replica:
        taken = replicas.take(avoid, lambda: True)
        assert isinstance(taken, Replica)
        return taken

    def test_the_least_busy_is_asked(self) -> None:
        replicas = self.replicas(Clock(), "a", "b")
        first, second = self.take(replicas), self.take(replicas)
        assert {first.url, second.url} == {"a", "b"}
        replicas.give_back(second, None)
        assert self.take(replicas) is second

    def test_the_one_that_failed_last_is_avoided(self) -> None:
        replicas = self.replicas(Clock(), "a", "b")
        first = self.take(replicas)
        replicas.give_back(first, status(409))
        assert self.take(replicas, avoid=first) is not first

    def test_a_broken_one_is_left_alone_then_tried_by_one_call(self) -> None:
        clock = Clock()
        replicas = self.replicas(clock, "a")
        for clock.time in (0.0, 1.0, 2.0):
            replicas.give_back(self.take(replicas), status(500))
        with pytest.raises(ModelUnavailable, match="left alone for 15 s"):
            self.take(replicas)
        clock.time = 17.0
        probe = self.take(replicas)
        waits = iter([True, True, False])  # others wait for what becomes of it
        with pytest.raises(ModelUnavailable, match="no longer wanted"):
            replicas.take(None, lambda: next(waits))
        replicas.give_back(probe, status(500))
        with pytest.raises(ModelUnavailable, match="left alone for 15 s"):
            self.take(replicas)
        clock.time = 32.0
        replicas.give_back(self.take(replicas), None)
        assert self.take(replicas).url == self.take(replicas).url == "a"

    def test_failures_at_the_same_time_are_one_stumble(self) -> None:
        clock = Clock()
        replicas = self.replicas(clock, "a")
        for _ in range(20):
            replicas.give_back(self.take(replicas), status(500))
        assert self.take(replicas).url == "a"

    def test_an_answer_in_between_ends_the_count(self) -> None:
        clock = Clock()
        replicas = self.replicas(clock, "a")
        for clock.time, failure in ((0.0, status(500)), (1.0, status(500)), (2.0, None), (3.0, status(500))):
            replicas.give_back(self.take(replicas), failure)
        assert self.take(replicas).url == "a"

    def test_a_busy_or_unwilling_server_is_not_broken(self) -> None:
        clock = Clock()
        replicas = self.replicas(clock, "a")
        for clock.time in range(20):
            replicas.give_back(self.take(replicas), status(429 if clock.time % 2 else 400))
        assert self.take(replicas).url == "a"


def test_with_every_server_broken_the_rest_fails_without_calls() -> None:
    clock = Clock(chance=1.0)
    transport = Acted(fails(status(500)))
    limits = Limits(1, breaker=Breaker(failures=3, span_s=0.0, cool_down_s=100.0))
    results = remote(transport, limits, clock, urls=("a", "b")).ask([ASK] * 10)
    assert len(transport.sent) == 7  # five of the first request, and one more of the second for each server
    assert {type(result) for result in results} == {ModelUnavailable}
    assert "each of the 2 servers failed 3 times" in str(results[-1])


def test_one_request_that_always_fails_takes_no_other_with_it() -> None:
    clock = Clock(chance=1.0)

    def poisoned(number: int, _url: str) -> Reply:
        if transport.sent[number][0].prompt == "poison":
            raise status(500)
        return Reply("fine")

    transport = Acted(poisoned)
    lm = remote(transport, Limits(1), clock)
    results = [lm.ask([Generate(text)])[0] for text in ("a", "poison", "b", "poison", "c")]
    assert [type(result) for result in results] == [Reply, ModelUnavailable, Reply, ModelUnavailable, Reply]


def test_server_messages_are_one_short_line() -> None:
    assert server_message('{"error": {"message": "too\\n\\n long\\u0007", "code": 1}}') == "too long"
    assert server_message('{"error": "plain"}') == "plain"
    assert server_message('{"detail": [{"msg": "wrong"}]}') == '[{"msg": "wrong"}]'
    assert server_message("<html><b>No</b></html>") == "No"
    assert server_message("[" * 100_000).startswith("[[[")
    assert len(plain("x" * 1000)) == 300


def test_whatever_a_server_says_the_message_is_one_short_line() -> None:
    chance = random.Random(0)
    for _ in range(300):
        body = "".join(chance.choice('{}[]":,<>/a\n\t\x00é"error""message"null1') for _ in range(chance.randrange(40)))
        said = server_message(body)
        assert len(said) <= 300
        assert said == " ".join(said.split())


def test_the_worst_case_counts_bytes() -> None:
    # 2 bytes for é; 32 for the turn and 32 for the whole
    assert worst_case(Generate("é", max_tokens=5)) == (66, 5)
    assert worst_case(Generate((Message("user", "ab"), Message("user", "c")), max_tokens=5, n=2)) == (198, 10)
    assert worst_case(Choose("ab", ("x",))) == (66, 1)
    assert worst_case(Likelihood("ab", "cd")) == (68, 1)
