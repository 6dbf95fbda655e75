"""Answers of language models: what they say, what they get wrong, and what they can never do."""

import random
import time
from collections import Counter

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from whyrank.errors import BadInput
from whyrank.rankers.parsing import Parsed, ranking
from whyrank.rankers.ranking_forms import Labels


def numbers(parsed: Parsed) -> list[int]:
    """The order as identifiers, from 1 on."""
    return [i + 1 for i in parsed.order]


# What a right answer looks like


@pytest.mark.parametrize(
    "text",
    [
        "[2] > [3] > [1]",
        "\n  [2] > [3] > [1]\n",
        "[2]>[3]>[1]",
        "**[2]** > **[3]** > **[1]**",
        "[2] >\n[3] >\n[1]",
        "[2] ≻ [3] ≻ [1]",
        "[2] -> [3] → [1]",
        "[2] &gt; [3] &gt; [1]",
        "[02] > [3] > [1]",
        "[Passage 2] > [Passage 3] > [Passage 1]",
        "2] > [3] > [1]",
        "2 > [3] > [1]",
        "2 > 3 > 1",
        "Ranking: 2 > 3 > 1",
        "Passage 2 > Passage 3 > Passage 1",
        "1. [2] > [3] > [1]",
        "1. [2] > 2. [3] > 3. [1]",
        "1. [2] 2. [3] 3. [1]",
        "1. [2]\n2. [3]\n3. [1]",
        "1) Passage 2\n2) Passage 3\n3) Passage 1",
        "1. **[2]**: names the year\n2. **[3]**: close\n3. **[1]**: off topic",
        "1. 2\n2. 3\n3. 1",
        "[2]\n[3]\n[1]",
        "- [2]\n- [3]\n- [1]",
        "[2], [3], [1]",
        "2, 3, 1",
        "Final order: 2, 3, 1.",
        "[2, 3, 1]",
        '["[2]", "[3]", "[1]"]',
        '["2", "Passage 3", "1"]',
        '```json\n{"ranking": [2, 3, 1]}\n```',
        'Here it is: {"order": ["[2]", "[3]", "[1]"]} I hope it helps.',
        '{"ranked_passages": [{"identifier": 2, "reason": "a"}, {"identifier": "3"}, {"identifier": "[1]"}]}',
        '{"ranking": "[2] > [3] > [1]", "reason": "[1] > [2] was tempting"}',
        "Sure! Of the 3 passages, [1] is the weakest.\n\n[2] > [3] > [1]\n\nPassage [1] was written in 2001.",
        "[1] > [2] seems right at first, but no.\n<answer>[2] > [3] > [1]</answer>",
        "<think>[1] > [2] > [3]? <answer>3</answer>?</think>\n[2] > [3] > [1]",
        "[3] > [1]</think><answer>[2] > [3] > [1]",
        "I close my thoughts.</think>\n\n[2] > [3] > [1]</answer>",
        "<ANSWER> 2, 3, 1 </ANSWER>",
        "Draft: [1] > [2] > [3]\n### Final Reranking:\n[2] > [3] > [1]",
        "[Start] [2] > [3] > [1] [End]",
        "[1] > [2] > [3] is my draft.\n[Start]\n[2]\n[3]\n[1]\n[End]",
        "The format is e.g. [1] > [2] > [3]. My ranking: [2] > [3] > [1]",
    ],
)
def test_a_stated_order_is_read(text: str) -> None:
    assert ranking(text, 3) == Parsed((1, 2, 0), "ok", (), named=3)


@pytest.mark.parametrize(
    "text",
    [
        "[B] > [C] > [A]",
        "B > C > A",
        "B] > [C] > [A]",
        "<answer>B, C, A</answer>",
        '["B", "C", "A"]',
        "1. B\n2. C\n3. A",
    ],
)
def test_letters_are_read(text: str) -> None:
    assert ranking(text, 3, labels="letters") == Parsed((1, 2, 0), "ok", (), named=3)


