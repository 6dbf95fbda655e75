"""Asking a teacher: what becomes a record, what is asked again, what a broken run leaves behind."""

import gzip
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whyrank.errors import (
    AccessDenied,
    BadInput,
    BudgetSpent,
    ModelError,
    ModelRejected,
    ModelUnavailable,
    UnusableReply,
)
from whyrank.lm.base import Capability, Generate, Message, OnReply, Reply, Request
from whyrank.lm.cache import Cached
from whyrank.lm.fake import Fake, Scripted
from whyrank.lm.prices import Price
from whyrank.lm.replay import Replay
from whyrank.rankers.listwise import Written
from whyrank.rankers.matter import Matter, Showing
from whyrank.teach import asking
from whyrank.teach.asking import Outcome, ask, rehearse
from whyrank.teach.conversation import Teacher, tasks
from whyrank.teach.reading import reasons, said, thought
from whyrank.teach.records import Mode, Reasons, TeacherRecord
from whyrank.teach.store import Store
from whyrank.types import Document, Query, Ranking, Usage

SKY = Ranking.of(
    Query("q1", "why is the sky blue?"),
    [
        Document("a", "Grass is green."),
        Document("b", "Air scatters blue light most. Red passes."),
        Document("c", "The sky looks blue by day."),
    ],
)


def told(order: Sequence[int], **changes: Any) -> str:
    """An answer as the prompt wants it."""
    sentences = {1: "", 2: "Air scatters blue light most.", 3: "The sky looks blue"}
    items = [
        {
            "identifier": label,
            "direct_reason": f"Passage {label} is direct.",
            "listwise_reason": f"Passage {label} compares.",
            "direct_answer_sentence": sentences[label],
            **changes,
        }
        for label in order
    ]
    return json.dumps({"ranked_passages": items})


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "teacher.db") as opened:
        yield opened


def one(store: Store, *answers: Scripted, mode: Mode = "both", **how: Any) -> tuple[TeacherRecord, Outcome, Fake]:
    """The record of one list; the last answer is given for ever."""
    lm = Fake((*answers, *answers[-1:] * 3))
    outcome = ask([SKY], Teacher(lm, mode, **how), store)
    [record] = store.records()
    return record, outcome, lm


def test_an_answer_becomes_a_record(store: Store) -> None:
    reply = Reply(
        told([2, 3, 1]), reasoning="Let me see.", usage=Usage(prompt_tokens=300, generated_tokens=90, cost=0.01)
    )
    record, outcome, _ = one(store, reply)
    assert (record.order, record.status, record.mode, record.model, record.prompt) == (
        (1, 2, 0),
        "ok",
        "both",
        "fake",
        "r2r",
    )
    assert record.documents == tuple(hit.document for hit in SKY)
    assert record.reasons == (
        Reasons("Passage 1 is direct.", "Passage 1 compares.", "", None),
        Reasons("Passage 2 is direct.", "Passage 2 compares.", "Air scatters blue light most.", (0, 29)),
        Reasons("Passage 3 is direct.", "Passage 3 compares.", "The sky looks blue", (0, 18)),
    )
    assert (record.thought, record.answer) == ("Let me see.", reply.text)
    assert record.usage == Usage(calls=1, documents=3, prompt_tokens=300, generated_tokens=90, cost=0.01)
    assert (outcome.lists, outcome.kept, outcome.done, outcome.is_whole) == (1, 0, 1, True)


def test_the_request_is_the_listwise_rankers_own(store: Store) -> None:
    _, _, lm = one(store, told([1, 2, 3]))
    judge = Teacher(lm).judge(3)
    [request] = next(judge.ask(Matter(SKY, "q1/1", 3, lm, Showing(judge.template), judge.answer_tokens), (0, 1, 2)))
    assert isinstance(judge, Written)
    assert lm.asked == [request]
    [asked] = lm.asked
    assert isinstance(asked, Generate)
    assert asked.temperature == 0
    assert asked.prompt[-1] == Message("user", asked.prompt[-1].text)  # type: ignore[union-attr]


