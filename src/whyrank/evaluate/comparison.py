"""Is one system better than another? Paired by query, with scipy for the distributions.

# Q queries, B resamples or permutations
"""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from whyrank._extras import require
from whyrank.errors import BadInput, unknown
from whyrank.evaluate.results import Contrast, Evaluation, Values

EQUAL = 1e-9
"""Two values of a query that differ by no more are a tie."""

_CELLS = 200_000  # of a block of resamples: fits the processor's cache, and bounds the memory whatever Q and B


class Interval(NamedTuple):
    """From `low` to `high`, both included; NaN where there is nothing to estimate from."""

    low: float
    high: float


class Paired(NamedTuple):
    """Two systems' values of the queries for which both have one."""

    queries: tuple[str, ...]
    deltas_Q: Values


def compare(
    evaluations: Sequence[Evaluation],
    measure: str,
    *,
    baseline: str | None = None,
    seed: int = 0,
    permutations: int = 10_000,
    resamples: int = 10_000,
) -> tuple[Contrast, ...]:
    """Each system against the baseline under one measure.

    Queries are matched by id; those that only one of the two has, or for which one is NaN, are left out of the pair, so
    `len(contrast.queries)` may be less than was measured. Every contrast is drawn from `seed` anew: it does not depend
    on which other systems are there, or in which order; Holm's adjustment depends on which.

    Args:
        evaluations: systems, each under its own name.
        measure: one that all of them have.
        baseline: the name of the one to compare with; the first if None.
        seed: of the permutations and the resamples.
        permutations: sign flips drawn; where all 2**Q are no more, all are taken.
        resamples: of the bootstrap.

    Returns:
        One contrast a system other than the baseline, in the order given.

    Raises:
        BadInput: nothing to compare, two systems of one name, or no query that both have a value for.
        UnknownName: no system is called `baseline`, or one was not measured by `measure`.
        MissingExtra: scipy is not installed.
    """
    by_name = {evaluation.name: evaluation for evaluation in evaluations}
    if len(by_name) < len(evaluations) or not evaluations:
        names = ", ".join(repr(evaluation.name) for evaluation in evaluations)
        raise BadInput(f"the systems are {names or 'none'}; give at least one, each under a name of its own")
    base = evaluations[0].name if baseline is None else baseline
    if base not in by_name:
        raise unknown("system", base, by_name)
    others = [evaluation for evaluation in evaluations if evaluation.name != base]
    paired = [_paired(other, by_name[base], measure) for other in others]
    p_t = [t_test(pair.deltas_Q) for pair in paired]
    p_randomisation = [randomisation_test(pair.deltas_Q, seed=seed, permutations=permutations) for pair in paired]
    intervals = _intervals([pair.deltas_Q for pair in paired], seed, resamples)
    rows = zip(others, paired, intervals, p_t, holm(p_t), p_randomisation, holm(p_randomisation), strict=True)
    contrasts = []
    for other, pair, (low, high), p, p_holm, r, r_holm in rows:
        wins, losses = (int(np.count_nonzero(sign * pair.deltas_Q > EQUAL)) for sign in (1, -1))
        contrasts.append(
            Contrast(
                system=other.name,
                baseline=base,
                measure=measure,
                queries=pair.queries,
                deltas_Q=pair.deltas_Q,
                delta=_mean(pair.deltas_Q),
                low=low,
                high=high,
                p_t=p,
                p_randomisation=r,
                holm_t=p_holm,
                holm_randomisation=r_holm,
                wins=wins,
                ties=len(pair.queries) - wins - losses,
                losses=losses,
            )
        )
    return tuple(contrasts)


