"""Which lists are made of the candidates."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whyrank.errors import BadInput
from whyrank.teach.candidates import Lists, lists, windows
from whyrank.teach.settings import ListSettings
from whyrank.types import Document, Query, Ranking


def ranking(count: int, query: str = "q", text: str = "question") -> Ranking:
    return Ranking.of(Query(query, text), [Document(str(number), f"text {number}") for number in range(count)])


def ids(found: Lists) -> list[str]:
    return ["".join(f"{hit.document.id} " for hit in one).strip() for one in found.shown]


@pytest.mark.parametrize(
    ("count", "size", "stride", "expected"),
    [
        (20, 5, 5, [(0, 5), (5, 10), (10, 15), (15, 20)]),
        (12, 5, 5, [(0, 5), (5, 10), (7, 12)]),
        (9, 5, 2, [(0, 5), (2, 7), (4, 9)]),
        (5, 5, 5, [(0, 5)]),
        (3, 5, 5, [(0, 3)]),
        (0, 5, 5, [(0, 0)]),
    ],
)
def test_windows(count: int, size: int, stride: int, expected: list[tuple[int, int]]) -> None:
    assert [(places.start, places.stop) for places in windows(count, size, stride)] == expected


@given(st.integers(1, 60), st.integers(1, 12), st.data())
def test_windows_show_every_candidate_in_lists_of_one_length(count: int, size: int, data: st.DataObject) -> None:
    made = windows(count, size, data.draw(st.integers(1, size)))
    assert {place for places in made for place in places} == set(range(count))
    assert {len(places) for places in made} == {min(size, count)}
    assert len(set(made)) == len(made)


def test_the_first_candidates_are_shown_in_windows() -> None:
    assert ids(lists([ranking(9)], ListSettings(depth=6, window=3))) == ["0 1 2", "3 4 5"]
    assert ids(lists([ranking(9)], ListSettings(depth=4, window=3, stride=1))) == ["0 1 2", "1 2 3"]
    assert ids(lists([ranking(2)], ListSettings())) == ["0 1"]


def test_hard_negatives_come_from_below_the_depth() -> None:
    found = lists([ranking(30)], ListSettings(depth=6, window=3, negatives=2))
    for one, first in zip(found.shown, (["0", "1", "2"], ["3", "4", "5"]), strict=True):
        names = [hit.document.id for hit in one]
        assert names[:3] == first
        assert len(set(names)) == 5
        assert all(int(name) >= 6 for name in names[3:])
        assert sorted(names, key=int) == names
    few = lists([ranking(7)], ListSettings(depth=6, window=3, negatives=2))
    assert ids(few) == ["0 1 2 6", "3 4 5 6"]


def test_shuffles_show_the_same_list_in_other_orders() -> None:
    found = lists([ranking(5)], ListSettings(shuffles=3))
    names = [one.split() for one in ids(found)]
    assert names[0] == ["0", "1", "2", "3", "4"]
    assert len({tuple(one) for one in names}) == len(names) == 4
    assert all(sorted(one) == names[0] for one in names)


def test_there_are_no_more_orders_than_there_are() -> None:
    assert sorted(ids(lists([ranking(2)], ListSettings(shuffles=9)))) == ["0 1", "1 0"]


def test_lots_depend_on_the_seed_and_the_query_alone() -> None:
    settings = ListSettings(depth=5, negatives=2, shuffles=2)
    alone = ids(lists([ranking(40)], settings))
    assert ids(lists([ranking(12, "other"), ranking(40)], settings))[-3:] == alone
    assert ids(lists([ranking(40)], settings.model_copy(update={"seed": 1}))) != alone
    assert ids(lists([ranking(40, "other")], settings)) != alone


def test_what_cannot_be_shown_is_counted() -> None:
    empty = Ranking.of(
        Query("e", "question"), [Document("a", " "), Document("b", "", title="title"), Document("c", "c")]
    )
    found = lists([empty, ranking(1), ranking(0), ranking(3, text=" ")], ListSettings())
    assert ids(found) == ["b c"]
    assert (found.without_text, found.too_short, found.without_query) == (1, 2, 1)


def test_first_stage_scores_stay() -> None:
    [one] = lists([Ranking.of("q", ["a", "b"], [2.0, 1.0])], ListSettings()).shown
    assert [hit.first_score for hit in one] == [2.0, 1.0]


def test_a_stride_may_not_leap_over_candidates() -> None:
    with pytest.raises(BadInput, match="stride 4 is wider than the window of 3"):
        lists([ranking(9)], ListSettings(window=3, stride=4))
