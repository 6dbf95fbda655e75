"""Pointwise scoring with a causal language model against sentence-transformers' CrossEncoder: same weights and prompts.

    OMP_NUM_THREADS=1 python bench/pointwise_lm.py [--documents 32] [--rounds 7]

Needs torch, transformers and sentence-transformers (`make bench`). The model is random and shaped as Qwen2 (4 layers,
width 256, vocabulary 151,936): the work does not depend on what the weights are. A short query (8 words) and a long
one (250 words), documents of about 100 words, the prompt of Qwen3-Reranker. Both sides score the same texts in one
process and take turns; memory is measured with one process a side. Scores are compared with a full forward of each
prompt alone before anything is timed.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

from whyrank.lm.base import Choose, Reply
from whyrank.lm.transformers import Transformers

SEED = 7
VOCABULARY = 151_936
CHOICES = ("yes", "no")
LENGTHS = {"short": 8, "long": 250}
PROMPT = (
    "<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and the Instruct "
    'provided. Note that the answer can only be "yes" or "no".<|im_end|>\n<|im_start|>user\n<Instruct>: Given a web '
    "search query, retrieve relevant passages that answer the query\n<Query>: {query}\n<Document>: {document}<|im_end|>"
    "\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
)
SPECIALS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<think>", "</think>")


def words(lots: Random) -> list[str]:
    """Made-up words, the first ones short."""
    syllables = [a + b for a in "bcdfglmnprstvz" for b in "aeiou"]
    return ["".join(lots.choices(syllables, k=1 + i // 1000)) for i in range(4000)]


def text(vocabulary: list[str], count: int, lots: Random) -> str:
    """Words as often as words come in a language: the more seldom the longer."""
    ranks = (min(int(lots.paretovariate(0.7)), len(vocabulary)) - 1 for _ in range(count))
    return " ".join(vocabulary[rank] for rank in ranks)


def prepare(folder: Path, count: int) -> dict[str, list[str]]:
    """Write model and tokenizer; the prompts of each workload."""
    lots = Random(SEED)
    vocabulary = words(lots)
    documents = [text(vocabulary, lots.randint(80, 120), lots) for _ in range(count)]
    queries = {name: text(vocabulary, length, lots) for name, length in LENGTHS.items()}
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=8000, special_tokens=list(SPECIALS), show_progress=False)
    tokenizer.train_from_iterator([PROMPT * 50, "yes\nno\nyes no" * 50, *documents, *queries.values()], trainer)
    fast: Any = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer, eos_token=SPECIALS[2], pad_token=SPECIALS[0], model_max_length=4096
    )
    fast.save_pretrained(folder)
    torch.manual_seed(SEED)
    config = Qwen2Config(
        vocab_size=VOCABULARY,
        hidden_size=256,
        intermediate_size=1024,
        num_hidden_layers=4,
        num_attention_heads=8,
        num_key_value_heads=4,
        max_position_embeddings=4096,
        tie_word_embeddings=True,
        pad_token_id=fast.pad_token_id,
        eos_token_id=fast.eos_token_id,
        bos_token_id=None,
    )
    Qwen2ForCausalLM(config).save_pretrained(folder)
    return {
        name: [PROMPT.format(query=query, document=document) for document in documents]
        for name, query in queries.items()
    }


class Ours:
    """whyrank."""

    def __init__(self, folder: Path) -> None:
        self.lm = Transformers(str(folder), device="cpu")
        self.model = self.lm._reader._model

    def scores(self, prompts: list[str]) -> list[float]:
        """Logit of yes minus logit of no, for each prompt."""
        replies = self.lm.ask([Choose(prompt, CHOICES) for prompt in prompts])
        return [r.logprobs[0] - r.logprobs[1] for r in replies if isinstance(r, Reply)]


class Theirs:
    """sentence-transformers."""

    def __init__(self, folder: Path) -> None:
        from sentence_transformers import CrossEncoder
        from sentence_transformers.cross_encoder.modules import LogitScore
        from sentence_transformers.sentence_transformer.modules import Transformer

        body = Transformer(str(folder), transformer_task="text-generation")
        yes, no = (body.tokenizer.convert_tokens_to_ids(choice) for choice in CHOICES)
        self.encoder = CrossEncoder(modules=[body, LogitScore(yes, no)], device="cpu")
        self.model = body.model

    def scores(self, prompts: list[str]) -> list[float]:
        """The same. A pair is what it takes; cut before a special token, it has the tokens of the whole."""
        pairs = [(prompt[: prompt.rindex("<|im_end|>")], prompt[prompt.rindex("<|im_end|>") :]) for prompt in prompts]
        found = self.encoder.predict(pairs, batch_size=32, activation_fn=torch.nn.Identity(), show_progress_bar=False)
        return [float(score) for score in found]


SIDES: dict[str, Callable[[Path], Any]] = {"whyrank": Ours, "CrossEncoder": Theirs}


def reference(folder: Path, prompts: list[str]) -> list[float]:
    """The same score by a full forward of each prompt alone."""
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder)
    yes, no = (tokenizer.convert_tokens_to_ids(choice) for choice in CHOICES)
    with torch.inference_mode():
        inputs = (tokenizer(prompt, return_tensors="pt") for prompt in prompts)
        last = [model(**tokens, use_cache=False, logits_to_keep=1).logits[0, -1] for tokens in inputs]
    return [float(row[yes] - row[no]) for row in last]


def forwarded(side: Any, prompts: list[str]) -> int:
    """Tokens that go through the model, padding included."""
    seen: list[int] = []
    hook = side.model.get_input_embeddings().register_forward_hook(lambda _m, args, _o: seen.append(args[0].numel()))
    side.scores(prompts)
    hook.remove()
    return sum(seen)


def cpu_seconds(sides: dict[str, Any], prompts: list[str], rounds: int) -> dict[str, list[float]]:
    """CPU seconds of each round; the sides take turns, and who is first does too."""
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(rounds):
        for name in sorted(sides, reverse=bool(turn % 2)):
            started = time.process_time()
            sides[name].scores(prompts)
            taken[name].append(time.process_time() - started)
    return taken


def peak_megabytes(name: str, folder: Path, prompts: list[str]) -> float:
    """Peak memory of scoring above that of the loaded model, in a process of its own."""
    command = [sys.executable, __file__, "--peak", name, str(folder)]
    done = subprocess.run(command, input=json.dumps(prompts), capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def measure_peak(name: str, folder: Path) -> None:
    """Print it; the process that `peak_megabytes` starts."""
    torch.set_num_threads(1)
    prompts = json.load(sys.stdin)
    side = SIDES[name](folder)
    side.scores(prompts[:2])  # loads what is loaded at first use
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    before = status_megabytes("VmRSS")
    side.scores(prompts)
    print(status_megabytes("VmHWM") - before)


def status_megabytes(field: str) -> float:
    """A line of the process's status."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024


