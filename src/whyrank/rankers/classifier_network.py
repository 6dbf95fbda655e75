"""A sequence classifier with one logit as a network that scores rows of tokens.

A causal model is read at the last real token of each row, found by the row's length: what its configuration calls
padding never matters. An encoder is read by its own head, under a mask. Built here for both sides, so that what is
trained is what ranks.
"""

# B rows of a batch, T tokens, D width, R rows that are read

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache

from whyrank.errors import BadInput
from whyrank.lm.transformers_files import first_line
from whyrank.lm.transformers_loading import SANE
from whyrank.lm.transformers_reading import PrefixLayer, can_share
from whyrank.rankers.pair_format import PairFormat, Row
from whyrank.rankers.student_network import fingerprint, last, padded

CAUSAL_HEAD = "score"
HEADS = (CAUSAL_HEAD, "classifier")
"""What transformers calls the heads of classifiers: of those that are read at the last token, and of encoders."""
POOLER = "pooler"
"""In the names of layers that belong to the head, though transformers counts some of them to the body."""
_PROBE = ("what is a whale", "a whale is a mammal that lives in the sea")
_LEAK, _COARSE_LEAK, _FAINT = 1e-4, 2.0**-5, 0.1
"""How much of a logit rounding may move, in fp32 and in half precision; a logit below `_FAINT` counts as that."""
_GIVE = "give a causal model with a `score` head, or an encoder that reads under a mask"


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
        BadInput: another number of logits than one, rows that the model cannot hold, or scores that would depend on
            padding.
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
        if model.base_model.dtype != torch.float32:  # of a model as a whole transformers tells that of its first layer
            hold_head_in_fp32(model)
        self._require_mask()

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
        types_BT = padded([row.types for row in rows], self.device)[0] if rows[0].types else None
        return self._logits(tokens_BT, there_BT, types_BT, prefix)

    def prefix(self, tokens: Sequence[int]) -> DynamicCache:
        """Read what rows begin with once; only where the model `can_share`."""
        # Without the configuration, so that layers with a sliding window keep all of it and the mask does the sliding.
        cache = DynamicCache()
        tokens_1T = torch.tensor([tokens], device=self.device)
        self.model.base_model(input_ids=tokens_1T, past_key_values=cache, use_cache=True)
        cache.layers = [PrefixLayer(layer) for layer in cache.layers]
        return cache

    def _logits(
        self, tokens_BT: Tensor, there_BT: Tensor, types_BT: Tensor | None, prefix: DynamicCache | None = None
    ) -> Tensor:
        if self.is_causal:  # on the right no real token sees what is not there, so that no mask is needed
            states_BTD = self.model.base_model(
                input_ids=tokens_BT, past_key_values=prefix, use_cache=prefix is not None
            ).last_hidden_state
            logits_B1: Tensor = getattr(self.model, CAUSAL_HEAD)(last(states_BTD, there_BT))
        else:
            more = {"token_type_ids": types_BT} if self._takes_types and types_BT is not None else {}
            logits_B1 = self.model(input_ids=tokens_BT, attention_mask=there_BT.long(), **more).logits
        return logits_B1[:, 0].float()

    def _require_mask(self) -> None:
        """Read one row before two paddings, and alone: an architecture does not say what its head looks at.

        Alone only in fp32: in half precision a longer batch by itself moves a logit further than a small leak does.
        """
        name = type(self.model).__name__
        is_exact = self.model.base_model.dtype == torch.float32
        try:
            with torch.inference_mode():
                read = self._probed(alone=is_exact)
        except (ValueError, TypeError) as error:
            raise BadInput(f"{name} cannot read padded rows of tokens ({first_line(error)}); {_GIVE}") from error
        allowed = (_LEAK if is_exact else _COARSE_LEAK) * max(_FAINT, *map(abs, read))
        if max(read) - min(read) > allowed:
            raise BadInput(
                f"{name} looks at padding, so that a score would depend on what else is read with it "
                f"({min(read):.4g} to {max(read):.4g} for one row); {_GIVE}"
            )

    def _probed(self, *, alone: bool) -> list[float]:
        """Logits of half a row: before its other half as padding, before its last token again and again, and alone."""
        [row] = self.rows([_PROBE])
        half, whole = len(row.tokens) // 2, len(row.tokens)
        ends = row.tokens[half - 1 : half]
        tokens_BT, _ = padded([row.tokens, [*row.tokens[:half], *ends * (whole - half)]], self.device)
        there_BT = (torch.arange(whole, device=self.device) < half).expand(2, -1)
        types_BT = padded([row.types] * 2, self.device)[0] if row.types else None
        read = self._logits(tokens_BT, there_BT, types_BT).tolist()
        if alone:
            types_1T = None if types_BT is None else types_BT[:1, :half]
            read += self._logits(tokens_BT[:1, :half], there_BT[:1, :half], types_1T).tolist()
        return [float(one) for one in read]


def context(model: Any, tokenizer: Any) -> int | None:
    """Most tokens that a model takes; None where nothing says it."""
    positions = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    unused = getattr(getattr(model.base_model, "embeddings", None), "padding_idx", None)
    if positions and unused is not None:  # the positions of RoBERTa and its kin begin behind the padding token's number
        positions -= unused + 1
    sane = [int(limit) for limit in (positions, tokenizer.model_max_length) if limit and 0 < limit < SANE]
    return min(sane) if sane else None


def is_head(model: Any, name: str) -> bool:
    """Whether a parameter or a layer, by its name, belongs to the head of a classifier."""
    own, body = name.partition(".")[0], model.base_model_prefix
    return POOLER in name or own in HEADS or (hasattr(model, body) and own != body)


def hold_head_in_fp32(model: Any) -> None:
    """Compute the head in fp32, autocast or not: logits of half precision would tie where hidden states differ."""
    for name, layer in model.named_modules():
        if name and is_head(model, name) and any(True for _ in layer.parameters(recurse=False)):
            layer.float()
            layer.forward = _exactly(layer.forward)


def _exactly(forward: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    def exact(given: Tensor) -> Tensor:
        with torch.autocast(given.device.type, enabled=False):
            return forward(given.float())

    return exact
