"""The other side of bench/orchestration.py: RankLLM with a model that takes no time. That script starts this one.

Runs in the peer's own environment and imports nothing of whyrank. Of RankLLM everything is its own (template, prompt,
windows, reading of the answer) but the model: `RankListwiseOSLLM` is set up as for a chat server, so that it renders
messages and no tokenizer is asked, its constructor is passed over because it insists on vLLM, every prompt counts as
0 tokens, and answers come from a list. Its progress bar is off, no history is kept, and its asynchronous path gets
answers without a thread: all to its advantage.

Lines of JSON on standard input: first {"workloads": …, "answers": […]}, then one name of a workload for each round.
Lines of JSON on standard output: first versions, then of each round CPU seconds, orders and calls.
"""

import json
import sys
import time
import tomllib
import zlib
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import rank_llm  # type: ignore[import-not-found, unused-ignore]
from rank_llm.data import Candidate, Query, Request  # type: ignore[import-not-found, unused-ignore]
from rank_llm.rerank.listwise.listwise_rankllm import (  # type: ignore[import-not-found, unused-ignore]
    ListwiseRankLLM,
)
from rank_llm.rerank.listwise.rank_listwise_os_llm import (  # type: ignore[import-not-found, unused-ignore]
    TEMPLATES,
    RankListwiseOSLLM,
)


class ZeroLatency(RankListwiseOSLLM):  # type: ignore[misc, unused-ignore]
    """Which answer it gives follows from the prompt, so that equal orders mean equal prompts."""

    def __init__(self, answers: list[str]) -> None:
        ListwiseRankLLM.__init__(
            self,
            model="zero-latency",
            context_size=4096,
            prompt_template_path=TEMPLATES / "rank_zephyr_template.yaml",
            device="cpu",
        )
        self._base_url = "none"
        self._answers = answers
        self.calls = 0

    def get_num_tokens(self, _prompt: Any) -> int:
        """Nothing is counted."""
        return 0

    def num_output_tokens(self, _current_window_size: int | None = None) -> int:
        """Nothing is counted."""
        return 0

    def run_llm(self, prompt: Any, current_window_size: int | None = None) -> tuple[str, int]:  # noqa: ARG002 - its
        """An answer from the list."""
        self.calls += 1
        return self._answers[zlib.crc32(prompt[-1]["content"].encode()) % len(self._answers)], 0

    async def run_llm_async(self, prompt: Any, current_window_size: int | None = None) -> tuple[str, int]:
        """The same at once."""
        return self.run_llm(prompt, current_window_size)


def requests(workload: list[dict[str, Any]]) -> list[Any]:
    """The queries and documents as RankLLM has them; its prompt formats a score, so there must be one."""
    return [
        Request(
            Query(query["text"], query["id"]),
            [Candidate(str(i), float(-i), {"text": text}) for i, text in enumerate(query["documents"])],
        )
        for query in workload
    ]


def timed(work: Callable[[list[Any]], list[Any]], parts: list[list[Any]]) -> tuple[list[float], list[list[str]]]:
    """Seconds of each part of the requests, and the order of each query's documents."""
    seconds, results = [], []
    for part in parts:
        started = time.process_time()
        results += work(part)
        seconds.append(time.process_time() - started)
    return seconds, [[candidate.docid for candidate in result.candidates] for result in results]


def measured(model: ZeroLatency, asked: list[Any]) -> dict[str, Any]:
    """Both public ways through its sliding windows."""
    model.calls = 0
    depth = len(asked[0].candidates)
    single, orders = timed(
        lambda part: [model.sliding_windows(part[0], 0, depth, depth, populate_invocations_history=False)],
        [[request] for request in asked],
    )
    calls = model.calls
    batch, orders_in_batch = timed(lambda part: model.rerank_batch(part, 0, depth), [asked])
    return {"seconds": [single, batch], "orders": [orders, orders_in_batch], "calls": calls}


def versions() -> dict[str, str]:
    """Of RankLLM, installed or as a checkout, and of what it renders with."""
    checkout = Path(rank_llm.__path__[0]).parents[1] / "pyproject.toml"
    if checkout.is_file():
        own = tomllib.loads(checkout.read_text(encoding="utf-8"))["project"]["version"]
    else:
        own = metadata.version("rank-llm")
    return {"python": sys.version.split()[0], "rank-llm": own, "ftfy": metadata.version("ftfy")}


def main() -> None:
    """Answer rounds until standard input ends."""
    replies, sys.stdout = sys.stdout, sys.stderr  # RankLLM prints as it is set up
    setup = json.loads(sys.stdin.readline())
    model = ZeroLatency(setup["answers"])
    workloads = {name: requests(workload) for name, workload in setup["workloads"].items()}
    print(json.dumps(versions()), file=replies, flush=True)
    for line in sys.stdin:
        print(json.dumps(measured(model, workloads[json.loads(line)])), file=replies, flush=True)


if __name__ == "__main__":
    main()
