"""Trackers beside a run that trains, and trackers fed from a stored one."""

from collections.abc import Callable, Mapping, Sequence

from miiii.config.config import Config
from miiii.experiment.members import Member
from miiii.experiment.progress import Progress, Report
from miiii.experiment.run import Run
from miiii.tracking.protocol import Factory, TrackedRun, Tracker
from miiii.tracking.scalars import epoch_scalars

SPEED = "speed/epochs_per_second"
"""Beside a run's history: only known while it trains."""


class TrackedProgress:
    """Progress that tells trackers too.

    What a run has stored from before is handed on first, so that nothing is missing when a killed
    process had not written it, or when the run began without a tracker.

    Args:
        progress: shows the run on the screen.
        factories: make one tracker each per run.
    """

    def __init__(self, progress: Progress, factories: Sequence[Factory]) -> None:
        self._progress, self._factories = progress, factories
        self._followers: list[list[_Follower]] = []

    def started(self, members: Sequence[Member], done: int, epochs: int) -> None:
        """Training is about to begin."""
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
        """A chunk is done."""
        self._progress.advanced(report)
        for followers, rows in zip(self._followers, report.rows, strict=True):
            for follower in followers:
                follower.take(rows, report.epochs_per_second)

    def interrupted(self, members: Sequence[Member], done: int) -> None:
        """Training was interrupted."""
        self._progress.interrupted(members, done)

    def warned(self, message: str) -> None:
        """Something that stops nothing."""
        self._progress.warned(message)

    def ended(self, state: str) -> None:
        """The run is over, or was left."""
        for follower in (one for own in self._followers for one in own):
            follower.end(state)


def track_stored(run: Run, make: Factory, warn: Callable[[str], None]) -> int:
    """Hand a stored run's history to a tracker; epochs that it has are not handed over again.

    Args:
        run: it may still be training.
        make: makes the tracker.
        warn: told what went wrong, on one line.

    Returns:
        How many epochs were handed over.
    """
    rows = run.directory.history()
    last = int(rows["epoch"][-1]) if rows else 0
    follower = _Follower(make, TrackedRun(run.name, run.path, run.config, last), warn)
    follower.take(rows)
    follower.end(str(run.status.get("state", "")))
    return follower.count


class _Follower:
    """One tracker of one run; it is let go at its first exception."""

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
            self._let_go(error)

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
                    extra = {} if not speed else {SPEED: speed}
                    self._tracker.logged(epoch, scalars | extra)
                    self._last = epoch
                    self.count += 1
        except Exception as error:
            self._let_go(error)

    def end(self, state: str) -> None:
        if self._tracker is None:
            return
        try:
            self._tracker.ended(state)
        except Exception as error:
            self._let_go(error)

    def _let_go(self, error: Exception) -> None:
        self._tracker = None
        text = " ".join(str(error).split()) or type(error).__name__
        self._warn(f"run {self._run.name} is no longer tracked: {text}")


def _names(config: Config) -> tuple[list[str], list[str]]:
    """Of the tasks, and of the weights whose gradients are measured."""
    tasks = config.task.task_moduli
    names = [config.task.task] if config.task.is_regression else [str(modulus) for modulus in tasks]
    return names, list(config.model.weight_names)
