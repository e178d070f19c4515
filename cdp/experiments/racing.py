"""Racing over seeds: arms that are clearly behind the best one get no more of them.

An arm is given up where a Wilcoxon signed-rank test over the seeds that both have calls it worse at
0.1, one-sided, as optuna's WilcoxonPruner does. That takes four shared seeds. An arm that is given
up is never called better, so that races find no more false winners than running everything does.
"""

from __future__ import annotations

from collections.abc import Mapping

THRESHOLD = 0.1


def behind(
    values: Mapping[str, Mapping[int, float]], *, spared: frozenset[str] | set[str] = frozenset()
) -> list[str]:
    """The arms that are given up. values: by arm and seed, more is better; spared: never given
    up."""
    means = {name: sum(v.values()) / len(v) for name, v in values.items() if v}
    if len(means) < 2:
        return []
    best = max(means, key=lambda name: (len(values[name]) > 1, means[name]))
    return [
        name
        for name in means
        if name != best and name not in spared and _worse(values[name], values[best])
    ]


def _worse(first: Mapping[int, float], best: Mapping[int, float]) -> bool:
    from scipy.stats import wilcoxon

    differences = [first[seed] - best[seed] for seed in sorted(first.keys() & best.keys())]
    if len(differences) < 2 or not any(differences):
        return False
    return bool(wilcoxon(differences, alternative="less").pvalue < THRESHOLD)
