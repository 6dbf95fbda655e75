"""Losses of lists: pure functions of scores and targets, one paper each.

Every loss of lists takes scores [Q, D], targets [Q, D] (finite, higher is more relevant) and a boolean mask [Q, D] that
is true where a candidate stands; what lies under a false mask, infinite or not a number, has no influence on value or
gradient. Targets are constants: no gradient reaches a teacher. Every loss returns a scalar: the mean over the queries
(or the pairs) that its docstring names, and zero, with zero gradient, if there are none. None depends on the order of
the candidates, ties included, except where a docstring says so. Sums are made in fp32 at least, whatever the type of
the scores, so the scalar is fp32 or fp64. Shapes that do not fit, and temperatures, slopes and cuts that are not above
zero, raise `BadInput`.

"Equal to" names a class of sentence-transformers 6.2, whose values tests/train/test_losses_reference.py holds.
"""

import math
from collections.abc import Mapping
from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

from whyrank.errors import BadInput

# Q queries, D candidates of a query, V vocabulary, N tokens, W width of a vector
Scores: TypeAlias = Tensor
NOWHERE = -1e9  # a score under the mask: exp() of it is 0 beside every score that a model gives


def rank_net(
    scores_QD: Scores,
    targets_QD: Tensor,
    mask_QD: Tensor,
    *,
    weights_QD: Tensor | None = None,
    temperature: float = 1.0,
) -> Tensor:
    """Pairwise logistic loss, log(1 + exp((s_j − s_i) / temperature)) over pairs with target_i > target_j.

    Burges et al., 2005, eq. 3 with the target probability 1. Equal to RankNetLoss with `reduction_log="natural"` and
    sigma = 1 / temperature; its default, base 2, is 1 / ln 2 times as much. Deviates: averages over all pairs of the
    batch, as RankNetLoss does, so that a long list counts for more than a short one.

    Args:
        scores_QD: of the student.
        targets_QD: of the teacher.
        mask_QD: true where a candidate stands.
        weights_QD: the weight of a candidate, 0 or more: a teacher's confidence, say. A pair weighs the product of its
            two, and the average is weighted.
        temperature: scores are divided by it.
    """
    scores, targets = _given(scores_QD, targets_QD, mask_QD)
    _above_zero(temperature=temperature)
    weights = _preferred(targets, mask_QD).to(scores.dtype)
    if weights_QD is not None:
        weight, _ = _given(weights_QD, targets_QD, mask_QD)
        weights = weights * weight[:, :, None] * weight[:, None, :]
    return _mean(-functional.logsigmoid(_apart(scores) / temperature), weights)


def list_net(scores_QD: Scores, targets_QD: Tensor, mask_QD: Tensor, *, temperature: float = 1.0) -> Tensor:
    """Cross-entropy between softmax(targets / temperature) and softmax(scores): the top-one ListNet.

    Cao et al., 2007, eq. 4 with the exponential; the mean over queries with a candidate. Equal to ListNetLoss, which
    has no temperature.
    """
    scores, targets = _given(scores_QD, targets_QD, mask_QD)
    _above_zero(temperature=temperature)
    wanted = _log_softmax(targets / temperature, mask_QD).exp()
    return _mean_rows(_cross_entropy(scores, wanted, mask_QD), mask_QD.any(dim=1))


def kl(scores_QD: Scores, targets_QD: Tensor, mask_QD: Tensor, *, temperature: float = 1.0) -> Tensor:
    """KL(softmax(targets / t) ‖ softmax(scores / t)) · t², the distillation of Hinton et al., 2015, over a list.

    The mean over queries with a candidate. Equal to DistillKLDivLoss. It holds the t² of DeAR's
    (1 − α) · main + α · t² · KL (Abdallah et al., 2025); the teacher comes first, as in DeAR's code.
    """
    scores, targets = _given(scores_QD, targets_QD, mask_QD)
    _above_zero(temperature=temperature)
    log_wanted = _log_softmax(targets / temperature, mask_QD)
    log_given = _log_softmax(scores / temperature, mask_QD)
    divergence = (log_wanted.exp() * (log_wanted - log_given)).sum(dim=1)
    return _mean_rows(divergence * temperature**2, mask_QD.any(dim=1))


