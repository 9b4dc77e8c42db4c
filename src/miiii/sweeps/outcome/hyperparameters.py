"""The paper's tables of settings (Tables 1 and 2), filled from a sweep."""

from dataclasses import dataclass

import numpy as np

from miiii.config.presets import get_preset
from miiii.sweeps.outcome.ranking import find_interval, ranked, scores, setting_values
from miiii.sweeps.outcome.results import RunRecord, SweepResults
from miiii.sweeps.search.spaces import Interval, Value

PARTS = 4
"""Number of parts of an interval, equally long (in the logarithm if it is searched so)."""


@dataclass(frozen=True)
class ValueRow:
    """One value of a setting, or one part of its interval: a cell of Table 1."""

    setting: str
    symbol: str
    """The paper's name of the setting."""
    value: Value | None
    """The value; None for a part of an interval."""
    limits: tuple[float, float] | None
    """Limits of the part; only the last part includes its upper limit. None for a value."""
    runs: int
    """Number of runs that are done."""
    best: tuple[float, ...] | None
    """Best value of each objective; None: no run is done."""
    median: tuple[float, ...] | None
    """Median of each objective; None: no run is done."""


@dataclass(frozen=True)
class ChosenRow:
    """Settings side by side: a row of Table 2."""

    label: str
    params: dict[str, Value]
    outside: tuple[str, ...]
    """Settings whose value is outside the sweep's space."""
    values: tuple[float, ...] | None
    """Value of each objective; None: the settings are not from this sweep."""


def space_rows(results: SweepResults) -> list[ValueRow]:
    """Table 1: for each value of each setting, the number of runs and their objectives."""
    space = results.definition.space
    rows: list[ValueRow] = []
    symbols = space.symbols if space else {}
    for setting in results.settings:
        interval, symbol = find_interval(space, setting), symbols.get(setting, setting)
        if interval is not None:
            rows += _interval_rows(results, interval)
            continue
        for value in setting_values(results, setting):
            own = [run for run in results.done if run.params[setting] == value]
            rows.append(_row(results, own, setting, symbol, value))
    return rows


def chosen_rows(results: SweepResults) -> list[ChosenRow]:
    """Table 2: the best settings for each objective, and the paper's.

    A sweep of a study has no row for the paper.
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
    values = [float(run.params[interval.field]) for run in results.done]
    parts = np.searchsorted(edges[1:-1], values, side="right")
    rows = []
    for part in range(PARTS):
        own = [run for run, place in zip(results.done, parts, strict=True) if place == part]
        limits = (float(edges[part]), float(edges[part + 1]))
        rows.append(_row(results, own, interval.field, interval.symbol, limits=limits))
    return rows


def _row(
    results: SweepResults,
    own: list[RunRecord],
    setting: str,
    symbol: str,
    value: Value | None = None,
    limits: tuple[float, float] | None = None,
) -> ValueRow:
    if not own:
        return ValueRow(setting, symbol, value, limits, 0, None, None)
    values = np.array([run.values for run in own], np.float64)
    best = values[scores(results, own).argmin(axis=0), range(values.shape[1])]
    median = np.median(values, axis=0)
    return ValueRow(
        setting, symbol, value, limits, len(own), tuple(best.tolist()), tuple(median.tolist())
    )
