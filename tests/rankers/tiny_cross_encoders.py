"""Tiny random sequence classifiers of real architectures with real tokenizers, saved to a folder in the usual form."""

import warnings
from pathlib import Path
from typing import Any

import tiny

WORDS = tiny.WORDS.split()
BEGIN = tiny.SPECIALS[0]
PADDING = "moon"
"""A word whose token is what the configuration of `llama` calls padding: a score that depends on it is wrong."""


def llama_tokenizer() -> Any:
    """As that of Llama 3: a token begins every text, and of two texts each."""
    from tokenizers import processors

    tokenizer = tiny.byte_tokenizer(begins=True)
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BEGIN} $A", pair=f"{BEGIN} $A {BEGIN}:1 $B:1", special_tokens=[(BEGIN, tokenizer.bos_token_id)]
    )
    return tokenizer


def bert_tokenizer() -> Any:
    """As that of BERT: words and letters, and which of two texts a token belongs to."""
    from transformers import BertTokenizer

    letters = [chr(code) for code in range(33, 127)]
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, *letters, *(f"##{letter}" for letter in letters)]
    vocabulary = {piece: place for place, piece in enumerate(dict.fromkeys(pieces))}
    return BertTokenizer(vocab=vocabulary, model_max_length=512)


def llama(folder: Path, **more: Any) -> str:
    """A causal classifier, whose configuration calls an ordinary word padding."""
    import torch
    from transformers import LlamaConfig, LlamaForSequenceClassification

    torch.manual_seed(7)
    tokenizer = llama_tokenizer()
    [padding] = tokenizer(f" {PADDING}", add_special_tokens=False)["input_ids"]
    ids = {"pad_token_id": padding, "bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
    config = LlamaConfig(vocab_size=len(tokenizer), **{"num_labels": 1, **tiny.SIZES, **ids, **more})
    model = LlamaForSequenceClassification(config)  # type: ignore[no-untyped-call]
    return tiny.save(folder, tiny.sharpen(model), tokenizer)


def lora(folder: Path, base: str, **more: Any) -> str:
    """An adapter of a causal classifier over a language model in a folder, with the head in it."""
    import peft
    import torch
    from transformers import AutoModelForSequenceClassification

    torch.manual_seed(8)
    model = AutoModelForSequenceClassification.from_pretrained(base, num_labels=1)
    how = {"modules_to_save": ["score"], "task_type": "SEQ_CLS", **more}
    config = peft.LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj", "down_proj"], **how)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)  # peft asks by the old name
        adapted = peft.get_peft_model(model, config)
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if parameter.requires_grad:
                parameter.add_((0.05 if "lora" in name else 0.5) * torch.randn(parameter.shape))
    adapted.save_pretrained(str(folder))
    return str(folder)


def encoder(folder: Path, name: str = "bert", **more: Any) -> str:
    """An encoder of this architecture that reads query and document together."""
    import torch
    from transformers import AutoConfig, AutoModelForSequenceClassification

    torch.manual_seed(9)
    tokenizer = bert_tokenizer()
    sizes = {name: value for name, value in tiny.SIZES.items() if name != "num_key_value_heads"}
    config = AutoConfig.for_model(name, vocab_size=len(tokenizer), pad_token_id=0, **{"num_labels": 1, **sizes, **more})
    model = AutoModelForSequenceClassification.from_config(config)  # type: ignore[no-untyped-call]
    return tiny.save(folder, tiny.sharpen(model), tokenizer)
