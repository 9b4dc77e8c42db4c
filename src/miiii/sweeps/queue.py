"""Who trains which trial: taking, keeping, giving back, taking over. Any number may do it at once.

A trial of Optuna's is one attempt at one run. What makes it safe is that Optuna changes a trial's
state in one atomic step, whatever the storage: of all that try, one takes a waiting trial, and one
ends a running one. From this follows the rest:

- A sweep's trials are all made, waiting, when the sweep is made. Workers never make new ones, so
  there are neither more nor fewer than asked for.
- A worker writes a sign of life into each trial that it trains. Who sees no new one for `patience`
  seconds, by its own clock, and finds the run's lock free, fails the trial: only one can. It then
  makes a successor: a waiting trial of the same settings and the same run directory, which goes on
  from the checkpoint. A worker that is told to stop does the same with its own trials at once.
- A worker that comes back from the dead finds its trial failed, and its result does not count.
- If the one who failed a trial dies before it made the successor, another makes it. If for that
  reason two are made, the one with the smaller number counts; whoever takes the other fails it.
- Runs that trained as one batch go on as one: the first of them is taken, the rest by its taker.
"""

import os
import random
import socket
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState, create_trial

from miiii.runs.listing import is_run
from miiii.runs.locking import is_locked

RUN, CONTINUES, LOST, BATCH = "run", "continues", "lost", "batch"
"""User attributes of a successor: its run's name, the number of the trial that it continues, how
often the run's worker vanished, and the runs that train together with it."""
WHY, OUTCOME = "why", "outcome"
"""User attributes of an ended trial: why it failed, and what is worth knowing of its run."""
LIFE = "life"
"""System attribute of a running trial: who trains it, and how far it is."""

VANISHED, RELEASED, DUPLICATE = "its worker vanished", "released", "another trial has its run"
MOST_LOST = 3
"""How often a run's worker may vanish before the run is held to be the reason."""
FRESH_SECONDS = 10.0
"""How long a list of waiting trials is used before it is read again."""
SPREAD = 32
"""Among how many of the first waiting trials a worker chooses at random, lest all try the same."""


@dataclass(frozen=True)
class Held:
    """A trial that this worker has."""

    id: int
    """The storage's."""
    number: int
    run: str
    """The run directory's name."""
    params: Mapping[str, Any]
    lost: int = 0
    batch: tuple[str, ...] = ()
    """Runs that it was trained together with before."""


@dataclass
class _Sign:
    """The last sign of life that was seen, and when, by this process's clock."""

    value: Any
    at: float = field(default_factory=time.monotonic)


def run_name(number: int) -> str:
    """What a trial's run is called, unless it continues another's."""
    return f"trial-{number:06d}"


def run_of(trial: FrozenTrial) -> str:
    """The name of a trial's run."""
    return trial.user_attrs.get(RUN) or run_name(trial.number)


