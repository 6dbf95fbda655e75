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


A, B, TIE = Choice(1, "repaired"), Choice(-1, "repaired"), Choice(0, "repaired")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Passage A is more relevant than Passage B.", A),
        ("Both passages name the year, but Passage B is more relevant.", B),
        ("Passage A is long.\n\nPassage B names 2 of 3 kings.\n\nTherefore, Passage B is more relevant.", B),
        ("A and B are equally relevant, but if I must choose: B", B),
        ("I would choose Passage A.", A),
        ("[B] > [A]", B),
        ("A > B", A),
        ("More relevant: B", B),
        ('{"answer": "B"}', B),
        ("The answer is \\boxed{A}", Choice(1, "ok")),
        ("Ｂ", Choice(-1, "ok")),
        ("A<|im_end|>", Choice(1, "ok")),
        ("A or B", NOTHING),
        ("Answer: A/B", NOTHING),
        ("The answer is not A.", NOTHING),
        ("Passage 1", NOTHING),
        ("Neither passage is relevant.", TIE),
    ],
)
def test_untidy_choices_of_two(text: str, expected: Choice) -> None:
    assert pairwise(text) == expected


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[3] > [1] > [2]", 2),
        ("Passage 3 is the most relevant passage to the query.", 2),
        ("Passage 1 is about Rome. Passage 2 names 4 kings. The best passage is: **Passage 3**", 2),
        ("The best is 3.", 2),
        ("Passages 1 and 2 are both fine.", None),
        ("There are 3 passages.", None),
    ],
)
def test_untidy_choices_of_a_set(text: str, value: int | None) -> None:
    assert setwise(text, 4, labels="numbers").value == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Yes/No", None),
        ("Yes or no? Answer: No", 0),
        ("Answer (yes/no): yes", 1),
        ('{"relevant": true}', 1),
        ("The passage is not relevant to the query.", 0),
        ("The passage is irrelevant: it names 3 others.", 0),
        ("In sum, the document is highly relevant.", 1),
        ("Not relevant", 0),
        ("Verdict: **False**", 0),
        ("Yes-men are rare", None),
    ],
)
def test_untidy_verdicts(text: str, value: int | None) -> None:
    assert yes_no(text).value == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3 out of 4", 3),
        ("3 - highly relevant", 3),
        ("2 (somewhat relevant)", 2),
        ("Score (0-4): 3", 3),
        ("Score: 3.0", 3),
        ("I would rate this passage a 3.", 3),
        ("On a scale of 0 to 4, I give it a 2.", 2),
        ("Relevance: 0-4", None),
        ("The score is between 0 and 4.", None),
        ("4 of 5 kings are named.", None),
        ("Score: 97%", None),
    ],
)
def test_untidy_grades(text: str, value: int | None) -> None:
    assert grade(text).value == value


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
    [
        "A",
        " ",
        "answer ",
        "answer: ",
        "score is ",
        "9",
        "[",
        "most relevant passage ",
        "is:",
        "<answer>",
        "yes ",
        "*",
        "A > ",
        "give it a ",
        "Passage A is ",
        "score (",
        "it is ",
    ],
)
def test_long_texts_take_linear_time(piece: str) -> None:
    text = (piece * (200_000 // len(piece) + 1))[:200_000]
    start = time.process_time()
    for parse in PARSERS:
        parse(text)
    assert time.process_time() - start < 4
