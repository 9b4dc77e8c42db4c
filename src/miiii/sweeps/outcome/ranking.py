"""The best runs of a sweep, and the best run's neighbours, which show how sharp the optimum is."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from miiii.refusals import unknown_name
from miiii.sweeps.outcome.results import RunRecord, SweepResults
from miiii.sweeps.search.objectives import OBJECTIVES
from miiii.sweeps.search.spaces import Interval, SearchSpace, Value


@dataclass(frozen=True)
class Neighbour:
    """The nearest run to the best one among those that differ in a given setting."""

    setting: str
    value: Value
    """The run's value of that setting."""
    run: RunRecord
    """A run that is done."""
    also: tuple[str, ...]
    """Other settings in which the run differs from the best one; empty: only `setting` differs."""
    distance: float
    """Root mean square distance over the other settings. Each setting counts from 0 to 1 over its
    range; two different values of a list are 1 apart."""
    exact: str
    """State of the point that differs only in `setting`: done (this run), waiting, running, failed,
    given up, or not in the sweep. Empty if a setting has an interval."""


def choose_objective(results: SweepResults, name: str = "") -> int:
    """The place of an objective among the sweep's objectives.

    Args:
        results: a sweep's results.
        name: the objective's name; empty: the first.

    Raises:
        ValueError: the sweep has no such objective.
    """
    known = list(results.definition.objectives)
    if name and name not in known:
        raise ValueError(unknown_name(f"objective of {results.name}", name, known))
    return known.index(name) if name else 0


def scores(results: SweepResults, runs: Sequence[RunRecord]) -> NDArray[np.float64]:
    """Values of runs, with signs such that smaller is better.

    Args:
        results: the sweep's results.
        runs: runs that have values.

    Returns:
        [run, objective].
    """
    signs = [
        1.0 if OBJECTIVES[name].direction == "minimize" else -1.0
        for name in results.definition.objectives
    ]
    table = np.array([run.values for run in runs], np.float64).reshape(len(runs), len(signs))
    return table * signs


def ranked(results: SweepResults, objective: int = 0) -> list[RunRecord]:
    """The runs that have values, best first.

    The other objectives decide between equal runs, then the order in which they were made.
    """
    done = results.done
    table = scores(results, done)
    others = [place for place in range(table.shape[1]) if place != objective]
    order = np.lexsort(table[:, [objective, *others]].T[::-1])
    return [done[index] for index in order]


def pareto_front(results: SweepResults) -> list[RunRecord]:
    """The runs that no other run beats by being as good in all objectives and better in one.

    They are sorted by the first objective, best first. For one objective, all equally best runs.
    """
    done = results.done
    table = scores(results, done)
    # In this order a run can only be beaten by an earlier one.
    order = np.lexsort(table.T[::-1])
    kept: list[int] = []
    for index in order:
        front = table[kept]
        if not ((front <= table[index]).all(axis=1) & (front < table[index]).any(axis=1)).any():
            kept.append(int(index))
    return [done[index] for index in kept]


def neighbours(results: SweepResults, best: RunRecord) -> list[Neighbour]:
    """The runs nearest to the best one that differ in each setting.

    A setting with listed values has one neighbour for each other value. A setting with limits has
    one below and one above; runs that differ most in this setting are preferred.

    Args:
        results: the sweep's results.
        best: one of its runs that has values.
    """
    others = [run for run in results.done if run.run != best.run]
    return [
        _nearest(results, best, setting, group)
        for setting in results.settings
        for group in _sides(results, best, setting, others)
    ]


def _sides(
    results: SweepResults, best: RunRecord, setting: str, others: Sequence[RunRecord]
) -> list[list[RunRecord]]:
    """The runs that differ from the best in a setting, grouped by value or by below and above."""
    own = best.params[setting]
    if find_interval(results.definition.space, setting) is None:
        values = [value for value in setting_values(results, setting) if value != own]
        groups = [[run for run in others if run.params[setting] == value] for value in values]
    else:
        below = [run for run in others if run.params[setting] < own]  # pyright: ignore[reportOperatorIssue]
        above = [run for run in others if run.params[setting] > own]  # pyright: ignore[reportOperatorIssue]
        groups = [below, above]
    return [group for group in groups if group]


def _nearest(
    results: SweepResults, best: RunRecord, setting: str, group: Sequence[RunRecord]
) -> Neighbour:
    space = results.definition.space
    rest = [name for name in results.settings if name != setting]

    def apart(run: RunRecord, names: Sequence[str]) -> float:
        squares = [_step(space, name, run.params[name], best.params[name]) ** 2 for name in names]
        return math.sqrt(sum(squares) / len(squares)) if squares else 0.0

    def most_in_this(run: RunRecord) -> bool:
        own = _step(space, setting, run.params[setting], best.params[setting])
        return all(_step(space, name, run.params[name], best.params[name]) <= own for name in rest)

    # In an interval other settings differ too; prefer runs in which they differ less.
    fitting = [each for each in group if most_in_this(each)] or group
    run = min(fitting, key=lambda each: (apart(each, results.settings), each.number))
    also = tuple(name for name in rest if run.params[name] != best.params[name])
    exact = ""
    if space is None or space.is_grid:
        exact = _state(results, {**best.params, setting: run.params[setting]})
    return Neighbour(setting, run.params[setting], run, also, apart(run, rest), exact)


def _state(results: SweepResults, point: Mapping[str, Value]) -> str:
    """The state of a point; of several runs the most advanced one counts."""
    states = [run.state for run in results.runs if dict(run.params) == dict(point)]
    order = ("done", "running", "waiting", "given up", "failed")
    return min(states, key=order.index) if states else "not in the sweep"


def find_interval(space: SearchSpace | None, setting: str) -> Interval | None:
    """The interval of a setting; None if its values are listed."""
    for each in space.dimensions if space else ():
        if each.field == setting and isinstance(each, Interval):
            return each
    return None


def _step(space: SearchSpace | None, setting: str, one: Value, other: Value) -> float:
    """The distance of two values, from 0 to 1."""
    interval = find_interval(space, setting)
    if interval is None:
        return float(one != other)
    return abs(interval_place(interval, one) - interval_place(interval, other))


def interval_place(interval: Interval, value: Value) -> float:
    """A value's position in an interval: 0 at the lower limit, 1 at the upper."""
    low, high, at = interval.low, interval.high, float(value)
    if interval.log:
        low, high, at = math.log(low), math.log(high), math.log(at)
    return (at - low) / (high - low)


def setting_values(results: SweepResults, setting: str) -> list[Value]:
    """A setting's values: in the space's order; for other settings numbers sorted, texts not."""
    space = results.definition.space
    for each in space.dimensions if space else ():
        if each.field == setting and not isinstance(each, Interval):
            return list(each.values)
    found = [run.params[setting] for run in results.runs if setting in run.params]
    numbers = [value for value in found if not isinstance(value, str)]
    return list(dict.fromkeys(found)) if len(numbers) < len(found) else sorted(set(numbers))
