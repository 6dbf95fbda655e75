"""What a model makes of the next tokens: the passes behind `Choose` and `Likelihood`.

The model's own forward runs, with its head narrowed to the positions and the rows of the vocabulary that are asked
for. So whatever an architecture does beside (scale, cap, tie) is done, and logits of the whole vocabulary are never
made where nobody looks.

Rows are padded on the right: in a causal model no real token sees what comes after it, so that padding needs neither
mask nor shifted positions.
"""

# B sequences of a batch, T tokens, D width, N positions that are read, V vocabulary, R rows of it

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

from whyrank.errors import BadInput
from whyrank.lm.transformers_work import Reading


class NarrowHead(nn.Module):
    """A model's head that is applied to some positions and some rows only; to everything where nothing is set."""

    def __init__(self, head: nn.Module) -> None:
        super().__init__()
        self.head: Any = head
        self._positions: tuple[Tensor, Tensor] | None = None
        self._rows: Tensor | None = None

    @property
    def weight(self) -> Any:
        """The head's own, for models that look at it."""
        return self.head.weight

    @contextmanager
    def narrowed_to(self, sequences_N: Tensor, tokens_N: Tensor, rows_R: Tensor | None) -> Iterator[None]:
        """Look at these positions, and at these rows of the vocabulary; None for all rows."""
        self._positions, self._rows = (sequences_N, tokens_N), rows_R
        try:
            yield
        finally:
            self._positions = self._rows = None

    def forward(self, hidden_BTD: Tensor) -> Tensor:
        """Logits [1, N, R], or [B, T, V] where nothing was narrowed."""
        if self._positions is None:
            return self._whole(hidden_BTD)
        hidden_1ND = hidden_BTD[self._positions].unsqueeze(0)
        if self._rows is None:
            return self._whole(hidden_1ND).float()
        if type(self.head).forward is not nn.Linear.forward:  # quantised, for example: its rows cannot be had singly
            return self._whole(hidden_1ND).float()[..., self._rows]
        weight_RD = self.head.weight[self._rows].float()
        bias_R = None if self.head.bias is None else self.head.bias[self._rows].float()
        return functional.linear(hidden_1ND.float(), weight_RD, bias_R)

    def _whole(self, hidden: Tensor) -> Tensor:
        logits: Tensor = self.head(hidden)
        return logits


def narrowed(model: Any) -> NarrowHead:
    """Put a narrow head in the place of the model's own.

    Raises:
        BadInput: the model has no head as a module of its own.
    """
    head = model.get_output_embeddings()
    for name, module in model.named_modules():
        if head is not None and module is head:
            narrow = NarrowHead(head)
            parent, _, last = name.rpartition(".")
            setattr(model.get_submodule(parent), last, narrow)
            return narrow
    raise BadInput(f"{type(model).__name__} has no output head that can be found; choose another model")


class PrefixLayer(DynamicLayer):  # type: ignore[no-untyped-call]
    """Keys and values of a prefix: shown to every sequence of a batch, and never added to."""

    def __init__(self, layer: Any) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.lazy_initialization(layer.keys, layer.values)
        self.keys, self.values = layer.keys, layer.values

    def update(self, key_states: Tensor, value_states: Tensor, *_args: Any, **_how: Any) -> tuple[Tensor, Tensor]:
        """The prefix followed by what is new."""
        assert self.keys is not None
        assert self.values is not None
        rows = key_states.shape[0]
        keys = torch.cat([self.keys.expand(rows, -1, -1, -1), key_states], dim=-2)
        values = torch.cat([self.values.expand(rows, -1, -1, -1), value_states], dim=-2)
        return keys, values


def can_share(model: Any) -> bool:
    """Whether keys and values are all that a position leaves to those after it, in every layer by itself."""
    config = model.config.get_text_config(decoder=True)
    if getattr(config, "num_kv_shared_layers", 0):
        return False
    return all(type(layer) in (DynamicLayer, DynamicSlidingWindowLayer) for layer in DynamicCache(config=config).layers)


