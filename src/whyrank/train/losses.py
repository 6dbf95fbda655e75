"""Losses of lists: pure functions of scores and targets, one paper each.

Every loss takes scores [Q, D], targets [Q, D] (higher is more relevant) and a mask [Q, D] that is true where a
candidate stands; what lies under a false mask has no influence on value or gradient. Every loss returns a scalar: the
mean over the queries (or the pairs) that have something to say, and zero, with zero gradient, if none has. None
depends on the order of the candidates, ties in the targets included, except where a docstring says so.
"""

from collections.abc import Mapping
from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

# Q queries, D candidates of a query, V vocabulary, N tokens
Scores: TypeAlias = Tensor
NOWHERE = -1e9  # a score under the mask: exp() of it is 0 in every type we train in


def rank_net(
    scores_QD: Scores,
    targets_QD: Tensor,
    mask_QD: Tensor,
    *,
    weights_QD: Tensor | None = None,
    temperature: float = 1.0,
) -> Tensor:
    """Pairwise logistic loss, log(1 + exp(s_j − s_i)) over pairs with target_i > target_j.

    Burges et al., 2005, with the target probability 1. Deviates: averages over all pairs of the batch.

    Args:
        scores_QD: of the student.
        targets_QD: of the teacher.
        mask_QD: true where a candidate stands.
        weights_QD: the weight of a candidate, teachers' confidence say; a pair weighs the product of its two.
        temperature: scores are divided by it.
    """
    preferred = (targets_QD[:, :, None] > targets_QD[:, None, :]) & mask_QD[:, :, None] & mask_QD[:, None, :]
    weights = preferred.to(scores_QD.dtype)
    if weights_QD is not None:
        weights = weights * weights_QD[:, :, None] * weights_QD[:, None, :]
    margins = (scores_QD[:, :, None] - scores_QD[:, None, :]) / temperature
    return _mean(functional.softplus(-margins), weights)


def list_net(scores_QD: Scores, targets_QD: Tensor, mask_QD: Tensor, *, temperature: float = 1.0) -> Tensor:
    """Cross-entropy between softmax(targets / temperature) and softmax(scores): the top-one ListNet.

    Cao et al., 2007, eq. 4 with the exponential.
    """
    wanted = torch.softmax((targets_QD / temperature).masked_fill(~mask_QD, NOWHERE), dim=1)
    return _mean_rows(_cross_entropy(scores_QD, wanted, mask_QD), mask_QD.any(dim=1))


def kl(scores_QD: Scores, targets_QD: Tensor, mask_QD: Tensor, *, temperature: float = 1.0) -> Tensor:
    """KL(softmax(targets / t) ‖ softmax(scores / t)) · t², the distillation of Hinton et al., 2015, over a list."""
    log_wanted = torch.log_softmax((targets_QD / temperature).masked_fill(~mask_QD, NOWHERE), dim=1)
    log_given = torch.log_softmax((scores_QD / temperature).masked_fill(~mask_QD, NOWHERE), dim=1)
    terms = log_wanted.exp() * (log_wanted - log_given)
    return _mean_rows(terms.masked_fill(~mask_QD, 0).sum(dim=1) * temperature**2, mask_QD.any(dim=1))


def list_mle(scores_QD: Scores, targets_QD: Tensor, mask_QD: Tensor) -> Tensor:
    """Negative log-likelihood of the targets' order under Plackett–Luce.

    Xia et al., 2008. Ties in the targets are taken in the order given: break them at random before, if they mean
    nothing. Deviates: no normalisation by length, as published, unlike some libraries.
    """
    return p_list_mle(scores_QD, targets_QD, mask_QD, discounts_D=torch.ones_like(scores_QD[0]))