def test_letters_and_numbers_are_not_mixed_up() -> None:
    assert ranking("[2] > [1]", 2, labels="letters").status == "error"
    assert ranking("[B] > [A]", 2).status == "error"


@pytest.mark.parametrize("end", ["", "\n", " none of them", " I cannot decide."])
def test_what_follows_the_final_heading_is_final_even_if_it_ranks_nothing(end: str) -> None:
    answer = ranking(f"Step 2. [3] > [1] > [2] for the year.\n### Final Reranking:{end}", 3)
    assert answer.status in ("error", "refused")
    assert answer.order == (0, 1, 2)


# What goes wrong, and what is made of it


@pytest.mark.parametrize(
    ("text", "order", "repairs"),
    [
        ("[3] > [1] > [3] > [2] > [4]", [3, 1, 2, 4], ("named again, dropped: 1",)),
        ("[3] > [9] > [1] > [2] > [4]", [3, 1, 2, 4], ("out of range, dropped: 1",)),
        (
            "[3] > [99999999999999999999999] > [1]",
            [3, 1, 2, 4],
            ("out of range, dropped: 1", "not named, kept in order below: 2"),
        ),
        ("10000 > [3] > [1] > [2] > [4]", [3, 1, 2, 4], ("out of range, dropped: 1",)),
        ("[3] > [2]", [3, 2, 1, 4], ("not named, kept in order below: 2",)),
        ("[3] > [2] = [1] > [4]", [3, 2, 1, 4], ()),
        ("[2] > [0] > [1] > [3]", [3, 1, 2, 4], ("numbered from 0",)),
        ("[0] > [2] > [1]", [2, 1, 3, 4], ("out of range, dropped: 1", "not named, kept in order below: 2")),
        ("[3]", [3, 1, 2, 4], ("not named, kept in order below: 3",)),
        ("[Start] [3] [End]\nOnly [3] and [4] speak of it.", [3, 1, 2, 4], ("not named, kept in order below: 3",)),
        ("[Start] [3] > [End]", [3, 1, 2, 4], ("not named, kept in order below: 3",)),
        ("<answer>4</answer>", [4, 1, 2, 3], ("not named, kept in order below: 3",)),
        ("[4] > [3]\n[2] > [1]", [4, 3, 2, 1], ("joined from several lines",)),
        (
            "First: [4] > [3] > [2].\nIn short, the best two: [4] > [3]",
            [4, 3, 2, 1],
            ("not named, kept in order below: 1",),
        ),
        (
            "[4] wins on all counts\n[2] says a little\n[3] nothing",
            [4, 2, 3, 1],
            ("read from the order of remarks", "not named, kept in order below: 1"),
        ),
    ],
)
def test_faults_are_repaired_and_reported(text: str, order: list[int], repairs: tuple[str, ...]) -> None:
    parsed = ranking(text, 4)
    assert (numbers(parsed), parsed.repairs) == (order, repairs)
    assert parsed.status == ("repaired" if repairs else "ok")


def test_a_ranking_in_two_parts_is_joined() -> None:
    text = "Relevant first.\n[Start] [6] > [2] > [5] [End]\nNow the rest.\n[Start] [1] > [3] > [4] [End]\nDone."
    assert ranking(text, 6) == Parsed((5, 1, 4, 0, 2, 3), "repaired", ("joined from 2 parts",), named=6)


