"""The embedded body as an engine: texts in, token vectors out, the same bits whatever the company.

Three choices make the vectors of a text independent of its batch, its neighbours, their order and the thread count:

* a batch holds passages of one exact length, so nothing is padded and no mask is needed;
* each batch runs on one thread; several batches run side by side, which also scales better than splitting one;
* what is computed per passage (pooling, norms) is computed on that passage alone.

On two cores this is also the fastest layout we know: no padding, small batches that stay in cache, no barriers.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load
from tokenizers import Tokenizer

from whyrank.encode.adapters import Adapter
from whyrank.encode.passages import Cutter, Passage
from whyrank.encode.weights import SHIPPED, Array, graph_numbers, read_checked, read_manifest
from whyrank.errors import BadInput, Corrupt

# B passages in a batch, T tokens, W width of a vector
Vectors: TypeAlias = NDArray[np.float32]
WINDOW = 256  # tokens a passage, markers included: the length all-MiniLM-L6-v2 is used with
OVERLAP = 32
BATCH_TOKENS = 512  # larger batches leave the cache: measured in bench/encode.py
MAX_THREADS = 8


def sensible_threads() -> int:
    """Threads worth starting: the cores this process may use, at most eight."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    return max(1, min(allowed, MAX_THREADS))


class Encoder:
    """The shipped body, loaded and checked.

    Args:
        folder: a model folder with its manifest; the shipped one by default.
        threads: batches that run side by side; by default the cores this process may use, at most eight.
        window: tokens a passage, the two markers included; at most the body's number of positions.
        batch_tokens: tokens a batch at most (a single longer passage is a batch of its own).
        adapter: merged into the body; none by default.

    Raises:
        Corrupt: a file of the model is damaged or does not match its manifest.
        MissingFile: the folder or its manifest is absent.
        BadInput: a number out of range.
    """

    def __init__(
        self,
        folder: Path = SHIPPED,
        *,
        threads: int | None = None,
        window: int = WINDOW,
        batch_tokens: int = BATCH_TOKENS,
        adapter: Adapter | None = None,
    ) -> None:
        manifest = read_manifest(folder)
        if not 8 <= window <= manifest["positions"]:
            raise BadInput(f"window is {window} tokens; accepted: 8 to {manifest['positions']}")
        if threads is not None and threads < 1:
            raise BadInput(f"threads is {threads}; accepted: 1 or more")
        if batch_tokens < 1:
            raise BadInput(f"batch_tokens is {batch_tokens}; accepted: 1 or more")
        self.name: str = manifest["name"]
        self.fingerprint = _fingerprint(manifest, window)
        if adapter is not None:
            self.name, self.fingerprint = f"{self.name}+{adapter.name}", f"{self.fingerprint}+{adapter.fingerprint}"
        self.width: int = manifest["width"]
        self.threads = threads or sensible_threads()
        self._batch_tokens = batch_tokens
        numbers = _numbers(folder, manifest, adapter)
        self._session = _session(read_checked(folder, "graph.onnx", manifest), numbers)
        self._cutter = Cutter(_tokenizer(folder, manifest), window=window, overlap=min(OVERLAP, window // 4))
        self._owned_pool: tuple[int, ThreadPoolExecutor] | None = None

    @property
    def _pool(self) -> ThreadPoolExecutor:
        """The threads of this process: a fork copies the pool without its threads, and would wait for them forever."""
        if self._owned_pool is None or self._owned_pool[0] != os.getpid():
            self._owned_pool = os.getpid(), ThreadPoolExecutor(self.threads, thread_name_prefix="whyrank-encode")
        return self._owned_pool[1]

    def passages(self, texts: Sequence[str]) -> list[list[Passage]]:
        """The passages of each text, in order; every text has at least one."""
        return self._cutter.passages(texts)

    def tokens(self, texts: Sequence[str]) -> list[tuple[list[int], list[tuple[int, int]]]]:
        """Ids and offsets of each text's tokens, without markers and uncut."""
        return self._cutter.tokens(texts)

    def continuing_pieces(self) -> frozenset[int]:
        """Ids of the word pieces that continue a word ("##ing")."""
        return self._cutter.continuing_pieces()

    def run(self, passages: Sequence[Passage]) -> Iterator[tuple[int, Vectors]]:
        """Token vectors [T, W] of each passage, markers included, with its place in `passages`.

        Longest first, as batches finish; memory holds only the batches in flight. The vectors are the last hidden
        layer, not normalised.
        """
        for places, tokens_BTW in self._in_parallel(self._batches(passages)):
            yield from zip(places, tokens_BTW, strict=True)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors [N, W], one a text: the mean of its token vectors, as all-MiniLM-L6-v2 is trained.

        A text of several passages gets the normalised mean of their unit vectors.
        """
        cut = self.passages(texts)
        owners = [text for text, passages in enumerate(cut) for _ in passages]
        pooled = np.zeros((len(owners), self.width), dtype=np.float32)
        for place, tokens_TW in self.run([p for passages in cut for p in passages]):
            pooled[place] = unit(tokens_TW.mean(axis=0))
        result = np.zeros((len(cut), self.width), dtype=np.float32)
        np.add.at(result, owners, pooled)
        return np.stack([unit(row) for row in result]) if len(cut) else result

    def _batches(self, passages: Sequence[Passage]) -> Iterator[list[tuple[int, Passage]]]:
        """Batches of one exact length, longest first, within the token budget and enough for every thread."""
        total = sum(len(p.ids) for p in passages)
        budget = max(1, min(self._batch_tokens, -(-total // self.threads)))
        ordered = sorted(enumerate(passages), key=lambda item: -len(item[1].ids))
        for length, group in groupby(ordered, key=lambda item: len(item[1].ids)):
            same = list(group)
            size = max(1, budget // length)
            yield from (same[i : i + size] for i in range(0, len(same), size))

    def _forward(self, batch: list[tuple[int, Passage]]) -> tuple[list[int], Vectors]:
        ids_BT = np.array([p.ids for _, p in batch], dtype=np.int64)
        (tokens_BTW,) = self._session.run(None, {"ids": ids_BT})
        return [place for place, _ in batch], tokens_BTW

    def _in_parallel(self, batches: Iterable[list[tuple[int, Passage]]]) -> Iterator[tuple[list[int], Vectors]]:
        if self.threads == 1:
            yield from map(self._forward, batches)
            return
        pool = self._pool
        waiting: set[Future[tuple[list[int], Vectors]]] = set()
        try:
            for batch in batches:
                waiting.add(pool.submit(self._forward, batch))
                if len(waiting) > 2 * self.threads:
                    done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                    yield from (future.result() for future in done)
            while waiting:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        finally:
            for future in waiting:
                future.cancel()


def unit(vector: Vectors) -> Vectors:
    """The vector at length 1 (a zero vector stays zero)."""
    norm = float(np.sqrt(np.dot(vector, vector)))
    return vector / np.float32(norm) if norm > 0 else vector


def _numbers(folder: Path, manifest: dict[str, Any], adapter: Adapter | None) -> dict[str, Array]:
    try:
        stored = load(read_checked(folder, "weights.safetensors", manifest))
        numbers = graph_numbers(stored, manifest["layers"])
    except (SafetensorError, KeyError, ValueError) as error:
        raise Corrupt(f"{folder / 'weights.safetensors'}: does not fit the graph ({error})") from error
    if adapter is None:
        return numbers
    return adapter.merged(numbers, manifest["files"]["weights.safetensors"]["sha256"][:12])


def _session(graph: bytes, numbers: dict[str, Array]) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # The graph is fused where that helps; higher levels would fuse the norms again, which costs a tenth.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    values = [onnxruntime.OrtValue.ortvalue_from_numpy(value) for value in numbers.values()]
    options.add_external_initializers(list(numbers), values)
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def _fingerprint(manifest: dict[str, Any], window: int) -> str:
    """Twelve hexadecimal digits that change with whatever fixes the vectors: the files, the window, the overlap."""
    files = sorted((name, file["sha256"]) for name, file in manifest["files"].items())
    return sha256(repr((files, window, OVERLAP)).encode()).hexdigest()[:12]


def _tokenizer(folder: Path, manifest: dict[str, Any]) -> Tokenizer:
    return Tokenizer.from_buffer(read_checked(folder, "tokenizer.json", manifest))