def p_list_mle(scores_QD: Scores, targets_QD: Tensor, mask_QD: Tensor, *, discounts_D: Tensor | None = None) -> Tensor:
    """ListMLE with weights that fall with the position; by default 2^(n − i) − 1 for position i of n, over their sum.

    Lan et al., 2014, eq. 9. Ties as in `list_mle`. The last position's weight is 0, as is its term.
    """
    masked_targets = targets_QD.to(scores_QD.dtype).masked_fill(~mask_QD, -torch.inf)
    order = masked_targets.argsort(dim=1, descending=True, stable=True)
    scores = scores_QD.masked_fill(~mask_QD, NOWHERE).gather(1, order)
    there = mask_QD.gather(1, order)
    below = scores.flip(1).logcumsumexp(dim=1).flip(1)
    terms = (below - scores).masked_fill(~there, 0)
    if discounts_D is not None:
        return _mean_rows((terms * discounts_D).sum(dim=1), mask_QD.any(dim=1))
    left = mask_QD.sum(dim=1, keepdim=True) - 1 - torch.arange(scores.shape[1], device=scores.device)
    gains = (torch.exp2(left.clamp(min=0).to(scores.dtype)) - 1).masked_fill(~there, 0)
    weights = gains / gains.sum(dim=1, keepdim=True).clamp(min=1)
    return _mean_rows((terms * weights).sum(dim=1), mask_QD.any(dim=1))


def lambda_rank(
    scores_QD: Scores, targets_QD: Tensor, mask_QD: Tensor, *, sigma: float = 1.0, top: int | None = None
) -> Tensor:
    """RankNet's pairs, each weighted by how much swapping the two would change nDCG at the current order.

    Burges, 2010, section 4; the loss whose gradient these lambdas are (Wang et al., 2018, eq. 13). Gains are
    2^target − 1. The weights carry no gradient. Averages over pairs with a weight, in sum over the query's.

    Args:
        scores_QD: of the student.
        targets_QD: of the teacher.
        mask_QD: true where a candidate stands.
        sigma: the slope of the logistic.
        top: nDCG's cut; the whole list by default.
    """
    gains = (torch.exp2(targets_QD.to(scores_QD.dtype)) - 1).masked_fill(~mask_QD, 0)
    ranks = scores_QD.detach().masked_fill(~mask_QD, NOWHERE).argsort(dim=1, descending=True, stable=True)
    places = ranks.argsort(dim=1)
    discounts = 1 / torch.log2(places.to(scores_QD.dtype) + 2)
    best = torch.arange(scores_QD.shape[1], device=scores_QD.device)
    falling = 1 / torch.log2(best.to(scores_QD.dtype) + 2)
    if top is not None:
        discounts, falling = discounts.masked_fill(places >= top, 0), falling.masked_fill(best >= top, 0)
    ideal = (gains.sort(dim=1, descending=True).values * falling).sum(dim=1).clamp(min=1e-12)[:, None, None]
    change = (gains[:, :, None] - gains[:, None, :]) * (discounts[:, :, None] - discounts[:, None, :])
    preferred = (targets_QD[:, :, None] > targets_QD[:, None, :]) & mask_QD[:, :, None] & mask_QD[:, None, :]
    weights = (change.abs() / ideal).masked_fill(~preferred, 0)
    margins = sigma * (scores_QD[:, :, None] - scores_QD[:, None, :])
    return _mean_rows((weights * functional.softplus(-margins)).sum(dim=(1, 2)), preferred.any(dim=(1, 2)))


def margin_mse(scores_QD: Scores, targets_QD: Tensor, mask_QD: Tensor) -> Tensor:
    """Squared difference of the margins s_i − s_j and t_i − t_j over pairs with t_i > t_j.

    Hofstätter et al., 2020, over every pair of a list rather than one positive and one negative.
    """
    preferred = (targets_QD[:, :, None] > targets_QD[:, None, :]) & mask_QD[:, :, None] & mask_QD[:, None, :]
    apart = scores_QD - targets_QD
    return _mean((apart[:, :, None] - apart[:, None, :]) ** 2, preferred.to(scores_QD.dtype))