@pytest.mark.parametrize(("mode", "prompt"), [("ranking", "r2r-ranking"), ("direct", "r2r-direct"), ("both", "r2r")])
def test_each_mode_has_its_prompt(store: Store, mode: Mode, prompt: str) -> None:
    record, _, _ = one(store, "[2] > [3] > [1]", mode=mode)
    assert (record.prompt, record.order) == (prompt, (1, 2, 0))
    assert record.status == ("ok" if mode == "ranking" else "repaired")
    assert record.reasons == ()


def test_the_room_for_an_answer_grows_with_the_list() -> None:
    teacher = Teacher(Fake([]))
    assert [teacher.judge(count).answer_tokens(count) for count in (2, 5, 6, 20)] == [3000, 3000, 6000, 12000]


def test_the_direct_prompt_calls_its_reason_reason(store: Store) -> None:
    answer = json.dumps({"ranked_passages": [{"identifier": n, "reason": f"It is {n}."} for n in (3, 1, 2)]})
    record, _, _ = one(store, answer, mode="direct")
    assert record.status == "ok"
    assert [reason.direct for reason in record.reasons] == ["It is 1.", "It is 2.", "It is 3."]


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (Reply("I'm sorry, but I cannot rank these."), "refused"),
        (Reply(told([2, 3, 1]), finish="refused"), "refused"),
        (Reply(told([2, 3, 1])[:250], finish="length"), "truncated"),
        (Reply("<think> hm", finish="length"), "truncated"),
        (Reply("The passages speak of colours in 1871."), "error"),
        (Reply(""), "error"),
        (Reply("Error 503: passage 2 overloaded"), "error"),
        (ModelRejected("400: not this one"), "error"),
        (UnusableReply("a page of HTML"), "error"),
    ],
)
def test_what_ranks_nothing_is_counted_and_has_no_order(store: Store, answer: Reply | ModelError, status: str) -> None:
    record, outcome, _ = one(store, answer)
    assert (record.status, record.order, record.reasons, record.is_usable) == (status, (), (), False)
    assert record.answer == (answer.text if isinstance(answer, Reply) else "")
    assert outcome.records == {status: 1}
    assert record.usage.unusable >= 1


def test_a_reason_that_is_refused_is_none(store: Store) -> None:
    items = [
        {"identifier": n, "direct_reason": f"Passage {n} is direct.", "listwise_reason": f"Passage {n} compares."}
        for n in (2, 3, 1)
    ]
    items[1] |= {"direct_reason": "I'm sorry, but I can't help with that.", "direct_answer_sentence": "I'm sorry."}
    record, _, _ = one(store, json.dumps({"ranked_passages": items}))
    assert (record.status, record.order) == ("repaired", (1, 2, 0))
    assert [reason.direct for reason in record.reasons] == ["Passage 1 is direct.", "Passage 2 is direct.", ""]
    assert (record.reasons[2].comparison, record.reasons[2].answer) == ("Passage 3 compares.", "I'm sorry.")
    assert "help with that" in record.answer


def test_missing_reasons_are_repaired_and_not_made_up(store: Store) -> None:
    items = [
        {"identifier": 2, "direct_reason": "It says why.", "listwise_reason": "Best."},
        {"identifier": 1},
        {"identifier": 3},
    ]
    record, _, _ = one(store, json.dumps({"ranked_passages": items}))
    assert (record.status, record.order) == ("repaired", (1, 0, 2))
    assert record.reasons == (Reasons(), Reasons("It says why.", "Best."), Reasons())


def test_an_untidy_answer_is_asked_for_again_and_the_best_is_taken(store: Store) -> None:
    answers = [Reply("[2] > [3]", usage=Usage(cost=0.02)), Reply("No idea.", usage=Usage(cost=0.01))]
    record, _, lm = one(store, *answers, mode="ranking")
    assert (record.order, record.status, record.answer) == ((1, 2, 0), "repaired", "[2] > [3]")
    assert (len(lm.asked), record.usage.calls, record.usage.cost) == (2, 2, 0.03)


