import pytest

from whyrank.errors import BadInput, DuplicateId
from whyrank.types import Decomposition, Difference, Document, Hit, Query, Ranking, Span, Term, Usage


def test_full_text_and_fields() -> None:
    document = Document("d", "body", "Head")
    assert document.full_text == "Head body"
    assert (document.field_text("text"), document.field_text("title")) == ("body", "Head")
    assert Document("d", "body").full_text == "body"
    assert Document("d", "body").field_text("title") == ""


def test_quotes_are_spans_of_code_points() -> None:
    document = Document("d", "a😀b", "T")
    assert document.quote(Span(1, 2)) == "😀"
    assert document.quote(Span(0, 1, "title")) == "T"
    assert document.quote(Span(3, 3)) == ""


@pytest.mark.parametrize("span", [Span(-1, 1), Span(2, 1), Span(0, 4), Span(0, 2, "title")])
def test_spans_outside_are_refused(span: Span) -> None:
    with pytest.raises(BadInput, match=r"document 'd': span .* lies outside"):
        Document("d", "abc", "T").quote(span)


def test_cutting_leaves_the_rest_to_the_letter() -> None:
    document = Document("d", "One. Two. Three.", "Head line", {"k": 1})
    cut = document.without([Span(0, 5), Span(10, 16), Span(0, 5, "title"), Span(0, 5)])
    assert (cut.text, cut.title, cut.metadata, cut.id) == ("Two. ", "line", {"k": 1}, "d")
    assert document.without([Span(0, 9, "title")]).title is None
    assert document.without([]) == document


@pytest.mark.parametrize(
    ("spans", "left"),
    [
        ([Span(0, 5), Span(3, 7)], "789"),
        ([Span(3, 7), Span(0, 5)], "789"),
        ([Span(0, 8), Span(2, 4)], "89"),
        ([Span(2, 3), Span(2, 6)], "016789"),
        ([Span(4, 4)], "0123456789"),
    ],
)
def test_spans_that_overlap_are_cut_once(spans: list[Span], left: str) -> None:
    assert Document("d", "0123456789").without(spans).text == left


def test_usage_adds_up_and_an_unknown_price_stays_unknown() -> None:
    a = Usage(1, 2, 3, 4, 5, 6, 0.5, 0.25)
    assert a + a == Usage(2, 4, 6, 8, 10, 12, 1.0, 0.5)
    assert (a + Usage(cost=None)).cost is None


def test_coercion_of_what_a_caller_has() -> None:
    ranking = Ranking.of(
        "why?", ["a", Document("x", "b"), {"_id": 7, "text": "c", "title": "", "n": 1}], [1, None, 2.5]
    )
    assert ranking.query == Query("1", "why?")
    assert ranking.hits == (
        Hit(Document("1", "a"), first_score=1.0, first_rank=1),
        Hit(Document("x", "b"), first_rank=2),
        Hit(Document("7", "c", metadata={"n": 1}), first_score=2.5, first_rank=3),
    )
    assert (ranking.ids, len(ranking), ranking[1].document.id) == (("1", "x", "7"), 3, "x")
    assert ranking.top(1).ids == ("1",)
    assert [document.text for document in ranking.documents] == ["a", "b", "c"]
    assert len(Ranking.of("why?", [])) == 0


def test_the_mapping_that_was_given_stays_as_it_was() -> None:
    given = {"id": "a", "text": "x", "n": 1}
    Ranking.of("q", [given])
    assert given == {"id": "a", "text": "x", "n": 1}


@pytest.mark.parametrize(
    ("documents", "scores", "message"),
    [
        ([{"id": 1}], None, "document 1 has no 'text'; it has the keys"),
        ([{"text": "a", "title": 3}], None, "'title' is int"),
        ([3], None, "document 1 is int"),
        (["a"], [1.0, 2.0], "2 first-stage scores for 1 documents"),
        (["a"], [float("nan")], "first-stage score is nan"),
        (["a"], [float("inf")], "first-stage score is inf"),
    ],
)
def test_what_cannot_be_coerced(documents: list[object], scores: list[float] | None, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        Ranking.of("q", documents, scores)  # type: ignore[arg-type]


def test_a_query_is_text_or_query() -> None:
    with pytest.raises(BadInput, match=r"a query is a text or a whyrank\.Query, not int"):
        Ranking.of(3, [])  # type: ignore[arg-type]


def test_equal_ids_are_refused() -> None:
    with pytest.raises(DuplicateId, match=r"'2' is given twice \(places 1 and 2\)"):
        Ranking.of("q", [{"id": 2, "text": "a"}, "b"])


def test_the_rationale_begins_with_what_carries_most_and_goes_on_with_what_meets_the_query() -> None:
    one, two, three, four = (Span(i, i + 1) for i in range(4))
    terms = (Term("x", 0.2, span=two), Term("x", 0.5, span=three), Term("whole document", 1.0))
    sentences = (one, two, three, four)
    assert Decomposition("d", 1.7, terms, sentences).rationale() == (three, two, one, four)
    assert Decomposition("d", 1.7, terms, sentences, (0.9, 0.1, 0.0, 0.3)).rationale() == (three, one, four, two)
    assert Decomposition("d", 1.0, terms[2:], ()).rationale() == ()


def test_sums_by_sentence_and_margins() -> None:
    first, second = Span(0, 2), Span(2, 4)
    terms = (Term("late", 1.0, span=first), Term("late", 0.5, "w", first), Term("rest", 9.0))
    assert Decomposition("d", 10.5, terms, (first, second)).by_sentence() == {first: 1.5, second: 0.0}
    assert Difference("late", 2.0, 0.5).value == 1.5
