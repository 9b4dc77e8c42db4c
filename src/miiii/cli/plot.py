"""`miiii plot`."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import tyro

from miiii.cli.arguments import UsageError, parse
from miiii.runs.directory import RunDirectory


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
    from miiii.figures.curves import accuracy_curves, loss_curves
    from miiii.run import load_run

    run = load_run(arguments.run, arguments.runs_dir)
    history, config = run.history, run.config
    if not len(history.epoch):
        raise UsageError(f"run {run.name} has no history yet: nothing was trained or saved so far")
    style = DARK if arguments.dark else LIGHT
    origin = f"{config.task.task}, p = {config.task.base}, seed {config.seed}"
    title = f"{run.name}: {origin}, epoch {history.epoch[-1]:,}"
    labels = [str(modulus) for modulus in history.moduli]
    unit = "loss, guessing = 1"
    if config.task.is_regression:
        labels, unit = [config.task.task], "mean squared error"
    elif config.training.task_scale == "none":
        unit = "cross-entropy in nats"
    measured = (history.epoch, history.validation_epoch)
    figures = {
        "accuracy": accuracy_curves(
            measured[0],
            history.train_accuracy,
            measured[1],
            history.validation_accuracy,
            labels,
            title=title,
            style=style,
        ),
        "loss": loss_curves(
            measured[0],
            history.train_loss,
            measured[1],
            history.validation_loss,
            labels,
            unit=unit,
            title=title,
            style=style,
        ),
    }
    directory = arguments.output_dir or run.path / "figures"
    paths = [
        save_figure(figure, directory / f"{name}.{suffix}", style)
        for name, figure in figures.items()
        for suffix in arguments.format
    ]
    if arguments.json:
        print(json.dumps([str(path) for path in paths]))
    else:
        for path in paths:
            print(path)
    return 0


commands = {"plot": plot_command}
