"""Tiny random language models of real architectures, with real tokenizers, made in a second and saved to a folder."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

WORDS = (
    "the a of to and in is it you that was for on are with as his they at be this from have or by one had not but what "
    "all were when we there can an your which their said if do will each about how up out them then she many some so "
    "moon tide sea sun light water apple tart bake oven query passage document relevant rank search yes no true false"
)
SPECIALS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
NO_SYSTEM = (
    "{{ bos_token }}{% for m in messages %}"
    "{% if m['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "<|im_start|>{{ m['role'] }}\n{{ m['content'] | trim }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
}


def byte_tokenizer(
    *, chat_template: str | None = CHATML, begins: bool = False, added: Sequence[str] = (), merges: int = 400
) -> Any:
    """A byte-level tokenizer as Qwen's are: trained on a few words, every text has tokens.

    Args:
        chat_template: of conversations; None for none.
        begins: every text begins with "<|endoftext|>", as those of Llama 3 do with theirs.
        added: further tokens that are no special ones, such as "<think>".
        merges: about how many tokens beside the bytes.
    """
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=256 + merges + len(SPECIALS),
        special_tokens=list(SPECIALS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    texts = [WORDS, *(f"{word} {word.title()}\n{word}: {word}" for word in WORDS.split())] * 3
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_tokens([AddedToken(text, normalized=False) for text in added])
    if begins:
        begin = tokenizer.token_to_id(SPECIALS[0])
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{SPECIALS[0]} $A", special_tokens=[(SPECIALS[0], begin)]
        )
    fast = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        bos_token=SPECIALS[0] if begins else None,
        eos_token="<|im_end|>",
        pad_token=SPECIALS[0],
        additional_special_tokens=[SPECIALS[1]],
        model_max_length=512,
    )
    fast.chat_template = chat_template
    return fast


def piece_tokenizer() -> Any:
    """A tokenizer as T5's: pieces with a mark for a blank, and the end of a text put after every text."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    words = sorted(set(WORDS.split()))
    letters = [chr(code) for code in range(33, 127)]
    pieces = ["▁", *(f"▁{word}" for word in words), *(f"▁{letter}" for letter in letters), *letters]
    vocabulary = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", -20.0)]
    vocabulary += [(piece, -1.0 * (3 if len(piece) < 3 else 1)) for piece in dict.fromkeys(pieces)]
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=2))
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer, eos_token="</s>", pad_token="<pad>", unk_token="<unk>", model_max_length=512
    )


def save(folder: Path, model: Any, tokenizer: Any) -> str:
    """Write both; gives the folder as text."""
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def sharpen(model: Any, scale: float = 4.0) -> Any:
    """Make the random weights larger, so that what a model reads moves its scores by far more than rounding does."""
    import torch

    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() > 1 and "embed" not in name and "shared" not in name:
                weight.mul_(scale)
    return model


def _causal(folder: Path, config: type, model: type, tokenizer: Any | None, more: dict[str, Any]) -> str:
    import torch

    torch.manual_seed(7)
    tokenizer = tokenizer or byte_tokenizer()
    ids = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    made = model(config(vocab_size=len(tokenizer), **{**SIZES, **ids, "bos_token_id": None, **more}))
    return save(folder, sharpen(made), tokenizer)


def qwen2(folder: Path, tokenizer: Any | None = None, **more: Any) -> str:
    """A Qwen2 with tied embeddings unless `more` says otherwise."""
    from transformers import Qwen2Config, Qwen2ForCausalLM

    return _causal(folder, Qwen2Config, Qwen2ForCausalLM, tokenizer, {"tie_word_embeddings": True, **more})


def qwen3(folder: Path, tokenizer: Any | None = None, **more: Any) -> str:
    """A Qwen3."""
    from transformers import Qwen3Config, Qwen3ForCausalLM

    return _causal(folder, Qwen3Config, Qwen3ForCausalLM, tokenizer, {"head_dim": 16, **more})


def llama(folder: Path, tokenizer: Any | None = None, **more: Any) -> str:
    """A Llama whose tokenizer begins every text with a token of its own."""
    from transformers import LlamaConfig, LlamaForCausalLM

    return _causal(folder, LlamaConfig, LlamaForCausalLM, tokenizer or byte_tokenizer(begins=True), more)


def t5(folder: Path, tokenizer: Any | None = None, **more: Any) -> str:
    """A T5 with tied embeddings, whose head scales what it reads."""
    import torch
    from transformers import T5Config, T5ForConditionalGeneration

    torch.manual_seed(7)
    tokenizer = tokenizer or piece_tokenizer()
    sizes = {"d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4}
    ids = {"pad_token_id": 0, "eos_token_id": 1, "decoder_start_token_id": 0}
    return save(
        folder, T5ForConditionalGeneration(T5Config(vocab_size=len(tokenizer), **{**sizes, **ids, **more})), tokenizer
    )


CAUSAL: dict[str, Callable[..., str]] = {"qwen2": qwen2, "qwen3": qwen3, "llama": llama}
MODELS: dict[str, Callable[..., str]] = {**CAUSAL, "t5": t5}
"""Name → what makes a model of that architecture in a folder."""
