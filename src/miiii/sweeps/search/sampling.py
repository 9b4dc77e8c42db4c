"""Settings of trials: planned from the start (grid, random) or chosen when a trial begins (tpe)."""

from typing import Any

import numpy as np
import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from miiii.streams import Stream, generator, sequence
from miiii.sweeps.search.definition import Definition
from miiii.sweeps.search.spaces import Dimension, Interval, SearchSpace, Value

EXPERIMENT, SEED = "experiment", "seed"
"""Parameters that identify a study's run in its trial."""


def distributions(space: SearchSpace) -> dict[str, BaseDistribution]:
    """A space as Optuna's distributions, by field."""
    return {each.field: _distribution(each) for each in space.dimensions}


def _distribution(each: Dimension | Interval) -> BaseDistribution:
    if isinstance(each, Dimension):
        return CategoricalDistribution(each.values)
    if each.whole:
        return IntDistribution(int(each.low), int(each.high), log=each.log)
    return FloatDistribution(each.low, each.high, log=each.log)


def planned_points(definition: Definition) -> list[dict[str, Value]] | None:
    """The settings of every trial in order, if they do not depend on results; None for tpe.

    A grid is shuffled, so that its first trials are spread over it; the order follows from the
    seed. A definition with more trials begins with the points of one with fewer trials.
    """
    space = definition.space
    if space is None or definition.sampler == "tpe":
        return None
    stream, seed = Stream.SEARCH_POINTS, definition.seed
    drawn = generator(stream, seed) if definition.own_stream else np.random.default_rng(seed)
    if definition.sampler == "grid":
        points = list(space.points())
        order = drawn.permutation(len(points))
        points = [points[index] for index in order]
    else:
        points = [
            {each.field: _draw(each, drawn) for each in space.dimensions}
            for _ in range(definition.trials)
        ]
    first = [dict(point) for point in definition.first]
    return [*first, *(point for point in points if point not in first)][: definition.trials]


def _draw(each: Dimension | Interval, drawn: np.random.Generator) -> Value:
    if isinstance(each, Dimension):
        return each.values[int(drawn.integers(len(each.values)))]
    if each.whole and not each.log:
        return int(drawn.integers(int(each.low), int(each.high) + 1))
    ends = (np.log(each.low), np.log(each.high)) if each.log else (each.low, each.high)
    value = float(drawn.uniform(*ends))
    value = float(np.exp(value)) if each.log else value
    value = min(max(value, each.low), each.high)  # exp(log(x)) can round to outside the limits.
    return round(value) if each.whole else value


def choose(
    definition: Definition, study: optuna.Study, trial_id: int, number: int
) -> dict[str, Any]:
    """Let TPE choose the settings of a trial that has begun, from the results so far.

    Unfinished trials count as bad (constant liar), so that workers do not all try similar settings.
    The seed comes from the sweep's seed and the trial's number, so that equal results give equal
    choices.
    """
    assert definition.space is not None
    study.sampler = optuna.samplers.TPESampler(
        seed=int(sequence(Stream.SEARCH_CHOICES, definition.seed, number).generate_state(1)[0]),
        constant_liar=True,
    )
    trial = optuna.trial.Trial(study, trial_id)
    return {each.field: _suggest(trial, each) for each in definition.space.dimensions}


def _suggest(trial: optuna.Trial, each: Dimension | Interval) -> Any:
    if isinstance(each, Dimension):
        return trial.suggest_categorical(each.field, each.values)
    if each.whole:
        return trial.suggest_int(each.field, int(each.low), int(each.high), log=each.log)
    return trial.suggest_float(each.field, each.low, each.high, log=each.log)
