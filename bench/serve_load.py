"""A server under load: ours against plain FastAPI around a CrossEncoder of sentence-transformers with the same weights.

    python bench/serve_load.py [--clients 64] [--documents 20] [--seconds 30]
    python bench/serve_load.py --soak MINUTES    1 % of the requests wrong, 1 % broken off: 5xx, lost answers, memory
    python bench/serve_load.py --overload 5      five times what it can answer: statuses, times, recovery

The last two strain `whyrank serve` as it comes, and end with 1 where a figure is not what it must be. The first has
three servers, each a process of its own, one after the other on the same machine:

    peer      FastAPI, one lock, CrossEncoder.predict: the student's merged body, mean pooling, its head (torch, fp32)
    same      whyrank serve with a ranker that computes that function and nothing else
    default   whyrank serve as it comes: the same, and the evidence beside it, which doubles the work

The scores of peer and same are compared before anything is timed. The documents are those of the demo, each with a mark
of its request, so that none is read for two. Besides wall time the processor time of each server is told: on a machine
that others load, only that can be compared.
"""

import argparse
import asyncio
import os
import platform
import random
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.metadata import version
from itertools import count
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

import httpx
import numpy as np
from serve_strain import overload, soak, started

from whyrank.datasets.demo import load_demo
from whyrank.encode.adapters import shipped_adapter
from whyrank.encode.pairs import Pair, PairReader
from whyrank.encode.weights import SHIPPED, read_manifest
from whyrank.rankers.outcome import in_order
from whyrank.types import Progress, Ranking, Usage

SERVERS = ("peer", "same", "default")
SEED = 7
MAX_TOKENS = 256


NOTHING = -100.0  # of a text without tokens: below any logit


class Same:
    """The student alone, as `PairReader` reads: what the peer computes."""

    name = "student-alone"

    def __init__(self) -> None:
        self._reader = PairReader("research")

    def rerank_many(
        self, rankings: Sequence[Ranking], *, depth: int | None = None, progress: Progress | None = None
    ) -> list[Ranking]:
        """Rerank each list."""
        pairs = [Pair(r.query.text, hit.document.full_text) for r in rankings for hit in r.hits[:depth]]
        found = dict.fromkeys(range(len(pairs)), NOTHING)
        for place, piece in self._reader.read(pairs):
            found[place] = max(found[place], piece.score)
            if progress:
                progress(place, len(pairs))
        scores = iter(found.values())
        return [in_order(r, [next(scores) for _ in r.hits[:depth]], ranker=self.name, usage=Usage()) for r in rankings]


def cross_encoder(folder: Path) -> Any:
    """The student as sentence-transformers would have it; both segments share the vector that ours is trained with."""
    import torch
    from sentence_transformers import CrossEncoder
    from sentence_transformers.base.modules import Dense, Transformer
    from sentence_transformers.sentence_transformer.modules import Pooling
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    state = _state()
    width, vocabulary = state["embeddings.word_embeddings.weight"].shape[::-1]
    config = BertConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        num_hidden_layers=read_manifest(SHIPPED)["layers"],
        num_attention_heads=12,
        intermediate_size=4 * width,
    )
    body = BertModel(config, add_pooling_layer=False)
    missing, strange = body.load_state_dict({k: torch.from_numpy(v) for k, v in state.items()}, strict=False)
    assert not strange, strange
    assert all(name.endswith("position_ids") for name in missing), missing
    body.save_pretrained(folder)
    special = {"cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]", "unk_token": "[UNK]"}
    tokenizer: Any = PreTrainedTokenizerFast
    tokenizer(tokenizer_file=str(SHIPPED / "tokenizer.json"), **special).save_pretrained(folder)
    identity = torch.nn.Identity()
    head = Dense(width, 1, bias=False, activation_function=identity, module_output_name="scores")
    head.linear.weight.data = torch.from_numpy(shipped_adapter("research").tensors["head.relevance"])[None].float()
    parts = [Transformer(str(folder), max_seq_length=MAX_TOKENS), Pooling(width, "mean"), head]
    return CrossEncoder(modules=parts, device="cpu", activation_fn=identity)


