"""The best runs of a sweep, and what lies next to the best: how sharp the optimum is."""

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
    """The run nearest to the best one that differs in one given setting."""

    setting: str
    value: Value
    """Its value of that setting."""
    run: RunRecord
    """It has values."""
    also: tuple[str, ...]
    """Other settings that differ from the best's; empty: exactly one differs."""
    distance: float
    """Of those others: root mean square over settings, each from 0 to 1 over its range (any two
    values of a list are 1 apart)."""
    exact: str
    """What became of the point that differs in nothing else: done where this is it, else waiting,
    running, failed, given up, or not in the sweep. Empty where there are infinitely many."""


def choose_objective(results: SweepResults, name: str = "") -> int:
    """The place of an objective among the sweep's.

    Args:
        results: of a sweep.
        name: of the objective; empty: the first.

    Raises:
        ValueError: the sweep has no such objective.
    """
    known = list(results.definition.objectives)
    if name and name not in known:
        raise ValueError(unknown_name(f"objective of {results.name}", name, known))
    return known.index(name) if name else 0


def scores(results: SweepResults, runs: Sequence[RunRecord]) -> NDArray[np.float64]:
    """Values of runs, signed such that smaller is better.

    Args:
        results: of the sweep, for its objectives.
        runs: that have values.

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

    Equal ones by the other objectives, first to last, then in the order in which they were made.
    """
    done = results.done
    table = scores(results, done)
    others = [place for place in range(table.shape[1]) if place != objective]
    order = np.lexsort(table[:, [objective, *others]].T[::-1])
    return [done[index] for index in order]


def pareto_front(results: SweepResults) -> list[RunRecord]:
    """The runs that no other beats: none is as good in all objectives and better in one.

    By the first objective, best first. Of one objective: all that are equally best.
    """
    done = results.done
    table = scores(results, done)
    # In this order a run is beaten, if at all, by one before it.
    order = np.lexsort(table.T[::-1])
    kept: list[int] = []
    for index in order:
        front = table[kept]
        if not ((front <= table[index]).all(axis=1) & (front < table[index]).any(axis=1)).any():
            kept.append(int(index))
    return [done[index] for index in kept]


def neighbours(results: SweepResults, best: RunRecord) -> list[Neighbour]:
    """For each setting the runs nearest to the best that differ in it.

    Where values are listed, one per other value; between limits, one below and one above, of the
    runs that differ in this setting more than in others if there are such.

    Args:
        results: of the sweep.
        best: one of its runs that has values.
    """
    others = [run for run in results.done if run.run != best.run]
    found = []
    for setting in results.settings:
        for group in _sides(results, best, setting, others):
            found.append(_nearest(results, best, setting, group))
    return found


def _sides(
    results: SweepResults, best: RunRecord, setting: str, others: Sequence[RunRecord]
) -> list[list[RunRecord]]:
    """Runs by value of a setting, or by side of the best's; those that do not differ left out."""
    own = best.params[setting]
    if find_interval(results.definition.space, setting) is None:
        values = setting_values(results, setting)
        groups = [[run for run in others if run.params[setting] == value] for value in values]
        return [
            group for value, group in zip(values, groups, strict=True) if value != own and group
        ]
    below = [run for run in others if run.params[setting] < own]  # pyright: ignore[reportOperatorIssue]
    above = [run for run in others if run.params[setting] > own]  # pyright: ignore[reportOperatorIssue]
    return [group for group in (below, above) if group]


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

    # Between limits something else differs as well; it should not be what differs most.
    fitting = [each for each in group if most_in_this(each)] or group
    run = min(fitting, key=lambda each: (apart(each, results.settings), each.number))
    also = tuple(name for name in rest if run.params[name] != best.params[name])
    exact = ""
    if space is None or space.is_grid:
        exact = _state(results, {**best.params, setting: run.params[setting]})
    return Neighbour(setting, run.params[setting], run, also, apart(run, rest), exact)


def _state(results: SweepResults, point: Mapping[str, Value]) -> str:
    """What became of a point; the furthest of its runs speaks."""
    states = [run.state for run in results.runs if dict(run.params) == dict(point)]
    order = ("done", "running", "waiting", "given up", "failed")
    return min(states, key=order.index) if states else "not in the sweep"


def find_interval(space: SearchSpace | None, setting: str) -> Interval | None:
    """The interval of a setting; None where its values are listed."""
    for each in space.dimensions if space else ():
        if each.field == setting and isinstance(each, Interval):
            return each
    return None


def _step(space: SearchSpace | None, setting: str, one: Value, other: Value) -> float:
    """How far two values are apart, from 0 to 1."""
    interval = find_interval(space, setting)
    if interval is None:
        return float(one != other)
    return abs(interval_place(interval, one) - interval_place(interval, other))


def interval_place(interval: Interval, value: Value) -> float:
    """Where in an interval a value lies: 0 at its lower limit, 1 at its upper."""
    low, high, at = interval.low, interval.high, float(value)
    if interval.log:
        low, high, at = math.log(low), math.log(high), math.log(at)
    return (at - low) / (high - low)


def setting_values(results: SweepResults, setting: str) -> list[Value]:
    """A setting's values: as the space lists them; else numbers by size, texts as they came."""
    space = results.definition.space
    for each in space.dimensions if space else ():
        if each.field == setting and not isinstance(each, Interval):
            return list(each.values)
    found = [run.params[setting] for run in results.runs if setting in run.params]
    numbers = [value for value in found if not isinstance(value, str)]
    return list(dict.fromkeys(found)) if len(numbers) < len(found) else sorted(set(numbers))
