"""What a set of records holds: by hand on a few, and the figures that the collections state of themselves."""

from dataclasses import replace
from pathlib import Path

import pytest

from whyrank.evaluate.reasons.statements import Reason
from whyrank.evaluate.results import Proportion
from whyrank.teach.importing import import_records
from whyrank.teach.records import Reasons, TeacherRecord
from whyrank.teach.stats import Row, stats
from whyrank.teach.tellings import telling
from whyrank.types import Document, Query, Usage

DOCUMENTS = (Document("a", "The sky is blue."), Document("b", "Seas are salt."), Document("c", ""))
FIRST = TeacherRecord(
    "1",
    Query("q", "Why blue?"),
    DOCUMENTS,
    (1, 0, 2),
    reasons=(
        Reasons("It names 7 skies.", "Less relevant than passage 2.", "The sky is blue."),
        Reasons("It directly answers.", "More relevant than passages 1 and 3.", "SEAS are salt"),
        Reasons("", "Less relevant than passage 3.", ""),
    ),
    model="gpt",
    prompt="r2r",
    mode="both",
    usage=Usage(calls=2, prompt_tokens=1500, generated_tokens=30, cost=0.25),
    labels={"a": 0.0, "b": 1.0},
)
UNPRICED = Usage(calls=3, prompt_tokens=600, generated_tokens=12, cost=None)
SECOND = TeacherRecord("2", Query("z", "why BLUE"), DOCUMENTS, (0, 1, 2), model="other", usage=UNPRICED)
BROKEN = TeacherRecord("3", Query("y", "why green"), DOCUMENTS[:2], status="refused", model="gpt", prompt="r2r")


def test_every_count_by_hand() -> None:
    found = stats([FIRST, SECOND, BROKEN])
    assert (found.lists, found.queries, found.documents) == (3, 2, 8)
    assert found.sizes == {2: 1, 3: 2}
    assert found.teachers == {("gpt", "r2r"): 2, ("other", ""): 1}
    assert found.statuses == {"ok": 2, "refused": 1}
    assert (found.usage.calls, found.usage.prompt_tokens, found.usage.cost, found.unpriced) == (5, 2_100, 0.25, 1)
    assert {share.name: (share.count, share.of) for share in found.shares} == {
        "valid permutations": (2, 3),
        "usable orders": (2, 3),
        "order as shown": (1, 2),
        "empty documents": (2, 8),
        "direct reasons": (2, 3),
        "comparing reasons": (3, 3),
        "both reasons": (2, 3),
        "exact quotes": (1, 3),
        "exact quotes, of those given": (1, 2),
        "normalised quotes": (2, 3),
        "normalised quotes, of those given": (2, 2),
        "empty quotes": (1, 3),
        "order statements (plain)": (2, 3),  # c says that it stands below itself
        "order statements (wide)": (2, 3),
        "unsupported numbers": (1, 1),
        "first denied": (0, 1),
        "lists with a relevant document": (1, 1),
        "relevant first": (1, 1),
        "relevant above irrelevant": (1, 1),
        "same first: gpt (r2r) and other": (0, 1),
    }
    [tau] = found.means
    assert (tau.name, tau.of) == ("Kendall's τ: gpt (r2r) and other", 1)
    assert tau.value == pytest.approx(1 / 3)
    assert found.share("exact quotes").share == pytest.approx(1 / 3)
    assert found.share("absent") == Proportion("absent", 0, 0)


def test_the_table_in_words() -> None:
    rows = stats([FIRST, SECOND, BROKEN]).rows()
    assert rows[:3] == [Row("lists", "3"), Row("queries", "2"), Row("documents", "8")]
    assert Row("documents a list", "2 to 3, median 3, mean 2.67") in rows
    assert Row("by gpt (r2r)", "2", "3", "66.7 %") in rows
    assert Row("status refused", "1", "3", "33.3 %") in rows
    assert Row("exact quotes", "1", "3", "33.3 %") in rows
    assert Row("Kendall's τ: gpt (r2r) and other", "0.333", "1") in rows
    assert rows[-5:] == [
        Row("calls", "5"),
        Row("prompt tokens", "2,100"),
        Row("generated tokens", "42"),
        Row("cost", "$0.2500"),
        Row("lists of unknown cost", "1", "3", "33.3 %"),
    ]