def _state() -> dict[str, Any]:
    """The merged numbers of the shipped student, by Hugging Face's names."""
    from whyrank.train.body import shipped_numbers

    manifest = read_manifest(SHIPPED)
    own = {name: tensor.numpy() for name, tensor in shipped_numbers().items()}
    own = shipped_adapter("research").merged(own, manifest["files"]["weights.safetensors"]["sha256"][:12])
    state = {
        "embeddings.word_embeddings.weight": own["word"],
        "embeddings.position_embeddings.weight": own["position"],  # the segment's vector is in it
        "embeddings.token_type_embeddings.weight": np.zeros((2, own["word"].shape[1]), np.float32),
        "embeddings.LayerNorm.weight": own["norm.weight"],
        "embeddings.LayerNorm.bias": own["norm.bias"],
    }
    for n in range(manifest["layers"]):
        layer = f"encoder.layer.{n}."
        heads = [f"{layer}attention.self.{part}" for part in ("query", "key", "value")]
        for name, weight in zip(heads, np.split(own[f"{n}.qkv.weight"], 3, axis=1), strict=True):
            state[f"{name}.weight"] = weight.T
        for name, bias in zip(heads, np.split(own[f"{n}.qkv.bias"], 3), strict=True):
            state[f"{name}.bias"] = bias
        dense = {"up": "intermediate.dense", "attention": "attention.output.dense", "down": "output.dense"}
        for ours, theirs in dense.items():
            state[f"{layer}{theirs}.weight"] = own[f"{n}.{ours}.weight"].T
            state[f"{layer}{theirs}.bias"] = own[f"{n}.{ours}.bias"]
        for ours, theirs in (("attention", "attention.output"), ("down", "output")):
            for part in ("weight", "bias"):
                state[f"{layer}{theirs}.LayerNorm.{part}"] = own[f"{n}.{ours}.norm.{part}"]
    return {name: np.ascontiguousarray(value, np.float32) for name, value in state.items()}


def serve(which: str, limits: dict[str, float]) -> None:
    """Be one of the servers, on a free port that is printed."""
    from whyrank.serve.app import create_app
    from whyrank.serve.running import Server, address, listening
    from whyrank.serve.settings import Limits, Served, ServeSettings

    served = {"same": (Served(name="same"),)}.get(which, (Served(),))
    settings = ServeSettings(port=0, models=served, limits=Limits.model_validate(limits))
    if which == "peer":
        _serve_peer()
        return
    app = create_app(settings, rankers={"same": Same()} if which == "same" else None)
    with listening(settings) as listener:
        Server(app, settings, lambda: print(address(listener), flush=True)).run([listener])


def _serve_peer() -> None:
    import socket

    import uvicorn
    from fastapi import FastAPI
    from pydantic import BaseModel

    class Body(BaseModel):
        query: str
        documents: list[str]

    with tempfile.TemporaryDirectory() as folder:
        model, lock, app = cross_encoder(Path(folder)), Lock(), FastAPI()

        def rerank(body: Body) -> dict[str, Any]:
            with lock:  # many threads in torch at once are slower still
                scores = model.predict([(body.query, text) for text in body.documents], show_progress_bar=False)
            order = sorted(range(len(scores)), key=lambda place: -scores[place])
            return {"results": [{"index": place, "score": float(scores[place])} for place in order]}

        app.post("/rerank")(rerank)
        listener = socket.create_server(("127.0.0.1", 0))
        print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
        uvicorn.Server(uvicorn.Config(app, log_level="warning")).run([listener])


class Load(NamedTuple):
    """What a server did under load."""

    answers: int
    per_s: float
    p50_s: float
    p99_s: float
    cpu_s: float


