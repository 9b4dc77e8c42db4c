"""Importance of settings: which values the best runs have in common (PED-ANOVA).

For each setting, the Pearson divergence compares the distribution of its values among the best
tenth of the runs with that among all runs (Watanabe et al., IJCAI 2023, arXiv:2304.10255,
equation 6). It needs no model of the objective, and so no scikit-learn. It tells what the *best*
runs have in common; fANOVA's share of the variance over the whole space mostly tells what makes a
run bad.

Optuna estimates the distributions with kernel densities. These smooth listed values so much that a
setting with two values, one of which all the best runs have, gets a small importance, and Table 1
has only listed values. Here values are counted: each value of a list, and fifths of all runs for an
interval.

A random choice of runs also gives a divergence above 0, which grows with fewer runs and more
values. Therefore the divergence is also computed for random choices of as many runs, and only the
excess over their mean makes the share. A setting that matters only together with another is not
found.

The divergence supposes that runs are spread over the space independently of results. A sampler that
follows results (TPE) gathers runs where earlier ones were good. If it fixes a setting early, the
best tenth and all runs have the same values of it, and its divergence is small however important it
is. Therefore each setting's share of the variance over the whole space is given too (functional
ANOVA, main effects: Hutter, Hoos and Leyton-Brown 2014). It comes from an additive model of the
groups, fitted to all runs by least squares, instead of their random forest. It compares the
objective's mean at each value, and not the number of runs with that value.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from miiii.streams import Stream, generator
from miiii.sweeps.outcome.ranking import find_interval, interval_place, scores, setting_values
from miiii.sweeps.outcome.results import SweepResults

LEAST_RUNS = 20
"""Fewest runs: the best tenth of fewer runs is too small for a distribution."""
BEST_SHARE, LEAST_BEST = 0.1, 5
"""The share of the runs that are the best, and the least number of them."""
DRAWS = 299
"""Number of random choices of runs."""
CHANCE = 0.99
"""Quantile of the random choices' divergences that an important setting exceeds."""
PARTS = 5
"""Number of groups into which an interval divides the runs."""


@dataclass(frozen=True)
class Importance:
    """The importance of one setting."""

    setting: str
    share: float
    """Excess of the divergence over random choices' mean, divided by all settings' sum; 0 to 1."""
    divergence: float
    """Pearson divergence of the values among the best runs from those among all runs; ≥ 0."""
    chance: float
    """The divergence that 1 % of random choices of runs exceed."""
    variance: float
    """Share of the objective's variance over the space in the setting's main effect; 0 to 1."""
    followed: bool
    """Whether the runs were chosen by results, so that the divergence misleads."""

    @property
    def beyond_chance(self) -> bool | None:
        """Whether `divergence` exceeds `chance`; None if the runs were chosen by results."""
        return None if self.followed else self.divergence > self.chance


@dataclass(frozen=True)
class Importances:
    """The importance of all settings for one objective."""

    objective: str
    runs: int
    """Number of runs that have values."""
    best: int
    """Number of runs that count as the best, including all that equal the last of them."""
    settings: tuple[Importance, ...]
    """Largest `share` first; if the runs were chosen by results, largest `variance` first."""
    followed: bool
    """Whether the runs were chosen by results."""


