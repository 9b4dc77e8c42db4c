"""A sweep's pictures with their captions."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from miiii.esch.about import About
from miiii.esch.style import Style
from miiii.figures.numerals import numeral
from miiii.figures.sweep import Bars, Values, best_so_far, importance_bars, trade_offs
from miiii.figures.sweep_settings import Setting, parallel_coordinates, setting_slices
from miiii.report.pictures.picture import Picture
from miiii.runs.atomic import write_atomically
from miiii.sweeps.outcome.importance import importances
from miiii.sweeps.outcome.ranking import pareto_front, ranked, setting_values
from miiii.sweeps.outcome.results import RunRecord, SweepResults
from miiii.sweeps.search.objectives import OBJECTIVES
from miiii.sweeps.search.spaces import Interval, Value

NAMES = ("progress", "parallel", "slices", "importance", "pareto")
"""The pictures, in order."""
MOST_LINES = 2000
"""Most runs in parallel coordinates; the best are taken."""


@dataclass(frozen=True)
class Plots:
    """The files of a sweep's pictures.

    Attributes:
        files: the pictures.
        captions: the file with their captions.
        missing: (picture, reason) for each that could not be drawn.
    """

    files: tuple[Path, ...]
    captions: Path
    missing: tuple[tuple[str, str], ...]


def write_plots(
    results: SweepResults,
    names: Sequence[str],
    objective: int,
    directory: Path,
    formats: tuple[str, ...],
    style: Style,
    about: About,
    drawn: Callable[[str], None] = lambda _: None,
) -> Plots:
    """Draw a sweep's pictures, and write them with their captions.

    Args:
        results: at least one run is done.
        names: of `NAMES`.
        objective: index of the objective that ranks the runs.
        directory: exists.
        formats: svg, pdf, png.
        style: colours and fonts.
        about: how the runs and their pictures were made.
        drawn: called with the name of each picture when it is written.

    Raises:
        StorageError: a file cannot be written.
    """
    files: list[Path] = []
    pictures: list[Picture] = []
    missing: list[tuple[str, str]] = []
    for name in names:
        try:
            picture = _PICTURES[name](results, objective, style)
        except ValueError as error:
            missing.append((name, str(error)))
            continue
        files += picture.write(directory, formats, style, about)
        pictures.append(picture)
        drawn(name)
    title = f"Sweep {results.name}"
    captions = directory / "captions.md"
    texts = [f"**{one.title}** (`{one.name}`). {one.caption}" for one in pictures]
    write_atomically(captions, "\n\n".join([f"# {title}", *texts, about.description, ""]).encode())
    return Plots(tuple(files), captions, tuple(missing))


def _progress(results: SweepResults, objective: int, style: Style) -> Picture:
    del objective
    ended = [run for run in results.runs if run.ended is not None]
    ended.sort(key=lambda run: (run.ended, run.number))
    done = [run for run in ended if run.values is not None]
    lost, before = [], 0
    for run in ended:
        if run.values is None:
            lost.append(before)
        else:
            before += 1
    figure = best_so_far(_values(results, done), lost, style=style)
    caption = (
        f"{_about(results)} A dot per run, in the order in which runs ended; the line is the best "
        "value so far, and the coloured dot the best of all."
    )
    if lost:
        caption += f" Crosses mark {len(lost):,} that failed or were given up."
    return Picture("1", "progress", "Objective over runs, with the best so far", caption, figure)


def _parallel(results: SweepResults, objective: int, style: Style) -> Picture:
    done = ranked(results, objective)[:MOST_LINES]
    values = _values(results, done)[objective]
    figure = parallel_coordinates(
        _settings(results, done), _values(results, done), objective, style=style
    )
    caption = (
        f"{_about(results)} A line per run through its settings and its values. Darker lines are "
        f"better by {values.name}; the best is coloured. Better values of objectives are higher. "
        "Runs with the same listed value are spread over a band, better runs higher."
    )
    if len(results.done) > MOST_LINES:
        caption += f" Only the best {MOST_LINES:,} are shown."
    return Picture("2", "parallel", "Parallel coordinates", caption, figure)


def _slices(results: SweepResults, objective: int, style: Style) -> Picture:
    del objective
    done = results.done
    figure = setting_slices(_settings(results, done), _values(results, done), style=style)
    caption = (
        f"{_about(results)} A panel per setting and objective, with a dot per run at its value of "
        "the setting. Dashes are medians of listed values; the coloured dot is the best run. Runs "
        "with the same listed value are spread sideways."
    )
    return Picture("3", "slices", "Objective over each setting", caption, figure)


def _importance(results: SweepResults, objective: int, style: Style) -> Picture:
    del objective
    found = [importances(results, place) for place in range(len(results.definition.objectives))]
    groups = []
    for one in found:
        values = {
            each.setting: each.variance if one.followed else each.divergence
            for each in one.settings
        }
        ordered = sorted(one.settings, key=lambda each: -values[each.setting])
        groups.append(
            Bars(
                one.objective,
                tuple(each.setting for each in ordered),
                np.array([values[each.setting] for each in ordered]),
                np.array([0.0 if one.followed else each.chance for each in ordered]),
                *(("share of the variance over the space",) if one.followed else ()),
            )
        )
    best = found[0].best
    followed = (
        f"{_about(results)} Share of the objective's variance over the whole space that a setting "
        "explains by itself, estimated from all runs (functional ANOVA, main effects of an "
        "additive model; lists by value, intervals in fifths). The best runs are not compared with "
        "all runs, because the sampler followed the results: a setting that it fixed early would "
        "seem unimportant. Effects of combinations of settings are not measured."
    )
    spread = (
        f"{_about(results)} How far a setting's values among the best {best} runs differ from "
        "those among all (Pearson divergence, as in PED-ANOVA; lists by value, intervals in "
        "fifths). One in a hundred random choices of as many runs exceeds the mark; a bar below it "
        "is grey and no evidence. Effects of combinations of settings are not measured."
    )
    caption = followed if found[0].followed else spread
    return Picture(
        "4", "importance", "Importance of settings", caption, importance_bars(groups, style=style)
    )


def _pareto(results: SweepResults, objective: int, style: Style) -> Picture:
    del objective
    if len(results.definition.objectives) < 2:
        raise ValueError("a trade-off needs a sweep with at least two objectives")
    best = {run.run for run in pareto_front(results)}
    front = np.array([run.run in best for run in results.done])
    figure = trade_offs(_values(results, results.done), front, style=style)
    caption = (
        f"{_about(results)} A dot per run. Coloured: the {len(best)} on the Pareto front, which no "
        "other run beats in all objectives at once."
    )
    return Picture("5", "pareto", "Trade-offs between objectives", caption, figure)


_PICTURES: dict[str, Callable[[SweepResults, int, Style], Picture]] = dict(
    zip(NAMES, (_progress, _parallel, _slices, _importance, _pareto), strict=True)
)


def _about(results: SweepResults) -> str:
    """The runs of a picture, and the meaning of their values."""
    definition = results.definition
    done, total = len(results.done), max(definition.trials, len(results.runs))
    what = f"study {definition.study}" if definition.study else f"{definition.sampler} sampler"
    meant = "; ".join(f"{name}: {OBJECTIVES[name].description}" for name in definition.objectives)
    epochs = sorted({run.budget for run in results.done})
    trained = f"{epochs[0]:,}" if len(epochs) == 1 else f"{epochs[0]:,} to {epochs[-1]:,}"
    runs = f"{done:,} of {total:,} runs, {trained} epochs each"
    return f"Sweep {results.name} ({what}), {runs}. {meant}."


def _values(results: SweepResults, runs: Sequence[RunRecord]) -> list[Values]:
    table = np.array([run.values for run in runs], np.float64)
    return [
        Values(name, table[:, place], OBJECTIVES[name].direction == "minimize")
        for place, name in enumerate(results.definition.objectives)
    ]


def _settings(results: SweepResults, runs: Sequence[RunRecord]) -> list[Setting]:
    space = results.definition.space
    intervals = {
        each.field: each
        for each in (space.dimensions if space else ())
        if isinstance(each, Interval)
    }
    found = []
    for name in results.settings:
        if name in intervals:
            each = intervals[name]
            places = np.array([float(run.params[name]) for run in runs])
            found.append(Setting(name, places, (), (each.low, each.high), each.log))
            continue
        values = sorted(setting_values(results, name), key=_order)
        places = np.array([values.index(run.params[name]) for run in runs], np.float64)
        labels = tuple(_label(value) for value in values)
        found.append(Setting(name, places, labels, (-0.5, len(values) - 0.5)))
    return found


def _order(value: Value) -> float:
    """Sort key: numbers by size, before them texts in their order."""
    return -math.inf if isinstance(value, str) else float(value)


def _label(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else numeral(value)
