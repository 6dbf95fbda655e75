"""Tiny sequence classifiers of real architectures, in a folder, and what is needed to train them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mimetic
import tiny

SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")


def word_tokenizer(words: Sequence[str]) -> Any:
    """A token for each word; two texts are joined as BERT's are."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    known = [*SPECIALS, *dict.fromkeys(words)]
    made = Tokenizer(models.WordLevel({word: number for number, word in enumerate(known)}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=made,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_max_length=128,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )


def bert(folder: Path, words: Sequence[str], *, seed: int = 0, **more: Any) -> str:
    """The body of a BERT, which begins as models end up that have learnt to compare words (`mimetic`)."""
    import torch
    from transformers import BertConfig, BertModel

    torch.manual_seed(seed)
    own = word_tokenizer(words)
    sizes: dict[str, Any] = {
        "hidden_size": mimetic.WIDTH,
        "intermediate_size": 2 * mimetic.WIDTH,
        "num_hidden_layers": 2,
        "num_attention_heads": mimetic.HEADS,
        "max_position_embeddings": 128,
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
    }
    model: Any = BertModel(BertConfig(vocab_size=len(own), **{**sizes, **more}), add_pooling_layer=False)
    with torch.no_grad():
        for layer in model.encoder.layer:
            attention = layer.attention.self
            attention.query.weight.normal_(0, 1.5 * mimetic.WIDTH**-0.5)
            attention.key.weight.copy_(attention.query.weight)
            attention.value.weight.normal_(0, mimetic.WIDTH**-0.5)
            layer.attention.output.dense.weight.copy_(attention.value.weight.T)
    return tiny.save(folder, model, own)


def of_kind(folder: Path, name: str, words: Sequence[str]) -> str:
    """The body of a model of another architecture, by the name that transformers has for it."""
    import torch
    from transformers import AutoConfig, AutoModel

    torch.manual_seed(7)
    own = word_tokenizer(words)
    if name == "qwen3":
        own.bos_token = "[CLS]"
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    ids = {"pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3, "cls_token_id": 2, "sep_token_id": 3}
    config = AutoConfig.for_model(
        name, vocab_size=len(own), max_position_embeddings=132, num_key_value_heads=2, head_dim=8, **sizes, **ids
    )
    return tiny.save(folder, AutoModel.from_config(config), own)  # type: ignore[no-untyped-call]
