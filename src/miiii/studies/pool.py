"""Worker processes with one core each: started, heard, asked to save, waited for."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import miiii
from miiii.runs.errors import RunError
from miiii.runs.locking import HOLDER_NAME, read_holder

Waiting = Callable[[], bool]
"""Asked again and again; true means stop."""

CLOSING_SECONDS = 60.0
"""How long a worker may take to save before it is ended by force."""
POLL_SECONDS = 0.05
WORKER = ("-P", "-m", "miiii.studies.worker")
"""What Python is called with; a worker's order follows."""

ONE_CORE = {
    # Read by XLA when it makes its pool of threads. How many threads there are changes in which
    # order it adds, so that runs made with one each are the same on any number of cores.
    "PJRT_NPROC": "1",
    "NPROC": "1",
    "JAX_PLATFORMS": "cpu",
    "TF_CPP_MIN_LOG_LEVEL": "2",
}

HUGE_PAGES = "glibc.malloc.hugetlb=1"
"""Makes glibc (2.35 or later) ask for pages of 2 MB, of which a dispatch needs 512 times fewer than
of 4 kB (`experiment.pace`). Read when a process starts; other C libraries pass it over."""


def run_workers(
    orders: Sequence[Sequence[str]],
    stop: Waiting,
    warned: Callable[[str], None] = lambda line: None,
    look: Callable[[], None] = lambda: None,
    runs_dir: Path | None = None,
) -> list[str]:
    """Start a worker per order and wait until all have ended.

    Args:
        orders: arguments of `studies.worker`.
        stop: once true, the workers save and leave.
        warned: takes each warning of a worker, from a thread that listens to it.
        look: called again and again while they work.
        runs_dir: where the runs are that they train, to name those of a worker that died.

    Returns:
        What each wrote to its standard output.

    Raises:
        RunError: one failed or died; the others saved first.
    """
    workers: list[_Worker] = []
    try:
        for words in orders:
            workers.append(_Worker(words, warned))
        while any(worker.works for worker in workers):
            if stop() or any(worker.failed for worker in workers):
                break
            look()
            time.sleep(POLL_SECONDS)
    finally:
        for worker in workers:
            worker.save_and_leave()
        answers = [worker.end() for worker in workers]
    for worker in workers:
        if worker.failed:
            raise RunError(worker.problem(runs_dir))
    return answers


class _Worker:
    """One process; its standard input says, by its end, to save and leave."""

    def __init__(self, words: Sequence[str], warned: Callable[[str], None]) -> None:
        self._error = ""
        self._process = subprocess.Popen(
            [sys.executable, *WORKER, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env=_environment(),
        )
        self._listener = threading.Thread(target=self._listen, args=(warned,), daemon=True)
        self._listener.start()

    def _listen(self, warned: Callable[[str], None]) -> None:
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
        """Whether it ended otherwise than by doing what it was told."""
        return bool(self._process.poll())

    def problem(self, runs_dir: Path | None) -> str:
        """Why it failed: what it said, else its exit code and the runs that it held."""
        if self._error:
            return self._error
        # What a killed process held still has its number.
        held = [] if runs_dir is None else sorted(runs_dir.glob(f"*/{HOLDER_NAME}"))
        runs = [file.parent for file in held]
        names = [run.name for run in runs if read_holder(run) == self._process.pid]
        return died(names, self._process.returncode)

    def save_and_leave(self) -> None:
        """Ask for it; does not wait."""
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()

    def end(self) -> str:
        """Wait until it has ended, by force if need be; returns what it answered."""
        try:
            self._process.wait(CLOSING_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._listener.join()
        assert self._process.stdout is not None
        with self._process.stdout as answer:
            return answer.read()


def died(names: Sequence[str], code: int) -> str:
    """What is said of a worker that died, and of the runs that it had."""
    what = f" ({', '.join(names)})" if names else ""
    return (
        f"a worker{what} ended with code {code}: what was saved is intact, so call again to go on "
        "(with fewer workers if memory ran out)"
    )


def _environment() -> dict[str, str]:
    """This process's, with one core; whatever this package was imported from is imported again."""
    home = str(Path(miiii.__file__).parents[1])
    paths = os.pathsep.join(path for path in (home, os.environ.get("PYTHONPATH", "")) if path)
    return {"GLIBC_TUNABLES": HUGE_PAGES, **os.environ, **ONE_CORE, "PYTHONPATH": paths}
