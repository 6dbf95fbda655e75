"""What every ranker does that reads pairs with weights in this process: its settings checked, its memory, its usage."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from time import perf_counter
from typing import Literal, NamedTuple, TypeAlias, get_args

from whyrank.errors import BadInput, ModelUnavailable
from whyrank.lm.transformers import is_out_of_memory
from whyrank.rankers.outcome import in_order
from whyrank.types import Document, Ranking, Usage

Mode: TypeAlias = Literal["fast", "isolated"]
Pair: TypeAlias = tuple[str, str]


class PairRead(NamedTuple):
    """What was read of a query and the text of a document.

    Attributes:
        score: theirs.
        tokens: of both.
        left_out: characters at the end of the document that were not read.
        cached: of the tokens, those that had been read for another pair.
    """

    score: float
    tokens: int
    left_out: int
    cached: int = 0


def check_reading(mode: str, batch_tokens: int) -> None:
    """Refuse settings that mean nothing.

    Raises:
        BadInput: a mode there is not, or a batch without tokens.
    """
    if mode not in get_args(Mode):
        raise BadInput(f"no mode {mode!r}; give fast or isolated")
    if batch_tokens < 1:
        raise BadInput(f"batch_tokens={batch_tokens}; give a number of at least 1")


@contextmanager
def within_memory(name: str, batch_tokens: int) -> Iterator[None]:
    """Say what to do where memory does not suffice.

    Raises:
        ModelUnavailable: it does not.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise ModelUnavailable(f"{name} ran out of memory; give fewer batch_tokens (now {batch_tokens:,})") from error


def reranked(
    rankings: Sequence[Ranking],
    read: Callable[[Sequence[Pair]], Sequence[PairRead]],
    *,
    text_of: Callable[[Document], str],
    depth: int | None,
    ranker: str,
) -> list[Ranking]:
    """Each list in the order of what is read of its documents, with its share of tokens and time.

    Args:
        rankings: candidates as they were given.
        read: gives what was read of each pair.
        text_of: what is read of a document.
        depth: candidates read per query; the rest keep their order below.
        ranker: name and fingerprint of what scores.
    """
    started = perf_counter()
    pairs = [[(r.query.text, text_of(hit.document)) for hit in r.hits[:depth]] for r in rankings]
    found = iter(read([pair for own in pairs for pair in own]))
    lists = [[next(found) for _ in own] for own in pairs]
    seconds = perf_counter() - started
    total = sum(one.tokens for own in lists for one in own) or 1
    result = []
    for ranking, own in zip(rankings, lists, strict=True):
        tokens, cached = sum(one.tokens for one in own), sum(one.cached for one in own)
        documents = sum(one.cached < one.tokens for one in own)
        usage = Usage(documents, documents, tokens, cached, seconds=seconds * tokens / total)
        cuts = [one.left_out for one in own]
        result.append(in_order(ranking, [one.score for one in own], ranker=ranker, usage=usage, cuts=cuts))
    return result
