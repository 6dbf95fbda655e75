"""What the evidence compares, in torch: a body with an adapter whose token vectors meet, as `matching.py` computes it.

Each pair of groups.npz is taken apart again, `[CLS] query [SEP]` once a group and `[CLS] text [SEP]` a pair, and every
query token finds its best cosine in the text and within one sentence of it.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch
from learning import Data
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional

from whyrank.encode.passages import CLS, SEP
from whyrank.encode.weights import SHIPPED
from whyrank.train.body import Batch, Student, means

# Q tokens of a query that belong to words, N tokens of texts, S sentences, D texts, W width
Array = NDArray[Any]


def wordless() -> Tensor:
    """For each id of the vocabulary whether it asks for nothing: punctuation."""
    tokenizer = Tokenizer.from_file(str(SHIPPED / "tokenizer.json"))
    pieces = [tokenizer.id_to_token(i) or "" for i in range(tokenizer.get_vocab_size())]
    return torch.tensor([not any(c.isalnum() for c in piece) for piece in pieces])


class Texts(NamedTuple):
    """Queries and texts of some groups: the queries come first in `batch`, then the texts, group by group.

    Attributes:
        batch: all of them, end to end; sentences are counted on over all texts, −1 for markers and queries.
        sizes: how many texts each query has.
        owners_S: the text that each sentence belongs to.
    """

    batch: Batch
    sizes: tuple[int, ...]
    owners_S: Tensor


def apart(ids: Sequence[Array], sentences: Sequence[Array], sizes: Sequence[int]) -> Texts:
    """Pairs as texts.

    Args:
        ids: of each pair, `[CLS] query [SEP] text [SEP]`.
        sentences: of each pair's tokens, −1 outside the text.
        sizes: how many pairs in turn ask the same query.
    """
    queries, texts, places, owners = [], [], [], []
    count = 0
    starts = set(np.cumsum([0, *sizes[:-1]]).tolist())
    for i, (own, where) in enumerate(zip(ids, sentences, strict=True)):
        end = int(np.argmax(own == SEP))
        if i in starts:
            queries.append(own[: end + 1])
        texts.append(np.concatenate([[CLS], own[end + 1 :]]))
        inside = where[end + 1 :]
        known, dense = np.unique(inside[:-1], return_inverse=True)
        places.append(np.concatenate([[-1], dense + count, [-1]]))
        owners += [i] * len(known)
        count += len(known)
    rows = [*queries, *texts]
    of_queries = np.full(sum(map(len, queries)), -1)
    batch = Batch(
        torch.from_numpy(np.concatenate(rows).astype(np.int64)),
        torch.from_numpy(np.concatenate([of_queries, *places]).astype(np.int64)),
        tuple(map(len, rows)),
    )
    return Texts(batch, tuple(sizes), torch.tensor(owners))


def texts_of(data: Data, groups: Sequence[int]) -> Texts:
    """The groups' queries and texts."""
    pairs = [p for g in groups for p in data.pairs(g)]
    spans = [slice(int(data.pair_starts[p]), int(data.columns["ends"][p])) for p in pairs]
    ids, sentences = ([data.columns[n][s] for s in spans] for n in ("ids", "sentences"))
    return apart(ids, sentences, [len(data.pairs(g)) for g in groups])


def parts(student: Student, texts: Texts, mute: Tensor, dtype: torch.dtype = torch.bfloat16) -> Tensor:
    """The three similarities of each text, [D, 3]: whole document, late interaction, best sentence."""
    x_NW = student.vectors(texts.batch, dtype=dtype)
    count = len(texts.sizes)
    whole = functional.normalize(means(x_NW, texts.batch.lengths), dim=1)
    unit_NW = functional.normalize(x_NW, dim=1)
    ends = np.cumsum(texts.batch.lengths)
    bounds = np.cumsum([0, *texts.sizes])
    found = []
    for q, (a, b) in enumerate(pairwise(bounds)):
        start, stop = int(ends[q - 1]) if q else 0, int(ends[q])
        asks = ~mute[texts.batch.ids_N[start:stop]]
        asks[0] = asks[-1] = False
        mine_QW = unit_NW[start:stop][asks]
        first, last = int(ends[count + a - 1]), int(ends[count + b - 1])
        places = texts.batch.sentences_N[first:last]
        inside = places >= 0
        cosines_NQ = unit_NW[first:last][inside] @ mine_QW.T
        low = int(places[inside].min()) if bool(inside.any()) else 0
        owners = texts.owners_S[(texts.owners_S >= a) & (texts.owners_S < b)] - int(a)
        best_SQ = highest(cosines_NQ, places[inside] - low, len(owners))
        words = highest(best_SQ, owners, int(b - a)).mean(dim=1)
        sentence = highest(best_SQ.mean(dim=1, keepdim=True), owners, int(b - a))[:, 0]
        found.append(torch.stack([whole[count + a : count + b] @ whole[q], words, sentence], dim=1))
    return torch.cat(found)


def highest(values: Tensor, rows: Tensor, count: int) -> Tensor:
    """For each of `count` rows the highest of the values [N, Q] that belong to it; −1 where none does."""
    result = values.new_full((count, values.shape[1]), -1.0)
    return result.scatter_reduce(0, rows[:, None].expand_as(values), values, "amax")
