"""What `import whyrank` offers: light to import, one line to use, the same order with reasons and without."""

import subprocess
import sys

import pytest

import whyrank
from whyrank.errors import BadInput, DuplicateId, UnknownName
from whyrank.rankers.calibration import Calibration
from whyrank.rankers.evidence import CALIBRATED, EvidenceRanker
from whyrank.types import Calibrated

TEXTS = ["Ultramarine was ground from lapis lazuli.", "Air scatters blue light, so the sky is blue.", "Bread is baked."]
QUERY = "why is the sky blue?"


def test_importing_loads_nothing_heavy() -> None:
    heavy = ("torch", "onnxruntime", "numpy", "pydantic", "bm25s", "tokenizers", "rich", "typer", "yaml")
    code = f"import sys, whyrank; print([m for m in {heavy!r} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_everything_named_is_there() -> None:
    assert all(getattr(whyrank, name) is not None for name in whyrank.__all__)
    with pytest.raises(AttributeError, match="nothing"):
        _ = whyrank.nothing


def test_one_line() -> None:
    assert whyrank.rerank(QUERY, TEXTS).ids[0] == "2"


def test_the_order_with_reasons_is_the_order_without() -> None:
    plain, explained = whyrank.rerank(QUERY, TEXTS), whyrank.rerank(QUERY, TEXTS, explain=3)
    assert [(h.document.id, h.score) for h in plain] == [(h.document.id, h.score) for h in explained]
    assert plain.explanations is None
    assert explained.explanations is not None
    assert [d.document_id for d in explained.explanations.direct] == list(explained.ids)
    assert [(c.upper_id, c.lower_id) for c in explained.explanations.comparisons] == [
        (explained.ids[0], explained.ids[1]),
        (explained.ids[1], explained.ids[2]),
    ]
    assert whyrank.explain(plain).direct == explained.explanations.direct


def test_what_is_given_comes_back_untouched() -> None:
    given = {"_id": 7, "text": "The sky is blue.", "title": "Sky", "tags": ["a"], "n": 1}
    [hit] = whyrank.rerank(QUERY, [given])
    assert hit.document == whyrank.Document("7", "The sky is blue.", "Sky", {"tags": ["a"], "n": 1})
    assert given == {"_id": 7, "text": "The sky is blue.", "title": "Sky", "tags": ["a"], "n": 1}


def test_of_two_ids_the_first_counts_and_the_other_is_kept() -> None:
    [hit] = whyrank.rerank(QUERY, [{"_id": "b", "id": "a", "text": "x"}])
    assert hit.document == whyrank.Document("a", "x", metadata={"_id": "b"})


def test_top_k_says_how_many_it_left_out() -> None:
    ranking = whyrank.rerank(QUERY, TEXTS, top_k=1)
    assert len(ranking) == 1
    assert ranking.left_out == 2


def test_nothing_and_one() -> None:
    assert whyrank.rerank(QUERY, []).ids == ()
    nothing = whyrank.rerank(QUERY, [], explain=3).explanations
    assert nothing is not None
    assert (nothing.direct, nothing.comparisons) == ((), ())
    assert whyrank.rerank(QUERY, ["only"], explain=1).ids == ("1",)


def test_bad_input_is_named() -> None:
    with pytest.raises(BadInput, match="the query is empty"):
        whyrank.rerank(" ", TEXTS)
    with pytest.raises(DuplicateId, match="'a' is given twice"):
        whyrank.rerank(QUERY, [{"id": "a", "text": "x"}, {"id": "a", "text": "y"}])
    with pytest.raises(BadInput, match="first-stage score is nan"):
        whyrank.rerank(QUERY, TEXTS, scores=[1.0, float("nan"), None])
    with pytest.raises(BadInput, match="2 first-stage scores for 3 documents"):
        whyrank.rerank(QUERY, TEXTS, scores=[1.0, 2.0])
    with pytest.raises(BadInput, match="document 1 is int"):
        whyrank.rerank(QUERY, [3])  # type: ignore[list-item]
    with pytest.raises(BadInput, match="no 'text'"):
        whyrank.rerank(QUERY, [{"id": "a"}])
    with pytest.raises(BadInput, match="the documents are one str"):
        whyrank.rerank(QUERY, "one text")
    with pytest.raises(BadInput, match="the documents are one dict"):
        whyrank.rerank(QUERY, {"text": "x"})
    for wrong in (None, True, 1.5, [1], ""):
        with pytest.raises(BadInput, match="document 1: its id is"):
            whyrank.rerank(QUERY, [{"id": wrong, "text": "x"}])
    with pytest.raises(BadInput, match="top_k is 0"):
        whyrank.rerank(QUERY, TEXTS, top_k=0)
    with pytest.raises(BadInput, match="explain is -1"):
        whyrank.rerank(QUERY, TEXTS, explain=-1)
    with pytest.raises(UnknownName, match="did you mean evidence"):
        whyrank.rerank(QUERY, TEXTS, ranker="evidense")
    with pytest.raises(BadInput, match="gives no reasons"):
        whyrank.rerank(QUERY, TEXTS, ranker="bi-encoder", explain=1)


def test_what_is_unlikely_to_be_relevant_is_left_out() -> None:
    ranker = whyrank.load()
    assert isinstance(ranker, Calibrated)
    everything = whyrank.rerank(QUERY, TEXTS)
    likely = [ranker.probability(hit.score or 0.0) for hit in everything]
    assert likely == sorted(likely, reverse=True)
    assert likely[0] > 0.5
    assert likely[1] < 0.1
    kept = whyrank.rerank(QUERY, TEXTS, min_probability=0.5)
    assert (kept.hits, kept.left_out) == (everything.hits[:1], 2)
    assert whyrank.rerank(QUERY, TEXTS, min_probability=likely[0]).hits == everything.hits[:1]  # no less is enough
    assert whyrank.rerank(QUERY, TEXTS, min_probability=0.0).hits == everything.hits
    with pytest.raises(BadInput, match="accepted: 0 to 1"):
        whyrank.rerank(QUERY, TEXTS, min_probability=1.5)
    with pytest.raises(BadInput, match=r"bi-encoder.* are not calibrated"):
        whyrank.rerank(QUERY, TEXTS, ranker="bi-encoder", min_probability=0.5)


def test_the_shipped_calibration_is_of_the_shipped_ranker() -> None:
    ranker = EvidenceRanker()
    assert Calibration.load(CALIBRATED).of(ranker.name).fitted_on
    assert ranker.probability(0.5) > ranker.probability(0.4)
    assert ranker.probability(0.5, 10.0) != ranker.probability(0.5)


def test_a_writer_is_shown_the_parts_of_a_score_only_where_they_made_the_order() -> None:
    from whyrank.lm.fake import Fake

    given = ["pears are green", "apples keep for months in a cellar"]
    own = whyrank.rerank("how long do apples keep", given)
    placed = whyrank.rerank(
        "how long do apples keep", given, ranker=whyrank.llm_ranker(Fake(["[2] > [1]"]), "listwise")
    )
    prompts = []
    for ranking in (own, placed):
        writer = Fake(lambda request: "{}")
        whyrank.explain(ranking, writer=writer, top=1)
        prompts.append(" ".join(message.text for request in writer.asked for message in request.prompt))  # type: ignore[union-attr]
    assert ["adds" in prompt or "add to a score" in prompt for prompt in prompts] == [True, False]
