"""A real server for tests: llama.cpp's, on a tiny model with random weights, written here.

The model speaks printable ASCII, has a token for each byte and a few words, and a chat template.
"""

import string
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

# V vocabulary, D width, F inner width
LAYERS, HEADS, D, F = 2, 4, 64, 128
WORDS = ("Yes", "No", "true", "false", "yes", "no")
LIKELY = {*WORDS, *"ABC123"}
"""Tokens that stand among the likeliest whatever was said, so that choices between them are reported."""
CONTROLS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
BIAS = 4.0
"""Width 0 of every token is the same, so that a weight on it is a bias: it keeps the model to printable text."""


class LlamaCpp:
    """llama.cpp's server on this machine.

    Args:
        folder: where the model is written.
        context: most tokens of prompt and answer together.
        seed: of the weights.
        port: where it listens; 0 is a free one.

    Attributes:
        url: where it is; give it to `OpenAI(url=…)`.
        model: path of the model file.
    """

    def __init__(self, folder: Path, *, context: int = 512, seed: int = 0, port: int = 0) -> None:
        xllamacpp = import_module("xllamacpp")
        self.model = write_model(folder / "tiny.gguf", seed=seed)
        params = xllamacpp.CommonParams()
        params.model.path = str(self.model)
        params.n_ctx = context
        params.n_parallel = 4
        params.kv_unified = True  # the slots share the context
        params.cpuparams.n_threads = 1
        params.cpuparams_batch.n_threads = 1
        params.n_threads_http = 4
        params.port = port
        params.warmup = False
        params.fit_params = False
        params.verbosity = -1
        self._server: Any = xllamacpp.Server(params)
        self.url = f"{self._server.listening_address.rstrip('/')}/v1"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop the server; it stops when nothing holds it any more."""
        self._server = None


def write_model(path: Path, *, seed: int = 0) -> Path:
    """Write a Llama with random weights and a byte-level tokenizer."""
    import gguf

    tokens, merges = _vocabulary()
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_context_length(4096)
    writer.add_embedding_length(D)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(F)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(D // HEADS)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    control, normal = gguf.TokenType.CONTROL, gguf.TokenType.NORMAL
    writer.add_token_types([control if token in CONTROLS else normal for token in tokens])
    writer.add_token_merges(merges)
    writer.add_eos_token_id(tokens.index("<|im_end|>"))
    writer.add_bos_token_id(tokens.index("<|endoftext|>"))
    writer.add_add_bos_token(False)
    writer.add_chat_template(TEMPLATE)
    for name, weights in _weights(tokens, seed).items():
        writer.add_tensor(name, weights)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _vocabulary() -> tuple[list[str], list[str]]:
    """GPT-2's writing of the 256 bytes, the words with what they are merged from, the control tokens."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    tokens = [chr(byte) for byte in plain] + [chr(256 + i) for i in range(256 - len(plain))]
    merges = []
    for word in WORDS:
        for end in range(2, len(word) + 1):
            if word[:end] not in tokens:
                tokens.append(word[:end])
                merges.append(f"{word[: end - 1]} {word[end - 1]}")
    return [*tokens, *CONTROLS], merges


def _weights(tokens: list[str], seed: int) -> dict[str, NDArray[np.float32]]:
    random = np.random.default_rng(seed)

    def matrix(rows: int, columns: int) -> NDArray[np.float32]:
        return np.asarray(random.standard_normal((rows, columns)) / columns**0.5, dtype=np.float32)

    said = set(string.ascii_letters + string.digits + string.punctuation + "Ġ") | set(WORDS)
    embedding, output = matrix(len(tokens), D) * 4, matrix(len(tokens), D) * 2
    embedding[:, 0] = BIAS
    output[:, 0] = [2 * BIAS if token in LIKELY else BIAS if token in said else -BIAS for token in tokens]
    weights = {
        "token_embd.weight": embedding,
        "output_norm.weight": np.ones(D, np.float32),
        "output.weight": output,
    }
    for layer in range(LAYERS):
        shapes = {"attn_q": (D, D), "attn_k": (D, D), "attn_v": (D, D), "attn_output": (D, D)}
        shapes |= {"ffn_gate": (F, D), "ffn_up": (F, D), "ffn_down": (D, F)}
        for name, shape in shapes.items():
            weights[f"blk.{layer}.{name}.weight"] = matrix(*shape)
        for name in ("attn_norm", "ffn_norm"):
            weights[f"blk.{layer}.{name}.weight"] = np.ones(D, np.float32)
    return weights
