"""A sweep's runs, their states, and its workers.

A run can have several trials, because a trial that was given back, or whose worker vanished, has a
successor. Everything here is counted by run; a run's state is that of its last trial that counts.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, get_args

from optuna.trial import FrozenTrial, TrialState

from miiii.runs.errors import RunError
from miiii.studies.study import open_study
from miiii.sweeps.queue.attempts import (
    CONTINUES,
    DUPLICATE,
    LIFE,
    OUTCOME,
    REASON,
    RELEASED,
    VANISHED,
    run_of,
)
from miiii.sweeps.search.sampling import EXPERIMENT, SEED
from miiii.sweeps.search.spaces import Value

if TYPE_CHECKING:
    from miiii.sweeps.queue.sweep import Sweep
    from miiii.sweeps.search.definition import Definition

State = Literal["done", "running", "waiting", "given up", "failed"]
STATES: tuple[State, ...] = get_args(State)

_STATES: dict[TrialState, State] = {
    TrialState.WAITING: "waiting",
    TrialState.RUNNING: "running",
    TrialState.COMPLETE: "done",
    TrialState.PRUNED: "given up",
    TrialState.FAIL: "failed",
}


@dataclass(frozen=True)
class RunRecord:
    """One run of a sweep."""

    run: str
    """Name of the run's directory."""
    number: int
    """Number of the run's last trial that counts."""
    state: State
    params: Mapping[str, Value]
    """Value of each setting; empty if they are not chosen yet."""
    values: tuple[float, ...] | None
    """Value of each objective; None unless the run is done."""
    epochs: int
    """Epochs trained so far."""
    budget: int
    """Epochs in the run's settings."""
    seconds: float | None
    """Duration of the last attempt, divided by the runs in its batch; None: it has not ended."""
    attempts: int
    """Number of trials that began."""
    problem: str
    """Why the run failed or was given up; empty for other runs."""
    worker: str
    """The worker that trains the run, host:process; empty if there is no sign of life."""
    accuracy: float | None = None
    """The last validation accuracy, mean over tasks; None: unknown."""
    solved: int | None = None
    """Number of tasks that were solved at the end; None: unknown."""
    ended: datetime | None = None
    """End of training by the clock of the machine that trained the run."""


@dataclass(frozen=True)
class WorkerRecord:
    """One worker that holds trials."""

    worker: str
    """host:process; empty for trials without a sign of life."""
    runs: tuple[str, ...]
    epochs: tuple[int, ...]
    """Epochs trained so far, for each run."""


@dataclass(frozen=True)
class SweepResults:
    """A sweep's runs at one moment."""

    definition: "Definition"
    runs: tuple[RunRecord, ...]
    """The runs in the order in which they were made."""

    @property
    def name(self) -> str:
        """The sweep's name."""
        return self.definition.name

    @property
    def settings(self) -> tuple[str, ...]:
        """The settings in which runs differ: searched fields, or a study's experiment and seed."""
        space = self.definition.space
        return (EXPERIMENT, SEED) if space is None else space.fields

    @property
    def counts(self) -> dict[State, int]:
        """Number of runs by state."""
        states = [run.state for run in self.runs]
        return {state: states.count(state) for state in STATES}

    @property
    def unfinished(self) -> int:
        """Number of runs that are waiting, running or not made yet."""
        counts = self.counts
        missing = max(0, self.definition.trials - len(self.runs))
        return counts["waiting"] + counts["running"] + missing

    @property
    def done(self) -> tuple[RunRecord, ...]:
        """The runs that have values."""
        return tuple(run for run in self.runs if run.values is not None)

    @property
    def workers(self) -> tuple[WorkerRecord, ...]:
        """The workers that hold trials, sorted by name."""
        running = [run for run in self.runs if run.state == "running"]
        names = sorted({run.worker for run in running})
        groups = {name: [run for run in running if run.worker == name] for name in names}
        return tuple(
            WorkerRecord(name, tuple(run.run for run in group), tuple(run.epochs for run in group))
            for name, group in groups.items()
        )

    @property
    def seconds_left(self) -> float | None:
        """Estimated time until all runs have ended, with the present workers.

        None if no run is left, no worker is active, or no run has ended yet.
        """
        known = [run.seconds for run in self.runs if run.seconds and run.state == "done"]
        workers = sum(bool(worker.worker) for worker in self.workers)
        if not (known and workers and self.unfinished):
            return None
        begun = sum(run.epochs / run.budget for run in self.runs if run.state == "running")
        return max(0.0, self.unfinished - begun) * sum(known) / len(known) / workers


def read_results(sweep: "Sweep") -> SweepResults:
    """Read a sweep's runs from its storage.

    Raises:
        StorageAwayError: the storage does not answer for too long.
    """
    definition = sweep.definition
    budget = definition.base.training.epochs
    budgets: dict[str, int] = {}
    if definition.study:
        with suppress(ValueError, RunError):  # The study may be on another machine only.
            plan = open_study(definition.study, Path()).plan
            budgets = {run.name: run.config.training.epochs for run in plan.runs}
    attempts: dict[str, list[FrozenTrial]] = {}
    for trial in sweep.storage.get_all_trials(sweep.study_id, deepcopy=False):
        # A second successor never trained, so it is no attempt.
        if trial.user_attrs.get(REASON) != DUPLICATE:
            attempts.setdefault(run_of(trial), []).append(trial)
    records = [_record(run, own, budgets.get(run, budget)) for run, own in attempts.items()]
    return SweepResults(definition, tuple(records))


def _record(run: str, trials: Sequence[FrozenTrial], budget: int) -> RunRecord:
    last = _last_counting(trials)
    outcome: dict[str, Any] = last.user_attrs.get(OUTCOME, {})
    life: dict[str, Any] = last.system_attrs.get(LIFE, {})
    reason = last.user_attrs.get(REASON, "")
    state = _STATES[last.state]
    if state == "failed" and reason in (RELEASED, VANISHED):
        state, reason = "waiting", ""  # Its successor is not made yet.
    # A waiting run has the epochs of its earlier attempts.
    lives = [trial.system_attrs.get(LIFE, {}).get("epoch", 0) for trial in trials]
    return RunRecord(
        run=run,
        number=last.number,
        state=state,
        params=MappingProxyType(dict(last.params)),
        values=tuple(last.values) if state == "done" else None,
        epochs=int(outcome.get("epochs") or life.get("epoch") or max(lives)),
        budget=int(last.params.get("epochs", budget)),
        seconds=outcome.get("seconds"),
        attempts=sum(trial.state != TrialState.WAITING for trial in trials),
        problem=reason or ("failed without a reason" if state == "failed" else ""),
        worker=life.get("worker", "") if state == "running" else "",
        accuracy=outcome.get("accuracy"),
        solved=outcome.get("solved"),
        ended=last.datetime_complete if last.state.is_finished() else None,
    )


def _last_counting(trials: Sequence[FrozenTrial]) -> FrozenTrial:
    """The end of the chain of successors; of two successors of one trial, the first counts."""
    successor: dict[int, FrozenTrial] = {}
    for trial in sorted(trials, key=lambda each: each.number):
        before = trial.user_attrs.get(CONTINUES)
        if before is not None:
            successor.setdefault(before, trial)
    last = min(trials, key=lambda each: each.number)
    while last.number in successor:
        last = successor[last.number]
    return last
