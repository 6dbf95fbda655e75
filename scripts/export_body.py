"""Write the embedded body as a folder of Hugging Face, so that a cross-encoder can be trained from it offline.

    python scripts/export_body.py --out models/minilm
    whyrank train --config recipes/cross-encoder-minilm.yaml -c model.base=models/minilm

The body is all-MiniLM-L6-v2 (Apache-2.0) in 8-bit rows; its weights are written in fp32 as the engine computes with
them. It has no pooler and no head: `whyrank train` begins both afresh.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import torch
from safetensors.numpy import load
from transformers import BertConfig, BertModel, BertTokenizer
from transformers.utils.logging import disable_progress_bar

from whyrank.encode.weights import SHIPPED, Array, read_checked, read_manifest
from whyrank.errors import WhyrankError
from whyrank.rankers.student_folder import creating

HEADS = 12


def dequantised(stored: dict[str, Array]) -> dict[str, Array]:
    """Weights in fp32 by the names of Hugging Face: matrices are their 8-bit rows times the rows' scales."""
    rows = {name.removesuffix(".rows"): value for name, value in stored.items() if name.endswith(".rows")}
    vectors = {name: value for name, value in stored.items() if not name.endswith((".rows", ".scale"))}
    return {name: value.astype("float32") * stored[f"{name}.scale"] for name, value in rows.items()} | vectors


def body(manifest: dict[str, Any], weights: dict[str, Array]) -> BertModel:
    """The body as transformers knows it, without a pooler."""
    config = BertConfig(
        vocab_size=len(weights["embeddings.word_embeddings.weight"]),
        hidden_size=manifest["width"],
        intermediate_size=len(weights["encoder.layer.0.intermediate.dense.weight"]),
        num_hidden_layers=manifest["layers"],
        num_attention_heads=HEADS,
        max_position_embeddings=manifest["positions"],
    )
    model = BertModel(config, add_pooling_layer=False)
    model.load_state_dict({name: torch.from_numpy(value.copy()) for name, value in weights.items()})
    return model


def main() -> None:
    """Write the folder, whole or not at all."""
    parser = argparse.ArgumentParser(description="Write the embedded body as a folder of Hugging Face.")
    parser.add_argument("--out", type=Path, required=True, help="a folder that is not there yet")
    given = parser.parse_args()
    disable_progress_bar()  # type: ignore[no-untyped-call]
    manifest = read_manifest(SHIPPED)
    model = body(manifest, dequantised(load(read_checked(SHIPPED, "weights.safetensors", manifest))))
    read_checked(SHIPPED, "tokenizer.json", manifest)
    tokenizer = BertTokenizer.from_pretrained(SHIPPED, model_max_length=manifest["positions"])
    try:
        given.out.parent.mkdir(parents=True, exist_ok=True)
        with creating(given.out) as folder:
            model.save_pretrained(folder)
            tokenizer.save_pretrained(folder)
    except (WhyrankError, OSError) as error:
        sys.exit(str(error))
    print(f"{given.out}: {sum(p.numel() for p in model.parameters()):,} weights of {manifest['name']}")


if __name__ == "__main__":
    main()
