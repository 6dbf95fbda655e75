import math
import sys
from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whyrank.errors import BadInput, MissingExtra, UnknownName
from whyrank.evaluate import Contrast, Evaluation, compare, holm, interval, wilson
from whyrank.evaluate.comparison import randomisation_test, t_test
from whyrank.evaluate.results import Values

scipy_stats = pytest.importorskip("scipy.stats")


def system(name: str, values: Sequence[float], queries: Sequence[str] | None = None) -> Evaluation:
    ids = tuple(queries or (f"q{n}" for n in range(len(values))))
    return Evaluation(name, ("nDCG@10",), ids, np.array(values, dtype=np.float64).reshape(-1, 1))


def pair(ours: Sequence[float], base: Sequence[float], **options: Any) -> Contrast:
    [contrast] = compare([system("base", base), system("ours", ours)], "nDCG@10", **options)
    return contrast


def noise(queries: int, shift: float = 0.0, seed: int = 0) -> Values:
    return np.random.default_rng(seed).normal(shift, 1.0, queries)


def is_same(one: Contrast, other: Contrast) -> bool:
    fields = (f for f in Contrast.__dataclass_fields__ if f != "deltas_Q")
    return all(getattr(one, f) == getattr(other, f) for f in fields) and np.array_equal(one.deltas_Q, other.deltas_Q)


class TestTTest:
    @pytest.mark.parametrize("queries", [2, 3, 30, 1_000])
    def test_is_scipys(self, queries: int) -> None:
        ours, base = noise(queries, 0.2, 1), noise(queries, 0.0, 2)
        expected = scipy_stats.ttest_rel(ours, base).pvalue
        assert t_test(ours - base) == pytest.approx(expected, rel=1e-12)

    def test_where_it_says_nothing(self) -> None:
        assert t_test(np.array([0.5])) == 1.0
        assert t_test(np.zeros(9)) == 1.0
        assert t_test(np.array([0.5, 0.5])) == 0.0  # the limit of ever smaller differences between the deltas

    def test_without_the_extra(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "scipy.special", None)
        with pytest.raises(MissingExtra, match=r"testing differences needs scipy: pip install 'whyrank\[evaluate\]'"):
            t_test(np.array([1.0, 2.0]))


class TestRandomisation:
    def test_by_hand(self) -> None:
        assert randomisation_test(np.array([1.0, 1.0, 1.0])) == 2 / 8  # only +++ and −−− are as extreme
        assert randomisation_test(np.array([1.0, 2.0])) == 2 / 4
        assert randomisation_test(np.array([1.0, -1.0])) == 1.0
        assert randomisation_test(np.zeros(5)) == 1.0

    @given(st.lists(st.sampled_from([-1.0, -0.1, 0.0, 0.1, 0.2, 0.3, 0.7]), min_size=1, max_size=9))
    def test_exact_is_enumeration(self, deltas: list[float]) -> None:
        sums = [
            abs(math.fsum(s * d for s, d in zip(signs, deltas, strict=True)))
            for signs in product([1, -1], repeat=len(deltas))
        ]
        share = sum(s >= abs(math.fsum(deltas)) - 1e-9 for s in sums) / len(sums)
        assert randomisation_test(np.array(deltas)) == share

    @pytest.mark.parametrize("queries", [5, 12, 13])
    def test_exact_is_scipys(self, queries: int) -> None:
        deltas = noise(queries, 0.5)
        found = scipy_stats.permutation_test(
            (deltas,), np.mean, permutation_type="samples", n_resamples=2**queries, vectorized=True
        )
        assert randomisation_test(deltas) == pytest.approx(found.pvalue, abs=1e-12)

    def test_drawn_is_near_scipys(self) -> None:
        deltas = noise(60, 0.1)
        found = scipy_stats.permutation_test(
            (deltas,), np.mean, permutation_type="samples", n_resamples=20_000, vectorized=True,
            rng=np.random.default_rng(3),
        )  # fmt: skip
        assert 0.05 < found.pvalue < 0.95
        assert randomisation_test(deltas) == pytest.approx(found.pvalue, abs=0.02)

    def test_drawn_near_exact_where_both_can_be_had(self) -> None:
        deltas = noise(14, 0.4)
        exact = randomisation_test(deltas, permutations=2**14)
        assert randomisation_test(deltas, permutations=2**14 - 1) == pytest.approx(exact, abs=0.02)
        assert randomisation_test(deltas, permutations=2**14 - 1) != exact

    def test_never_zero(self) -> None:
        assert randomisation_test(np.ones(200), permutations=99) == 1 / 100
        assert randomisation_test(np.ones(10_000)) == 1 / 10_001

    def test_seeds(self) -> None:
        deltas = noise(40, 0.2)
        assert randomisation_test(deltas, seed=1) == randomisation_test(deltas, seed=1)
        assert randomisation_test(deltas, seed=1) != randomisation_test(deltas, seed=2)

    def test_uniform_where_nothing_differs(self) -> None:
        p = [randomisation_test(noise(20, seed=seed), permutations=200) for seed in range(300)]
        assert np.mean(np.array(p) <= 0.1) == pytest.approx(0.1, abs=0.06)
        assert np.mean(np.array(p) <= 0.5) == pytest.approx(0.5, abs=0.1)

    def test_bad_number(self) -> None:
        with pytest.raises(BadInput, match="0 permutations"):
            randomisation_test(np.ones(3), permutations=0)


