"""A training step of the causal student: the documents of a list in one row behind their query, or one padded batch.

    OMP_NUM_THREADS=1 python bench/packed_training.py [--hidden 256] [--layers 4] [--lists 4] [--repeats 7]

Makes a random Llama and a byte-level tokenizer in a temporary folder, and lists of 8 documents whose lengths are drawn
as those of MS MARCO passages are: log-normal with a median of 70 tokens, held to 20 to 200; queries have 30 to 60
tokens. A step scores all documents, takes RankNet over each list, goes back and steps AdamW. Both sides do the same
step on the same lists, and loss and gradients are compared before anything is timed; they alternate, and the median
round of each counts.
"""

import argparse
import platform
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

from whyrank.rankers.student_folder import Lora
from whyrank.train import losses
from whyrank.train.causal import CausalStudent

SEED = 7
VOCABULARY = 4_096
DOCUMENTS = 8
Lists = Sequence[tuple[str, Sequence[str]]]


def drawn(lots: Random, count: int) -> Lists:
    """Lists whose texts have about so many tokens: every word is one."""
    words = [word for word in tiny.WORDS.split() if len(word) > 1]

    def text(tokens: int) -> str:
        return " ".join(lots.choices(words, k=tokens))

    def length() -> int:
        return round(min(200, max(20, lots.lognormvariate(4.25, 0.5))))

    return [(text(lots.randint(30, 60)), [text(length()) for _ in range(DOCUMENTS)]) for _ in range(count)]


def made_base(folder: Path, hidden: int, layers: int) -> None:
    """A random Llama, its inner width as published ones have it."""
    torch.manual_seed(SEED)
    tokenizer = tiny.byte_tokenizer(begins=True)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=hidden,
        intermediate_size=hidden * 8 // 3,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=1024,
        eos_token_id=tokenizer.eos_token_id,
    )
    tiny.save(folder, LlamaForCausalLM(config), tokenizer)


def loss(student: CausalStudent, lists: Lists, *, packed: bool) -> torch.Tensor:
    """RankNet over the lists, the documents in the order of the teacher."""
    scores_QD = torch.stack(student.score(lists, packed=packed))
    targets_QD = torch.arange(DOCUMENTS, 0, -1.0).expand_as(scores_QD)
    return losses.rank_net(scores_QD, targets_QD, torch.ones_like(scores_QD, dtype=torch.bool))


def gradients(student: CausalStudent, lists: Lists, *, packed: bool) -> tuple[float, torch.Tensor]:
    """The loss, and all gradients end to end."""
    parameters = student.parameters_by_name().values()
    for parameter in parameters:
        parameter.grad = None
    value = loss(student, lists, packed=packed)
    value.backward()
    return float(value.detach()), torch.cat([p.grad.flatten() for p in parameters if p.grad is not None])


def step(student: CausalStudent, optimizer: torch.optim.Optimizer, lists: Lists, *, packed: bool) -> float:
    """Seconds of one step."""
    started = time.perf_counter()
    optimizer.zero_grad()
    loss(student, lists, packed=packed).backward()
    optimizer.step()
    return time.perf_counter() - started


def main() -> None:
    """Print the ratio."""
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    parser = argparse.ArgumentParser()
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--lists", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=7)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        made_base(Path(folder), given.hidden, given.layers)
        student = CausalStudent.create(folder, Lora(dropout=0.0), seed=SEED, device="cpu", max_tokens=300)
    lists = drawn(Random(SEED), given.lists)
    parts = [[student.network.renderer.parts(query, one) for one in texts] for query, texts in lists]
    lengths = [[len(one.prefix) + len(one.suffix) for one in own] for own in parts]
    longest = max(max(own) for own in lengths)
    packed_tokens = sum(len(own[0].prefix) + sum(len(one.suffix) for one in own) for own in parts)
    (one, here), (other, there) = (gradients(student, lists, packed=packed) for packed in (False, True))
    worst = float((here - there).abs().max())
    assert not student.why_not_packed, student.why_not_packed
    assert abs(one - other) < 1e-5, (one, other)
    assert worst < 1e-5, worst
    optimizer = torch.optim.AdamW(student.parameters_by_name().values(), lr=1e-4)
    times: dict[bool, list[float]] = {False: [], True: []}
    for round_ in range(given.repeats + 1):
        for packed in (False, True):
            seconds = step(student, optimizer, lists, packed=packed)
            if round_:
                times[packed].append(seconds)
    padded_s, packed_s = statistics.median(times[False]), statistics.median(times[True])
    names = ("torch", "transformers", "peft")
    print(f"python {platform.python_version()}, " + ", ".join(f"{name} {version(name)}" for name in names))
    print(f"threads: {torch.get_num_threads()}; median of {given.repeats} rounds")
    print(
        f"Llama, hidden {given.hidden}, {given.layers} layers, vocabulary {VOCABULARY:,}; {given.lists} lists of "
        f"{DOCUMENTS}; documents of {min(map(min, lengths))} to {longest} tokens with their query"
    )
    print(f"loss {one:.6f} and {other:.6f}; largest difference of a gradient {worst:.1g}")
    print(f"padded  {padded_s:.3f} s a step, {DOCUMENTS * given.lists * longest:,} tokens")
    print(f"packed  {packed_s:.3f} s a step, {packed_tokens:,} tokens")
    print(f"ratio   {padded_s / packed_s:.2f}")


if __name__ == "__main__":
    main()