def contrasts_of(evaluations: Sequence[Evaluation], baseline: str | None, seed: int) -> tuple[Contrast, ...]:
    """Every system against the baseline (the first, if None) under every measure that they share.

    A system that has no query in common with the baseline under a measure is left out of that measure.

    Raises:
        BadInput: two systems of one name.
        UnknownName: no system is called `baseline`.
        MissingExtra: scipy is not installed.
    """
    names = [evaluation.name for evaluation in evaluations]
    if baseline is not None and baseline not in names:
        raise unknown("run to compare with", baseline, names)
    if len(evaluations) < 2:
        return ()
    shared = [name for name in evaluations[0].measures if all(name in e.measures for e in evaluations)]
    against = baseline or evaluations[0].name
    found: list[Contrast] = []
    for name in shared:
        base = next(e for e in evaluations if e.name == against)
        paired = [e for e in evaluations if e is base or _have_in_common(e, base, name)]
        found += compare(paired, name, baseline=against, seed=seed)
    return tuple(found)


def t_test(deltas_Q: Values) -> float:
    """Two-sided p of the paired t-test. 1.0 where it says nothing: fewer than two queries, or every delta 0.

    Raises:
        MissingExtra: scipy is not installed.
    """
    special = require("scipy.special", extra="evaluate", purpose="testing differences")
    if len(deltas_Q) < 2 or not deltas_Q.any():
        return 1.0
    error = float(deltas_Q.std(ddof=1)) / math.sqrt(len(deltas_Q))
    t = math.inf if error == 0.0 else abs(_mean(deltas_Q)) / error
    return float(2.0 * special.stdtr(len(deltas_Q) - 1, -t))


def randomisation_test(deltas_Q: Values, *, seed: int = 0, permutations: int = 10_000) -> float:
    """Two-sided p of the paired randomisation test of the mean (Fisher's): signs of the deltas are flipped.

    Queries whose delta is 0 change nothing and are passed over. If all ways of flipping the others are no more than
    `permutations`, all are taken and p is their share; else p = (1 + count) / (1 + permutations).

    Raises:
        BadInput: `permutations` is below 1.
    """
    moved = deltas_Q[deltas_Q != 0.0]
    if not len(moved):
        return 1.0
    if permutations < 1:
        raise BadInput(f"{permutations} permutations; give 1 or more")
    is_exact = len(moved) <= permutations.bit_length() - 1
    blocks = _all_flips(len(moved)) if is_exact else _flips(len(moved), permutations, seed)
    observed = abs(float(moved.sum()))
    total = float(np.abs(moved).sum())
    count = drawn = 0
    for flips_BQ in blocks:  # 1 keeps the sign, 0 flips it: sum of signed = 2 · sum of kept − sum of all
        sums_B = np.abs(2.0 * (flips_BQ.astype(np.float64) @ moved) - moved.sum())
        count += int(np.count_nonzero(sums_B >= observed - 1e-12 * total))
        drawn += len(sums_B)
    return count / drawn if is_exact else (1 + count) / (1 + drawn)


def interval(values_Q: Values, *, seed: int = 0, resamples: int = 10_000) -> Interval:
    """Percentile bootstrap 95 % interval of the mean (Efron, 1979), queries drawn with replacement; NaN left out.

    Raises:
        BadInput: `resamples` is below 1.
    """
    defined = np.asarray(values_Q, dtype=np.float64)
    defined = defined[~np.isnan(defined)]
    if not len(defined):
        return Interval(math.nan, math.nan)
    return _intervals([defined], seed, resamples)[0]


