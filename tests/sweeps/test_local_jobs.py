"""Jobs on this machine: they outlive who started them, save when told to, and say why they fail."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from toys import TOY, toy, until, words

from miiii.sweeps.jobs import local_jobs
from miiii.sweeps.jobs.local_jobs import log_of, start_here, state_of, stop
from wording import naming


def children_of(pid: int) -> list[int]:
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(word) for word in path.read_text().split()]


def test_jobs_end_well_badly_or_by_force(tmp_path: Path):
    core = min(os.sched_getaffinity(0))
    jobs = [
        toy(tmp_path, "done", 0, environment={"CUDA_VISIBLE_DEVICES": "3"}, cores=(core,)),
        toy(tmp_path, "fail", 1),
        toy(tmp_path, "stay", 2),
        toy(tmp_path, "stay", 3),
    ]
    folder = tmp_path / "jobs"
    pids = start_here(jobs, folder)
    assert len(set(pids)) == 4
    done, failed, told, killed = pids
    until(lambda: state_of(folder, done) == "done")
    first = (tmp_path / "0").read_text().splitlines()[0]
    assert first == f"begun in {tmp_path} with devices 3 and cores [{core}]"
    until(lambda: state_of(folder, failed) == "failed")
    log = log_of(folder, failed)
    # Submitit writes the result first, and the log as the process ends.
    said = f"worker 1 ended with code 1: error: the disk is full; its log: {log}"
    until(lambda: said in log.read_text())

    until(lambda: words(tmp_path, 2) == words(tmp_path, 3) == ["begun"])
    assert state_of(folder, told) == "running"
    stop([told])
    until(lambda: state_of(folder, told) == "stopped")
    assert words(tmp_path, 2) == ["begun", "told", "saved"]

    os.kill(killed, signal.SIGKILL)
    until(lambda: state_of(folder, killed) == "vanished")
    # Its worker goes on without it.
    assert words(tmp_path, 3) == ["begun"]
    until(lambda: _end_toys(tmp_path / "3") > 0)


def test_a_preempted_job_saves_and_comes_again(tmp_path: Path):
    (pid,) = start_here([toy(tmp_path, "stay")], tmp_path / "jobs")
    until(lambda: words(tmp_path) == ["begun"])
    # Submitit's signal: to the process that watches over the worker.
    (watcher,) = children_of(pid)
    os.kill(watcher, signal.SIGUSR2)
    until(lambda: state_of(tmp_path / "jobs", pid) == "done")
    assert words(tmp_path) == ["begun", "told", "saved", "begun", "done"]


def test_jobs_outlive_their_parent_and_hold_none_of_its_pipes(tmp_path: Path):
    program = (
        "import sys; from pathlib import Path\n"
        "from miiii.sweeps.jobs.local_jobs import start_here\n"
        "from miiii.sweeps.jobs.worker_job import WorkerJob\n"
        "folder = Path(sys.argv[1])\n"
        "command = (sys.executable, '-S', sys.argv[2], str(folder / '0'), 'stay')\n"
        "print(*start_here([WorkerJob(0, command, str(folder))], folder / 'jobs'))\n"
    )
    began = time.monotonic()
    # It returns when the pipes are closed by all who hold them.
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path), str(TOY)],
        capture_output=True,
        text=True,
        timeout=60,
        start_new_session=True,
    )
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - began < 60
    pid = int(done.stdout)
    until(lambda: words(tmp_path) == ["begun"])
    assert os.getsid(pid) != os.getsid(0)
    assert state_of(tmp_path / "jobs", pid) == "running"
    stop([pid])
    until(lambda: state_of(tmp_path / "jobs", pid) == "stopped")


def test_where_they_cannot_be_started_it_says_why(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(local_jobs.sys, "executable", "/bin/false")
    with pytest.raises(local_jobs.LaunchError, match=naming("started empty")):
        start_here([toy(tmp_path, "done")], tmp_path / "jobs")


def _end_toys(log: Path) -> int:
    """End the toys that write this log; returns how many there were."""
    ended = 0
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if os.fsencode(log) in line:
            os.kill(int(path.parent.name), signal.SIGKILL)
            ended += 1
    return ended
