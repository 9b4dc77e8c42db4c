#!/usr/bin/env bash
# Guess: the p value of spearmanr is right for a few points, as that of kendalltau is: three points in
#   perfect order have p = 1/3, since 2 of the 6 orders are perfect.
# What happens: spearmanr takes its p value from a t distribution at any number of points. Three to
#   eight points in perfect order have p = 0, or 1e-24 where the correlation is rounded; with one pair
#   exchanged, six points have p = 0.005 where all 720 orders give 0.017. kendalltau counts the
#   orders. The documentation names permutation_test for small samples; no warning is given.
# Whom it hurts: whoever correlates a few seeds, widths or tasks: "larger models grok sooner, rho = 1,
#   p < 1e-20" of three models.
source "$(dirname "$0")/common.bash"
packages scipy==1.17.1 numpy==2.4.6

python - <<'PYTHON'
from itertools import permutations
from math import factorial

import numpy as np
from scipy import stats


def exact(y):
    """The share of all orders whose correlation with 0, 1, 2, … is at least as large."""
    x = np.arange(len(y)) - (len(y) - 1) / 2
    orders = np.array(list(permutations(range(len(y)))))
    return (abs(orders @ x) >= abs(np.array(y) @ x) - 1e-9).mean()


print("points in perfect order: p of spearmanr, of kendalltau, and the share of such orders")
for points in range(3, 9):
    order = np.arange(points)
    spearman, kendall = stats.spearmanr(order, order), stats.kendalltau(order, order)
    print(f"  {points}: {spearman.pvalue:.1e}  {kendall.pvalue:.1e}  {2 / factorial(points):.1e}")
    assert spearman.pvalue < 1e-20
    assert np.isclose(kendall.pvalue, 2 / factorial(points))

print("the last two exchanged: p of spearmanr, and over all orders")
for points in (5, 6, 8):
    order = np.arange(points)
    swapped = [*order[:-2], order[-1], order[-2]]
    spearman = stats.spearmanr(order, swapped)
    share = exact(swapped)
    print(f"  {points}: rho {spearman.statistic:.3f}  {spearman.pvalue:.5f}  {share:.5f}")
    assert spearman.pvalue < share / 2
PYTHON
