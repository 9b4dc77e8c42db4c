"""What a job does, and a process that does jobs: JSON lines in, JSON lines out.

A worker is a process of its own, told what to do over its standard input. When that input ends, for
whatever reason, it saves and leaves: nobody is left training when the one who asked is gone.
"""

import json
import os
import queue
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

from miiii.config.config import from_toml
from miiii.experiment import training as experiment
from miiii.experiment.batch import Waiting
from miiii.experiment.estimating import estimate
from miiii.experiment.interrupts import ignore_stop_signals
from miiii.experiment.members import Member
from miiii.experiment.progress import Report
from miiii.runs.errors import RunError, RunLockedError
from miiii.runs.thresholds import SOLVED, reached
from miiii.studies.study import open_study

Message = Mapping[str, Any]
"""A job, or what is told about one; of JSON's types."""
Tell = Callable[[Message], None]

LOCKED_SECONDS = 20.0
"""How long a job waits for a run that somebody holds: a process that was killed saves first."""
BROKEN = 70
"""Exit code after an error that nobody foresaw; its traceback is on stderr."""


def do_job(job: Message, tell: Tell, stop: Waiting) -> None:
    """Do one job.

    Args:
        job: `{"kind": "estimate", "configs": […], "seconds": …}` with configurations as TOML
            text, or `{"kind": "train", "study": path, "names": […], "command": […]}`.
        tell: takes `estimated`, `started`, `advanced`, `warned` and `ended`.
        stop: once true, what was computed is saved and the job ends.

    Raises:
        RunError, ValueError: what `experiment` refuses.
    """
    if job["kind"] == "estimate":
        configs = [from_toml(text) for text in job["configs"]]
        found = estimate(configs, stop, seconds=job["seconds"])
        if found is not None:
            tell({"event": "estimated", **asdict(found)})
        return
    outcome = _train(Path(job["study"]), job["names"], job["command"], _Teller(tell), stop)
    tell({"event": "ended", "state": outcome.state, "done": outcome.done})


def _train(
    path: Path, names: Sequence[str], command: Sequence[str], progress: "_Teller", stop: Waiting
) -> experiment.Outcome:
    study = open_study(path, Path())
    runs = [run for run in study.plan.runs if run.name in names]
    begun = study.state(runs[0]) != "missing"
    limit = time.monotonic() + LOCKED_SECONDS
    while True:
        try:
            if begun:
                return experiment.resume(
                    runs[0].name, study.runs_dir, command=command, progress=progress, stop=stop
                )
            return experiment.start(
                [run.config for run in runs],
                [run.name for run in runs],
                study.runs_dir,
                command=command,
                progress=progress,
                stop=stop,
            )
        except RunLockedError:
            if stop():
                return experiment.Outcome("interrupted", (), 0)
            if time.monotonic() > limit:
                raise
            time.sleep(0.2)


class _Teller:
    """Progress of a run as messages."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell

    def started(self, members: Sequence[Member], done: int, epochs: int) -> None:
        """Training is about to begin."""
        self._tell({"event": "started", "done": done, "epochs": epochs})

    def advanced(self, report: Report) -> None:
        """A chunk is done."""
        message: dict[str, Any] = {
            "event": "advanced",
            "done": report.done,
            "epochs_per_second": report.epochs_per_second,
        }
        latest = [rows["validation_accuracy"][-1:] for rows in report.rows]
        if all(len(rows) for rows in latest):
            message["accuracy"] = [float(rows.mean()) for rows in latest]
            message["solved"] = [
                int(reached(last, SOLVED, rows["validation_examples"][-1]).sum())
                for last, rows in zip(latest, report.rows, strict=True)
            ]
        self._tell(message)

    def warned(self, message: str) -> None:
        """Something that the user should know."""
        self._tell({"event": "warned", "message": message})


def main() -> None:
    """Do the jobs that standard input brings, one after the other."""
    # Whoever started this process hears the signals and says what follows from them.
    ignore_stop_signals()
    warnings.filterwarnings("ignore", message="Error (reading|writing) persistent compilation")
    output = os.fdopen(os.dup(1), "w", encoding="utf-8")
    # A library that prints must not come between the lines.
    os.dup2(2, 1)
    stopping = threading.Event()
    jobs: queue.SimpleQueue[Message | None] = queue.SimpleQueue()

    def tell(message: Message) -> None:
        try:
            print(json.dumps(message), file=output, flush=True)
        except OSError:
            stopping.set()

    threading.Thread(target=_listen, args=(sys.stdin, jobs, stopping), daemon=True).start()
    while (job := jobs.get()) is not None:
        try:
            do_job(job, tell, stopping.is_set)
            tell({"event": "free"})
        except (RunError, ValueError) as error:
            tell({"event": "refused", "message": str(error)})
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(BROKEN)
    # A compiler thread may still be at work, and cannot be waited for.
    os._exit(0)


def _listen(
    source: TextIO, jobs: "queue.SimpleQueue[Message | None]", stopping: threading.Event
) -> None:
    for line in source:
        message = json.loads(line)
        if message["kind"] == "stop":
            stopping.set()
        else:
            jobs.put(message)
    stopping.set()
    jobs.put(None)


if __name__ == "__main__":
    main()
