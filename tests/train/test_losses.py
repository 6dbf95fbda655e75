"""Losses: values worked by hand, and the same sums as plain loops over lists that hypothesis makes up."""

import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from whyrank.errors import BadInput  # noqa: E402
from whyrank.train import losses  # noqa: E402

Loss = Callable[..., Any]
List = list[tuple[float, float]]  # scores and targets of the candidates of a query


def value(loss: Loss, scores: list[float], targets: list[float], **settings: Any) -> float:
    given, wanted = torch.tensor([scores], dtype=torch.float64), torch.tensor([targets], dtype=torch.float64)
    return float(loss(given, wanted, torch.ones_like(given, dtype=torch.bool), **settings))


SOFT = {x: math.log1p(math.exp(x)) for x in (-2, -1, 1)}  # log(1 + e^x): 0.126928, 0.313262, 1.313262
P = 1 / (1 + math.exp(-1))  # 0.731059, softmax of (1, 0)
FIRST = math.log(math.e + 1 + math.e**2) - 1  # −log softmax of (1, 0, 2) at the 1


@pytest.mark.parametrize(
    ("loss", "scores", "targets", "expected", "number"),
    [
        # Two preferences, margins 2 − 1 and 2 − 0.
        (losses.rank_net, [2, 1, 0], [1, 0, 0], (SOFT[-1] + SOFT[-2]) / 2, 0.220095),
        (losses.list_net, [1, 0], [1, 0], P * SOFT[-1] + (1 - P) * SOFT[1], 0.582203),
        # Entropy of (P, 1 − P) is 0.582203; log 2 is the uniform guess.
        (losses.kl, [0, 0], [1, 0], math.log(2) - (P * SOFT[-1] + (1 - P) * SOFT[1]), 0.110944),
        # Order: 1, then 2, then 0; log(e + 1 + e²) − 1, log(1 + e²) − 2, 0.
        (losses.list_mle, [1, 0, 2], [3, 1, 2], FIRST + SOFT[-2], 1.534534),
        # Equal targets are taken in the order given: 1, then 0.
        (losses.list_mle, [1, 0], [1, 1], SOFT[-1], 0.313262),
        (losses.list_mle, [0, 1], [1, 1], SOFT[1], 1.313262),
        # Weights (2² − 1, 2¹ − 1, 2⁰ − 1) / 4.
        (losses.p_list_mle, [1, 0, 2], [3, 1, 2], (3 * FIRST + SOFT[-2]) / 4, 1.087437),
        # Swapping moves gain 1 from place 2 to place 1: 1 − 1/log2(3) = 0.369070.
        (losses.lambda_rank, [0, 1], [1, 0], (1 - 1 / math.log2(3)) * SOFT[1], 0.484686),
        # Equal scores stand in the worst order, so this swap is worth as much; targets below 0 gain nothing.
        (losses.lambda_rank, [0, 0], [1, 0], (1 - 1 / math.log2(3)) * math.log(2), 0.255820),
        (losses.lambda_rank, [0, 1], [-1, -2], 0.0, 0.0),
        # Margins 2 and 3 where the teacher has 2 and 2.
        (losses.margin_mse, [3, 1, 0], [2, 0, 0], (0**2 + 1**2) / 2, 0.5),
        # Both smooth ranks are 1.5, half a place off; equal targets share rank 1.5.
        (losses.adr_mse, [0, 0], [1, 0], (0.25 + 0.25 / math.log2(3)) / 2, 0.203866),
        (losses.adr_mse, [0, 0], [1, 1], 0.0, 0.0),
        (losses.softmax_cross_entropy, [1, 0], [1, 0], SOFT[-1], 0.313262),
        (losses.softmax_cross_entropy, [1, 0], [1, 1], (SOFT[-1] + SOFT[1]) / 2, 0.813262),
        # A quarter and three quarters; what is below 0 is no positive.
        (losses.softmax_cross_entropy, [1, 0], [0.5, 1.5], (SOFT[-1] + 3 * SOFT[1]) / 4, 1.063262),
        (losses.softmax_cross_entropy, [1, 0], [1, -1], SOFT[-1], 0.313262),
    ],
)
def test_value_by_hand(loss: Loss, scores: list[float], targets: list[float], expected: float, number: float) -> None:
    assert value(loss, scores, targets) == pytest.approx(expected, abs=1e-12)
    assert expected == pytest.approx(number, abs=1e-6)


