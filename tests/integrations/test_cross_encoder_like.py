"""Code that was written for a CrossEncoder, with a ranker in its place."""

from typing import Any

import numpy as np
import pytest
from integrated import ORDER, QUERY, TEXTS, Backwards, falls, ours

from whyrank.errors import BadInput
from whyrank.integrations.cross_encoder import CrossEncoderLike

BREAD = "why does bread go stale?"


@pytest.fixture(scope="module")
def model() -> CrossEncoderLike:
    return CrossEncoderLike("evidence")


def test_scores_of_pairs_are_the_librarys_to_the_bit(model: CrossEncoderLike) -> None:
    scores = model.predict([(QUERY, text) for text in TEXTS], batch_size=2, show_progress_bar=False)
    assert (scores.shape, scores.dtype) == ((5,), np.float64)
    assert dict(enumerate(scores)) == {hit.first_rank - 1: hit.score for hit in ours()}


def test_queries_may_be_mixed(model: CrossEncoderLike) -> None:
    mixed = model.predict([[QUERY, TEXTS[0]], [BREAD, TEXTS[1]], [QUERY, TEXTS[2]], [BREAD, TEXTS[1]]])
    apart = [model.predict((query, text)) for query, text in ((QUERY, TEXTS[0]), (BREAD, TEXTS[1]), (QUERY, TEXTS[2]))]
    assert list(mixed) == [*apart, apart[1]]
    assert np.ndim(apart[0]) == 0
    assert model.predict([]).shape == (0,)


def test_rank_answers_as_a_cross_encoder_does(model: CrossEncoderLike) -> None:
    found = model.rank(QUERY, TEXTS, top_k=4, return_documents=True)
    assert [(own["corpus_id"], own["text"]) for own in found] == [(n, TEXTS[n]) for n in ORDER[:4]]
    assert falls([own["score"] for own in found])
    assert all(own.keys() == {"corpus_id", "score"} for own in model.rank(QUERY, TEXTS))
    assert model.rank(QUERY, []) == []


def test_reasons_stand_beside_the_score() -> None:
    [best, second] = CrossEncoderLike("evidence", reasons=1).rank(QUERY, TEXTS, top_k=2)
    assert best["whyrank_quote"] == "That is why the sky is blue."
    assert set(best) - set(second) == {"whyrank_reason", "whyrank_quote", "whyrank_comparison"}


def test_a_ranker_of_places_ranks_and_predicts_nothing() -> None:
    model = CrossEncoderLike(Backwards())
    assert [own["corpus_id"] for own in model.rank(QUERY, TEXTS)] == [4, 3, 2, 1, 0]
    with pytest.raises(BadInput, match="use rank in place of predict"):
        model.predict([(QUERY, TEXTS[0])])


@pytest.mark.parametrize(
    ("pairs", "told"),
    [
        ([(QUERY, "air"), QUERY], "pair 2 is str"),
        ([(QUERY, "air", "sea")], "pair 1 is tuple"),
        ([(QUERY, None)], "pair 1 is tuple"),
        ([("", "air")], "pair 1: the query is empty"),
    ],
)
def test_what_is_no_pair_is_refused(model: CrossEncoderLike, pairs: Any, told: str) -> None:
    with pytest.raises(BadInput, match=told):
        model.predict(pairs)
    with pytest.raises(BadInput, match="take no prompts"):
        model.predict([(QUERY, "air")], prompt_name="web")


@pytest.mark.filterwarnings("default")
def test_sentence_transformers_own_evaluator_measures_it(monkeypatch: pytest.MonkeyPatch) -> None:
    evaluation = pytest.importorskip("sentence_transformers.cross_encoder.evaluation")
    sample = {"query": QUERY, "positive": [TEXTS[2]], "negative": [TEXTS[0], TEXTS[1]]}
    evaluator = evaluation.CrossEncoderRerankingEvaluator([sample], always_rerank_positives=True, write_csv=False)
    monkeypatch.setattr(evaluator, "store_metrics_in_model_card_data", lambda *_: None)  # there is no model card
    assert evaluator(CrossEncoderLike("evidence"))["mrr@10"] == 1.0
