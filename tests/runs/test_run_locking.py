from __future__ import annotations

import os
import signal

import pytest

from miiii import RunError
from miiii.runs.directory import RunDirectory
from miiii.runs.errors import RunLockedError, RunNotFoundError, StorageError
from miiii.runs.locking import is_locked
from wording import naming, says

HOLD = """
import sys, time
from pathlib import Path
from miiii.runs.directory import RunDirectory
with RunDirectory(Path(sys.argv[1])).lock():
    print("locked", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def run(tmp_path) -> RunDirectory:
    return RunDirectory.create(tmp_path, "run", files={"config.toml": b""})


def test_second_process_is_refused_until_the_first_is_killed(run, start_python):
    holder = start_python(HOLD, run.path)
    assert holder.stdout.readline() == "locked\n", holder.stderr.read()
    with (
        pytest.raises(RunLockedError, match=naming(f"use process {holder.pid}")) as caught,
        run.lock(),
    ):
        pass
    assert caught.value.pid == holder.pid
    with pytest.raises(RunLockedError):
        RunDirectory.create(run.path.parent, "run", force=True)
    assert RunDirectory.open(run.path.parent, "run").checkpoint_epochs() == []

    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    with run.lock():
        # And now it is ours: another process is told so.
        second = start_python(HOLD, run.path)
        assert second.stdout.readline() == ""
        assert says(second.stderr.read(), f"use process {os.getpid()}")


def test_second_holder_in_the_same_process_is_refused(run):
    with run.lock(), pytest.raises(RunLockedError), RunDirectory(run.path).lock():
        pass
    with run.lock():
        pass


def test_lock_ends_with_an_exception(run):
    with pytest.raises(KeyboardInterrupt), run.lock():
        raise KeyboardInterrupt
    with run.lock():
        pass
    assert not (run.path / "lock.pid").exists()


def test_unknown_holder(run):
    with run.lock():
        (run.path / "lock.pid").write_bytes(b"garbage")
        with pytest.raises(RunLockedError, match=naming("use process")), run.lock():
            pass


def test_lock_clears_leftovers_but_not_those_of_others(run):
    (run.path / "figures").mkdir()
    ours = [run.path / ".tmp-1", run.path / "history" / ".tmp-2"]
    theirs = run.path / "figures" / ".tmp-3"
    for path in [*ours, theirs]:
        path.write_bytes(b"")
    with pytest.raises(RunError), run.lock(), run.lock():
        pass
    assert not any(path.exists() for path in ours)
    assert theirs.exists()


def test_lock_of_a_missing_run(tmp_path):
    with pytest.raises(RunNotFoundError), RunDirectory(tmp_path / "missing").lock():
        pass
    assert not (tmp_path / "missing").exists()


def test_lock_file_that_cannot_be_opened(run):
    (run.path / "lock").mkdir()
    with pytest.raises(StorageError, match="lock"), run.lock():
        pass


def test_whether_a_run_is_in_use(run):
    assert not is_locked(run.path)
    with run.lock():
        assert is_locked(run.path)
        assert (run.path / "lock.pid").read_text() == f"{os.getpid()}\n"
    assert not is_locked(run.path)
    assert not is_locked(run.path / "missing")
