"""Prompts and answers end to end in one row: no padding, no attention across them, positions from 0 in each.

On the layout of `packing`, of which each example is a list of its own: its first token is the prefix, the rest the only
document behind it. What an example is to the model is the same as if it were read alone.
"""

# N tokens of the row, A tokens of answers

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from whyrank.rankers.student_network import Adapted, padded
from whyrank.train.packing import Group, layout

BLOCKS = 16
"""Examples are long and their lengths differ: attention runs over so many blocks of similar length, or one each."""


class Row(NamedTuple):
    """An example as tokens: what is read, and what is written after it."""

    prompt: Sequence[int]
    answer: Sequence[int]

    @property
    def tokens(self) -> list[int]:
        """Both."""
        return [*self.prompt, *self.answer]


class Batch(NamedTuple):
    """What a model is given, and where it predicts the tokens that are learnt.

    Attributes:
        inputs: of the model.
        rows_A, before_A: row and place of the token before each that is learnt.
        wanted_A: the tokens that are learnt.
    """

    inputs: Mapping[str, Any]
    rows_A: Tensor
    before_A: Tensor
    wanted_A: Tensor


def packed(rows: Sequence[Row], device: torch.device) -> Batch:
    """Examples as one row, for a model whose attention is that of `packing`.

    Args:
        rows: prompts of at least two tokens.
        device: of the model.
    """
    row = layout([Group(one.tokens[:1], [one.tokens[1:]]) for one in rows], device, BLOCKS)
    ends = row.ends_R.tolist()
    before = [end - len(one.answer) + n for one, end in zip(rows, ends, strict=True) for n in range(len(one.answer))]
    before_A = torch.tensor(before, device=device)
    inputs = {
        "input_ids": row.tokens_N[None],
        "position_ids": row.positions_N[None],
        "attention_mask": torch.ones(1, 1, 1, 1, dtype=torch.bool, device=device),  # so that none is made
        "packed": row,
    }
    return Batch(inputs, torch.zeros_like(before_A), before_A, _wanted(rows, device))


def apart(rows: Sequence[Row], device: torch.device) -> Batch:
    """The same as a batch that is padded on the right."""
    tokens_BT, _ = padded([one.tokens for one in rows], device)
    places = [(at, len(one.prompt) - 1 + n) for at, one in enumerate(rows) for n in range(len(one.answer))]
    rows_A, before_A = torch.tensor(places, device=device).unbind(1)
    return Batch({"input_ids": tokens_BT}, rows_A, before_A, _wanted(rows, device))


def logits(network: Adapted, head: Any, batch: Batch) -> Tensor:
    """What the model predicts where it is asked: [A, vocabulary].

    Args:
        network: model and adapter.
        head: its narrow head (`transformers_reading.narrowed`).
        batch: of examples.
    """
    with head.narrowed_to(batch.rows_A, batch.before_A, None):
        found: Tensor = network.causal(**batch.inputs, use_cache=False).logits[0]
    return found


def _wanted(rows: Sequence[Row], device: torch.device) -> Tensor:
    return torch.tensor([token for one in rows for token in one.answer], device=device)
