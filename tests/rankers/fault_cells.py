"""The cells of the fault matrix: every judge × every fault × seeds."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random
from typing import Literal

from acted import Clock
from faulty_oracle import OWN, SAID, Key, Plan, Share
from oracle import Oracle, candidates, flat, worth_of

from whyrank.config import AskSettings
from whyrank.lm.base import LM
from whyrank.lm.openai import OpenAI
from whyrank.prompts import load
from whyrank.rankers.asking import LMReranker
from whyrank.rankers.building import build
from whyrank.rankers.matter import Shown
from whyrank.types import Query, Ranking

TIMED = ("timeout", "slow drip")
DOWN = (*TIMED, "reset", "hang up", "half a body", "500", "503")
"""After these a circuit breaker may leave the server alone."""
PASSING = (*DOWN, "429", "429 with Retry-After")
USELESS = ("html", "truncated JSON", "error in body", "no choices")
REJECTED = ("400",)
DENIED = ("401",)
FAULTS = (*OWN, *SAID)
RETRIES = 2
TIMEOUT_S = 0.4
"""So long that a request that meets no fault never takes it twice, on a busy machine too."""
LONGEST_S = 60.0


@dataclass(frozen=True)
class JudgeCase:
    """A judge of the matrix.

    Attributes:
        name: of the row.
        prompt: what is asked with.
        scoring: as in `AskSettings`.
        algorithm: which questions are asked.
        questions: most questions about n documents.
        options: of the algorithm.
    """

    name: str
    prompt: str
    scoring: Literal["logprobs", "generation", "query"]
    algorithm: str
    questions: Callable[[int], int]
    options: dict[str, int] = field(default_factory=dict)

    @property
    def reasons(self) -> bool:
        """Whether it thinks before it answers."""
        return load(self.prompt).reasons


def _each(n: int) -> int:
    return n


def _pairs(n: int) -> int:
    return 2 * (2 * n + 2 * n * math.ceil(math.log2(n)))


def _windows(n: int) -> int:
    return math.ceil((n - 4) / 2) + 1


_WINDOWS = {"size": 4, "stride": 2}
JUDGES = (
    JudgeCase("yes-no likelihood", "qwen3-reranker", "logprobs", "pointwise", _each),
    JudgeCase("grade likelihood", "graded", "logprobs", "pointwise", _each),
    JudgeCase("query likelihood", "upr", "query", "pointwise", _each),
    JudgeCase("rank1 thought, likelihood", "rank1", "logprobs", "pointwise", _each),
    JudgeCase("stated yes-no", "relevance-generation", "generation", "pointwise", _each),
    JudgeCase("stated grade", "graded", "generation", "pointwise", _each),
    JudgeCase("pair likelihood", "prp-logits", "logprobs", "heapsort-pairwise", _pairs),
    JudgeCase("pair named", "prp", "generation", "heapsort-pairwise", _pairs),
    JudgeCase("set likelihood", "setwise-logits", "logprobs", "setwise-heapsort", _each, {"children": 9}),
    JudgeCase("set named", "setwise", "generation", "setwise-heapsort", _each, {"children": 9}),
    JudgeCase("rank-r1", "rank-r1", "generation", "setwise-heapsort", _each, {"children": 9}),
    JudgeCase("rankgpt", "rankgpt", "generation", "sliding-window", _windows, _WINDOWS),
    JudgeCase("rankzephyr", "rankzephyr", "generation", "sliding-window", _windows, _WINDOWS),
    JudgeCase("r2r json", "r2r", "generation", "sliding-window", _windows, _WINDOWS),
    JudgeCase("dear", "dear", "generation", "sliding-window", _windows, _WINDOWS),
    JudgeCase("first likelihood", "first", "logprobs", "sliding-window", _windows, _WINDOWS),
)


@dataclass(frozen=True)
class Cell:
    """One judge, one fault, one seed."""

    judge: JudgeCase
    fault: str
    seed: int

    @property
    def share(self) -> Share:
        """How many questions meet the fault."""
        shares: tuple[Share, ...] = ("one", "third", "all")
        return shares[self.seed % 3]

    @property
    def is_permanent(self) -> bool:
        """Whether asking again meets it again."""
        return self.seed // 3 % 2 == 1

    @property
    def is_hopeless(self) -> bool:
        """Every request meets the fault."""
        return self.share == "all" and self.is_permanent

    def lists(self) -> list[Ranking]:
        """Two queries and their candidates, no two of which are worth the same."""
        draw = Random(self.seed)
        n = draw.randint(5, 8)
        worths = draw.sample(range(1, 1000), 2 * n)
        lists = [candidates(worths[:n]), candidates(worths[n:])]
        return [replace(given, query=Query(f"q{i}", "which is best")) for i, given in enumerate(lists)]

    def backend(self, url: str, clock: Clock) -> OpenAI:
        """The model behind the real SDK."""
        return OpenAI(
            "m",
            url=url,
            key="sk-not-for-the-public",
            retries=RETRIES,
            timeout_s=TIMEOUT_S if self.fault in TIMED else LONGEST_S,
            timing=clock.timing(),
            prefill=True,
            echo=True,
        )

    def ranker(self, lm: LM) -> LMReranker:
        """The ranker that is put to the test."""
        judge = self.judge
        ask = AskSettings(
            prompt=judge.prompt, scoring=judge.scoring, algorithm=judge.algorithm, options=judge.options, attempts=1
        )
        return build(lm, ask=ask)

    def plan(self) -> Plan:
        """Which requests meet the fault: always those about one question at least."""
        keys = self._shown()
        return Plan(self.fault, self.share, self.is_permanent, Random(self.seed).choice(keys), self.seed)

    def _shown(self) -> list[Key]:
        """The questions where nothing goes wrong."""
        oracle = Oracle(load(self.judge.prompt))
        keys: list[Key] = []

        def on_show(shown: Shown) -> None:
            oracle.on_show(shown)
            keys.append(tuple(worth_of(flat(shown.prompt))))

        replace(self.ranker(oracle.lm), on_show=on_show).rerank_many(self.lists())
        return keys
