"""`miiii sweep plot`: pictures of a sweep."""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from miiii.cli.arguments import UsageError, parse
from miiii.cli.checks import picture_formats
from miiii.cli.console import timed
from miiii.cli.sweep.best import check_done
from miiii.cli.sweep.text import SweepArguments, open_results
from miiii.cli.text import counted, listed
from miiii.refusals import unknown_name
from miiii.runs.atomic import make_directory
from miiii.runs.directory import RunDirectory
from miiii.runs.errors import RunError

if TYPE_CHECKING:
    from miiii.sweeps.outcome.results import SweepResults
    from miiii.sweeps.queue.sweep import Sweep


@dataclass(frozen=True)
class PlotArguments(SweepArguments):
    """Draw the sweep: progress, parallel coordinates, slices, importance, trade-offs."""

    only: str = ""
    """Pictures to draw, separated by commas: progress, parallel, slices, importance, pareto;
    default: all that this sweep has."""
    objective: str = ""
    """The one of several objectives by which parallel coordinates mark the best runs."""
    format: str = "svg,png"
    """File formats, separated by commas: svg, pdf, png."""
    dark: bool = False
    """Light on dark instead of dark on light."""
    output_dir: Path | None = None
    """The directory of the pictures; default: figures in the sweep's directory."""
    json: bool = False
    """Print what was written as JSON on stdout."""


def plot(words: list[str]) -> int:
    """Run `miiii sweep plot`; returns the exit code."""
    arguments = parse(PlotArguments, words, "miiii sweep plot")
    formats = picture_formats(arguments.format)
    sweep, results = open_results(arguments)
    from miiii.sweeps.outcome.ranking import choose_objective

    place = choose_objective(results, arguments.objective)
    check_done(results)
    from miiii.esch.style import DARK, LIGHT
    from miiii.report.pictures.making import about_pictures
    from miiii.report.sweep_pictures import NAMES, write_plots

    names = listed(arguments.only)
    for name in names:
        if name not in NAMES:
            raise UsageError(f"--only: {unknown_name('picture', name, list(NAMES))}")
    several = len(results.definition.objectives) > 1
    directory = arguments.output_dir or sweep.path / "figures"
    make_directory(directory)
    written = write_plots(
        results,
        names or [name for name in NAMES if name != "pareto" or several],
        place,
        directory,
        formats,
        DARK if arguments.dark else LIGHT,
        about_pictures(["miiii", "sweep", "plot", *words], _origins(sweep, results)),
        timed(),
    )
    if arguments.json:
        record = {
            "files": [str(path) for path in written.files],
            "captions": str(written.captions),
            "missing": dict(written.missing),
        }
        print(json.dumps(record, indent=2))
    else:
        for name, reason in written.missing:
            print(f"not drawn: {name}, {reason}")
        files = counted(len(written.files), "file")
        print(f"{files} in {directory}, captions in {written.captions.name}")
    # A picture that was asked for by name and not drawn is a failure.
    return 1 if written.missing and names else 0


def _origins(sweep: "Sweep", results: "SweepResults") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Name and provenance of the finished runs in the sweep's directory."""
    for run in results.done:
        with suppress(RunError):
            yield run.run, RunDirectory.open(sweep.runs_dir, run.run).provenance