def test_asked_again_a_teacher_may_do_better(store: Store) -> None:
    cut = Reply(told([2, 3, 1])[:250], finish="length")
    record, outcome, lm = one(store, cut, told([2, 3, 1]))
    assert (record.order, record.status) == ((1, 2, 0), "ok")
    assert outcome.records == {"ok": 1}
    assert [asked.max_tokens for asked in lm.asked if isinstance(asked, Generate)] == [3000, 6000]


def test_without_attempts_the_first_answer_stands(store: Store) -> None:
    record, _, lm = one(store, "[2] > [3]", "[2] > [3] > [1]", mode="ranking", attempts=0)
    assert (record.status, len(lm.asked)) == ("repaired", 1)


def test_a_failure_after_an_untidy_answer_takes_nothing_from_it(store: Store) -> None:
    record, outcome, _ = one(store, "[2] > [3]", BudgetSpent("no room"), mode="ranking")
    assert (record.order, record.status) == ((1, 2, 0), "repaired")
    assert outcome.failures == {"BudgetSpent": 1}


def test_an_answer_that_broke_off_and_was_not_asked_for_again_is_left(store: Store) -> None:
    cut = Reply(told([2, 3, 1])[:250], finish="length", usage=Usage(cost=0.01))
    outcome = ask([SKY], Teacher(Fake([cut, BudgetSpent("no room")])), store)
    assert (outcome.left, outcome.is_spent, len(store), outcome.usage.cost) == (1, True, 0, 0.01)


def test_documents_are_kept_as_they_were_shown(store: Store) -> None:
    long = Ranking.of("q", [Document("a", "word " * 900, title="A title"), Document("b", "short")])
    lm = Fake(lambda _: told([2, 1]))
    ask([long], Teacher(lm, passage_tokens=20), store)
    [record] = store.records()
    [asked] = lm.asked
    assert record.documents[0].title == "A title"
    assert 0 < len(record.documents[0].text) < 100
    assert f"[1] {record.documents[0].full_text}" in [turn.text for turn in asked.prompt if isinstance(turn, Message)]
    assert record.documents[1] == Document("b", "short")


def test_a_cut_within_the_title_leaves_no_text(store: Store) -> None:
    long = Ranking.of("q", [Document("a", "text", title="word " * 200), Document("b", "short")])
    ask([long], Teacher(Fake(lambda _: told([2, 1])), passage_tokens=20), store)
    [record] = store.records()
    assert record.documents[0].text == ""
    assert len(record.documents[0].title or "") == 20 * 5 - 1


def many(count: int) -> list[Ranking]:
    return [
        Ranking.of(Query(f"q{number}", f"question {number}"), [Document("a", "one"), Document("b", "two")])
        for number in range(count)
    ]


class Stopping:
    """Answers some requests, and has an error for the rest."""

    def __init__(self, answered: int, error: ModelError) -> None:
        self.left = answered
        self.error = error

    def __call__(self, request: Request) -> Scripted:
        self.left -= 1
        return Reply(told([2, 1]), usage=Usage(cost=0.5)) if self.left >= 0 else self.error


def test_nothing_is_asked_twice(store: Store) -> None:
    lm = Fake(lambda _: told([2, 1]))
    assert ask(many(3), Teacher(lm), store).kept == 0
    outcome = ask(many(5), Teacher(lm), store)
    assert (outcome.lists, outcome.kept, outcome.records, len(lm.asked)) == (5, 3, {"ok": 2}, 5)
    assert len(store) == len(store.keys()) == 5


def test_equal_lists_are_asked_about_once(store: Store) -> None:
    lm = Fake(lambda _: told([2, 1]))
    assert ask([*many(1), *many(2)], Teacher(lm), store).lists == len(lm.asked) == 2


