"""`miiii figures`: the paper's figures and tables from stored runs."""

import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tyro

from miiii.cli import machine
from miiii.cli.arguments import UsageError, parse
from miiii.cli.checks import check_epoch, check_range, picture_formats
from miiii.cli.console import at_intervals, timed
from miiii.cli.text import listed
from miiii.runs.atomic import make_directory
from miiii.runs.directory import RunDirectory


@dataclass(frozen=True)
class FiguresArguments:
    """Draw the paper's figures and tables from your own runs, with captions and a gallery.

    It names the figures that need a run which was not given, and draws the others.
    """

    run: tyro.conf.Positional[str | None] = field(default=None, metadata={"option": None})
    """Name of the run, or its path; not needed with --model-free."""
    compare: str | None = None
    """A run of T_nanda to compare with (Figures 10 to 14)."""
    baseline: str | None = None
    """A run of T_basis, the same task with shuffled labels (Figure 7)."""
    no_dropout: str | None = field(default=None, metadata={"option": "--no-dropout"})
    """A run of the same task with dropout 0 (Figures 5 and 18)."""
    filters: tuple[str, ...] = ()
    """Runs of the same task at other strengths of the gradient filter, and controls of the
    learning rate (Figure 24)."""
    waves: str | None = None
    """A run of T_waves, the cosine model (Figures 20 to 23)."""
    model_free: bool = False
    """Draw only what needs no run: Figures 1, 2, 3, 19 and the tables."""
    only: str = ""
    """Figures and tables to draw, separated by commas, for example 4,6,16,T2 (4P and 8P: a run
    at p = 113 beside the published Figures 4 and 8); default: all of the paper's."""
    epoch: int | None = None
    """The snapshot whose weights are analysed, in epochs; default: the latest weights."""
    format: str = "svg,png"
    """File formats, separated by commas: svg, pdf, png."""
    corner: int = 37
    """Digits on each axis of the pictures of neurons; 0: all."""
    dark: bool = False
    """Light on dark instead of dark on light."""
    runs_dir: Path = Path("runs")
    """The directory that holds the runs."""
    output_dir: Path | None = None
    """The directory of the pictures; default: figures in the run's directory, or ./figures."""
    json: bool = False
    """Print what was written as JSON on stdout."""


def figures_command(words: list[str]) -> int:
    """Run `miiii figures`; returns the exit code."""
    arguments = parse(FiguresArguments, words, "miiii figures")
    formats = picture_formats(arguments.format)
    if arguments.run is None and not arguments.model_free:
        raise UsageError("which run? Give its name, or --model-free; `miiii list` lists them")
    check_range(arguments, "corner", 0, more=" (0: all digits)")
    runs = _runs(arguments)
    for _, name in runs:  # A bad name fails before JAX loads.
        RunDirectory.open(arguments.runs_dir, name)

    machine.prepare_jax()
    from miiii.esch.style import DARK, LIGHT
    from miiii.report.pictures.catalogue import choose
    from miiii.report.pictures.sources import Look
    from miiii.report.pictures.writing import write_pictures

    entries = choose(listed(arguments.only))
    if arguments.model_free:
        entries = tuple(entry for entry in entries if entry.model_free)
    sources = _sources(arguments, runs)
    look = Look(DARK if arguments.dark else LIGHT, arguments.corner or None)
    directory = arguments.output_dir
    if directory is None:
        directory = sources.main.run.path / "figures" if sources.main else Path("figures")
    make_directory(directory)
    written = write_pictures(
        entries, sources, look, directory, formats, timed(), command=["miiii", "figures", *words]
    )
    if arguments.json:
        record = {
            "gallery": str(written.gallery),
            "files": [str(path) for path in written.files],
            "missing": dict(written.missing),
        }
        print(json.dumps(record, indent=2))
    else:
        for label, reason in written.missing:
            print(f"not drawn: {label} {reason}")
        print(f"{len(written.files)} files in {directory}")
        print(f"gallery: {written.gallery}")
    # A figure that was asked for by number and not drawn is a failure; others may lack their run.
    return 1 if written.missing and arguments.only else 0


def _runs(arguments: FiguresArguments) -> list[tuple[str, str]]:
    """Part and name of every run that was given."""
    pairs = [("main", arguments.run), ("nanda", arguments.compare), ("basis", arguments.baseline)]
    pairs += [("no_dropout", arguments.no_dropout), ("waves", arguments.waves)]
    pairs += [("filters", name) for name in arguments.filters]
    return [(part, name) for part, name in pairs if name is not None]


def _sources(arguments: FiguresArguments, runs: list[tuple[str, str]]) -> Any:
    from miiii.experiment.run import load_run
    from miiii.report.pictures.sources import TASK_NAMES, Sources
    from miiii.results.paper import Results

    parts: dict[str, Any] = {}
    for part, name in runs:
        run = load_run(name, arguments.runs_dir)
        task = run.config.task.task
        if part in ("nanda", "basis", "waves") and task != part:
            option = {"nanda": "--compare", "basis": "--baseline", "waves": "--waves"}[part]
            raise UsageError(
                f"{option} is {name}, a run of {TASK_NAMES[task]}: expected {TASK_NAMES[part]}"
            )
        if not len(run.history.epoch):
            raise UsageError(f"run {run.name} has no history yet: nothing was trained or saved")
        epoch = arguments.epoch if part == "main" else None
        check_epoch(epoch, run.name, run.snapshots)
        results = Results(run, epoch, track)
        if part == "filters":
            parts["filters"] = (*parts.get("filters", ()), results)
        else:
            parts[part] = results
    return Sources(**parts)


def track(items: Iterable[Any], label: str, count: int) -> Iterator[Any]:
    """Yield the items, with a line of progress on stderr every few seconds."""
    started, show = time.monotonic(), at_intervals()
    for done, item in enumerate(items, start=1):
        yield item
        left = (time.monotonic() - started) / done * (count - done)
        if done < count:
            show(f"         {label}: {done} of {count}, {left:.0f} s left")
