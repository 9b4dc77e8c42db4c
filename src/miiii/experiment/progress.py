"""The protocol by which training reports its progress, and the line that a notebook shows."""

import sys
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from miiii.experiment.members import Member
from miiii.runs.errors import RunWarning
from miiii.runs.text import clock, percent

DRAW_SECONDS = 0.5
"""Seconds between two states of a notebook's line."""


@dataclass(frozen=True)
class Report:
    """The progress of a batch after a chunk."""

    done: int
    """Epochs made."""
    epochs: int
    """Epochs to make."""
    epochs_per_second: float
    """Mean over the last chunks; of each run, not their sum."""
    rows: tuple[dict[str, np.ndarray], ...]
    """Per run the chunk's history, as in `training.chunk.history_rows`."""


class Progress(Protocol):
    """Receives the events of training. Its own methods do nothing."""

    def started(self, members: Sequence[Member], done: int, epochs: int) -> None:
        """Training is about to begin after `done` epochs (compilation comes first)."""

    def advanced(self, report: Report) -> None:
        """A chunk is done."""

    def interrupted(self, members: Sequence[Member], done: int) -> None:
        """Training was interrupted, and is saved as it was after `done` epochs."""

    def warned(self, message: str) -> None:
        """A warning for the user; training goes on."""


class Silent(Progress):
    """Progress that shows nothing."""


class Warnings(Silent):
    """Progress that shows only warnings, as Python's, for scripts."""

    def warned(self, message: str) -> None:
        """Warn at the line that called `start` or `resume`."""
        warnings.warn(message, RunWarning, stacklevel=3)


class NotebookLine:
    """One line below the cell that changes while it trains.

    Args:
        display: IPython's function, which returns a handle if it is given an id.
    """

    def __init__(self, display: Any) -> None:
        self._display, self._handle = display, None
        self._title, self._drawn = "", 0.0

    def started(self, members: Sequence[Member], done: int, epochs: int) -> None:
        """Show the line."""
        names = [member.directory.name for member in members]
        self._title = names[0] if len(names) == 1 else f"{names[0]} … {names[-1]}"
        where = f"from epoch {done:,} " if done else ""
        self._show(f"{self._title}: {where}to {epochs:,}; compiling …")

    def advanced(self, report: Report) -> None:
        """Change the line, at most twice a second."""
        now = time.monotonic()
        if now - self._drawn < DRAW_SECONDS and report.done < report.epochs:
            return
        self._drawn = now
        left = (report.epochs - report.done) / max(report.epochs_per_second, 1e-9)
        latest = [rows["validation_accuracy"][-1].mean() for rows in report.rows
                  if len(rows["validation_accuracy"])]  # fmt: skip
        validation = f", validation {percent(np.mean(latest))}" if latest else ""
        self._show(
            f"{self._title}: epoch {report.done:,} of {report.epochs:,}, "
            f"{report.epochs_per_second:,.0f} epochs/s, {clock(left)} left{validation}"
        )

    def interrupted(self, members: Sequence[Member], done: int) -> None:
        """Show that training was interrupted, what is saved, and how to go on."""
        path = str(members[0].directory.path)
        saved = f"saved at epoch {done:,}" if done else "nothing was trained yet"
        self._show(f"{self._title}: interrupted, {saved}; go on with miiii.resume({path!r})")

    def warned(self, message: str) -> None:
        """Show a warning in a separate line."""
        self._display({"text/plain": f"warning: {message}"}, raw=True)

    def _show(self, text: str) -> None:
        bundle = {"text/plain": text}
        if self._handle is None:
            self._handle = self._display(bundle, raw=True, display_id=True)
        else:
            self._handle.update(bundle, raw=True)


def default_progress() -> Progress:
    """A changing line in a notebook, only warnings elsewhere."""
    shell = sys.modules.get("IPython")
    if shell is None or getattr(shell.get_ipython(), "kernel", None) is None:
        return Warnings()
    from IPython.display import display

    return NotebookLine(display)
