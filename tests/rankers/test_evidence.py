"""The default ranker: exact sums, the same bits in any company, nothing lost, defined in every odd case."""

import math
import os
import random
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise

import pytest

from whyrank import reason
from whyrank.encode.engine import Encoder
from whyrank.errors import BadInput
from whyrank.rankers import RANKERS, load
from whyrank.rankers.bi_encoder import BiEncoder
from whyrank.rankers.evidence import (
    MAX_QUERY_CHARS,
    EvidenceRanker,
)
from whyrank.rankers.matching import CHUNK, CHUNK_CHARS, MAX_DOCUMENT_CHARS, in_chunks
from whyrank.rankers.outcome import in_order
from whyrank.types import Document, Query, Ranking, Reranker, Scorer, Span, Usage

QUERY = Query("q", "Why is the sky blue?")
DOCUMENTS = (
    Document("scatter", "Air scatters short waves more. So the sky looks blue by day. At dusk it turns red.", "Sky"),
    Document("sea", "The sea is blue because water absorbs red light."),
    Document("bread", "Bread goes stale. It is best fresh."),
    Document("empty", ""),
    Document("blank", " \n\x00 "),
    Document("long", "Blue paint was costly. " * 400 + "The sky is blue because of scattering."),
)
FIRST = (3.5, 9.0, 0.0, 0.0, -2.5, 12.0)


@pytest.fixture(scope="module")
def ranker() -> EvidenceRanker:
    return EvidenceRanker(threads=2)


def test_it_is_a_reranker_and_a_scorer(ranker: EvidenceRanker) -> None:
    assert isinstance(ranker, Reranker)
    assert isinstance(ranker, Scorer)
    assert isinstance(load("evidence"), EvidenceRanker)
    assert not isinstance(BiEncoder(), Scorer)
    assert set(RANKERS) == {"student", "student-open", "evidence", "bi-encoder"}


@pytest.mark.parametrize("first", [FIRST, (None,) * 6, (1.0, None, 2.0, None, None, 0.5)])
def test_terms_sum_to_the_score_and_the_score_is_the_rankings(
    first: tuple[float | None, ...], ranker: EvidenceRanker
) -> None:
    ranking = ranker.rerank(Ranking.of(QUERY, DOCUMENTS, first))
    taken_apart = {d.document_id: d for d in ranker.decompose(QUERY, DOCUMENTS, first)}
    assert ranker.score(QUERY, DOCUMENTS, first) == [taken_apart[d.id].score for d in DOCUMENTS]
    for hit in ranking:
        whole = taken_apart[hit.document.id]
        assert whole.score == hit.score
        assert abs(math.fsum(t.value for t in whole.terms) - whole.score) < 1e-12
        for term in whole.terms:
            assert term.span is None or (term.span in whole.sentences and hit.document.quote(term.span).strip())
        assert whole.score >= ranker.floor(hit.first_score)


def test_words_are_matched_where_they_stand(ranker: EvidenceRanker) -> None:
    document = Document("d", "Bread is baked at noon. The sky is blue.", "Weather")
    [whole] = ranker.decompose(QUERY, [document], [None])
    assert [document.quote(s) for s in whole.sentences] == ["Weather", "Bread is baked at noon.", "The sky is blue."]
    where = {t.query_term: t.span for t in whole.terms if t.part == "late interaction"}
    assert list(where) == ["why", "is", "the", "sky", "blue"]
    assert where["sky"] == where["blue"] == Span(24, 40)
    assert {t.span for t in whole.terms if t.part == "best sentence"} == {Span(24, 40)}
    carried = whole.by_sentence()
    assert max(carried, key=lambda s: carried[s]) == Span(24, 40)


def test_word_pieces_of_one_word_are_one_term(ranker: EvidenceRanker) -> None:
    [whole] = ranker.decompose(Query("q", "Photosynthesizers, anthocyanins!"), [DOCUMENTS[0]], [None])
    assert {t.query_term for t in whole.terms if t.query_term} == {"photosynthesizers", "anthocyanins"}


def test_a_document_without_words_scores_nothing_but_its_first_stage(ranker: EvidenceRanker) -> None:
    empty, blank = ranker.decompose(QUERY, DOCUMENTS[3:5], [None, None])
    assert empty.score == blank.score == 0.0
    [ranked] = ranker.decompose(QUERY, [DOCUMENTS[3]], [4.0])
    assert [t.part for t in ranked.terms] == ["first stage"]


