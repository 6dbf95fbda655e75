"""The ranking algorithms by name: what each asks, what it promises, and where it comes from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

from whyrank.errors import unknown
from whyrank.rankers import listwise_sorting, sorting
from whyrank.rankers.flow import Flow

Judge: TypeAlias = Literal["pointwise", "pairwise", "setwise", "listwise"]
Exactness: TypeAlias = Literal["full order", "top-k", "heuristic"]


@dataclass(frozen=True, slots=True)
class Algorithm:
    """A way to rank by asking.

    Attributes:
        name: what users call it.
        function: takes n and the algorithm's own options, gives a fresh flow.
        judge: the kind of question it asks, and with it the type of an answer (see `whyrank.rankers.flow`).
        exact: what a judge that agrees with one order is guaranteed to get.
        source: the paper.
    """

    name: str
    function: Callable[..., Flow[Any]]
    judge: Judge
    exact: Exactness
    source: str


_QIN = "Qin et al. 2023, arXiv:2306.17563"
_ALL = (
    Algorithm("pointwise", sorting.pointwise, "pointwise", "full order", "the field's common ground"),
    Algorithm("all-pairs", sorting.all_pairs, "pairwise", "full order", _QIN),
    Algorithm("heapsort-pairwise", sorting.heapsort_pairwise, "pairwise", "top-k", _QIN),
    Algorithm("setwise-heapsort", sorting.setwise_heapsort, "setwise", "top-k", "Zhuang et al. 2024, arXiv:2310.09497"),
    Algorithm(
        "setwise-insertion", sorting.setwise_insertion, "setwise", "top-k", "Podolak et al. 2025, arXiv:2504.10509"
    ),
    # Exact for k ≤ passes·(size - stride): 10 with the defaults.
    Algorithm(
        "sliding-window", listwise_sorting.sliding_window, "listwise", "top-k", "Sun et al. 2023, arXiv:2304.09542"
    ),
    Algorithm(
        "top-down-partition",
        listwise_sorting.top_down_partition,
        "listwise",
        "top-k",
        "Parry et al. 2024, arXiv:2405.14589",
    ),
    Algorithm("tournament", listwise_sorting.tournament, "listwise", "heuristic", "Chen et al. 2024, arXiv:2406.11678"),
    Algorithm(
        "tournament-graph",
        listwise_sorting.tournament_graph,
        "listwise",
        "top-k",
        "Agrawal et al. 2026, arXiv:2602.05448",
    ),
)
ALGORITHMS: Mapping[str, Algorithm] = MappingProxyType({algorithm.name: algorithm for algorithm in _ALL})


def algorithm(name: str) -> Algorithm:
    """Find an algorithm.

    Raises:
        UnknownName: there is none of that name; the message lists near matches.
    """
    if name not in ALGORITHMS:
        raise unknown("ranking algorithm", name, ALGORITHMS)
    return ALGORITHMS[name]