def test_temperatures() -> None:
    assert value(losses.rank_net, [2, 0], [1, 0], temperature=2.0) == pytest.approx(SOFT[-1])
    # Of the targets alone.
    assert value(losses.list_net, [1, 0], [2, 0], temperature=2.0) == pytest.approx(0.582203, abs=1e-6)
    # Of both, times 2².
    assert value(losses.kl, [0, 0], [2, 0], temperature=2.0) == pytest.approx(4 * 0.110944, abs=1e-5)
    assert value(losses.kl, [2, 0], [2, 0], temperature=2.0) == pytest.approx(0, abs=1e-12)
    # Smooth ranks 1 + σ(−1) and 1 + σ(1), both 1 − P off.
    off = (1 - P) ** 2 * (1 + 1 / math.log2(3)) / 2
    assert value(losses.adr_mse, [2, 0], [1, 0], temperature=2.0) == pytest.approx(off)


def test_weights_of_rank_net() -> None:
    # Pairs weigh 1 · 3 and 1 · 1.
    weighted = value(losses.rank_net, [2, 1, 0], [1, 0, 0], weights_QD=torch.tensor([[1.0, 3.0, 1.0]]))
    assert weighted == pytest.approx((3 * SOFT[-1] + SOFT[-2]) / 4, abs=1e-12)
    # A weight is a share: small ones, however small, weigh as large ones do.
    tiny = value(losses.rank_net, [2, 1, 0], [1, 0, 0], weights_QD=torch.tensor([[1e-12, 3e-12, 1e-12]]))
    assert tiny == pytest.approx(weighted, abs=1e-6)


def test_lambda_rank_looks_no_further_than_its_cut() -> None:
    # Gains 3, 0 and 1; only swaps with the first place count: (3 − 0) / 3 and (3 − 1) / 3.
    cut = value(losses.lambda_rank, [3, 2, 1], [2, 0, 1], top=1)
    assert cut == pytest.approx((3 * SOFT[-1] + 2 * SOFT[-2]) / 3, abs=1e-12)
    assert value(losses.lambda_rank, [3, 2, 1], [2, 0, 1], top=3) == value(losses.lambda_rank, [3, 2, 1], [2, 0, 1])


def test_lambda_rank_is_steeper_with_sigma() -> None:
    assert value(losses.lambda_rank, [0, 1], [1, 0], sigma=2.0) == pytest.approx(
        (1 - 1 / math.log2(3)) * math.log1p(math.exp(2))
    )


def test_targets_may_be_ranks_in_a_long_list() -> None:
    # 2^300 is no number in fp32.
    targets = torch.arange(300.0)[None]
    right = losses.lambda_rank(targets, targets, targets >= 0)
    wrong = losses.lambda_rank(-targets, targets, targets >= 0)
    assert 0 < float(right) < float(wrong) < math.inf
    last = losses.p_list_mle(torch.zeros(1, 300), targets, targets >= 0)
    # Σ (2^−i − 2^−n) log(n + 1 − i) over their sum, to the first 50 places.
    assert float(last) == pytest.approx(sum(2.0**-i * math.log(301 - i) for i in range(1, 51)), abs=1e-5)


