"""Chains: lists whose order nobody can know who reads one document at a time.

Each document links two words. The query is the first word of a chain; the best document begins with it, and each next
one begins with the word that the one before ends with. Seen alone, every document but the first could stand anywhere:
a ranker of single documents can place the first and no other. The thought walks along the chain.

    w3 w9 [1] w7 w3 [2] w9 w2 [3] query w7      →  w7 w3 [2] w3 w9 [1] w9 w2 [3] ### Final Reranking: [2] > [1] > [3]
"""

import math
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mimetic

from whyrank.teach.records import TeacherRecord
from whyrank.types import Document, Query

WORDS = tuple(f"w{number}" for number in range(24))
CONTEXT, LAYERS, HEADS = 512, 3, 2
BASE = 10
"""By so much each pair of entries of a head turns slower than the one before."""
HELD_OUT = 10**6
"""Records of a number from here on are in no training."""
PROMPT = """
kind = "listwise"
form = "text"
parser = "ranking"
passage = "{passage} [{label}]"
join = " "
max_tokens = 24
reasons = true
source = "chains"
paper = "chains"
licence = "Apache-2.0"
text = "{passages} query {query}"
"""


def record(number: int, lengths: Sequence[int] = (4, 5), words: Sequence[str] = WORDS) -> TeacherRecord:
    """A chain of as many documents as one of `lengths`, shuffled, with the thought that orders it."""
    lots = random.Random(number)
    count = lots.choice(lengths)
    drawn = lots.sample(words, count + 1)
    places = list(range(count))
    lots.shuffle(places)  # places[link] is where that link of the chain is shown
    links = [f"{drawn[link]} {drawn[link + 1]}" for link in range(count)]
    shown = sorted(range(count), key=lambda link: places[link])
    return TeacherRecord(
        key=f"chain {number}",
        query=Query(f"q{number}", drawn[0]),
        documents=tuple(Document(f"d{place}", links[link]) for place, link in enumerate(shown)),
        order=tuple(places),
        thought=" ".join(f"{links[link]} [{places[link] + 1}]" for link in range(count)),
        model="made-up",
    )


def base(folder: Path, labels: int = 6, *, seed: int = 0) -> str:
    """A tiny Llama that knows the words and the labels, and begins with induction heads; gives the folder.

    Language models have such heads before they learn to rank: one that finds the token before, and others that find
    where the present token was seen before and read what followed (Olsson et al. 2022, arXiv:2209.11895). A random
    model of this size takes minutes to grow them. What a chain, a thought or a ranking is, it has to learn.
    """
    import tiny
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    known = [*WORDS, *(f"[{label}]" for label in range(1, labels + 1)), *"### Final Reranking: > query".split()]
    tokenizer = mimetic.tokenizer(known, CONTEXT)
    torch.manual_seed(seed)
    width, heads = mimetic.WIDTH, HEADS
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=width,
            intermediate_size=2 * width,
            num_hidden_layers=LAYERS,
            num_attention_heads=heads,
            num_key_value_heads=heads,
            max_position_embeddings=CONTEXT,
            rope_parameters={"rope_type": "default", "rope_theta": float(BASE ** (width // heads // 2))},
            tie_word_embeddings=True,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    with torch.no_grad():
        mimetic.begin(model)
        _with_induction_heads(model, width, width // heads)
    return tiny.save(folder, model, tokenizer)


def _with_induction_heads(model: Any, width: int, size: int) -> None:
    """Head 0 of layer 0 reads the token before; head 0 of layer 1 what followed a token like the present one.

    Entry 0 of every embedding is 1, so that a head can attend by distance alone: turned by one step, it is most like
    itself at the token before. The angles of a head's entries turn by 1, 1/10, 1/100 … a step; those of `still` hardly
    turn, and carry what a token is. The last entries of the stream are kept free for what the token before is.
    """
    import torch

    half = size // 2
    still = [*range(3, half), *range(half + 3, size)]
    kept = slice(width - len(still), width)
    model.model.embed_tokens.weight[:, 0] = 1
    model.model.embed_tokens.weight[:, kept] = 0
    one, two = (layer.self_attn for layer in model.model.layers[:2])
    for matrix in (one.q_proj, one.k_proj, one.v_proj, two.q_proj, two.k_proj):
        matrix.weight[:size] = 0
    one.o_proj.weight.mul_(0.25)
    one.o_proj.weight[:, :size] = 0
    one.o_proj.weight[kept] = 0
    model.model.layers[0].mlp.down_proj.weight[kept] = 0
    unit = (width / 2) ** 0.5  # of entry 0, normalised: half of an embedding's square is its own
    for pair, sharpness in enumerate((15, 40)):
        scale, angle = (sharpness * size**0.5) ** 0.5 / unit, BASE**-pair
        one.q_proj.weight[pair, 0] = scale
        one.k_proj.weight[pair, 0] = scale * math.cos(angle)
        one.k_proj.weight[half + pair, 0] = scale * math.sin(angle)
    what = torch.zeros(len(still), width)
    what[:, 1 : kept.start] = torch.linalg.qr(torch.randn(kept.start - 1, len(still)))[0].T
    one.v_proj.weight[still] = what
    one.o_proj.weight[kept, still] = 0.3 * torch.eye(len(still))
    two.q_proj.weight[still] = 2 * what
    two.k_proj.weight[still, kept] = 2.5 * torch.eye(len(still))


def prompt(folder: Path) -> str:
    """The file of the prompt."""
    path = folder / "chains.toml"
    path.write_text(PROMPT, encoding="utf-8")
    return str(path)
