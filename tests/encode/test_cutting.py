"""Cutting covers everything, evenly."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from whyrank.encode.passages import cut, harmless


def test_by_hand() -> None:
    assert cut(0, 6, 2) == [(0, 0)]
    assert cut(6, 6, 2) == [(0, 6)]
    assert cut(7, 6, 2) == [(0, 5), (2, 7)]
    assert cut(10, 6, 2) == [(0, 6), (4, 10)]
    assert cut(11, 6, 2) == [(0, 5), (3, 8), (6, 11)]


@given(st.integers(0, 2_000), st.integers(2, 300), st.data())
def test_every_token_is_read_and_neighbours_overlap(tokens: int, window: int, data: st.DataObject) -> None:
    overlap = data.draw(st.integers(0, window // 2))
    ranges = cut(tokens, window, overlap)
    assert {i for a, b in ranges for i in range(a, b)} == set(range(tokens))
    assert len({b - a for a, b in ranges}) == 1
    assert ranges[0][1] - ranges[0][0] <= window
    assert all(before[1] - after[0] >= overlap for before, after in pairwise(ranges))
    assert sum(b - a for a, b in ranges) < tokens + len(ranges) * (overlap + 1) + 1


@given(st.text(st.characters(exclude_categories=())))
def test_harmless_text_can_be_encoded_and_keeps_its_length(text: str) -> None:
    assert len(harmless(text).encode()) >= len(harmless(text)) == len(text)
