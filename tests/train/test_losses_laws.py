"""What holds for every loss: slopes, order of candidates, what lies under the mask, extremes, types, bad input."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from whyrank.errors import BadInput  # noqa: E402
from whyrank.train import losses  # noqa: E402

Loss = Callable[..., Any]

ANY_ORDER: dict[str, Loss] = {  # ties in the targets may be anywhere
    "rank_net": losses.rank_net,
    "rank_net, soft": partial(losses.rank_net, temperature=2.0),
    "list_net": losses.list_net,
    "list_net, soft": partial(losses.list_net, temperature=2.0),
    "kl": losses.kl,
    "kl, soft": partial(losses.kl, temperature=2.0),
    "lambda_rank": losses.lambda_rank,
    "lambda_rank, cut": partial(losses.lambda_rank, top=2, sigma=2.0),
    "margin_mse": losses.margin_mse,
    "adr_mse": losses.adr_mse,
    "adr_mse, soft": partial(losses.adr_mse, temperature=2.0),
    "softmax_cross_entropy": losses.softmax_cross_entropy,
}
LIKELIHOODS: dict[str, Loss] = {"list_mle": losses.list_mle, "p_list_mle": losses.p_list_mle}
LISTWISE: dict[str, Loss] = ANY_ORDER | LIKELIHOODS
every = pytest.mark.parametrize("loss", LISTWISE.values(), ids=LISTWISE.keys())

RAGGED = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0], [1, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 0]], dtype=torch.bool)
TARGETS = torch.tensor([[3.0, 1, 2, 0], [1, 0, 2, 9], [0, 9, 1, 5], [9, 1, 9, 9], [3, 2, 1, 0]], dtype=torch.float64)


def noise(*shape: int, seed: int = 1, dtype: Any = torch.float64) -> Any:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def with_gradient(loss: Loss, scores: Any, targets: Any, mask: Any, **settings: Any) -> tuple[Any, Any]:
    scores = scores.clone().requires_grad_()
    found = loss(scores, targets, mask, **settings)
    found.backward()
    return found.detach(), scores.grad


@every
def test_gradient_is_the_slope(loss: Loss) -> None:
    scores = noise(5, 4).requires_grad_()
    assert torch.autograd.gradcheck(lambda s: loss(s, TARGETS, RAGGED), (scores,))


def test_gradient_is_the_slope_with_weights() -> None:
    scores, weights = noise(5, 4).requires_grad_(), noise(5, 4, seed=2).abs().requires_grad_()
    assert torch.autograd.gradcheck(lambda s, w: losses.rank_net(s, TARGETS, RAGGED, weights_QD=w), (scores, weights))


def test_gradient_is_the_slope_of_vectors_and_logits() -> None:
    queries, texts = noise(3, 4).requires_grad_(), noise(3, 4, seed=2).requires_grad_()
    assert torch.autograd.gradcheck(losses.info_nce, (queries, texts))
    tokens, mask = torch.tensor([1, 0, 4]), torch.tensor([True, False, True])
    logits = noise(3, 5).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: losses.generation(x, tokens, mask), (logits,))


def is_turned(loss: Loss, scores: Any, targets: Any, turn: list[int]) -> None:
    mask = torch.ones_like(scores, dtype=torch.bool)
    expected, slopes = with_gradient(loss, scores, targets, mask)
    found, turned = with_gradient(loss, scores[:, turn], targets[:, turn], mask)
    assert float(found) == pytest.approx(float(expected), abs=1e-9)
    # Candidates that are equal in score and target cannot be told apart; what they get together can.
    together = (scores[:, :, None] == scores[:, None, :]) & (targets[:, :, None] == targets[:, None, :])
    shared = (together.double() @ slopes[:, :, None])[:, turn, 0]
    shared_turned = (together[:, turn][:, :, turn].double() @ turned[:, :, None])[:, :, 0]
    assert torch.allclose(shared, shared_turned, atol=1e-9)


@pytest.mark.parametrize("loss", ANY_ORDER.values(), ids=ANY_ORDER.keys())
@given(data=st.data())
def test_order_of_candidates_changes_nothing_ties_included(loss: Loss, data: st.DataObject) -> None:
    few = st.tuples(st.integers(-2, 2), st.integers(-1, 2))
    candidates = torch.tensor(data.draw(st.lists(few, min_size=1, max_size=6)), dtype=torch.float64)
    turn = data.draw(st.permutations(range(len(candidates))))
    is_turned(loss, candidates[None, :, 0], candidates[None, :, 1], turn)


@pytest.mark.parametrize("loss", LIKELIHOODS.values(), ids=LIKELIHOODS.keys())
@given(data=st.data())
def test_order_of_candidates_changes_no_likelihood_without_ties(loss: Loss, data: st.DataObject) -> None:
    targets = data.draw(st.lists(st.integers(-9, 9), min_size=1, max_size=6, unique=True))
    scores = data.draw(st.lists(st.integers(-2, 2), min_size=len(targets), max_size=len(targets)))
    turn = data.draw(st.permutations(range(len(targets))))
    is_turned(loss, torch.tensor([scores]).double(), torch.tensor([targets]).double(), turn)


@pytest.mark.parametrize("loss", LIKELIHOODS.values(), ids=LIKELIHOODS.keys())
def test_likelihoods_take_ties_in_the_order_given(loss: Loss) -> None:
    scores, ties, mask = torch.tensor([[2.0, 0.0, 1.0]]), torch.ones(1, 3), torch.ones(1, 3, dtype=torch.bool)
    as_given = loss(scores, torch.tensor([[3.0, 2.0, 1.0]]), mask)
    assert loss(scores, ties, mask) == as_given
    assert loss(scores.flip(1), ties, mask) > as_given


@every
@pytest.mark.parametrize("shift", [-1e4, -3.0, 1e4])
def test_only_differences_of_scores_count(loss: Loss, shift: float) -> None:
    scores = noise(5, 4)
    assert float(loss(scores + shift, TARGETS, RAGGED)) == pytest.approx(float(loss(scores, TARGETS, RAGGED)), abs=1e-9)


@every
def test_a_step_down_the_slope_leads_down_and_the_right_order_is_best(loss: Loss) -> None:
    scores, targets, mask = noise(3, 4), TARGETS[:3], torch.ones(3, 4, dtype=torch.bool)
    before, slopes = with_gradient(loss, scores, targets, mask)
    assert loss(scores - 1e-3 * slopes, targets, mask) < before
    assert loss(targets, targets, mask) < loss(-targets, targets, mask)


@every
@pytest.mark.parametrize("rubbish", [math.nan, math.inf, -math.inf, 1e4])
def test_what_lies_under_the_mask_changes_nothing(loss: Loss, rubbish: float) -> None:
    clean, slopes = with_gradient(loss, noise(5, 4), TARGETS, RAGGED)
    scores, targets = noise(5, 4).masked_fill(~RAGGED, rubbish), TARGETS.masked_fill(~RAGGED, rubbish)
    for said, wanted in ((scores, TARGETS), (noise(5, 4), targets), (scores, targets)):
        found, turned = with_gradient(loss, said, wanted, RAGGED)
        assert torch.equal(found, clean)
        assert torch.equal(turned, slopes)
    assert bool((slopes[~RAGGED] == 0).all())


@every
def test_each_list_is_read_alone(loss: Loss) -> None:
    """A batch is the mean of its lists (over queries or pairs), however wide the widest; an empty list is no list."""
    scores, mask = noise(1, 3), torch.ones(1, 3, dtype=torch.bool)
    targets = torch.tensor([[0.0, 2, 1]], dtype=torch.float64)
    alone, slopes = with_gradient(loss, scores, targets, mask)
    wider = [
        torch.nn.functional.pad(t, (1, 2, 1, 2), value=v) for t, v in ((scores, 7.0), (targets, 9.0), (mask, False))
    ]
    found, turned = with_gradient(loss, *wider)
    assert torch.allclose(found, alone, atol=1e-12)
    assert torch.allclose(turned[1:2, 1:4], slopes, atol=1e-12)
    twice = [torch.cat([t, t]) for t in (scores, targets, mask)]
    assert float(loss(*twice)) == pytest.approx(float(alone), abs=1e-12)


@every
def test_nothing_to_say_is_zero_with_zero_gradient(loss: Loss) -> None:
    nobody = torch.zeros(2, 3, dtype=torch.bool)
    single = torch.tensor([[False, True, False], [False, False, True]])
    for mask in (nobody, single):
        found, slopes = with_gradient(loss, noise(2, 3), torch.ones(2, 3), mask)
        assert float(found) == 0
        assert float(slopes.abs().max()) <= 1e-15
    for shape in ((0, 3), (2, 0), (0, 0)):
        found, _ = with_gradient(loss, torch.zeros(shape), torch.zeros(shape), torch.ones(shape, dtype=torch.bool))
        assert float(found) == 0


def test_nothing_to_say_for_vectors_and_tokens() -> None:
    for found in (
        losses.info_nce(torch.zeros(0, 3), torch.zeros(0, 3)),
        losses.generation(torch.zeros(0, 3), torch.zeros(0, dtype=torch.long), torch.zeros(0, dtype=torch.bool)),
        losses.generation(torch.zeros(2, 3), torch.zeros(2, dtype=torch.long), torch.zeros(2, dtype=torch.bool)),
    ):
        assert float(found) == 0
    assert float(losses.info_nce(noise(1, 3), noise(1, 3, seed=2))) == 0  # a single pair has nothing to differ from
    assert torch.isfinite(losses.info_nce(torch.zeros(2, 3), torch.zeros(2, 3)))  # nor has a vector without direction


@every
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_extreme_scores_give_numbers(loss: Loss, dtype: Any, sign: float) -> None:
    scores = sign * torch.tensor([[1e4, -1e4, 0.0, 1e4], [-1e4, -1e4, -1e4, -1e4], [1e4, 1e4, 0.0, 0.0]], dtype=dtype)
    found, slopes = with_gradient(loss, scores, TARGETS[:3], RAGGED[:3])
    assert bool(torch.isfinite(found))
    assert bool(torch.isfinite(slopes).all())


@pytest.mark.parametrize("name", ["rank_net", "lambda_rank", "list_net", "list_mle", "softmax_cross_entropy"])
def test_a_pair_far_the_wrong_way_is_still_pulled_back(name: str) -> None:
    scores = torch.tensor([[-1e4, 1e4]])
    _, slopes = with_gradient(LISTWISE[name], scores, torch.tensor([[1.0, 0.0]]), torch.ones(1, 2, dtype=torch.bool))
    assert slopes[0, 0] < -0.3
    assert slopes[0, 1] > 0.3


@every
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_sums_are_wide_whatever_the_type(loss: Loss, dtype: Any) -> None:
    scores = noise(4, 300, dtype=dtype)
    targets = torch.stack([torch.randperm(300, generator=torch.Generator().manual_seed(q)) for q in range(4)]) / 100
    mask = noise(4, 300, seed=2) > -1
    exact, exact_slopes = with_gradient(loss, scores.double(), targets.double(), mask)
    found, slopes = with_gradient(loss, scores, targets, mask)
    assert found.dtype == torch.float32
    assert slopes.dtype == dtype
    assert float(found) == pytest.approx(float(exact), rel=2e-5)
    largest = float(exact_slopes.abs().max())
    assert torch.allclose(slopes.double(), exact_slopes, rtol=2 * torch.finfo(dtype).eps, atol=2e-3 * largest)


@every
def test_no_gradient_reaches_the_teacher(loss: Loss) -> None:
    scores, targets = noise(5, 4).requires_grad_(), TARGETS.clone().requires_grad_()
    loss(scores, targets, RAGGED).backward()
    assert targets.grad is None
    assert bool((scores.grad != 0).any())


@pytest.mark.parametrize(("narrow", "wide", "high"), [("bfloat16", "float32", 2.0**8), ("float32", "float64", 2.0**24)])
def test_targets_that_differ_in_their_own_type_are_no_ties(narrow: str, wide: str, high: float) -> None:
    scores, mask = torch.zeros(1, 2, dtype=getattr(torch, narrow)), torch.ones(1, 2, dtype=torch.bool)
    targets = torch.tensor([[high, high + 1]], dtype=getattr(torch, wide))
    assert float(losses.rank_net(scores, targets, mask)) == pytest.approx(math.log(2))


@every
def test_whole_targets_are_targets(loss: Loss) -> None:
    assert loss(noise(5, 4), TARGETS.long(), RAGGED) == loss(noise(5, 4), TARGETS, RAGGED)


def test_tokens_and_vectors_in_narrow_types() -> None:
    logits, tokens = noise(3, 5, dtype=torch.bfloat16).requires_grad_(), torch.tensor([1, -100, 4])
    found = losses.generation(logits, tokens, tokens >= 0)
    found.backward()
    assert found.dtype == torch.float32
    exact = losses.generation(logits.detach().double(), tokens, tokens >= 0)
    assert float(found.detach()) == pytest.approx(float(exact), abs=1e-6)
    assert logits.grad.dtype == torch.bfloat16
    queries, texts = noise(3, 5, dtype=torch.bfloat16), noise(3, 5, seed=2, dtype=torch.bfloat16)
    close = losses.info_nce(queries, texts)
    assert close.dtype == torch.float32
    assert float(close) == pytest.approx(float(losses.info_nce(queries.double(), texts.double())), abs=1e-5)


@pytest.mark.parametrize("rubbish", [math.nan, math.inf, -math.inf])
def test_logits_of_other_tokens_change_nothing(rubbish: float) -> None:
    tokens, mask = torch.tensor([1, 7, 4]), torch.tensor([True, False, True])
    logits = noise(3, 5)
    logits[1] = rubbish
    logits.requires_grad_()
    found = losses.generation(logits, tokens, mask)
    found.backward()
    assert torch.equal(found, losses.generation(logits[mask], tokens[mask], mask[mask]))
    assert torch.equal(logits.grad[1], torch.zeros(5, dtype=torch.float64))
    assert bool(torch.isfinite(logits.grad).all())


def test_weights_under_the_mask_change_nothing() -> None:
    weights = noise(5, 4, seed=3).abs()
    clean, slopes = with_gradient(losses.rank_net, noise(5, 4), TARGETS, RAGGED, weights_QD=weights)
    rubbish = weights.masked_fill(~RAGGED, math.nan)
    found, turned = with_gradient(losses.rank_net, noise(5, 4), TARGETS, RAGGED, weights_QD=rubbish)
    assert torch.equal(found, clean)
    assert torch.equal(turned, slopes)
    ones, plain = torch.ones(5, 4), losses.rank_net(noise(5, 4), TARGETS, RAGGED)
    assert losses.rank_net(noise(5, 4), TARGETS, RAGGED, weights_QD=ones) == plain
    assert losses.rank_net(noise(5, 4), TARGETS, RAGGED, weights_QD=0 * ones) == 0


def test_order_of_pairs_and_tokens_changes_nothing() -> None:
    turn = [2, 0, 3, 1]
    queries, texts = noise(4, 5), noise(4, 5, seed=2)
    turned = losses.info_nce(queries[turn], texts[turn])
    assert float(turned) == pytest.approx(float(losses.info_nce(queries, texts)), abs=1e-12)
    assert float(losses.info_nce(queries, texts[turn])) != pytest.approx(float(turned), abs=1e-3)
    tokens, mask = torch.tensor([1, 0, 4, 2]), torch.tensor([True, False, True, True])
    expected = losses.generation(queries, tokens, mask)
    assert float(losses.generation(queries[turn], tokens[turn], mask[turn])) == pytest.approx(
        float(expected), abs=1e-12
    )


@every
def test_shapes_that_do_not_fit_are_told(loss: Loss) -> None:
    scores, mask = torch.zeros(2, 3), torch.ones(2, 3, dtype=torch.bool)
    with pytest.raises(BadInput, match=r"scores \[2, 3\], targets \[3\], mask \[2, 3\]"):
        loss(scores, torch.zeros(3), mask)
    with pytest.raises(BadInput, match="2 dimensions"):
        loss(scores[0], scores[0], mask[0])
    with pytest.raises(BadInput, match="boolean"):
        loss(scores, scores, mask.long())


def test_shapes_of_weights_vectors_and_logits_are_told() -> None:
    scores, mask = torch.zeros(2, 3), torch.ones(2, 3, dtype=torch.bool)
    with pytest.raises(BadInput, match="shapes"):
        losses.rank_net(scores, scores, mask, weights_QD=torch.ones(3))
    with pytest.raises(BadInput, match=r"queries \[2, 3\], positives \[3, 3\]"):
        losses.info_nce(scores, torch.zeros(3, 3))
    with pytest.raises(BadInput, match="shapes"):
        losses.generation(torch.zeros(1, 2, 3), torch.zeros(1, 2, dtype=torch.long), mask[:1, :2])
    with pytest.raises(BadInput, match="boolean"):
        losses.generation(scores, torch.zeros(2, dtype=torch.long), torch.tensor([1, 0]))


@pytest.mark.parametrize("number", [0.0, -1.0, math.nan, math.inf])
def test_settings_that_mean_nothing_are_told(number: float) -> None:
    scores, mask = torch.zeros(2, 3), torch.ones(2, 3, dtype=torch.bool)
    for loss in (losses.rank_net, losses.list_net, losses.kl, losses.adr_mse):
        with pytest.raises(BadInput, match=f"temperature is {number}"):
            loss(scores, scores, mask, temperature=number)
    with pytest.raises(BadInput, match="temperature"):
        losses.info_nce(scores, scores, temperature=number)
    with pytest.raises(BadInput, match="sigma"):
        losses.lambda_rank(scores, scores, mask, sigma=number)
    with pytest.raises(BadInput, match="top is 0"):
        losses.lambda_rank(scores, scores, mask, top=0)
