"""A worker of a study: trains the free runs that are left, one run or batch after the other.

The lock of a run's directory is the claim (`experiment.claiming`), so that workers need no other
communication. A worker process saves and ends when its standard input is closed, and so also when
the process that started it has ended for any reason.

::

    python -m miiii.studies.worker train STUDY COMMAND RUN …     COMMAND: a list in JSON
    python -m miiii.studies.worker time SECONDS CONFIG …         CONFIG: TOML; prints JSON

On stderr it prints `warning: …` for its runs, and last `error: …` if it fails.
"""

import json
import os
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

from miiii.config.config import Config, from_toml
from miiii.experiment.interrupts import StopCheck, ignore_stop_signals
from miiii.experiment.progress import Progress, Report, Silent
from miiii.runs.errors import RunError, RunLockedError
from miiii.studies.jobs import Survey, make_jobs
from miiii.studies.pool import ended_text
from miiii.studies.study import Study, open_study

LOCKED_SECONDS = 20.0
"""How long to wait for runs that others hold, which may need the time to save before they end."""
BROKEN = 70
"""Exit code after an unexpected error (BSD's EX_SOFTWARE); its traceback is on stderr."""


def work(
    study: Study,
    names: Sequence[str],
    *,
    batch: int = 1,
    command: Sequence[str] = (),
    progress: Callable[[Sequence[str]], Progress],
    stop: StopCheck,
) -> None:
    """Train the runs that are left, until none is, or other processes hold the rest.

    Args:
        study: the study of the runs.
        names: of the runs, in the order of training.
        batch: the most new runs of one shape that train together.
        command: recorded in the runs' provenance.
        progress: from the names of runs to the progress that shows their training.
        stop: once true, training saves and ends.

    Raises:
        RunError, ValueError: as `experiment.training`.
    """
    from miiii.experiment.claiming import Group, train_first_free

    place = {name: index for index, name in enumerate(names)}
    runs = sorted(
        (run for run in study.plan.runs if run.name in place), key=lambda run: place[run.name]
    )

    def left() -> list[Group]:
        found = Survey(tuple((run, study.state(run)) for run in runs))
        runs[:] = found.runs("missing", "unfinished")  # Ended runs are not looked at again.
        jobs = make_jobs(study, found, batch)
        jobs.sort(key=lambda job: place[job.names[0]])
        return [(job.names, job.configs) for job in jobs]

    while not stop():
        try:
            outcome = train_first_free(
                left,
                study.runs_dir,
                patience=LOCKED_SECONDS,
                progress=progress,
                command=command,
                stop=stop,
            )
        except RunLockedError:
            return  # The processes that hold the rest train it.
        if outcome is None:
            return
        # No run is tried twice, whatever its state.
        tried = {path.name for path in outcome.paths}
        runs[:] = [run for run in runs if run.name not in tried]


class WorkerProgress(Silent):
    """Passes warnings on. The progress of runs is read from the disk.

    Args:
        names: of the runs that train.
        warned: receives warnings for the user.
        look: called after every chunk of epochs.
    """

    def __init__(
        self,
        names: Sequence[str],
        warned: Callable[[str], None],
        look: Callable[[], None] = lambda: None,
    ) -> None:
        self._names, self._warned, self._look = names, warned, look

    def advanced(self, report: Report) -> None:
        """A chunk is done."""
        self._look()

    def warned(self, message: str) -> None:
        """Pass a warning on, with the name of the first run."""
        self._warned(f"{self._names[0]}: {message}")


def time_batches(
    batches: Sequence[Sequence[Config]], seconds: float, stop: StopCheck
) -> list[tuple[float, int]]:
    """Seconds per epoch and bytes of each batch, timed for `seconds`, until one is stopped."""
    from miiii.experiment.estimating import estimate

    found = [estimate(configs, stop, seconds=seconds) for configs in batches]
    return [(one.seconds_per_epoch, one.memory_bytes) for one in found if one is not None]


def main() -> None:
    """Train or time, as the command line's arguments say."""
    # The process that started this one handles the signals, and closes the standard input.
    ignore_stop_signals()
    warnings.filterwarnings("ignore", message="Error (reading|writing) persistent compilation")
    output = os.fdopen(os.dup(1), "w", encoding="utf-8")
    # Text that a library prints must not mix with the output.
    os.dup2(2, 1)
    stopping, at_work, code = threading.Event(), [], 0

    def wait_for_the_end() -> None:
        sys.stdin.read()
        stopping.set()

    def progress(names: Sequence[str]) -> WorkerProgress:
        at_work[:] = names
        return WorkerProgress(names, lambda line: _print_error(f"warning: {line}"))

    threading.Thread(target=wait_for_the_end, daemon=True).start()
    kind, first, *rest = sys.argv[1:]
    try:
        if kind == "time":
            batches = [[from_toml(text)] for text in rest]
            timed = time_batches(batches, float(first), stopping.is_set)
            print(json.dumps(timed), file=output, flush=True)
        else:
            study, (command, *names) = open_study(first, Path()), rest
            work(study, names, command=json.loads(command), progress=progress, stop=stopping.is_set)
    except (RunError, ValueError) as error:
        code = 1
        _print_error(f"error: {error}")
    except BaseException:
        code = BROKEN
        traceback.print_exc()
        _print_error(f"error: {ended_text(at_work, code)}")
    sys.stderr.flush()
    # Not sys.exit, which would wait for a compilation in another thread.
    os._exit(code)


def _print_error(line: str) -> None:
    print(" ".join(line.split()), file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