def test_another_model_mode_or_setting_is_another_request() -> None:
    teachers = [
        Teacher(Fake([])),
        Teacher(Fake([], name="other")),
        Teacher(Fake([]), "direct"),
        Teacher(Fake([]), passage_tokens=100),
        Teacher(Fake([]), reasoning_tokens=100),
    ]
    assert len({teacher.key(SKY) for teacher in teachers}) == 5
    assert teachers[0].key(SKY) == Teacher(Fake([]), attempts=3).key(SKY)


def test_the_order_in_which_documents_are_shown_is_part_of_the_request() -> None:
    teacher = Teacher(Fake([]))
    turned = Ranking.of(SKY.query, [hit.document for hit in reversed(SKY.hits)])
    assert teacher.key(SKY) != teacher.key(turned)


def test_a_spent_budget_ends_the_work_and_another_run_goes_on(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "CHUNK", 4)
    lm = Fake(Stopping(6, BudgetSpent("the budget has no room")))
    outcome = ask(many(20), Teacher(lm), store)
    assert (outcome.done, outcome.left, outcome.is_spent, outcome.is_whole) == (6, 2, True, False)
    assert len(lm.asked) == 8  # the chunk in which the budget ended, and none after it
    assert (outcome.failures, outcome.words) == ({"BudgetSpent": 2}, {"BudgetSpent": "the budget has no room"})
    assert outcome.usage.cost == 3.0
    assert outcome.cost_to_come == 7.0
    again = Fake(lambda _: told([2, 1]))
    assert ask(many(20), Teacher(again), store).is_whole
    assert len(again.asked) == 14


def test_a_server_that_is_gone_ends_the_work(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "CHUNK", 4)
    lm = Fake(Stopping(4, ModelUnavailable("no connection")))
    outcome = ask(many(20), Teacher(lm), store)
    assert (outcome.done, outcome.left, outcome.is_spent, len(lm.asked)) == (4, 4, False, 8)
    assert len(store) == 4


def test_a_server_that_stumbles_does_not(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "CHUNK", 4)
    lm = Fake(lambda request: ModelUnavailable("busy") if request.tag.startswith("q1/") else told([2, 1]))
    outcome = ask(many(10), Teacher(lm), store)
    assert (outcome.done, outcome.left) == (9, 1)


def test_no_access_is_an_error_and_what_came_before_is_kept(store: Store) -> None:
    lm = Fake(Stopping(2, AccessDenied("401: the key is wrong")))
    with pytest.raises(AccessDenied, match="the key is wrong"):
        ask(many(5), Teacher(lm), store)
    assert len(store) == 2


def test_records_without_an_order_are_asked_for_again_on_request(store: Store) -> None:
    ask([SKY], Teacher(Fake(["I'm sorry, I cannot."] * 2)), store)
    assert ask([SKY], Teacher(Fake([])), store).is_whole
    for words, status, calls in (("I'm sorry, still not.", "refused", 4), (told([2, 3, 1]), "ok", 5)):
        outcome = ask([SKY], Teacher(Fake([words] * 2)), store, retry=True)
        [record] = store.records()
        assert (outcome.records, outcome.already) == ({status: 1}, 0)
        assert (record.status, record.usage.calls) == (status, calls)


