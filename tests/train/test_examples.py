"""From teacher records to lists, targets and reasons."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import lessons
import pytest

from whyrank.errors import BadInput, MissingFile, UnknownName
from whyrank.lm.fake import Fake
from whyrank.rankers.student_prompt import Kind
from whyrank.teach.asking import ask
from whyrank.teach.conversation import Teacher
from whyrank.teach.records import Mode, Reasons, TeacherRecord, write_records
from whyrank.teach.store import Store
from whyrank.train.causal import Told
from whyrank.train.examples import REFUSED, REPAIRED, draw, example, given, known, prepare, read
from whyrank.train.settings import DataSettings
from whyrank.types import Document, Query, Ranking

BOTH: tuple[Kind, ...] = ("direct", "comparison")
NO = "I'm sorry, but I can't help with that."
RECORD = TeacherRecord(
    key="k",
    query=Query("q", "why is the sky blue"),
    documents=(Document("7", "far"), Document("9", "near", title="Sky"), Document("1", "mid")),
    order=(1, 2, 0),
    scores=(0.5, 3.0, 2.0),
    reasons=(Reasons("d0", "c0"), Reasons("d1", "c1"), Reasons("", "c2 ")),
    labels={"9": 2.0, "7": -1.0},
    model="made-up",
)


def test_targets_are_places_in_the_order_and_never_identifiers() -> None:
    one = example(RECORD, DataSettings(), BOTH, is_judged=False)
    assert one.documents == ("far", "Sky near", "mid")
    assert (one.targets, one.grades) == ((1.0, 3.0, 2.0), (0, 2, 1))
    renamed = tuple(dataclasses.replace(d, id=f"{9 - n}") for n, d in enumerate(RECORD.documents))
    again = dataclasses.replace(RECORD, documents=renamed, labels={})
    assert example(again, DataSettings(), BOTH, is_judged=False) == one


def test_targets_can_be_the_teachers_scores() -> None:
    assert example(RECORD, DataSettings(targets="scores"), (), is_judged=False).targets == (0.5, 3.0, 2.0)


def test_grades_are_judgements_where_there_are_any() -> None:
    assert example(RECORD, DataSettings(), (), is_judged=True).grades == (0, 2, 0)
    judged = prepare([RECORD, dataclasses.replace(RECORD, key="other", labels={})], DataSettings(), (), seed=1)
    assert judged.is_judged
    assert [one.grades for one in judged.examples] == [(0, 2, 0), (0, 0, 0)]


def test_reasons_of_each_kind_and_the_last_is_compared_with_nothing() -> None:
    query = RECORD.query.text
    direct = [Told("direct", query, "Sky near", None, "d1"), Told("direct", query, "far", None, "d0")]
    compared = [Told("comparison", query, "Sky near", "mid", "c1"), Told("comparison", query, "mid", "far", "c2")]
    assert example(RECORD, DataSettings(), ("direct",), is_judged=False).told == tuple(direct)
    assert example(RECORD, DataSettings(), ("comparison",), is_judged=False).told == tuple(compared)
    assert example(RECORD, DataSettings(), BOTH, is_judged=False).told == (direct[0], *compared, direct[1])
    assert example(RECORD, DataSettings(), (), is_judged=False).told == ()


def test_what_cannot_be_learnt_from_is_counted_by_its_reason() -> None:
    records = [
        RECORD,
        dataclasses.replace(RECORD, model="other"),
        lessons.record(1, status="refused", order=(), reasons=()),
        lessons.record(2, status="error", order=(), reasons=()),
        lessons.record(3, documents=1),
        lessons.record(4, query=Query("q", " \n")),
        lessons.record(5, scores=(1.0, None, 0.0)),
        lessons.record(6, status="repaired", scores=(1.0, 2.0, 3.0)),
    ]
    found = prepare(records, DataSettings(targets="scores"), BOTH, seed=1)
    assert len(found.examples) == 2
    assert found.records == 8
    assert sum(found.skipped.values()) == 6
    assert found.skipped == {
        "given twice": 1,
        "of status 'refused': the answer ranked nothing": 1,
        "of status 'error': the answer ranked nothing": 1,
        "of fewer than two documents with text": 1,
        "without a query": 1,
        "without a score for each document (data.targets: scores)": 1,
    }
    assert found.teachers == ("made-up",)


def test_an_unusable_record_takes_no_place_from_a_usable_one() -> None:
    asked_again = [dataclasses.replace(RECORD, status="refused", order=(), reasons=()), RECORD]
    found = prepare(asked_again, DataSettings(), BOTH, seed=1)
    assert (len(found.examples), found.skipped) == (1, {"of status 'refused': the answer ranked nothing": 1})


def test_a_comparison_is_with_the_best_below_that_it_names_and_names_no_number() -> None:
    said = {0: "Worse than passage 2.", 1: "Passage 2 says more than passages 1 and 3.", 2: "More than passage 1."}
    reasons = tuple(Reasons(f"Passage {place + 1} it is.", words) for place, words in said.items())
    far = dataclasses.replace(
        RECORD, reasons=(*reasons[:1], Reasons("Like passage 1.", "Unlike passage 1."), reasons[2])
    )
    near = dataclasses.replace(RECORD, reasons=reasons)
    query, sky = RECORD.query.text, "Sky near"
    assert example(near, DataSettings(), ("comparison",), is_judged=False).told == (
        Told("comparison", query, sky, "mid", "This document says more than the other document."),
        Told("comparison", query, "mid", "far", "More than the other document."),
    )
    assert example(far, DataSettings(), BOTH, is_judged=False).told[0] == Told(
        "comparison", query, sky, "far", "Unlike the other document."
    )
    found = prepare([far], DataSettings(), BOTH, seed=1)
    assert found.left_out == {"reasons about documents that the student is not shown": 1}
    assert [one.text for one in found.examples[0].told if one.kind == "direct"] == ["This document it is."] * 2


def test_a_document_without_text_is_no_part_of_a_list() -> None:
    documents = (RECORD.documents[0], Document("9", " ", title="\n"), RECORD.documents[2])
    record = dataclasses.replace(RECORD, documents=documents, scores=(0.5, None, 2.0))
    one = example(record, DataSettings(), BOTH, is_judged=False)
    assert (one.documents, one.targets, one.grades) == (("far", "mid"), (1.0, 2.0), (0, 1))
    assert [(said.document, said.other, said.text) for said in one.told] == [("mid", "far", "c2"), ("far", None, "d0")]
    scored = prepare([record], DataSettings(targets="scores"), (), seed=1)
    assert ([one.targets for one in scored.examples], scored.left_out) == ([(0.5, 2.0)], {"documents without text": 1})
    alone = dataclasses.replace(record, documents=(*documents[:2], Document("1", "")))
    assert prepare([alone], DataSettings(), (), seed=1).skipped == {"of fewer than two documents with text": 1}


def test_reasons_that_are_missing_are_counted() -> None:
    found = prepare([RECORD, lessons.record(1, has_reasons=False)], DataSettings(), BOTH, seed=1)
    assert found.left_out == {"reasons that were not given": 1, "lists without reasons": 1}
    assert prepare([RECORD, lessons.record(1, has_reasons=False)], DataSettings(), (), seed=1).left_out == {}


@pytest.mark.parametrize("kind", BOTH)
def test_a_reason_that_is_refused_is_not_learnt_and_is_counted(kind: Kind) -> None:
    refused = {"direct": Reasons(NO), "comparison": Reasons("", NO)}[kind]
    record = dataclasses.replace(RECORD, reasons=(refused, Reasons("d1", "c1"), refused))
    found = prepare([record], DataSettings(), (kind,), seed=1)
    assert [one.text for one in found.examples[0].told] == [{"direct": "d1", "comparison": "c1"}[kind]]
    assert found.left_out == {REFUSED: {"direct": 2, "comparison": 1}[kind]}


def asked(store: Path, order: Sequence[int], *, mode: Mode = "both", has_reasons: bool = True) -> TeacherRecord:
    """The record of a teacher that names passages in this order."""
    said = {"direct_reason": "It says why.", "listwise_reason": "It is better."} if has_reasons else {}
    answer = json.dumps({"ranked_passages": [{"identifier": number, **said} for number in order]})
    with Store(store) as kept:
        shown = Ranking.of(RECORD.query, RECORD.documents)
        ask([shown], Teacher(Fake(lambda _: answer), mode, attempts=0), kept)
        [record] = kept.records()
    return record


@pytest.mark.parametrize("order", [[1, 1, 1], [2], [3, 2, 2], [2, 3, 1, 9]])
@pytest.mark.parametrize("mode", ["ranking", "both"])
def test_an_order_that_was_repaired_is_not_learnt_unless_it_is_wanted(
    order: list[int], mode: Mode, tmp_path: Path
) -> None:
    record = asked(tmp_path / "teacher.db", order, mode=mode)
    assert record.status == "repaired"
    found = prepare([record, lessons.record(1)], DataSettings(), BOTH, seed=1)
    assert (len(found.examples), found.skipped) == (1, {REPAIRED: 1})
    wanted = prepare([record, lessons.record(1)], DataSettings(repaired=True), BOTH, seed=1)
    assert (len(wanted.examples), wanted.skipped) == (2, {})


def test_where_only_a_reason_is_missing_the_order_is_learnt(tmp_path: Path) -> None:
    record = asked(tmp_path / "teacher.db", [2, 3, 1], has_reasons=False)
    assert (record.status, record.order) == ("repaired", (1, 2, 0))
    found = prepare([record], DataSettings(), BOTH, seed=1)
    assert ([one.targets for one in found.examples], found.skipped) == ([(1.0, 3.0, 2.0)], {})
    turned = dataclasses.replace(record, order=(0, 1, 2))
    assert prepare([turned], DataSettings(), BOTH, seed=1).skipped == {REPAIRED: 1}


def test_the_order_of_documents_without_a_score_was_filled_in() -> None:
    record = lessons.record(1, status="repaired", mode="ranking", scores=(1.0, None, 0.0), labels={"d0": 1.0})
    assert prepare([record], DataSettings(), (), seed=1).skipped == {REPAIRED: 1}
    assert prepare([record], DataSettings(targets="labels"), (), seed=1).skipped == {}


def test_where_nothing_but_an_order_was_asked_for_it_is_the_order_that_was_repaired() -> None:
    thought = "So [1] > [2] > [3] it is."  # of an answer that concluded with less
    record = lessons.record(1, status="repaired", mode="ranking", order=(0, 1, 2), answer=thought)
    assert prepare([record], DataSettings(), (), seed=1).skipped == {REPAIRED: 1}


def test_queries_of_both_files_are_counted() -> None:
    train = prepare([RECORD], DataSettings(), (), seed=1)
    texts = ["Why is the  sky blue?", "why is the sky red", "WHY IS THE SKY BLUE"]
    again = [lessons.record(n, query=Query(f"dev{n}", text)) for n, text in enumerate(texts)]
    assert known(prepare(again, DataSettings(), (), seed=1), train) == 2


def test_a_store_is_read_as_its_lines_are(tmp_path: Path) -> None:
    records = lessons.records(4)
    with Store(tmp_path / "teacher.db") as store:
        for record in records:
            store.add(record)
    write_records(tmp_path / "train.jsonl", records)
    found = [
        read(tmp_path / name, lessons.settings("tiny", "data", tmp_path)) for name in ("teacher.db", "train.jsonl")
    ]
    assert found[0] == found[1]
    assert len(found[0].examples) == 4


def test_filters_are_applied_by_name() -> None:
    records = [*lessons.records(4), lessons.record(9, status="repaired")]
    found = prepare(records, DataSettings(filters=("permutation",), repaired=True), BOTH, seed=1)
    assert (len(found.examples), found.skipped) == (4, {"dropped by the filter permutation": 1})
    with pytest.raises(UnknownName, match="permutation"):
        prepare(records, DataSettings(filters=("permutations",)), BOTH, seed=1)


def test_draws_are_nested_whatever_else_is_there() -> None:
    records = lessons.records(60)
    small, large = ([one.key for one in draw(records, 42, size)] for size in (10, 30))
    assert len(small) == 10
    assert set(small) < set(large)
    assert small == [one.key for one in records if one.key in small]
    assert {one.key for one in draw(list(reversed(records)), 42, 10)} == set(small)
    assert {one.key for one in draw(records, 43, 10)} != set(small)
    without = [one for one in records if one.key not in small[:5]]
    assert set(small[5:]) < {one.key for one in draw(without, 42, 10)}
    assert draw(records, 42, 99) == records


def test_what_was_not_drawn_is_counted() -> None:
    found = prepare(lessons.records(9), DataSettings(), BOTH, seed=1, limit=4)
    assert (len(found.examples), found.skipped) == (4, {"not drawn (data.limit)": 5})


def test_the_digest_is_of_what_is_learnt() -> None:
    records = lessons.records(5)
    digest = prepare(records, DataSettings(), BOTH, seed=1).digest
    assert digest == prepare(records, DataSettings(), BOTH, seed=2).digest
    assert digest != prepare(records, DataSettings(), ("direct",), seed=1).digest
    assert digest != prepare(records[::-1], DataSettings(), BOTH, seed=1).digest


def test_files_of_a_folder(tmp_path: Path) -> None:
    with pytest.raises(MissingFile, match=r"holds no train\.jsonl"):
        given(DataSettings(path=str(tmp_path)))
    (tmp_path / "train.jsonl.gz").write_bytes(b"")
    assert given(DataSettings(path=str(tmp_path))) == (tmp_path / "train.jsonl.gz", None)
    (tmp_path / "dev.jsonl").write_bytes(b"")
    assert given(DataSettings(path=str(tmp_path))).dev == tmp_path / "dev.jsonl"
    assert given(DataSettings(path=str(tmp_path), dev="mine.jsonl")).dev == Path("mine.jsonl")
    single = tmp_path / "train.jsonl.gz"
    assert given(DataSettings(path=str(single))) == (single, None)


def test_a_record_of_no_documents_is_no_list() -> None:
    empty = TeacherRecord(key="e", query=Query("q", "x"), documents=())
    assert prepare([empty], DataSettings(), BOTH, seed=1).skipped == {"of status 'ok': the answer ranked nothing": 1}
    with pytest.raises(BadInput, match="without an order"):
        TeacherRecord(key="e", query=Query("q", "x"), documents=(Document("a", "b"),))
