"""Adapters over the shipped body: what distillation changes of it, in a megabyte instead of a body of its own.

An adapter adds a product of two thin matrices to each of the body's, and brings heads that read its token vectors
(Hu et al., 2021). Both factors are whole numbers of 8 bits with a scale a row and a column, so that their product is
exact in fp32 in any order of summing: the merged body is the same bits on any machine and any number of threads.

    manifest.json         the name, the body it belongs to, terms, how what it says is weighed, sizes and sha256
    adapter.safetensors   "<matrix>.a" int8 [in, rank] with ".a.scale" fp16 [in, 1]; ".b" int8 [rank, out] with
                          ".b.scale" fp16 [1, out]; "head.relevance" and "head.evidence" fp32 [width]
    evidence.safetensors  if the student brings one: factors alone, of a second adapter for what the evidence compares
    README.md             the model card
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load

from whyrank.encode.weights import Array, read_checked, read_manifest
from whyrank.errors import Corrupt, unknown

ADAPTERS = Path(__file__).parent / "students"
MAIN, EVIDENCE = "adapter.safetensors", "evidence.safetensors"
FILES = frozenset({MAIN})
EXACT_RANK = (1 << 24) // 127**2  # products of that many numbers of 8 bits still sum exactly in fp32


@dataclass(frozen=True, slots=True)
class Adapter:
    """An adapter, loaded and checked.

    Attributes:
        name: of the adapter.
        fingerprint: twelve hexadecimal digits that change with any bit of its file; `evidence` has its own.
        manifest: what its maker says of it.
        tensors: factors, scales and heads.
        evidence: the adapter for what the evidence compares; None where that is the body as it is.
    """

    name: str
    fingerprint: str
    manifest: Mapping[str, Any]
    tensors: Mapping[str, Array]
    evidence: "Adapter | None" = None

    @classmethod
    def load(cls, folder: Path) -> "Adapter":
        """Read a folder.

        Raises:
            MissingFile: there is no such adapter.
            Corrupt: a file is damaged, or does not hold what an adapter holds.
        """
        manifest = read_manifest(folder, FILES)
        evidence = cls._read(folder, EVIDENCE, manifest, ()) if EVIDENCE in manifest["files"] else None
        return replace(cls._read(folder, MAIN, manifest, ("relevance", "evidence")), evidence=evidence)

    @classmethod
    def _read(cls, folder: Path, file: str, manifest: Mapping[str, Any], heads: Sequence[str]) -> "Adapter":
        path = folder / file
        try:
            tensors = load(read_checked(folder, file, manifest))
            matrices = [name.removesuffix(".a") for name in tensors if name.endswith(".a")]
            are_factors = bool(matrices) and all(_are_factors(tensors, matrix) for matrix in matrices)
            widths = {tensors[f"head.{name}"].shape for name in heads}
        except (SafetensorError, KeyError, ValueError, IndexError) as error:
            raise Corrupt(f"{path}: holds no adapter ({error}); reinstall whyrank or restore the model") from error
        if not (are_factors and len(widths) == min(len(heads), 1) and isinstance(manifest.get("name"), str)):
            raise Corrupt(f"{path}: not the name, factors and heads of an adapter of this format; reinstall whyrank")
        fingerprint = sha256(repr(manifest["files"][file]).encode()).hexdigest()[:12]
        return cls(manifest["name"], fingerprint, manifest, tensors)

    def merged(self, numbers: Mapping[str, Array], body: str) -> dict[str, Array]:
        """The body's numbers with this adapter in them.

        Args:
            numbers: of the body, by the graph's names.
            body: the fingerprint of the body's files.

        Raises:
            Corrupt: the adapter was trained on another body.
        """
        if self.manifest.get("body") != body:
            raise Corrupt(
                f"the adapter {self.name!r} was trained on the body {self.manifest.get('body')}, and this one is "
                f"{body}; use the two that belong together"
            )
        result = dict(numbers)
        for name in (n.removesuffix(".a") for n in self.tensors if n.endswith(".a")):
            product, matrix = self._product(name), numbers.get(f"{name}.weight")
            if matrix is None or matrix.shape != product.shape:
                raise Corrupt(
                    f"the adapter {self.name!r} changes {name!r}, of shape {product.shape}; the body has none"
                )
            result[f"{name}.weight"] = matrix + product
        return result

    def _product(self, matrix: str) -> Array:
        a, b = (self.tensors[f"{matrix}.{factor}"].astype(np.float32) for factor in "ab")
        scales = np.multiply(self.tensors[f"{matrix}.a.scale"], self.tensors[f"{matrix}.b.scale"], dtype=np.float32)
        return np.asarray((a @ b) * scales, dtype=np.float32)


def _are_factors(tensors: Mapping[str, Array], matrix: str) -> bool:
    """Whether these are two factors of whole numbers and their scales, whose product is exact."""
    a, b = tensors[f"{matrix}.a"], tensors[f"{matrix}.b"]
    scales = tensors[f"{matrix}.a.scale"], tensors[f"{matrix}.b.scale"]
    return (
        a.dtype == b.dtype == np.int8
        and a.shape[1] == b.shape[0] <= EXACT_RANK
        and [scale.shape for scale in scales] == [(a.shape[0], 1), (1, b.shape[1])]
        and all(bool(np.isfinite(scale).all()) for scale in scales)
    )


def shipped_adapter(name: str) -> Adapter:
    """An adapter that comes with whyrank.

    Raises:
        UnknownName: there is none of this name.
    """
    known = sorted(path.parent.name for path in ADAPTERS.glob("*/manifest.json"))
    if name not in known:
        raise unknown("student", name, known)
    return Adapter.load(ADAPTERS / name)


class _Directions(NamedTuple):
    """What a pair of factors does, direction by direction, the largest first: left · diag(values) · right."""

    left: Array
    values: Array
    right: Array

    @classmethod
    def of(cls, a: Array, b: Array) -> "_Directions":
        (qa, ra), (qb, rb) = np.linalg.qr(a.astype(np.float64)), np.linalg.qr(b.T.astype(np.float64))
        left, values, right = np.linalg.svd(ra @ rb.T)
        return cls(qa @ left, values, right @ qb.T)

    @property
    def size(self) -> int:
        """Numbers that one direction takes."""
        return int(self.left.shape[0] + self.right.shape[1])


def quantised(factors: Mapping[str, Array], rank: int = EXACT_RANK) -> dict[str, Array]:
    """The factors and heads of a training run as an adapter stores them.

    Each pair of factors is first turned so that both share the product's scale evenly and the directions that matter
    most come first (its singular vectors). No more of them are kept than `rank` of each matrix would take room: one of
    each, and those whose squared singular values are the largest for the room that they take. Elementwise rounding
    does the rest.
    """
    result: dict[str, Array] = {n: t.astype(np.float32) for n, t in factors.items() if n.startswith("head.")}
    names = [n.removesuffix(".a") for n in factors if n.endswith(".a")]
    turned = {name: _Directions.of(factors[f"{name}.a"], factors[f"{name}.b"]) for name in names}
    for name, kept in _kept(turned, rank).items():
        one = turned[name]
        root = np.sqrt(one.values[:kept])
        for factor, product, axis in (
            ("a", one.left[:, :kept] * root, 1),
            ("b", root[:, None] * one.right[:kept], 0),
        ):
            scale = (np.abs(product).max(axis=axis, keepdims=True) / 127).astype(np.float16)
            scale[scale == 0] = 1
            rows = np.clip(np.rint(product / scale.astype(np.float64)), -127, 127)
            result[f"{name}.{factor}"] = rows.astype(np.int8, order="C")
            result[f"{name}.{factor}.scale"] = np.ascontiguousarray(scale)
    return result


def _kept(turned: Mapping[str, _Directions], rank: int) -> dict[str, int]:
    """How many directions of each matrix are kept."""
    kept = dict.fromkeys(turned, 1)
    room = (rank - 1) * sum(one.size for one in turned.values())
    others = ((value**2 / one.size, name) for name, one in turned.items() for value in one.values[1:])
    for _, name in sorted(others, reverse=True):
        if turned[name].size <= room:
            kept[name] += 1
            room -= turned[name].size
    return kept
