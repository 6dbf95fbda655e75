"""Our renderings against prompts that RankLLM's authors recorded: the first window of each query of TREC DL 2019.

Of each query the last 20 of its 100 candidates; what comes after depends on the answers.
"""

import gzip
import json
import re
from collections import defaultdict
from functools import cache
from html import unescape
from pathlib import Path

import pytest

from whyrank.prompts import Passage, load
from whyrank.prompts.conversation import flatten

pytestmark = pytest.mark.data
_WRONGLY_DECODED = re.compile("[\x80-\xff]{2,}")
_PLAINER = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"', "ﬁ": "fi", "\ufeff": ""})


def read(text: str) -> str:
    """Text as ftfy mends it, as far as these passages need it, with one space for white space.

    The source shows mended text, and our passages are as MS MARCO has them: UTF-8 that was read as Latin-1 is read
    as UTF-8, quotes are made straight, ligatures and HTML's entities resolved, byte order marks dropped.
    """

    def mended(match: re.Match[str]) -> str:
        return match[0].encode("latin-1").decode("utf-8", errors="replace")

    return " ".join(unescape(_WRONGLY_DECODED.sub(mended, text).translate(_PLAINER)).split())


@cache
def windows(data: Path) -> dict[str, list[str]]:
    """Query → its candidates 81 to 100."""
    folder = data / "trec-dl19-passage"
    run: dict[str, list[str]] = defaultdict(list)
    for line in (folder / "bm25.trec").read_text(encoding="utf-8").splitlines():
        query, _, document, *_ = line.split()
        run[query].append(document)
    wanted = {document for documents in run.values() for document in documents[80:100]}
    with gzip.open(folder / "corpus.jsonl.gz", "rt", encoding="utf-8") as lines:
        texts = {row["_id"]: row["text"] for row in map(json.loads, lines) if row["_id"] in wanted}
    queries = map(json.loads, (folder / "queries.jsonl").read_text(encoding="utf-8").splitlines())
    return {row["text"]: [texts[document] for document in run[row["_id"]][80:100]] for row in queries}


def recorded(data: Path, name: str) -> list[str]:
    [path] = (data / "llm-outputs-rankllm" / "cassettes").glob(f"BM25__{name}_4096_100_*.jsonl.gz")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line)["prompt"] for line in lines][::9]


def rendered(data: Path, prompt: str, name: str, conversation: str) -> str:
    """Our prompt for the query and the window that a recorded prompt is about."""
    found = re.search(r"relevance to (?:the search )?query: (.*?)\.(?:\n| ASSISTANT)", prompt)
    assert found
    passages = [
        # Cut at 300 words, as the source does; none of these is longer.
        Passage(str(place), " ".join(text.split()[:300]))
        for place, text in enumerate(windows(data)[found[1]], 1)
    ]
    turns = load(name).render(found[1], passages)
    assert not isinstance(turns, str)
    return flatten(turns, conversation)


@pytest.mark.parametrize(
    ("cassette", "name", "conversation"),
    [
        ("vicuna-7b-v1.5", "rankllm-vicuna", "vicuna-unopened"),
        ("vicuna-13b-v1.5", "rankllm-vicuna", "vicuna-unopened"),
        ("vicuna-7b-checkpoint-800", "rankvicuna-early", "vicuna-unopened"),
    ],
)
def test_equal_character_for_character(data: Path, cassette: str, name: str, conversation: str) -> None:
    prompts = recorded(data, cassette)
    assert len(prompts) == 43
    assert [rendered(data, prompt, name, conversation) for prompt in prompts] == prompts


def test_equal_but_for_mended_characters(data: Path) -> None:
    prompts = recorded(data, "output_v2_aug_vicuna_7b")
    pairs = [(rendered(data, prompt, "rankvicuna", "vicuna-spaced"), prompt) for prompt in prompts]
    assert sum(ours == theirs for ours, theirs in pairs) == 1
    assert sum(read(ours) == read(theirs) for ours, theirs in pairs) == 43
