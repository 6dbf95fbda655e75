"""Why: direct reasons, comparisons, counterfactuals, and their verification.

    ranking = replace(ranking, explanations=explain(ranking, scorer))
    print(verify(ranking, scorer))

Reasons are read off the score's own parts, so a `whyrank.types.Scorer` is all they need; no language model.
"""

from whyrank.reason.checks import Check, Report
from whyrank.reason.comparison import compare
from whyrank.reason.counterfactual import Pair, counterfactuals
from whyrank.reason.direct import direct_reason
from whyrank.reason.explanations import explain, explain_pair
from whyrank.reason.verification import verify

__all__ = [
    "Check",
    "Pair",
    "Report",
    "compare",
    "counterfactuals",
    "direct_reason",
    "explain",
    "explain_pair",
    "verify",
]
