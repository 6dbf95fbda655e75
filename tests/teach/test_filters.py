"""Filters keep what can be learnt from, and count what they drop; agreement and labels by hand-made orders."""

import math
from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whyrank.errors import BadInput, UnknownName
from whyrank.teach.agreement import agreements, compare, kendall_tau, same_list
from whyrank.teach.filters import FILTERS, Filter, agreement, filter_records
from whyrank.teach.labels import Pairs, label_pairs
from whyrank.teach.records import Mode, Reasons, TeacherRecord
from whyrank.types import Document, Query, Status

TEXTS = ("The sky is blue.", "Seas are salt.", "The sun is old.")
DOCUMENTS = tuple(Document(name, text) for name, text in zip("abc", TEXTS, strict=True))


def record(
    key: str = "k",
    order: tuple[int, ...] = (1, 0, 2),
    *reasons: Reasons,
    model: str = "gpt",
    mode: Mode = "both",
    status: Status = "ok",
    documents: tuple[Document, ...] = DOCUMENTS,
    labels: dict[str, float] | None = None,
) -> TeacherRecord:
    return TeacherRecord(
        key,
        Query("q", "why blue?"),
        documents,
        order,
        reasons=reasons,
        model=model,
        mode=mode,
        status=status,
        labels=labels or {},
    )


def quoting(*quotes: str) -> TeacherRecord:
    return record("k", (1, 0, 2), *(Reasons("why", "why above", quote) for quote in quotes))


def passes(filters: str | Filter, one: TeacherRecord) -> bool:
    return bool(filter_records([one], [filters]).kept)


BROKEN = record(order=(), status="error")


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("usable", record(status="repaired"), BROKEN),
        ("usable", record(), record(status="truncated")),
        ("permutation", record(), record(status="repaired")),
        ("documents", record(), record(documents=(*DOCUMENTS[:2], Document("c", " \n")))),
        ("documents", record(documents=(*DOCUMENTS[:2], Document("c", "", title="Sun"))),
         record(order=(0,), documents=(Document("a", ""),))),
        ("reasons", quoting("", "", ""), record()),
        ("reasons", quoting("", "", ""), record("k", (1, 0, 2), *[Reasons("why", "above")] * 2, Reasons("why", ""))),
        ("reasons", record("k", (1, 0, 2), *[Reasons("", "x")] * 3, mode="ranking"), record(mode="ranking")),
        ("reasons", record("k", (1, 0, 2), *[Reasons("x")] * 3, mode="direct"),
         record("k", (1, 0, 2), *[Reasons("x")] * 3)),
        ("quotes", quoting("sky is blue", "N/A", ""), quoting("The SKY is blue", "", "")),
        ("quotes=0.5", quoting("sky is blue", "made up", ""), quoting("sky is blue", "made up", "made up")),
        ("near-quotes", quoting("THE sky; is blue", "", ""), quoting("The sky is green", "", "")),
        ("quotes", record(), BROKEN),
        ("order", record("k", (1, 0, 2), Reasons("", "less relevant than passage 2"), Reasons(), Reasons()),
         record("k", (1, 0, 2), Reasons("", "more relevant than passage 2"), Reasons(), Reasons())),
        ("order", record("k", (1, 0, 2), Reasons("It ranks above passage 2."), Reasons(), Reasons()), BROKEN),
        ("order-wide", record("k", (0, 1, 2), Reasons("It ranks above passage 2."), Reasons(), Reasons()),
         record("k", (1, 0, 2), Reasons("It ranks above passage 2."), Reasons(), Reasons())),
        ("labels", record(labels={"b": 1, "a": 0}), record(labels={"a": 1, "b": 0})),
        ("labels", record(), BROKEN),
        ("labels=0.5", record(labels={"a": 1, "b": 0, "c": 0}), record(labels={"c": 1, "a": 0, "b": 0})),
    ],
)  # fmt: skip
def test_what_a_filter_keeps_and_drops(name: str, good: TeacherRecord, bad: TeacherRecord) -> None:
    assert passes(name, good)
    assert not passes(name, bad)