class TestInterval:
    def test_near_scipys(self) -> None:
        values = noise(80, 0.3) ** 3
        found = scipy_stats.bootstrap(
            (values,), np.mean, method="percentile", n_resamples=20_000, rng=np.random.default_rng(5)
        ).confidence_interval
        spread = found.high - found.low
        assert interval(values, seed=1) == pytest.approx((found.low, found.high), abs=0.05 * spread)

    def test_covers_the_mean_about_as_often_as_it_says(self) -> None:
        hits = [low <= 0.5 <= high for low, high in (interval(noise(60, 0.5, s), resamples=400) for s in range(300))]
        assert 0.90 <= np.mean(hits) <= 0.99

    def test_edges(self) -> None:
        assert interval(np.array([0.25])) == (0.25, 0.25)
        assert interval(np.full(7, 0.5)) == (0.5, 0.5)
        assert interval(np.array([np.nan, 0.25])) == (0.25, 0.25)
        assert all(map(math.isnan, interval(np.array([]))))
        with pytest.raises(BadInput, match="0 resamples"):
            interval(np.ones(3), resamples=0)

    def test_blocks_do_not_show(self, monkeypatch: pytest.MonkeyPatch) -> None:
        values = noise(50)
        whole = interval(values, resamples=1_000), randomisation_test(values, permutations=1_000)
        monkeypatch.setattr("whyrank.evaluate.comparison._CELLS", 50 * 8)
        assert (interval(values, resamples=1_000), randomisation_test(values, permutations=1_000)) == whole


class TestHolm:
    def test_by_hand(self) -> None:
        # sorted 0.005 0.01 0.03 0.04 → times 4, 3, 2, 1 = 0.02 0.03 0.06 0.04 → never falling: 0.02 0.03 0.06 0.06
        assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02), abs=1e-15)
        assert holm([0.6, 0.9]) == (1.0, 1.0)
        assert holm([0.02]) == (0.02,)
        assert holm([]) == ()

    @given(st.lists(st.floats(0, 1), max_size=8), st.randoms())
    def test_laws(self, p: list[float], random: object) -> None:
        adjusted = holm(p)
        assert all(a >= b for a, b in zip(adjusted, p, strict=True))
        assert all(a <= min(1.0, len(p) * b) for a, b in zip(adjusted, p, strict=True))
        assert sorted(adjusted) == [a for _, a in sorted(zip(p, adjusted, strict=True))]
        assert holm(p[::-1]) == adjusted[::-1]


class TestWilson:
    @pytest.mark.parametrize(("count", "of"), [(0, 10), (10, 10), (3, 7), (2052, 2500), (1, 1)])
    def test_is_scipys(self, count: int, of: int) -> None:
        expected = scipy_stats.binomtest(count, of).proportion_ci(method="wilson")
        assert wilson(count, of) == pytest.approx((expected.low, expected.high), abs=1e-12)

    def test_edges(self) -> None:
        assert wilson(0, 0) == (0.0, 1.0)
        assert wilson(0, 5).low == 0.0
        assert wilson(5, 5).high == 1.0
        for count, of in [(3, 2), (-1, 2), (0, -1)]:
            with pytest.raises(BadInput, match="is no share"):
                wilson(count, of)


