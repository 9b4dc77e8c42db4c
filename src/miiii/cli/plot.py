"""`miiii plot`."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tyro

from miiii.cli.arguments import UsageError, parse
from miiii.runs.directory import RunDirectory

if TYPE_CHECKING:
    from miiii.analysis.curves import Curves
    from miiii.esch.style import Style
    from miiii.run import Run


@dataclass(frozen=True)
class PlotArguments:
    """Draw accuracy and loss of every task through training (paper Figures 4 and 17)."""

    run: tyro.conf.Positional[str] = field(metadata={"option": None})
    """Name of the run, or its path."""
    runs_dir: Path = Path("runs")
    """The directory that holds the runs."""
    output_dir: Path | None = None
    """Where the pictures go; default: the run's own figures directory."""
    format: tuple[str, ...] = ("svg", "png")
    """File formats: svg, png, pdf."""
    strips: bool = False
    """Heat strips (a row per task, area = value) instead of lines."""
    dark: bool = False
    """Light on dark instead of dark on light."""
    json: bool = False
    """Print the paths as JSON on stdout."""


def plot_command(words: list[str]) -> int:
    """`miiii plot`."""
    arguments = parse(PlotArguments, words, "miiii plot")
    for name in arguments.format:
        if name not in ("svg", "png", "pdf"):
            raise UsageError(f"--format has {name!r}: it must be among svg, png, pdf")
    RunDirectory.open(arguments.runs_dir, arguments.run)  # refuses before JAX is imported
    from miiii.cli.machine import prepare_jax

    prepare_jax()
    from miiii.cli.files import save_figure
    from miiii.esch.style import DARK, LIGHT
    from miiii.run import load_run

    run = load_run(arguments.run, arguments.runs_dir)
    style = DARK if arguments.dark else LIGHT
    measured = run_curves(run)
    origin = f"{run.config.task.task}, p = {run.config.task.base}, seed {run.config.seed}"
    title = f"{run.name}: {origin}, epoch {measured.epoch[-1]:,}"
    directory = arguments.output_dir or run.path / "figures"
    paths = [
        save_figure(figure, directory / f"{name}.{suffix}", style)
        for name, figure in _figures(measured, title, style, strips=arguments.strips).items()
        for suffix in arguments.format
    ]
    if arguments.json:
        print(json.dumps([str(path) for path in paths]))
    else:
        for path in paths:
            print(path)
    return 0


def run_curves(run: "Run") -> "Curves":
    """A run's losses and accuracies, in the units that its configuration says.

    Raises:
        UsageError: nothing was trained or saved so far.
    """
    import numpy as np

    from miiii.analysis.curves import curves

    history, config = run.history, run.config
    if not len(history.epoch):
        raise UsageError(f"run {run.name} has no history yet: nothing was trained or saved so far")
    labels = [str(modulus) for modulus in history.moduli]
    unit, guessing = "guessing", None
    if config.task.is_regression:
        labels, unit, guessing = [config.task.task], "squared error", [run.dataset.targets.var()]
    elif config.training.task_scale == "none":
        unit, guessing = "nats", np.log(config.task.class_sizes)
    return curves(
        labels,
        history.epoch,
        history.train_loss,
        history.train_accuracy,
        history.validation_epoch,
        history.validation_loss,
        history.validation_accuracy,
        unit=unit,
        guessing=guessing,
        dropout=config.training.dropout > 0,
    )


def _figures(measured: "Curves", title: str, style: "Style", *, strips: bool) -> dict[str, Any]:
    """File name to drawing; a regression has no accuracy."""
    from miiii.analysis.curves import curve_strips
    from miiii.figures import training

    found: dict[str, Any] = {}
    if strips:
        (gathered,) = curve_strips(measured)
        if not measured.regression:
            found["accuracy-strip"] = training.accuracy_strip(gathered, title=title, style=style)
        found["loss-strip"] = training.loss_strip(gathered, title=title, style=style)
    else:
        if not measured.regression:
            found["accuracy"] = training.accuracy_lines(measured, title=title, style=style)
        found["loss"] = training.loss_lines(measured, title=title, style=style)
    return found


commands = {"plot": plot_command}