def adr_mse(scores_QD: Scores, targets_QD: Tensor, mask_QD: Tensor, *, temperature: float = 1.0) -> Tensor:
    """Squared error of smooth ranks, each divided by the log of the true rank: order only, best places first.

    Approximate, discounted rank MSE, Schlatt et al., 2024 (Rank-DistiLLM): the smooth rank of i is
    1 + Σ_j σ((s_j − s_i) / t), its error weighs 1 / log2(1 + rank_i), the mean is over the candidates of a query.
    Tied targets share the rank of the first of them.
    """
    apart = (scores_QD[:, None, :] - scores_QD[:, :, None]) / temperature
    others = mask_QD[:, None, :] & ~torch.eye(scores_QD.shape[1], dtype=torch.bool, device=scores_QD.device)
    smooth = 1 + torch.sigmoid(apart).masked_fill(~others, 0).sum(dim=2)
    above = (targets_QD[:, None, :] > targets_QD[:, :, None]) & mask_QD[:, None, :]
    true = 1 + above.sum(dim=2).to(scores_QD.dtype)
    errors = (smooth - true) ** 2 / torch.log2(1 + true)
    per_query = errors.masked_fill(~mask_QD, 0).sum(dim=1) / mask_QD.sum(dim=1).clamp(min=1)
    return _mean_rows(per_query, mask_QD.any(dim=1))


def softmax_cross_entropy(scores_QD: Scores, targets_QD: Tensor, mask_QD: Tensor) -> Tensor:
    """−Σ p_i log softmax(s)_i with p the targets over their sum; a query without a positive target says nothing."""
    positive = targets_QD.to(scores_QD.dtype).masked_fill(~mask_QD, 0).clamp(min=0)
    total = positive.sum(dim=1, keepdim=True)
    return _mean_rows(_cross_entropy(scores_QD, positive / total.clamp(min=1e-12), mask_QD), total[:, 0] > 0)


def info_nce(queries_QW: Tensor, positives_QW: Tensor, *, temperature: float = 0.05) -> Tensor:
    """Each query against its own text and those of the other queries, by cosine (van den Oord et al., 2018)."""
    cosines = functional.normalize(queries_QW, dim=1) @ functional.normalize(positives_QW, dim=1).T
    own = torch.arange(len(cosines), device=cosines.device)
    return functional.cross_entropy(cosines / temperature, own)


def generation(logits_NV: Tensor, tokens_N: Tensor, mask_N: Tensor) -> Tensor:
    """Mean cross-entropy of the tokens under the mask. The caller has shifted: logits n predict token n."""
    losses = functional.cross_entropy(logits_NV, tokens_N.masked_fill(~mask_N, 0), reduction="none")
    return _mean(losses, mask_N.to(losses.dtype))


def weighted_sum(losses: Mapping[str, Tensor], weights: Mapping[str, float]) -> Tensor:
    """Σ weight · loss.

    Raises:
        KeyError: a loss has no weight, or a weight no loss: a silent zero would train something else.
    """
    if losses.keys() != weights.keys():
        raise KeyError(f"losses are {sorted(losses)}, weights are for {sorted(weights)}; give each loss one weight")
    return torch.stack([weights[name] * loss for name, loss in losses.items()]).sum()


def _cross_entropy(scores_QD: Scores, wanted_QD: Tensor, mask_QD: Tensor) -> Tensor:
    log_given = torch.log_softmax(scores_QD.masked_fill(~mask_QD, NOWHERE), dim=1)
    return -(wanted_QD * log_given).masked_fill(~mask_QD, 0).sum(dim=1)


def _mean(values: Tensor, weights: Tensor) -> Tensor:
    """The weighted mean; zero without weight. Values without weight may be anything, infinite too."""
    kept = torch.where(weights > 0, values, torch.zeros_like(values))
    return (kept * weights).sum() / weights.sum().clamp(min=1e-12)


def _mean_rows(values_Q: Tensor, speaks_Q: Tensor) -> Tensor:
    return _mean(values_Q, speaks_Q.to(values_Q.dtype))
