"""Which settings the best runs have in common: importance by PED-ANOVA.

For each setting, the distribution of its values among the best tenth of the runs is held against
that among all of them; the Pearson divergence between the two is how much one knows about a run's
being among the best from this setting alone (Watanabe et al., IJCAI 2023, arXiv:2304.10255). It is
Optuna's default, needs no scikit-learn, and asks what decides whether a run is among the *best*.
fANOVA, which asks for the share of the objective's variance over the whole space, answers another
question (mostly what makes a run fail) and brings scikit-learn for its random forest.

A setting that only matters together with another is not found this way. Chance alone makes some
divergence, the more so the fewer runs there are; the same is therefore computed with the values
shuffled among the runs.
"""

import math
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.trial import create_trial

from miiii.sweeps.ranking import scores, setting_values
from miiii.sweeps.results import SweepResults
from miiii.sweeps.sampling import distributions

if TYPE_CHECKING:
    import optuna

LEAST_RUNS = 20
"""Fewer say nothing: the best of them are too few for a distribution."""
BEST_SHARE, LEAST_BEST = 0.1, 5
"""The best tenth of the runs, but at least so many."""
SHUFFLES = 19
"""To be beyond all of them has a chance of 1 in 20 where a setting does not matter."""


@dataclass(frozen=True)
class Importance:
    """How much one setting has to do with being among the best."""

    setting: str
    share: float
    """Of the sum over settings, from 0 to 1."""
    divergence: float
    """Pearson's, ≥ 0: of its values among the best runs from those among all."""
    chance: float
    """The largest of `SHUFFLES` divergences where values are shuffled among the runs."""

    @property
    def beyond_chance(self) -> bool:
        """Whether no shuffle reached as much."""
        return self.divergence > self.chance


@dataclass(frozen=True)
class Importances:
    """Of all settings, for one objective."""

    objective: str
    runs: int
    """That have values."""
    best: int
    """How many of them count as the best; more where several are equally good."""
    settings: tuple[Importance, ...]
    """Largest first."""


def importances(results: SweepResults, objective: int = 0) -> Importances:
    """How much each setting decides whether a run is among the best.

    Args:
        results: of a sweep.
        objective: its place among the sweep's.

    Raises:
        ValueError: too few runs are done, or all of them are equally good.
    """
    done = results.done
    if len(done) < LEAST_RUNS:
        raise ValueError(
            f"importance needs at least {LEAST_RUNS} runs that are done, and {results.name} has "
            f"{len(done)}"
        )
    values = scores(results, done)[:, objective]
    name = results.definition.objectives[objective]
    if np.ptp(values) == 0:
        raise ValueError(
            f"importance needs runs that differ, and all {len(done)} of {results.name} have the "
            f"same {name}"
        )
    best = max(math.ceil(BEST_SHARE * len(done)), LEAST_BEST)
    study = _study(results)
    found = _divergences(study, values, best / len(done))
    generator = np.random.default_rng(0)
    shuffled = [
        _divergences(study, generator.permutation(values), best / len(done))
        for _ in range(SHUFFLES)
    ]
    total = sum(found.values()) or 1.0
    settings = [
        Importance(setting, value / total, value, max(each[setting] for each in shuffled))
        for setting, value in found.items()
    ]
    settings.sort(key=lambda each: -each.divergence)
    return Importances(name, len(done), best, tuple(settings))


def _study(results: SweepResults) -> "optuna.Study":
    """The runs that are done, in memory, their place as their value."""
    import optuna

    space = results.definition.space
    kinds: dict[str, BaseDistribution] = (
        distributions(space)
        if space is not None
        else {
            name: CategoricalDistribution(setting_values(results, name))
            for name in results.settings
        }
    )
    study = optuna.create_study(storage=optuna.storages.InMemoryStorage())
    study.add_trials(
        [
            create_trial(params=dict(run.params), distributions=kinds, value=float(place))
            for place, run in enumerate(results.done)
        ]
    )
    return study


def _divergences(study: "optuna.Study", values: np.ndarray, share: float) -> dict[str, float]:
    """Per setting, where run n has values[n], smaller being better."""
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

    with warnings.catch_warnings():
        # That smaller counts as better, and that values which are not shares are experimental.
        warnings.simplefilter("ignore")
        return get_param_importances(
            study,
            evaluator=PedAnovaImportanceEvaluator(target_quantile=share),
            target=lambda trial: float(values[int(trial.values[0])]),
            normalize=False,
        )
