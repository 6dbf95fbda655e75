"""Score prepared sets with the shipped graph, the adapter merged into its matrices: what the engine will compute.

    python scripts/train_student/verify.py --adapter build/student/research --sets test-trecqa

Needs no torch: graph.onnx takes the merged numbers as they are, in fp32. Batches hold pairs of one exact length, as the
engine's do. Prints nDCG@10, and how far the scores are from those that `score.py` saved.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from safetensors.numpy import load, load_file
from scored_set import ndcg, opened

from whyrank.encode.weights import SHIPPED, graph_numbers, read_checked, read_manifest

Array = NDArray[Any]
BATCH = 1024  # tokens


def merged(adapter: dict[str, Array]) -> dict[str, Array]:
    """The graph's numbers with A · B added to each matrix, in fp32."""
    manifest = read_manifest(SHIPPED)
    numbers = graph_numbers(load(read_checked(SHIPPED, "weights.safetensors", manifest)), manifest["layers"])
    for name in (n.removesuffix(".a") for n in adapter if n.endswith(".a")):
        change = adapter[f"{name}.a"].astype(np.float32) @ adapter[f"{name}.b"].astype(np.float32)
        numbers[f"{name}.weight"] = numbers[f"{name}.weight"] + change
    return numbers


def session(numbers: dict[str, Array]) -> onnxruntime.InferenceSession:
    """The shipped graph with these numbers."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    values = [onnxruntime.OrtValue.ortvalue_from_numpy(value) for value in numbers.values()]
    options.add_external_initializers(list(numbers), values)
    graph = read_checked(SHIPPED, "graph.onnx", read_manifest(SHIPPED))
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def scores(body: onnxruntime.InferenceSession, relevance: Array, found: dict[str, Array]) -> Array:
    """One score a candidate: the highest of its passages', each the mean token vector times the head."""
    starts = np.concatenate([[0], found["ends"][:-1]])
    lengths = found["ends"] - starts
    result = np.full(len(found["did"]), -np.inf)
    for length in np.unique(lengths):
        same = np.flatnonzero(lengths == length)
        for part in np.array_split(same, -(-len(same) * int(length) // BATCH)):
            ids = np.stack([found["ids"][starts[p] : found["ends"][p]] for p in part]).astype(np.int64)
            (tokens_BTW,) = body.run(None, {"ids": ids})
            np.maximum.at(result, found["owner"][part], tokens_BTW.mean(axis=1) @ relevance)
    return result


def main() -> None:
    """Score, compare, print."""
    parser = argparse.ArgumentParser(description="Score with the shipped graph.")
    parser.add_argument("--data-folder", type=Path, default=Path("build/student"))
    parser.add_argument("--adapter", type=Path, required=True)
    parser.add_argument("--sets", nargs="+", required=True)
    given = parser.parse_args()
    adapter = load_file(given.adapter / "adapter.safetensors")
    body, relevance = session(merged(adapter)), adapter["head.relevance"].astype(np.float32)
    for name in given.sets:
        found = opened(given.data_folder / f"{name}.npz")
        mine = scores(body, relevance, found)
        value = np.mean(list(ndcg(found, mine).values()))
        saved = given.adapter / f"scores-{name}.npy"
        apart = f", at most {np.abs(np.load(saved) - mine).max():.2e} from {saved.name}" if saved.exists() else ""
        print(f"{name}: nDCG@10 {value:.4f}{apart}", flush=True)


if __name__ == "__main__":
    main()
