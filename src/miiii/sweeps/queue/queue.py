"""Which worker trains which trial. Any number of workers use the queue at once.

An Optuna trial is one attempt at one run. Optuna changes a trial's state in one atomic step in
every storage: of several workers that try, one takes a waiting trial, and one ends a running trial.
The rest follows from this:

- A sweep's trials are all made, waiting, when the sweep is made. Workers never make new ones, so
  there are neither more nor fewer than asked for.
- A worker writes a sign of life into each trial that it trains. Another worker that sees no new
  sign for `patience` seconds, by its own clock, and finds the run's lock free, fails the trial:
  only one can. It then makes a successor: a waiting trial of the same settings and the same run
  directory, which goes on from the checkpoint. A worker that must stop does the same with its own
  trials.
- A worker whose trial was taken over finds the trial failed; its result is not recorded.
- If a worker dies between failing a trial and making the successor, another worker makes it. If two
  successors are made, the one with the smaller number counts; the worker that takes the other fails
  it.
- Runs that trained as one batch go on as one: the first of them is taken, the rest by its taker.
"""

import os
import random
import socket
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optuna.distributions import BaseDistribution
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
    RELEASED,
    RUN,
    VANISHED,
    WHY,
    Held,
    run_of,
)
from miiii.sweeps.queue.storage import PatientStorage

MOST_LOST = 3
"""How often a run's worker may vanish before the run is held to be the reason."""
SPREAD = 64
"""How many waiting trials a worker looks at; it tries them in random order, so that workers try
different ones."""


@dataclass
class _Sign:
    """The last sign of life that was seen, and when, by this process's clock."""

    value: Any
    at: float


