"""Workers on this machine that continue after the command which started them has ended.

A helper, ``python -m miiii.sweeps.jobs.local_jobs FOLDER ANSWER``, starts submitit's processes in a
new session: they hold neither the terminal nor a pipe of the command, and are not its children.
"""

import dataclasses
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

from miiii.sweeps.jobs.launch import LaunchError, import_submitit
from miiii.sweeps.jobs.worker_job import WorkerJob

MINUTES = 10 * 366 * 24 * 60
"""Submitit needs a time limit; ten years is none in practice."""
HELPER_LOG = "local.log"

State = Literal["running", "done", "stopped", "failed", "vanished"]


def start_here(jobs: Sequence[WorkerJob], folder: Path) -> list[int]:
    """Start jobs; returns their process ids, with which the names of their logs begin.

    Args:
        jobs: one per worker.
        folder: holds the logs; it is made if it is missing.

    Raises:
        LaunchError: the jobs cannot be started.
    """
    import_submitit()
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / HELPER_LOG
    answer = folder / f"started-{os.getpid()}.json"
    words = [sys.executable, "-P", "-m", "miiii.sweeps.jobs.local_jobs", str(folder), str(answer)]
    with log.open("ab") as output:
        helper = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=output, stderr=output, start_new_session=True
        )
        helper.communicate(json.dumps([dataclasses.asdict(job) for job in jobs]).encode())
    if helper.returncode:
        lines = log.read_text(errors="replace").strip().splitlines() or ["the log is empty"]
        raise LaunchError(f"workers cannot be started ({log}): {lines[-1]}")
    pids = json.loads(answer.read_text())
    answer.unlink()
    return pids


def log_of(folder: Path, pid: int) -> Path:
    """A worker's stderr, including its progress."""
    return folder / f"{pid}_0_log.err"


def state_of(folder: Path, pid: int) -> State:
    """The state of a job. A job has vanished if its process has ended without a result."""
    result = folder / f"{pid}_0_result.pkl"
    # The process is checked first: it writes its result before it ends.
    alive = is_alive(pid)
    if result.is_file():
        import pickle

        kind, value = pickle.loads(result.read_bytes())
        return "failed" if kind != "success" else value
    return "running" if alive else "vanished"


def is_alive(pid: int) -> bool:
    """Whether a process runs; False for a zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    with suppress(OSError):
        # The state follows the name, which is in brackets and may contain any character.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return True


def stop(pids: Iterable[int]) -> None:
    """Send jobs the signal to save and end; returns without waiting for them."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)


def _help(folder: Path, answer: Path) -> None:
    """Start the jobs on standard input as processes, and write their ids to `answer`."""
    from submitit import LocalExecutor

    jobs = [
        WorkerJob(**{**each, "command": tuple(each["command"]), "cores": tuple(each["cores"])})
        for each in json.load(sys.stdin)
    ]
    executor = LocalExecutor(folder)
    executor.update_parameters(timeout_min=MINUTES)
    pids = [int(job.job_id) for job in executor.submit_array(jobs)]
    answer.write_text(json.dumps(pids))


if __name__ == "__main__":
    # Submitit pickles classes by module name, so they must not belong to `__main__`.
    from miiii.sweeps.jobs import local_jobs

    local_jobs._help(Path(sys.argv[1]), Path(sys.argv[2]))
