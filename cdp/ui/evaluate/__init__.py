"""The Evaluate page: what to evaluate and how, the evaluations under way, one report in full."""
