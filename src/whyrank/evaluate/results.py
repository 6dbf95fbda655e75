"""What measuring gives: one shape for rankings and for reasons, so that tables, tests, intervals and plots are shared.

# Q queries, M measures
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from whyrank.errors import unknown
from whyrank.types import Usage

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Coverage:
    """What a careful reader must know before believing a mean.

    Attributes:
        without_results: judged queries for which the run holds nothing; they count 0.
        unjudged_queries: queries of the run without judgements; they are not measured.
        without_relevant: judged queries none of whose documents has a grade above 0.
        unjudged_at: cutoff k → mean share of the first k places that hold an unjudged document.
        excluded: entries of the run that were removed because their document is excluded for the query.
    """

    without_results: tuple[str, ...] = ()
    unjudged_queries: tuple[str, ...] = ()
    without_relevant: tuple[str, ...] = ()
    unjudged_at: Mapping[int, float] = field(default_factory=dict)
    excluded: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """One system measured: a run by its judgements, or a way of giving reasons by what they must be true to.

    Attributes:
        name: the system.
        measures: M names, as `ir_measures` writes them, or names of `whyrank.evaluate.reasons`.
        queries: Q ids.
        values_QM: one value a query and measure; NaN where a measure is undefined for a query (never for rankings).
        coverage: of a run.
        usage: what making it cost, for all queries together; None where it is not known.
        gain: "linear" or "exponential": what nDCG counted; "" where no gain is involved.
        ties: how equal scores were ordered: "rank" or "trec_eval"; "" where there are none.
    """

    name: str
    measures: tuple[str, ...]
    queries: tuple[str, ...]
    values_QM: Values
    coverage: Coverage = Coverage()
    usage: Usage | None = None
    gain: str = ""
    ties: str = ""

    def of(self, measure: str) -> Values:
        """The Q values of one measure.

        Raises:
            UnknownName: it was not measured.
        """
        if measure not in self.measures:
            raise unknown("measure", measure, self.measures)
        return self.values_QM[:, self.measures.index(measure)]

    def mean(self, measure: str) -> float:
        """The mean over the queries for which the measure is defined; NaN if there is none."""
        defined = self.of(measure)
        defined = defined[~np.isnan(defined)]
        return math.fsum(defined) / len(defined) if len(defined) else math.nan


@dataclass(frozen=True, slots=True, eq=False)
class Contrast:
    """One system against the baseline under one measure, paired by query.

    Attributes:
        system, baseline, measure: names.
        queries: the ids that both have a value for, in order.
        deltas_Q: system minus baseline.
        delta: their mean.
        low, high: bootstrap 95 % interval of `delta`.
        p_t, p_randomisation: two-sided, unadjusted; 1.0 where every delta is 0.
        holm_t, holm_randomisation: adjusted over the systems compared with the baseline under this measure.
        wins, ties, losses: queries where the system is above, equal (within 1e-9), below.
    """

    system: str
    baseline: str
    measure: str
    queries: tuple[str, ...]
    deltas_Q: Values
    delta: float
    low: float
    high: float
    p_t: float
    p_randomisation: float
    holm_t: float
    holm_randomisation: float
    wins: int
    ties: int
    losses: int


@dataclass(frozen=True, slots=True)
class Proportion:
    """A share of counted things: "82.1 % of 2,500".

    Attributes:
        name: what is counted.
        count, of: how many of how many.
        definition: in one sentence, what was counted as what.
    """

    name: str
    count: int
    of: int
    definition: str = ""

    @property
    def share(self) -> float:
        """Count / of; NaN where nothing could be counted."""
        return self.count / self.of if self.of else math.nan
