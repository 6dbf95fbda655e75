"""Queries that equal or nearly equal a judged test query, or one that weights are fitted on: never trained on."""

import re
from collections import defaultdict
from collections.abc import Iterable

NEAR = 0.8  # shared words over all words of both (Jaccard)


def words(query: str) -> frozenset[str]:
    """Letters and digits, lower-cased, as a set of words."""
    return frozenset(re.findall(r"[^\W_]+", query.lower()))


class Judged:
    """The queries to stay away from, with an index by word.

    >>> Judged(["What is the capital of France?"]).is_near("what is the capital city of france")
    True
    """

    def __init__(self, queries: Iterable[str]) -> None:
        self._known = sorted({words(q) for q in queries} - {frozenset()}, key=sorted)
        self._by_word: dict[str, list[int]] = defaultdict(list)
        for i, known in enumerate(self._known):
            for word in known:
                self._by_word[word].append(i)

    def is_near(self, query: str) -> bool:
        """Whether some judged query shares at least `NEAR` of the words of both."""
        mine = words(query)
        shared: dict[int, int] = defaultdict(int)
        for word in mine:
            for i in self._by_word.get(word, ()):
                shared[i] += 1
        return any(n >= NEAR * len(mine | self._known[i]) for i, n in shared.items())