def test_a_record_is_counted_by_the_first_filter_that_drops_it() -> None:
    given = [record("1"), record("2", (), status="error"), record("3", labels={"c": 1, "b": 0}), record("4")]
    mine = Filter("mine", lambda one: one.key != "4")
    found = filter_records(given, ["usable", "labels=0.9", mine, "documents"])
    assert [one.key for one in found.kept] == ["1"]
    assert found.dropped == {"usable": 1, "labels=0.9": 1, "mine": 1, "documents": 0}
    assert found.keys == {"usable": ["2"], "labels=0.9": ["3"], "mine": ["4"]}
    assert len(found.kept) + found.dropped.total() == len(given)
    assert filter_records(given, []).kept == given


def test_agreement_looks_for_the_same_list_whatever_its_ids_and_order() -> None:
    mine = record("1", (1, 0, 2))  # b a c
    swapped = tuple(replace(one, id=one.id * 2) for one in reversed(DOCUMENTS))
    other = replace(record("2", (1, 0, 2), documents=swapped, model="other"), query=Query("z", "Why blue"))  # b c a
    alone = replace(record("3"), query=Query("q", "why green?"))
    assert kendall_tau("bac", "bca") == pytest.approx(1 / 3)
    assert [one.key for one in filter_records([mine, other, alone], ["agreement=0.3"]).kept] == ["1", "2"]
    assert not filter_records([mine, other, alone], ["agreement"]).kept
    lone = [one.key for one in filter_records([mine, other, alone], ["agreement-or-alone"]).kept]
    assert lone == [alone.key]
    assert len(filter_records([mine, other, alone], ["agreement-or-alone=0.3"]).kept) == 3
    assert not filter_records([mine, replace(mine, key="4")], ["agreement=-1"]).kept  # its own opinion is no second one
    assert passes(agreement([other], 0.3), mine)
    assert not passes(agreement([other], 0.4), mine)
    assert not passes(agreement([alone], 0.3, keep_alone=True), BROKEN)
    assert passes(agreement([], keep_alone=True), mine)


def test_two_prompts_of_one_model_are_two_teachers() -> None:
    first, second = replace(record("1"), prompt="one"), replace(record("2"), prompt="two")
    assert len(filter_records([first, second], ["agreement=1"]).kept) == 2
    [found] = agreements([first, second])
    assert (found.tau, found.is_same_first) == (1.0, True)
    assert agreements([first, replace(second, prompt="one")]) == []


def test_documents_of_one_content_are_one() -> None:
    same = (Document("a", "x"), Document("b", "x"), Document("c", "y"))
    first, second = record(order=(0, 2, 1), documents=same), record(order=(1, 0, 2), documents=same)
    assert compare(first, second).tau == 1.0
    assert same_list(first) == same_list(replace(second, documents=tuple(reversed(same))))
    alike = record(order=(0, 1), documents=same[:2])
    assert math.isnan(compare(alike, alike).tau)
    assert passes(agreement([replace(alike, model="other")], 1.0), alike)


@given(st.permutations(range(6)), st.permutations(range(6)))
def test_kendall_tau_counts_pairs(first: list[int], second: list[int]) -> None:
    a, b = ({item: place for place, item in enumerate(order)} for order in (first, second))
    signs = [1 if (a[x] < a[y]) == (b[x] < b[y]) else -1 for x, y in permutations(range(6), 2)]
    assert kendall_tau(first, second) == pytest.approx(sum(signs) / len(signs))


def test_label_pairs_by_hand() -> None:
    assert label_pairs(record(labels={"b": 2, "a": 0, "c": 1})) == Pairs(1, 2)  # b 2, a 0, c 1
    assert label_pairs(record(labels={"c": 1})) == Pairs(0, 0)
    assert label_pairs(record(labels={"b": 1, "c": -1, "elsewhere": 1})) == Pairs(1, 1)


def test_names_and_values_that_make_no_sense() -> None:
    with pytest.raises(UnknownName, match="did you mean quotes"):
        filter_records([], ["quote"])
    with pytest.raises(BadInput, match="'usable' takes no value"):
        filter_records([], ["usable=1"])
    for value in ("", "x", "nan", "1.1", "-0.1"):
        with pytest.raises(BadInput, match=r"a number from 0 to 1: quotes=0\.5"):
            filter_records([], [f"quotes={value}"])
    assert filter_records([], ["agreement=-1"]).dropped == {"agreement=-1": 0}
    assert all(named.description for named in FILTERS.values())
