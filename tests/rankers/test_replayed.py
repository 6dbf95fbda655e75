"""Recorded language models, end to end: our prompt, flow, parser and evaluator over the answers that RankLLM recorded.

A recorded answer is found by its query and the number of its window, never by its prompt: so the prompt is ours, and
can be compared with the one that was recorded.
"""

import gzip
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from mended import mended
from whyrank import datasets, evaluate
from whyrank.lm.base import Prompt
from whyrank.lm.replay import Replay
from whyrank.prompts import load
from whyrank.prompts.conversation import flatten
from whyrank.rankers.algorithms import algorithm
from whyrank.rankers.asking import LMReranker
from whyrank.rankers.listwise import Written
from whyrank.rankers.matter import Showing
from whyrank.rankers.untidy import Policy
from whyrank.types import Ranking

pytestmark = pytest.mark.data
WINDOWS = 9
"""Windows of 20 with a stride of 10 over 100 documents."""


def recorded(data: Path, cassette: str) -> list[dict[str, str]]:
    [path] = (data / "llm-outputs-rankllm" / "cassettes").glob(f"BM25__{cassette}_4096_100_*.jsonl.gz")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def dl19(data: Path) -> datasets.Dataset:
    return datasets.load(data / "trec-dl19-passage")


@pytest.fixture(scope="module")
def candidates(dl19: datasets.Dataset, data: Path) -> list[Ranking]:
    """BM25's best hundred, in the order in which the queries were recorded."""
    lines = (data / "trec-dl19-passage" / "bm25.trec").read_text(encoding="utf-8").splitlines()
    order = list(dict.fromkeys(line.split()[0] for line in lines))
    by_id = {ranking.query.id: ranking for ranking in dl19.rankings("bm25", depth=100)}
    return [by_id[query] for query in order]


def replayed(
    rows: Sequence[dict[str, str]], candidates: Sequence[Ranking], prompt: str
) -> tuple[Replay, list[Ranking]]:
    tags = [f"{ranking.query.id}/{window}" for ranking in candidates for window in range(1, WINDOWS + 1)]
    lm = Replay({tag: row["response"] for tag, row in zip(tags, rows, strict=True)}, name="replay:rankllm")
    template = load(prompt)
    judge = Written(template, Policy(("repair", "previous")))
    ranker = LMReranker(lm, judge, algorithm("sliding-window"), Showing(template))
    return lm, ranker.rerank_many(candidates)


CASSETTES = [
    ("output_v2_aug_vicuna_7b", "rankvicuna", "vicuna-spaced", 0.6682),
    ("vicuna-7b-checkpoint-800", "rankvicuna-early", "vicuna-unopened", 0.6675),
    ("vicuna-13b-v1.5", "rankllm-vicuna", "vicuna-unopened", 0.5058),
    ("vicuna-7b-v1.5", "rankllm-vicuna", "vicuna-unopened", 0.5058),
]


@pytest.mark.parametrize(("cassette", "prompt", "conversation", "expected"), CASSETTES)
def test_recorded_models_rank_as_they_did(
    data: Path,
    dl19: datasets.Dataset,
    candidates: list[Ranking],
    cassette: str,
    prompt: str,
    conversation: str,
    expected: float,
) -> None:
    lm, rankings = replayed(recorded(data, cassette), candidates, prompt)
    assert (lm.played, lm.unknown, len(lm.unused())) == (387, 0, 0)
    measured = evaluate.measure(cassette, rankings, dl19.qrels, ["nDCG@10"])
    assert round(measured.mean("nDCG@10"), 4) == expected
    for ranking, given in zip(rankings, candidates, strict=True):
        assert sorted(ranking.ids) == sorted(given.ids)
        assert ranking.usage.calls == WINDOWS


def test_how_untidy_they_were(data: Path, candidates: list[Ranking]) -> None:
    """Of 387 answers each, how many had to be repaired, and how many rank nothing."""
    found = {}
    for cassette, prompt, *_ in CASSETTES:
        _, rankings = replayed(recorded(data, cassette), candidates, prompt)
        found[cassette] = (sum(r.usage.repaired for r in rankings), sum(r.usage.unusable for r in rankings))
    assert found == {
        "output_v2_aug_vicuna_7b": (0, 0),
        "vicuna-7b-checkpoint-800": (167, 0),
        "vicuna-13b-v1.5": (0, 386),
        "vicuna-7b-v1.5": (16, 6),
    }


def test_our_prompts_are_those_that_were_recorded(data: Path, candidates: list[Ranking]) -> None:
    """Equal to the letter, equal once characters are mended, of 387 each, window after window.

    The last two were recorded by a parser that read any number as an identifier, so their windows drift from ours.
    """
    found = {}
    for cassette, prompt, conversation, _ in CASSETTES:
        rows = recorded(data, cassette)
        lm, _ = replayed(rows, candidates, prompt)
        ours = {request.tag: _flattened(request.prompt, conversation) for request in lm.asked}
        tags = [f"{ranking.query.id}/{window}" for ranking in candidates for window in range(1, WINDOWS + 1)]
        pairs = [(ours[tag], row["prompt"]) for tag, row in zip(tags, rows, strict=True)]
        equal = sum(one == other for one, other in pairs)
        found[cassette] = (equal, sum(mended(one) == mended(other) for one, other in pairs))
    assert found == {
        "output_v2_aug_vicuna_7b": (12, 379),
        "vicuna-7b-checkpoint-800": (387, 387),
        "vicuna-13b-v1.5": (45, 45),
        "vicuna-7b-v1.5": (369, 369),
    }


def _flattened(prompt: Prompt, conversation: str) -> str:
    return prompt if isinstance(prompt, str) else flatten(prompt, conversation)
