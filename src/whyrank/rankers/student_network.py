"""The network of a causal student: a language model with a LoRA adapter, and a rank head at the last real token.

Built here for both sides, so that what is trained is what ranks. The head stands beside the model, not in it: it is
trained, saved and loaded by itself, in fp32, and no wrapper can freeze or forget it.
"""

# B rows of a batch, T tokens, D width, R rows that are read

import hashlib
import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from whyrank._extras import require
from whyrank.errors import BadInput, Corrupt
from whyrank.lm.transformers_loading import Loaded
from whyrank.rankers.student_folder import ADAPTER, ADAPTER_WEIGHTS, HEAD, Lora
from whyrank.rankers.student_prompt import PromptSettings, Renderer

_SAMPLED = 8
_SEMANTIC = (
    "model_type num_attention_heads num_key_value_heads head_dim hidden_act rms_norm_eps layer_norm_epsilon "
    "rope_parameters rope_theta sliding_window tie_word_embeddings"
).split()
"""What changes a model's numbers and shows in no shape."""


class RankHead(nn.Module):
    """One linear unit in fp32.

    Args:
        width: of the hidden states that it reads.
        seed: of its first weights; zeros if None.
    """

    def __init__(self, width: int, seed: int | None = None) -> None:
        super().__init__()
        weight = torch.zeros(width)
        if seed is not None:
            weight = torch.randn(width, generator=torch.Generator().manual_seed(seed)) / width**0.5
        self.weight = nn.Parameter(weight)
        self.bias = nn.Parameter(torch.zeros(()))

    def forward(self, hidden_RD: Tensor) -> Tensor:
        """Scores [R]."""
        return (hidden_RD.float() * self.weight).sum(dim=1) + self.bias


class Adapted:
    """A causal language model with a LoRA adapter in it, and its tokenizer.

    Args:
        loaded: a causal language model and its tokenizer.
        lora: shape of the adapter, which is put into the model.
        seed: of the adapter.

    Attributes:
        causal: the language model with the adapter in it.
        adapted: the same, as peft holds it.
        tokenizer: of the model.
        context: most tokens that the model reads; None where nobody knows.
        fingerprint: of the base.

    Raises:
        BadInput: a model that reads with an encoder, or targets that it does not have.
        MissingExtra: peft is not installed.
    """

    def __init__(self, loaded: Loaded, lora: Lora, *, seed: int = 0) -> None:
        if loaded.is_seq2seq:
            raise BadInput("a sequence-to-sequence model cannot be this student; give a causal language model")
        self.context = loaded.context
        self.tokenizer = loaded.tokenizer
        self.fingerprint = fingerprint(loaded.model)
        self.adapted = _adapted(loaded.model, lora, seed)
        self.adapted.eval()
        self.causal: Any = self.adapted.get_base_model()

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        device: torch.device = self.causal.device
        return device

    def trainable(self) -> dict[str, nn.Parameter]:
        """The adapter's parameters, by name: what is trained, and what is saved."""
        return {f"adapter.{n}": p for n, p in self.causal.named_parameters() if p.requires_grad}

    def hidden(self, tokens_BT: Tensor, there_BT: Tensor) -> Tensor:
        """The last hidden states [B, T, D].

        Args:
            tokens_BT: with any token where none is there.
            there_BT: where a token is there; padding may stand on either side.
        """
        more = {}
        if not bool(there_BT[:, 0].all()):  # padding on the left; on the right no real token of a causal model sees it
            more = {"attention_mask": there_BT.long(), "position_ids": (there_BT.cumsum(1) - 1).clamp(min=0)}
        states: Tensor = self.causal.base_model(input_ids=tokens_BT, use_cache=False, **more).last_hidden_state
        return states

    def save(self, folder: Path) -> None:
        """Write adapter and tokenizer into a folder that exists.

        Raises:
            OSError: the disk is full, or the folder is read-only.
        """
        peft = require("peft", extra="hf", purpose="a causal student")
        (folder / ADAPTER).mkdir()
        adapter = peft.get_peft_model_state_dict(self.adapted, save_embedding_layers=False)
        _write(folder / ADAPTER_WEIGHTS, adapter)
        self.adapted.peft_config["default"].save_pretrained(str(folder / ADAPTER))
        try:
            self.tokenizer.save_pretrained(folder)
        except Exception as error:  # tokenizers knows no kinds of errors
            raise OSError(f"the tokenizer could not be written ({error})") from error

    def restore(self, folder: Path) -> None:
        """Take over the adapter of a folder.

        Raises:
            Corrupt: it does not fit this network.
        """
        restore_adapter(self.adapted, folder)


