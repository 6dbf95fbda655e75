"""DeAR's first stage, 100 documents of a query: the formula of the public code against ours, with equal weights.

    OMP_NUM_THREADS=1 python bench/stage1_cost.py [--hidden 256] [--layers 4] [--documents 100] [--rounds 5]

Makes a random Llama classifier in a temporary folder. Texts are a query of MS MARCO with its BM25 candidates where
WHYRANK_DATA has trec-dl19-passage, otherwise words drawn to lengths as theirs. Both sides begin with texts and end with
scores, in one process and in turn; processor seconds, and the median round of each counts:

    public      every pair padded to 228 tokens, fp32, 64 pairs a batch, as the public code evaluates its checkpoints
    ours fp32   the same network in fp32: pairs sorted by length, what they begin with read once, duplicates read once
    ours        the same in bfloat16 where the processor multiplies it (AVX512_BF16)

Scores are compared with a forward of each pair alone before anything is timed.
"""

import argparse
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from random import Random
from typing import Any

import torch
from tokenizers import Tokenizer, processors
from transformers import LlamaConfig, LlamaForSequenceClassification, PreTrainedTokenizerFast
from transformers.utils import logging

from whyrank import datasets
from whyrank.encode.weights import SHIPPED
from whyrank.rankers.classifier import ClassifierRanker, load_classifier
from whyrank.rankers.known import full_id, known_classifiers
from whyrank.types import Ranking

SEED = 7
MOST, BATCH = 228, 64
DEAR = known_classifiers()[full_id("dear-8b")].pair
Scorer = Callable[[], list[float]]


def texts(documents: int) -> tuple[str, Ranking]:
    """Where the texts are from, and a query with its candidates."""
    folder = Path(os.environ.get("WHYRANK_DATA", "")) / "trec-dl19-passage"
    if folder.is_dir():
        ranking = max(datasets.load(folder).rankings("bm25", depth=documents), key=len)
        return "trec-dl19-passage", Ranking.of(ranking.query, ranking.documents)
    lots = Random(SEED)
    words = "the moon tide sea sun light water apple tart bake oven answer question river stone".split()
    lengths = [round(min(190, max(20, lots.lognormvariate(4.1, 0.45)))) for _ in range(documents)]
    drawn = [" ".join(lots.choices(words, k=length)) for length in lengths]
    return "drawn words", Ranking.of("what makes the tide of the sea", drawn)


def made(folder: Path, hidden: int, layers: int) -> None:
    """A random classifier, its inner width as published ones have it, over the word pieces that whyrank ships."""
    torch.manual_seed(SEED)
    backend = Tokenizer.from_file(str(SHIPPED / "tokenizer.json"))
    backend.no_padding()
    backend.no_truncation()
    begin = ("[CLS]", backend.token_to_id("[CLS]"))
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A", pair="[CLS] $A [CLS]:1 $B:1", special_tokens=[begin]
    )
    tokenizer = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=backend, bos_token="[CLS]", eos_token="[SEP]", pad_token="[PAD]", unk_token="[UNK]"
    )
    sizes: dict[str, Any] = {
        "vocab_size": len(tokenizer),
        "hidden_size": hidden,
        "intermediate_size": hidden * 8 // 3,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 1024,
        "num_labels": 1,
        "initializer_range": 0.05,
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
    }
    model: Any = LlamaForSequenceClassification(LlamaConfig(**sizes))  # type: ignore[no-untyped-call]
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def public(model: Any, tokenizer: Any, pairs: list[tuple[str, str]]) -> list[float]:
    """Each pair padded to the longest that a pair may be, batch by batch."""
    found: list[float] = []
    for start in range(0, len(pairs), BATCH):
        part = pairs[start : start + BATCH]
        inputs = tokenizer(
            [f"query: {query}" for query, _ in part],
            [f"document: {document}" for _, document in part],
            padding="max_length",
            truncation=True,
            max_length=MOST,
            return_tensors="pt",
            return_token_type_ids=False,
        )
        with torch.inference_mode():
            found += model(**inputs).logits[:, 0].tolist()
    return found


def alone(model: Any, ranker: ClassifierRanker, pairs: list[tuple[str, str]]) -> list[float]:
    """Each pair by itself, without padding."""
    with torch.inference_mode():
        return [float(model(input_ids=torch.tensor([row.tokens])).logits) for row in ranker.network.rows(pairs)]


def seconds(score: Scorer) -> float:
    """Seconds of the processor, which other work on a busy machine does not lengthen."""
    started = time.process_time()
    score()
    return time.process_time() - started


def forwarded(ranker: ClassifierRanker, pairs: list[tuple[str, str]]) -> int:
    """Tokens that pass through the network, padding and shared beginnings included."""
    network, counted = ranker.network, 0

    def count(_: Any, _given: tuple[Any, ...], named: dict[str, Any]) -> None:
        nonlocal counted
        counted += named["input_ids"].numel()

    handle = network.model.base_model.register_forward_pre_hook(count, with_kwargs=True)
    ranker.score_many(pairs)
    handle.remove()
    return counted


def main() -> None:
    """Print times, tokens, differences and ratios."""
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    parser = argparse.ArgumentParser()
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--documents", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    source, ranking = texts(given.documents)
    with tempfile.TemporaryDirectory() as folder:
        made(Path(folder), given.hidden, given.layers)
        exact = load_classifier(folder, device="cpu", dtype="float32", fmt=DEAR)
        has_bf16 = bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
        whole = load_classifier(folder, device="cpu", dtype="bfloat16" if has_bf16 else "float32", fmt=DEAR)
        peer: Any = LlamaForSequenceClassification.from_pretrained(folder, dtype=torch.float32)
    peer.eval()
    pairs = [(ranking.query.text, DEAR.text_of(document)) for document in ranking.documents]
    tokenizer = exact.network.tokenizer
    sides: dict[str, Scorer] = {
        "public": lambda: public(peer, tokenizer, pairs),
        "ours fp32": lambda: exact.score_many(pairs),
        "ours": lambda: whole.score_many(pairs),
    }
    wanted = torch.tensor(alone(peer, exact, pairs))
    worst = {name: float((torch.tensor(score()) - wanted).abs().max()) for name, score in sides.items()}
    times: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(given.rounds):
        for name, score in sides.items():
            times[name].append(seconds(score))
    tokens = {"public": MOST * len(pairs), "ours fp32": forwarded(exact, pairs), "ours": forwarded(whole, pairs)}
    lengths = [len(row.tokens) for row in exact.network.rows(pairs)]
    print(f"python {platform.python_version()}, torch {version('torch')}, transformers {version('transformers')}")
    print(f"threads: {torch.get_num_threads()}; median of {given.rounds} rounds; bfloat16 products: {has_bf16}")
    print(
        f"Llama classifier, hidden {given.hidden}, {given.layers} layers; {len(pairs)} documents ({source}), "
        f"{len(set(pairs))} distinct, {min(lengths)} to {max(lengths)} tokens with their query, mean "
        f"{statistics.mean(lengths):.0f}; scores from {wanted.min():.2f} to {wanted.max():.2f}"
    )
    usual = statistics.median(times["public"])
    for name in sides:
        middle = statistics.median(times[name])
        print(
            f"{name:<10} {middle:7.3f} s  {tokens[name]:7,} tokens  {tokens[name] / tokens['public']:5.2f} of them  "
            f"{usual / middle:6.2f} times as fast  largest difference {worst[name]:.1g}"
        )


if __name__ == "__main__":
    main()
