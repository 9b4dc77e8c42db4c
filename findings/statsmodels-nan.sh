#!/usr/bin/env bash
# Guess: multipletests keeps a NaN among the p-values as NaN and corrects the others, or refuses it.
# What happens: it depends on the method. "fdr_bh" gives NaN for all corrected values, beside verdicts
#   (reject) that are true for some. "hommel" gives NaN and rejects nothing. "holm" and "bonferroni"
#   correct the others, and count the NaN as a test. SciPy's false_discovery_control refuses it.
# Whom it hurts: whoever tests 29 tasks, one of which has NaN as its p-value. With "fdr_bh" a filter by the
#   corrected values leaves no task, and a filter by reject leaves some.
source "$(dirname "$0")/common.bash"
packages statsmodels==0.15.0 scipy==1.17.1 numpy==2.4.6 pandas==3.1.1

python -W ignore - <<'PYTHON'
import numpy as np
from scipy.stats import false_discovery_control
from statsmodels.stats.multitest import multipletests

given = [0.001, 0.01, np.nan, 0.04]
print("p-values:", given)
for method, verdicts, corrected in (
    ("fdr_bh", [True, True, False, False], [np.nan] * 4),
    ("hommel", [False] * 4, [np.nan] * 4),
    ("holm", [True, True, False, False], [0.004, 0.03, np.nan, 0.08]),
    ("bonferroni", [True, True, False, False], [0.004, 0.04, np.nan, 0.16]),
):
    reject, values, *_ = multipletests(given, method=method)
    print(f"{method}: reject {reject.tolist()}, corrected {values.round(4).tolist()}")
    assert reject.tolist() == verdicts
    assert np.allclose(values, corrected, equal_nan=True)
without = multipletests([0.001, 0.01, 0.04], method="holm")[1]
print("holm without the NaN:", without.round(4).tolist())
assert np.allclose(without, [0.003, 0.02, 0.04])
try:
    false_discovery_control(given)
    raise SystemExit("SciPy takes it")
except ValueError as error:
    print("scipy.stats.false_discovery_control: ValueError:", error)
PYTHON
