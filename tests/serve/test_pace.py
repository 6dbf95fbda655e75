"""How long work will take, by what was measured: worked by hand."""

import pytest

from whyrank.serve.pace import STALE_S, Pace


def test_what_was_never_measured_is_not_known() -> None:
    assert Pace(100).seconds(50) == 0.0


def test_one_turn_tells_of_turns_of_its_kind() -> None:
    pace = Pace(100)
    pace.learn(100, 2.0)
    assert [pace.seconds(tokens) for tokens in (0, 50, 100, 450)] == pytest.approx([0.0, 1.0, 2.0, 9.0])


def test_two_sizes_tell_overhead_and_time_per_token() -> None:
    pace = Pace(100)
    for tokens in (20, 100, 20, 100):
        pace.learn(tokens, 1.0 + 0.02 * tokens)
    assert pace.seconds(60) == pytest.approx(1.0 + 1.2)
    assert pace.seconds(250) == pytest.approx(3 * 1.0 + 5.0)


def test_small_turns_tell_nothing_of_large_ones() -> None:
    pace = Pace(1_000)
    pace.learn(10, 0.5)
    assert pace.seconds(40) == pytest.approx(2.0)
    assert pace.seconds(41) == pace.seconds(1_000_000) == 0.0


def test_many_small_turns_do_not_make_a_large_one_look_slow() -> None:
    pace = Pace(1_000)
    pace.learn(1_000, 1.0)
    for place in range(500):
        pace.learn(10 + place % 2, 0.5)
    assert pace.seconds(1_000) == pytest.approx(1.0, rel=0.1)


def test_what_is_newer_counts_more() -> None:
    pace = Pace(100)
    for seconds in [*[1.0] * 12, *[3.0] * 12]:
        pace.learn(100, seconds)
    assert pace.seconds(100) == pytest.approx(3.0, rel=0.1)


def test_what_nobody_renewed_says_nothing_any_more() -> None:
    now = [0.0]
    pace = Pace(100, lambda: now[0])
    pace.learn(100, 2.0)
    now[0] = STALE_S
    assert pace.seconds(100) == pytest.approx(2.0)
    now[0] = STALE_S + 1
    assert pace.seconds(100) == 0.0