class Queue:
    """A sweep's trials, as one worker sees them.

    Args:
        storage: of the sweep.
        study_id: the sweep's in that storage.
        runs_dir: where the runs are, for their locks.
        patience: seconds without a sign of life after which a trial is taken over.
        made: trials that were made with the sweep: those of smaller numbers continue no other.
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
        self._signs: dict[int, _Sign] = {}
        self._beats = 0
        self._unsure: dict[str, str] = {}

    # Taking

    def claim(
        self, most: int = 1, fits: Callable[[FrozenTrial, FrozenTrial], bool] | None = None
    ) -> list[Held]:
        """Take waiting trials; empty where there are none.

        Args:
            most: how many.
            fits: whether the second may train together with the first; default: all may.

        Returns:
            At most `most`, unless runs that trained together before are more.
        """
        taken: list[Held] = []
        first: FrozenTrial | None = None
        while len(taken) < most:
            # The last made first: those that go on were made after all others.
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
        """Take one; None if somebody else has it, or it is not to be trained.

        Args:
            trial_id: which.
            trial: as it was read; None: it was made with the sweep, and is read once it is taken.
            with_batch: whether the first of its batch is taken already.
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
            self.end(id_of(trial), TrialState.FAIL, why=DUPLICATE)
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
        """The others of a batch that goes on."""
        found = []
        for trial in self.storage.some(self._study, TrialState.WAITING):
            if run_of(trial) in first.batch and tuple(trial.user_attrs.get(BATCH, ())) == (
                first.batch
            ):
                held = self._take(id_of(trial), trial, with_batch=True)
                found += [held] if held else []
        return found

    def _is_open(self, run: str) -> bool:
        """Whether a run's latest trial waits or is trained."""
        own = [trial for trial in self._trials() if run_of(trial) == run]
        return bool(own) and not own[-1].state.is_finished()

    def _stands(self, trial: FrozenTrial) -> bool:
        """Whether a successor is the first of its kind and what it continues has failed."""
        before = trial.user_attrs[CONTINUES]
        everything = self._trials()
        rivals = [each for each in everything if each.user_attrs.get(CONTINUES) == before]
        predecessor = next(each for each in everything if each.number == before)
        return rivals[0].number == trial.number and predecessor.state == TrialState.FAIL

    # Keeping

    def sample(self, held: Held, params: Mapping[str, Any]) -> Held:
        """Note the settings that a sampler chose for a trial which came without."""
        known = Held(held.id, held.number, held.run, dict(params), held.lost, held.batch)
        self._held[held.id] = known
        return known

    def together(self, group: Sequence[Held]) -> None:
        """Record that trials are trained as one batch, so that they can go on as one."""
        names = [held.run for held in group]
        for held in group:
            if list(held.batch) != names:
                self.storage.set_trial_user_attr(held.id, BATCH, names)

    def beat(self, epochs: Mapping[int, int] = {}) -> None:
        """Give a sign of life for every trial that this worker has.

        Args:
            epochs: trial number to epochs made.
        """
        self._beats += 1
        for held in list(self._held.values()):
            sign = {"worker": self.worker, "beat": self._beats, "epoch": epochs.get(held.number, 0)}
            try:
                self.storage.set_trial_system_attr(held.id, LIFE, sign)
            except UpdateFinishedTrialError:
                continue  # Taken over; ending it will say so.

    # Giving back

    def end(
        self,
        trial_id: int,
        state: TrialState,
        values: Sequence[float] | None = None,
        why: str = "",
        outcome: Mapping[str, Any] | None = None,
    ) -> bool:
        """End a trial.

        Returns:
            Whether it counts; it does not where somebody took the trial over.
        """
        self._held.pop(trial_id, None)
        try:
            for name, value in ((WHY, why), (OUTCOME, dict(outcome or {}))):
                if value:
                    self.storage.set_trial_user_attr(trial_id, name, value)
            self.storage.set_trial_state_values(trial_id, state, values)
        except UpdateFinishedTrialError:
            # Or it was this very call whose answer was lost.
            return self.storage.get_trial(trial_id).state == state and state != TrialState.FAIL
        return True

    def release(self, group: Iterable[Held]) -> None:
        """Give trials back, for others to go on with."""
        for held in reversed(list(group)):
            trial = self.storage.get_trial(held.id)
            if self.end(held.id, TrialState.FAIL, why=RELEASED):
                self._continue(trial, held.lost)

    def abandon(self) -> None:
        """Give back whatever this worker has, because it cannot go on for a reason of its own."""
        for held in list(self._held.values()):
            self._lose(self.storage.get_trial(held.id))

    # Taking over

    def watch(self) -> list[str]:
        """Look for trials whose worker vanished, and let them go on; returns their runs' names."""
        running = self.storage.some(self._study, TrialState.RUNNING)
        found = [
            trial
            for trial in running
            if id_of(trial) not in self._held
            and self._is_silent(trial, trial.system_attrs.get(LIFE))
            and not self._is_trained(trial)
        ]
        taken = []
        # The first of a batch last: once it waits, the others do.
        for trial in sorted(found, key=_is_first):
            self._signs.pop(trial.number, None)
            if self._lose(trial):
                taken.append(run_of(trial))
        return taken

    def _lose(self, trial: FrozenTrial) -> bool:
        """Fail a trial whose worker is gone, and let it go on; False if somebody else did."""
        lost = trial.user_attrs.get(LOST, 0) + 1
        gone = lost >= MOST_LOST
        why = f"{VANISHED} {lost} times: not tried again" if gone else VANISHED
        if not self.end(id_of(trial), TrialState.FAIL, why=why):
            return False
        if not gone:
            self._continue(trial, lost)
        return True

    def mend(self) -> None:
        """Make the successors of trials whose worker died before it made them."""
        for trial in self._orphans():
            if self._is_silent(trial, trial.state):
                released = trial.user_attrs.get(WHY) == RELEASED
                self._continue(trial, trial.user_attrs.get(LOST, 0) + (not released))

    def retry(self, runs: Sequence[str]) -> list[str]:
        """Let failed runs be tried again, as if they had never been lost; returns their names."""
        everything = self._trials()
        continued = {trial.user_attrs.get(CONTINUES) for trial in everything}
        again = []
        for trial in everything:
            over = trial.state == TrialState.FAIL and trial.number not in continued
            if over and trial.user_attrs.get(WHY) not in (DUPLICATE, VANISHED, RELEASED):
                run = run_of(trial)
                if run in runs and run not in again:
                    self._continue(trial, 0)
                    again.append(run)
        return again

    def _is_silent(self, trial: FrozenTrial, sign: Any) -> bool:
        """Whether a trial's sign of life has been the same for longer than patience allows."""
        seen = self._signs.get(trial.number)
        if seen is None or seen.value != sign:
            self._signs[trial.number] = _Sign(sign, time.monotonic())
            return False
        return time.monotonic() - seen.at > self.patience

    def _is_trained(self, trial: FrozenTrial) -> bool:
        """Whether a process may hold the trial's run: it is slow, not gone.

        A lock that cannot be asked counts as held, however long the trial is silent: a worker that
        only the storage has lost goes on training.
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
        """A line for each silent trial that is not taken over, told once."""
        lines = [line for line in self._unsure.values() if line]
        self._unsure = dict.fromkeys(self._unsure, "")
        return lines

    def _orphans(self) -> list[FrozenTrial]:
        """Failed for a reason that calls for a successor, and without one."""
        everything = self._trials()
        continued = {trial.user_attrs.get(CONTINUES) for trial in everything}
        return [
            trial
            for trial in everything
            if trial.state == TrialState.FAIL
            and trial.user_attrs.get(WHY) in (VANISHED, RELEASED)
            and trial.number not in continued
        ]

    def _continue(self, trial: FrozenTrial, lost: int) -> None:
        distributions: dict[str, BaseDistribution] = dict(trial.distributions)
        attributes: dict[str, Any] = {RUN: run_of(trial), CONTINUES: trial.number, LOST: lost}
        if trial.user_attrs.get(BATCH):
            attributes[BATCH] = trial.user_attrs[BATCH]
        successor = create_trial(
            state=TrialState.WAITING,
            params=dict(trial.params),
            distributions=distributions,
            user_attrs=attributes,
        )
        self.storage.create_new_trial(self._study, successor)

    # Looking

    def counts(self) -> dict[str, int]:
        """Trials by state, in words: waiting, running, and so on."""
        trials = self._trials()
        return {
            state.name.lower(): sum(trial.state == state for trial in trials)
            for state in TrialState
        }

    @property
    def is_busy(self) -> bool:
        """Whether anything waits or runs, or somebody has yet to let it go on."""
        unfinished = self.storage.some(self._study, TrialState.WAITING, TrialState.RUNNING)
        return bool(unfinished or self._orphans())

    def _trials(self) -> list[FrozenTrial]:
        return self.storage.get_all_trials(self._study, deepcopy=False)


def _is_first(trial: FrozenTrial) -> bool:
    batch = trial.user_attrs.get(BATCH, ())
    return not batch or run_of(trial) == batch[0]