def test_info_nce() -> None:
    same = torch.eye(2)
    assert float(losses.info_nce(same, 3 * same, temperature=1.0)) == pytest.approx(SOFT[-1], abs=1e-6)
    # The first text is at 45 degrees to both queries, the second is the second query's.
    texts = torch.tensor([[1.0, 1.0], [0.0, 2.0]])
    half = math.sqrt(0.5)
    by_hand = [half - 0.0, 1.0 - half]  # cosine of its own less that of the other
    expected = sum(math.log1p(math.exp(-margin / 0.1)) for margin in by_hand) / 2
    assert float(losses.info_nce(same, texts, temperature=0.1)) == pytest.approx(expected, abs=1e-6)
    assert expected == pytest.approx(0.026462, abs=1e-6)
    assert losses.info_nce(same, texts) == losses.info_nce(same, texts, temperature=0.05)


def test_generation_counts_only_what_is_asked_for() -> None:
    logits = torch.tensor([[0.0, 0.0], [9.0, -9.0], [1.0, 0.0]])
    tokens = torch.tensor([0, -100, 1])
    assert float(losses.generation(logits, tokens, tokens == 0)) == pytest.approx(math.log(2), abs=1e-6)
    both = losses.generation(logits, tokens, tokens >= 0)
    assert float(both) == pytest.approx((math.log(2) + SOFT[1]) / 2, abs=1e-6)
    assert float(both) == pytest.approx(1.003204, abs=1e-6)
    assert torch.equal(both, torch.nn.functional.cross_entropy(logits, tokens))


def test_weighted_sum() -> None:
    parts = {"pairwise": torch.tensor(2.0, requires_grad=True), "listwise": torch.tensor(3.0)}
    total = losses.weighted_sum(parts, {"pairwise": 0.4, "listwise": 0.6})
    total.backward()
    assert float(total.detach()) == pytest.approx(0.4 * 2 + 0.6 * 3)
    assert float(parts["pairwise"].grad) == pytest.approx(0.4)
    mixed = {"a": torch.tensor(1.0), "b": torch.tensor(1.0, dtype=torch.float64)}
    assert float(losses.weighted_sum(mixed, {"a": 1.0, "b": 2.0})) == 3.0


def test_weighted_sum_wants_one_weight_for_each_loss() -> None:
    one = {"pairwise": torch.tensor(2.0)}
    for parts, weights in ((one, {}), (one, {"pairwise": 1.0, "listwise": 1.0}), (one, {"listwise": 1.0}), ({}, {})):
        with pytest.raises(BadInput, match="give each loss one weight"):
            losses.weighted_sum(parts, weights)


def test_dear_is_a_weighted_sum() -> None:
    """(1 − α) · (½ RankNet + ½ softmax) + α · T² · KL, α = 0.1, T = 2."""
    scores, mask = torch.tensor([[0.0, 0.0]]), torch.ones(1, 2, dtype=torch.bool)
    label, teacher = torch.tensor([[1.0, 0.0]]), torch.tensor([[2.0, 0.0]])
    parts = {
        "pairwise": losses.rank_net(scores, teacher, mask),
        "softmax": losses.softmax_cross_entropy(scores, label, mask),
        "kl": losses.kl(scores, teacher, mask, temperature=2.0),
    }
    total = losses.weighted_sum(parts, {"pairwise": 0.45, "softmax": 0.45, "kl": 0.1})
    assert float(total) == pytest.approx(0.9 * math.log(2) + 0.1 * 4 * 0.110944, abs=1e-5)


# The same once more, as loops over lists.


def mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def softmax(values: list[float]) -> list[float]:
    powers = [math.exp(v) for v in values]
    return [p / sum(powers) for p in powers]


def preferences(one: List) -> list[tuple[int, int]]:
    return [(i, j) for i in range(len(one)) for j in range(len(one)) if one[i][1] > one[j][1]]


def logistic(one: List, i: int, j: int) -> float:
    return math.log(1 + math.exp(one[j][0] - one[i][0]))


def rank_net(lists: list[List]) -> float:
    return mean([logistic(one, i, j) for one in lists for i, j in preferences(one)])


def list_net(lists: list[List]) -> float:
    each = []
    for one in lists:
        given, wanted = softmax([s for s, _ in one]), softmax([t for _, t in one])
        each.append(-sum(w * math.log(g) for w, g in zip(wanted, given, strict=True)))
    return mean(each)


