"""The body gives a text the same bits whatever its company, and refuses damaged files."""

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from whyrank.encode import engine
from whyrank.encode.engine import Encoder
from whyrank.encode.weights import SHIPPED
from whyrank.errors import BadInput, Corrupt, MissingFile

WORDS = (
    "heat pump moves warm air rain engine why 北京 heute über running 3.14 the of — ½ 😀 [SEP] supercalifragilistic"
).split()


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder(threads=2)


def text(rng: random.Random, longest: int) -> str:
    return " ".join(rng.choices(WORDS, k=rng.randint(0, longest)))


def test_the_vectors_are_those_of_the_published_model(encoder: Encoder) -> None:
    # Cosines of all-MiniLM-L6-v2 in fp32, by sentence-transformers 6.2; 8-bit rows move them by less than 0.01.
    sentences = ["A man is eating food.", "A man is eating a piece of bread.", "The girl is carrying a baby."]
    vectors = encoder.embed(sentences)
    assert vectors.shape == (3, 384)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert vectors[0] @ vectors[1] == pytest.approx(PUBLISHED[0], abs=0.01)
    assert vectors[0] @ vectors[2] == pytest.approx(PUBLISHED[1], abs=0.01)


PUBLISHED = (0.7553, -0.1050)


def test_ten_thousand_shuffles_never_move_a_bit(encoder: Encoder) -> None:
    """10,000 placements of texts in random batches, neighbours, orders, budgets and thread counts."""
    rng = random.Random(0)
    texts = [text(rng, 8) for _ in range(60)] + [text(rng, 400) for _ in range(4)]
    alone = {t: Encoder.embed(encoder, [t])[0].tobytes() for t in texts}
    placed = 0
    while placed < 10_000:
        encoder._batch_tokens = rng.choice([1, 60, 512, 5_000])
        chosen = rng.choices(texts[:60], k=rng.randint(1, 200)) + rng.choices(texts, k=1)
        rng.shuffle(chosen)
        for given, vector in zip(chosen, encoder.embed(chosen), strict=True):
            assert vector.tobytes() == alone[given]
        placed += len(chosen)


def test_token_vectors_do_not_depend_on_the_batch(encoder: Encoder) -> None:
    passages = [p for cut in encoder.passages([f"word {w} again" for w in WORDS] * 3) for p in cut]
    together = dict(encoder.run(passages))
    assert sorted(together) == list(range(len(passages)))
    for place, passage in enumerate(passages):
        [(_, alone)] = encoder.run([passage])
        assert alone.tobytes() == together[place].tobytes()
        assert alone.shape == (len(passage.ids), 384)


@pytest.mark.parametrize("threads", ["1", "2", "3"])
def test_another_process_with_other_threads_gives_the_same_bits(threads: str, encoder: Encoder) -> None:
    code = (
        "from whyrank.encode.engine import Encoder; import sys\n"
        "print(Encoder(threads=int(sys.argv[1])).embed(['why is the sky blue?', 'word ' * 300]).tobytes().hex())"
    )
    environment = os.environ | {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
    out = subprocess.run([sys.executable, "-c", code, threads], capture_output=True, text=True, env=environment)
    assert out.stdout.strip() == encoder.embed(["why is the sky blue?", "word " * 300]).tobytes().hex(), out.stderr


def test_nothing_and_empty_texts(encoder: Encoder) -> None:
    assert encoder.embed([]).shape == (0, 384)
    assert [len(p) for p in encoder.passages(["", " \x00 "])] == [1, 1]
    assert np.isfinite(encoder.embed([""])).all()


def test_hostile_characters_are_read(encoder: Encoder) -> None:
    vectors = encoder.embed(["lone \ud800 surrogate", "lone � surrogate", "‮ right to left", "😀" * 50])
    assert vectors[0].tobytes() == vectors[1].tobytes()
    assert np.isfinite(vectors).all()


def test_a_marker_in_a_text_is_plain_characters(encoder: Encoder) -> None:
    [[forged]] = encoder.passages(["[SEP] [CLS] [PAD] [MASK]"])
    assert not {0, 101, 102, 103} & set(forged.ids[1:-1])


def test_long_texts_are_cut_and_wholly_read(encoder: Encoder) -> None:
    long = " ".join(str(n) for n in range(2_000))
    [passages] = encoder.passages([long])
    covered = {o for p in passages for o in p.offsets}
    assert "".join(long[a:b] for a, b in sorted(covered)) == long.replace(" ", "")
    assert len({len(p.ids) for p in passages}) == 1
    assert engine.WINDOW * 0.8 < len(passages[0].ids) <= engine.WINDOW


@pytest.mark.parametrize("wrong", [{"threads": 0}, {"window": 7}, {"window": 513}, {"batch_tokens": 0}])
def test_numbers_out_of_range_are_named(wrong: Any) -> None:
    with pytest.raises(BadInput, match=f"{next(iter(wrong))} is {next(iter(wrong.values()))}"):
        Encoder(**wrong)


@pytest.fixture
def copy(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "model"
    shutil.copytree(SHIPPED, folder)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize("name", ["graph.onnx", "weights.safetensors", "tokenizer.json"])
def test_a_flipped_bit_a_short_file_and_an_absent_file_are_seen(name: str, copy: Path) -> None:
    whole = (copy / name).read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    (copy / name).write_bytes(flipped)
    with pytest.raises(Corrupt, match=rf"{name}: its sha256"):
        Encoder(copy)
    (copy / name).write_bytes(whole[:-1])
    with pytest.raises(Corrupt, match=rf"{name}: [\d,]+ bytes, the manifest says"):
        Encoder(copy)
    (copy / name).unlink()
    with pytest.raises(Corrupt, match=rf"{name}: cannot be read"):
        Encoder(copy)


def test_a_broken_manifest_is_named(copy: Path) -> None:
    wrong: Any
    manifest = copy / "manifest.json"
    content = json.loads(manifest.read_text())
    for wrong in (content | {"format": 99}, [], {"format": 1}):
        manifest.write_text(json.dumps(wrong))
        with pytest.raises(Corrupt, match="manifest"):
            Encoder(copy)
    manifest.write_text("{")
    with pytest.raises(Corrupt, match="not readable as JSON"):
        Encoder(copy)
    manifest.write_text(json.dumps(content | {"files": {}}))
    with pytest.raises(Corrupt, match="does not name"):
        Encoder(copy)
    manifest.unlink()
    with pytest.raises(MissingFile, match=r"manifest\.json: no such file"):
        Encoder(copy)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_of_a_server_that_has_encoded_can_encode() -> None:
    code = (
        "import os, signal; from whyrank.encode.engine import Encoder\n"
        "encoder = Encoder(threads=2); texts = ['a', 'b c', 'd e f']; before = encoder.embed(texts).tobytes()\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    signal.alarm(60)\n"
        "    os._exit(encoder.embed(texts).tobytes() != before)\n"
        "print(os.waitpid(child, 0)[1])"
    )
    environment = os.environ | {"TOKENIZERS_PARALLELISM": "false"}
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert out.stdout == "0\n"