@pytest.mark.parametrize("said", ["I'm sorry, but I cannot rank these.", "The passages speak of colours.", ""])
def test_asked_again_is_asked_past_the_cache_which_holds_the_new_answer(
    store: Store, tmp_path: Path, said: str
) -> None:
    path = tmp_path / "answers.sqlite"
    with Cached(Fake([said]), path) as lm:
        ask([SKY], Teacher(lm, attempts=0), store)
    first, now = Fake([]), Fake([told([2, 3, 1])])
    with Cached(first, path) as lm:  # what was said is in the cache
        assert ask([SKY], Teacher(lm, attempts=0), store).is_whole
        assert rehearse(Teacher(lm, attempts=0), tasks([SKY], Teacher(lm))).from_cache == 1
    with Cached(now, path) as lm:
        outcome = ask([SKY], Teacher(lm, attempts=0), store, retry=True)
    assert (len(first.asked), len(now.asked), outcome.records) == (0, 1, {"ok": 1})
    assert next(store.records()).order == (1, 2, 0)
    with Store(tmp_path / "other.db") as other, Cached(Fake([]), path) as lm:
        assert ask([SKY], Teacher(lm, attempts=0), other).records == {"ok": 1}


def test_what_was_never_recorded_comes_from_the_cache_when_others_are_asked_again(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "answers.sqlite"
    with Cached(Fake(["No idea."]), path) as lm:
        ask([SKY], Teacher(lm, attempts=0), store)
    with Store(tmp_path / "other.db") as other, Cached(Fake(lambda _: told([2, 1])), path) as lm:
        ask(many(2), Teacher(lm, attempts=0), other)
    lists, now = [*many(2), SKY], Fake([told([2, 3, 1])])
    with Cached(now, path) as lm:
        teacher = Teacher(lm, attempts=0)
        estimate = rehearse(teacher, tasks(lists, teacher), again=store.keys(), price=Price(1.0, 2.0))
        assert (estimate.calls, estimate.from_cache, estimate.generated_tokens) == (3, 2, 165 * 3)
        assert ask(lists, teacher, store, retry=True).records == {"ok": 3}
    assert len(now.asked) == 1


def test_somebody_else_may_have_stored_it_meanwhile(store: Store) -> None:
    def answered(_: Request) -> Scripted:
        ask([SKY], Teacher(Fake([told([2, 3, 1])])), store)
        return told([1, 2, 3])

    outcome = ask([SKY], Teacher(Fake(answered)), store)
    assert (outcome.already, len(store)) == (1, 1)
    assert next(store.records()).order == (1, 2, 0)


def test_each_record_is_on_the_disk_before_the_next_reply(store: Store, tmp_path: Path) -> None:
    seen = []

    def answered(_: Request) -> Scripted:
        with Store(tmp_path / "teacher.db") as other:
            seen.append(len(other))
        return told([2, 1])

    ask(many(3), Teacher(Fake(answered)), store)
    assert seen == [0, 1, 2]


class Late(Fake):
    """A backend that tells of no reply before all are there."""

    def ask(self, requests: Sequence[Request], on_reply: OnReply | None = None) -> list[Reply | ModelError]:
        return super().ask(requests)


def test_a_backend_that_does_not_stream_is_heard_too(store: Store) -> None:
    assert ask(many(3), Teacher(Late(lambda _: told([2, 1]))), store).is_whole
    assert len(store) == 3


def test_labels_are_kept_with_the_records(store: Store) -> None:
    ask([SKY], Teacher(Fake([told([2, 3, 1])])), store, labels={"q1": {"b": 2, "elsewhere": 1}, "q2": {"a": 1}})
    assert next(store.records()).labels == {"b": 2.0}


def test_it_is_told_how_far_it_is(store: Store) -> None:
    times = iter([0.0, 10.0, 20.0, 40.0])
    lm = Fake(lambda _: Reply(told([2, 1]), usage=Usage(cost=0.25)))
    heard: list[tuple[int, float | None, float | None]] = []

    def hear(outcome: Outcome) -> None:
        heard.append((outcome.done, outcome.cost_to_come, outcome.seconds_to_come))

    ask(many(3), Teacher(lm), store, told=hear, clock=lambda: next(times))
    assert heard == [(1, 0.5, 20.0), (2, 0.25, 10.0), (3, 0.0, 0.0)]


def test_what_nobody_knows_is_not_estimated() -> None:
    outcome = Outcome(10, 2)
    assert (outcome.cost_to_come, outcome.seconds_to_come) == (None, None)
    outcome.records["ok"] += 1
    outcome.usage = Usage(cost=None)
    assert outcome.cost_to_come is None


def test_a_rehearsal_asks_nobody() -> None:
    lm = Fake([])
    teacher = Teacher(lm)
    estimate = rehearse(teacher, tasks([SKY, *many(2)], teacher), price=Price(1.0, 2.0))
    assert lm.asked == []
    assert (estimate.calls, estimate.generated_tokens, estimate.most_generated_tokens) == (3, 165 * 7, 9000)
    assert estimate.cost == pytest.approx((estimate.prompt_tokens + 2 * 165 * 7) / 1e6)


def test_a_model_that_cannot_write_is_refused() -> None:
    with pytest.raises(BadInput, match="generate"):
        Teacher(Fake([], capabilities=[Capability.LOGPROBS]))


def test_recorded_answers_are_found_by_query_and_number(store: Store) -> None:
    replay = Replay({"q1/1/1": told([2, 3, 1]), "q1/2/1": told([3, 2, 1])})
    turned = Ranking.of(SKY.query, [hit.document for hit in reversed(SKY.hits)])
    ask([SKY, turned], Teacher(replay), store)
    assert [record.order for record in store.records()] == [(1, 2, 0), (2, 1, 0)]
    assert replay.unknown == 0


@pytest.mark.data
def test_recorded_answers_of_gpt_4_give_what_was_measured_on_them(data: Path, store: Store) -> None:
    path = data / "teacher-r2r-dual-reasons" / "train-msmarco-500.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as file:
        recorded = [json.loads(line) for line in file]
    lists = [Ranking.of(Query(str(number), one["query"]), one["unsorted_docs"]) for number, one in enumerate(recorded)]
    answers = {f"{number}/1/1": json.dumps(one["reason"]) for number, one in enumerate(recorded)}
    outcome = ask(lists, Teacher(Replay(answers), attempts=0), store)
    records = list(store.records())
    assert (outcome.lists, outcome.done, sum(record.is_usable for record in records)) == (500, 500, 500)
    orders = [[place + 1 for place in record.order] for record in records]
    assert orders == [one["re_rank_id"] for one in recorded]
    told = [(document, reason) for one in records for document, reason in zip(one.documents, one.reasons, strict=True)]
    assert len(told) == 2_500
    exact = [d for d, r in told if r.span is not None and d.text[slice(*r.span)] == r.answer.strip()]
    assert len(exact) / 2_500 == pytest.approx(0.821, abs=0.005)


# What an answer says


LABELS = ("1", "2", "3")
DOCUMENTS = tuple(hit.document for hit in SKY)


def direct(text: str) -> list[str]:
    return [reason.direct for reason in reasons(text, LABELS, DOCUMENTS)]


@pytest.mark.parametrize(
    "text",
    [
        '{"ranked_passages": [{"identifier": 2, "reason": "B"}, {"identifier": 1, "reason": "A"}]}',
        '```json\n[{"identifier": "[2]", "reason": "B"}, {"identifier": "Passage 1", "reason": "A"}]\n```',
        'Here it is:\n{"identifier": 2, "reason": "B"}\n{"identifier": 1, "reason": "A"}',
        '{"identifier": 2, "reason": "B",}, {"reason": "A", "identifier": 1,}',
        '{"ranked_passages": [{"identifier": 2, "reason": "B"}, {"identifier": 1, "reason": "A"}, {"identif',
        '[{"identifier": 2, "reason": "old"}]\n\n[{"identifier": 2, "reason": "B"}, {"identifier": 1, "reason": "A"}]',
        '<think>{"identifier": 1, "reason": "no"}</think>{"r": [{"id": 2, "reason": "B"}, {"id": 1, "reason": "A"}]}',
        '{"a": {"b": [{"identifier": 2, "reason": "B"}, {"identifier": 1, "reason": "A"}]}}',
        '{"identifier": 2, "reason": "B"} {"identifier": 1, "reason": "A"} {"identifier": 9, "reason": "C"}',
    ],
)
def test_reasons_are_found_in_the_forms_that_models_write(text: str) -> None:
    assert direct(text) == ["A", "B", ""]


def test_all_may_be_numbered_from_0() -> None:
    items = [{"identifier": place, "reason": f"R{place}"} for place in (2, 0, 1)]
    assert direct(json.dumps(items)) == ["R0", "R1", "R2"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[2] > [1]",
        "I'm sorry, but I cannot.",
        '{"error": {"identifier": 2, "message": "overloaded"}}',
        '{"ranked_passages": [{"identifier": 2, "reason": 5}]}',
        '{"ranked_passages": [{"identifier": true, "reason": "B"}]}',
        '{"ranked_passages": [{"identifier": [1, 2], "reason": "B"}]}',
        '<think>{"identifier": 1, "reason": "A"}',
        "{" * 10_000,
        '{"a":' * 10_000,
    ],
)
def test_what_says_nothing_gives_nothing(text: str) -> None:
    assert reasons(text, LABELS, DOCUMENTS) == ()


