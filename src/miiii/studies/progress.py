"""How far a study is, as its runs on the disk say: nobody tells it."""

import heapq
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from miiii.runs.listing import RunSummary, is_run, summarize
from miiii.runs.locking import is_locked
from miiii.studies.jobs import Job

Stage = Literal["waiting", "starting", "training", "finished", "failed", "interrupted"]

LOOK_SECONDS = 0.5
"""Between two looks at the disk."""
WARM_SHARE = 0.1
"""Of a run's epochs, after which its own speed alone counts: the first chunks say little."""


@dataclass
class JobState:
    """How one job stands; it changes as the job goes on."""

    job: Job
    expected: float
    """Seconds per epoch, as timed before."""
    done: int
    """Epochs made and saved."""
    stage: Stage = "waiting"
    pace: float = 1.0
    """How many times as long as expected an epoch takes, since training was first seen."""
    trust: float = 0.0
    """How much that says, from 0 to 1."""
    accuracy: float | None = None
    """Validation accuracy, mean over tasks and runs."""
    solved: float | None = None
    """Tasks at or above `thresholds.SOLVED`, mean over runs."""
    before: Sequence[Any] = ()
    """What its runs said of themselves at the beginning."""
    _seen: tuple[int, float] | None = None
    """Epochs and time when training was first seen."""

    @property
    def ended(self) -> bool:
        """Whether it needs nothing any more."""
        return self.stage in ("finished", "failed")

    @property
    def expected_left(self) -> float:
        """Seconds until its last epoch, at the expected speed."""
        return 0.0 if self.ended else (self.job.epochs - self.done) * self.expected

    def look(self, found: Sequence[RunSummary]) -> bool:
        """Take in how its runs stand, those that are there; returns whether anything changed."""
        was = (self.stage, self.done, self.accuracy)
        epochs = self.job.epochs
        alive = [one for one in found if not (one.state == "failed" or one.is_over(epochs))]
        self.stage = self._stage(found, alive)
        if self.stage != "waiting":
            self.done = min(one.epoch or 0 for one in alive or found)
            if self.stage == "training":
                self._advance(alive[0].status.get("time"))
            for name in ("accuracy", "solved"):
                setattr(self, name, _mean([_said(one)[name] for one in found]))
        return was != (self.stage, self.done, self.accuracy)

    def _stage(self, found: Sequence[RunSummary], alive: Sequence[RunSummary]) -> Stage:
        if not alive:
            if len(found) < len(self.job.runs):
                return "waiting"
            return "failed" if any(one.state == "failed" for one in found) else "finished"
        new = alive[0].status not in self.before
        if is_locked(alive[0].path):
            return "training" if new and alive[0].state != "created" else "starting"
        return "interrupted" if new and alive[0].state == "interrupted" else "waiting"

    def _advance(self, now: Any) -> None:
        if not isinstance(now, int | float):
            return
        done, began = self._seen = self._seen or (self.done, now)
        if self.done > done and now > began:
            warm = WARM_SHARE * (self.job.epochs - self.job.done)
            self.pace = (now - began) / (self.done - done) / max(self.expected, 1e-9)
            self.trust = min(1.0, (self.done - done) / max(warm, 1.0))


def _said(one: RunSummary) -> dict[str, float | None]:
    """What a run's status says of its last validation."""
    accuracy, solved = one.status.get("validation_accuracy"), one.status.get("solved")
    return {"accuracy": accuracy, "solved": None if solved is None else len(solved)}


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


class Tally:
    """Follows the jobs of a study.

    Args:
        runs_dir: where their runs are.
        jobs: with the seconds that an epoch of each takes.
        workers: jobs at once.
        done_before: runs of the study that needed nothing any more.
    """

    def __init__(
        self,
        runs_dir: Path,
        jobs: Sequence[tuple[Job, float]],
        workers: int,
        done_before: int = 0,
    ) -> None:
        self.states = [JobState(job, seconds, job.done) for job, seconds in jobs]
        self.workers = workers
        self._runs_dir, self._done_before = runs_dir, done_before
        self._total = sum(state.expected_left for state in self.states)
        self._next = 0.0
        for state in self.states:
            state.before = [one.status for one in self._summaries(state.job)]

    def look(self, now: bool = False) -> list[JobState]:
        """Read how the jobs stand; returns those that changed.

        Args:
            now: even if that was read a moment ago.
        """
        if not now and time.monotonic() < self._next:
            return []
        left = [state for state in self.states if not state.ended]
        changed = [state for state in left if state.look(self._summaries(state.job))]
        self._next = time.monotonic() + LOOK_SECONDS
        return changed

    def _summaries(self, job: Job) -> list[RunSummary]:
        """How those of its runs stand that are there."""
        paths = [self._runs_dir / name for name in job.names]
        return [summarize(path) for path in paths if is_run(path)]

    @property
    def runs(self) -> int:
        """Runs of the whole study."""
        return self._done_before + sum(len(state.job.runs) for state in self.states)

    @property
    def ended(self) -> int:
        """Runs that need nothing any more."""
        over = [state for state in self.states if state.ended]
        return self._done_before + sum(len(state.job.runs) for state in over)

    @property
    def share(self) -> float:
        """Of this call's work that is done, from 0 to 1, by expected time."""
        left = sum(state.expected_left for state in self.states)
        return 1 - left / self._total if self._total > 0 else 1.0

    @property
    def pace(self) -> float:
        """How many times as long as expected an epoch takes, over all jobs that have begun."""
        trust = sum(state.trust for state in self.states)
        return sum(state.trust * state.pace for state in self.states) / trust if trust else 1.0

    @property
    def seconds_left(self) -> float:
        """Until the last job ends, compilation not counted."""
        waiting = [state for state in self.states if state.stage == "waiting"]
        usual = self.pace
        left = [
            state.expected_left * (usual + state.trust * (state.pace - usual))
            for state in (*self.at_work, *waiting)
        ]
        # Other processes may be at work on the same study.
        return makespan(left, max(self.workers, len(self.at_work)))

    @property
    def at_work(self) -> list[JobState]:
        """Jobs that have begun and not ended."""
        return [state for state in self.states if state.stage in ("starting", "training")]


class StudyProgress(Protocol):
    """How a study reaches the screen."""

    def began(self, tally: Tally) -> None:
        """Work is about to begin."""

    def changed(self, tally: Tally, state: JobState) -> None:
        """A job began, came further or ended."""

    def warned(self, message: str) -> None:
        """Something that the user should know and that stops nothing."""


class Unseen:
    """Progress that shows nothing."""

    def began(self, tally: Tally) -> None:
        """Nothing."""

    def changed(self, tally: Tally, state: JobState) -> None:
        """Nothing."""

    def warned(self, message: str) -> None:
        """Nothing."""


def makespan(seconds: Sequence[float], workers: int) -> float:
    """When the last of some jobs ends, each begun, in order, by the first worker that is free.

    Args:
        seconds: of each job.
        workers: at least 1.
    """
    free = [0.0] * workers
    for each in seconds:
        heapq.heappush(free, heapq.heappop(free) + each)
    return max(free)
