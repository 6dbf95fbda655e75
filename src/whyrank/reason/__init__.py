"""Why: direct reasons, comparisons, counterfactuals, and their verification."""
