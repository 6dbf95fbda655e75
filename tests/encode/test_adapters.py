"""Adapters: the product is exact, a round trip costs little, damage and foreign bodies are refused."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load, load_file, save

from whyrank.encode.adapters import ADAPTERS, EXACT_RANK, Adapter, quantised, shipped_adapter
from whyrank.encode.engine import Encoder
from whyrank.encode.pairs import QUERY, Pair, PairReader
from whyrank.encode.passages import CLS, SEP, Passage
from whyrank.encode.weights import SHIPPED, read_manifest
from whyrank.errors import Corrupt, MissingFile, UnknownName

LIMIT_BYTES = 25_000_000  # body and adapter together
PAIRS = [
    Pair("why is the sky blue", "Air scatters short waves more. So the sky looks blue by day."),
    Pair("why is the sky blue", "Bread goes stale."),
    Pair("what is bread", "Bread goes stale."),
    Pair("why is the sky blue", ""),
    Pair("sky " * 300, "The sky is wide. " * 200),
]


def test_product_is_exact_in_whole_numbers() -> None:
    rng = np.random.default_rng(0)
    a = rng.integers(-127, 128, (40, 32)).astype(np.int8)
    b = rng.integers(-127, 128, (32, 50)).astype(np.int8)
    a[0], b[:, 0] = 127, 127
    tensors: dict[str, Any] = {
        "0.up.a": a, "0.up.a.scale": np.full((40, 1), 0.5, np.float32),
        "0.up.b": b, "0.up.b.scale": np.full((1, 50), 0.25, np.float32),
    }  # fmt: skip
    merged = Adapter("x", "f", {"body": "b"}, tensors).merged({"0.up.weight": np.zeros((40, 50), np.float32)}, "b")
    assert np.array_equal(merged["0.up.weight"] * 8, a.astype(np.int64) @ b.astype(np.int64))
    assert EXACT_RANK >= 32


def test_rounding_to_eight_bits_changes_a_product_by_a_percent() -> None:
    rng = np.random.default_rng(1)
    factors = {
        "0.qkv.a": rng.normal(size=(60, 8)) * np.geomspace(1, 1e-3, 8), "0.qkv.b": rng.normal(size=(8, 90)),
        "head.relevance": rng.normal(size=60), "head.evidence": rng.normal(size=60),
    }  # fmt: skip
    tensors = quantised(factors)
    # Stored and read again, since a file holds rows one after the other, whatever they were in memory.
    again = load(save(tensors))
    product = Adapter("x", "f", {}, again)._product("0.qkv")
    exact = factors["0.qkv.a"] @ factors["0.qkv.b"]
    assert np.linalg.norm(product - exact) < 0.012 * np.linalg.norm(exact)
    assert np.allclose(again["head.relevance"], factors["head.relevance"], atol=1e-6)


@pytest.mark.parametrize("name", ["research", "open"])
def test_what_ships_is_whole_small_and_says_its_terms(name: str) -> None:
    adapter = shipped_adapter(name)
    body = read_manifest(SHIPPED)
    size = sum(f["bytes"] for f in body["files"].values()) + sum(f["bytes"] for f in adapter.manifest["files"].values())
    assert size <= LIMIT_BYTES
    assert adapter.manifest["terms"]
    card = (ADAPTERS / name / "README.md").read_text(encoding="utf-8")
    assert adapter.manifest["terms"] in card
    assert json.loads((ADAPTERS / name / "log.jsonl").read_text().splitlines()[-1])["pairs"] > 1000


def test_an_adapter_for_the_evidence_is_read_with_the_student_and_checked_alike(tmp_path: Path) -> None:
    folder = tmp_path / "both"
    shutil.copytree(ADAPTERS / "research", folder)
    adapter = Adapter.load(folder)
    assert adapter.evidence is not None
    assert (adapter.evidence.name, adapter.evidence.manifest) == (adapter.name, adapter.manifest)
    bodies = [Encoder(threads=1, adapter=one) for one in (None, adapter, adapter.evidence)]
    assert len({body.fingerprint for body in bodies}) == 3
    assert len({body.embed(["why is the sky blue"]).tobytes() for body in bodies}) == 3
    manifest = json.loads((folder / "manifest.json").read_text())
    alone = {"files": {"adapter.safetensors": manifest["files"]["adapter.safetensors"]}}
    (folder / "manifest.json").write_text(json.dumps(manifest | alone))
    assert Adapter.load(folder).evidence is None
    (folder / "manifest.json").write_text(json.dumps(manifest))
    content = bytearray((folder / "evidence.safetensors").read_bytes())
    content[-1] ^= 1
    (folder / "evidence.safetensors").write_bytes(bytes(content))
    with pytest.raises(Corrupt, match=r"evidence\.safetensors.*sha256"):
        Adapter.load(folder)
    (folder / "evidence.safetensors").unlink()
    with pytest.raises(Corrupt, match=r"evidence\.safetensors"):
        Adapter.load(folder)


def rewritten(folder: Path, tensors: dict[str, Any], file: str = "adapter.safetensors") -> Path:
    """The folder of a shipped student with other tensors in one file, and a manifest that says so."""
    shutil.copytree(ADAPTERS / "research", folder)
    (folder / file).write_bytes(save(tensors))
    manifest = json.loads((folder / "manifest.json").read_text())
    told = {"bytes": (folder / file).stat().st_size, "sha256": hashlib.sha256((folder / file).read_bytes()).hexdigest()}
    manifest["files"][file] = told
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


@pytest.mark.parametrize("file", ["adapter.safetensors", "evidence.safetensors"])
@pytest.mark.parametrize(
    "change",
    [
        {"0.up.b": None},
        {"0.up.a.scale": None},
        {"0.up.a": np.ones((384, 20), np.float32)},
        {"0.up.a": np.ones((384, 7), np.int8)},
        {"0.up.b.scale": np.ones((1, 3), np.float16)},
        {"0.up.b.scale": np.full((1, 1536), np.nan, np.float16)},
    ],
)
def test_factors_that_do_not_fit_are_named_and_refused(tmp_path: Path, file: str, change: dict[str, Any]) -> None:
    tensors = {n: t for n, t in (load_file(ADAPTERS / "research" / file) | change).items() if t is not None}
    with pytest.raises(Corrupt, match=file.replace(".", r"\.")):
        Adapter.load(rewritten(tmp_path / "odd", tensors, file))


def test_an_adapter_without_factors_or_of_another_shape_is_refused(tmp_path: Path) -> None:
    heads = {f"head.{name}": np.zeros(384, np.float32) for name in ("relevance", "evidence")}
    with pytest.raises(Corrupt, match="factors"):
        Adapter.load(rewritten(tmp_path / "none", heads))
    tensors = load_file(ADAPTERS / "research" / "evidence.safetensors")
    moved = {name.replace("5.up", "6.up"): tensor for name, tensor in tensors.items()}
    foreign = Adapter.load(rewritten(tmp_path / "foreign", moved, "evidence.safetensors"))
    with pytest.raises(Corrupt, match=r"changes '6\.up'"):
        Encoder(adapter=foreign.evidence)
    main = load_file(ADAPTERS / "research" / "adapter.safetensors")
    wide = main | {name: np.zeros(385, np.float32) for name in heads}
    with pytest.raises(Corrupt, match="heads of shape"):
        PairReader(Adapter.load(rewritten(tmp_path / "wide", wide)))


@pytest.mark.parametrize(
    "changed", [{"files": ["x"]}, {"files": None}, {"files": {"adapter.safetensors": 3}}, {"name": 3}]
)
def test_a_manifest_that_says_something_else_is_refused(tmp_path: Path, changed: dict[str, object]) -> None:
    folder = tmp_path / "odd"
    shutil.copytree(ADAPTERS / "open", folder)
    manifest = json.loads((folder / "manifest.json").read_text()) | changed
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(Corrupt):
        Adapter.load(folder)


def test_fewer_directions_keep_the_strongest() -> None:
    rng = np.random.default_rng(2)
    left, right = np.linalg.qr(rng.normal(size=(60, 8)))[0], np.linalg.qr(rng.normal(size=(90, 8)))[0]
    strength = np.array([8.0, 7, 6, 5, 0.1, 0.1, 0.1, 0.1])
    cut = quantised({"0.qkv.a": left * strength, "0.qkv.b": right.T}, rank=4)
    assert cut["0.qkv.a"].shape == (60, 4)
    product, exact = Adapter("x", "f", {}, cut)._product("0.qkv"), (left * strength) @ right.T
    assert np.linalg.norm(product - exact) < 0.03 * np.linalg.norm(exact)


def test_a_matrix_that_changes_more_gets_the_room_of_one_that_changes_less() -> None:
    rng = np.random.default_rng(3)
    factors = {f"{n}.up.{f}": rng.normal(size=shape) for n in "012" for f, shape in (("a", (60, 8)), ("b", (8, 90)))}
    factors["0.up.a"] *= 100
    factors["1.up.a"] *= 1e-6
    kept = {n: quantised(factors, rank=4)[f"{n}.up.a"].shape[1] for n in "012"}
    assert kept == {"0": 8, "1": 1, "2": 3}
    assert [quantised(factors, rank=1)[f"{n}.up.a"].shape[1] for n in "012"] == [1, 1, 1]
    assert [quantised(factors)[f"{n}.up.a"].shape[1] for n in "012"] == [8, 8, 8]


def test_of_directions_as_strong_those_of_the_smaller_matrix_are_kept() -> None:
    strength = np.array([8.0, 7, 6, 5])
    factors = {f"0.{n}.{f}": np.eye(size, 4) for n, size in (("up", 90), ("qkv", 10)) for f in "ab"}
    factors = {n: (t * strength if n.endswith(".a") else t.T) for n, t in factors.items()}
    kept = {n: quantised(factors, rank=2)[f"0.{n}.a"].shape[1] for n in ("up", "qkv")}
    assert kept == {"up": 1, "qkv": 4}


def test_an_unknown_name_lists_the_known() -> None:
    with pytest.raises(UnknownName, match=r"no student called 'reserch'.*research"):
        shipped_adapter("reserch")


def test_damage_and_other_bodies_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "open"
    shutil.copytree(ADAPTERS / "open", folder)
    with pytest.raises(MissingFile):
        Adapter.load(tmp_path / "none")
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"body": "another"}))
    with pytest.raises(Corrupt, match=r"trained on the body another, and this one is"):
        Encoder(adapter=Adapter.load(folder))
    file = folder / "adapter.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(bytes(content))
    with pytest.raises(Corrupt, match="sha256"):
        Adapter.load(folder)
    tensors = load_file(ADAPTERS / "open" / "adapter.safetensors")
    del tensors["head.evidence"]
    file.write_bytes(save(tensors))
    told = {"bytes": file.stat().st_size, "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
    (folder / "manifest.json").write_text(json.dumps(manifest | {"files": {file.name: told}}))
    with pytest.raises(Corrupt, match="holds no adapter"):
        Adapter.load(folder)


def test_a_pair_is_read_the_same_in_any_company() -> None:
    reader, alone = PairReader("open", threads=2), PairReader("open", threads=1)
    together = sorted(((i, p.score, p.pointing.tobytes(), p.offsets) for i, p in reader.read(PAIRS)), key=repr)
    apart = sorted(
        ((i, p.score, p.pointing.tobytes(), p.offsets) for i, one in enumerate(PAIRS) for _, p in alone.read([one])),
        key=repr,
    )
    assert together == apart
    by_pair = {i: [row for row in together if row[0] == i] for i in range(len(PAIRS))}
    assert [len(rows) for rows in by_pair.values()][:4] == [1, 1, 1, 0]
    assert len(by_pair[4]) > 1
    assert by_pair[0][0][1] > by_pair[1][0][1]


def test_heads_read_what_they_learnt_to_read() -> None:
    adapter = shipped_adapter("open")
    encoder = Encoder(threads=1, adapter=adapter)
    (query, _), (text, offsets) = encoder.tokens(PAIRS[0])
    ids = (CLS, *query, SEP, *text, SEP)
    [(_, vectors_TW)] = encoder.run([Passage(ids, tuple(offsets))])
    [(_, piece)] = PairReader(adapter, threads=1).read(PAIRS[:1])
    assert piece.score == pytest.approx(float(vectors_TW.mean(axis=0) @ adapter.tensors["head.relevance"]), abs=1e-5)
    own = vectors_TW[len(query) + 2 : -1] @ adapter.tensors["head.evidence"]
    assert np.allclose(piece.pointing, own, atol=1e-5)
    assert piece.offsets == tuple(offsets)


def test_query_and_document_are_both_read() -> None:
    reader = PairReader("open", threads=1)
    pieces = dict(reader.read(PAIRS[:3]))
    assert len({piece.score for piece in pieces.values()}) == 3
    assert pieces[0].offsets[0] == (0, 3)
    assert pieces[0].tokens == len(pieces[0].offsets) + len("why is the sky blue".split()) + 3
    cut, *_ = (piece for _, piece in reader.read(PAIRS[4:]))
    assert cut.tokens - len(cut.offsets) == QUERY + 3


def test_threads_of_blas_never_move_a_bit() -> None:
    code = (
        "from whyrank.encode.pairs import Pair, PairReader\n"
        "text = 'warm rain falls on the roof of the house. ' * 12\n"
        "[(_, piece)] = PairReader('open', threads=1).read([Pair('why does rain fall', text)])\n"
        "print(piece.score.hex(), piece.pointing.tobytes().hex())"
    )
    seen = set()
    for threads in ("1", "3"):
        environment = os.environ | {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
        out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
        seen.add(out.stdout)
    assert len(seen) == 1
