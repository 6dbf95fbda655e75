"""Answers that choose: of two, of a set, yes or no, a grade."""

import random
import time
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from whyrank.errors import BadInput
from whyrank.rankers.choices import Choice, grade, pairwise, setwise, yes_no

NOTHING = Choice(None, "error")
REFUSED = Choice(None, "refused")


@pytest.mark.parametrize(
    "form", ["A", " A\n", "[A]", "(A)", "**A**", "Passage A", "passage [A].", "<answer>A</answer>"]
)
def test_a_bare_label_is_a_choice(form: str) -> None:
    assert pairwise(form) == Choice(1, "ok")
    assert pairwise(form.replace("A", "B") if "answer" not in form else "<answer>B</answer>") == Choice(-1, "ok")


@pytest.mark.parametrize(
    "text",
    [
        "Passage B is more relevant, for A only names the town.",
        "Answer: B",
        "The answer is Passage B.",
        "The most relevant passage is [B].",
        "B: it gives the year.",
        "B. It gives the year.",
        "[B] gives the year.",
        "Passage A has 3 dates.\nFinal answer: **B**",
    ],
)
def test_a_choice_in_a_sentence_is_repaired(text: str) -> None:
    assert pairwise(text) == Choice(-1, "repaired")


@pytest.mark.parametrize(
    ("text", "status"),
    [("tie", "ok"), ("Both are equally relevant.", "repaired"), ("Passages A and B are tied", "repaired")],
)
def test_a_tie_is_a_choice(text: str, status: str) -> None:
    assert pairwise(text) == Choice(0, status)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "A passage about dogs",
        "Passage A is not relevant",
        "Passage A is less relevant than passage B",
        "C",
        "Error 429: limit B reached",
        "The answer is a good one",
        "Apples",
        "²",
    ],
)
def test_what_chooses_none_of_two(text: str) -> None:
    assert pairwise(text) == NOTHING


def test_refusals_and_unended_thoughts() -> None:
    for parse in (pairwise, yes_no, grade, lambda text: setwise(text, 3)):
        assert parse("I am sorry, I cannot judge this.") == REFUSED
        assert parse("<think>It is A, yes, 3") == Choice(None, "truncated")


@pytest.mark.parametrize(
    ("text", "letters", "numbers"),
    [
        ("C", Choice(2, "ok"), NOTHING),
        ("Passage C", Choice(2, "ok"), NOTHING),
        ("[3]", NOTHING, Choice(2, "ok")),
        ("3.", NOTHING, Choice(2, "ok")),
        ("Most relevant passage: [3]", NOTHING, Choice(2, "repaired")),
        ("<think>A or B</think> <answer>[C]</answer>", Choice(2, "ok"), NOTHING),
        ("E", NOTHING, NOTHING),
        ("5", NOTHING, NOTHING),
        ("0", NOTHING, NOTHING),
        ("9" * 5000, NOTHING, NOTHING),
        ("In 2019, 3 of 4 passages", NOTHING, NOTHING),
    ],
)
def test_the_best_of_four(text: str, letters: Choice, numbers: Choice) -> None:
    assert setwise(text, 4) == letters
    assert setwise(text, 4, labels="numbers") == numbers


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Yes", Choice(1, "ok")),
        (" no.\n", Choice(0, "ok")),
        ("**True**", Choice(1, "ok")),
        ("<think>yes or no?</think>false", Choice(0, "ok")),
        ("Yes, it names the year.", Choice(1, "repaired")),
        ("It names another year. Answer: No", Choice(0, "repaired")),
        ("Relevant: yes", Choice(1, "repaired")),
        ("", NOTHING),
        ("Nothing here", NOTHING),
        ("Yesterday", NOTHING),
        ("Relevant", NOTHING),
        ("Error: no such model, yes really", NOTHING),
    ],
)
def test_yes_and_no(text: str, expected: Choice) -> None:
    assert yes_no(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3", Choice(3, "ok")),
        ("[0]", Choice(0, "ok")),
        ("4/4", Choice(4, "ok")),
        ("##final score: 2", Choice(2, "repaired")),
        ('{"score": 1}', Choice(1, "repaired")),
        ("The score is 1, no: it deserves a rating of 3.", Choice(3, "repaired")),
        ("<answer>2</answer>", Choice(2, "ok")),
        ("5", NOTHING),
        ("2.5", NOTHING),
        ("Score: 2.5", NOTHING),
        ("-1 or so", NOTHING),
        ("It was written in 2003 by 2 people", NOTHING),
        ("Rate limit: used 3", NOTHING),
        ("٣", NOTHING),
        ("²", NOTHING),
    ],
)
def test_grades(text: str, expected: Choice) -> None:
    assert grade(text) == expected


def test_scales_are_checked() -> None:
    assert grade("10", lowest=1, highest=10) == Choice(10, "ok")
    assert grade("0", lowest=1, highest=10) == NOTHING
    with pytest.raises(BadInput, match="no scale"):
        grade("1", lowest=3, highest=3)
    with pytest.raises(BadInput, match="n is 0"):
        setwise("A", 0)
    with pytest.raises(BadInput, match="n is 27"):
        setwise("A", 27)


PARSERS: list[Callable[[str], Choice]] = [
    pairwise,
    yes_no,
    grade,
    lambda text: setwise(text, 5),
    lambda text: setwise(text, 5, labels="numbers"),
]
PIECES = [
    *(
        "A",
        "B",
        "C",
        "1",
        "3",
        "9",
        " ",
        "\n",
        ".",
        ":",
        "[",
        "]",
        "yes",
        "no",
        "Passage ",
        "answer: ",
        "score: ",
        "tie",
    ),
    *("<answer>", "</answer>", "<think>", "</think>", "sorry", "is ", "more relevant ", "²", "\ud800", "x"),
]


def check_total(text: str) -> set[str]:
    statuses: set[str] = set()
    for parse in PARSERS:
        choice = parse(text)
        assert (choice.value is None) == (choice.status not in ("ok", "repaired"))
        statuses.add(choice.status)
    assert pairwise(text).value in (None, -1, 0, 1)
    assert yes_no(text).value in (None, 0, 1)
    assert grade(text).value in (None, *range(5))
    assert setwise(text, 5).value in (None, *range(5))
    return statuses


def test_ten_thousand_hostile_answers() -> None:
    lots = random.Random(3)
    seen: Counter[str] = Counter()
    for _ in range(10_000):
        seen.update(check_total("".join(lots.choice(PIECES) for _ in range(lots.randrange(9)))))
    assert set(seen) == {"ok", "repaired", "truncated", "refused", "error"}


@given(st.text(st.characters(), max_size=100))
@example("9" * 5000)
@example("score: " + "9" * 5000)
def test_no_text_raises(text: str) -> None:
    check_total(text)


@pytest.mark.parametrize(
    "piece",
    ["A", " ", "answer ", "answer: ", "score is ", "9", "[", "most relevant passage ", "is:", "<answer>", "yes ", "*"],
)
def test_a_megabyte_takes_linear_time(piece: str) -> None:
    text = (piece * (1_000_000 // len(piece) + 1))[:1_000_000]
    start = time.process_time()
    for parse in PARSERS:
        parse(text)
    assert time.process_time() - start < 8