async def load(url: str, process: int, bodies: Sequence[dict[str, Any]], clients: int, seconds: float) -> Load:
    """Every client asks again as soon as it is answered, until the time is over."""
    times: list[float] = []
    limits = httpx.Limits(max_connections=clients)
    async with httpx.AsyncClient(base_url=url, timeout=600, limits=limits) as client:
        cpu, started = processor_s(process), time.perf_counter()

        async def ask(number: int) -> None:
            rng = random.Random(number)
            for turn in count():
                if time.perf_counter() - started >= seconds:
                    return
                body = unshared(rng.choice(bodies), f"{number}.{turn}")
                begun = time.perf_counter()
                answer = await client.post("/rerank", json=body)
                assert answer.status_code == 200, answer.text
                times.append(time.perf_counter() - begun)

        await asyncio.gather(*(ask(number) for number in range(clients)))
        wall, cpu = time.perf_counter() - started, processor_s(process) - cpu
    p50, p99 = np.quantile(times, [0.5, 0.99])
    return Load(len(times), len(times) / wall, float(p50), float(p99), cpu / len(times))


def unshared(body: dict[str, Any], mark: str) -> dict[str, Any]:
    """The request with texts that no other has: what several requests of a turn share, whyrank reads once."""
    return {**body, "documents": [f"{text} {mark}" for text in body["documents"]]}


def processor_s(process: int) -> float:
    """Seconds of processor time that a process has used."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def drawn(requests: int, documents: int) -> list[dict[str, Any]]:
    """Requests: a query of the demo, and texts of its documents."""
    demo, rng = load_demo(), random.Random(SEED)
    texts = [re.sub(r"\s+", " ", document.text) for document in demo.documents]
    queries = [query.text for query in demo.queries]
    return [{"query": rng.choice(queries), "documents": rng.sample(texts, documents)} for _ in range(requests)]


def measured(which: str, bodies: Sequence[dict[str, Any]], given: argparse.Namespace) -> tuple[Load, list[float]]:
    """The load of one server, and its scores of the first request by document."""
    with started(which) as server:
        first = httpx.post(f"{server.url}/rerank", json=bodies[0], timeout=600).json()["results"]
        scores = [result["score"] for result in sorted(first, key=lambda result: result["index"])]
        return asyncio.run(load(server.url, server.process, bodies, given.clients, given.seconds)), scores


def main() -> None:
    """Print what is measured."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--serve", choices=SERVERS)
    parser.add_argument("--wait-s", type=float)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--documents", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--soak", type=float, metavar="MINUTES")
    parser.add_argument("--overload", type=float, metavar="TIMES")
    given = parser.parse_args()
    if given.serve:
        serve(given.serve, {"seconds": 600} if given.wait_s is None else {"wait_s": given.wait_s})
        return
    bodies = drawn(50, given.documents)
    if given.soak:
        with started("default") as server:
            sys.exit(not asyncio.run(soak(server, bodies, given.clients, 60 * given.soak)))
    if given.overload:
        sys.exit(not overload(bodies, given.overload, given.seconds))
    compare(bodies, given)


def compare(bodies: Sequence[dict[str, Any]], given: argparse.Namespace) -> None:
    """Print the table of the three servers."""
    names = ("fastapi", "uvicorn", "sentence-transformers", "torch", "onnxruntime")
    print(f"python {platform.python_version()}, " + ", ".join(f"{name} {version(name)}" for name in names))
    load_1 = os.getloadavg()[0]
    print(f"{given.clients} clients × {given.documents} documents, {os.cpu_count()} cores, load average {load_1:.1f}")
    print(f"{'':10}{'answers':>9}{'answers/s':>11}{'p50 s':>9}{'p99 s':>9}{'CPU s/answer':>14}")
    found, scores = {}, {}
    for which in SERVERS:
        found[which], scores[which] = measured(which, bodies, given)
        own = found[which]
        print(
            f"{which:10}{own.answers:9}{own.per_s:11.2f}{own.p50_s:9.2f}{own.p99_s:9.2f}{own.cpu_s:14.3f}", flush=True
        )
    print(f"scores of peer and same differ by at most {np.abs(np.subtract(scores['peer'], scores['same'])).max():.1e}")
    for which in SERVERS[1:]:
        ours, peer = found[which], found["peer"]
        print(
            f"{which} over peer: throughput {ours.per_s / peer.per_s:.2f}, p99 {ours.p99_s / peer.p99_s:.2f}, "
            f"CPU {ours.cpu_s / peer.cpu_s:.2f}"
        )


if __name__ == "__main__":
    main()
