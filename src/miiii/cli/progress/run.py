"""Progress on stderr: a live panel in a terminal, one plain line per interval elsewhere."""

import sys
import time
from collections.abc import Sequence
from types import TracebackType

import numpy as np
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from miiii.cli.console import live_console
from miiii.cli.progress.standing import Standing
from miiii.cli.text import clock, percent
from miiii.experiment.members import Member
from miiii.experiment.progress import Report

PLAIN_SECONDS = 10.0
MOST_TASKS = 30
"""Tasks that a plain line names."""
STOPPING = "stopping: saving first (once more: quit at once)"


class PlainProgress:
    """One line per interval, for logs and pipes."""

    def __init__(self, seconds: float = PLAIN_SECONDS) -> None:
        self.standing: Standing | None = None
        self._seconds, self._printed = seconds, 0.0

    def __enter__(self) -> "PlainProgress":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.standing is not None and self._printed < self.standing.done:
            self._print()

    def started(self, members: Sequence[Member], done: int, epochs: int) -> None:
        """Say what is about to train."""
        self.standing = Standing(members, done, epochs)
        where = f"from epoch {done:,} " if done else ""
        print(
            f"{_title(self.standing)}: {where}to {epochs:,}; compiling", file=sys.stderr, flush=True
        )
        self._next = time.monotonic()

    def advanced(self, report: Report) -> None:
        """Print a line if the interval is over."""
        assert self.standing is not None
        self.standing.advance(report)
        if time.monotonic() >= self._next:
            self._print()
            self._next = time.monotonic() + self._seconds

    def stopping(self) -> None:
        """Say that a signal was heard."""
        print(STOPPING, file=sys.stderr, flush=True)

    def warned(self, message: str) -> None:
        """Print a warning."""
        print(f"warning: {message}", file=sys.stderr, flush=True)

    def _print(self) -> None:
        standing = self.standing
        assert standing is not None
        self._printed = standing.done
        print(
            f"epoch {standing.done:,}/{standing.epochs:,}  "
            f"{standing.epochs_per_second:.1f} epochs/s  ETA {clock(standing.seconds_left)}  "
            f"train {percent(standing.train.mean())}  "
            f"validation {percent(standing.validation.mean())}  "
            f"solved {standing.solved_now:g}/{len(standing.moduli)}  "
            f"[{_plain_tasks(standing.labels, standing.validation.mean(axis=0))}]",
            file=sys.stderr,
            flush=True,
        )


def _plain_tasks(labels: Sequence[str], accuracy: np.ndarray) -> str:
    """Every task's accuracy; of many tasks the lowest, in the tasks' order."""
    chosen = np.sort(np.argsort(accuracy, kind="stable")[:MOST_TASKS])
    named = " ".join(f"{labels[place]}:{percent(float(accuracy[place]))[:-2]}" for place in chosen)
    if len(labels) <= MOST_TASKS:
        return named
    return f"lowest {MOST_TASKS} of {len(labels)}: {named}"


class PanelProgress:
    """A live panel: speed, ETA, means, and every task with the epoch that solved it."""

    def __init__(self, console: Console) -> None:
        self.standing: Standing | None = None
        self._console = console
        self._live = Live(console=console, auto_refresh=False, transient=False)
        self._stopping = False

    def __enter__(self) -> "PanelProgress":
        self._live.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.__exit__(kind, error, trace)

    def started(self, members: Sequence[Member], done: int, epochs: int) -> None:
        """Draw the empty panel."""
        self.standing = Standing(members, done, epochs)
        self._draw()

    def advanced(self, report: Report) -> None:
        """Redraw."""
        assert self.standing is not None
        self.standing.advance(report)
        self._draw()

    def stopping(self) -> None:
        """Say that a signal was heard, with the next chunk (a handler must not draw)."""
        self._stopping = True

    def warned(self, message: str) -> None:
        """Print a warning above the panel."""
        self._console.print(Text(f"warning: {message}", style="yellow"))

    def _draw(self) -> None:
        assert self.standing is not None
        panel = render_panel(self.standing, self._console.width, stopping=self._stopping)
        self._live.update(panel, refresh=True)


def render_panel(standing: Standing, width: int, *, stopping: bool = False) -> Panel:
    """The panel as it stands.

    That it stops comes first: a terminal shows the head of what is too long for it.
    """
    head = Table.grid(padding=(0, 2))
    running = standing.epochs_per_second > 0
    elapsed = clock(time.monotonic() - standing.began)
    head.add_row(
        f"epoch {standing.done:,} / {standing.epochs:,}",
        f"{standing.epochs_per_second:.1f} epochs/s" if running else "compiling …",
        f"ETA {clock(standing.seconds_left)}",
        f"elapsed {elapsed}",
    )
    means = Table.grid(padding=(0, 2))
    means.add_row(
        f"train {percent(standing.train.mean())}",
        Text(f"validation {percent(standing.validation.mean())}", style="bold"),
        f"solved {standing.solved_now:g} / {len(standing.moduli)}",
        Text("(training measured with dropout on)", style="dim"),
    )
    bar = Table.grid()  # a bar of its own ends without a line break
    bar.add_row(ProgressBar(standing.epochs, standing.done, width=max(20, width - 4)))
    parts: list[RenderableType] = [head, bar, means, _tasks(standing, width)]
    if stopping:
        parts.insert(0, Text(STOPPING, style="yellow"))
    if len(standing.names) > 1:
        parts.append(_runs(standing, width))
    return Panel(Group(*parts), title=_title(standing), title_align="left", padding=(0, 1))


def _tasks(standing: Standing, width: int) -> Table:
    """Every task: modulus, bar, accuracy (mean over runs), and when it was first solved."""
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
        grid.add_row(*(cells[index] for index in range(row, len(cells), rows)))
    return grid


def _runs(standing: Standing, width: int) -> Text:
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


def make_progress() -> PlainProgress | PanelProgress:
    """The panel where stderr is a terminal, plain lines elsewhere."""
    console = live_console()
    return PlainProgress() if console is None else PanelProgress(console)
