"""Why: direct reasons, comparisons, counterfactuals, and their verification.

    ranking = replace(ranking, explanations=explain(ranking, scorer))
    print(verify(ranking, scorer))

Our own reasons are read off the score's parts, so a `whyrank.types.Scorer` is all they need. Those that a language
model writes (`write_reasons`) stand beside them and name their writer:

    explanations = joined(ranking, explain(ranking, scorer), write_reasons(ranking, lm, scorer=scorer))
"""

from whyrank.reason.checks import Check, Report
from whyrank.reason.comparison import compare
from whyrank.reason.counterfactual import Pair, counterfactuals
from whyrank.reason.direct import direct_reason
from whyrank.reason.explanations import explain, explain_pair, joined
from whyrank.reason.verification import verify
from whyrank.reason.written import write_reasons, write_reasons_many

__all__ = [
    "Check",
    "Pair",
    "Report",
    "compare",
    "counterfactuals",
    "direct_reason",
    "explain",
    "explain_pair",
    "joined",
    "verify",
    "write_reasons",
    "write_reasons_many",
]