def intervals_of(evaluations: Sequence[Evaluation], seed: int) -> dict[tuple[str, str], Interval]:
    """Bootstrap 95 % intervals of every mean, by system and measure; NaN where no query has a value."""
    return {(e.name, name): interval(e.of(name), seed=seed) for e in evaluations for name in e.measures}


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Holm's step-down adjustment (1979), in the order given.

    >>> holm([0.01, 0.04, 0.03])
    (0.03, 0.06, 0.06)
    """
    adjusted = [1.0] * len(p_values)
    highest = 0.0
    for step, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, (len(p_values) - step) * p_values[place]))
        adjusted[place] = highest
    return tuple(adjusted)


def wilson(count: int, of: int) -> Interval:
    """Wilson's 95 % interval of a share (1927); 0 to 1 where nothing was counted.

    Raises:
        BadInput: `count` is not between 0 and `of`.
    """
    if not 0 <= count <= of:
        raise BadInput(f"{count} of {of} is no share; give 0 ≤ count ≤ of")
    if of == 0:
        return Interval(0.0, 1.0)
    z, share = 1.959963984540054, count / of
    centre = (share + z * z / (2 * of)) / (1 + z * z / of)
    half = z / (1 + z * z / of) * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    return Interval(0.0 if count == 0 else centre - half, 1.0 if count == of else centre + half)


def _intervals(samples: Sequence[Values], seed: int, resamples: int) -> list[Interval]:
    """An interval a sample. Draws depend on the seed and the number of queries alone, so equal numbers share them."""
    if resamples < 1:
        raise BadInput(f"{resamples} resamples; give 1 or more")
    found: dict[int, Interval] = {}
    for queries in {len(values_Q) for values_Q in samples}:
        alike = [place for place, values_Q in enumerate(samples) if len(values_Q) == queries]
        means_SB = np.empty((len(alike), resamples))
        rng = np.random.default_rng(seed)
        reached = 0
        for rows in _rows(resamples, queries):
            drawn_BQ = rng.integers(0, queries, size=(rows, queries))
            for row, place in enumerate(alike):
                means_SB[row, reached : reached + rows] = samples[place][drawn_BQ].mean(axis=1)
            reached += rows
        lows, highs = np.quantile(means_SB, [0.025, 0.975], axis=1)
        found |= {p: Interval(float(lows[row]), float(highs[row])) for row, p in enumerate(alike)}
    return [found[place] for place in range(len(samples))]


def _have_in_common(one: Evaluation, other: Evaluation, measure: str) -> bool:
    """Whether some query has a value in both: a measure may be undefined for every query."""
    defined = [
        {q for q, value in zip(e.queries, e.of(measure).tolist(), strict=True) if not math.isnan(value)}
        for e in (one, other)
    ]
    return not defined[0].isdisjoint(defined[1])


def _paired(system: Evaluation, baseline: Evaluation, measure: str) -> Paired:
    ours, theirs = (dict(zip(e.queries, e.of(measure).tolist(), strict=True)) for e in (system, baseline))
    deltas = {query: ours[query] - theirs[query] for query in baseline.queries if query in ours}
    kept = {query: delta for query, delta in deltas.items() if not math.isnan(delta)}
    if not kept:
        raise BadInput(
            f"{system.name!r} and {baseline.name!r} have no query in common for which both have {measure}; compare "
            "systems that were measured on the same queries"
        )
    return Paired(tuple(kept), np.array(list(kept.values()), dtype=np.float64))


def _mean(values_Q: Values) -> float:
    return math.fsum(values_Q) / len(values_Q)


def _flips(queries: int, permutations: int, seed: int) -> Iterator[npt.NDArray[np.uint8]]:
    rng = np.random.default_rng(seed)
    for rows in _rows(permutations, queries):
        bits = rng.integers(0, 256, size=(rows, -(-queries // 8)), dtype=np.uint8)
        yield np.unpackbits(bits, axis=1, count=queries)


def _all_flips(queries: int) -> Iterator[npt.NDArray[np.uint8]]:
    for start in range(0, 2**queries, 4096):
        numbers = np.arange(start, min(start + 4096, 2**queries), dtype=np.int64)
        yield (numbers[:, None] >> np.arange(queries) & 1).astype(np.uint8)


def _rows(total: int, queries: int) -> Iterator[int]:
    """Sizes of blocks that together have `total` rows of `queries`."""
    block = max(1, _CELLS // queries)
    return (min(block, total - start) for start in range(0, total, block))
