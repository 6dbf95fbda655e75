"""From scores to probabilities: what lets a score be thresholded, and compared between queries.

A ranker's score orders the documents of one query; how high is high enough is another question, answered by a curve
that was fitted on judged queries (`whyrank.evaluate.calibration`) and saved with the ranker. A curve never falls, so
it cannot change an order.
"""

import json
import math
from bisect import bisect_right
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, TypeAlias

from whyrank.errors import BadInput, Corrupt, OtherRanker
from whyrank.formats.files import read_bytes, replacing

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Temperature:
    """p = 1 / (1 + exp(−(score − shift) / temperature)).

    Guo et al., 2017. Deviates: with a shift, as in Platt, 1999, since a ranking score has no zero of its own.
    """

    temperature: float
    shift: float
    kind: Literal["temperature"] = "temperature"

    def probability(self, score: float) -> float:
        """In (0, 1), or at an end where the exponential leaves the range of floats."""
        z = (score - self.shift) / self.temperature
        return 1.0 / (1.0 + math.exp(-z)) if z >= 0 else math.exp(max(z, -700.0)) / (1.0 + math.exp(max(z, -700.0)))


@dataclass(frozen=True, slots=True)
class Isotonic:
    """A line through points that never fall, level beyond the first and the last (Zadrozny and Elkan, 2002)."""

    scores: tuple[float, ...]
    probabilities: tuple[float, ...]
    kind: Literal["isotonic"] = "isotonic"

    def probability(self, score: float) -> float:
        """Interpolated between the two nearest points."""
        right = bisect_right(self.scores, score)
        if right == 0:
            return self.probabilities[0]
        if right == len(self.scores):
            return self.probabilities[-1]
        low, high = self.scores[right - 1], self.scores[right]
        share = (score - low) / (high - low)
        below, above = self.probabilities[right - 1], self.probabilities[right]
        return min(max(below + share * (above - below), below), above)


Curve: TypeAlias = Temperature | Isotonic


@dataclass(frozen=True, slots=True)
class Calibration:
    """The curves of one ranker.

    Attributes:
        ranker: its name with fingerprint; another ranker's scores mean something else.
        with_first_stage, without_first_stage: curves for candidates with and without a first-stage score.
        relevant: the grade from which on a document counted as relevant.
        fitted_on: the judged queries it was fitted on, in words.
        pairs: how many (query, document) pairs those were.
    """

    ranker: str
    with_first_stage: Curve | None
    without_first_stage: Curve | None
    relevant: float = 1.0
    fitted_on: str = ""
    pairs: int = 0

    def probability(self, score: float, first_score: float | None = None) -> float:
        """How likely a document with this score is relevant.

        Raises:
            BadInput: there is no curve for candidates with (or without) a first-stage score.
        """
        curve = self.without_first_stage if first_score is None else self.with_first_stage
        if curve is None:
            having = "without" if first_score is None else "with"
            raise BadInput(f"the calibration of {self.ranker} has no curve for candidates {having} a first-stage score")
        return curve.probability(score)

    def of(self, ranker: str) -> "Calibration":
        """Itself, if it belongs to `ranker`.

        Raises:
            OtherRanker: it was fitted to another ranker or version.
        """
        if ranker != self.ranker:
            raise OtherRanker(f"this calibration was fitted to the scores of {self.ranker!r}, not {ranker!r}; fit anew")
        return self

    def save(self, path: str | Path) -> None:
        """Write it as JSON, whole or not at all.

        Raises:
            Unwritable: the file could not be written.
        """
        with replacing(path) as stream:
            stream.write((json.dumps({"whyrank_calibration": FORMAT, **asdict(self)}, indent=1) + "\n").encode())

    @classmethod
    def load(cls, path: str | Path) -> "Calibration":
        """Read what `save` wrote.

        Raises:
            MissingFile: there is no such file.
            Corrupt: it is no calibration, or its curves fall.
        """
        try:
            record = json.loads(read_bytes(path))
            if record.pop("whyrank_calibration") != FORMAT:
                raise ValueError("its format is not ours")
            for name in ("with_first_stage", "without_first_stage"):
                record[name] = _curve(record[name])
            return cls(**record)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise Corrupt(f"{path}: no calibration that can be read ({error}); fit it again") from error


def _curve(record: dict[str, Any] | None) -> Curve | None:
    if record is None:
        return None
    if record["kind"] == "temperature":
        curve = Temperature(float(record["temperature"]), float(record["shift"]))
        if not (curve.temperature > 0 and math.isfinite(curve.temperature) and math.isfinite(curve.shift)):
            raise ValueError("a temperature is a finite number above 0")
        return curve
    scores, probabilities = (tuple(map(float, record[name])) for name in ("scores", "probabilities"))
    rises = all(a < b for a, b in pairwise(scores))
    never_falls = all(a <= b for a, b in pairwise(probabilities))
    if record["kind"] != "isotonic" or not scores or len(scores) != len(probabilities) or not rises or not never_falls:
        raise ValueError("its points must rise")
    return Isotonic(scores, probabilities)
