"""A worker: takes trials until none is left, trains them as ordinary runs, reports their values."""

import math
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from optuna.trial import FrozenTrial, TrialState

from miiii.config.config import Config
from miiii.experiment.claiming import train_first_free
from miiii.experiment.interrupts import StopCheck, saving_first
from miiii.experiment.members import Member
from miiii.experiment.progress import Progress, Report
from miiii.experiment.run import load_run
from miiii.experiment.shape import shape
from miiii.experiment.training import Outcome
from miiii.runs.errors import RunError, RunLockedError, StorageError
from miiii.runs.listing import is_run
from miiii.runs.thresholds import SOLVED
from miiii.studies.study import open_study
from miiii.sweeps.queue.attempts import RELEASED, Held
from miiii.sweeps.queue.storage import StorageAwayError
from miiii.sweeps.queue.sweep import Sweep
from miiii.sweeps.search.objectives import OBJECTIVES
from miiii.sweeps.search.pruning import Falling
from miiii.sweeps.search.sampling import choose

LONGEST_BEAT = 15.0
"""Most seconds between signs of life."""
BEATS_PER_PATIENCE = 4
LONGEST_PAUSE = 2.0
"""Most seconds between checks of a storage in which no trial is waiting."""
LOCKED_SECONDS = 30.0
"""Time to wait for a locked run: a process that was asked to end holds the lock while it saves."""

MOST_ACCIDENTS = 3
"""Number of accidents after which a worker that completed no run ends."""


@dataclass
class Tally:
    """Counts of the trials that a worker ended or gave back."""

    complete: int = 0
    pruned: int = 0
    failed: int = 0
    released: int = 0
    accidents: list[str] = field(default_factory=list)
    """Runs that failed for another reason than a number that is not finite, such as a full disk."""
    gave_up: bool = False
    """Whether the worker ended because of `MOST_ACCIDENTS`."""
    taken_over: list[str] = field(default_factory=list)
    """Runs whose worker had vanished."""

    @property
    def ended(self) -> int:
        """Number of trials that are over."""
        return self.complete + self.pruned + self.failed


