"""The shipped body in torch, unpadded, with a low-rank adapter and two heads: what is trained is what ships.

The matrices are those that `whyrank.encode` dequantises, in the same layout [in, out]; an adapter adds A·B to each.
Linear layers read all tokens of a batch as one row of rows; attention runs over a few blocks of pairs of similar
length, so that next to nothing is spent on padding. No loss or gradient depends on the layout (tests/train).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import load
from torch import Tensor
from torch.nn import functional

from whyrank.encode.weights import SHIPPED, graph_numbers, read_checked, read_manifest

# N tokens of a batch, P pairs, T tokens of the longest pair of a block, W width, H heads, S sentences
EPSILON = 1e-12
HEADS = 12
MATRICES = ("qkv", "attention", "up", "down")


class Batch(NamedTuple):
    """Pairs laid end to end.

    Attributes:
        ids_N: token ids.
        sentences_N: sentence of each token, counted from 0 within its pair; −1 for markers and the query.
        lengths: tokens of each of the P pairs.
    """

    ids_N: Tensor
    sentences_N: Tensor
    lengths: tuple[int, ...]


class Read(NamedTuple):
    """What the student says: one score a pair, one a token (its sentence's is their mean)."""

    scores_P: Tensor
    tokens_N: Tensor


def shipped_numbers(folder: Path = SHIPPED) -> dict[str, Tensor]:
    """The body's numbers as the engine computes with them, fp32."""
    manifest = read_manifest(folder)
    numbers = graph_numbers(load(read_checked(folder, "weights.safetensors", manifest)), manifest["layers"])
    rows, scale = numbers.pop("word.rows"), numbers.pop("word.scale")
    numbers["word"] = rows.astype(np.float32) * scale
    return {name: torch.from_numpy(np.array(value)) for name, value in numbers.items()}


class Student:
    """Body, adapter, heads.

    Args:
        numbers: of the body, from `shipped_numbers`; they stay as they are.
        rank: of the adapter.
        scale: an adapter's product is multiplied by it.
        seed: of the adapter's first factors; the second start at zero, so that the student starts as the body.

    Attributes:
        adapter: the factors of each matrix, "<layer>.<matrix>.a" [in, rank] and ".b" [rank, out].
        heads: "relevance" and "evidence", each [W].
    """

    def __init__(self, numbers: Mapping[str, Tensor], *, rank: int, scale: float, seed: int) -> None:
        self._numbers = dict(numbers)
        self._cast: dict[tuple[str, torch.dtype], Tensor] = {}
        self.scale = scale
        self.layers = sum(name.endswith(".qkv.weight") for name in numbers)
        self.matrices = [f"{n}.{m}" for n in range(self.layers) for m in MATRICES]
        generator = torch.Generator().manual_seed(seed)
        self.adapter: dict[str, Tensor] = {}
        for name in self.matrices:
            rows, columns = numbers[f"{name}.weight"].shape
            self.adapter[f"{name}.a"] = (torch.randn(rows, rank, generator=generator) / rows**0.5).requires_grad_()
            self.adapter[f"{name}.b"] = torch.zeros(rank, columns, requires_grad=True)
        width = numbers["word"].shape[1]
        self.heads = {name: torch.zeros(width, requires_grad=True) for name in ("relevance", "evidence")}

    def parameters(self) -> dict[str, Tensor]:
        """What is trained, by name."""
        return self.adapter | {f"head.{name}": head for name, head in self.heads.items()}

    def _matrix(self, name: str, dtype: torch.dtype) -> Tensor:
        """A matrix of the body; it never changes, so each type of it is made once."""
        key = (name, dtype)
        if key not in self._cast:
            self._cast[key] = self._numbers[f"{name}.weight"].to(dtype)
        return self._cast[key]

    def read(self, batch: Batch, *, blocks: int = 4, dtype: torch.dtype = torch.float32) -> Read:
        """Scores of the pairs, in order.

        Args:
            batch: the pairs.
            blocks: of pairs of similar length, in attention.
            dtype: of matrices, their inputs and attention; sums, norms and heads stay in fp32.
        """
        x = self.vectors(batch, blocks=blocks, dtype=dtype)
        return Read(means(x, batch.lengths) @ self.heads["relevance"], x @ self.heads["evidence"])

    def vectors(self, batch: Batch, *, blocks: int = 4, dtype: torch.dtype = torch.float32) -> Tensor:
        """The token vectors [N, W] that the heads read; arguments as for `read`."""
        blocked = Blocks.of(batch.lengths, blocks, batch.ids_N.device)
        places = torch.cat([torch.arange(n, device=batch.ids_N.device) for n in batch.lengths])
        x = self._norm(self._numbers["word"][batch.ids_N] + self._numbers["position"][places], "norm")
        for n in range(self.layers):
            x = self._layer(n, x, blocked, dtype)
        return x

    def _layer(self, n: int, x: Tensor, blocks: "Blocks", dtype: torch.dtype) -> Tensor:
        qkv = self._linear(x, f"{n}.qkv", dtype) + self._numbers[f"{n}.qkv.bias"].to(dtype)
        mixed = attend(qkv, blocks)
        y = self._linear(mixed, f"{n}.attention", dtype).float() + self._numbers[f"{n}.attention.bias"] + x
        y = self._norm(y, f"{n}.attention.norm")
        up = functional.gelu(self._linear(y, f"{n}.up", dtype) + self._numbers[f"{n}.up.bias"].to(dtype))
        down = self._linear(up, f"{n}.down", dtype).float() + self._numbers[f"{n}.down.bias"]
        return self._norm(down + y, f"{n}.down.norm")

    def _linear(self, x: Tensor, name: str, dtype: torch.dtype) -> Tensor:
        # The factors stay apart from the matrix: a frozen matrix has no gradient, a third of the work of a merged one.
        a, b = self.adapter[f"{name}.a"].to(dtype), (self.scale * self.adapter[f"{name}.b"]).to(dtype)
        x = x.to(dtype)
        return x @ self._matrix(name, dtype) + (x @ a) @ b

    def _norm(self, x: Tensor, name: str) -> Tensor:
        weight, bias = self._numbers[f"{name}.weight"], self._numbers[f"{name}.bias"]
        return functional.layer_norm(x, (x.shape[-1],), weight, bias, EPSILON)

    def tensors(self) -> dict[str, NDArray[np.float16]]:
        """What to save, in fp16: factors by the graph's names, the scale multiplied into the second, and the heads."""
        saved = {n: t * (self.scale if n.endswith(".b") else 1) for n, t in self.parameters().items()}
        return {n: np.ascontiguousarray(t.detach().to(torch.float16).numpy()) for n, t in saved.items()}

    def restore(self, tensors: Mapping[str, NDArray[np.float16]]) -> None:
        """Take over an adapter as `tensors` wrote it."""
        with torch.no_grad():
            for name, mine in self.parameters().items():
                mine.copy_(
                    torch.from_numpy(tensors[name].astype(np.float32)) / (self.scale if name.endswith(".b") else 1)
                )


class _Taken(torch.autograd.Function):
    """Rows of a matrix by index; a row may be taken again only where no gradient comes back from.

    PyTorch's own indexing adds gradients up element by element, which costs as much as the attention between.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, index: Tensor, back: Tensor, counts: Tensor | None) -> Tensor:
        """``x[index]``; `back[i]` says where row i of x went, `counts` which rows of x count, all if None."""
        ctx.save_for_backward(back, counts)
        return x.index_select(0, index)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        """The gradient of each row, zero for those that do not count."""
        back, counts = ctx.saved_tensors
        gradient = gradients[0].index_select(0, back)
        return gradient if counts is None else gradient * counts.to(gradient.dtype)[:, None], None, None, None


class Blocks(NamedTuple):
    """Where the tokens of a batch stand in a few blocks of pairs of similar length, for attention.

    Attributes:
        shapes: pairs P and longest T of each block.
        tokens_M: the token at each place of the blocks laid end to end; some token where none stands.
        there_M: whether one stands there.
        places_N: where each token stands.
        masks: of each block, added to the likeness of keys: [P, 1, 1, T], 0 or −inf.
    """

    shapes: tuple[tuple[int, int], ...]
    tokens_M: Tensor
    there_M: Tensor
    places_N: Tensor
    masks: tuple[Tensor, ...]

    @classmethod
    def of(cls, lengths: Sequence[int], count: int, device: torch.device) -> "Blocks":
        """Blocks for pairs of these lengths."""
        starts = np.cumsum([0, *lengths[:-1]])
        order = sorted(range(len(lengths)), key=lambda p: (lengths[p], p))
        tables = []
        for part in np.array_split(np.array(order), min(count, len(order))):
            table = np.full((len(part), max(lengths[p] for p in part)), -1)
            for row, p in enumerate(part):
                table[row, : lengths[p]] = np.arange(starts[p], starts[p] + lengths[p])
            tables.append(table)
        flat = np.concatenate([t.ravel() for t in tables])
        places = np.empty(sum(lengths), dtype=np.int64)
        places[flat[flat >= 0]] = np.flatnonzero(flat >= 0)
        masks = (torch.from_numpy(np.where(t >= 0, 0.0, -np.inf).astype(np.float32)).to(device) for t in tables)
        return cls(
            tuple((t.shape[0], t.shape[1]) for t in tables),
            torch.from_numpy(flat.clip(min=0)).to(device),
            torch.from_numpy(flat >= 0).to(device),
            torch.from_numpy(places).to(device),
            tuple(m[:, None, None, :] for m in masks),
        )


def attend(qkv: Tensor, blocks: Blocks) -> Tensor:
    """Attention of each pair over its own tokens: [N, 3·W] → [N, W]."""
    width = qkv.shape[1] // 3
    placed: Tensor = _Taken.apply(qkv, blocks.tokens_M, blocks.places_N, None)  # type: ignore[no-untyped-call]
    parts = []
    for (pairs, longest), mask, block in zip(
        blocks.shapes, blocks.masks, placed.split([p * t for p, t in blocks.shapes]), strict=True
    ):
        q, k, v = block.view(pairs, longest, 3, HEADS, width // HEADS).permute(2, 0, 3, 1, 4)
        # Spelled out: on CPUs the fused kernel's backward pass takes four times as long at these lengths.
        likeness = (q * (width // HEADS) ** -0.5) @ k.transpose(2, 3) + mask.to(q.dtype)
        parts.append((torch.softmax(likeness, dim=3) @ v).transpose(1, 2).reshape(pairs * longest, width))
    mixed: Tensor = _Taken.apply(  # type: ignore[no-untyped-call]
        torch.cat(parts), blocks.places_N, blocks.tokens_M, blocks.there_M
    )
    return mixed


def means(vectors_NW: Tensor, lengths: Sequence[int]) -> Tensor:
    """The mean token vector [P, W] of each text."""
    device = vectors_NW.device
    sizes_P = torch.tensor(lengths, device=device)
    owners_N = torch.repeat_interleave(torch.arange(len(lengths), device=device), sizes_P)
    sums_PW = vectors_NW.new_zeros(len(lengths), vectors_NW.shape[1]).index_add(0, owners_N, vectors_NW)
    return sums_PW / sizes_P[:, None].to(vectors_NW.dtype)


def sentence_scores(read: Read, batch: Batch) -> list[Tensor]:
    """For each pair the logits of its sentences, in order of sentence: the means over their tokens."""
    result = []
    for tokens, sentences in zip(
        read.tokens_N.split(list(batch.lengths)), batch.sentences_N.split(list(batch.lengths)), strict=True
    ):
        inside = sentences >= 0
        count = int(sentences.max()) + 1 if bool(inside.any()) else 0
        sums = tokens.new_zeros(count).index_add(0, sentences[inside], tokens[inside])
        sizes = torch.bincount(sentences[inside], minlength=count).clamp(min=1)
        result.append(sums / sizes)
    return result
