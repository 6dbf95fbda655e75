"""Where the reasoning of an answer ends and its ranking begins."""

import time

import pytest

from whyrank.teach.conclusions import Concluded, concluded


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ("I think.\n### Final Reranking: [2] > [1]", Concluded("I think.", "[2] > [1]")),
        ("[1] > [2] in 2019.\n### Final Reranking:", Concluded("[1] > [2] in 2019.", "")),
        ("I think.\n[2] > [1]", Concluded("I think.", "[2] > [1]")),
        ("[2] > [1] at last\nA B", Concluded("", "[2] > [1] at last\nA B")),
        ("2019 and 2020", Concluded("2019 and 2020", "")),
        ("", Concluded("", "")),
    ],
)
def test_an_answer_is_parted(answer: str, found: Concluded) -> None:
    assert concluded(answer, 2) == found


def test_a_hostile_line_takes_no_time() -> None:
    started = time.process_time()
    concluded("[" * 50_000 + "\u00e9", 5)
    assert time.process_time() - started < 10  # seconds; a pattern that tries every split takes minutes
