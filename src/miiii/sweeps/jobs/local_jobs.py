"""Workers on this machine that outlive the command which started them.

Submitit's processes are started by a helper, ``python -m miiii.sweeps.jobs.local_jobs FOLDER``, in
a session of its own: they hold neither the terminal nor a pipe of the command, and are not its
children.
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
from typing import Any, Literal

from miiii.sweeps.jobs.launch import LaunchError, import_submitit
from miiii.sweeps.jobs.worker_job import WorkerJob

MINUTES = 10 * 366 * 24 * 60
"""Nobody else waits for this machine: workers have no time limit."""
HELPER_LOG = "local.log"

State = Literal["running", "done", "stopped", "failed", "vanished"]


def start_here(jobs: Sequence[WorkerJob], folder: Path) -> list[int]:
    """Start jobs; returns their process ids, which are also the first part of their logs' names.

    Args:
        jobs: one per worker.
        folder: of their logs; it is made.

    Raises:
        LaunchError: they cannot be started.
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
        lines = log.read_text(errors="replace").strip().splitlines() or ["it said nothing"]
        raise LaunchError(f"workers cannot be started ({log}): {lines[-1]}")
    pids = json.loads(answer.read_text())
    answer.unlink()
    return pids


def log_of(folder: Path, pid: int) -> Path:
    """What a worker wrote on stderr, its progress included."""
    return folder / f"{pid}_0_log.err"


def state_of(folder: Path, pid: int) -> State:
    """How a job is. It has vanished when its process is gone and left no result."""
    result = folder / f"{pid}_0_result.pkl"
    # In this order: a result is there before its process ends.
    alive = is_alive(pid)
    if result.is_file():
        import pickle

        kind, said = pickle.loads(result.read_bytes())
        return "failed" if kind != "success" else said
    return "running" if alive else "vanished"


def is_alive(pid: int) -> bool:
    """Whether a process runs. One that only waits for its parent to notice does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    with suppress(OSError):
        # After the name, which stands in brackets and may hold anything.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return True


def stop(pids: Iterable[int]) -> None:
    """Tell jobs to save and end; returns at once."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)


def _help(folder: Path, answer: Path) -> None:
    """The helper: starts what it reads, and says which processes they are."""
    from submitit import LocalExecutor

    jobs = [_from_record(record) for record in json.load(sys.stdin)]
    executor = LocalExecutor(folder)
    executor.update_parameters(timeout_min=MINUTES)
    started = executor.submit_array(jobs)
    pids = [int(job.job_id) for job in started]
    draft = answer.with_suffix(".part")
    draft.write_text(json.dumps(pids))
    draft.rename(answer)


def _from_record(record: dict[str, Any]) -> WorkerJob:
    command, cores = tuple(record.pop("command")), tuple(record.pop("cores"))
    return WorkerJob(command=command, cores=cores, **record)


if __name__ == "__main__":
    # Submitit pickles by module name, which must not be that of a script.
    from miiii.sweeps.jobs import local_jobs

    local_jobs._help(Path(sys.argv[1]), Path(sys.argv[2]))