def importances(results: SweepResults, objective: int = 0) -> Importances:
    """The importance of each setting.

    Args:
        results: a sweep's results.
        objective: place of the objective among the sweep's objectives.

    Raises:
        ValueError: too few runs are done, or too many of them are equally good.
    """
    done, name = results.done, results.definition.objectives[objective]
    if len(done) < LEAST_RUNS:
        raise ValueError(
            f"importance needs at least {LEAST_RUNS} runs that are done, and {results.name} has "
            f"{len(done)}"
        )
    values = scores(results, done)[:, objective]
    wanted = max(math.ceil(BEST_SHARE * len(done)), LEAST_BEST)
    chosen = np.flatnonzero(values <= np.partition(values, wanted - 1)[wanted - 1])
    if len(chosen) > len(done) / 2:
        raise ValueError(
            f"importance needs runs that differ, and {len(chosen)} of {len(done)} of "
            f"{results.name} are equally good by {name}"
        )
    groups = {setting: _groups(results, setting) for setting in results.settings}
    drawn = generator(Stream.SEARCH_IMPORTANCE)
    draws = [
        drawn.choice(len(done), len(chosen), replace=False, shuffle=False) for _ in range(DRAWS)
    ]
    found, excess, chance = {}, {}, {}
    for setting, group in groups.items():
        found[setting] = divergence(group, chosen)
        random = [divergence(group, each) for each in draws]
        excess[setting] = max(0.0, found[setting] - float(np.mean(random)))
        chance[setting] = float(np.quantile(random, CHANCE, method="higher"))
    total, followed = sum(excess.values()) or 1.0, follows_results(results)
    spread = [_spread_groups(results, setting) for setting in groups]
    variance = dict(zip(groups, main_effects(spread, values), strict=True))
    settings = [
        Importance(
            setting,
            excess[setting] / total,
            found[setting],
            chance[setting],
            variance[setting],
            followed,
        )
        for setting in groups
    ]
    settings.sort(key=lambda each: -(each.variance if followed else each.share))
    return Importances(name, len(done), len(chosen), tuple(settings), followed)


def follows_results(results: SweepResults) -> bool:
    """Whether runs were chosen by earlier results; True for a study's runs, where it is unknown."""
    return results.definition.space is None or results.definition.sampler == "tpe"


def main_effects(groups: Sequence[NDArray[np.int64]], values: NDArray[np.float64]) -> list[float]:
    """Each setting's share of the variance over the space: that of its main effect.

    Args:
        groups: for each setting [N], each run's group, from 0; the groups are equally large parts
            of the space.
        values: [N], the objective.

    Returns:
        For each setting a share from 0 to 1. Their sum is at most 1; the rest is interactions and
        noise.
    """
    columns = [np.eye(each.max() + 1)[each] for each in groups]
    # One column per group and a constant: the columns are dependent, so that the coefficients are
    # determined only up to a constant per setting, which does not change their variance.
    design = np.concatenate([np.ones((len(values), 1)), *columns], axis=1)
    fitted, *_ = np.linalg.lstsq(design, values, rcond=None)
    rest = float(((values - design @ fitted) ** 2).mean())
    effects, start = [], 1
    for each in columns:
        present = each.any(axis=0)  # A group without runs has no estimate.
        effects.append(float(fitted[start : start + each.shape[1]][present].var()))
        start += each.shape[1]
    total = sum(effects) + rest
    return [effect / total if total > 0 else 0.0 for effect in effects]


def divergence(groups: NDArray[np.int64], chosen: NDArray[np.int64]) -> float:
    """Pearson divergence of the chosen runs' distribution over groups from that of all runs.

    Args:
        groups: [N], each run's group, from 0.
        chosen: indices of the chosen runs.

    Returns:
        Σ p (c/p − 1)² ≥ 0, where p and c are a group's shares of all runs and of the chosen runs.
    """
    every = np.bincount(groups) / len(groups)
    some = np.bincount(groups[chosen], minlength=len(every)) / len(chosen)
    present = every > 0
    return float(every[present] @ (some[present] / every[present] - 1) ** 2)


def _groups(results: SweepResults, setting: str) -> NDArray[np.int64]:
    """[N]: for each done run, the index of its value, or of its fifth of the runs by value."""
    values = [run.params[setting] for run in results.done]
    if find_interval(results.definition.space, setting) is not None:
        numbers = np.array(values, np.float64)
        edges = np.quantile(numbers, np.linspace(0, 1, PARTS + 1)[1:-1])
        return np.searchsorted(edges, numbers, side="right").astype(np.int64)
    places = {value: place for place, value in enumerate(setting_values(results, setting))}
    return np.array([places[value] for value in values], np.int64)


def _spread_groups(results: SweepResults, setting: str) -> NDArray[np.int64]:
    """[N]: as `_groups`, but an interval is cut into parts of equal length, not of equal runs."""
    interval = find_interval(results.definition.space, setting)
    if interval is None:
        return _groups(results, setting)
    places = [interval_place(interval, run.params[setting]) for run in results.done]
    return np.minimum((np.array(places) * PARTS).astype(np.int64), PARTS - 1)
