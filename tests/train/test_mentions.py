"""Passages that reasons name by number, in the words of a prompt without numbers."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whyrank.train.mentions import addressed, mentioned


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", set()),
        ("It names the year.", set()),
        ("Better than passage 3.", {3}),
        ("Better than Passages 1, 2, and 4 or [5].", {1, 2, 4, 5}),
        ("Unlike passages 2-4 & document #1", {1, 2, 3, 4}),
        ("[2] and [3] say less than texts 4 to 5", {2, 3, 4, 5}),
        ("passage 9", set()),  # there are five
        ("documents 1 and 9", set()),
        ("documents 0 and 1", set()),
        ("a passage of 3 pages, a text in 2 parts", set()),
        ("document 1999, document 1.5, document 10000", set()),
        ("the passage 2's claim", {2}),
        ("passages 5-2", set()),
    ],
)
def test_what_is_named(text: str, named: set[int]) -> None:
    assert mentioned(text, 5) == named


@pytest.mark.parametrize(
    ("said", "other", "words"),
    [
        ("It says why.", 3, "It says why."),
        ("Passage 2 says why.", None, "This document says why."),
        ("As [2] says, it is so.", None, "As this document says, it is so."),
        ("It says more than passage 3.", 3, "It says more than the other document."),
        ("It says more than the passage 3's list.", 3, "It says more than the other document's list."),
        ("It says more than passages 3, 4 and 5.", 4, "It says more than the other document."),
        ("Passages 2 and 3 say why.", 3, "Both documents say why."),
        ("It says more than passage 3.", None, ""),
        ("It is dated. It says less than passage 1.", 3, "It is dated."),
        ("It says less than passage 1 but more than passage 3.", 3, ""),
        ("Passages 1 and 4 say more. [2] is short.", 3, "This document is short."),
        ("It is of passage 1999.", 3, "It is of passage 1999."),
        ("  ", 3, ""),
    ],
)
def test_a_reason_names_what_its_prompt_shows(said: str, other: int | None, words: str) -> None:
    assert addressed(said, 5, 2, other) == words


@given(st.text("passage 12345[],.-&and ", max_size=60), st.integers(1, 4))
def test_no_number_of_a_passage_is_left(text: str, other: int) -> None:
    assert not mentioned(addressed(text, 4, 1, other), 4)


@pytest.mark.parametrize("part", ["passage 1, ", "[1] and ", "1 to ", "passages 1-", "the ", ", and "])
def test_a_reason_is_read_in_linear_time(part: str) -> None:
    text = f"passages 1 {part * 20_000}"
    began = time.process_time()
    addressed(text, 5, 1, 2)
    assert time.process_time() - began < 5
