"""How far a study is: what the jobs tell, added up."""

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from miiii.studies.jobs import Job

Stage = Literal["waiting", "starting", "training", "finished", "failed", "interrupted"]


WARM_SHARE = 0.1
"""Of a run's epochs, after which its own speed alone counts: the first chunks say little."""


@dataclass
class JobState:
    """One job's part of a tally; it changes as the job goes on."""

    job: Job
    expected: float
    """Seconds per epoch, as timed before."""
    done: int
    """Epochs made."""
    stage: Stage = "waiting"
    pace: float = 1.0
    """How many times as long as expected an epoch takes, by the last chunks."""
    trust: float = 0.0
    """How much that says, from 0 to 1."""
    accuracy: float | None = None
    """Validation accuracy, mean over tasks and runs."""
    solved: float | None = None
    """Tasks at or above `thresholds.SOLVED`, mean over runs."""

    @property
    def ended(self) -> bool:
        """Whether it needs nothing any more."""
        return self.stage in ("finished", "failed")

    @property
    def expected_left(self) -> float:
        """Seconds until its last epoch, at the expected speed."""
        return 0.0 if self.ended else (self.job.epochs - self.done) * self.expected

    def advance(self, done: int, epochs_per_second: float) -> None:
        """Take in a chunk."""
        warm = WARM_SHARE * (self.job.epochs - self.job.done)
        self.stage, self.done = "training", done
        self.pace = 1 / max(epochs_per_second * self.expected, 1e-9)
        self.trust = min(1.0, (done - self.job.done) / max(warm, 1.0))


class Tally:
    """Follows the jobs of a study.

    Args:
        jobs: with the seconds that an epoch of each takes.
        workers: jobs at once.
        done_before: runs of the study that needed nothing any more.
    """

    def __init__(
        self, jobs: Sequence[tuple[Job, float]], workers: int, done_before: int = 0
    ) -> None:
        self.states = [JobState(job, seconds, job.done) for job, seconds in jobs]
        self.workers = workers
        self._done_before = done_before
        self._total = sum(state.expected_left for state in self.states)

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
        return makespan(left, self.workers)

    @property
    def at_work(self) -> list[JobState]:
        """Jobs that have begun and not ended."""
        return [state for state in self.states if state.stage in ("starting", "training")]

    def take(self, number: int, message: Mapping[str, Any]) -> JobState:
        """Take in what is told of a job; returns the job's state."""
        state = self.states[number]
        event = message["event"]
        if event == "started":
            state.stage, state.done = "starting", message["done"]
        elif event == "advanced":
            state.advance(message["done"], message["epochs_per_second"])
            for name in ("accuracy", "solved"):
                if name in message:
                    setattr(state, name, sum(message[name]) / len(message[name]))
        elif event == "ended":
            state.stage, state.done = message["state"], message["done"]
        return state


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
