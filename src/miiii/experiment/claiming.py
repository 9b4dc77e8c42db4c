"""Training where several processes share the work: the lock of a run's directory is the claim.

A new run is claimed by making its directory, which succeeds in one process only. Processes on one
machine, or on several that share a disk, can therefore train the same list of runs without other
communication, and the runs of a killed process are free at once.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from miiii.config.config import Config
from miiii.experiment import training
from miiii.experiment.interrupts import StopCheck
from miiii.experiment.progress import Progress
from miiii.experiment.training import Outcome
from miiii.runs.errors import RunExistsError, RunLockedError
from miiii.runs.listing import is_run
from miiii.runs.locking import lock_state

LOOK_SECONDS = 0.2
"""Seconds between two looks at runs that other processes hold."""

Group = tuple[Sequence[str], Sequence[Config]]
"""Runs that train together: their names, and the configuration of each."""


def train_first_free(
    left: Callable[[], Sequence[Group]],
    runs_dir: Path,
    *,
    patience: float,
    progress: Callable[[Sequence[str]], Progress],
    strict: bool = False,
    command: Sequence[str] = (),
    stop: StopCheck = lambda: False,
) -> Outcome | None:
    """Train the first group of runs that no other process holds; wait while all are held.

    A group whose first run exists is resumed, any other is started.

    Args:
        left: gives the groups that are left to train, in order; called at every look.
        runs_dir: the directory of the runs.
        patience: seconds to wait while other processes hold all groups. They may need them to save
            before they end.
        progress: from the names of a group to the progress that shows its training.
        strict: whether a run that exists must have exactly the configuration given here.
        command: recorded in the runs' provenance.
        stop: as in `training.start`; it also ends the waiting.

    Returns:
        How the group ended; None where no group is left.

    Raises:
        RunLockedError: other processes still hold every group.
        RunError, ValueError: as `training.start` and `training.resume`.
    """
    limit = time.monotonic() + patience
    while True:
        groups = left()
        if not groups:
            return None
        last, problem = time.monotonic() >= limit, RunLockedError(runs_dir / groups[0][0][0])
        for names, configs in groups:
            if not last and lock_state(runs_dir / names[0]) == "held":
                continue
            try:
                if is_run(runs_dir / names[0]):
                    return training.resume(
                        names[0],
                        runs_dir,
                        config=configs[0] if strict else None,
                        command=command,
                        progress=progress(names),
                        stop=stop,
                    )
                return training.start(
                    configs, names, runs_dir, command=command, progress=progress(names), stop=stop
                )
            except RunLockedError as error:
                problem = error
            except RunExistsError as error:
                problem = RunLockedError(error.path)
        if last or stop():
            raise problem
        time.sleep(LOOK_SECONDS)