class Reader:
    """Reads from a model.

    Args:
        model: of transformers; its head is narrowed from now on.
        is_seq2seq: an encoder reads the tokens and a decoder answers; otherwise the model continues them.

    Attributes:
        vocabulary: logits for each position.
    """

    def __init__(self, model: Any, *, is_seq2seq: bool) -> None:
        self._model = model
        self._head = narrowed(model)
        self._is_seq2seq = is_seq2seq
        self.vocabulary: int = self._head.weight.shape[0]

    @torch.inference_mode()
    def prefix(self, tokens: Sequence[int]) -> DynamicCache:
        """Read a prefix once. The head is not applied."""
        # Without the configuration, so that layers with a sliding window keep all of it and the mask does the sliding.
        cache = DynamicCache()
        nowhere = torch.empty(0, dtype=torch.long, device=self._model.device)
        with self._head.narrowed_to(nowhere, nowhere, nowhere):
            self._model(input_ids=self._tensor([tokens]), past_key_values=cache, use_cache=True)
        cache.layers = [PrefixLayer(layer) for layer in cache.layers]
        return cache

    @torch.inference_mode()
    def read(self, batch: Sequence[Reading], prefix: DynamicCache | None = None) -> list[tuple[float, ...]]:
        """One value for each target: its logit (choices) or its log-probability (continuations).

        Args:
            batch: all choices or all continuations.
            prefix: of the first tokens that they all share.
        """
        shared = 0 if prefix is None else prefix.get_seq_length()
        positions = [(row, r.start - shared + i) for row, r in enumerate(batch) for i in range(r.read)]
        rows_N, columns_N = self._tensor(positions).unbind(1)
        asked = sorted({token for reading in batch for token in reading.targets}) if batch[0].is_choice else None
        inputs = self._both_inputs(batch) if self._is_seq2seq else self._inputs(batch, shared)
        with self._head.narrowed_to(rows_N, columns_N, None if asked is None else self._tensor(asked)):
            output = self._model(**inputs, past_key_values=prefix, use_cache=prefix is not None, return_dict=True)
        logits_NR = output.logits[0]
        if asked is None:
            return self._log_probabilities(logits_NR, batch)
        column = {token: place for place, token in enumerate(asked)}
        return [tuple(row[column[t]] for t in r.targets) for row, r in zip(logits_NR.tolist(), batch, strict=True)]

    def _log_probabilities(self, logits_NV: Tensor, batch: Sequence[Reading]) -> list[tuple[float, ...]]:
        targets_N = self._tensor([token for reading in batch for token in reading.targets])
        logs_N = logits_NV.gather(1, targets_N[:, None])[:, 0] - logits_NV.logsumexp(dim=1)
        return [tuple(part.tolist()) for part in torch.split(logs_N, [reading.read for reading in batch])]

    def _inputs(self, batch: Sequence[Reading], shared: int) -> dict[str, Tensor | None]:
        return {"input_ids": self._padded([reading.tokens[shared:] for reading in batch])}

    def _both_inputs(self, batch: Sequence[Reading]) -> dict[str, Tensor | None]:
        first = self._model.generation_config.decoder_start_token_id
        lengths = {len(reading.tokens) for reading in batch}
        mask = None if len(lengths) == 1 else self._padded([[1] * len(reading.tokens) for reading in batch])
        return {
            "input_ids": self._padded([reading.tokens for reading in batch]),
            "attention_mask": mask,
            "decoder_input_ids": self._padded([[first, *r.targets[: r.read - 1]] for r in batch]),
        }

    def _padded(self, rows: Sequence[list[int]]) -> Tensor:
        longest = max(map(len, rows))
        return self._tensor([row + [0] * (longest - len(row)) for row in rows])

    def _tensor(self, values: Sequence[Any]) -> Tensor:
        return torch.tensor(values, device=self._model.device)
