"""The queue that gives a sweep's trials to workers. Any number of workers can use it at once.

An Optuna trial is one attempt at one run. Optuna changes a trial's state in one atomic step in
every storage: if several workers try, only one takes a waiting trial, and only one ends a running
trial. The queue relies on this:

- All trials of a sweep are made, in the waiting state, when the sweep is made. Workers make new
  trials only as successors of failed ones.
- A worker writes a sign of life into each trial that it trains. Another worker that sees no new
  sign for `patience` seconds of its own clock, and finds the run's lock free, fails the trial. It
  then makes a successor: a waiting trial with the same settings and the same run directory, which
  resumes from the checkpoint. A worker that must stop does the same with its trials.
- A worker whose trial was taken over finds the trial failed, and its result is not recorded.
- If a worker dies between failing a trial and making the successor, another worker makes it. If two
  successors are made, the one with the smaller number counts; the worker that takes the other fails
  it.
- Runs that trained as one batch are resumed as one batch: the worker that takes the batch's first
  trial also takes the others.
"""

import os
import random
import socket
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState, create_trial

from miiii.runs.listing import is_run
from miiii.runs.locking import lock_state, unsure_text
from miiii.sweeps.private_names import id_of
from miiii.sweeps.queue.attempts import (
    BATCH,
    CONTINUES,
    DUPLICATE,
    LIFE,
    LOST,
    OUTCOME,
    REASON,
    RELEASED,
    RUN,
    VANISHED,
    Held,
    run_of,
)
from miiii.sweeps.queue.storage import PatientStorage

MOST_LOST = 3
"""Number of vanished workers after which a run is not tried again: the run may be the cause."""
SPREAD = 64
"""Number of waiting trials that a worker reads. It tries them in random order, so that workers
rarely try the same one."""