class Network(Adapted):
    """Model, adapter, head and renderer.

    Args:
        loaded: a causal language model and its tokenizer.
        lora: shape of the adapter, which is put into the model.
        prompt: how it reads.
        seed: of the adapter and the head.

    Attributes:
        head: the rank head.
        renderer: from texts to tokens.

    Raises:
        BadInput: as `Adapted`; prompts that the model's context cannot hold.
        MissingExtra: peft is not installed.
    """

    def __init__(self, loaded: Loaded, lora: Lora, prompt: PromptSettings, *, seed: int = 0) -> None:
        needed = prompt.max_tokens + prompt.reason_tokens
        if not loaded.is_seq2seq and loaded.context is not None and needed > loaded.context:
            raise BadInput(
                f"prompts of {prompt.max_tokens} tokens and reasons of {prompt.reason_tokens} do not fit a context of "
                f"{loaded.context}; give fewer max_tokens or reason_tokens"
            )
        self.renderer: Renderer = prompt.renderer(loaded.tokenizer)
        super().__init__(loaded, lora, seed=seed)
        self.head = RankHead(self.causal.config.get_text_config(decoder=True).hidden_size, seed).to(self.device)

    def trainable(self) -> dict[str, nn.Parameter]:
        """The adapter's parameters and the head's, by name: what is trained, and what is saved."""
        return super().trainable() | {f"head.{name}": p for name, p in self.head.named_parameters()}

    def scores(self, rows: Sequence[Sequence[int]]) -> Tensor:
        """One score a row of tokens, read in one padded batch: [R]."""
        tokens_BT, there_BT = padded(rows, self.device)
        scores_R: Tensor = self.head(last(self.hidden(tokens_BT, there_BT), there_BT))
        return scores_R

    def save(self, folder: Path) -> None:
        """Write adapter, head and tokenizer into a folder that exists.

        Raises:
            OSError: the disk is full, or the folder is read-only.
        """
        super().save(folder)
        _write(folder / HEAD, self.head.state_dict())

    def restore(self, folder: Path) -> None:
        """Take over the adapter and the head of a folder.

        Raises:
            Corrupt: they do not fit this network.
        """
        head = _read(folder / HEAD, self.head.state_dict())
        super().restore(folder)
        self.head.load_state_dict(head)


def restore_adapter(adapted: Any, folder: Path, name: str = "default") -> None:
    """Take over the adapter of a folder.

    Args:
        adapted: a model of peft that has an adapter of this name and shape.
        folder: of a student.
        name: of the adapter in that model.

    Raises:
        Corrupt: it does not fit this model.
    """
    peft = require("peft", extra="hf", purpose="a causal student")
    expected = peft.get_peft_model_state_dict(adapted, adapter_name=name, save_embedding_layers=False)
    state = _read(folder / ADAPTER_WEIGHTS, expected)
    peft.set_peft_model_state_dict(adapted, state, adapter_name=name)


def padded(rows: Sequence[Sequence[int]], device: torch.device) -> tuple[Tensor, Tensor]:
    """Rows of tokens as one batch, padded on the right: tokens [B, T] and where they are."""
    longest = max(map(len, rows))
    tokens = [[*row, *[row[-1]] * (longest - len(row))] for row in rows]  # no pad token, of which models would warn
    lengths = torch.tensor([len(row) for row in rows], device=device)
    return torch.tensor(tokens, device=device), torch.arange(longest, device=device) < lengths[:, None]


def last(hidden_BTD: Tensor, there_BT: Tensor) -> Tensor:
    """The hidden state of each row's last real token: [B, D]."""
    places = torch.arange(there_BT.shape[1], device=there_BT.device)
    ends_B = (places * there_BT).argmax(dim=1)
    return hidden_BTD[torch.arange(len(ends_B), device=ends_B.device), ends_B]


def fingerprint(model: Any) -> str:
    """The sha256 of what a model is: kind and settings, names, shapes and first values of its tensors."""
    config = model.config.get_text_config(decoder=True)
    facts = {name: getattr(config, name, None) for name in _SEMANTIC}
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode())
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tuple(tensor.shape)}".encode())
        digest.update(tensor.flatten()[:_SAMPLED].float().cpu().numpy().tobytes())
    return digest.hexdigest()


def adapter_config(model: Any, lora: Lora) -> Any:
    """The shape of an adapter as peft takes it.

    Raises:
        MissingExtra: peft is not installed.
    """
    peft = require("peft", extra="hf", purpose="a causal student")
    return peft.LoraConfig(
        r=lora.r,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules="all-linear" if lora.targets == ("all-linear",) else list(lora.targets),
        task_type="CAUSAL_LM",
        fan_in_fan_out=any(isinstance(module, Conv1D) for module in model.modules()),
    )


def _adapted(model: Any, lora: Lora, seed: int) -> Any:
    peft = require("peft", extra="hf", purpose="a causal student")
    config = adapter_config(model, lora)
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)  # peft asks by the old name
        torch.manual_seed(seed)
        try:
            adapted = peft.get_peft_model(model, config)
        except ValueError as error:
            raise BadInput(
                f"no adapter for {', '.join(lora.targets)} in {type(model).__name__}: {str(error).partition('. ')[0]}; "
                f"its linear layers are {', '.join(_linear(model))}; all-linear takes them all"
            ) from error
    for embedding in (model.get_input_embeddings(), model.get_output_embeddings()):
        if hasattr(embedding, "lora_A"):
            raise BadInput(
                f"an adapter for the embeddings ({', '.join(lora.targets)}), which stay as they are; give layers such "
                f"as {', '.join(_linear(model)[:3])}"
            )
    return adapted


def _linear(model: Any) -> list[str]:
    """The last names of a model's linear layers."""
    head = model.get_output_embeddings()
    layers = model.named_modules()
    return sorted({n.rpartition(".")[2] for n, m in layers if isinstance(m, nn.Linear | Conv1D) and m is not head})


def _write(path: Path, tensors: Mapping[str, Tensor]) -> None:
    path.write_bytes(save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}))


def _read(path: Path, expected: Mapping[str, Tensor]) -> dict[str, Tensor]:
    try:
        found: dict[str, Tensor] = load_file(path)
    except (OSError, SafetensorError) as error:
        raise Corrupt(f"{path}: damaged ({error}); save the student again") from error
    strange = sorted(found.keys() ^ expected.keys())
    wrong = [name for name in found.keys() & expected.keys() if found[name].shape != expected[name].shape]
    if strange or wrong:
        named = ", ".join([*strange, *sorted(wrong)][:3])
        raise Corrupt(f"{path}: its tensors are not those of this student ({named}); save the student again")
    return found
