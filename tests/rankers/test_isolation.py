"""What a document can do to the scores of others, on a real architecture: nothing."""

from pathlib import Path

import pytest

from whyrank.config import AskSettings
from whyrank.lm.base import LM
from whyrank.rankers.building import build
from whyrank.types import Ranking

pytest.importorskip("torch")
pytest.importorskip("transformers")

TEXTS = ["apples keep for months", "pears do not", "a much longer text about the keeping of apples " * 8, "x"]
OTHER = "another document altogether, longer than the one that it replaces " * 12
TOLERANCE = 1e-5


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    import tiny

    tokenizer = tiny.byte_tokenizer(added=["Yes", "No", *(f" {letter}" for letter in "ABCD")])
    return tiny.qwen2(tmp_path_factory.mktemp("model"), tokenizer, max_position_embeddings=4_096)


def scores(lm: LM, texts: list[str], query: str = "how long do apples keep") -> list[float | None]:
    [ranking] = build(lm, ask=AskSettings(prompt="relevance-generation")).rerank_many([Ranking.of(query, texts)])
    by_id = {hit.document.id: hit.score for hit in ranking}
    return [by_id[str(place)] for place in range(1, len(texts) + 1)]


@pytest.mark.parametrize("place", range(len(TEXTS)))
def test_isolated_scores_are_the_same_to_the_bit(folder: str, place: int) -> None:
    from whyrank.lm.transformers import Transformers

    lm = Transformers(folder, mode="isolated")
    before, after = scores(lm, TEXTS), scores(lm, [*TEXTS[:place], OTHER, *TEXTS[place + 1 :]])
    assert [s for i, s in enumerate(before) if i != place] == [s for i, s in enumerate(after) if i != place]
    assert before[place] != after[place]
    assert [scores(lm, [text])[0] for text in TEXTS] == before


@pytest.mark.parametrize("place", range(len(TEXTS)))
def test_fast_scores_are_the_same_to_the_tolerance(folder: str, place: int) -> None:
    from whyrank.lm.transformers import Transformers

    fast, isolated = Transformers(folder, mode="fast"), Transformers(folder, mode="isolated")
    changed = [*TEXTS[:place], OTHER, *TEXTS[place + 1 :]]
    assert scores(fast, changed) == pytest.approx(scores(isolated, changed), abs=TOLERANCE)


@pytest.mark.parametrize("prompt", ["setwise-logits", "first", "prp-logits", "setwise", "rankgpt"])
def test_every_kind_of_judge_runs_on_a_real_model(folder: str, prompt: str) -> None:
    """The weights are random, so the order means nothing: it must be one, and the bookkeeping must hold."""
    from whyrank.lm.transformers import Transformers

    ask = AskSettings(prompt=prompt, untidy=("repair", "previous"))
    [ranking] = build(Transformers(folder, context=4_096), ask=ask).rerank_many([Ranking.of("apples", TEXTS)])
    assert sorted(ranking.ids) == ["1", "2", "3", "4"]
    assert ranking.usage.calls >= 1
    assert ranking.usage.prompt_tokens > 50
    if prompt in ("setwise-logits", "first", "prp-logits"):
        assert ranking.status == "ok"


def test_the_name_of_a_ranker_tells_weights_and_modes_apart(folder: str, tmp_path: Path) -> None:
    import tiny

    from whyrank.lm.transformers import Transformers

    same = tmp_path / Path(folder).name
    same.mkdir()
    tiny.llama(same)
    models = [Transformers(folder), Transformers(folder, mode="isolated"), Transformers(str(same))]
    names = [build(lm, ask=AskSettings(prompt="monot5", scoring="logprobs")).name for lm in models]
    assert models[0].name == models[2].name
    assert len(set(names)) == 3
    assert build(Transformers(folder), ask=AskSettings(prompt="monot5", scoring="logprobs")).name == names[0]
