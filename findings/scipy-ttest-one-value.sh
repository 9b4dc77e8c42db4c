#!/usr/bin/env bash
# Guess: a t test of 29 equal numbers against that number has p = nan (0/0), or 1.
# What happens: where the mean of n equal numbers is rounded, t is sqrt(n - 1) by arithmetic: 29
#   times 0.7 "differs from 0.7" with p = 1e-5. Where the mean comes out exact it is nan. Which of
#   the two depends on the number and on n. A warning about precision is given; p is not withheld.
# Whom it hurts: whoever tests 29 tasks, or all seeds, at one accuracy against chance or a target in
#   a loop with warnings off: a set without any difference is the most significant one.
source "$(dirname "$0")/common.bash"
packages numpy==2.4.6 scipy==1.17.1

python - <<'PYTHON'
import warnings

import numpy as np
from scipy import stats

warned = 0
found = {}
for value in (0.1, 0.5, 0.7, 0.9, 0.99):
    for n in (3, 6, 29):
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            result = stats.ttest_1samp(np.full(n, value), value)
        warned += any("Precision loss" in str(one.message) for one in heard)
        found[value, n] = float(result.pvalue)
        print(f"{n:2} times {value}: t {float(result.statistic):.4g}, p {float(result.pvalue):.3g}")
        if np.isfinite(result.pvalue):
            assert np.isclose(abs(result.statistic), (n - 1) ** 0.5)
print("with a warning:", warned, "of", len(found))
assert found[0.7, 29] < 2e-5
assert np.isnan(found[0.5, 29])
PYTHON
