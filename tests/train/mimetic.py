"""A tiny Llama that can learn to compare words within a minute: it starts as models end up that have learnt to.

"Mimetic" initialisation, after Trockman and Kolter (2023): queries and keys of a head share their weights, so that a
token attends to its like, and what is read is written back by the transpose of what read it. From the usual start such
a model stays at chance for minutes.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tiny

WIDTH, HEADS = 64, 4
FIXED = "Query: Document: Other document: Relevant: Reason: Why the document stands above the other:"


def tokenizer(words: Sequence[str], context: int = 128) -> Any:
    """A token for each word, and an end."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    known = ["<unk>", "<end>", *dict.fromkeys([*FIXED.split(), *words])]
    made = Tokenizer(models.WordLevel({word: number for number, word in enumerate(known)}, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=made, unk_token="<unk>", eos_token="<end>", pad_token="<end>", model_max_length=context
    )


def llama(folder: Path, words: Sequence[str], *, seed: int = 0) -> str:
    """Write the model and its tokenizer; gives the folder."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    own = tokenizer(words)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(own),
            hidden_size=WIDTH,
            intermediate_size=2 * WIDTH,
            num_hidden_layers=2,
            num_attention_heads=HEADS,
            num_key_value_heads=HEADS,
            max_position_embeddings=128,
            tie_word_embeddings=True,
            bos_token_id=None,
            eos_token_id=own.eos_token_id,
            pad_token_id=own.pad_token_id,
        )
    )
    with torch.no_grad():
        begin(model)
    return tiny.save(folder, model, own)


def begin(model: Any) -> None:
    """Give a Llama the weights that it begins with."""
    model.model.embed_tokens.weight.normal_(0, WIDTH**-0.5)
    for layer in model.model.layers:
        attention = layer.self_attn
        attention.q_proj.weight.normal_(0, 1.5 * WIDTH**-0.5)
        attention.k_proj.weight.copy_(attention.q_proj.weight)
        attention.v_proj.weight.normal_(0, WIDTH**-0.5)
        attention.o_proj.weight.copy_(attention.v_proj.weight.T)
