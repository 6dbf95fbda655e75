"""The table of checkpoints holds together, and only exact ids are known."""

import pytest

from whyrank.errors import UnknownName
from whyrank.prompts.conversation import CONVERSATIONS
from whyrank.rankers.known import known_model, known_models


@pytest.mark.parametrize("identifier", known_models())
def test_an_entry_fits_its_prompt(identifier: str) -> None:
    model = known_model(identifier)
    assert model.id == identifier
    assert identifier.count("/") == 1
    assert model.kind == model.template.kind
    assert model.labels == model.template.labels
    assert model.paper
    assert model.licence
    assert model.conversation in (*CONVERSATIONS, "")
    assert (model.window is None) == (model.kind in ("pointwise", "pairwise"))
    assert (model.stride is None) == (model.kind != "listwise")
    if model.scoring == "logprobs":
        assert model.template.choices or model.labels == "letters"
    if model.architecture == "seq2seq":
        assert model.template.form == "text"


def test_some_entries_in_full() -> None:
    vicuna = known_model("castorini/rank_vicuna_7b_v1")
    assert (vicuna.kind, vicuna.prompt, vicuna.scoring, vicuna.window, vicuna.stride, vicuna.context) == (
        ("listwise", "rankvicuna", "generation", 20, 10, 4096)
    )
    assert known_model("castorini/first_mistral").labels == "letters"
    assert known_model("castorini/monot5-base-msmarco").architecture == "seq2seq"
    assert known_model("ielabgroup/Rank-R1-7B-v0.1").base == "Qwen/Qwen2.5-7B-Instruct"


def test_an_id_that_is_not_exact_is_unknown() -> None:
    with pytest.raises(UnknownName, match=r"did you mean Qwen/Qwen3-Reranker-0\.6B"):
        known_model("Qwen/Qwen3-Reranker-0.6b")
    with pytest.raises(UnknownName):
        known_model("monot5")


def test_classifiers_are_not_called_language_models() -> None:
    assert not [identifier for identifier in known_models() if "reranker-ce" in identifier or "ranknet" in identifier]
