"""The paper's tables of settings (Tables 1 and 2), filled from a sweep."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from miiii.config.presets import get_preset
from miiii.sweeps.outcome.ranking import ranked, scores, setting_values
from miiii.sweeps.outcome.results import RunRecord, SweepResults
from miiii.sweeps.search.spaces import Interval, Value

PARTS = 4
"""Into how many parts of equal length (of its logarithm where it is searched so) an interval is
cut."""


@dataclass(frozen=True)
class ValueRow:
    """One value of a setting, or one part of its interval: a cell of Table 1."""

    setting: str
    symbol: str
    """What the paper calls it."""
    value: Value | None
    """None: a part of an interval."""
    limits: tuple[float, float] | None
    """Of the part, the upper one excluded except in the last; None: one value."""
    runs: int
    """That are done."""
    best: tuple[float, ...] | None
    """Per objective; None: no run is done."""
    median: tuple[float, ...] | None
    """Per objective."""


@dataclass(frozen=True)
class ChosenRow:
    """Settings side by side: a row of Table 2."""

    label: str
    params: dict[str, Value]
    outside: tuple[str, ...]
    """Settings whose value the sweep did not try."""
    values: tuple[float, ...] | None
    """Per objective; None: not from this sweep."""


def space_rows(results: SweepResults) -> list[ValueRow]:
    """Table 1: per setting and value how many runs there are, and how good they are."""
    space = results.definition.space
    rows: list[ValueRow] = []
    intervals = {
        each.field: each
        for each in (space.dimensions if space else ())
        if isinstance(each, Interval)
    }
    symbols = space.symbols if space else {}
    for setting in results.settings:
        symbol = symbols.get(setting, setting)
        if setting in intervals:
            rows += _interval_rows(results, intervals[setting])
            continue
        for value in setting_values(results, setting):
            rows.append(
                _row(results, setting, symbol, lambda each, value=value: each == value, value)
            )
    return rows


def chosen_rows(results: SweepResults) -> list[ChosenRow]:
    """Table 2: the best settings of every objective beside the paper's.

    Without the paper's row where the runs are a study's.
    """
    objectives = results.definition.objectives
    rows = []
    if results.done:
        for place, name in enumerate(objectives):
            best = ranked(results, place)[0]
            params = {setting: best.params[setting] for setting in results.settings}
            label = f"best of {results.name}"
            label += f" by {name}" if len(objectives) > 1 else ""
            rows.append(ChosenRow(label, params, (), best.values))
    space = results.definition.space
    if space is not None:
        paper = space.read(get_preset("paper"))
        rows.append(ChosenRow("paper (Table 2)", paper, space.outside(paper), None))
    return rows


def _interval_rows(results: SweepResults, interval: Interval) -> list[ValueRow]:
    spaced = np.geomspace if interval.log else np.linspace
    edges = spaced(interval.low, interval.high, PARTS + 1)

    def part_of(value: Value) -> int:
        return int(np.searchsorted(edges[1:-1], float(value), side="right"))

    return [
        _row(
            results,
            interval.field,
            interval.symbol,
            lambda value, part=part: part_of(value) == part,
            limits=(float(edges[part]), float(edges[part + 1])),
        )
        for part in range(PARTS)
    ]


def _row(
    results: SweepResults,
    setting: str,
    symbol: str,
    holds: Callable[[Value], bool],
    value: Value | None = None,
    limits: tuple[float, float] | None = None,
) -> ValueRow:
    own: list[RunRecord] = [run for run in results.done if holds(run.params[setting])]
    if not own:
        return ValueRow(setting, symbol, value, limits, 0, None, None)
    values = np.array([run.values for run in own], np.float64)
    best = values[scores(results, own).argmin(axis=0), range(values.shape[1])]
    median = np.median(values, axis=0)
    return ValueRow(
        setting, symbol, value, limits, len(own), tuple(best.tolist()), tuple(median.tolist())
    )