def list_mle(scores_QD: Scores, targets_QD: Tensor, mask_QD: Tensor) -> Tensor:
    """Negative log-likelihood of the targets' order under Plackett–Luce, the mean over queries with a candidate.

    Xia et al., 2008, not divided by the length of the list, as published. Ties in the targets are taken in the order
    given: break them at random before, if they mean nothing. Equal to ListMLELoss with `respect_input_order=False`;
    its default reads no targets and takes the candidates as given for the order.
    """
    scores, targets = _given(scores_QD, targets_QD, mask_QD)
    return _mean_rows(_plackett_luce(scores, targets, mask_QD).sum(dim=1), mask_QD.any(dim=1))


def p_list_mle(scores_QD: Scores, targets_QD: Tensor, mask_QD: Tensor) -> Tensor:
    """ListMLE with weights that fall with the position: 2^(n − i) − 1 for position i of n, over their sum.

    Lan et al., 2014, eq. 9. Ties and mean as in `list_mle`. The last position's weight is 0, as is its term. Equal to
    PListMLELoss with `respect_input_order=False`.
    """
    scores, targets = _given(scores_QD, targets_QD, mask_QD)
    terms = _plackett_luce(scores, targets, mask_QD)
    # Over 2^n, so that no list is too long: 2^−i − 2^−n, below 0 for places that none holds.
    positions = torch.arange(1, terms.shape[1] + 1, device=terms.device, dtype=terms.dtype)
    falling = torch.exp2(-positions) - torch.exp2(-mask_QD.sum(dim=1, keepdim=True).to(terms.dtype))
    return _mean_rows((terms * _shares(falling.clamp(min=0))).sum(dim=1), mask_QD.any(dim=1))


def lambda_rank(
    scores_QD: Scores, targets_QD: Tensor, mask_QD: Tensor, *, sigma: float = 1.0, top: int | None = None
) -> Tensor:
    """RankNet's pairs, each weighted by how much swapping the two would change nDCG at the current order.

    Burges, 2010, section 4; the loss whose gradient these lambdas are (Wang et al., 2018). Gains are 2^target − 1,
    and 0 for targets below 0. The weights carry no gradient. Equal scores stand in the worst order, lowest target
    first; candidates equal in both share their gradient by the order given. The sum over the pairs of a query, the
    mean over queries with a pair.

    LambdaLoss with LambdaRankScheme and `reduction_log="natural"` has the same weights. Deviates from it: it averages
    over all pairs of the batch, which makes a pair of a long list count for less than nDCG says. And with a cut k it
    weighs a pair with one candidate in the top k as if there were no cut; here the candidate below gains nothing.

    Args:
        scores_QD: of the student.
        targets_QD: of the teacher.
        mask_QD: true where a candidate stands.
        sigma: the slope of the logistic.
        top: nDCG's cut; the whole list by default.
    """
    scores, targets = _given(scores_QD, targets_QD, mask_QD)
    _above_zero(sigma=sigma, top=1 if top is None else top)
    gains = _gains(targets)
    places = _places(scores.detach(), targets, mask_QD)
    ideal_places = torch.arange(scores.shape[1], device=scores.device).expand_as(places)
    ideal = (gains.sort(dim=1, descending=True).values * _discounts(ideal_places, gains, top)).sum(dim=1)
    swaps = (_apart(gains) * _apart(_discounts(places, gains, top))).abs()
    preferred = _preferred(targets, mask_QD)
    weights = (swaps / ideal.masked_fill(ideal <= 0, 1)[:, None, None]).masked_fill(~preferred, 0)
    losses = -functional.logsigmoid(sigma * _apart(scores))
    return _mean_rows((weights * losses).sum(dim=(1, 2)), preferred.any(dim=(1, 2)))


def margin_mse(scores_QD: Scores, targets_QD: Tensor, mask_QD: Tensor) -> Tensor:
    """Squared difference of the margins s_i − s_j and t_i − t_j, the mean over all pairs with t_i > t_j of the batch.

    Hofstätter et al., 2020. Deviates: over every pair of a list rather than one positive and one negative, so that
    it needs no label beside the teacher. Equal to MarginMSELoss where the targets below the first are equal, as with
    one negative; that class also counts a positive and a negative that the teacher holds equal.
    """
    scores, targets = _given(scores_QD, targets_QD, mask_QD)
    return _mean(_apart(scores - targets) ** 2, _preferred(targets, mask_QD).to(scores.dtype))


