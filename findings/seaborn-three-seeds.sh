#!/usr/bin/env bash
# Guess: the band of seaborn's lineplot over seeds, a 95 % interval by default, holds the true mean
#   in 95 % of cases.
# What happens: it is a bootstrap. With three seeds all three draws are the lowest seed in 1 of 27
#   resamples, which is more than 2.5 %: the band goes from the lowest to the highest seed, exactly or
#   nearly. For normal numbers it holds the true mean in 75 % of cases, with two seeds in 50 %, with five in
#   81 %. Student's interval is 2.6 times as wide with three.
# Whom it hurts: whoever shows accuracy over epochs of three or five seeds, and concludes a difference from
#   two bands that do not touch. units="seed" with estimator=None draws the seeds' own curves.
source "$(dirname "$0")/common.bash"
packages seaborn==0.13.2 matplotlib==3.11.2 pandas==3.1.1 scipy==1.17.1 numpy==2.4.6

MPLBACKEND=agg python - <<'PYTHON'
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn
from scipy import stats

points = 1000  # Each point of the curve is one experiment; the true mean is 0 everywhere.
rng = np.random.default_rng(0)
for seeds, expected in ((2, 0.5), (3, 0.75), (5, 0.81), (10, 0.91)):
    drawn = rng.standard_normal((seeds, points))
    table = pd.DataFrame({"epoch": np.tile(np.arange(points), seeds), "value": drawn.ravel()})
    figure, axes = plt.subplots()
    # With a seed all points share their resamples; without one some bands of three are narrower.
    seaborn.lineplot(table, x="epoch", y="value", ax=axes, seed=0)
    corners = axes.collections[0].get_paths()[0].vertices
    band = pd.DataFrame(corners, columns=["epoch", "value"]).groupby("epoch")["value"].agg(["min", "max"])
    plt.close(figure)
    assert len(band) == points
    low, high = band["min"].to_numpy(), band["max"].to_numpy()
    held = np.mean((low <= 0) & (high >= 0))
    student = 2 * stats.t.ppf(0.975, seeds - 1) * drawn.std(axis=0, ddof=1) / seeds**0.5
    ratio = np.median(student / (high - low))
    is_range = np.isclose(low, drawn.min(axis=0)) & np.isclose(high, drawn.max(axis=0))
    print(
        f"{seeds} seeds: the band holds the true mean at {held:.0%} of the points; Student's interval is "
        f"{ratio:.1f} times as wide; the band is the range at {is_range.mean():.0%}"
    )
    assert abs(held - expected) < 0.05
    assert seeds != 3 or abs(ratio - 2.6) < 0.2
    assert is_range.all() if seeds <= 3 else not is_range.all()
PYTHON
