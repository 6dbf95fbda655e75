"""The packed layout: all lists of a step in one row, each query read once, and no padding between.

    padded                        packed
    q q q d d d . r               q q q q q d d d r d d d d r d r d r d d r
    q q q d d d d r               1 1 1 2 2 1 1 1 1 1 1 1 1 1 1 1 2 2 2 2 2
    q q q d . . r .                         a a a a b b b b b c c a a b b b
    q q d . r . . .
    q q d d r . . .

Each document sees the prefix of its list and itself, and its positions go on where the prefix ends: to every document
the others are not there. Whatever works token by token (most of the arithmetic) runs over the row as it is. Attention
runs over a few blocks of documents of similar length, each behind its prefix, so that no mask of the whole row is ever
made and no likeness computed that a mask would throw away.
"""

# N tokens of the row, L lists, P tokens of the longest prefix, D documents of a block, S tokens of its longest,
# R documents, H heads, W width of a head

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

from whyrank.rankers.student_network import Adapted, last, padded

Tokens: TypeAlias = Sequence[int]
NAME = "whyrank_packed"
"""Of the attention, among those of transformers."""
BLOCKS = 3
"""Documents are put into so many blocks of similar length."""


class Group(NamedTuple):
    """A list: what its documents share, and what each adds."""

    prefix: Tokens
    suffixes: Sequence[Tokens]


class Block(NamedTuple):
    """Where some documents stand in the row.

    Attributes:
        places_DS: of their tokens; 0 where none is there.
        owners_D: the list of each.
        seen_DS: what each token sees of its prefix and of its own document, [D, 1, S, P + S].
    """

    places_DS: Tensor
    owners_D: Tensor
    seen_DS: Tensor


class Layout(NamedTuple):
    """A row, and how attention cuts it up.

    Attributes:
        tokens_N, positions_N: prefixes first, then documents, the shortest first.
        ends_R: where the last token of each document stands, documents in the order given.
        prefixes_LP: places of the prefixes' tokens; 0 where none is there.
        seen_LP: what each of them sees, [L, 1, P, P].
        blocks: of documents.
        back_N: where each token of the row stands in prefixes and blocks laid end to end.
    """

    tokens_N: Tensor
    positions_N: Tensor
    ends_R: Tensor
    prefixes_LP: Tensor
    seen_LP: Tensor
    blocks: tuple[Block, ...]
    back_N: Tensor


def layout(groups: Sequence[Group], device: torch.device, blocks: int = BLOCKS) -> Layout:
    """The row of some lists, all of which have a document and a prefix."""
    owners = [number for number, group in enumerate(groups) for _ in group.suffixes]
    suffixes = [suffix for group in groups for suffix in group.suffixes]
    order = sorted(range(len(suffixes)), key=lambda r: len(suffixes[r]))
    pieces = [*(group.prefix for group in groups), *(suffixes[r] for r in order)]
    starts = [*[0] * len(groups), *(len(groups[owners[r]].prefix) for r in order)]
    lengths = torch.tensor([len(piece) for piece in pieces])
    firsts = lengths.cumsum(0) - lengths
    ends_R = torch.empty(len(suffixes), dtype=torch.long)
    ends_R[order] = (firsts + lengths - 1)[len(groups) :]
    prefixes_LP, there_LP = _table(firsts[: len(groups)], lengths[: len(groups)])
    seen_LP = _causal(there_LP)
    made, back = [], [prefixes_LP[there_LP]]
    placed, passed = [torch.arange(there_LP.numel()).view_as(there_LP)[there_LP]], there_LP.numel()
    for part in torch.tensor(range(len(order))).tensor_split(min(blocks, len(order))):
        pieces_D = part + len(groups)
        places_DS, there_DS = _table(firsts[pieces_D], lengths[pieces_D])
        owners_D = torch.tensor([owners[order[place]] for place in part.tolist()])
        own = _causal(there_DS)
        behind = there_LP[owners_D][:, None, None, :].expand(-1, 1, own.shape[2], -1)
        made.append(Block(places_DS.to(device), owners_D.to(device), torch.cat([behind, own], dim=3).to(device)))
        back.append(places_DS[there_DS])
        placed.append(torch.arange(there_DS.numel()).view_as(there_DS)[there_DS] + passed)
        passed += there_DS.numel()
    back_N = torch.empty(int(lengths.sum()), dtype=torch.long)
    back_N[torch.cat(back)] = torch.cat(placed)
    positions = [start + n for piece, start in zip(pieces, starts, strict=True) for n in range(len(piece))]
    return Layout(
        torch.tensor([token for piece in pieces for token in piece], device=device),
        torch.tensor(positions, device=device),
        ends_R.to(device),
        prefixes_LP.to(device),
        seen_LP.to(device),
        tuple(made),
        back_N.to(device),
    )