class Queue:
    """A sweep's trials, as one worker sees them.

    Args:
        storage: of the sweep.
        study_id: the sweep's in that storage.
        runs_dir: where the runs are, for their locks.
        patience: seconds without a sign of life after which a trial is taken over.
    """

    def __init__(
        self, storage: BaseStorage, study_id: int, runs_dir: Path, patience: float = 120.0
    ) -> None:
        self.storage = storage
        self.runs_dir = runs_dir
        self.patience = patience
        self.worker = f"{socket.gethostname()}:{os.getpid()}"
        self._study = study_id
        self._held: dict[int, Held] = {}
        self._signs: dict[int, _Sign] = {}
        self._waiting: list[FrozenTrial] = []
        self._read_at = -FRESH_SECONDS
        self._beats = 0

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
        for _ in range(2):
            for trial in self._in_order():
                if len(taken) >= most:
                    break
                if first is not None and fits is not None and not fits(first, trial):
                    continue
                self._waiting.remove(trial)
                held = self._take(trial)
                if held is None:
                    continue
                taken.append(held)
                if held.batch:
                    return [*taken, *self._take_batch(held)]
                first = first or trial
            if taken or time.monotonic() - self._read_at < 0.2:
                break
            self._read()
        return taken

    def _in_order(self) -> list[FrozenTrial]:
        """Waiting trials: those that go on first, then from the lowest numbers, a little mixed."""
        if time.monotonic() - self._read_at > FRESH_SECONDS:
            self._read()
        continued = [trial for trial in self._waiting if CONTINUES in trial.user_attrs]
        fresh = [trial for trial in self._waiting if CONTINUES not in trial.user_attrs]
        start = random.randrange(min(SPREAD, len(fresh))) if fresh else 0
        return [*continued, *fresh[start:], *fresh[:start]]

    def _read(self) -> None:
        self._waiting = self._trials(TrialState.WAITING)
        self._read_at = time.monotonic()

    def _take(self, trial: FrozenTrial, *, with_batch: bool = False) -> Held | None:
        """Take one; None if somebody else has it, or it is not to be trained."""
        batch: list[str] = trial.user_attrs.get(BATCH, [])
        is_follower = len(batch) > 1 and run_of(trial) != batch[0]
        if is_follower and not with_batch and self._is_open(batch[0]):
            return None
        try:
            if not self.storage.set_trial_state_values(trial._trial_id, TrialState.RUNNING):
                return None
        except UpdateFinishedTrialError:
            return None
        if CONTINUES in trial.user_attrs and not self._stands(trial):
            self.end(trial._trial_id, TrialState.FAIL, why=DUPLICATE)
            return None
        held = Held(
            trial._trial_id,
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
        self._read()
        found = []
        for trial in self._waiting:
            if run_of(trial) in first.batch and tuple(trial.user_attrs.get(BATCH, ())) == (
                first.batch
            ):
                held = self._take(trial, with_batch=True)
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
        found: list[FrozenTrial] = []
        everything = self._trials()
        for trial in everything:
            if trial.state == TrialState.RUNNING and trial._trial_id not in self._held:
                sign = self._signs.get(trial.number)
                value = (trial.state, trial.system_attrs.get(LIFE))
                if sign is None or sign.value != value:
                    self._signs[trial.number] = _Sign(value)
                elif self._is_over(sign) and not self._is_trained(run_of(trial)):
                    found.append(trial)
            elif self._is_orphan(trial, everything):
                sign = self._signs.setdefault(trial.number, _Sign(trial.state))
                if sign.value != trial.state:
                    self._signs[trial.number] = _Sign(trial.state)
                elif self._is_over(sign):
                    released = trial.user_attrs.get(WHY) == RELEASED
                    self._continue(trial, trial.user_attrs.get(LOST, 0) + (not released))
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
        if not self.end(trial._trial_id, TrialState.FAIL, why=why):
            return False
        if not gone:
            self._continue(trial, lost)
        return True

    def _is_over(self, sign: _Sign) -> bool:
        return time.monotonic() - sign.at > self.patience

    def _is_trained(self, run: str) -> bool:
        """Whether a process on this file system holds the run: it is slow, not gone."""
        path = self.runs_dir / run
        return is_run(path) and is_locked(path)

    def _is_orphan(self, trial: FrozenTrial, everything: Sequence[FrozenTrial]) -> bool:
        """Failed for a reason that calls for a successor, and without one."""
        if trial.state != TrialState.FAIL or trial.user_attrs.get(WHY) not in (VANISHED, RELEASED):
            return False
        return all(each.user_attrs.get(CONTINUES) != trial.number for each in everything)

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
        self._read_at = -FRESH_SECONDS

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
        everything = self._trials()
        return any(
            not trial.state.is_finished() or self._is_orphan(trial, everything)
            for trial in everything
        )

    def _trials(self, *states: TrialState) -> list[FrozenTrial]:
        return self.storage.get_all_trials(self._study, deepcopy=False, states=states or None)


def _is_first(trial: FrozenTrial) -> bool:
    batch = trial.user_attrs.get(BATCH, ())
    return not batch or run_of(trial) == batch[0]
