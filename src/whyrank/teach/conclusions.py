"""A chain of thought and what it concludes: where the reasoning of an answer ends and its ranking begins. Pure.

    Step 1. The query needs a year: 2019.
    Step 2. [4] > [2] for the year.
    ### Final Reranking: [2] > [1] > [4] > [3]

Abdallah et al., arXiv 2508.16998. Numbers of the reasoning rank nothing: where an answer has a final heading, only what
follows it counts; where it has none, only a line that names every document does, or a last line of identifiers alone.
"""

import re
from typing import NamedTuple

from whyrank.rankers.parsing import ranking
from whyrank.rankers.ranking_forms import Labels

_HEADING = re.compile(r"#{1,6}[ \t]*\**final[ \t]+re-?ranking[ \t]*\**:?\**", re.IGNORECASE)
_BARE = re.compile(r"[\[\]\dA-Z>=,*`. \t]+")
LINES = 40
"""Lines at the end of an answer among which its ranking is looked for."""


class Concluded(NamedTuple):
    """An answer, parted.

    Attributes:
        thought: its reasoning.
        ranking: what it concludes; "" where it concludes nothing.
    """

    thought: str
    ranking: str


def concluded(answer: str, count: int, labels: Labels = "numbers") -> Concluded:
    r"""Part an answer that reasons before it ranks.

    Args:
        answer: what was written, whatever it is.
        count: documents that were shown.
        labels: what they were called.

    >>> concluded("Step 2. [2] > [1] in 2019.\n### Final Reranking: [1] > [2]", 2)
    Concluded(thought='Step 2. [2] > [1] in 2019.', ranking='[1] > [2]')
    """
    headings = list(_HEADING.finditer(answer))
    if headings:
        last = headings[-1]
        return Concluded(answer[: last.start()].strip(), answer[last.end() :].strip())
    lines = answer.rstrip().splitlines(keepends=True)
    if lines and "[" in lines[-1] and _BARE.fullmatch(lines[-1]):
        return Concluded("".join(lines[:-1]).strip(), lines[-1].strip())
    for place in range(len(lines) - 1, max(len(lines) - 1 - LINES, -1), -1):
        if ranking(lines[place], count, labels=labels).named == count:
            return Concluded("".join(lines[:place]).strip(), "".join(lines[place:]).strip())
    return Concluded(answer.strip(), "")
