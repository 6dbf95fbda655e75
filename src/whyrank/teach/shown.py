"""What a prompt in RankGPT's manner shows: the query, and passages that each begin a line with their label. Pure.

    I will provide you with 2 passages, each indicated by a numerical identifier []. Rank the passages based on their
    relevance to the search query: why is the sky blue.

    [1] Rayleigh scattering …
    [2] The sea …
    Search Query: why is the sky blue.
    Rank the 2 passages above …

Sun et al., arXiv 2304.09542; the prompts of RankGPT, RankVicuna, RankZephyr and DeAR are of this form.
"""

import re
from typing import NamedTuple

from whyrank.formats.problems import Wrong

_LABEL = re.compile(r"^[ \t]*\[(\d{1,4})\]:?[ \t]*", re.MULTILINE)
_BEFORE = re.compile(r"\bquery:[ \t]*(\S[^\n]*)", re.IGNORECASE)
_COUNT = re.compile(r"\b(\d{1,4})\s+(?:passages|documents)\b")
_AFTER, _RANK = "\nSearch Query:", "\nRank the "
_ACCEPTED = "give a prompt that names its query and shows passages as lines '[1] …', '[2] …'"


class Shown(NamedTuple):
    """What a prompt shows.

    Attributes:
        query: its text.
        passages: their texts, in order.
    """

    query: str
    passages: tuple[str, ...]


def shown_in(prompt: str) -> Shown:
    """Read a prompt.

    Raises:
        Wrong: it names no query or shows no passages; it shows another number of passages than it says; or a label
            begins two lines, so that nobody can tell where a passage ends.
    """
    body, after, rest = prompt.rpartition(_AFTER)
    if not after:
        body, asked = prompt, _BEFORE.search(prompt)
        rest = asked[1] if asked else ""
    query = (rest.partition(_RANK)[0] if _RANK in rest else rest.partition("\n")[0]).strip().removesuffix(".")
    if not query:
        raise Wrong("the prompt names no query", _ACCEPTED)
    return Shown(query, _passages(body))


def _passages(body: str) -> tuple[str, ...]:
    labels = list(_LABEL.finditer(body))
    said = _COUNT.search(body[: labels[0].start()] if labels else body)
    if said:  # a line of a passage may begin with a year in brackets
        labels = [label for label in labels if int(label[1]) <= int(said[1])]
    numbers = [int(label[1]) for label in labels]
    first = numbers[0] if numbers and numbers[0] in (0, 1) else 1
    if not numbers or numbers != list(range(first, first + len(numbers))):
        raise Wrong(f"the lines of the prompt are labelled {numbers[:30]}, not 1, 2, 3 …", _ACCEPTED)
    if said and int(said[1]) != len(labels):
        raise Wrong(f"the prompt says {said[1]} passages and shows {len(labels)}", _ACCEPTED)
    ends = [label.start() for label in labels[1:]] + [len(body)]
    return tuple(body[label.end() : end].strip() for label, end in zip(labels, ends, strict=True))
