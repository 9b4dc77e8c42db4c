"""One worker as a job of submitit: a child process that saves when the job must end.

Submitit's process loads a `WorkerJob` and calls it. The job starts ``miiii sweep worker`` as a
child process and waits. It can end early in three ways:

- SIGUSR2, which SLURM sends before the time limit and some clusters before preemption: submitit
  calls `checkpoint`, in which the child saves and gives its trials back, and requeues the job.
- SIGTERM (`scontrol requeue`, `scancel`, preemption, or a `kill` on this machine): the child saves
  and gives its trials back. Under SLURM the job then waits until SLURM ends it, because SLURM does
  not requeue a job that ends by itself.
- SIGKILL: the job can do nothing. Other workers take its trials over.
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
"""Time before a job's limit at which SLURM sends its signal."""
SAVING_SECONDS = 100.0
"""Time for a worker to save; after it the worker is killed, and its trials are taken over."""
ENDING_SECONDS = 900.0
"""Longest time that a SLURM job waits for its end after SIGTERM: longer than grace times are."""
POLL_SECONDS = 0.1
ASKING_SECONDS = 2.0
"""Time between two calls of squeue."""


class WorkerFailedError(RunError):
    """A worker ended with neither 0 nor 75."""


@dataclass(frozen=True)
class WorkerJob:
    """A worker that submitit can pickle and call."""

    number: int
    """Place among the workers that were launched together, from 0."""
    command: tuple[str, ...]
    folder: str
    """The worker's working directory, to which a sweep's relative paths refer."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables to set in addition to the job's environment."""
    cores: tuple[int, ...] = ()
    """Processor cores that the worker may use; empty: all."""

    def __call__(self) -> str:
        """Run the worker to its end.

        Returns:
            How the worker ended: "done" or "stopped".

        Raises:
            WorkerFailedError: the worker failed; the message gives the reason and the log's path.
        """
        child = _Child(self)
        # Each job's process unpickles its own instance, so an instance has at most one child.
        object.__setattr__(self, "_child", child)
        try:
            while not child.ended():
                time.sleep(POLL_SECONDS)
        finally:
            # After Ctrl-C or submitit's exit for a requeue, no process would watch the child.
            child.stop()
        code = child.code()
        if code == 0:
            return "done"
        if child.signalled and code in (SAVED, -signal.SIGTERM):
            _await_the_end()
            return "stopped"
        raise WorkerFailedError(_failure(self.number, code))

    def checkpoint(self) -> "DelayedSubmission":
        """Let the worker save; returns a copy of this job, which submitit requeues.

        Submitit calls it in a signal handler.
        """
        from submitit.helpers import DelayedSubmission

        child: _Child | None = getattr(self, "_child", None)
        if child is not None:
            child.stop()
        return DelayedSubmission(replace(self))


class _Child:
    """The worker's process. Signal handlers may call its methods.

    `ended` does not reap the process, because a handler can interrupt `code`, which waits for it.
    """

    def __init__(self, job: WorkerJob) -> None:
        self.signalled = False
        """Whether the process got SIGTERM."""
        signal.signal(signal.SIGTERM, self._handle)

        def prepare() -> None:
            # SLURM signals every process of a job; submitit's process handles these two.
            for number in (signal.SIGUSR1, signal.SIGUSR2):
                signal.signal(number, signal.SIG_IGN)
            if job.cores:
                os.sched_setaffinity(0, job.cores)

        self._process = subprocess.Popen(
            job.command,
            cwd=job.folder,
            env={**os.environ, **job.environment},
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C reaches only submitit's process, which stops this one.
            preexec_fn=prepare,
        )

    def ended(self) -> bool:
        """Whether the process has ended."""
        if self._process.returncode is not None:
            return True
        flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
        try:
            return os.waitid(os.P_PID, self._process.pid, flags) is not None
        except ChildProcessError:
            return True

    def code(self) -> int:
        """The process's exit code; negative: the signal that ended it."""
        return self._process.wait()

    def stop(self) -> None:
        """Send SIGTERM and wait for the end; after `SAVING_SECONDS` kill the process."""
        self.terminate()
        deadline = time.monotonic() + SAVING_SECONDS
        while not self.ended():
            if time.monotonic() > deadline:
                os.kill(self._process.pid, signal.SIGKILL)
            time.sleep(POLL_SECONDS)

    def terminate(self) -> None:
        """Send SIGTERM once: a second signal would end the process before it has saved."""
        if not self.signalled and not self.ended():
            os.kill(self._process.pid, signal.SIGTERM)
            self.signalled = True

    def _handle(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        if _under_slurm():
            self.signalled = True  # SLURM signals every process of a job, so also this one.
        else:
            self.terminate()


def _under_slurm() -> bool:
    return os.environ.get("SUBMITIT_EXECUTOR") == "slurm"


def _await_the_end() -> None:
    """Under SLURM, wait until the job's state is no longer RUNNING.

    SLURM does not requeue a job that ends by itself in the grace time, when its state is RUNNING.
    """
    if not _under_slurm():
        return
    deadline = time.monotonic() + ENDING_SECONDS
    words = ["squeue", "--noheader", "--format=%T", "--job", os.environ["SLURM_JOB_ID"]]
    while time.monotonic() < deadline:
        time.sleep(ASKING_SECONDS)
        with suppress(OSError, subprocess.SubprocessError):
            result = subprocess.run(words, capture_output=True, text=True, timeout=30)
            if result.returncode == 0 and result.stdout.strip() != "RUNNING":
                return


def _failure(number: int, code: int) -> str:
    """A message for a failed worker, with its last line and the path of its log."""
    from submitit import JobEnvironment

    log = Path(JobEnvironment().paths.stderr)
    how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
    try:
        lines = log.read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    last = next((line.strip() for line in reversed(lines) if line.strip()), "no output")
    return f"worker {number} {how}: {last}; its log: {log}"
