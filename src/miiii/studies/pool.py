"""Starts worker processes with one core each, reads their messages, and waits for their end."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import miiii
from miiii.experiment.huge_pages import with_huge_pages
from miiii.experiment.interrupts import StopCheck
from miiii.runs.errors import RunError
from miiii.runs.locking import HOLDER_NAME, read_holder

CLOSING_SECONDS = 60.0
"""The longest time that a worker may take to save before it is killed."""
POLL_SECONDS = 0.05
WORKER = ("-P", "-m", "miiii.studies.worker")
"""Python's arguments for a worker; the worker's own follow."""

ONE_CORE = {
    # Read by XLA when it makes its pool of threads. The number of threads changes the order of its
    # sums, so that runs made with one thread are the same on any number of cores.
    "PJRT_NPROC": "1",
    "NPROC": "1",
    "JAX_PLATFORMS": "cpu",
    "TF_CPP_MIN_LOG_LEVEL": "2",
}


def run_workers(
    calls: Sequence[Sequence[str]],
    stop: StopCheck,
    warned: Callable[[str], None] = lambda line: None,
    poll: Callable[[], None] = lambda: None,
    runs_dir: Path | None = None,
) -> list[str]:
    """Start a worker per call and wait until all have ended.

    Args:
        calls: arguments of `studies.worker`.
        stop: once true, the workers save and end.
        warned: receives each warning of a worker, in a thread that reads its standard error.
        poll: called repeatedly while they work.
        runs_dir: the directory of their runs, to name those of a killed worker.

    Returns:
        The standard output of each.

    Raises:
        RunError: a worker failed or was killed; the others saved first.
    """
    workers: list[_Worker] = []
    try:
        for arguments in calls:
            workers.append(_Worker(arguments, warned))
        while any(worker.works for worker in workers):
            if stop() or any(worker.failed for worker in workers):
                break
            poll()
            time.sleep(POLL_SECONDS)
    finally:
        for worker in workers:
            worker.save_and_leave()
        outputs = [worker.end() for worker in workers]
    for worker in workers:
        if worker.failed:
            raise RunError(worker.problem(runs_dir))
    return outputs


class _Worker:
    """One process. It saves and ends when its standard input is closed."""

    def __init__(self, arguments: Sequence[str], warned: Callable[[str], None]) -> None:
        self._error = ""
        self._process = subprocess.Popen(
            [sys.executable, *WORKER, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env=_environment(),
        )
        self._reader = threading.Thread(target=self._read_errors, args=(warned,), daemon=True)
        self._reader.start()

    def _read_errors(self, warned: Callable[[str], None]) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as lines:
            for line in lines:
                kind, _, text = line.rstrip().partition(": ")
                if kind == "warning":
                    warned(text)
                elif kind == "error":
                    self._error = text
                else:
                    print(line, end="", file=sys.stderr, flush=True)

    @property
    def works(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    @property
    def failed(self) -> bool:
        """Whether it has ended with an exit code other than 0."""
        return bool(self._process.poll())

    def problem(self, runs_dir: Path | None) -> str:
        """The error that it printed, else its exit code and the runs that it held."""
        if self._error:
            return self._error
        # The runs that a killed process held still have its process number.
        held = [] if runs_dir is None else sorted(runs_dir.glob(f"*/{HOLDER_NAME}"))
        runs = [file.parent for file in held]
        names = [run.name for run in runs if read_holder(run) == self._process.pid]
        return ended_text(names, self._process.returncode)

    def save_and_leave(self) -> None:
        """Ask the process to save and end; does not wait."""
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()

    def end(self) -> str:
        """Wait until it has ended, killing it after `CLOSING_SECONDS`; returns its output."""
        try:
            self._process.wait(CLOSING_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        assert self._process.stdout is not None
        with self._process.stdout as output:
            return output.read()


def ended_text(names: Sequence[str], code: int) -> str:
    """The error for a worker that ended unexpectedly, with the runs that it held."""
    runs = f" ({', '.join(names)})" if names else ""
    return (
        f"a worker{runs} ended with code {code}: what was saved is intact, so call again to go on "
        "(with fewer workers if memory ran out)"
    )


def _environment() -> dict[str, str]:
    """This process's environment with one core, and with the place of this package on the path."""
    home = str(Path(miiii.__file__).parents[1])
    paths = os.pathsep.join(path for path in (home, os.environ.get("PYTHONPATH", "")) if path)
    return {**with_huge_pages(os.environ), **ONE_CORE, "PYTHONPATH": paths}
