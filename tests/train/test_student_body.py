"""The body in torch: the engine's numbers, whatever the layout, and an adapter that survives being saved."""

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from whyrank.encode.engine import Encoder  # noqa: E402
from whyrank.encode.passages import Passage  # noqa: E402
from whyrank.train.body import Batch, Read, Student, sentence_scores, shipped_numbers  # noqa: E402

LENGTHS = (9, 31, 4, 17, 31)


@pytest.fixture(scope="module")
def numbers() -> dict[str, Any]:
    return shipped_numbers()


def student(numbers: dict[str, Any], seed: int = 3) -> Student:
    """A student whose adapter is no longer zero."""
    made = Student(numbers, rank=4, scale=2.0, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in made.parameters().values():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.05)
    return made


def batch(lengths: tuple[int, ...] = LENGTHS) -> Batch:
    rng = np.random.default_rng(0)
    ids = [torch.from_numpy(np.array([101, *rng.integers(1000, 20000, n - 2), 102])) for n in lengths]
    sentences = [torch.tensor([-1, *(i // 3 for i in range(n - 2)), -1]) for n in lengths]
    return Batch(torch.cat(ids), torch.cat(sentences), lengths)


def test_before_training_it_is_the_engine(numbers: dict[str, Any]) -> None:
    fresh = Student(numbers, rank=4, scale=2.0, seed=0)
    with torch.no_grad():
        fresh.heads["relevance"].copy_(torch.linspace(-1, 1, 384))
        given = batch()
        read = fresh.read(given)
    passages = [Passage(tuple(ids.tolist()), ((0, 0),) * (len(ids) - 2)) for ids in given.ids_N.split(list(LENGTHS))]
    vectors = dict(Encoder(threads=1).run(passages))
    expected = [vectors[p].mean(axis=0) @ np.linspace(-1, 1, 384, dtype=np.float32) for p in range(len(LENGTHS))]
    assert np.allclose(read.scores_P.numpy(), expected, atol=2e-5)
    with torch.no_grad():
        tokens_NW = fresh.vectors(given).numpy()
    assert np.allclose(tokens_NW, np.concatenate([vectors[p] for p in range(len(LENGTHS))]), atol=2e-4)


def test_layout_changes_neither_loss_nor_gradient(numbers: dict[str, Any]) -> None:
    together, apart = student(numbers), student(numbers)
    given = batch()
    read = together.read(given, blocks=3)
    (read.scores_P.square().sum() + read.tokens_N.square().mean()).backward()
    total, tokens = torch.zeros(()), []
    for ids, sentences in zip(given.ids_N.split(list(LENGTHS)), given.sentences_N.split(list(LENGTHS)), strict=True):
        one = apart.read(Batch(ids, sentences, (len(ids),)), blocks=1)
        total = total + one.scores_P.square().sum()
        tokens.append(one.tokens_N)
    (total + torch.cat(tokens).square().mean()).backward()
    assert torch.allclose(torch.cat(tokens), read.tokens_N, atol=1e-5)
    for name, mine in together.parameters().items():
        assert torch.allclose(mine.grad, apart.parameters()[name].grad, atol=1e-5, rtol=1e-4), name


def test_saved_and_restored_says_the_same(numbers: dict[str, Any]) -> None:
    trained, other = student(numbers, seed=3), student(numbers, seed=4)
    with torch.no_grad():
        assert not torch.allclose(trained.read(batch()).scores_P, other.read(batch()).scores_P, atol=1e-3)
        other.restore(trained.tensors())
        again = student(numbers, seed=5)
        again.restore(other.tensors())
        assert torch.equal(other.read(batch()).scores_P, again.read(batch()).scores_P)
        assert torch.allclose(trained.read(batch()).scores_P, other.read(batch()).scores_P, atol=1e-2)


def test_merged_into_the_matrices_it_says_the_same(numbers: dict[str, Any]) -> None:
    trained = student(numbers)
    tensors = trained.tensors()
    trained.restore(tensors)
    merged = dict(numbers)
    for name in (n.removesuffix(".a") for n in tensors if n.endswith(".a")):
        product = tensors[f"{name}.a"].astype(np.float32) @ tensors[f"{name}.b"].astype(np.float32)
        merged[f"{name}.weight"] = numbers[f"{name}.weight"] + torch.from_numpy(product)
    plain = Student(merged, rank=4, scale=2.0, seed=0)
    with torch.no_grad():
        plain.heads["relevance"].copy_(trained.heads["relevance"])
        assert torch.allclose(plain.read(batch()).scores_P, trained.read(batch()).scores_P, atol=1e-4)


def test_sentence_scores_are_means_of_tokens() -> None:
    given = Batch(torch.zeros(8, dtype=torch.long), torch.tensor([-1, 0, 0, 1, -1, -1, -1, -1]), (5, 3))
    tokens = torch.tensor([9.0, 1, 3, 5, 9, 9, 9, 9])
    first, second = sentence_scores(Read(torch.zeros(2), tokens), given)
    assert first.tolist() == [2.0, 5.0]
    assert second.tolist() == []