def test_shuffled_split_and_mixed_calls_never_move_a_bit(ranker: EvidenceRanker) -> None:
    expected = dict(zip((d.id for d in DOCUMENTS), ranker.score(QUERY, DOCUMENTS, FIRST), strict=True))
    first = dict(zip((d.id for d in DOCUMENTS), FIRST, strict=True))
    rng = random.Random(3)
    for _ in range(25):
        chosen = rng.sample(DOCUMENTS, k=rng.randint(1, len(DOCUMENTS)))
        others = Ranking.of(Query("other", "fresh bread"), rng.sample(DOCUMENTS, k=3))
        mine = Ranking.of(QUERY, chosen, [first[d.id] for d in chosen])
        lists = [mine, others]
        rng.shuffle(lists)
        for ranking in ranker.rerank_many(lists):
            if ranking.query == QUERY:
                assert {h.document.id: h.score for h in ranking} == {d.id: expected[d.id] for d in chosen}


def test_equal_texts_score_equal_and_keep_their_order(ranker: EvidenceRanker) -> None:
    ranking = ranker.rerank(Ranking.of(QUERY, [Document(i, "The sky is blue.") for i in "cab"]))
    assert ranking.ids == ("c", "a", "b")
    assert len({h.score for h in ranking}) == 1


@pytest.mark.parametrize("name", list(RANKERS))
def test_every_ranker_returns_a_permutation(name: str) -> None:
    ranker = load(name)
    assert ranker.rerank_many([]) == []
    for n in (0, 1, 6):
        [ranking] = ranker.rerank_many([Ranking.of(QUERY, DOCUMENTS[:n])])
        assert sorted(ranking.ids) == sorted(d.id for d in DOCUMENTS[:n])
        scores = [h.score for h in ranking if h.score is not None]
        assert len(scores) == n
        assert all(a >= b for a, b in pairwise(scores))
        assert ranking.ranker == ranker.name
        assert ranking.usage.documents == n


@pytest.mark.parametrize("name", list(RANKERS))
def test_below_the_depth_the_order_stays_and_is_noted(name: str) -> None:
    seen: list[tuple[int, int]] = []
    ranker = load(name)
    [ranking] = ranker.rerank_many([Ranking.of(QUERY, DOCUMENTS)], depth=2, progress=lambda *done: seen.append(done))
    assert sorted(ranking.ids[:2]) == ["scatter", "sea"]
    assert ranking.ids[2:] == ("bread", "empty", "blank", "long")
    assert [h.score for h in ranking][2:] == [None] * 4
    assert seen[-1] == (2, 2)
    assert any("4 candidates below depth 2 were not read" in note for note in ranking.notes)
    with pytest.raises(BadInput, match="depth is 0"):
        ranker.rerank_many([Ranking.of(QUERY, DOCUMENTS)], depth=0)


def test_what_was_cut_is_recorded(ranker: EvidenceRanker) -> None:
    long = Document("book", "x" * (MAX_DOCUMENT_CHARS + 5))
    ranking = ranker.rerank(Ranking.of(QUERY, [long, DOCUMENTS[0]]))
    assert {h.document.id: h.cut for h in ranking} == {"book": 5, "scatter": 0}
    assert any("book (5 of its characters left out)" in note for note in ranking.notes)


def test_a_query_without_words_keeps_the_order_and_says_so(ranker: EvidenceRanker) -> None:
    for text in ("", "  ", "?!", "\x00"):
        ranking = ranker.rerank(Ranking.of(text, DOCUMENTS))
        assert ranking.ids == tuple(d.id for d in DOCUMENTS)
        assert ranking.status == "partial"
        assert any("no word" in note for note in ranking.notes)
    with pytest.raises(BadInput, match="at most 20,000"):
        ranker.rerank(Ranking.of("x" * (MAX_QUERY_CHARS + 1), DOCUMENTS))


def test_a_long_query_is_read_whole(ranker: EvidenceRanker) -> None:
    query = Query("q", "Bread goes stale in the fridge. " * 60 + "Why is the sky blue?")
    [whole] = ranker.decompose(query, [DOCUMENTS[0]], [None])
    assert "sky" in {t.query_term for t in whole.terms}


