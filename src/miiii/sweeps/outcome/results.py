"""What became of a sweep: its runs, how many are where, and who trains.

A run may have had several trials: one that was given back or whose worker vanished goes on in
another. Here everything is counted by run, and of a run's trials the last one that counts speaks
for it.
"""

from collections.abc import Iterable, Mapping, Sequence
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
    RELEASED,
    VANISHED,
    WHY,
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
    """Its directory's name."""
    number: int
    """Of the trial that speaks for it."""
    state: State
    params: Mapping[str, Value]
    """Setting to value; empty where none was chosen yet."""
    values: tuple[float, ...] | None
    """In the order of the objectives; None unless it is done."""
    epochs: int
    """Made so far."""
    budget: int
    """Epochs to make."""
    seconds: float | None
    """That its last attempt took, shared with those it was trained together with; None: not
    ended."""
    attempts: int
    """Trials that began."""
    problem: str
    """Why it failed, or was given up; empty: no reason to."""
    worker: str
    """Who trains it, host:process; empty: nobody, or no sign of life came yet."""
    accuracy: float | None = None
    """The last validation accuracy, mean over tasks; None: not known."""
    solved: int | None = None
    """Tasks that were solved at the end; None: not known."""
    ended: datetime | None = None
    """By the clock of the machine that trained it."""


@dataclass(frozen=True)
class WorkerRecord:
    """One worker that has trials."""

    worker: str
    """host:process; empty for trials that gave no sign of life yet."""
    runs: tuple[str, ...]
    epochs: tuple[int, ...]
    """Made so far, per run."""


@dataclass(frozen=True)
class SweepResults:
    """A sweep at one moment."""

    definition: "Definition"
    runs: tuple[RunRecord, ...]
    """In the order in which they were made."""

    @property
    def name(self) -> str:
        """The sweep's."""
        return self.definition.name

    @property
    def settings(self) -> tuple[str, ...]:
        """What runs differ in: the fields that are searched; of a study experiment and seed."""
        space = self.definition.space
        return (EXPERIMENT, SEED) if space is None else space.fields

    @property
    def counts(self) -> dict[State, int]:
        """Runs by state."""
        states = [run.state for run in self.runs]
        return {state: states.count(state) for state in STATES}

    @property
    def unfinished(self) -> int:
        """Runs that wait, are trained, or were not even made yet."""
        counts = self.counts
        missing = max(0, self.definition.trials - len(self.runs))
        return counts["waiting"] + counts["running"] + missing

    @property
    def done(self) -> tuple[RunRecord, ...]:
        """The runs that have values."""
        return tuple(run for run in self.runs if run.values is not None)

    @property
    def workers(self) -> tuple[WorkerRecord, ...]:
        """Who has trials, by name."""
        running = [run for run in self.runs if run.state == "running"]
        groups = {name: [run for run in running if run.worker == name] for name in _names(running)}
        return tuple(
            WorkerRecord(name, tuple(run.run for run in group), tuple(run.epochs for run in group))
            for name, group in groups.items()
        )

    @property
    def seconds_left(self) -> float | None:
        """Until all runs have ended at this rate, with the workers that there are.

        None where nothing is left, nobody works, or no run has ended yet to go by.
        """
        known = [run.seconds for run in self.runs if run.seconds and run.state == "done"]
        workers = sum(bool(worker.worker) for worker in self.workers)
        if not (known and workers and self.unfinished):
            return None
        begun = sum(run.epochs / run.budget for run in self.runs if run.state == "running")
        return max(0.0, self.unfinished - begun) * sum(known) / len(known) / workers


def read_results(sweep: "Sweep") -> SweepResults:
    """A sweep's runs as its storage has them now.

    Raises:
        StorageAwayError: the storage stays away.
    """
    definition = sweep.definition
    trials = sweep.storage.get_all_trials(sweep.study_id, deepcopy=False)
    budgets: dict[str, int] = {}
    if definition.study:
        with suppress(ValueError, RunError):  # A study that is not here: its runs may still train.
            plan = open_study(definition.study, Path()).plan
            budgets = {run.name: run.config.training.epochs for run in plan.runs}
    records = run_records(trials, definition.base.training.epochs, budgets)
    return SweepResults(definition, tuple(records))


def run_records(
    trials: Sequence[FrozenTrial], budget: int, budgets: Mapping[str, int] = MappingProxyType({})
) -> list[RunRecord]:
    """A record per run, in the order in which they were made.

    Args:
        trials: all of a sweep.
        budget: epochs of a run, unless they are searched.
        budgets: epochs of single runs, by name.
    """
    attempts: dict[str, list[FrozenTrial]] = {}
    for trial in trials:
        # Of two successors one is no attempt: it never trained.
        if trial.user_attrs.get(WHY) != DUPLICATE:
            attempts.setdefault(run_of(trial), []).append(trial)
    return [_record(run, own, budgets.get(run, budget)) for run, own in attempts.items()]


def _record(run: str, trials: Sequence[FrozenTrial], budget: int) -> RunRecord:
    last = _speaker(trials)
    outcome: dict[str, Any] = last.user_attrs.get(OUTCOME, {})
    life: dict[str, Any] = last.system_attrs.get(LIFE, {})
    why = last.user_attrs.get(WHY, "")
    state = _STATES[last.state]
    if state == "failed" and why in (RELEASED, VANISHED):
        state, why = "waiting", ""  # Its successor is about to be made.
    # Of a run that is to go on, as many as the attempts before it told of.
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
        problem=why or ("failed without a reason" if state == "failed" else ""),
        worker=life.get("worker", "") if state == "running" else "",
        accuracy=outcome.get("accuracy"),
        solved=outcome.get("solved"),
        ended=last.datetime_complete if last.state.is_finished() else None,
    )


def _speaker(trials: Sequence[FrozenTrial]) -> FrozenTrial:
    """The end of the chain of successors; where one has two, the first of them counts."""
    successor: dict[int, FrozenTrial] = {}
    for trial in sorted(trials, key=lambda each: each.number):
        before = trial.user_attrs.get(CONTINUES)
        if before is not None:
            successor.setdefault(before, trial)
    last = min(trials, key=lambda each: each.number)
    while last.number in successor:
        last = successor[last.number]
    return last


def _names(runs: Iterable[RunRecord]) -> list[str]:
    return sorted({run.worker for run in runs})
