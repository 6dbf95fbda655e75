"""The layout of attention: whatever the lengths and blocks, each pair attends to itself, and its slope is the same."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from whyrank.train.body import HEADS, Batch, Blocks, Student, attend, shipped_numbers  # noqa: E402

CPU = torch.device("cpu")
LAYOUTS = {  # lengths of the pairs, and blocks
    "one pair": ((5,), 1),
    "one pair, many blocks": ((5,), 4),
    "one token": ((1,), 1),
    "equal lengths": ((4, 4, 4), 2),
    "a block each": ((2, 5, 3), 3),
    "more blocks than pairs": ((5, 2), 7),
    "longest first": ((6, 3, 1), 2),
    "shortest first": ((1, 3, 6), 2),
    "one block": ((1, 6, 2, 6), 1),
}
each = pytest.mark.parametrize(("lengths", "count"), LAYOUTS.values(), ids=LAYOUTS.keys())


def rows(lengths: tuple[int, ...], *, size: int = 2, dtype: Any = torch.float64) -> Any:
    """Queries, keys and values of all tokens, [N, 3·W]."""
    made = torch.randn(sum(lengths), 3 * HEADS * size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return made.to(dtype)


def plain(qkv: Any, lengths: tuple[int, ...]) -> Any:
    """Attention of one pair after another, as PyTorch has it."""
    found = []
    for pair in qkv.split(list(lengths)):
        q, k, v = (part.unflatten(1, (HEADS, -1)).transpose(0, 1) for part in pair.chunk(3, dim=1))
        found.append(torch.nn.functional.scaled_dot_product_attention(q, k, v).transpose(0, 1).flatten(1))
    return torch.cat(found)


def compared(lengths: tuple[int, ...], count: int, dtype: Any, like: Any = torch.float64) -> list[tuple[Any, Any]]:
    """What a layout gives in one type, and what is right: the output, and the gradient of a weighted sum of it."""
    found = []
    for type_, way in (
        (dtype, lambda x: attend(x, Blocks.of(lengths, count, CPU))),
        (like, lambda x: plain(x, lengths)),
    ):
        qkv = rows(lengths, dtype=dtype).to(type_).requires_grad_()
        out = way(qkv)
        weights = torch.linspace(-1, 1, out.numel(), dtype=torch.float64).view_as(out)
        (out.double() * weights).sum().backward()
        found.append((out.detach().double(), qkv.grad.double()))
    return list(zip(*found, strict=True))


@each
def test_output_and_gradient_are_those_of_pairs_alone(lengths: tuple[int, ...], count: int) -> None:
    for found, right in compared(lengths, count, torch.float64):
        assert torch.allclose(found, right, atol=1e-12)


@given(lengths=st.lists(st.integers(1, 7), min_size=1, max_size=7).map(tuple), count=st.integers(1, 9))
def test_any_layout_is_right(lengths: tuple[int, ...], count: int) -> None:
    for found, right in compared(lengths, count, torch.float64):
        assert torch.allclose(found, right, atol=1e-12)


@each
def test_gradient_is_the_slope(lengths: tuple[int, ...], count: int) -> None:
    blocks = Blocks.of(lengths, count, CPU)
    qkv = rows(lengths, size=1).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: attend(x, blocks), (qkv,), fast_mode=True)


@each
def test_half_precision_is_off_by_its_rounding_alone(lengths: tuple[int, ...], count: int) -> None:
    (out, right), (slope, right_slope) = compared(lengths, count, torch.bfloat16)
    assert torch.allclose(out, right, atol=0.04)
    assert torch.allclose(slope, right_slope, atol=0.04)
    given = rows(lengths, dtype=torch.bfloat16).requires_grad_()
    attend(given, Blocks.of(lengths, count, CPU)).sum().backward()
    assert given.grad.dtype == torch.bfloat16


@each
def test_every_token_has_a_place_and_every_place_a_pair(lengths: tuple[int, ...], count: int) -> None:
    blocks = Blocks.of(lengths, count, CPU)
    tokens = sum(lengths)
    assert torch.equal(blocks.tokens_M[blocks.places_N], torch.arange(tokens))
    assert blocks.places_N.unique().numel() == tokens
    assert int(blocks.there_M.sum()) == tokens
    assert bool(blocks.there_M[blocks.places_N].all())
    assert sum(pairs for pairs, _ in blocks.shapes) == len(lengths)
    assert sum(pairs * longest for pairs, longest in blocks.shapes) == len(blocks.there_M)
    assert len(blocks.shapes) == min(count, len(lengths))
    open_ = torch.cat([mask.flatten() == 0 for mask in blocks.masks])
    assert torch.equal(open_, blocks.there_M)


def test_pairs_of_similar_length_share_a_block() -> None:
    blocks = Blocks.of((30, 4, 29, 5), 2, CPU)
    assert blocks.shapes == ((2, 5), (2, 30))


def test_a_pair_that_no_loss_reads_has_no_gradient_and_changes_none() -> None:
    lengths = (3, 5, 2)
    alone = rows(lengths)[3:8].requires_grad_()
    attend(alone, Blocks.of((5,), 1, CPU)).square().sum().backward()
    together = rows(lengths).requires_grad_()
    attend(together, Blocks.of(lengths, 1, CPU))[3:8].square().sum().backward()
    assert torch.allclose(together.grad[3:8], alone.grad, atol=1e-12)
    assert bool((together.grad[[0, 1, 2, 8, 9]] == 0).all())


def test_the_first_token_stands_in_for_nothing() -> None:
    """Places without a token hold a copy of the first: it must weigh nothing, however large it is."""
    lengths = (2, 5, 1)
    qkv = rows(lengths)
    louder = qkv.clone()
    louder[0] = 1e3
    blocks = Blocks.of(lengths, 1, CPU)
    assert torch.equal(attend(louder, blocks)[2:], attend(qkv, blocks)[2:])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_student_says_and_learns_the_same_in_any_number_of_blocks(dtype: Any) -> None:
    lengths = (7, 3, 12, 7)
    rng = np.random.default_rng(0)
    ids = torch.from_numpy(rng.integers(1000, 20000, sum(lengths)))
    given = Batch(ids, torch.zeros_like(ids), lengths)
    found = []
    for blocks in (1, 3, 9):
        student = Student(shipped_numbers(), rank=2, scale=1.0, seed=0)
        generator = torch.Generator().manual_seed(1)
        with torch.no_grad():
            for parameter in student.parameters().values():
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.05)
        read = student.read(given, blocks=blocks, dtype=dtype)
        loss = read.scores_P.sum() + read.tokens_N.square().mean()
        gradients = torch.autograd.grad(loss, list(student.parameters().values()))
        found.append((read.scores_P.detach(), torch.cat([gradient.flatten() for gradient in gradients])))
    (scores, gradient), *others = found
    tolerance = 1e-5 if dtype == torch.float32 else 0.02
    for other_scores, other_gradient in others:
        assert torch.allclose(other_scores, scores, atol=tolerance)
        assert float((other_gradient - gradient).norm() / gradient.norm()) < tolerance