def test_a_document_read_for_two_queries_is_computed_once(ranker: EvidenceRanker) -> None:
    first, second = ranker.rerank_many(
        [Ranking.of(QUERY, DOCUMENTS[:2]), Ranking.of(Query("r", "sea"), DOCUMENTS[1:2])]
    )
    assert first.usage.cached_tokens == 0
    sea = second.usage.cached_tokens
    assert 0 < sea < second.usage.prompt_tokens < first.usage.prompt_tokens


def test_the_threads_of_blas_never_move_a_bit() -> None:
    """A query this long made BLAS split the product of query and document by its number of threads."""
    code = (
        "from whyrank.rankers.evidence import EvidenceRanker; from whyrank.types import Document, Query\n"
        "text = ' '.join(f'{w} {i}' for i in range(90) for w in ('warm', 'rain'))\n"
        "scores = EvidenceRanker(threads=1).score(Query('q', text[:400]), [Document('d', text)], [None])\n"
        "print(scores[0].hex())"
    )
    seen = set()
    for threads in ("1", "2", "4"):
        environment = os.environ | {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
        out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
        seen.add(out.stdout)
    assert len(seen) == 1


def test_every_letter_of_a_korean_query_asks(ranker: EvidenceRanker) -> None:
    # The body writes a syllable as two or three letters, all of which stand at the syllable's place.
    [asked] = ranker._read_queries([Query("q", "하늘 색?")])
    assert asked is not None
    assert asked.words == ("하늘",) * 5 + ("색",) * 3


def test_no_documents_are_no_scores_whatever_the_query(ranker: EvidenceRanker) -> None:
    assert ranker.score(Query("q", "?!"), [], []) == []
    with pytest.raises(BadInput, match="has no word"):
        ranker.score(Query("q", "?!"), DOCUMENTS[:1], [None])


def test_long_documents_are_read_a_few_at_a_time() -> None:
    keys = ["x" * n for n in (10, 10**5, 1, 10**7, 10**5, 5)]
    assert [key for chunk in in_chunks(keys, len) for key in chunk] == keys
    assert MAX_DOCUMENT_CHARS == 10**5  # what lies beyond is not read, and does not count
    assert CHUNK_CHARS == 250_000
    assert [len(chunk) for chunk in in_chunks(keys, len)] == [4, 2]
    assert [len(chunk) for chunk in in_chunks([""] * (CHUNK + 1), len)] == [CHUNK, 1]


def test_a_score_that_is_no_number_ranks_nothing(ranker: EvidenceRanker) -> None:
    given = Ranking.of(QUERY, DOCUMENTS[:2])
    hits = tuple(replace(hit, first_score=math.nan) for hit in given)
    with pytest.raises(BadInput, match=r"scores document 'scatter' nan \(first-stage score nan\)"):
        ranker.rerank(replace(given, hits=hits))


def test_a_second_stage_keeps_the_first_ones_order_where_it_ties() -> None:
    first = in_order(Ranking.of(QUERY, ["a", "b", "c"]), [1.0, 2.0, 3.0], ranker="one", usage=Usage())
    second = in_order(first, [0.0, 0.0, 0.0], ranker="two", usage=Usage())
    assert second.ids == first.ids == ("3", "2", "1")
    assert [h.first_rank for h in second] == [1, 2, 3]
    assert reason.verify(second).ok
    assert reason.verify(in_order(first, [0.0], ranker="two", usage=Usage())).ok


def test_the_name_changes_with_whatever_changes_a_score() -> None:
    assert EvidenceRanker(Encoder(window=64)).name != EvidenceRanker().name
    assert EvidenceRanker(Encoder(threads=1)).name == EvidenceRanker(Encoder(threads=2, batch_tokens=99)).name


def test_weights_of_another_body_are_part_of_the_name_and_of_the_score(ranker: EvidenceRanker) -> None:
    only_words = {"document": 0.0, "words": 1.0, "sentence": 0.0}
    fitted = {"version": "1", "with_first_stage": only_words, "without_first_stage": only_words}
    other = EvidenceRanker(fitted=fitted, threads=1)
    assert other.name != ranker.name
    query, document = Query("q", "blue sky"), Document("d", "The sky is blue.")
    [[parts]] = ranker.similarities([Ranking.of(query, [document])])
    assert other.score(query, [document], [5.0]) == [pytest.approx(parts.words)]
