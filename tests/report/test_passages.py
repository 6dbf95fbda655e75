"""Marks, pieces and windows of a document, counted by hand."""

from hypothesis import given
from hypothesis import strategies as st

from whyrank.report.passages import Mark, is_found, marks_in, pieces, window, windows
from whyrank.types import Document, Evidence, Span

DOCUMENT = Document("d", "One two. Three four. Five.", title="A title")


def test_marks_are_weighed_beside_the_largest_contribution() -> None:
    evidence = [
        Evidence("Three four.", Span(9, 20), 0.4),
        Evidence("One two.", Span(0, 8), -0.1),
        Evidence("Five.", Span(21, 26)),
        Evidence("A title", Span(0, 7, "title"), 0.2),
    ]
    assert marks_in(DOCUMENT, evidence) == [
        Mark(9, 20, 1.0, 1),
        Mark(0, 8, 0.25, 2, is_against=True),
        Mark(21, 26, 0.5, 3),
    ]
    assert marks_in(DOCUMENT, evidence, "title") == [Mark(0, 7, 0.5, 4)]


def test_spans_that_the_document_does_not_have_are_not_marked() -> None:
    wrong = [Evidence("made up", None), Evidence("", Span(20, 99)), Evidence("", Span(-3, 2)), Evidence("", Span(4, 4))]
    assert marks_in(DOCUMENT, wrong) == []
    assert [is_found(DOCUMENT, e) for e in wrong] == [False] * 4
    assert is_found(DOCUMENT, Evidence("Five.", Span(21, 26)))


def test_where_marks_overlap_the_strongest_shows_and_each_ends_once() -> None:
    weak, strong = Mark(2, 8, 0.3, 1), Mark(5, 12, 1.0, 2)
    assert [(p.start, p.end, p.mark and p.mark.number, p.ends) for p in pieces([weak, strong], 0, 15)] == [
        (0, 2, None, ()),
        (2, 5, 1, ()),
        (5, 8, 2, (1,)),
        (8, 12, 2, (2,)),
        (12, 15, None, ()),
    ]


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(1, 20)), max_size=6),
    st.integers(0, 20),
    st.integers(21, 60),
)
def test_pieces_cover_their_stretch_without_gaps(spans: list[tuple[int, int]], start: int, end: int) -> None:
    marks = [Mark(a, a + n, 1.0, i) for i, (a, n) in enumerate(spans, 1)]
    cut = pieces(marks, start, end)
    assert [p.start for p in cut] + [end] == [start] + [p.end for p in cut]
    marked = {i for p in cut if p.mark for i in range(p.start, p.end)}
    assert marked == {i for m in marks for i in range(m.start, m.end) if start <= i < end}


def test_windows_keep_the_evidence_whole_and_end_at_words() -> None:
    text = "word " * 400
    marks = [Mark(500, 519, 1.0, 1), Mark(1500, 1519, 0.5, 2)]
    found = windows(text, marks, reach=50, gap=20)
    assert found == [(450, 569), (1450, 1569)]
    assert all(text[a:b] == text[a:b].strip() for a, b in found)


def test_windows_join_what_is_close_and_take_in_near_edges() -> None:
    text = "word " * 60
    assert windows(text, [Mark(100, 104, 1, 1), Mark(150, 154, 1, 2)], reach=30, gap=20) == [(70, 184)]
    assert windows(text, [Mark(40, 44, 1, 1), Mark(250, 254, 1, 2)], reach=30, gap=20) == [(0, 74), (220, 300)]
    assert windows(text, [], reach=30, gap=20) == [(0, 119)]


def test_one_window_shows_the_evidence_and_a_little_before_it() -> None:
    text = "word " * 200
    start, end = window(text, Mark(500, 544, 1.0, 1), 120)
    assert (start, end) == (485, 599)
    assert window("short", Mark(0, 5, 1.0, 1), 120) == (0, 5)
    assert window(text, None, 50) == (0, 49)
    assert window(text, Mark(990, 999, 1.0, 1), 100) == (900, 1000)
    assert window(text, Mark(30, 49, 1.0, 1), 100) == (0, 99)  # ten characters are not worth an ellipsis
