"""The progress of a study, read from the status files of its runs."""

import heapq
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from miiii.runs.listing import RunSummary, is_run, summarize
from miiii.runs.locking import is_locked
from miiii.studies.jobs import Job

Stage = Literal["waiting", "starting", "training", "finished", "failed", "interrupted"]

LOOK_SECONDS = 0.5
"""Seconds between two looks at the disk."""


@dataclass
class JobState:
    """The progress of one job; it changes as the job goes on."""

    job: Job
    expected: float
    """Seconds per epoch, as timed before."""
    done: int
    """Epochs made and saved."""
    stage: Stage = "waiting"
    accuracy: float | None = None
    """Validation accuracy, mean over tasks and runs."""
    solved: float | None = None
    """Tasks at or above `thresholds.SOLVED`, mean over runs."""
    before: Sequence[Any] = ()
    """Status records of its runs from before a worker took it."""
    first: tuple[int, float] | None = None
    """Epochs and time when it was first seen training."""
    last: tuple[int, float] | None = None
    """Epochs and time when it was last seen training."""

    @property
    def ended(self) -> bool:
        """Whether it has finished or failed."""
        return self.stage in ("finished", "failed")

    @property
    def expected_left(self) -> float:
        """Seconds until its last epoch, at the expected speed."""
        return 0.0 if self.ended else (self.job.epochs - self.done) * self.expected

    def look(self, found: Sequence[RunSummary]) -> bool:
        """Update it from the summaries of its existing runs; returns whether anything changed."""
        was, epochs = (self.stage, self.done, self.accuracy), self.job.epochs
        alive = [one for one in found if not (one.state == "failed" or one.is_over(epochs))]
        self.stage = self._stage(found, alive)
        if self.stage != "waiting":
            self.done = min(one.epoch or 0 for one in alive or found)
            self.accuracy = _mean([one.status.get("validation_accuracy") for one in found])
            solved = [one.status.get("solved") for one in found]
            self.solved = _mean([None if names is None else len(names) for names in solved])
        if self.stage == "training":
            self.last = self.done, float(alive[0].status.get("time", 0.0))
            self.first = self.first or self.last
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


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


class Tally:
    """Follows the jobs of a study.

    Args:
        runs_dir: the directory of their runs.
        jobs: each with its seconds per epoch.
        workers: jobs at once.
        done_before: runs of the study that had finished or failed before.
    """

    def __init__(
        self, runs_dir: Path, jobs: Sequence[tuple[Job, float]], workers: int, done_before: int = 0
    ) -> None:
        self.states = [JobState(job, seconds, job.done) for job, seconds in jobs]
        self.workers = workers
        self._runs_dir, self._done_before = runs_dir, done_before
        self._total = sum(state.expected_left for state in self.states)
        self._next = 0.0
        for state in self.states:
            state.before = [one.status for one in self._summaries(state.job)]

    def look(self, now: bool = False) -> list[JobState]:
        """Read the progress of the jobs from the disk; returns those that changed.

        Args:
            now: read even if the last look was less than `LOOK_SECONDS` ago.
        """
        if not now and time.monotonic() < self._next:
            return []
        left = [state for state in self.states if not state.ended]
        changed = [state for state in left if state.look(self._summaries(state.job))]
        self._next = time.monotonic() + LOOK_SECONDS
        return changed

    def _summaries(self, job: Job) -> list[RunSummary]:
        """Summaries of a job's runs that exist."""
        paths = [self._runs_dir / name for name in job.names]
        return [summarize(path) for path in paths if is_run(path)]

    @property
    def runs(self) -> int:
        """Runs of the whole study."""
        return self._done_before + sum(len(state.job.runs) for state in self.states)

    @property
    def ended(self) -> int:
        """Runs that have finished or failed."""
        over = [state for state in self.states if state.ended]
        return self._done_before + sum(len(state.job.runs) for state in over)

    @property
    def share(self) -> float:
        """Share of this call's work that is done, from 0 to 1, by expected time."""
        left = sum(state.expected_left for state in self.states)
        return 1 - left / self._total if self._total > 0 else 1.0

    @property
    def pace(self) -> float:
        """Measured time of an epoch relative to the expected one, over all training seen."""
        took = expected = 0.0
        for state in self.states:
            if state.first and state.last:
                took += state.last[1] - state.first[1]
                expected += (state.last[0] - state.first[0]) * state.expected
        return took / expected if took > 0 and expected > 0 else 1.0

    @property
    def seconds_left(self) -> float:
        """Seconds until the last job ends, without compilation."""
        waiting = [state for state in self.states if state.stage == "waiting"]
        left = [state.expected_left * self.pace for state in (*self.at_work, *waiting)]
        # Other processes may be at work on the same study.
        return makespan(left, max(self.workers, len(self.at_work)))

    @property
    def at_work(self) -> list[JobState]:
        """Jobs that have begun and not ended."""
        return [state for state in self.states if state.stage in ("starting", "training")]


def makespan(seconds: Sequence[float], workers: int) -> float:
    """Seconds until the last job ends, if each in order goes to the first of the free workers."""
    free = [0.0] * workers
    for each in seconds:
        heapq.heappush(free, heapq.heappop(free) + each)
    return max(free)