class TestCompare:
    def test_figures_of_a_pair(self) -> None:
        contrast = pair([0.5, 0.25, 1.0, 0.5], [0.25, 0.5, 0.5, 0.5 + 1e-12])
        assert (contrast.system, contrast.baseline, contrast.measure) == ("ours", "base", "nDCG@10")
        assert contrast.queries == ("q0", "q1", "q2", "q3")
        assert contrast.deltas_Q.tolist() == pytest.approx([0.25, -0.25, 0.5, -1e-12])
        assert contrast.delta == pytest.approx(0.125)
        assert (contrast.wins, contrast.ties, contrast.losses) == (2, 1, 1)
        assert contrast.low < 0.125 < contrast.high
        assert contrast.holm_t == contrast.p_t
        assert contrast.p_t == pytest.approx(scipy_stats.ttest_1samp(contrast.deltas_Q, 0.0).pvalue)

    def test_equal_systems(self) -> None:
        contrast = pair([0.5, 0.25], [0.5, 0.25])
        assert (contrast.delta, contrast.low, contrast.high) == (0.0, 0.0, 0.0)
        assert (contrast.p_t, contrast.p_randomisation, contrast.holm_t, contrast.holm_randomisation) == (1, 1, 1, 1)
        assert (contrast.wins, contrast.ties, contrast.losses) == (0, 2, 0)

    def test_one_query(self) -> None:
        contrast = pair([0.5], [0.25])
        assert (contrast.p_t, contrast.p_randomisation) == (1.0, 1.0)

    def test_matched_by_id(self) -> None:
        base, ours = system("base", [0.1, 0.2, 0.3], ["a", "b", "c"]), system("ours", [0.9, 0.4], ["c", "b"])
        [contrast] = compare([base, ours], "nDCG@10")
        assert contrast.queries == ("b", "c")
        assert contrast.deltas_Q.tolist() == pytest.approx([0.2, 0.6])

    def test_nan_is_left_out_of_the_pair(self) -> None:
        contrast = pair([0.5, np.nan, 0.5, 0.75], [np.nan, 0.5, 0.25, 0.5])
        assert contrast.queries == ("q2", "q3")
        assert contrast.delta == 0.25

    def test_nothing_in_common(self) -> None:
        with pytest.raises(BadInput, match="'ours' and 'base' have no query in common"):
            compare([system("base", [0.1], ["a"]), system("ours", [0.1], ["b"])], "nDCG@10")
        with pytest.raises(BadInput, match="have no query in common for which both have nDCG@10"):
            pair([np.nan, 1.0], [1.0, np.nan])

    def test_does_not_depend_on_the_other_systems_or_their_order(self) -> None:
        systems = [system(f"s{n}", noise(30, 0.1 * n, n).tolist()) for n in range(4)]
        by_name = {c.system: c for c in compare(systems, "nDCG@10")}
        assert [*by_name] == ["s1", "s2", "s3"]
        for c in compare(systems[::-1], "nDCG@10", baseline="s0"):
            assert is_same(c, by_name[c.system])
        [alone] = compare([systems[0], systems[2]], "nDCG@10")
        assert (alone.p_randomisation, alone.low) == (by_name["s2"].p_randomisation, by_name["s2"].low)

    def test_holm_is_over_the_systems(self) -> None:
        systems = [system(f"s{n}", noise(30, 0.3 * n, n).tolist()) for n in range(4)]
        contrasts = compare(systems, "nDCG@10")
        assert [c.holm_t for c in contrasts] == list(holm([c.p_t for c in contrasts]))
        assert [c.holm_randomisation for c in contrasts] == list(holm([c.p_randomisation for c in contrasts]))
        assert sum(c.holm_t > c.p_t for c in contrasts) == 2

    def test_seed(self) -> None:
        ours, base = noise(40, 0.2, 1).tolist(), noise(40, 0.0, 2).tolist()
        assert is_same(pair(ours, base, seed=4), pair(ours, base, seed=4))
        assert pair(ours, base, seed=4).low != pair(ours, base, seed=5).low

    def test_bad_input(self) -> None:
        one = system("one", [0.1])
        assert compare([one], "nDCG@10") == ()
        with pytest.raises(BadInput, match="the systems are none"):
            compare([], "nDCG@10")
        with pytest.raises(BadInput, match=r"the systems are 'one', 'one'; give .* under a name of its own"):
            compare([one, one], "nDCG@10")
        with pytest.raises(UnknownName, match="no system called 'on'; did you mean one"):
            compare([one], "nDCG@10", baseline="on")
        with pytest.raises(UnknownName, match="no measure called 'nDCG'; did you mean nDCG@10"):
            compare([one, system("two", [0.1])], "nDCG")


@settings(max_examples=30)
@given(st.lists(st.floats(-1, 1, width=16), min_size=1, max_size=30))
def test_swapping_the_systems_mirrors_the_contrast(deltas: list[float]) -> None:
    zeros = [0.0] * len(deltas)
    there, back = (
        pair(deltas, zeros, resamples=200, permutations=200),
        pair(zeros, deltas, resamples=200, permutations=200),
    )
    assert (there.wins, there.ties, there.losses) == (back.losses, back.ties, back.wins)
    assert there.delta == pytest.approx(-back.delta)
    assert there.p_t == pytest.approx(back.p_t)
    assert there.p_randomisation == back.p_randomisation
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low))