def main() -> None:
    """Measure and print both workloads."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--peak", nargs=2, metavar=("SIDE", "FOLDER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peak:
        measure_peak(options.peak[0], Path(options.peak[1]))
        return
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    packages = ("torch", "transformers", "sentence-transformers", "tokenizers")
    print(f"Python {platform.python_version()}, " + ", ".join(f"{name} {version(name)}" for name in packages))
    print(f"{platform.machine()}, {torch.get_num_threads()} thread(s), float32, medians of {options.rounds} rounds")
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "qwen2-random"
        for name, prompts in prepare(folder, options.documents).items():
            report(name, prompts, folder, options.rounds)


def report(name: str, prompts: list[str], folder: Path, rounds: int) -> None:
    """Print one workload."""
    sides = {side: make(folder) for side, make in SIDES.items()}
    exact = reference(folder, prompts)
    off = {s: max(abs(a - b) for a, b in zip(exact, sides[s].scores(prompts), strict=True)) for s in sides}
    tokens = {side: forwarded(sides[side], prompts) for side in sides}
    taken = cpu_seconds(sides, prompts, rounds)
    peaks = {side: peak_megabytes(side, folder, prompts) for side in sides}
    print(f"\n{name} query: {len(prompts)} prompts, scores span {max(exact) - min(exact):.3f}")
    for side in sides:
        print(
            f"  {side:13}{median(taken[side]):8.3f} CPU-s ({min(taken[side]):.3f}–{max(taken[side]):.3f})"
            f"{tokens[side]:8,} tokens forwarded{peaks[side]:8.0f} MB above the model"
            f"   {off[side]:.1e} from a full forward"
        )
    ratios = [theirs / ours for ours, theirs in zip(taken["whyrank"], taken["CrossEncoder"], strict=True)]
    share, memory = (figures["whyrank"] / figures["CrossEncoder"] for figures in (tokens, peaks))
    print(f"  CPU {median(ratios):.2f} times less ({min(ratios):.2f}–{max(ratios):.2f} by round)")
    print(f"  {share:.2f} of its tokens, {memory:.2f} of its memory")


if __name__ == "__main__":
    main()
