"""The ledger's statistics: exact where they can be, over seeds, tasks or permutations."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from miiii.streams import Stream, generator

LEVEL = 0.95
"""Nominal coverage of intervals."""

_ENUMERATED = 8
"""Values whose orders are all enumerated (8! = 40,320); of more values random orders are drawn."""

_DEALS = 200_000
"""Divisions into two groups that are all enumerated; beyond this many, random ones are drawn."""

_DRAWS = 9999


@dataclass(frozen=True)
class Interval:
    """From `low` to `high`; it contains the true value with probability `coverage`."""

    low: float
    high: float
    coverage: float
    """The exact coverage: few seeds cannot reach 95 %."""
    method: str
    """In a few words."""


@dataclass(frozen=True)
class RankCorrelation:
    """Spearman's ρ with its interval."""

    rho: float
    """−1 to 1; NaN where one side is constant."""
    interval: Interval | None
    """None for three values or fewer."""
    p_value: float
    """Two-sided, of ρ = 0, over permutations; NaN where ρ is NaN."""


def median_interval(values: Sequence[float], level: float = LEVEL) -> Interval | None:
    """An exact interval for the median of the distribution that the values are drawn from.

    For any continuous distribution the median lies between the k-th smallest and the k-th largest
    of n values with probability 1 − 2·P(Bin(n, ½) < k). k is the largest that reaches the level. If
    none does, k = 1 and the coverage is 1 − 2^(1 − n), which is 50 % for two values.

    Args:
        values: infinities count as largest; NaN are left out.
        level: the nominal coverage.

    Returns:
        None for fewer than two values.
    """
    from scipy import stats  # a second to import; bad input is refused before

    ordered = sorted(value for value in values if not math.isnan(value))
    size = len(ordered)
    if size < 2:
        return None
    k = max(1, int(stats.binom.ppf((1 - level) / 2, size, 0.5)))
    coverage = 1 - 2 * float(stats.binom.cdf(k - 1, size, 0.5))
    return Interval(ordered[k - 1], ordered[-k], coverage, "order statistics")


def exceedance(value: float, null: Sequence[float]) -> float:
    """The p-value of a Monte Carlo test: (1 + #{null ≥ value}) / (R + 1).

    Args:
        value: the observed statistic.
        null: [R], draws of the statistic under the null hypothesis.

    Returns:
        A valid p-value, above 0; NaN for a value of NaN.
    """
    if math.isnan(value):
        return math.nan
    return (1 + sum(drawn >= value for drawn in null)) / (len(null) + 1)


def difference_p_value(one: Sequence[float], other: Sequence[float]) -> float:
    """Two-sided permutation test of equal means between two small groups.

    It is exact up to ten seeds each: all divisions of the values into two groups are tried. Two and
    two seeds have six, so that no p-value is below ⅓. (`scipy.stats.permutation_test` gives the
    same p-values eight times as slowly, and refuses a group of one.)

    Returns:
        NaN where a group is empty or a value is not finite.
    """
    left, right = np.asarray(one, float), np.asarray(other, float)
    together = np.concatenate([left, right])
    if not len(left) or not len(right) or not np.isfinite(together).all():
        return math.nan

    def distance(picked: NDArray[np.float64]) -> NDArray[np.float64]:
        sums = picked.sum(axis=-1)
        return np.abs(sums / len(left) - (together.sum() - sums) / len(right))

    # Divisions with the observed distance must count in spite of rounding; 1e-300 covers 0.
    observed = float(distance(left)) * (1 - 1e-12) - 1e-300
    if math.comb(len(together), len(left)) <= _DEALS:
        picks = np.array(list(itertools.combinations(range(len(together)), len(left))))
        return float((distance(together[picks]) >= observed).mean())
    drawn = generator(Stream.PERMUTED_GROUPS)
    dealt = drawn.permuted(np.tile(together, (_DRAWS, 1)), axis=1)[:, : len(left)]
    return exceedance(observed, distance(dealt).tolist())


def rank_correlation(
    rows: Sequence[ArrayLike],
    other: ArrayLike,
    *,
    level: float = LEVEL,
    permutations: int = _DRAWS,
    seed: int = 0,
) -> RankCorrelation:
    """Spearman's ρ of each row with the other side, averaged over the rows.

    The sampling unit is the column (a task). Rows (seeds) are repeated measurements of the same
    tasks: further rows make the mean steadier but leave the interval as wide as that of one row.
    The interval is Fisher's z with Bonett and Wright's (2000) variance (1 + ρ²/2) / (n − 3).

    Args:
        rows: each [n]; infinities rank last, ties share their mean rank.
        other: [n].
        level: coverage of the interval.
        permutations: random permutations for the p-value, where all are too many.
        seed: of the random permutations.

    Raises:
        ValueError: there is no row, or the lengths differ.
    """
    across = np.asarray(other, float)
    table = [np.asarray(row, float) for row in rows]
    if not table or any(row.shape != across.shape or row.ndim != 1 for row in table):
        raise ValueError(
            f"rank correlation of rows of shapes {[row.shape for row in table]}: "
            f"expected at least one, each {across.shape}"
        )
    size = len(across)
    ranked = _standard_ranks(across)
    means = np.mean([_standard_ranks(row) for row in table], axis=0)
    rho = float(ranked @ means) if size else math.nan
    if math.isnan(rho):
        return RankCorrelation(math.nan, None, math.nan)
    rho = max(-1.0, min(1.0, rho))
    if size <= _ENUMERATED:
        orders = np.array(list(itertools.permutations(range(size))))
        drawn = np.abs(ranked[orders] @ means)
        p_value = float((drawn >= abs(rho) - 1e-12).mean())
    else:
        orders = generator(Stream.PERMUTED_RANKS, seed)
        dealt = orders.permuted(np.tile(ranked, (permutations, 1)), axis=1)
        drawn = np.abs(dealt @ means)
        p_value = exceedance(abs(rho) - 1e-12, drawn.tolist())
    return RankCorrelation(rho, _fisher_interval(rho, size, level), p_value)


def _fisher_interval(rho: float, size: int, level: float) -> Interval | None:
    from scipy import stats  # a second to import; bad input is refused before

    if size <= 3:
        return None
    if abs(rho) > 1 - 1e-12:
        return Interval(rho, rho, level, "Fisher z")
    reach = stats.norm.ppf((1 + level) / 2) * math.sqrt((1 + rho**2 / 2) / (size - 3))
    centre = math.atanh(rho)
    return Interval(math.tanh(centre - reach), math.tanh(centre + reach), level, "Fisher z")


def _standard_ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks, centred and of unit norm, so that a product of two is ρ; NaN where all are tied."""
    from scipy import stats  # a second to import; bad input is refused before

    ranks = stats.rankdata(values) - (len(values) + 1) / 2
    norm = math.sqrt(float(ranks @ ranks))
    return ranks / norm if norm > 0 else np.full(len(values), math.nan)
