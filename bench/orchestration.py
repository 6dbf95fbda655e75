"""What whyrank itself costs around a language model that takes no time, beside RankLLM, in one run.

    OMP_NUM_THREADS=1 python bench/orchestration.py [--peer CHECKOUT] [--peer-python PYTHON] [--profile]

Listwise, sliding window of 20 by 10 over 100 documents, the same prompt on both sides (RankLLM's default), no
tokenizer on either. The model picks its answer by the checksum of the prompt it is shown, so equal orders mean that
both sides rendered the same text in every window. Documents are made up by a seed. The other side runs in an
environment of its own, which needs a checkout of castorini/rank_llm, its few light requirements and nothing else:

    python -m venv PEER && PEER/bin/python -m pip install tqdm PyYAML dacite ftfy
    python bench/orchestration.py --peer CHECKOUT --peer-python PEER/bin/python

Rounds alternate between the sides. "One" hands over one query at a time, "batch" all of them in one call: RankLLM's
`sliding_windows` and `rerank_batch`. The ratio that counts sets its faster way against our slower one. Times are CPU
time, for nothing waits; where queries are timed one by one, the best round of each is summed.
"""

import argparse
import cProfile
import json
import os
import platform
import pstats
import random
import statistics
import subprocess
import sys
import time
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

import whyrank
from whyrank.errors import ModelError
from whyrank.lm.base import Capability, Generate, OnReply, Reply, Request, Tokens
from whyrank.lm.estimate import EstimatedTokens
from whyrank.prompts import load
from whyrank.rankers.algorithms import algorithm
from whyrank.rankers.asking import LMReranker
from whyrank.rankers.listwise import Written
from whyrank.rankers.matter import Showing
from whyrank.types import Document, Query, Ranking, Usage

SEED = 4
DOCUMENTS = 100
WORDS = 60
WINDOW = 20
ANSWERS = 64
"""Different answers of the model."""
ONE_ACCENT_IN = 50
"""Words of the accented texts that hold a letter outside ASCII, for which RankLLM's ftfy takes longer."""
CONTROLS = ("<s>", "</s>", "<|im_start|>", "<|im_end|>")
LIMIT_MS = 0.5
LIMIT_RATIO = 5.0
WAYS = ("one", "batch")
ESTIMATING = "whyrank*"

Workload = list[dict[str, Any]]


class Measured(NamedTuple):
    """One round of one side, for each of `WAYS`: CPU seconds of each part that is timed, and the orders."""

    seconds: list[list[float]]
    orders: list[list[list[str]]]
    calls: int


class Taken(NamedTuple):
    """Seconds for all queries: the sum, over the parts, of the best and of the median round."""

    best: float
    median: float


class Uncounted:
    """No tokenizer: every text has no tokens."""

    is_exact: bool = True

    def count(self, _text: str) -> int:
        """0."""
        return 0

    def cut(self, text: str, _limit: int) -> str:
        """All of it."""
        return text


class ZeroLatency:
    """Answers at once; which answer follows from the prompt."""

    name: str = "zero-latency"
    capabilities: frozenset[Capability] = frozenset({Capability.GENERATE})
    context: int | None = None
    controls: tuple[str, ...] = CONTROLS

    def __init__(self, answers: Sequence[str], tokens: Tokens) -> None:
        self.tokens = tokens
        self._replies = [Reply(answer, usage=Usage(calls=1)) for answer in answers]
        self.calls = 0

    def ask(self, requests: Sequence[Request], on_reply: OnReply | None = None) -> list[Reply | ModelError]:
        """An answer from the list for each request."""
        self.calls += len(requests)
        replies: list[Reply | ModelError] = []
        for place, request in enumerate(requests):
            assert isinstance(request, Generate)
            assert not isinstance(request.prompt, str)
            reply = self._replies[zlib.crc32(request.prompt[-1].text.encode()) % len(self._replies)]
            replies.append(reply)
            if on_reply is not None:
                on_reply(place, reply)
        return replies