def _table(firsts: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Places of pieces of a row, one piece a line, and where a token is there."""
    along = torch.arange(int(lengths.max()))
    there = along < lengths[:, None]
    return torch.where(there, firsts[:, None] + along, 0), there


def _causal(there: Tensor) -> Tensor:
    """What each token of a piece sees of it: [pieces, 1, T, T]. What is not there sees itself."""
    longest = there.shape[1]
    before = torch.ones(longest, longest, dtype=torch.bool).tril()
    return (before & there[:, None, :] | torch.eye(longest, dtype=torch.bool))[:, None]


def attention(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    packed: Layout | None = None,
    **more: Any,
) -> tuple[Tensor, None]:
    """Attention over a packed row, in the form that transformers calls; without `packed`, its own.

    Args:
        module: the layer's attention.
        query: [1, H, N, W].
        key: [1, H or fewer, N, W].
        value: as `key`.
        attention_mask: of rows that are not packed.
        scaling: of likenesses.
        dropout: share of attention that is dropped.
        packed: the layout of the row.
        more: whatever else this architecture hands its attention.

    Raises:
        ValueError: the architecture caps its likenesses, which is not done here.
    """
    if packed is None:
        return sdpa_attention_forward(module, query, key, value, attention_mask, dropout, scaling, **more)
    if more.get("softcap") is not None:
        raise ValueError("it caps its likenesses")
    q_NHW, k_NHW, v_NHW = (states[0].transpose(0, 1) for states in (query, key, value))
    repeats = q_NHW.shape[1] // k_NHW.shape[1]

    def taken(states_NHW: Tensor, places: Tensor) -> Tensor:
        chosen = states_NHW.index_select(0, places.flatten())
        return chosen.view(*places.shape, *chosen.shape[1:]).transpose(1, 2)

    def attended(q: Tensor, k: Tensor, v: Tensor, seen: Tensor) -> Tensor:
        k, v = k.repeat_interleave(repeats, 1), v.repeat_interleave(repeats, 1)
        mixed = functional.scaled_dot_product_attention(q, k, v, seen, dropout, scale=scaling)
        return mixed.transpose(1, 2).flatten(0, 1)

    k_LP, v_LP = taken(k_NHW, packed.prefixes_LP), taken(v_NHW, packed.prefixes_LP)
    parts = [attended(taken(q_NHW, packed.prefixes_LP), k_LP, v_LP, packed.seen_LP)]
    for block in packed.blocks:
        k, v = (
            torch.cat([shared.index_select(0, block.owners_D), taken(states, block.places_DS)], dim=2)
            for shared, states in ((k_LP, k_NHW), (v_LP, v_NHW))
        )
        parts.append(attended(taken(q_NHW, block.places_DS), k, v, block.seen_DS))
    return torch.cat(parts).index_select(0, packed.back_N)[None], None


AttentionInterface.register(NAME, attention)
AttentionMaskInterface.register(NAME, sdpa_mask)


def packed_states(network: Adapted, groups: Sequence[Group]) -> Tensor:
    """The hidden state of each document's last token, lists and documents in order: [R, D]."""
    row = layout(groups, network.device)
    states_1ND = network.causal.base_model(
        input_ids=row.tokens_N[None],
        position_ids=row.positions_N[None],
        attention_mask=torch.ones(1, 1, 1, 1, dtype=torch.bool, device=network.device),  # so that none is made
        use_cache=False,
        packed=row,
    ).last_hidden_state
    states: Tensor = states_1ND[0, row.ends_R]
    return states


def prepare(network: Adapted, longest: int) -> str:
    """Make a model ready for packed rows; why it cannot read them, in words, "" where it can.

    Two documents behind a prefix, one of them as long as a prompt may be, are read both ways, and what comes out is
    compared. So it is found out by itself which models have another attention, look no further back than a window, or
    have no attention at all (recurrent ones). Those stay as they were.

    Args:
        network: model and adapter.
        longest: most tokens of a prompt.
    """
    before = network.causal.config._attn_implementation
    if before != "sdpa":  # ours would not do what the other one does for this model
        return f"its attention is {before!r}, and only 'sdpa' can be packed"
    vocabulary = min(64, network.causal.get_input_embeddings().weight.shape[0])
    lots = torch.Generator().manual_seed(0)
    drawn = torch.randint(vocabulary, (longest + 8,), generator=lots).tolist()
    reason = ""
    try:
        network.causal.set_attn_implementation(NAME)
        apart = difference(network, Group(drawn[:6], [drawn[6:14], drawn[14:]]))
    except (TypeError, ValueError, RuntimeError, IndexError, AttributeError) as error:
        reason = f"it takes no attention of ours ({type(error).__name__}: {str(error).partition(chr(10))[0]})"
    else:
        if not apart < (1e-3 if network.causal.dtype == torch.float32 else 0.1):
            reason = f"packed and padded rows differ by {apart:.2g} of what comes out"
    if reason:
        network.causal.set_attn_implementation(before)
    return reason


@torch.inference_mode()
def difference(network: Adapted, group: Group) -> float:
    """How far packed states are from those of documents read by themselves, in parts of the larger."""
    was_training = network.adapted.training
    network.adapted.eval()
    packed_RD = packed_states(network, [group]).float()
    single = []
    for suffix in group.suffixes:
        tokens_BT, there_BT = padded([[*group.prefix, *suffix]], network.device)
        single.append(last(network.hidden(tokens_BT, there_BT), there_BT).float())
    network.adapted.train(was_training)
    alone_RD = torch.cat(single)
    return float((packed_RD - alone_RD).norm(dim=1).max() / alone_RD.norm(dim=1).max())
