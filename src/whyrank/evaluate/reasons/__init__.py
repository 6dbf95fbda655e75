"""Are the reasons true? Measures of rationales, comparisons, grounding and stability, for reasons of any origin.

    methods = {"evidence": [by_contribution(r, directs) …], "lead": [lead(r) for r in rankings]}
    erasure(rankings, methods, by_ranker(ranker)).evaluations       # one `Evaluation` a method

Each measure with its formula, source, baselines and what it cannot show: docs/explanations.md.
"""
