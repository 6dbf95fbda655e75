"""Tiny causal students over tiny random models, for tests of several rooms."""

from pathlib import Path
from typing import Any

import tiny

WORDS = tiny.WORDS.split()
LISTS = [
    ("moon tide", ["the moon and the sea", "the sun " * 6, "light"]),
    ("how do you bake an apple tart in the oven", ["bake an apple", "a tart from the oven with water " * 2]),
    ("sea", ["water"]),
]
SETTINGS: dict[str, Any] = {"max_tokens": 96, "query_tokens": 16, "reason_tokens": 24}
MODELS = ("llama", "qwen3", "mistral", "gpt2")


def base(folder: Path, name: str, **more: Any) -> str:
    """A model of this architecture in a folder."""
    if name in tiny.CAUSAL:
        return tiny.CAUSAL[name](folder, **more)
    import torch
    import transformers

    torch.manual_seed(7)
    tokenizer = tiny.byte_tokenizer()
    gpt2 = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 512, "resid_pdrop": 0.0, "attn_pdrop": 0.0}
    ids = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id, "bos_token_id": None}
    sizes = {**gpt2, "embd_pdrop": 0.0} if name == "gpt2" else tiny.SIZES
    if name == "mistral":
        sizes = {**sizes, "sliding_window": None}
    config = transformers.AutoConfig.for_model(name, vocab_size=len(tokenizer), **{**sizes, **ids, **more})
    model = transformers.AutoModelForCausalLM.from_config(config)  # type: ignore[no-untyped-call]
    return tiny.save(folder, tiny.sharpen(model), tokenizer)


def student(folder: str, name: str = "llama", **more: Any) -> Any:
    """A new student over a model in a folder, its adapter filled with noise so that it counts."""
    import torch

    from whyrank.rankers.student_folder import Lora
    from whyrank.train.causal import CausalStudent

    targets = ("c_attn",) if name == "gpt2" else ("q_proj", "v_proj")
    made = CausalStudent.create(folder, Lora(targets=targets, dropout=0.0), device="cpu", **{**SETTINGS, **more})
    lots = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in made.parameters_by_name().values():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=lots))
    return made