def kl(lists: list[List]) -> float:
    each = []
    for one in lists:
        given, wanted = softmax([s for s, _ in one]), softmax([t for _, t in one])
        each.append(sum(w * math.log(w / g) for w, g in zip(wanted, given, strict=True)))
    return mean(each)


def choices(one: List) -> list[float]:
    """−log of the probability of each choice, best target first."""
    scores = [s for s, _ in sorted(one, key=lambda c: -c[1])]
    return [-math.log(softmax(scores[i:])[0]) for i in range(len(scores))]


def list_mle(lists: list[List]) -> float:
    return mean([sum(choices(one)) for one in lists])


def p_list_mle(lists: list[List]) -> float:
    each = []
    for one in lists:
        weights = [2 ** (len(one) - i) - 1 for i in range(1, len(one) + 1)]
        total = sum(w * c for w, c in zip(weights, choices(one), strict=True))
        each.append(total / sum(weights) if len(one) > 1 else 0.0)
    return mean(each)


def dcg(one: List) -> float:
    return sum((2 ** max(t, 0) - 1) / math.log2(place + 2) for place, (_, t) in enumerate(one))


def lambda_rank(lists: list[List]) -> float:
    """By really swapping the two and measuring again."""
    each = []
    for one in lists:
        ranked, ideal = sorted(one, key=lambda c: (-c[0], c[1])), dcg(sorted(one, key=lambda c: -c[1]))
        total = 0.0
        for i, j in preferences(ranked):
            swapped = list(ranked)
            swapped[i], swapped[j] = ranked[j], ranked[i]
            total += abs(dcg(swapped) - dcg(ranked)) / ideal * logistic(ranked, i, j) if ideal else 0.0
        if preferences(one):
            each.append(total)
    return mean(each)


def margin_mse(lists: list[List]) -> float:
    return mean(
        [((one[i][0] - one[j][0]) - (one[i][1] - one[j][1])) ** 2 for one in lists for i, j in preferences(one)]
    )


def adr_mse(lists: list[List]) -> float:
    each = []
    for one in lists:
        errors = []
        for i, (score, target) in enumerate(one):
            others = [c for j, c in enumerate(one) if j != i]
            smooth = 1 + sum(1 / (1 + math.exp(score - s)) for s, _ in others)
            true = 1 + sum(t > target for _, t in others) + sum(t == target for _, t in others) / 2
            errors.append((smooth - true) ** 2 / math.log2(1 + true))
        each.append(mean(errors))
    return mean(each)


def softmax_cross_entropy(lists: list[List]) -> float:
    each = []
    for one in lists:
        positive = [max(t, 0) for _, t in one]
        if sum(positive):
            terms = zip(positive, softmax([s for s, _ in one]), strict=True)
            each.append(-sum(p / sum(positive) * math.log(g) for p, g in terms))
    return mean(each)


LOOPS = (
    rank_net, list_net, kl, list_mle, p_list_mle, lambda_rank, margin_mse, adr_mse, softmax_cross_entropy,
)  # fmt: skip
CANDIDATE = st.tuples(st.integers(-8, 8).map(lambda n: n / 4), st.integers(-1, 3).map(float))
LISTS = st.lists(st.lists(CANDIDATE, min_size=1, max_size=6), min_size=1, max_size=4)


@pytest.mark.parametrize("loop", LOOPS, ids=lambda loop: str(loop.__name__))
@given(lists=LISTS)
def test_value_is_that_of_a_loop(loop: Callable[[list[List]], float], lists: list[List]) -> None:
    widest = max(map(len, lists))
    rows = [[*one, *[(math.nan, math.nan)] * (widest - len(one))] for one in lists]
    scores, targets = torch.tensor(rows, dtype=torch.float64).unbind(dim=2)
    found = getattr(losses, loop.__name__)(scores, targets, ~scores.isnan())
    assert float(found) == pytest.approx(loop(lists), abs=1e-9)
