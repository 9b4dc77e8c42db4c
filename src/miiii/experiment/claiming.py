"""Training runs that other processes may train, too: the lock of a run's directory is the claim.

A run that is not there yet is claimed by making its directory, which succeeds once. Processes of
one or several machines that share a disk can therefore work on the same runs without talking to
each other, and what a killed process held is free at once.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from miiii.config.config import Config
from miiii.experiment import training
from miiii.experiment.program import Waiting
from miiii.experiment.progress import Progress
from miiii.experiment.training import Outcome
from miiii.runs.errors import RunExistsError, RunLockedError
from miiii.runs.listing import is_run
from miiii.runs.locking import lock_state

LOOK_SECONDS = 0.2
"""Between two looks at runs that others hold."""

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
    stop: Waiting = lambda: False,
) -> Outcome | None:
    """Train the first of some groups of runs that nobody holds; wait while all are held.

    A group whose first run is there is gone on with, another is started.

    Args:
        left: what is to be trained, in order; asked anew at every look.
        runs_dir: where the runs are.
        patience: seconds to wait while others hold all groups. A process that was told to stop, or
            whose parent was killed, saves first.
        progress: given names, what shows the training of those runs.
        strict: whether a run that is there must have exactly the configuration given here.
        command: recorded as the origin of the numbers.
        stop: as in `training.start`; it also ends the waiting.

    Returns:
        How the group ended; None where nothing is left.

    Raises:
        RunLockedError: others still hold every group.
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