class Ours:
    """This side."""

    def __init__(self, workloads: dict[str, Workload], answers: Sequence[str], tokens: Tokens) -> None:
        self._rankings = {name: [_ranking(query) for query in workload] for name, workload in workloads.items()}
        self.model = ZeroLatency(answers, tokens)
        template = load("rankzephyr")
        self.reranker = LMReranker(self.model, Written(template), algorithm("sliding-window"), Showing(template))

    def measured(self, name: str) -> Measured:
        """One round."""
        rankings = self._rankings[name]
        self.model.calls = 0
        single, orders = self._timed([[ranking] for ranking in rankings])
        calls = self.model.calls
        batch, orders_in_batch = self._timed([rankings])
        return Measured([single, batch], [orders, orders_in_batch], calls)

    def _timed(self, parts: list[list[Ranking]]) -> tuple[list[float], list[list[str]]]:
        seconds: list[float] = []
        ranked: list[Ranking] = []
        for part in parts:
            started = time.process_time()
            ranked += self.reranker.rerank_many(part)
            seconds.append(time.process_time() - started)
        untidy = [note for ranking in ranked if ranking.status != "ok" for note in ranking.notes]
        assert not untidy, untidy
        return seconds, [list(ranking.ids) for ranking in ranked]

    def profile(self, name: str) -> None:
        """Where the time goes: the ten functions with most of their own."""
        profiler = cProfile.Profile()
        profiler.runcall(self.measured, name)
        pstats.Stats(profiler, stream=sys.stdout).strip_dirs().sort_stats("tottime").print_stats(10)