def adr_mse(scores_QD: Scores, targets_QD: Tensor, mask_QD: Tensor, *, temperature: float = 1.0) -> Tensor:
    """Squared error of smooth ranks, each divided by the log of the true rank: order only, best places first.

    Approximate, discounted rank MSE, Schlatt et al., 2024 (Rank-DistiLLM): the smooth rank of i is
    1 + Σ_j σ((s_j − s_i) / t), its error weighs 1 / log2(1 + rank_i). Tied targets share the mean of their ranks,
    which equal scores attain. The mean over the candidates of a query, then over queries with a candidate.

    Equal to ADRMSELoss with alpha = 1 / temperature on lists of one length. Deviates from it where lengths differ: it
    averages over all candidates of the batch, which counts a long list for more.
    """
    scores, targets = _given(scores_QD, targets_QD, mask_QD)
    _above_zero(temperature=temperature)
    others = mask_QD[:, None, :] & ~torch.eye(scores.shape[1], dtype=torch.bool, device=scores.device)
    smooth = 1 + torch.sigmoid(-_apart(scores) / temperature).masked_fill(~others, 0).sum(dim=2)
    true = 1 + torch.heaviside(-_apart(targets), targets.new_tensor(0.5)).masked_fill(~others, 0).sum(dim=2)
    errors = (smooth - true) ** 2 / torch.log2(1 + true)
    means = errors.masked_fill(~mask_QD, 0).sum(dim=1) / mask_QD.sum(dim=1).clamp(min=1)
    return _mean_rows(means, mask_QD.any(dim=1))


def softmax_cross_entropy(scores_QD: Scores, targets_QD: Tensor, mask_QD: Tensor) -> Tensor:
    """−Σ p_i log softmax(s)_i with p the targets over their sum, the mean over queries with a target above 0.

    Targets below 0 count as 0. With one positive it is the localised contrastive loss of Gao et al., 2021, and equal
    to a cross-encoder's MultipleNegativesRankingLoss given the same candidates, without its sigmoid and scale of 10.
    """
    scores, targets = _given(scores_QD, targets_QD, mask_QD)
    positive = targets.clamp(min=0)
    return _mean_rows(_cross_entropy(scores, _shares(positive), mask_QD), (positive > 0).any(dim=1))


def info_nce(queries_QW: Tensor, positives_QW: Tensor, *, temperature: float = 0.05) -> Tensor:
    """Each query against its own text and those of the other queries, by cosine (van den Oord et al., 2018).

    Equal to MultipleNegativesRankingLoss of a bi-encoder with scale = 1 / temperature, and its cached form.
    """
    _same_shape(2, queries=queries_QW.shape, positives=positives_QW.shape)
    _above_zero(temperature=temperature)
    queries, positives = (functional.normalize(_wide(x), dim=1) for x in (queries_QW, positives_QW))
    losses = -torch.log_softmax(queries @ positives.T / temperature, dim=1).diagonal()
    return _mean(losses, torch.ones_like(losses))


def generation(logits_NV: Tensor, tokens_N: Tensor, mask_N: Tensor) -> Tensor:
    """Mean cross-entropy of the tokens under a true mask. The caller has shifted: logits n predict token n.

    Equal to `torch.nn.functional.cross_entropy` with the other tokens at its `ignore_index`, but zero where there are
    none, and whatever stands at them.
    """
    _same_shape(1, logits=logits_NV.shape[:-1], tokens=tokens_N.shape, mask=mask_N.shape)
    _boolean(mask_N)
    losses = functional.cross_entropy(_wide(logits_NV[mask_N]), tokens_N[mask_N], reduction="none")
    return _mean(losses, torch.ones_like(losses))


def weighted_sum(losses: Mapping[str, Tensor], weights: Mapping[str, float]) -> Tensor:
    """Σ weight · loss.

    Raises:
        BadInput: there is no loss, a loss has no weight, or a weight no loss: a silent zero would train something else.
    """
    if not losses or losses.keys() != weights.keys():
        raise BadInput(f"losses are {sorted(losses)}, weights are for {sorted(weights)}; give each loss one weight")
    return torch.stack([weights[name] * loss for name, loss in losses.items()]).sum()


