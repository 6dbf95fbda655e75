"""The shipped model folder: checked against its manifest, dequantised into what the graph asks for."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from whyrank.errors import Corrupt, MissingFile

Array: TypeAlias = NDArray[Any]
SHIPPED = Path(__file__).parent / "model"
FORMAT = 1
FILES = frozenset({"graph.onnx", "tokenizer.json", "weights.safetensors"})


def read_manifest(folder: Path, names: frozenset[str] = FILES) -> dict[str, Any]:
    """The manifest of a model folder, which must name these files.

    Raises:
        MissingFile: the folder or its manifest is absent.
        Corrupt: the manifest is no JSON object of the format this version reads.
    """
    path = folder / "manifest.json"
    try:
        manifest = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise MissingFile(f"{path}: no such file; a model folder holds manifest.json and what it names") from None
    except (ValueError, OSError) as error:
        raise Corrupt(f"{path}: not readable as JSON ({error}); reinstall whyrank or restore the model") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise Corrupt(f"{path}: not a model manifest of format {FORMAT}; this whyrank cannot read it")
    files = manifest.get("files")
    if not isinstance(files, dict) or not all(_tells(file) for file in files.values()):
        raise Corrupt(f"{path}: does not say how large its files are; reinstall whyrank or restore the model")
    absent = names - set(files)
    if absent:
        raise Corrupt(f"{path}: does not name {', '.join(sorted(absent))}; reinstall whyrank or restore the model")
    return manifest


def _tells(file: Any) -> bool:
    """Whether this is what a manifest says of a file."""
    return isinstance(file, dict) and isinstance(file.get("bytes"), int) and isinstance(file.get("sha256"), str)


def read_checked(folder: Path, name: str, manifest: Mapping[str, Any]) -> bytes:
    """The bytes of one file of the model, after comparing size and sha256 with the manifest.

    Raises:
        Corrupt: the file is absent, of another size, or any bit of it differs.
    """
    path = folder / name
    expected = manifest["files"][name]
    try:
        content = path.read_bytes()
    except OSError as error:
        raise Corrupt(f"{path}: cannot be read ({error.strerror}); reinstall whyrank or restore the model") from error
    if len(content) != expected["bytes"]:
        raise Corrupt(f"{path}: {len(content):,} bytes, the manifest says {expected['bytes']:,}; the file is damaged")
    if hashlib.sha256(content).hexdigest() != expected["sha256"]:
        raise Corrupt(f"{path}: its sha256 is not the manifest's; the file is damaged")
    return content


def graph_numbers(stored: dict[str, Array], layers: int) -> dict[str, Array]:
    """What graph.onnx asks for, by its names: fp32 matrices laid out [in, out], the word table still in 8 bits.

    Args:
        stored: tensors of weights.safetensors, by Hugging Face name.
        layers: how many transformer layers the body has.
    """

    def matrix(name: str) -> Array:
        rows, scale = stored[f"{name}.weight.rows"], stored[f"{name}.weight.scale"]
        return rows.astype(np.float32) * scale

    def turned(*names: str) -> Array:
        return np.ascontiguousarray(np.concatenate([matrix(n) for n in names]).T)

    segment = matrix("embeddings.token_type_embeddings")[0]
    numbers = {
        "word.rows": stored["embeddings.word_embeddings.weight.rows"],
        "word.scale": stored["embeddings.word_embeddings.weight.scale"],
        "position": matrix("embeddings.position_embeddings") + segment,
        "norm.weight": stored["embeddings.LayerNorm.weight"],
        "norm.bias": stored["embeddings.LayerNorm.bias"],
    }
    for n in range(layers):
        layer = f"encoder.layer.{n}."
        heads = [f"{layer}attention.self.{part}" for part in ("query", "key", "value")]
        numbers[f"{n}.qkv.weight"] = turned(*heads)
        numbers[f"{n}.qkv.bias"] = np.concatenate([stored[f"{h}.bias"] for h in heads])
        numbers[f"{n}.up.weight"] = turned(f"{layer}intermediate.dense")
        numbers[f"{n}.up.bias"] = stored[f"{layer}intermediate.dense.bias"]
        for ours, theirs in (("attention", "attention.output"), ("down", "output")):
            numbers[f"{n}.{ours}.weight"] = turned(f"{layer}{theirs}.dense")
            numbers[f"{n}.{ours}.bias"] = stored[f"{layer}{theirs}.dense.bias"]
            for part in ("weight", "bias"):
                numbers[f"{n}.{ours}.norm.{part}"] = stored[f"{layer}{theirs}.LayerNorm.{part}"]
    return numbers