def test_nothing_is_a_table_too() -> None:
    assert stats([]).rows() == [Row("lists", "0"), Row("queries", "0"), Row("documents", "0")]


def test_without_answer_sentences_no_quotes_are_counted() -> None:
    found = stats([replace(FIRST, reasons=tuple(replace(one, answer="") for one in FIRST.reasons))])
    assert found.share("both reasons").of == 3
    assert not [share.name for share in found.shares if "quotes" in share.name]


def test_a_telling_numbers_documents_as_they_were_shown() -> None:
    told = telling(FIRST)
    assert told.ranking.ids == ("2", "1", "3")
    assert told.reasons[:2] == (
        Reason("It names 7 skies.", "1"),
        Reason("Less relevant than passage 2.", "1", ("2", "3")),
    )
    assert len(told.reasons) == 5


def test_lists_without_any_text_are_counted() -> None:
    bare = TeacherRecord(
        "1", Query("q", "x"), (Document("a", ""),), (0,), reasons=(Reasons("7", "", "q"),), mode="both"
    )
    found = stats([bare])
    assert found.share("empty documents").count == 1
    assert found.share("exact quotes").of == 0


@pytest.mark.data
def test_the_figures_of_the_recorded_teacher(data: Path) -> None:
    """Its README: 500 of 500 valid, 9.8 % as shown, 119 lists hold the positive, first in 64; the rest as below."""
    records = import_records("r2r", data / "teacher-r2r-dual-reasons" / "train-msmarco-500.jsonl.gz")
    found = stats(records)
    assert (found.lists, found.documents, found.sizes) == (500, 2_500, {5: 500})
    counted = {share.name: (share.count, share.of) for share in found.shares}
    assert counted["valid permutations"] == (500, 500)
    assert counted["both reasons"] == (2_500, 2_500)
    assert counted["lists with a relevant document"] == (119, 500)
    assert counted["relevant first"] == (64, 119)
    assert counted["order statements (plain)"] == (202, 202)
    assert counted["order statements (wide)"] == (737, 751)  # its README states 97.3 % of 768, of another wide pattern
    rows = {row.name: row.share for row in found.rows()}
    assert rows["order as shown"] == "9.8 %"
    assert rows["exact quotes"] == "82.1 %"
    assert rows["exact quotes, of those given"] == "89.0 %"
    assert rows["normalised quotes"] == "88.6 %"


@pytest.mark.data
def test_two_teachers_of_the_same_windows(data: Path) -> None:
    """Its README states 0.555 and 61 %; these are the figures of all 591 windows that both have."""
    folder = data / "teacher-windows-gpt35-gpt4"
    files = ("gpt-3.5-turbo.jsonl.gz", "gpt-4.jsonl.gz")
    found = stats(record for name in files for record in import_records("windows", folder / name))
    assert found.teachers == {("gpt-3.5-turbo", ""): 2_199, ("gpt-4", ""): 591}
    assert found.sizes == {5: 2_790}
    same = found.share("same first: gpt-3.5-turbo and gpt-4")
    assert (same.count, same.of) == (356, 591)
    [tau] = found.means
    assert (tau.name, round(tau.value, 4), tau.of) == ("Kendall's τ: gpt-3.5-turbo and gpt-4", 0.5479, 591)


@pytest.mark.data
def test_the_figures_of_the_conversations(data: Path) -> None:
    """Its README: 100 conversations, each with a permutation; of 20 passages are 23 of them."""
    found = stats(import_records("conversations", data / "train-rankzephyr-listwise-100" / "listwise.jsonl"))
    assert (found.lists, found.share("valid permutations").count, found.sizes[20]) == (100, 100, 23)
