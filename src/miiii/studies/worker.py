"""A worker of a study: trains what is left and nobody holds, one run or batch after the other.

The lock of a run's directory is the claim (`experiment.claiming`), so that workers do not talk to
each other. As a process of its own a worker hears one thing: when its standard input ends, for
whatever reason, it saves and leaves. Nothing trains on when the process that started it is gone.

::

    python -m miiii.studies.worker train STUDY COMMAND RUN …     COMMAND: a list in JSON
    python -m miiii.studies.worker time SECONDS CONFIG …         CONFIG: TOML; answers in JSON

On stderr it says `warning: …` of its runs, and at last `error: …` if it fails.
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
from miiii.experiment.interrupts import ignore_stop_signals
from miiii.experiment.progress import Progress, Report, Silent
from miiii.runs.errors import RunError, RunLockedError
from miiii.studies.jobs import Survey, make_jobs
from miiii.studies.pool import Waiting, died
from miiii.studies.study import Study, open_study

LOCKED_SECONDS = 20.0
"""How long runs that others hold are waited for: a process that was killed saves first."""
BROKEN = 70
"""Exit code after an error that nobody foresaw; its traceback is on stderr."""


def work(
    study: Study,
    names: Sequence[str],
    *,
    batch: int = 1,
    command: Sequence[str] = (),
    progress: Callable[[Sequence[str]], Progress],
    stop: Waiting,
) -> None:
    """Train what is left of some runs, until nothing is, or others hold the rest.

    Args:
        study: whose runs.
        names: of the runs, in the order in which they are to be trained.
        batch: how many runs of one shape that nobody began train together.
        command: recorded as the origin of the numbers.
        progress: given names, what shows the training of those runs.
        stop: once true, what was computed is saved and left.

    Raises:
        RunError, ValueError: what `experiment` refuses.
    """
    from miiii.experiment.claiming import Group, train_first_free

    place = {name: index for index, name in enumerate(names)}
    runs = sorted(
        (run for run in study.plan.runs if run.name in place), key=lambda run: place[run.name]
    )

    def left() -> list[Group]:
        found = Survey(tuple((run, study.state(run)) for run in runs))
        runs[:] = found.runs("missing", "unfinished")  # What has ended is not asked again.
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
            return  # Those who hold the rest train it.
        if outcome is None:
            return
        # Whatever their files say: nothing is tried twice.
        tried = {path.name for path in outcome.paths}
        runs[:] = [run for run in runs if run.name not in tried]


class Telling(Silent):
    """Hands warnings on; how far the runs are is read from the disk.

    Args:
        names: of the runs that train.
        warned: takes a line for the user.
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
        """Something that the user should know."""
        self._warned(f"{self._names[0]}: {message}")


def time_batches(
    batches: Sequence[Sequence[Config]], seconds: float, stop: Waiting
) -> list[tuple[float, int]]:
    """Seconds per epoch and bytes of some batches, each timed for so many seconds.

    One that was stopped, and those after it, are left out.
    """
    from miiii.experiment.estimating import estimate

    found = [estimate(configs, stop, seconds=seconds) for configs in batches]
    return [(one.seconds_per_epoch, one.memory_bytes) for one in found if one is not None]


def main() -> None:
    """Do what the arguments say."""
    # Whoever started this process hears the signals and says what follows from them.
    ignore_stop_signals()
    warnings.filterwarnings("ignore", message="Error (reading|writing) persistent compilation")
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    # What a library prints is no answer.
    os.dup2(2, 1)
    stopping, at_work, code = threading.Event(), [], 0

    def wait_for_the_end() -> None:
        sys.stdin.read()
        stopping.set()

    def telling(names: Sequence[str]) -> Telling:
        at_work[:] = names
        return Telling(names, lambda line: _say(f"warning: {line}"))

    threading.Thread(target=wait_for_the_end, daemon=True).start()
    kind, first, *rest = sys.argv[1:]
    try:
        if kind == "time":
            batches = [[from_toml(text)] for text in rest]
            timed = time_batches(batches, float(first), stopping.is_set)
            print(json.dumps(timed), file=answer, flush=True)
        else:
            study, (command, *names) = open_study(first, Path()), rest
            work(study, names, command=json.loads(command), progress=telling, stop=stopping.is_set)
    except (RunError, ValueError) as error:
        code = 1
        _say(f"error: {error}")
    except BaseException:
        code = BROKEN
        traceback.print_exc()
        _say(f"error: {died(at_work, code)}")
    sys.stderr.flush()
    # A compiler thread may still be at work, and cannot be waited for.
    os._exit(code)


def _say(line: str) -> None:
    print(" ".join(line.split()), file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
