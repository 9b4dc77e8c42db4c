"""The state of a training batch: accuracies, and the epoch that first solved each task."""

import time
from collections.abc import Sequence

import numpy as np

from miiii.experiment.members import Member
from miiii.experiment.progress import Report
from miiii.runs.counts import examples_of
from miiii.runs.thresholds import SOLVED, reached


class Standing:
    """Follows accuracies, and the epoch that first solved each task.

    Args:
        members: the runs; their stored history up to `done` counts.
        done: epochs made before.
        epochs: epochs to make.
    """

    def __init__(self, members: Sequence[Member], done: int, epochs: int) -> None:
        self.names = [member.directory.name for member in members]
        task = members[0].config.task
        self.base, self.moduli, self.task = task.base, task.task_moduli, task.task
        self.labels = [task.task] if task.is_regression else [str(q) for q in task.task_moduli]
        self.validation_size = task.split_sizes[1]
        self.done, self.epochs = done, epochs
        self.epochs_per_second = 0.0
        self.began = time.monotonic()
        shape = (len(members), len(self.moduli))
        self.train = np.full(shape, np.nan)
        self.validation = np.full(shape, np.nan)
        self.solved = np.zeros(shape, dtype=np.int64)
        if done:
            for run, member in enumerate(members):
                if member.present:
                    self._take(run, member.directory.history(done))

    def advance(self, report: Report) -> None:
        """Take in a chunk."""
        self.done, self.epochs_per_second = report.done, report.epochs_per_second
        for run, rows in enumerate(report.rows):
            self._take(run, rows)

    def _take(self, run: int, rows: dict[str, np.ndarray]) -> None:
        if not len(rows.get("epoch", ())):
            return
        self.train[run] = rows["train_accuracy"][-1]
        accuracy = rows["validation_accuracy"]
        if not len(accuracy):
            return
        self.validation[run] = accuracy[-1]
        examples = examples_of(rows, "validation", self.validation_size)
        solved = reached(accuracy, SOLVED, examples[:, None])
        first = rows["validation_epoch"][solved.argmax(axis=0)]
        new = solved.any(axis=0) & (self.solved[run] == 0)
        self.solved[run] = np.where(new, first, self.solved[run])

    @property
    def seconds_left(self) -> float | None:
        """Seconds until the last epoch, at the speed of the last chunks."""
        if not self.epochs_per_second:
            return None
        return (self.epochs - self.done) / self.epochs_per_second

    @property
    def solved_now(self) -> float:
        """Tasks at or above the threshold now, on average over runs."""
        solved = reached(self.validation, SOLVED, self.validation_size)
        return float(solved.sum(axis=1).mean())

    def is_solved(self, column: int) -> bool:
        """Whether a task's accuracy over all runs together is at or above the threshold now."""
        accuracy = self.validation[:, column]
        return bool(reached(accuracy.mean(), SOLVED, self.validation_size * len(accuracy)))
