"""Losses of lists: values worked by hand, and what must not change them."""

import math
from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from whyrank.train import losses  # noqa: E402

LISTWISE = (
    losses.rank_net,
    losses.list_net,
    losses.kl,
    losses.list_mle,
    losses.p_list_mle,
    losses.lambda_rank,
    losses.margin_mse,
    losses.adr_mse,
    losses.softmax_cross_entropy,
)
Loss = Callable[..., Any]


def value(loss: Loss, scores: list[float], targets: list[float], **more: float) -> float:
    given, wanted = torch.tensor([scores], dtype=torch.float64), torch.tensor([targets], dtype=torch.float64)
    return float(loss(given, wanted, torch.ones_like(given, dtype=torch.bool), **more))


SOFT = {x: math.log1p(math.exp(x)) for x in (-2, -1, 1)}  # log(1 + e^x): 0.126928, 0.313262, 1.313262
P = 1 / (1 + math.exp(-1))  # 0.731059, softmax of (1, 0)


@pytest.mark.parametrize(
    ("loss", "scores", "targets", "expected"),
    [
        # Two preferences, margins 2 − 1 and 2 − 0.
        (losses.rank_net, [2, 1, 0], [1, 0, 0], (SOFT[-1] + SOFT[-2]) / 2),
        (losses.list_net, [1, 0], [1, 0], P * SOFT[-1] + (1 - P) * SOFT[1]),
        # Entropy of (P, 1 − P) is 0.582203; log 2 is the uniform guess.
        (losses.kl, [0, 0], [1, 0], math.log(2) - (P * SOFT[-1] + (1 - P) * SOFT[1])),
        # Order: 1, then 2, then 0; log(e + 1 + e²) − 1, log(1 + e²) − 2, 0.
        (losses.list_mle, [1, 0, 2], [3, 1, 2], math.log(math.e + 1 + math.e**2) - 1 + SOFT[-2]),
        # Weights (2² − 1, 2¹ − 1, 2⁰ − 1) / 4.
        (losses.p_list_mle, [1, 0, 2], [3, 1, 2], (3 * (math.log(math.e + 1 + math.e**2) - 1) + SOFT[-2]) / 4),
        # Swapping moves gain 1 from place 2 to place 1: 1 − 1/log2(3) = 0.369070.
        (losses.lambda_rank, [0, 1], [1, 0], (1 - 1 / math.log2(3)) * SOFT[1]),
        # Margins 2 and 3 where the teacher has 2 and 2.
        (losses.margin_mse, [3, 1, 0], [2, 0, 0], 0.5),
        # Both smooth ranks are 1.5, half a place off.
        (losses.adr_mse, [0, 0], [1, 0], (0.25 + 0.25 / math.log2(3)) / 2),
        (losses.softmax_cross_entropy, [1, 0], [1, 0], SOFT[-1]),
        (losses.softmax_cross_entropy, [1, 0], [1, 1], (SOFT[-1] + SOFT[1]) / 2),
    ],
)
def test_value_by_hand(loss: Loss, scores: list[float], targets: list[float], expected: float) -> None:
    assert value(loss, scores, targets) == pytest.approx(expected, abs=1e-12)


def test_temperatures() -> None:
    halved = value(losses.kl, [0, 0], [2, 0], temperature=2.0)
    assert halved == pytest.approx(4 * value(losses.kl, [0, 0], [1, 0]), abs=1e-12)
    assert value(losses.rank_net, [2, 0], [1, 0], temperature=2.0) == pytest.approx(SOFT[-1])
    assert value(losses.list_net, [1, 0], [2, 0], temperature=2.0) == pytest.approx(
        value(losses.list_net, [1, 0], [1, 0])
    )


def test_weights_of_rank_net() -> None:
    given = torch.tensor([[2.0, 1.0, 0.0]])
    weighted = losses.rank_net(
        given, torch.tensor([[1.0, 0.0, 0.0]]), given > -1, weights_QD=torch.tensor([[1.0, 3.0, 1.0]])
    )
    assert float(weighted) == pytest.approx((3 * SOFT[-1] + SOFT[-2]) / 4, abs=1e-6)


def test_lambda_rank_looks_no_further_than_its_cut() -> None:
    # Gains 3, 0 and 1; only swaps with the first place count: (3 − 0) / 3 and (3 − 1) / 3.
    cut = value(losses.lambda_rank, [3, 2, 1], [2, 0, 1], top=1)
    assert cut == pytest.approx((3 * SOFT[-1] + 2 * SOFT[-2]) / 3, abs=1e-12)
    assert value(losses.lambda_rank, [3, 2, 1], [2, 0, 1]) != pytest.approx(cut, abs=1e-3)


@pytest.mark.parametrize("loss", LISTWISE)
def test_gradient_is_the_slope(loss: Loss) -> None:
    generator = torch.Generator().manual_seed(1)
    scores = torch.randn(3, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    targets = torch.tensor([[3.0, 1, 2, 0], [1, 0, 0, 0], [0, 2, 1, 5]], dtype=torch.float64)
    mask = torch.tensor([[True, True, True, True], [True, True, True, False], [True, True, False, False]])
    assert torch.autograd.gradcheck(lambda s: loss(s, targets, mask), (scores,))


@pytest.mark.parametrize("loss", LISTWISE)
def test_order_of_candidates_and_padding_change_nothing(loss: Loss) -> None:
    generator = torch.Generator().manual_seed(2)
    scores = torch.randn(2, 5, generator=generator, dtype=torch.float64)
    targets = torch.tensor([[4.0, 3, 2, 1, 0], [0.0, 1, 2, 3, 4]], dtype=torch.float64)
    mask = torch.ones(2, 5, dtype=torch.bool)
    expected = loss(scores, targets, mask)
    turned = torch.tensor([3, 0, 4, 1, 2])
    assert torch.allclose(loss(scores[:, turned], targets[:, turned], mask), expected, atol=1e-12)
    wider = [torch.nn.functional.pad(t, (0, 2), value=v) for t, v in ((scores, 7.0), (targets, 9.0), (mask, False))]
    assert torch.allclose(loss(*wider), expected, atol=1e-9)


@pytest.mark.parametrize("loss", LISTWISE)
def test_nothing_to_say_is_zero_with_zero_gradient(loss: Loss) -> None:
    scores = torch.zeros(1, 3, requires_grad=True)
    found = loss(scores, torch.zeros(1, 3), torch.zeros(1, 3, dtype=torch.bool))
    found.backward()
    assert float(found.detach()) == 0
    assert scores.grad is not None
    assert torch.equal(scores.grad, torch.zeros(1, 3))


def test_info_nce() -> None:
    same = torch.eye(2)
    assert float(losses.info_nce(same, 3 * same, temperature=1.0)) == pytest.approx(SOFT[-1], abs=1e-6)


def test_generation_counts_only_what_is_asked_for() -> None:
    logits = torch.tensor([[0.0, 0.0], [9.0, -9.0]])
    tokens, mask = torch.tensor([0, -100]), torch.tensor([True, False])
    assert float(losses.generation(logits, tokens, mask)) == pytest.approx(math.log(2), abs=1e-6)


def test_weighted_sum() -> None:
    parts = {"pairwise": torch.tensor(2.0), "listwise": torch.tensor(3.0)}
    assert float(losses.weighted_sum(parts, {"pairwise": 0.5, "listwise": 1.0})) == 4.0
    with pytest.raises(KeyError, match="give each loss one weight"):
        losses.weighted_sum(parts, {"pairwise": 0.5})
