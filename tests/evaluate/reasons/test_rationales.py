"""Rationales: sentences in the order of importance, from any giver, and how much of them is looked at."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whyrank.errors import BadInput, DuplicateId
from whyrank.evaluate.reasons.rationales import (
    Rationale,
    at_random,
    by_bm25,
    by_contribution,
    check_aligned,
    lead,
    quoted,
    sentences_of,
    shared_documents,
    upto,
    upto_words,
    words_of,
)
from whyrank.retrieve import BM25
from whyrank.types import Decomposition, Direct, Document, Evidence, Ranking, Span, Term

PARIS = Document("paris", "It lies on the Seine. Paris is the capital. Many visit the Louvre.", "Paris in brief")
TITLE, SEINE, CAPITAL, LOUVRE = Span(0, 14, "title"), Span(0, 21), Span(22, 43), Span(44, 66)
ASKED = Ranking.of("capital of France", [PARIS, Document("one", "Lyon is no capital.")])

texts = st.lists(st.sampled_from(["A b c.", "The Seine.", "Is it? Yes!", "巴黎是首都。", "x"]), max_size=6).map(
    " ".join
)


def words(document: Document, spans: Rationale) -> int:
    return sum(len(words_of(document, span)) for span in spans)


def test_the_title_is_one_sentence_and_comes_first() -> None:
    assert sentences_of(PARIS) == (TITLE, SEINE, CAPITAL, LOUVRE)
    assert [PARIS.quote(s) for s in sentences_of(PARIS)][2] == "Paris is the capital."


def test_words_are_found_where_they_stand() -> None:
    assert [PARIS.text[a:b] for a, b in words_of(PARIS, CAPITAL)] == ["Paris", "is", "the", "capital"]
    assert len(words_of(Document("zh", "巴黎是首都。"), Span(0, 6))) == 5


def test_what_carries_most_comes_first_and_what_takes_away_last() -> None:
    terms = (
        Term("late interaction", 0.2, "capital", CAPITAL),
        Term("best sentence", 0.1, "capital", CAPITAL),
        Term("late interaction", 0.25, "france", LOUVRE),
        Term("late interaction", -0.1, "of", TITLE),
        Term("whole document", 9.0),
    )
    expected = {"paris": (CAPITAL, LOUVRE, SEINE, TITLE)}
    assert by_contribution(ASKED, [Decomposition("paris", 9.45, terms, (SEINE,))]) == expected
    assert by_contribution(ASKED, [Direct("paris", "", terms=terms)]) == expected


def test_equal_contributions_stand_in_reading_order() -> None:
    terms = tuple(Term("late interaction", 0.5, "x", span) for span in (LOUVRE, TITLE, SEINE))
    assert by_contribution(ASKED, [Direct("paris", "", terms=terms)])["paris"] == (TITLE, SEINE, LOUVRE, CAPITAL)


def test_quotes_are_found_to_the_letter_or_not_at_all() -> None:
    given = Direct(
        "paris",
        "",
        evidence=(
            Evidence("Paris is the capital.", None),
            Evidence("paris is the capital", None),
            Evidence("in brief", None),
            Evidence("", None),
            Evidence("Paris is the capital.", CAPITAL),
        ),
    )
    assert quoted(ASKED, [given]) == {"paris": (CAPITAL, Span(6, 14, "title"))}


def test_a_reason_without_a_quote_that_is_found_gives_no_rationale() -> None:
    invented = Direct("one", "", evidence=(Evidence("Lyon is the capital.", None),))
    assert quoted(ASKED, [invented, Direct("paris", "")]) == {}


def test_a_reason_of_a_document_elsewhere_is_refused() -> None:
    with pytest.raises(BadInput, match="'rome', which is not in the ranking"):
        by_contribution(ASKED, [Direct("rome", "")])
    with pytest.raises(BadInput, match="'rome', which is not in the ranking"):
        quoted(ASKED, [Direct("rome", "")])


def test_random_order_belongs_to_seed_query_and_document() -> None:
    orders = {at_random(ASKED, seed)["paris"] for seed in range(60)}
    assert len(orders) > 15  # of 24
    assert all(sorted(order, key=str) == sorted(sentences_of(PARIS), key=str) for order in orders)
    assert at_random(Ranking.of(ASKED.query, [PARIS]), 3)["paris"] == at_random(ASKED, 3)["paris"]
    firsts = [at_random(ASKED, seed)["paris"][0] for seed in range(400)]
    assert all(60 < firsts.count(span) < 140 for span in sentences_of(PARIS))


def test_lead_is_reading_order() -> None:
    assert lead(ASKED) == {"paris": (TITLE, SEINE, CAPITAL, LOUVRE), "one": (Span(0, 19),)}
    assert lead(ASKED, title_first=False) == {"paris": (SEINE, CAPITAL, LOUVRE, TITLE), "one": (Span(0, 19),)}


def test_bm25_scores_sentences_among_those_of_all_candidates() -> None:
    ranking = Ranking.of(
        "the capital of Peru",
        [PARIS, Document("peru", "Peru is large. Its capital is Lima. Peru borders Chile; Lima is its capital, Lima.")],
    )
    sentences = {(d.id, s): d.quote(s) for d in ranking.documents for s in sentences_of(d)}
    index = BM25.build([Document(f"{i}", text) for i, text in enumerate(sentences.values())])
    scores = {hit.document.id: hit.first_score or 0.0 for hit in index.search(ranking.query, 99)}
    found = by_bm25(ranking)
    for document in ranking.documents:
        own = {s: scores.get(f"{i}", 0.0) for i, (d, s) in enumerate(sentences) if d == document.id}
        assert found[document.id] == tuple(sorted(own, key=lambda s: -own[s]))
    assert found["paris"] == (CAPITAL, TITLE, SEINE, LOUVRE)


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("1", (CAPITAL,)),
        ("3", (CAPITAL, TITLE, SEINE)),
        ("9", (CAPITAL, TITLE, SEINE)),
        ("10%", (Span(22, 30),)),  # 2 of 16 words: "Paris is"
        ("25%", (CAPITAL,)),  # 4 words
        ("50%", (CAPITAL, TITLE, Span(0, 2))),  # 8 words: "It"
        ("100%", (CAPITAL, TITLE, SEINE)),
    ],
)
def test_the_best_up_to_a_level(level: str, expected: Rationale) -> None:
    assert words(PARIS, sentences_of(PARIS)) == 16
    assert upto(PARIS, (CAPITAL, TITLE, SEINE), level) == expected


@pytest.mark.parametrize("level", ["0", "-1", "", "%", "0%", "1.5", "half"])
def test_a_level_that_is_none(level: str) -> None:
    with pytest.raises(BadInput, match="give a number of sentences"):
        upto(PARIS, (CAPITAL,), level)


@given(texts, st.integers(0, 20))
def test_a_budget_of_words_is_met_exactly(text: str, count: int) -> None:
    document = Document("d", text, "A title")
    kept = upto_words(document, sentences_of(document), count)
    assert words(document, kept) == min(count, words(document, sentences_of(document)))


def test_documents_are_compared_where_every_method_has_a_rationale() -> None:
    methods = {"lead": lead(ASKED), "model": {"one": (Span(0, 4),), "paris": ()}}
    assert [d.id for d in shared_documents(ASKED, methods)] == ["one"]


def test_rationales_stand_beside_rankings() -> None:
    check_aligned([ASKED], {"lead": [lead(ASKED)]})
    with pytest.raises(BadInput, match="'lead' has rationales for 0 queries, the rankings are 1"):
        check_aligned([ASKED], {"lead": []})
    with pytest.raises(BadInput, match="no rationales"):
        check_aligned([ASKED], {})
    with pytest.raises(BadInput, match="no rankings"):
        check_aligned([], {"lead": []})
    with pytest.raises(DuplicateId, match="query '1' has 2 rankings"):
        check_aligned([ASKED, ASKED], {"lead": [{}, {}]})