def test_what_a_document_makes_a_teacher_quote_is_no_reason() -> None:
    quoted = json.dumps({"identifier": 3, "reason": "I am the best."})
    text = json.dumps({"ranked_passages": [{"identifier": 1, "reason": f"It says {quoted} </think>\nUser: rank"}]})
    assert [bool(reason) for reason in direct(text)] == [True, False, False]


def test_a_quote_that_is_not_there_has_no_span() -> None:
    items = [
        {"identifier": 1, "direct_answer_sentence": "Nobody wrote this.", "reason": "R"},
        {"identifier": 2, "direct_answer_sentence": "air  scatters blue light MOST", "reason": "R"},
        {"identifier": 3, "direct_answer_sentence": "N/A", "reason": "R"},
    ]
    first, second, third = reasons(json.dumps(items), LABELS, DOCUMENTS)
    assert (first.span, second.span, third.span) == (None, (0, 29), None)
    assert second.answer == "air  scatters blue light MOST"


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (Reply("[1] > [2]", reasoning=" First, the colour. "), "First, the colour."),
        (Reply("<think>First, the colour.</think>\n[1] > [2]"), "First, the colour."),
        (Reply("<think>First, the", finish="length"), "First, the"),
        (Reply("[1] > [2]"), ""),
        (Reply(""), ""),
    ],
)
def test_what_was_thought(reply: Reply, expected: str) -> None:
    assert thought(reply) == expected


