"""A sequence classifier with one logit as a network that scores rows of tokens.

A causal model is read at the last real token of each row, found by the row's length: what its configuration calls
padding never matters. An encoder is read by its own head, under a mask. Built here for both sides, so that what is
trained is what ranks.
"""

# B rows of a batch, T tokens, D width, R rows that are read

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers import DynamicCache

from whyrank.errors import BadInput
from whyrank.lm.transformers_loading import SANE
from whyrank.lm.transformers_reading import PrefixLayer, can_share
from whyrank.rankers.pair_format import PairFormat, Row
from whyrank.rankers.student_network import fingerprint, last, padded

CAUSAL_HEAD = "score"
HEADS = (CAUSAL_HEAD, "classifier")
"""What transformers calls the heads of classifiers: of those that are read at the last token, and of encoders."""


class ClassifierNetwork:
    """Model, tokenizer and format.

    Args:
        model: an `AutoModelForSequenceClassification` with one logit; its head computes in fp32 from now on.
        tokenizer: its own.
        fmt: how pairs are written.

    Attributes:
        model: as given; an adapter may be put into it.
        is_causal: whether it is read at the last token.
        fingerprint: of the model as it was given.

    Raises:
        BadInput: another number of logits than one, or rows that the model cannot hold.
    """

    def __init__(self, model: Any, tokenizer: Any, fmt: PairFormat) -> None:
        if model.config.num_labels != 1:
            raise BadInput(
                f"{type(model).__name__} has {model.config.num_labels} logits; a ranker needs a sequence classifier "
                "with exactly one (num_labels=1)"
            )
        self.context = context(model, tokenizer)
        if self.context is not None and fmt.max_tokens > self.context:
            raise BadInput(
                f"rows of {fmt.max_tokens} tokens do not fit a context of {self.context}; give fewer max_tokens"
            )
        self.model = model
        self.tokenizer = tokenizer
        self.fmt = fmt
        self.fingerprint = fingerprint(model)
        self.is_causal = hasattr(model, CAUSAL_HEAD)
        self.can_share = self.is_causal and can_share(model)
        self._takes_types = "token_type_ids" in inspect.signature(model.forward).parameters
        for name in HEADS:
            if model.dtype != torch.float32 and hasattr(model, name):
                _compute_in_fp32(getattr(model, name))

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        device: torch.device = self.model.device
        return device

    def rows(self, pairs: Sequence[tuple[str, str]]) -> list[Row]:
        """Queries and documents as the model reads them."""
        return self.fmt.rows(self.tokenizer, pairs)

    def scores(self, rows: Sequence[Row], prefix: DynamicCache | None = None) -> Tensor:
        """The logit of each row, read in one padded batch, with gradient: [R], fp32.

        Args:
            rows: at least one.
            prefix: of the first tokens that they all share, which are not read again.
        """
        shared = 0 if prefix is None else prefix.get_seq_length()
        tokens_BT, there_BT = padded([row.tokens[shared:] for row in rows], self.device)
        if self.is_causal:  # on the right no real token sees what is not there, so that no mask is needed
            states_BTD = self.model.base_model(
                input_ids=tokens_BT, past_key_values=prefix, use_cache=prefix is not None
            ).last_hidden_state
            logits_R1: Tensor = getattr(self.model, CAUSAL_HEAD)(last(states_BTD, there_BT))
            return logits_R1[:, 0].float()
        more = {}
        if self._takes_types and rows[0].types:
            more["token_type_ids"] = padded([row.types for row in rows], self.device)[0]
        logits_B1: Tensor = self.model(input_ids=tokens_BT, attention_mask=there_BT.long(), **more).logits
        return logits_B1[:, 0].float()

    def prefix(self, tokens: Sequence[int]) -> DynamicCache:
        """Read what rows begin with once; only where the model `can_share`."""
        # Without the configuration, so that layers with a sliding window keep all of it and the mask does the sliding.
        cache = DynamicCache()
        tokens_1T = torch.tensor([tokens], device=self.device)
        self.model.base_model(input_ids=tokens_1T, past_key_values=cache, use_cache=True)
        cache.layers = [PrefixLayer(layer) for layer in cache.layers]
        return cache


def context(model: Any, tokenizer: Any) -> int | None:
    """Most tokens that a model takes; None where nothing says it."""
    positions = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    unused = getattr(getattr(model.base_model, "embeddings", None), "padding_idx", None)
    if positions and unused is not None:  # the positions of RoBERTa and its kin begin behind the padding token's number
        positions -= unused + 1
    sane = [int(limit) for limit in (positions, tokenizer.model_max_length) if limit and limit < SANE]
    return min(sane) if sane else None


def _compute_in_fp32(head: nn.Module) -> None:
    """Logits of half precision would tie where hidden states differ."""
    head.float()
    head.register_forward_pre_hook(lambda _, given: tuple(one.float() for one in given))
