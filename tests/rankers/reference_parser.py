"""The parser behind the recorded runs of RankLLM: every run of digits in an answer counts as an identifier.

Kept for one purpose: it reproduces the recorded values from the recorded answers, and so shows that what our parser
gives differs by its reading alone. "20 passages have been provided." puts passage 20 first here.
"""

import re


def digits_as_ranking(answer: str, n: int) -> list[int]:
    """All digits in order, the first time each, if they are in range; then what is missing. Positions from 0 on."""
    read = [int(digits) - 1 for digits in re.sub(r"[^0-9]", " ", answer).split()]
    named = list(dict.fromkeys(i for i in read if 0 <= i < n))
    return [*named, *(i for i in range(n) if i not in named)]
