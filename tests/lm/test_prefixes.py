"""What a batch shares, and how it is divided."""

from hypothesis import given
from hypothesis import strategies as st

from whyrank.lm.prefixes import PADDING, PASS, Group, buckets, common, groups

SEQUENCES = st.lists(st.lists(st.integers(0, 2), max_size=8), max_size=9)


def saved(found: list[Group]) -> int:
    return sum((len(group.members) - 1) * group.prefix for group in found)


def test_one_query_shares_its_prefix() -> None:
    assert groups([[1, 2, 3, 7], [1, 2, 3, 8], [1, 2, 3, 9, 9]], worth=1) == [Group(3, (0, 1, 2))]


def test_two_queries_with_one_template_are_two_groups() -> None:
    template, one, other = [1, 1], [2] * 20, [3] * 20
    sequences = [[*template, *one, 5], [*template, *other, 5], [*template, *one, 6], [*template, *other, 6]]
    # Two groups of 22 save 44; one of the template would save 3·2.
    assert groups(sequences, worth=1) == [Group(22, (0, 2)), Group(22, (1, 3))]


def test_a_long_template_with_short_queries_is_one_group() -> None:
    template = [1] * 20
    sequences = [[*template, 2, 5], [*template, 2, 6], [*template, 3, 5], [*template, 3, 6]]
    # Two groups of 21 save 42; the template alone saves 3·20.
    assert groups(sequences, worth=1) == [Group(20, (0, 1, 2, 3))]


def test_what_saves_less_than_a_pass_stays_together_without_a_prefix() -> None:
    sequences = [[1, 2, 3], [1, 2, 4], [5]]
    assert groups(sequences, worth=2) == [Group(2, (0, 1)), Group(0, (2,))]
    assert groups(sequences, worth=3) == [Group(0, (0, 1, 2))]


def test_equal_sequences_and_none() -> None:
    assert groups([[4, 4], [4, 4], [4, 4]], worth=1) == [Group(2, (0, 1, 2))]
    assert groups([], worth=1) == []
    assert groups([[], []], worth=1) == [Group(0, (0, 1))]


def test_prefixes_that_are_sequences_themselves() -> None:
    # A chain: [1], [1 1], [1 1 1] …: the two longest share most, all of them share one.
    assert saved(groups([[1] * length for length in range(1, 6)], worth=1)) == 6  # (3, 4, 5) share 3


@given(SEQUENCES, st.integers(1, 6))
def test_groups_divide_and_members_share(sequences: list[list[int]], worth: int) -> None:
    found = groups(sequences, worth)
    assert sorted(place for group in found for place in group.members) == list(range(len(sequences)))
    assert [group.members[0] for group in found] == sorted(group.members[0] for group in found)
    for prefix, members in found:
        first = sequences[members[0]][:prefix]
        assert all(sequences[place][:prefix] == first for place in members)
        assert len(first) == prefix
        assert list(members) == sorted(members)
        assert prefix == 0 or (len(members) - 1) * prefix >= worth
    assert sum(group.prefix == 0 for group in found) <= 1


@given(SEQUENCES)
def test_no_single_prefix_for_all_saves_more(sequences: list[list[int]]) -> None:
    found = groups(sequences, worth=1)
    shared = min((common(one, other) for one in sequences for other in sequences), default=0)
    assert saved(found) >= (len(sequences) - 1) * shared


@given(SEQUENCES)
def test_no_division_by_a_beginning_saves_more(sequences: list[list[int]]) -> None:
    for length in range(9):
        by_beginning: dict[tuple[int, ...], int] = {}
        for sequence in sequences:
            if len(sequence) >= length:
                by_beginning[tuple(sequence[:length])] = by_beginning.get(tuple(sequence[:length]), 0) + 1
        assert saved(groups(sequences, worth=1)) >= sum((count - 1) * length for count in by_beginning.values())


def test_buckets_hold_the_limit_with_padding_and_prefix() -> None:
    assert buckets([10, 10, 10, 10], limit=30) == [[0, 1, 2], [3]]
    assert buckets([10, 10, 10, 10], limit=30, shared=5) == [[0, 1], [2, 3]]
    assert buckets([50, 2], limit=30) == [[0], [1]]
    assert buckets([], limit=30) == []


def test_a_much_shorter_sequence_begins_a_bucket() -> None:
    assert buckets([1000, 990, 100], limit=100_000) == [[0, 1], [2]]
    assert buckets([60, 50, 6], limit=100_000) == [[0, 1, 2]]  # 64 tokens of padding: no dearer than a pass
    assert buckets([60, 50, 5, 5], limit=100_000) == [[0, 1], [2, 3]]  # 65


@given(st.lists(st.integers(1, 400), max_size=30), st.integers(1, 2000), st.integers(0, 100))
def test_every_bucket_is_within_bounds(lengths: list[int], limit: int, shared: int) -> None:
    found = buckets(lengths, limit, shared)
    assert sorted(place for bucket in found for place in bucket) == list(range(len(lengths)))
    for bucket in found:
        own = [lengths[place] for place in bucket]
        assert own == sorted(own, reverse=True)
        assert len(own) == 1 or len(own) * (own[0] + shared) <= limit
        padding = len(own) * own[0] - sum(own)
        assert padding <= max(PASS, PADDING * sum(own[:-1]))
