"""Several teachers as one: each one's scores standardised within a query's list, then averaged. Pure.

    z = (score − mean) / standard deviation        over the documents that every member has a score for
    ensemble = Σ weight · z / Σ weight

The standard deviation is that of the list itself (divided by n). Equal scores stay equal, whichever way they are tied;
a member that scores the whole list alike prefers nothing and counts as 0 for each of its documents. A document that one
member has no score for has none of the ensemble, and moves nobody's mean.
"""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence

from whyrank.errors import BadInput


def standardised(scores: Sequence[float]) -> list[float]:
    """Scores with mean 0 and standard deviation 1; all 0 where they are all equal.

    >>> standardised([1.0, 1.0, 4.0, 4.0])
    [-1.0, -1.0, 1.0, 1.0]
    >>> standardised([7.0, 7.0])
    [0.0, 0.0]
    """
    if not scores or min(scores) == max(scores):
        return [0.0] * len(scores)
    # By a power of two, which rounds nothing: squares of very large scores are infinite, of very small ones nothing.
    _, exponent = math.frexp(max(map(abs, scores)))
    scaled = [math.ldexp(score, -exponent) for score in scores]
    mean = math.fsum(scaled) / len(scaled)
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in scaled) / len(scaled))
    return [(value - mean) / deviation for value in scaled]


def combined(members: Sequence[Mapping[str, float]], weights: Sequence[float]) -> dict[str, float]:
    """The ensemble's score of each document that every member has a score for.

    Args:
        members: of each, document id → score, of one query's list; at least one.
        weights: one a member, above 0. A single member keeps its scores as they are.
    """
    if len(members) == 1:
        return dict(members[0])
    first, *others = members
    common = [document for document in first if all(document in other for other in others)]
    columns = [standardised([member[document] for document in common]) for member in members]
    total = math.fsum(weights)
    rows = zip(*columns, strict=True)
    return {
        document: math.fsum(weight * z for weight, z in zip(weights, row, strict=True)) / total
        for document, row in zip(common, rows, strict=True)
    }


def check_weights(weights: Sequence[float], members: Sequence[str]) -> tuple[float, ...]:
    """One weight a member; all 1 where none is given.

    Raises:
        BadInput: another number of weights than of members, or a weight that is no number above 0.
    """
    if not weights:
        return (1.0,) * len(members)
    if len(weights) != len(members):
        raise BadInput(
            f"weights: {len(weights)} given, teachers: {len(members)} ({', '.join(members)}); give one each, in order"
        )
    for weight, member in zip(weights, members, strict=True):
        if not (math.isfinite(weight) and weight > 0):
            raise BadInput(f"the weight of {member} is {weight:g}; give a number above 0, or leave the teacher out")
    return tuple(weights)


def ensemble_name(members: Sequence[str], weights: Sequence[float]) -> str:
    """What an ensemble's records are signed with: its members with their shares, and a fingerprint of both.

    Raises:
        BadInput: a member is named twice.
    """
    for member in members:
        if members.count(member) > 1:
            raise BadInput(f"the teacher {member} is named {members.count(member)} times; name it once and weigh it")
    if len(members) == 1:
        return members[0]
    total = math.fsum(weights)
    shares = [weight / total for weight in weights]
    digest = hashlib.sha256(json.dumps([*members, *shares]).encode()).hexdigest()[:12]
    told = " + ".join(f"{share:.3g} {member}" for share, member in zip(shares, members, strict=True))
    return f"ensemble@{digest} ({told})"
