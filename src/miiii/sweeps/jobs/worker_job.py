"""One worker as a job of submitit: a child process that is told to save when the job must end.

What runs where: submitit's process loads a `WorkerJob` and calls it; the job starts
``miiii sweep worker`` as its child and waits. Three ways in which it can be told to end:

- SLURM's signal before the time limit, or before preemption where the cluster sends it (SIGUSR2):
  submitit calls `checkpoint`, which lets the child save and give its trials back, and puts the job
  into the queue again.
- SIGTERM (`scontrol requeue`, `scancel`, preemption, or a `kill` on this machine): the child saves
  and gives back. Under SLURM the job then waits for its end: had it ended by itself, SLURM would
  not requeue it.
- SIGKILL: nothing is done. Other workers take its trials over.
"""

import os
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from miiii.runs.errors import RunError

if TYPE_CHECKING:
    from submitit.helpers import DelayedSubmission

SAVED = 75
"""A worker's exit code after SIGTERM, as in `experiment.interrupts`."""
SIGNAL_SECONDS = 120
"""How long before the time limit a job is told to end."""
SAVING_SECONDS = 100.0
"""How long a worker may take to save; after that it is killed, and its trials are taken over."""
ENDING_SECONDS = 900.0
"""How long a job of SLURM's that was told to end waits for that: longer than a grace time."""
POLL_SECONDS = 0.1
ASKING_SECONDS = 2.0
"""Between two questions to SLURM."""


class WorkerFailedError(RunError):
    """A worker ended with neither 0 nor 75."""


@dataclass(frozen=True)
class WorkerJob:
    """A worker, callable by submitit; it pickles as its fields.

    Returns, when called, how the worker ended: "done" or "stopped".

    Raises:
        WorkerFailedError: when called: the worker failed; says why and where its log is.
    """

    number: int
    """Of the workers that were launched together, from 0."""
    command: tuple[str, ...]
    folder: str
    """Where it runs: relative paths of a sweep are meant from there."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """What is set beside the environment it finds."""
    cores: tuple[int, ...] = ()
    """The processor cores it may use; empty: all that it finds."""

    def __call__(self) -> str:
        """Run the worker to its end."""
        child = _Child(self)
        # The job is called on an instance of its own: one process, one child.
        object.__setattr__(self, "_child", child)
        try:
            while not child.ended():
                time.sleep(POLL_SECONDS)
        finally:
            # Nobody is left to watch over it: Ctrl-C, or submitit's exit after a requeue.
            child.stop()
        code = child.code()
        if code == 0:
            return "done"
        if child.told and code in (SAVED, -signal.SIGTERM):
            _await_the_end()
            return "stopped"
        raise WorkerFailedError(_failure(self.number, code))

    def checkpoint(self) -> "DelayedSubmission":
        """Let the worker save; the same job again is what goes into the queue.

        Called by submitit in a signal handler.
        """
        from submitit.helpers import DelayedSubmission

        child: _Child | None = getattr(self, "_child", None)
        if child is not None:
            child.stop()
        return DelayedSubmission(replace(self))


class _Child:
    """The worker's process. Its methods may be called in signal handlers.

    Its end is seen without waiting for it, because a handler may interrupt the one who waits.
    """

    def __init__(self, job: WorkerJob) -> None:
        self.told = False
        """Whether it was told to end."""
        signal.signal(signal.SIGTERM, self._handle)

        def prepare() -> None:
            # SLURM sends its signals to every process of a job; these are for submitit.
            for number in (signal.SIGUSR1, signal.SIGUSR2):
                signal.signal(number, signal.SIG_IGN)
            if job.cores:
                os.sched_setaffinity(0, job.cores)

        self._process = subprocess.Popen(
            job.command,
            cwd=job.folder,
            env={**os.environ, **job.environment},
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C reaches submitit's process, which tells it
            preexec_fn=prepare,
        )

    def ended(self) -> bool:
        """Whether the process is over."""
        if self._process.returncode is not None:
            return True
        flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
        try:
            return os.waitid(os.P_PID, self._process.pid, flags) is not None
        except ChildProcessError:
            return True

    def code(self) -> int:
        """The exit code of a process that ended; negative: the signal that ended it."""
        return self._process.wait()

    def stop(self) -> None:
        """Tell it to end, and return when it has: saved, or else by force."""
        self.tell()
        deadline = time.monotonic() + SAVING_SECONDS
        while not self.ended():
            if time.monotonic() > deadline:
                os.kill(self._process.pid, signal.SIGKILL)
            time.sleep(POLL_SECONDS)

    def tell(self) -> None:
        """Send SIGTERM, once: a second one would end it before it has saved."""
        if not self.told and not self.ended():
            os.kill(self._process.pid, signal.SIGTERM)
            self.told = True

    def _handle(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        if _under_slurm():
            self.told = True  # by SLURM itself, which signals every process of a job
        else:
            self.tell()


def _under_slurm() -> bool:
    return os.environ.get("SUBMITIT_EXECUTOR") == "slurm"


def _await_the_end() -> None:
    """Under SLURM: stay while the job counts as running, which it does in the grace time.

    A job that ends meanwhile has ended by itself, and is not requeued.
    """
    if not _under_slurm():
        return
    deadline = time.monotonic() + ENDING_SECONDS
    words = ["squeue", "--noheader", "--format=%T", "--job", os.environ["SLURM_JOB_ID"]]
    while time.monotonic() < deadline:
        time.sleep(ASKING_SECONDS)
        with suppress(OSError, subprocess.SubprocessError):
            told = subprocess.run(words, capture_output=True, text=True, timeout=30)
            if told.returncode == 0 and told.stdout.strip() != "RUNNING":
                return


def _failure(number: int, code: int) -> str:
    """Why a worker failed: its last line, and where the others are."""
    from submitit import JobEnvironment

    log = Path(JobEnvironment().paths.stderr)
    how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
    try:
        lines = log.read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    said = next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
    return f"worker {number} {how}: {said}; its log: {log}"
