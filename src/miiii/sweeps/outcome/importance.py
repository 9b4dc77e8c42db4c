"""Which settings the best runs have in common: importance after PED-ANOVA.

For each setting, the distribution of its values among the best tenth of the runs is held against
that among all of them; the Pearson divergence between the two is how much this setting alone says
about a run's being among the best (Watanabe et al., IJCAI 2023, arXiv:2304.10255, equation 6). It
needs no model of the objective, so no scikit-learn, and asks about the *best* runs; fANOVA's share
of the variance over the whole space mostly says what makes a run bad.

Optuna has the same with kernel densities. On listed values those are smoothed so much that a
setting with two values, one of which all the best runs have, counts for little; Table 1 is all
lists. Here values are counted: those of a list each, those of an interval in fifths of all runs.

Chance alone makes some divergence, the more so the fewer runs and the more values there are.
Therefore it is computed for as many runs drawn at random, too, and only the excess makes the share.
A setting that matters only together with another is not found.

All this supposes runs that were spread over the space without regard to results. A sampler that
follows results (TPE) gathers its runs where earlier ones were good: there the best tenth hardly
differs from all in a setting that was settled early, however much depends on it, so that it looks
like no setting at all. Beside it therefore stands each setting's share of the variance over the
whole space (functional ANOVA: Hutter, Hoos and Leyton-Brown 2014, main effects), read off an
additive model of the same groups, fitted to all runs by least squares, in place of their forest: it
asks for the objective's mean at a setting's value, not for how many runs have it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from miiii.streams import Stream, generator
from miiii.sweeps.outcome.ranking import (
    find_interval,
    interval_place,
    scores,
    setting_values,
)
from miiii.sweeps.outcome.results import SweepResults

LEAST_RUNS = 20
"""Fewer say nothing: the best of them are too few for a distribution."""
BEST_SHARE, LEAST_BEST = 0.1, 5
"""The best tenth of the runs, but at least so many."""
DRAWS = 299
"""Of runs at random."""
CHANCE = 0.99
"""A setting that does not matter stays below what this share of the draws reach."""
PARTS = 5
"""Of an interval's runs, with equally many each."""


@dataclass(frozen=True)
class Importance:
    """How much one setting has to do with being among the best."""

    setting: str
    share: float
    """Of the excess over what chance gives on average, summed over settings; from 0 to 1."""
    divergence: float
    """Pearson's, ≥ 0: of its values among the best runs from those among all."""
    chance: float
    """What only one in a hundred random choices of runs passes."""
    variance: float
    """Share of the objective's variance over the space that this setting alone makes; 0 to 1."""
    followed: bool
    """Whether the runs were chosen by results, so that the divergence misleads."""

    @property
    def beyond_chance(self) -> bool | None:
        """Whether it passes that; None where the runs followed results, and it says nothing."""
        return None if self.followed else self.divergence > self.chance


@dataclass(frozen=True)
class Importances:
    """Of all settings, for one objective."""

    objective: str
    runs: int
    """That have values."""
    best: int
    """How many of them count as the best; equally good ones all do."""
    settings: tuple[Importance, ...]
    """Largest share first; where the runs followed results, largest share of the variance."""
    followed: bool
    """Whether the runs were chosen by results."""


def importances(results: SweepResults, objective: int = 0) -> Importances:
    """How much each setting decides whether a run is among the best.

    Args:
        results: of a sweep.
        objective: its place among the sweep's.

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
    """Whether earlier results decided where later runs lie; of a foreign study it is not known."""
    return results.definition.space is None or results.definition.sampler == "tpe"


def main_effects(groups: Sequence[NDArray[np.int64]], values: NDArray[np.float64]) -> list[float]:
    """Of every setting the share of the variance that its main effect makes over the space.

    Args:
        groups: per setting [N], each run's group, from 0; a setting's groups are equally large
            parts of the space.
        values: [N], the objective.

    Returns:
        Per setting, from 0 to 1; their sum is at most 1, the rest being interactions and noise.
    """
    columns = [np.eye(each.max() + 1)[each] for each in groups]
    design = np.concatenate([np.ones((len(values), 1)), *columns], axis=1)
    fitted, *_ = np.linalg.lstsq(design, values, rcond=None)
    rest = float(((values - design @ fitted) ** 2).mean())
    effects, start = [], 1
    for each in columns:
        # A group that no run is in has no mean to know of.
        there = each.any(axis=0)
        effects.append(float(fitted[start : start + each.shape[1]][there].var()))
        start += each.shape[1]
    total = sum(effects) + rest
    return [effect / total if total > 0 else 0.0 for effect in effects]


def divergence(groups: NDArray[np.int64], chosen: NDArray[np.int64]) -> float:
    """Pearson's divergence of some runs' distribution over groups from that of all runs.

    Args:
        groups: [N], each run's group, from 0.
        chosen: the places of some runs.

    Returns:
        Σ p (c/p − 1)², p and c the shares of a group among all and among the chosen; ≥ 0.
    """
    everything = np.bincount(groups) / len(groups)
    some = np.bincount(groups[chosen], minlength=len(everything)) / len(chosen)
    there = everything > 0
    ratio = some[there] / everything[there]
    return float(everything[there] @ (ratio - 1) ** 2)


def _groups(results: SweepResults, setting: str) -> NDArray[np.int64]:
    """[N]: of the runs that are done, which value or which part of the interval each has."""
    values = [run.params[setting] for run in results.done]
    if find_interval(results.definition.space, setting) is not None:
        numbers = np.array(values, np.float64)
        edges = np.quantile(numbers, np.linspace(0, 1, PARTS + 1)[1:-1])
        return np.searchsorted(edges, numbers, side="right").astype(np.int64)
    places = {value: place for place, value in enumerate(setting_values(results, setting))}
    return np.array([places[value] for value in values], np.int64)


def _spread_groups(results: SweepResults, setting: str) -> NDArray[np.int64]:
    """[N]: as `_groups`, with an interval cut into parts of one size, not of as many runs."""
    interval = find_interval(results.definition.space, setting)
    if interval is None:
        return _groups(results, setting)
    places = [interval_place(interval, run.params[setting]) for run in results.done]
    return np.minimum((np.array(places) * PARTS).astype(np.int64), PARTS - 1)