def test_the_conclusion_counts_and_not_the_draft() -> None:
    text = "Start: [6] > [2].\nThen [6] > [2] > [5].\nAll: [6] > [5] > [2] > [1] > [3] > [4]\nNote: [2] > [5] in style."
    parsed = ranking(text, 6)
    assert numbers(parsed) == [6, 5, 2, 1, 3, 4]
    assert parsed == Parsed(parsed.order, "repaired", ("a shorter ranking after it was set aside",), named=6)


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("[3] > [1] >", [3, 1, 2, 4]),
        ("[3] > [1] > [", [3, 1, 2, 4]),
        ("[3] > [2] > [1", [3, 2, 1, 4]),
        ("3 > 2 >", [3, 2, 1, 4]),
        ("<answer>[3] > [2] > ", [3, 2, 1, 4]),
        ("<think>ok</think>[3] > [2] >", [3, 2, 1, 4]),
        ("1. [3] > 2. [1] > 3", [3, 1, 2, 4]),
        ('{"ranked_passages": [{"identifier": 3, "reason": "x"}, {"identifier": "[1]", "rea', [3, 1, 2, 4]),
        ("<think>Passage [3] > [1] because", [1, 2, 3, 4]),
    ],
)
def test_a_broken_off_answer_is_truncated(text: str, order: list[int]) -> None:
    parsed = ranking(text, 4)
    assert (numbers(parsed), parsed.status) == (order, "truncated")


def test_an_answer_that_loops_after_a_full_ranking_lost_nothing() -> None:
    assert ranking("[3] > [1] > [2] > [3] > [1] > [", 3) == Parsed(
        (2, 0, 1), "repaired", ("named again, dropped: 2",), named=3
    )


# What ranks nothing


@pytest.mark.parametrize(
    "text",
    [
        "20 passages have been provided.",
        "20 passages are provided, so the ranking should be from 20 to 1.",
        "passage 4 covers 2 of 3 needs",
        "Rate limit reached: Limit 3, Used 3, Requested 1. Please try again in 20s.",
        "Error code: 429 - {'error': {'message': 'Limit 3 / min', 'code': 3}}",
        '{"error": {"message": "Limit 3, Used 3", "code": 3, "order": [3, 2]}}',
        "HTTP/1.1 502 Bad Gateway\n\n1 2 3",
        "In 2019 > 3 million people",
        "2019",
        "4",
        "[] > []",
        "Passages [4], [2] and [7] are of interest.",
        "Relevance: [3, 1, 4] - 0 (all irrelevant)",
        "[1] - Irrelevant.\n[2] - Somewhat relevant.\n[3] - Relevant, wall thickness >30 mm.",
        "1. This passage speaks of 3 of 4 things. Score: 20.\n2. This passage does not. Score: 4.",
        "1. Passage [1]: off topic. Score: 2.\n2. Passage [2]: on topic. Score: 9.",
        "Compare [2] > [1]. Then [2] > [3]. Then [4] > [2].",
        "1. [1] > [2] 2. [1] > [3] 3. [1] > [4]",
        "The output format should be [] > [], e.g., [4] > [2].",
        "{} [[[ <answer></answer> [Start][End]",
        "[²] > [①] > [３]",
        "²",
        '{"ranking": {"3": 1}}',
        "[true, false]",
        "[3.0, 1.0]",
        "null",
        "\x00\ud800",
        "Home / News / Industry 4 / What",
    ],
)
def test_numbers_that_rank_nothing_change_nothing(text: str) -> None:
    assert ranking(text, 20) == Parsed(tuple(range(20)), "error", ("no ranking found",))


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I cannot rank these 4 passages.",
        "I can’t help with that.",
        "[1] - No.\n[2] - No.\nNone of the passages are relevant, I cannot rank them.\n[Start] [0] [End]",
        "<answer>No relevant passages were found.</answer> (though [2] > [1])",
        "As an AI, I have 3 reasons to stop.",
    ],
)
def test_a_refusal_changes_nothing(text: str) -> None:
    assert ranking(text, 4) == Parsed((0, 1, 2, 3), "refused", ("declines to rank",))


def test_words_of_refusal_in_a_quoted_passage_are_none() -> None:
    quoted = "[2] " + "x " * 200 + "patients are unable to speak, and none of the drugs help " + "y " * 200
    assert ranking(f"These matter:\n{quoted}\nNow let us rank them.", 4).status == "error"


@pytest.mark.parametrize("text", ["", "  \n "])
def test_an_empty_answer_says_so(text: str) -> None:
    assert ranking(text, 2) == Parsed((0, 1), "error", ("empty answer",))


