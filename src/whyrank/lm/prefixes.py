"""Which token sequences of a batch begin alike, and which are alike in length: what need be computed only once.

Pure: lists of tokens in, places out.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

PASS = 64
"""What one more pass through the model costs, in tokens: less than this is not worth a pass of its own."""
PADDING = 0.125
"""Padding that a bucket may hold for each real token."""


class Group(NamedTuple):
    """Sequences that share their first `prefix` tokens.

    Attributes:
        prefix: how many; 0 for those that share nothing worth a pass.
        members: their places, ascending.
    """

    prefix: int
    members: tuple[int, ...]


def groups(sequences: Sequence[Sequence[int]], worth: int = PASS) -> list[Group]:
    """Divide sequences into groups of a common prefix, so that few tokens have to be read in all.

    A group of m sequences with a common prefix of p tokens saves (m - 1)·p of them. Sequences that begin alike form a
    tree; a branch of it becomes one group, or is left to the groups within it, whichever saves more.

    Args:
        sequences: of each, the tokens that it could share, so without the last ones that it must read itself.
        worth: fewest tokens that a group must save.

    Returns:
        Every place in exactly one group, in the order of their first members; at most one group has the prefix 0.
    """
    order = sorted(range(len(sequences)), key=lambda place: list(sequences[place]))
    alike = [common(sequences[one], sequences[other]) for one, other in pairwise(order)]
    branches = [_Branch(0, 0)]
    for position, (place, following) in enumerate(zip(order, [*alike, 0], strict=False)):
        if branches[-1].depth < following:
            branches.append(_Branch(following, position))
        branches[-1].alone.append(place)
        while branches[-1].depth > following:
            ended = branches.pop()
            if branches[-1].depth < following:
                branches.append(_Branch(following, ended.start))
            branches[-1].take(ended, order[ended.start : position + 1], worth)
    [root] = branches
    rest = [Group(0, tuple(sorted(root.alone)))] if root.alone else []
    return sorted([*root.groups, *rest], key=lambda group: group.members[0])


@dataclass(slots=True)
class _Branch:
    """Neighbours in sorted order that share `depth` tokens, and how those seen so far are best divided."""

    depth: int
    start: int
    saved: int = 0
    groups: list[Group] = field(default_factory=list)
    alone: list[int] = field(default_factory=list)

    def take(self, ended: "_Branch", members: Sequence[int], worth: int) -> None:
        """Add a branch within this one, as one group or as it was divided."""
        whole = (len(members) - 1) * ended.depth
        if whole >= max(worth, ended.saved):
            self.groups.append(Group(ended.depth, tuple(sorted(members))))
            self.saved += whole
        else:
            self.groups += ended.groups
            self.alone += ended.alone
            self.saved += ended.saved


def common(one: Sequence[int], other: Sequence[int]) -> int:
    """Number of tokens at the beginning that two sequences share."""
    shorter = min(len(one), len(other))
    return next((i for i in range(shorter) if one[i] != other[i]), shorter)


def buckets(lengths: Sequence[int], limit: int, shared: int = 0) -> list[list[int]]:
    """Divide sequences into batches of about the same length, the longest first.

    Args:
        lengths: of each, the tokens of its own.
        limit: most tokens of a batch, padding and shared ones included; a sequence over it is a batch of its own.
        shared: tokens that each has beside its own, such as a prefix.

    Returns:
        Batches of places: every place once.
    """
    found: list[list[int]] = []
    longest = real = 0
    for place in sorted(range(len(lengths)), key=lambda place: (-lengths[place], place)):
        if found:
            rows = len(found[-1]) + 1
            padding = rows * longest - real - lengths[place]
            if rows * (longest + shared) <= limit and padding <= max(PASS, PADDING * real):
                found[-1].append(place)
                real += lengths[place]
                continue
        found.append([place])
        longest = real = lengths[place]
    return found
