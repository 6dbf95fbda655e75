"""How good is a ranking, what did it cost, and is one system better than another?

    from whyrank import evaluate, formats

    qrels = formats.read_qrels("qrels.trec")
    runs = {"bm25": formats.read_run("bm25.trec"), "ours": formats.read_run("ours.trec")}
    measured = [evaluate.measure(name, run, qrels, ["nDCG@10", "RR@10"]) for name, run in runs.items()]
    [contrast] = evaluate.compare(measured, "nDCG@10")

Measures need the extra `evaluate` (ir_measures, scipy). Whether reasons are true: `whyrank.evaluate.reasons`.
"""

from whyrank.evaluate.answer_matching import has_answer
from whyrank.evaluate.answers import Answers, measure_answers
from whyrank.evaluate.comparison import Interval, compare, holm, interval, wilson
from whyrank.evaluate.measure_sets import MEASURE_SETS
from whyrank.evaluate.measures import DEFAULT_MEASURES, measure, parse_measures
from whyrank.evaluate.ordering import Ties, run_of
from whyrank.evaluate.results import Contrast, Coverage, Evaluation, Proportion, Values

__all__ = [
    "DEFAULT_MEASURES",
    "MEASURE_SETS",
    "Answers",
    "Contrast",
    "Coverage",
    "Evaluation",
    "Interval",
    "Proportion",
    "Ties",
    "Values",
    "compare",
    "has_answer",
    "holm",
    "interval",
    "measure",
    "measure_answers",
    "parse_measures",
    "run_of",
    "wilson",
]