class Worker:
    """One worker of a sweep.

    Args:
        sweep: the sweep to work on.
        batch: most trials of one shape to train together.
        patience: seconds without a sign of life after which a trial is taken over.
        wait: whether to stay while other workers train, in order to take over from them.
        progress: opens a display of a run's progress.
        tell: receives messages for the user, such as the end of a trial.
        stop: once it returns true, the worker saves its runs and gives their trials back.
        command: the command line, stored in each run's provenance.
    """

    def __init__(
        self,
        sweep: Sweep,
        *,
        batch: int = 1,
        patience: float = 120.0,
        wait: bool = True,
        progress: Callable[[], AbstractContextManager[Progress]],
        tell: Callable[[str], None],
        stop: StopCheck,
        command: Sequence[str] = (),
    ) -> None:
        self.tally = Tally()
        self._sweep, self._queue = sweep, sweep.queue(patience)
        self._batch, self._wait = batch, wait
        self._progress, self._tell, self._stop = progress, tell, stop
        self._command = command
        self._pulse = min(LONGEST_BEAT, patience / BEATS_PER_PATIENCE)
        self._epochs: dict[int, int] = {}
        study = sweep.definition.study
        self._study = open_study(study, Path()) if study else None
        self._configs: dict[int, Config] = {}
        sweep.storage.notify, sweep.storage.stop = tell, stop

    def work(self) -> Tally:
        """Take trials until none is left or `stop` returns true.

        Raises:
            StorageAwayError: the storage did not answer for too long; the runs are saved.
            StorageError: the disk refuses a write; what was saved before is intact.
        """
        with saving_first(self._stop) as self._stop:
            self._sweep.storage.stop = self._stop
            return self._work()

    def _work(self) -> Tally:
        ended = threading.Event()
        pulse = threading.Thread(target=self._beat, args=(ended,), daemon=True)
        pulse.start()
        try:
            while not self._stop():
                if not self.tally.complete and len(self.tally.accidents) >= MOST_ACCIDENTS:
                    self.tally.gave_up = True
                    break
                held = self._queue.claim(self._batch, self._fits)
                if held:
                    self._do_or_abandon(held)
                elif self._wait and self._queue.is_busy:
                    self._watch()
                    self._queue.mend()
                    time.sleep(min(LONGEST_PAUSE, self._pulse))
                else:
                    break
        finally:
            ended.set()
        return self.tally

    def _do_or_abandon(self, held: Sequence[Held]) -> None:
        """Train trials; after an unexpected error, give them back and raise the error."""
        try:
            self._do(held)
        except RunError:
            raise
        except Exception:
            self._queue.abandon()
            raise

    def _beat(self, ended: threading.Event) -> None:
        """Write signs of life during training, and take over trials of vanished workers."""
        while not ended.wait(self._pulse):
            # Training continues without the storage; the other thread reports its absence.
            with suppress(StorageAwayError):
                self._queue.beat(self._epochs)
                self._watch()

    def _watch(self) -> None:
        for run in self._queue.watch():
            self.tally.taken_over.append(run)
            self._tell(f"{run}: its worker vanished, it will be resumed from its checkpoint")
        for line in self._queue.unsure():
            self._tell(line)

    # Settings and batches of trials

    def _fits(self, first: FrozenTrial, other: FrozenTrial) -> bool:
        """Whether two trials can train in one batch; also true if settings are not yet chosen."""
        if not first.params or not other.params:
            return True
        try:
            return self._shape(first) == self._shape(other)
        except ValueError:
            return False

    def _shape(self, trial: FrozenTrial) -> Config:
        if trial.number not in self._configs:
            self._configs[trial.number] = shape(self._sweep.settings(trial.params, self._study))
        return self._configs[trial.number]

    def _settled(self, held: Held) -> Held:
        """The trial with settings; chooses them if it has none."""
        if held.params:
            return held
        chosen = choose(self._sweep.definition, self._sweep.optuna_study, held.id, held.number)
        return self._queue.sample(held, chosen)

    def _do(self, claimed: Sequence[Held]) -> None:
        """Train the trials, one batch after another."""
        waiting = [self._settled(held) for held in claimed]
        while waiting:
            if self._stop():
                self._release(waiting)
                return
            group, configs, waiting = self._next_group(waiting)
            if group:
                self._do_group(group, configs, waiting)

    def _next_group(self, waiting: list[Held]) -> tuple[list[Held], list[Config], list[Held]]:
        """Trials to resume or to start as one batch, their configurations, and the other trials."""
        first = waiting[0]
        try:
            config = self._sweep.settings(dict(first.params), self._study)
        except ValueError as error:
            self._fail(first, str(error))
            return [], [], waiting[1:]
        if is_run(self._sweep.runs_dir / first.run):
            together = [held for held in waiting if held is first or first.run in held.batch]
            together = [held for held in together if is_run(self._sweep.runs_dir / held.run)]
        else:
            together = [held for held in waiting if self._begins_with(config, held)]
        configs = [self._sweep.settings(dict(held.params), self._study) for held in together]
        return together, configs, [held for held in waiting if held not in together]

    def _begins_with(self, config: Config, held: Held) -> bool:
        try:
            own = self._sweep.settings(dict(held.params), self._study)
        except ValueError:
            return False
        return not is_run(self._sweep.runs_dir / held.run) and shape(own) == shape(config)

    # Training

    def _do_group(self, group: list[Held], configs: list[Config], others: Sequence[Held]) -> None:
        names = [held.run for held in group]
        if len(group) > 1:
            self._queue.together(group)
        began = time.monotonic()
        try:
            with self._progress() as shown:
                watching = _Watching(shown, group, self._epochs, self._sweep.definition.prune)
                # Runs of an interrupted attempt exist already and are resumed.
                outcome = train_first_free(
                    lambda: [(names, configs)],
                    self._sweep.runs_dir,
                    patience=LOCKED_SECONDS,
                    progress=lambda _: watching,
                    strict=True,
                    command=self._command,
                    stop=lambda: self._stop() or watching.stuck,
                )
            assert outcome is not None
        except RunLockedError as error:
            self._tell(f"{names[0]}: {error}; given back")
            self._queue.release(group)
            return
        except StorageError:
            self._release([*group, *others])
            raise
        except (RunError, ValueError) as error:
            for held in group:
                self._fail(held, str(error))
                self.tally.accidents.append(held.run)
            return
        seconds = (time.monotonic() - began) / len(group)
        if outcome.state == "interrupted" and not watching.stuck:
            self._release(group)
            return
        for held, config in zip(group, configs, strict=True):
            self._report(held, config, seconds, outcome)

    def _report(self, held: Held, config: Config, seconds: float, outcome: Outcome) -> None:
        """Store and print how a trial ended."""
        run = load_run(self._sweep.runs_dir / held.run)
        status = run.status
        self._epochs.pop(held.number, None)
        if status.get("state") == "failed":
            self._fail(held, str(status.get("problem", "failed")))
            return
        known = {
            "epochs": int(status.get("epoch") or 0),
            "seconds": round(seconds, 3),
            "accuracy": float(np.mean(run.history.validation_accuracy[-1])),
            "solved": int(run.history.reached(SOLVED)[-1].sum()),
        }
        if outcome.state != "finished":
            if self._queue.end(held.id, TrialState.PRUNED, reason="stuck", outcome=known):
                self.tally.pruned += 1
                self._tell(f"{held.run}: given up, its training loss does not fall")
            return
        names = self._sweep.definition.objectives
        values = [OBJECTIVES[name].compute(run.history, config.training.epochs) for name in names]
        if not all(map(math.isfinite, values)):
            self._fail(held, f"a value is not finite: {values}")
            return
        counts = self._queue.end(held.id, TrialState.COMPLETE, values, outcome=known)
        if not counts:
            self._tell(f"{held.run}: another worker took it over; this result does not count")
            return
        if self._sweep.definition.keep == "weights":
            run.directory.remove_checkpoints()
        self.tally.complete += 1
        shown = ", ".join(f"{name} {value:.4g}" for name, value in zip(names, values, strict=True))
        self._tell(f"{held.run}: {shown} ({known['epochs']:,} epochs, {seconds:.1f} s)")

    def _fail(self, held: Held, reason: str) -> None:
        self._epochs.pop(held.number, None)
        if self._queue.end(held.id, TrialState.FAIL, reason=" ".join(reason.split())):
            self.tally.failed += 1
            self._tell(f"{held.run}: failed, {reason}")

    def _release(self, group: Sequence[Held]) -> None:
        self._queue.release(group)
        self.tally.released += len(group)
        self._tell(f"{RELEASED} for other workers: {', '.join(held.run for held in group)}")