def test_small_lists() -> None:
    assert ranking("[1]", 0).order == ()
    assert ranking("[1]", 1) == Parsed((0,), "ok", named=1)
    with pytest.raises(BadInput, match="n is -1"):
        ranking("", -1)
    with pytest.raises(BadInput, match="n is 27"):
        ranking("", 27, labels="letters")


# Total and fast


PIECES = [
    *("[", "]", " > ", ">", " = ", "\n", "1", "2", "3", "20", "0", "99999999999999999999999", "A", "B", "e.g. ", ", "),
    *("<answer>", "</answer>", "<think>", "</think>", "[Start]", "[End]", "### Final Reranking:", "```json\n", "```"),
    *('{"ranking": [', '"identifier": ', "{", "}", '"', "Passage ", "1. ", "- ", "I cannot", ". "),
    *("²", "٣", "３", "\ud800", "\x00", "İ", "\u2028", "x" * 40, " " * 30),
]


def check_total(text: str, n: int, labels: Labels) -> Parsed:
    parsed = ranking(text, n, labels=labels)
    assert sorted(parsed.order) == list(range(n))
    if parsed.status in ("error", "refused"):
        assert parsed.order == tuple(range(n))
    assert (parsed.status == "ok") == (parsed.repairs == ())
    return parsed


def test_twenty_thousand_hostile_answers() -> None:
    lots = random.Random(20)
    statuses: Counter[str] = Counter()
    for _ in range(20_000):
        text = "".join(lots.choice(PIECES) for _ in range(lots.randrange(25)))
        labels: Labels = "letters" if lots.random() < 0.2 else "numbers"
        statuses[check_total(text, lots.choice([0, 1, 2, 3, 20]), labels).status] += 1
    assert set(statuses) == {"ok", "repaired", "truncated", "refused", "error"}


@given(st.text(st.characters(), max_size=200), st.integers(0, 26), st.sampled_from(["numbers", "letters"]))
@example("[" * 100_000, 3, "numbers")
@example('{"a":' * 100_000, 3, "numbers")
@example("[" + "9" * 5000 + "]", 3, "numbers")
@example('{"ranking": [' + "9" * 5000 + "]}", 3, "numbers")
def test_no_text_raises(text: str, n: int, labels: Labels) -> None:
    check_total(text, n, labels)


@given(st.permutations(range(12)), st.integers(0, 12))
def test_what_is_stated_is_what_is_read(order: list[int], kept: int) -> None:
    parsed = ranking(" > ".join(f"[{i + 1}]" for i in order[: max(kept, 1)]), 12)
    named = order[: max(kept, 1)]
    assert list(parsed.order) == [*named, *(i for i in range(12) if i not in named)]
    assert parsed.status == ("ok" if kept == 12 else "repaired")


@pytest.mark.parametrize(
    "piece",
    [
        *(
            "[",
            "[1",
            "[1] ",
            "[1]\n",
            "1",
            "9 ",
            " ",
            "\n",
            "> ",
            "[1] > ",
            "[1] = ",
            "1 > ",
            "1. ",
            "1. [1] ",
            "e.g. ",
        ),
        *("<answer>", "[Start]", "</think>", "<think>", "### Final Reranking:", "```", '{"identifier": 1, ', "[["),
        *(
            "1",
            "[1], [2]. x ",
            "| [1] |\n",
            "ranking: ",
            "the best is [1]. ",
            "[1] (",
            "{}",
            "most relevant: [1]\n",
            "1 > x ",
        ),
        *("Passage ", "*", "- ", "a: ", ",", "1,", "#", "I can", "[Passage   ", "answer: ", "score "),
        *("".join(f"[{i}] > [{i + 1}]\n\n x" for i in range(1, 20)), "[2] > [1] > [3] text "),
    ],
)
def test_long_texts_take_linear_time(piece: str) -> None:
    text = (piece * (200_000 // len(piece) + 1))[:200_000]
    start = time.process_time()
    ranking(text, 20)
    assert time.process_time() - start < 4