class Peer:
    """The other side, in a process with its own interpreter."""

    def __init__(self, python: str, checkout: str, workloads: dict[str, Workload], answers: Sequence[str]) -> None:
        environment = os.environ | {"TQDM_DISABLE": "1"}
        if checkout:
            environment["PYTHONPATH"] = str(Path(checkout).resolve() / "src")
        self._process = subprocess.Popen(
            [python, str(Path(__file__).with_name("orchestration_peer.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            text=True,
        )
        self.versions: dict[str, str] = self._said({"workloads": workloads, "answers": list(answers)})

    def measured(self, name: str) -> Measured:
        """One round."""
        return Measured(**self._said(name))

    def close(self) -> None:
        """Let it end."""
        self._process.communicate()

    def _said(self, told: object) -> Any:
        told_to, heard_from = _piped(self._process.stdin), _piped(self._process.stdout)
        try:
            told_to.write(json.dumps(told) + "\n")
            told_to.flush()
            line = heard_from.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            sys.exit(f"RankLLM's side ended:\n{_piped(self._process.stderr).read()}\n{__doc__}")
        return json.loads(line)


def _piped(stream: IO[str] | None) -> IO[str]:
    assert stream is not None
    return stream


def _ranking(query: dict[str, Any]) -> Ranking:
    documents = [Document(str(i), text) for i, text in enumerate(query["documents"])]
    return Ranking.of(Query(query["id"], query["text"]), documents, [float(-i) for i in range(len(documents))])


def made_up(queries: int) -> tuple[dict[str, Workload], list[str]]:
    """Queries with documents, plain and accented, and the answers of the model."""
    drawn = random.Random(SEED)
    plain = ["".join(drawn.choices("abcdefghijklmnoprstuvw", k=drawn.randint(2, 9))) for _ in range(5_000)]
    accented = [word + "é" if i % ONE_ACCENT_IN == 0 else word for i, word in enumerate(plain)]

    def workload(words: list[str]) -> Workload:
        def text(count: int) -> str:
            return " ".join(drawn.choices(words, k=count))

        return [
            {"id": str(i), "text": text(6), "documents": [text(drawn.randint(50, 70)) for _ in range(DOCUMENTS)]}
            for i in range(queries)
        ]

    answers = [" > ".join(f"[{i}]" for i in drawn.sample(range(1, WINDOW + 1), WINDOW)) for _ in range(ANSWERS)]
    return {"plain": workload(plain), "accented": workload(accented)}, answers


def taken(rounds: Sequence[Measured], way: int) -> Taken:
    """What one way takes for all queries."""
    parts = list(zip(*(measured.seconds[way] for measured in rounds), strict=True))
    return Taken(sum(map(min, parts)), sum(map(statistics.median, parts)))


def report(name: str, queries: int, sides: dict[str, list[Measured]]) -> bool:
    """Print one workload's table; whether every limit holds."""
    calls = sides["whyrank"][0].calls
    print(f"\n{name} text: {queries} queries × {DOCUMENTS} documents, {calls} calls")
    print(f"{'':17}{'ms per call':>16}{'ms per query':>18}")
    times = {side: [taken(rounds, way) for way in range(len(WAYS))] for side, rounds in sides.items()}
    for side, by_way in times.items():
        for label, (best, median) in zip(WAYS, by_way, strict=True):
            per_call, per_query = (f"{1e3 * best / n:9.3f} ({1e3 * median / n:.3f})" for n in (calls, queries))
            print(f"{side + ', ' + label:17}{per_call}{per_query}")
    print("* cuts passages by estimated tokens, as for remote models; for information")
    slower = max(times["whyrank"])
    print(f"whyrank, its slower way: {1e3 * slower.best / calls:.3f} ms per call (limit {LIMIT_MS})")
    holds = 1e3 * slower.best / calls <= LIMIT_MS
    return _compared(sides, times, slower) and holds if "rank-llm" in sides else holds


def _compared(sides: dict[str, list[Measured]], times: dict[str, list[Taken]], slower: Taken) -> bool:
    faster = min(times["rank-llm"])
    ratio = faster.best / slower.best
    print(
        f"rank-llm, its faster way, takes {ratio:.2f} times as long per query (limit {LIMIT_RATIO}); "
        f"by medians {faster.median / slower.median:.2f}"
    )
    rounds = [measured for side in sides.values() for measured in side]
    orders = [order for measured in rounds for order in measured.orders]
    is_same = all(order == orders[0] for order in orders) and len({measured.calls for measured in rounds}) == 1
    print(f"orders and number of calls are {'the same' if is_same else 'NOT the same'}")
    return ratio >= LIMIT_RATIO and is_same


def main() -> None:
    """Print the figures; fail where a limit is missed or the orders differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", default="", help="checkout of RankLLM; not needed where PYTHON has it installed")
    parser.add_argument("--peer-python", default="", help="interpreter of the peer's environment")
    parser.add_argument("--queries", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--profile", action="store_true", help="show where our time goes")
    given = parser.parse_args()
    workloads, answers = made_up(given.queries)
    ours = Ours(workloads, answers, Uncounted())
    peer = Peer(given.peer_python or sys.executable, given.peer, workloads, answers) if _asks_peer(given) else None
    theirs = ", ".join(f"{k} {v}" for k, v in peer.versions.items()) if peer else "not measured"
    print(f"python {platform.python_version()}, whyrank {whyrank.__version__}; the peer: {theirs}")
    threads = os.environ.get("OMP_NUM_THREADS", "unset")
    print(f"CPU time, one thread a side (OMP_NUM_THREADS {threads}); {given.rounds} rounds, by turns: best (median)")
    measures = {"whyrank": ours.measured, ESTIMATING: Ours(workloads, answers, EstimatedTokens()).measured}
    if peer:
        measures["rank-llm"] = peer.measured
    holds = True
    for name in workloads:
        sides: dict[str, list[Measured]] = {side: [] for side in measures}
        for number in range(given.rounds + 1):
            for side, measure in measures.items():
                measured = measure(name)
                if number:  # the first round warms caches
                    sides[side].append(measured)
        holds = report(name, given.queries, sides) and holds
    if peer:
        peer.close()
    else:
        print(f"\nRankLLM was not measured. How to get it:\n\n{__doc__}")
    if given.profile:
        ours.profile(next(iter(workloads)))
    sys.exit(not holds)


def _asks_peer(given: argparse.Namespace) -> bool:
    return bool(given.peer or given.peer_python)


if __name__ == "__main__":
    main()
