"""A training step of a listwise student: examples end to end in one row, or one padded batch.

    OMP_NUM_THREADS=1 python bench/packed_permutations.py [--hidden 256] [--layers 4] [--examples 8] [--rounds 5]

Makes a random Llama and a byte-level tokenizer in a temporary folder, and lists of 2 to 12 documents of 10 to 60 words
with thoughts of 5 to 80. A step takes the loss of what is written and its gradient. Both sides take it of the same
examples; loss and gradients are compared before anything is timed; they alternate, and the median round of each counts.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from random import Random

import torch
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.utils import logging

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "lm"))
import tiny

from whyrank.config import checked
from whyrank.train.permutation_student import PermutationStudent
from whyrank.train.permutations import PermutationExample
from whyrank.train.settings import TrainSettings

SEED = 7
CONTEXT = 4_096


def made(folder: Path, hidden: int, layers: int) -> PermutationStudent:
    """An untrained student over a random Llama."""
    torch.manual_seed(SEED)
    tokenizer = tiny.byte_tokenizer(begins=True)
    tokenizer.model_max_length = CONTEXT
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=hidden,
        intermediate_size=hidden * 8 // 3,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=CONTEXT,
        eos_token_id=tokenizer.eos_token_id,
    )
    base = tiny.save(folder / "base", LlamaForCausalLM(config), tokenizer)
    given = {
        "learns": "permutations",
        "model": {"base": base, "dtype": "float32", "max_tokens": CONTEXT},
        "lora": {"r": 16, "targets": "all-linear", "dropout": 0.0},
        "data": {"prompt": "rankgpt", "conversation": "tagged"},
        "output": str(folder / "run"),
    }
    return PermutationStudent.create(checked(TrainSettings, given), device="cpu")


def drawn(lots: Random, count: int) -> list[PermutationExample]:
    """Lists of mixed length."""
    words = [word for word in tiny.WORDS.split() if len(word) > 1]

    def text(least: int, most: int) -> str:
        return " ".join(lots.choices(words, k=lots.randint(least, most)))

    def one() -> PermutationExample:
        size = lots.randint(2, 12)
        documents = tuple(text(10, 60) for _ in range(size))
        order = tuple(lots.sample(range(size), size))
        return PermutationExample(
            text(3, 9), documents, (0.0,) * size, (), (0,) * size, order=order, thought=text(5, 80)
        )

    return [one() for _ in range(count)]


def step(student: PermutationStudent, some: Sequence[PermutationExample], *, is_packed: bool) -> tuple[float, float]:
    """Loss and seconds; gradients stay with the parameters."""
    for parameter in student.parameters_by_name().values():
        parameter.grad = None
    began = time.perf_counter()
    loss = student.loss(some, is_packed=is_packed) / len(some)
    loss.backward()
    return float(loss.detach()), time.perf_counter() - began


def gradients(student: PermutationStudent) -> torch.Tensor:
    """All of them, end to end."""
    return torch.cat([p.grad.flatten() for p in student.parameters_by_name().values() if p.grad is not None])


def main() -> None:
    """Print the ratio."""
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    parser = argparse.ArgumentParser()
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--examples", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        student = made(Path(folder), given.hidden, given.layers)
    some = drawn(Random(SEED), given.examples)
    lengths = [len(student.row(one).tokens) for one in some]
    assert not student.why_not_packed, student.why_not_packed
    losses, found = {}, {}
    for packed in (False, True):
        losses[packed], _ = step(student, some, is_packed=packed)
        found[packed] = gradients(student)
    worst = float((found[False] - found[True]).abs().max())
    assert abs(losses[False] - losses[True]) < 1e-5 * losses[False], losses
    assert worst < 1e-5 * max(1.0, float(found[False].abs().max())), worst
    times: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(given.rounds):
        for packed in (False, True):
            times[packed].append(step(student, some, is_packed=packed)[1])
    padded_s, packed_s = statistics.median(times[False]), statistics.median(times[True])
    print(", ".join(f"{name} {version(name)}" for name in ("torch", "transformers", "peft")))
    print(f"threads {torch.get_num_threads()}; median of {given.rounds} rounds")
    print(f"{given.examples} examples of {min(lengths)} to {max(lengths)} tokens; hidden {given.hidden}")
    print(f"loss {losses[False]:.6f} and {losses[True]:.6f}; largest difference of a gradient {worst:.1g}")
    print(f"padded {padded_s:.2f} s a step, {max(lengths) * len(lengths):,} tokens")
    print(f"packed {packed_s:.2f} s a step, {sum(lengths):,} tokens")
    print(f"ratio {padded_s / packed_s:.2f}")


if __name__ == "__main__":
    main()