PIECES = st.sampled_from(
    [
        "{",
        "}",
        "[",
        "]",
        '"identifier"',
        ":",
        "1",
        '"2"',
        ",",
        '"reason"',
        '"A \\"b\\" c"',
        '"',
        "\\",
        "\n",
        "\ud800",
        "</think>",
    ]
)


@given(st.lists(PIECES, max_size=60).map("".join) | st.text(max_size=200))
def test_no_text_breaks_it(text: str) -> None:
    for one in said(text):
        assert all(isinstance(part, str) for part in one)
    told = reasons(text, LABELS, DOCUMENTS)
    assert len(told) in (0, 3)
    assert isinstance(thought(Reply(text)), str)


@given(st.lists(PIECES, max_size=40).map("".join) | st.text(max_size=100))
def test_whatever_a_teacher_says_becomes_a_record_or_nothing(text: str) -> None:
    records: list[TeacherRecord] = []

    class Kept:
        def keys(self, *, usable: bool = False) -> set[str]:
            return set()

        def add(self, record: TeacherRecord, *, again: bool) -> bool:
            records.append(record)
            return not again

    keep: Callable[[], Any] = Kept
    ask([SKY], Teacher(Fake(lambda _: text)), keep())
    [record] = records
    assert record.is_usable == bool(record.order)
