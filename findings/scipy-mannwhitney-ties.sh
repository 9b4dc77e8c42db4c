#!/usr/bin/env bash
# Guess: with three seeds against three, mannwhitneyu cannot go below 2/20 = 0.1, the smallest share
#   of the 20 ways to deal them.
# What happens: one tie, and method="auto" takes the normal curve, at any sample size: three runs
#   at 1.0 against three at 0.9 come out as p = 0.034, below every p that the data could have. Without
#   ties it is 0.1. wilcoxon, in the same release, counts all the ways when there are ties.
# Whom it hurts: whoever compares methods over a few seeds where accuracies meet a ceiling. Ties are
#   the rule there, and "p < 0.05" then stands on a sample that can never show it.
source "$(dirname "$0")/common.bash"
packages numpy==2.4.6 scipy==1.17.1

python - <<'PYTHON'
from itertools import combinations

import numpy as np
from scipy import stats


def by_counting(x, y):
    """All ways to deal the pooled values: the share at least as far from the middle."""
    pooled, k = [*x, *y], len(x)

    def u(chosen):
        left = [pooled[i] for i in chosen]
        right = [pooled[i] for i in range(len(pooled)) if i not in chosen]
        wins = sum((a > b) + (a == b) / 2 for a in left for b in right)
        return abs(wins - k * len(y) / 2)

    deals = list(combinations(range(len(pooled)), k))
    return float(np.mean([u(deal) >= u(tuple(range(k))) for deal in deals]))


for x, y in (
    ([1.0, 1.0, 1.0], [0.9, 0.9, 0.9]),
    ([1.0, 1.0, 1.0], [0.97, 0.98, 0.99]),
    ([1.0, 0.999, 0.998], [0.97, 0.98, 0.99]),
    ([1.0] * 4, [0.9] * 4),
):
    auto = float(stats.mannwhitneyu(x, y).pvalue)
    permuted = float(stats.mannwhitneyu(x, y, method=stats.PermutationMethod()).pvalue)
    print(x, y, f"auto {auto:.4f}, every deal {permuted:.4f} = {by_counting(x, y):.4f}")
    assert np.isclose(permuted, by_counting(x, y))
    if len({*x, *y}) == 6:
        assert np.isclose(auto, permuted)
    else:
        assert auto < permuted
assert stats.mannwhitneyu([1.0] * 3, [0.9] * 3).pvalue < 0.05

paired = stats.wilcoxon(np.full(5, 0.5))
print("wilcoxon, five equal differences:", float(paired.pvalue), "of least possible", 2 / 2**5)
assert paired.pvalue == 2 / 2**5
PYTHON
