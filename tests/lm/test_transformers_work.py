"""How readings are put into batches."""

from whyrank.lm.transformers_work import LOGITS, Job, Reading, jobs


def reading(place: int, tokens: list[int], asked: int = 0) -> Reading:
    """A choice after `tokens`, or a continuation of `asked` tokens at their end."""
    if asked == 0:
        return Reading(place, tokens, len(tokens) - 1, (1, 2), True)
    return Reading(place, tokens, len(tokens) - asked, (3,) * asked, False)


def places(job: Job) -> list[list[int]]:
    return [[own.place for own in batch] for batch in job.batches]


def test_the_prefix_counts_for_each_sequence_of_a_batch() -> None:
    prefix = [9] * 50
    readings = [reading(place, [*prefix, *[place] * 10]) for place in range(4)]
    [job] = jobs(readings, limit=130, shares=True, vocabulary=100)
    assert job.prefix == tuple(prefix)
    assert places(job) == [[0, 1], [2, 3]]


def test_what_shares_nothing_is_batched_by_length() -> None:
    readings = [reading(place, [place] * length) for place, length in enumerate((200, 500, 210))]
    [job] = jobs(readings, limit=10_000, shares=True, vocabulary=100)
    assert job.prefix == ()
    assert places(job) == [[1], [2, 0]]


def test_nothing_is_shared_where_it_may_not_be() -> None:
    readings = [reading(place, [9] * 50 + [place]) for place in range(3)]
    [job] = jobs(readings, limit=10_000, shares=False, vocabulary=100)
    assert (job.prefix, places(job)) == ((), [[0, 1, 2]])
    assert jobs([], limit=10, shares=False, vocabulary=100) == []


def test_a_continuation_shares_no_position_that_is_looked_at() -> None:
    readings = [reading(place, [9] * 80, asked=20) for place in range(3)]
    [job] = jobs(readings, limit=10_000, shares=True, vocabulary=100)
    assert len(job.prefix) == 60


def test_whole_vocabularies_are_held_for_few_positions_at_once() -> None:
    readings = [reading(place, [place] * 30, asked=10) for place in range(4)]
    [job] = jobs(readings, limit=10_000, shares=True, vocabulary=LOGITS // 25)
    assert places(job) == [[0, 1], [2, 3]]
    choices = [reading(place, [place] * 30) for place in range(4)]
    [job] = jobs(choices, limit=10_000, shares=True, vocabulary=LOGITS)
    assert places(job) == [[0, 1, 2, 3]]