class _Watching:
    """Progress that is passed on, with each trial's epoch and whether the batch is stuck."""

    def __init__(
        self, shown: Progress, group: Sequence[Held], epochs: dict[int, int], prune: str
    ) -> None:
        self.stuck = False
        self._shown, self._group, self._epochs = shown, group, epochs
        self._prune = prune == "stuck"
        self._falling: list[Falling] = []

    def started(self, members: Sequence[Member], done: int, epochs: int) -> None:
        """As in `experiment.Progress`."""
        # A resumed run is not tested, because its first loss is not at hand.
        self._prune &= done == 0
        self._advance(done)
        self._shown.started(members, done, epochs)

    def advanced(self, report: Report) -> None:
        """As in `experiment.Progress`."""
        self._advance(report.done)
        if self._prune:
            self._falling = self._falling or [Falling(report.epochs) for _ in report.rows]
            for falling, rows in zip(self._falling, report.rows, strict=True):
                falling.add(np.mean(rows["train_loss"], axis=1).tolist())
            # One program trains the batch, so it ends only when all its runs are stuck.
            self.stuck = all(falling.is_stuck for falling in self._falling)
        self._shown.advanced(report)

    def interrupted(self, members: Sequence[Member], done: int) -> None:
        """As in `experiment.Progress`."""
        self._shown.interrupted(members, done)

    def warned(self, message: str) -> None:
        """As in `experiment.Progress`."""
        self._shown.warned(message)

    def _advance(self, done: int) -> None:
        for held in self._group:
            self._epochs[held.number] = done
