"""Measures that are reported together, by one name: what a paper or a track reports, each measure a column of its own.

Nothing is averaged over cutoffs: a mean of nDCG@1, @5 and @10 is no measure.
"""

from collections.abc import Iterable, Mapping
from typing import TypeVar

Name = TypeVar("Name")

MEASURE_SETS: Mapping[str, tuple[str, ...]] = {
    "noveleval": ("nDCG@1", "nDCG@5", "nDCG@10"),
    "trec-dl": ("nDCG@5", "nDCG@10"),
    "beir": ("nDCG@10",),
    "open-qa": ("Answer@1", "Answer@5", "Answer@10"),
}
"""Name → measures. Those of DeAR's tables (arXiv 2508.16998): "trec-dl" is TREC Deep Learning, "open-qa" Natural
Questions and WebQuestions."""


def expanded(names: Iterable[Name]) -> tuple[str | Name, ...]:
    """Names of measures, each set replaced by what it holds.

    >>> expanded(["trec-dl", "RR@10"])
    ('nDCG@5', 'nDCG@10', 'RR@10')
    """
    return tuple(each for name in names for each in MEASURE_SETS.get(str(name).strip(), (name,)))


def is_of_answers(name: str) -> bool:
    """Whether it is meant as a measure of `whyrank.evaluate.answers`: ir_measures has none that starts so.

    >>> is_of_answers("Answer@5"), is_of_answers("AP")
    (True, False)
    """
    return name.strip().casefold().startswith("answer")