def _given(scores_QD: Scores, targets_QD: Tensor, mask_QD: Tensor) -> tuple[Tensor, Tensor]:
    """Scores, and targets as constants, in one type wide enough for sums, zero where no candidate stands."""
    _same_shape(2, scores=scores_QD.shape, targets=targets_QD.shape, mask=mask_QD.shape)
    _boolean(mask_QD)
    scores, targets = _wide(scores_QD), _wide(targets_QD)
    dtype = torch.promote_types(scores.dtype, targets.dtype)
    return scores.to(dtype).masked_fill(~mask_QD, 0), targets.detach().to(dtype).masked_fill(~mask_QD, 0)


def _wide(values: Tensor) -> Tensor:
    return values.to(torch.promote_types(values.dtype, torch.float32))


def _same_shape(dimensions: int, **shapes: torch.Size) -> None:
    if len(set(shapes.values())) > 1 or any(len(shape) != dimensions for shape in shapes.values()):
        told = ", ".join(f"{name} {list(shape)}" for name, shape in shapes.items())
        raise BadInput(f"shapes are {told}; they must be one, of {dimensions} dimensions")


def _boolean(mask: Tensor) -> None:
    if mask.dtype != torch.bool:
        raise BadInput(f"the mask is of type {mask.dtype}; give a boolean one, true where something stands")


def _above_zero(**given: float) -> None:
    for name, value in given.items():
        if not 0 < value < math.inf:
            raise BadInput(f"{name} is {value}; give a finite number above 0")


def _apart(values_QD: Tensor) -> Tensor:
    """Value i less value j, [Q, D, D]."""
    return values_QD[:, :, None] - values_QD[:, None, :]


def _preferred(targets_QD: Tensor, mask_QD: Tensor) -> Tensor:
    """Whether the target of i is above that of j, and both stand there, [Q, D, D]."""
    return (targets_QD[:, :, None] > targets_QD[:, None, :]) & mask_QD[:, :, None] & mask_QD[:, None, :]


def _log_softmax(scores_QD: Scores, mask_QD: Tensor) -> Tensor:
    return torch.log_softmax(scores_QD.masked_fill(~mask_QD, NOWHERE), dim=1)


def _cross_entropy(scores_QD: Scores, wanted_QD: Tensor, mask_QD: Tensor) -> Tensor:
    return -(wanted_QD * _log_softmax(scores_QD, mask_QD)).sum(dim=1)


def _plackett_luce(scores_QD: Scores, targets_QD: Tensor, mask_QD: Tensor) -> Tensor:
    """−log of the probability of each choice among what is left, best target first; 0 once nothing is left."""
    order = targets_QD.masked_fill(~mask_QD, -torch.inf).argsort(dim=1, descending=True, stable=True)
    scores, there = scores_QD.masked_fill(~mask_QD, NOWHERE).gather(1, order), mask_QD.gather(1, order)
    left = scores.flip(1).logcumsumexp(dim=1).flip(1)
    return (left - scores).masked_fill(~there, 0)


def _gains(targets_QD: Tensor) -> Tensor:
    """2^target − 1 over 2^(the query's highest), so that none is infinite: nDCG has them above and below the line."""
    raised = targets_QD.clamp(min=0)
    highest = functional.pad(raised, (0, 1)).amax(dim=1, keepdim=True)
    return torch.exp2(raised - highest) - torch.exp2(-highest)


def _places(scores_QD: Scores, targets_QD: Tensor, mask_QD: Tensor) -> Tensor:
    """The place of each candidate by score, from 0; equal scores lowest target first, what is masked last."""
    worst = targets_QD.argsort(dim=1, stable=True)
    scores = scores_QD.masked_fill(~mask_QD, NOWHERE).gather(1, worst)
    return worst.gather(1, scores.argsort(dim=1, descending=True, stable=True)).argsort(dim=1)


def _discounts(places_QD: Tensor, like: Tensor, top: int | None) -> Tensor:
    falling = 1 / torch.log2(places_QD.to(like.dtype) + 2)
    return falling if top is None else falling.masked_fill(places_QD >= top, 0)


def _shares(values_QD: Tensor) -> Tensor:
    """Values over their sum; all zero where the sum is."""
    totals = values_QD.sum(dim=1, keepdim=True)
    return values_QD / totals.masked_fill(totals <= 0, 1)


def _mean(values: Tensor, weights: Tensor) -> Tensor:
    """The weighted mean; zero without weight."""
    total = weights.sum()
    return (values * weights).sum() / total.masked_fill(total <= 0, 1)


def _mean_rows(values_Q: Tensor, speaks_Q: Tensor) -> Tensor:
    return _mean(values_Q, speaks_Q.to(values_Q.dtype))
