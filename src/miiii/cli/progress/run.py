"""Display of a training batch: speed, remaining time, mean accuracies and every task."""

import time
from collections.abc import Sequence

import numpy as np
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from miiii.cli.progress.screen import Lines, View, bar
from miiii.cli.progress.standing import Standing
from miiii.experiment.members import Member
from miiii.experiment.progress import Report
from miiii.runs.text import clock, percent

MOST_TASKS = 30
"""Most tasks that a plain line names."""


class RunProgress:
    """Shows a training batch on a screen of lines or on a panel."""

    def __init__(self, screen: Lines) -> None:
        self._screen = screen
        self.stopping, self.warned = screen.stopping, screen.warned

    def started(self, members: Sequence[Member], done: int, epochs: int) -> None:
        """Show the runs and epochs that are about to train."""
        self._standing = standing = Standing(members, done, epochs)
        self._view = view_of(standing)
        where = f"from epoch {done:,} " if done else ""
        self._screen.begin(self._view, f"{_title(standing)}: {where}to {epochs:,}; compiling")

    def advanced(self, report: Report) -> None:
        """Show the progress, if the display is due."""
        self._standing.advance(report)
        self._screen.show(self._view)

    def interrupted(self, members: Sequence[Member], done: int) -> None:
        """Do nothing: the command prints how to go on."""


def view_of(standing: Standing) -> View:
    """The line and the panel of a batch."""
    return View(
        lambda: _line(standing), lambda: _title(standing), lambda width: _parts(standing, width)
    )


def _line(standing: Standing) -> str:
    return (
        f"epoch {standing.done:,}/{standing.epochs:,}  "
        f"{standing.epochs_per_second:.1f} epochs/s  ETA {clock(standing.seconds_left)}  "
        f"train {percent(standing.train.mean())}  "
        f"validation {percent(standing.validation.mean())}  "
        f"solved {standing.solved_now:g}/{len(standing.moduli)}  "
        f"[{_plain_tasks(standing.labels, standing.validation.mean(axis=0))}]"
    )


def _plain_tasks(labels: Sequence[str], accuracy: np.ndarray) -> str:
    """Every task's accuracy; of many tasks the lowest ones, in the order of the tasks."""
    chosen = np.sort(np.argsort(accuracy, kind="stable")[:MOST_TASKS])
    named = " ".join(f"{labels[place]}:{percent(float(accuracy[place]))[:-2]}" for place in chosen)
    if len(labels) <= MOST_TASKS:
        return named
    return f"lowest {MOST_TASKS} of {len(labels)}: {named}"


def _parts(standing: Standing, width: int) -> list[RenderableType]:
    head = Table.grid(padding=(0, 2))
    speed = standing.epochs_per_second
    head.add_row(
        f"epoch {standing.done:,} / {standing.epochs:,}",
        f"{speed:.1f} epochs/s" if speed > 0 else "compiling …",
        f"ETA {clock(standing.seconds_left)}",
        f"elapsed {clock(time.monotonic() - standing.began)}",
    )
    means = Table.grid(padding=(0, 2))
    means.add_row(
        f"train {percent(standing.train.mean())}",
        Text(f"validation {percent(standing.validation.mean())}", style="bold"),
        f"solved {standing.solved_now:g} / {len(standing.moduli)}",
        Text("(training measured with dropout on)", style="dim"),
    )
    share = standing.done / standing.epochs
    parts: list[RenderableType] = [head, bar(share, width), means, _tasks(standing, width)]
    return [*parts, _runs(standing)] if len(standing.names) > 1 else parts


def _tasks(standing: Standing, width: int) -> Table:
    """Every task: modulus, bar, accuracy (mean over runs), and the epoch that first solved it."""
    columns = max(1, min(4, (width - 6) // 32))
    cells = []
    for column, label in enumerate(standing.labels):
        accuracy = standing.validation[:, column].mean()
        solved = standing.solved[:, column]
        style = "green" if standing.is_solved(column) else ("" if accuracy > 0.5 else "dim")
        if (solved > 0).all():
            when = f"@{int(np.median(solved)):,}"
        elif (solved > 0).any():
            when = f"{(solved > 0).sum()}/{len(solved)}"
        else:
            when = ""
        cells.append(
            Text.assemble(
                (f"{label:>5} ", "bold"),
                (_bar(accuracy), style),
                (f"{percent(accuracy):>8} ", style),
                (f"{when:<8}", "cyan"),
            )
        )
    grid = Table.grid(padding=(0, 1))
    rows = -(-len(cells) // columns)
    for row in range(rows):
        grid.add_row(*cells[row::rows])
    return grid


def _runs(standing: Standing) -> Text:
    parts = [
        f"{name} {percent(value)}"
        for name, value in zip(standing.names, standing.validation.mean(axis=1), strict=True)
    ]
    return Text("   ".join(parts), style="dim", overflow="fold")


def _bar(share: float, cells: int = 8) -> str:
    filled = 0 if np.isnan(share) else round(share * cells)
    return "█" * filled + "·" * (cells - filled)


def _title(standing: Standing) -> str:
    names = standing.names
    run = names[0] if len(names) == 1 else f"{names[0]} … {names[-1]} ({len(names)} runs)"
    tasks = "1 task" if len(standing.moduli) == 1 else f"{len(standing.moduli)} tasks"
    return f"{run}: {standing.task}, p = {standing.base}, {tasks}"