class Queue:
    """A sweep's trials, and those that this worker holds.

    Args:
        storage: the sweep's storage.
        study_id: number of the sweep's study in the storage.
        runs_dir: the directory of the runs, for their locks.
        patience: seconds without a sign of life after which a trial is taken over.
        made: number of trials that were made with the sweep; trials with smaller numbers continue
            no other.
    """

    def __init__(
        self,
        storage: PatientStorage,
        study_id: int,
        runs_dir: Path,
        patience: float = 120.0,
        made: int = 0,
    ) -> None:
        self.storage = storage
        self.runs_dir = runs_dir
        self.patience = patience
        self.worker = f"{socket.gethostname()}:{os.getpid()}"
        self._study, self._made = study_id, made
        self._held: dict[int, Held] = {}
        # By trial number: the last sign of life, and when this process first saw it.
        self._signs: dict[int, tuple[Any, float]] = {}
        self._beats = 0
        self._unsure: dict[str, str] = {}

    # Taking

    def claim(
        self, most: int = 1, fits: Callable[[FrozenTrial, FrozenTrial], bool] | None = None
    ) -> list[Held]:
        """Take waiting trials.

        Args:
            most: number of trials to take.
            fits: whether a second trial may train in one batch with the first; default: always.

        Returns:
            At most `most` trials, or all trials of an earlier batch; empty if none is waiting.
        """
        taken: list[Held] = []
        first: FrozenTrial | None = None
        while len(taken) < most:
            # The latest trial comes first: successors are made after all other trials.
            waiting = self.storage.waiting(self._study, max(SPREAD, 4 * most))
            rest = waiting[1:]
            random.shuffle(rest)
            got = None
            for trial_id, number in [*waiting[:1], *rest]:
                trial = None
                if number >= self._made or (first is not None and fits is not None):
                    trial = self.storage.get_trial(trial_id)
                    if first is not None and fits is not None and not fits(first, trial):
                        continue
                if got := self._take(trial_id, trial):
                    taken.append(got)
                    if first is None and most > 1:
                        first = self.storage.get_trial(trial_id)
                    break
            if got is None:
                break
            if got.batch:
                return [*taken, *self._take_batch(got)]
        return taken

    def _take(
        self, trial_id: int, trial: FrozenTrial | None, *, with_batch: bool = False
    ) -> Held | None:
        """Take a trial; None if another worker has it, or it must not be trained now.

        Args:
            trial_id: the trial's number in the storage.
            trial: the trial; None if it was made with the sweep, which is read after it is taken.
            with_batch: whether the first trial of its batch is taken already.
        """
        batch: list[str] = trial.user_attrs.get(BATCH, []) if trial else []
        is_follower = trial is not None and len(batch) > 1 and run_of(trial) != batch[0]
        if is_follower and not with_batch and self._is_open(batch[0]):
            return None
        try:
            if not self.storage.set_trial_state_values(trial_id, TrialState.RUNNING):
                return None
        except UpdateFinishedTrialError:
            return None
        trial = trial or self.storage.get_trial(trial_id)
        if CONTINUES in trial.user_attrs and not self._stands(trial):
            self.end(id_of(trial), TrialState.FAIL, reason=DUPLICATE)
            return None
        held = Held(
            id_of(trial),
            trial.number,
            run_of(trial),
            dict(trial.params),
            trial.user_attrs.get(LOST, 0),
            tuple(batch) if len(batch) > 1 else (),
        )
        self._held[held.id] = held
        return held

    def _take_batch(self, first: Held) -> list[Held]:
        """Take the other trials of an earlier batch."""
        found = []
        for trial in self.storage.some(self._study, TrialState.WAITING):
            batch = tuple(trial.user_attrs.get(BATCH, ()))
            if run_of(trial) in first.batch and batch == first.batch:
                held = self._take(id_of(trial), trial, with_batch=True)
                found += [held] if held else []
        return found

    def _is_open(self, run: str) -> bool:
        """Whether a run's latest trial is waiting or running."""
        own = [trial for trial in self._trials() if run_of(trial) == run]
        return bool(own) and not own[-1].state.is_finished()

    def _stands(self, trial: FrozenTrial) -> bool:
        """Whether a successor is its predecessor's first one, and the predecessor has failed."""
        before = trial.user_attrs[CONTINUES]
        everything = self._trials()
        rivals = [each for each in everything if each.user_attrs.get(CONTINUES) == before]
        predecessor = next(each for each in everything if each.number == before)
        return rivals[0].number == trial.number and predecessor.state == TrialState.FAIL

    # Keeping

    def sample(self, held: Held, params: Mapping[str, Any]) -> Held:
        """Set the settings that a sampler chose for a trial that had none."""
        self._held[held.id] = replace(held, params=dict(params))
        return self._held[held.id]

    def together(self, group: Sequence[Held]) -> None:
        """Record that trials are trained as one batch, so that they can be resumed as one."""
        names = [held.run for held in group]
        for held in group:
            if list(held.batch) != names:
                self.storage.set_trial_user_attr(held.id, BATCH, names)

    def beat(self, epochs: Mapping[int, int] = {}) -> None:
        """Write a sign of life for every trial that this worker holds.

        Args:
            epochs: number of trained epochs, by trial number.
        """
        self._beats += 1
        for held in list(self._held.values()):
            sign = {"worker": self.worker, "beat": self._beats, "epoch": epochs.get(held.number, 0)}
            try:
                self.storage.set_trial_system_attr(held.id, LIFE, sign)
            except UpdateFinishedTrialError:
                continue  # The trial was taken over; `end` reports that.

    # Giving back

    def end(
        self,
        trial_id: int,
        state: TrialState,
        values: Sequence[float] | None = None,
        reason: str = "",
        outcome: Mapping[str, Any] | None = None,
    ) -> bool:
        """End a trial.

        Returns:
            Whether this call decided the trial's state; False if another worker took it over.
        """
        self._held.pop(trial_id, None)
        try:
            for name, value in ((REASON, reason), (OUTCOME, dict(outcome or {}))):
                if value:
                    self.storage.set_trial_user_attr(trial_id, name, value)
            self.storage.set_trial_state_values(trial_id, state, values)
        except UpdateFinishedTrialError:
            # An equal state comes from an earlier attempt of this call whose answer was lost. A
            # failed state may as well come from the worker that took the trial over.
            return self.storage.get_trial(trial_id).state == state and state != TrialState.FAIL
        return True

    def release(self, group: Iterable[Held]) -> None:
        """Give trials back, so that other workers continue them."""
        for held in reversed(list(group)):
            trial = self.storage.get_trial(held.id)
            if self.end(held.id, TrialState.FAIL, reason=RELEASED):
                self._continue(trial, held.lost)

    def abandon(self) -> None:
        """Give back all trials of this worker after an error, as if the worker had vanished."""
        for held in list(self._held.values()):
            self._lose(self.storage.get_trial(held.id))

    # Taking over

    def watch(self) -> list[str]:
        """Give back trials whose worker vanished; returns their runs' names."""
        running = self.storage.some(self._study, TrialState.RUNNING)
        found = [
            trial
            for trial in running
            if id_of(trial) not in self._held
            and self._is_silent(trial, trial.system_attrs.get(LIFE))
            and not self._is_trained(trial)
        ]
        taken = []
        # The first of a batch comes last: once it is waiting, so are the others.
        for trial in sorted(found, key=_is_first):
            self._signs.pop(trial.number, None)
            if self._lose(trial):
                taken.append(run_of(trial))
        return taken

    def _lose(self, trial: FrozenTrial) -> bool:
        """Fail a trial whose worker vanished, and make a successor; False if another worker did."""
        lost = trial.user_attrs.get(LOST, 0) + 1
        last = lost >= MOST_LOST
        reason = f"{VANISHED} {lost} times: not tried again" if last else VANISHED
        if not self.end(id_of(trial), TrialState.FAIL, reason=reason):
            return False
        if not last:
            self._continue(trial, lost)
        return True

    def mend(self) -> None:
        """Make the missing successors of trials whose worker died before it made them."""
        for trial in self._orphans():
            if self._is_silent(trial, trial.state):
                released = trial.user_attrs.get(REASON) == RELEASED
                self._continue(trial, trial.user_attrs.get(LOST, 0) + (not released))

    def retry(self, runs: Sequence[str]) -> list[str]:
        """Let failed runs be tried again, with no vanished workers counted; returns their names."""
        everything = self._trials()
        continued = {trial.user_attrs.get(CONTINUES) for trial in everything}
        again = []
        for trial in everything:
            over = trial.state == TrialState.FAIL and trial.number not in continued
            if over and trial.user_attrs.get(REASON) not in (DUPLICATE, VANISHED, RELEASED):
                run = run_of(trial)
                if run in runs and run not in again:
                    self._continue(trial, 0)
                    again.append(run)
        return again

    def _is_silent(self, trial: FrozenTrial, sign: Any) -> bool:
        """Whether a trial's sign of life has not changed for `patience` seconds."""
        now = time.monotonic()
        seen, since = self._signs.get(trial.number, (None, now))
        if trial.number not in self._signs or seen != sign:
            self._signs[trial.number] = (sign, now)
            return False
        return now - since > self.patience

    def _is_trained(self, trial: FrozenTrial) -> bool:
        """Whether a process holds the lock of the trial's run, and so is slow but has not vanished.

        A lock whose state is unknown counts as held, however long the trial is silent: a worker
        that cannot reach the storage continues training.
        """
        path = self.runs_dir / run_of(trial)
        state = lock_state(path) if is_run(path) else "free"
        if state == "unknown":
            worker = (trial.system_attrs.get(LIFE) or {}).get("worker", "its worker")
            self._unsure.setdefault(
                path.name,
                f"{path.name}: no sign of life of {worker} for {self.patience:g} s, but it is not "
                f"taken over: {unsure_text(path)}",
            )
        return state != "free"

    def unsure(self) -> list[str]:
        """A message for each silent trial that is not taken over; each is returned once."""
        lines = [line for line in self._unsure.values() if line]
        self._unsure = dict.fromkeys(self._unsure, "")
        return lines

    def _orphans(self) -> list[FrozenTrial]:
        """Failed trials that need a successor and have none."""
        everything = self._trials()
        continued = {trial.user_attrs.get(CONTINUES) for trial in everything}
        return [
            trial
            for trial in everything
            if trial.state == TrialState.FAIL
            and trial.user_attrs.get(REASON) in (VANISHED, RELEASED)
            and trial.number not in continued
        ]

    def _continue(self, trial: FrozenTrial, lost: int) -> None:
        attributes: dict[str, Any] = {RUN: run_of(trial), CONTINUES: trial.number, LOST: lost}
        if trial.user_attrs.get(BATCH):
            attributes[BATCH] = trial.user_attrs[BATCH]
        successor = create_trial(
            state=TrialState.WAITING,
            params=dict(trial.params),
            distributions=dict(trial.distributions),
            user_attrs=attributes,
        )
        self.storage.create_new_trial(self._study, successor)

    # Looking

    @property
    def is_busy(self) -> bool:
        """Whether a trial is waiting or running, or a successor is missing."""
        unfinished = self.storage.some(self._study, TrialState.WAITING, TrialState.RUNNING)
        return bool(unfinished or self._orphans())

    def _trials(self) -> list[FrozenTrial]:
        return self.storage.get_all_trials(self._study, deepcopy=False)


def _is_first(trial: FrozenTrial) -> bool:
    batch = trial.user_attrs.get(BATCH, ())
    return not batch or run_of(trial) == batch[0]
