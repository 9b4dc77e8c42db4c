"""Trackers of a run that trains, and trackers of a stored run."""

from collections.abc import Callable, Mapping, Sequence
from itertools import chain

from miiii.config.config import Config
from miiii.experiment.members import Member
from miiii.experiment.progress import Progress, Report
from miiii.experiment.run import Run
from miiii.tracking.protocol import Factory, TrackedRun, Tracker
from miiii.tracking.scalars import epoch_scalars

SPEED = "speed/epochs_per_second"
"""Not part of a run's history: it is measured only while the run trains."""


class TrackedProgress:
    """Progress on the screen, passed on to trackers.

    A run's stored history is handed over first, so that no epoch is missing when a killed process
    had not tracked it, or when the run began without a tracker.

    Args:
        progress: shows the run on the screen.
        factories: each makes one tracker per run.
    """

    def __init__(self, progress: Progress, factories: Sequence[Factory]) -> None:
        self._progress, self._factories = progress, factories
        self._followers: list[list[_Follower]] = []

    def started(self, members: Sequence[Member], done: int, epochs: int) -> None:
        """Start the trackers and hand them each run's stored history."""
        self._progress.started(members, done, epochs)
        for member in members:
            own: list[_Follower] = []
            if member.present:
                path = member.directory.path
                run = TrackedRun(member.directory.name, path, member.config, done)
                own = [_Follower(make, run, self.warned) for make in self._factories]
                rows = member.directory.history(done) if done else {}
                for follower in own:
                    follower.take(rows)
            self._followers.append(own)

    def advanced(self, report: Report) -> None:
        """Hand over the rows of a chunk of epochs."""
        self._progress.advanced(report)
        for followers, rows in zip(self._followers, report.rows, strict=True):
            for follower in followers:
                follower.take(rows, report.epochs_per_second)

    def interrupted(self, members: Sequence[Member], done: int) -> None:
        """Show that training was interrupted."""
        self._progress.interrupted(members, done)

    def warned(self, message: str) -> None:
        """Show a warning."""
        self._progress.warned(message)

    def ended(self, state: str) -> None:
        """End the trackers: the run has ended or was interrupted."""
        for follower in chain.from_iterable(self._followers):
            follower.end(state)


def track_stored(run: Run, make: Factory, warn: Callable[[str], None]) -> int:
    """Hand a stored run's history to a tracker, except for epochs that the tracker already has.

    Args:
        run: it may still be training.
        make: makes the tracker.
        warn: receives an error as one line.

    Returns:
        Number of epochs that were handed over.
    """
    rows = run.directory.history()
    last = int(rows["epoch"][-1]) if rows else 0
    follower = _Follower(make, TrackedRun(run.name, run.path, run.config, last), warn)
    follower.take(rows)
    follower.end(str(run.status.get("state", "")))
    return follower.count


class _Follower:
    """One tracker of one run; its first exception ends the tracking."""

    def __init__(self, make: Factory, run: TrackedRun, warn: Callable[[str], None]) -> None:
        self.count = 0
        self._run, self._warn = run, warn
        self._tasks, self._weights = _names(run.config)
        self._tracker: Tracker | None = None
        self._last = 0
        try:
            self._tracker = make()
            self._last = int(self._tracker.started(run))
        except Exception as error:
            self._drop(error)

    def take(self, rows: Mapping, speed: float | None = None) -> None:
        if self._tracker is None:
            return
        config = self._run.config
        try:
            for epoch, scalars in epoch_scalars(
                rows,
                self._tasks,
                self._weights,
                config.training.validate_every,
                regression=config.task.is_regression,
            ):
                if epoch > self._last:
                    extra = {SPEED: speed} if speed else {}
                    self._tracker.logged(epoch, scalars | extra)
                    self._last = epoch
                    self.count += 1
        except Exception as error:
            self._drop(error)

    def end(self, state: str) -> None:
        if self._tracker is None:
            return
        try:
            self._tracker.ended(state)
        except Exception as error:
            self._drop(error)

    def _drop(self, error: Exception) -> None:
        self._tracker = None
        text = " ".join(str(error).split()) or type(error).__name__
        self._warn(f"run {self._run.name} is no longer tracked: {text}")


def _names(config: Config) -> tuple[list[str], list[str]]:
    """Names of the tasks, and of the weights whose gradients are measured."""
    tasks = config.task.task_moduli
    names = [config.task.task] if config.task.is_regression else [str(modulus) for modulus in tasks]
    return names, list(config.model.weight_names)
