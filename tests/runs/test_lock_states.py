"""Whether a run is held, free, or cannot be told; on file systems without locks, too."""

import errno
import fcntl
import json
import os
import socket
import time

import filelock
import pytest

import miiii
from miiii.cli.main import run as command
from miiii.runs.directory import RunDirectory
from miiii.runs.errors import RunLockedError, StorageError
from miiii.runs.listing import PERHAPS_RUNNING, live_state, summarize
from miiii.runs.locking import is_locked, lock_state, marker_note
from wording import naming, says


@pytest.fixture
def run(tmp_path):
    status = {"state": "running", "epoch": 3, "heartbeat": "2026", "time": time.time()}
    files = {
        "config.toml": miiii.to_toml(miiii.get_preset("tiny")).encode(),
        "status.json": json.dumps(status).encode(),
        "provenance.json": b"{}",
    }
    return RunDirectory.create(tmp_path / "runs", "a", files=files)


@pytest.fixture
def no_flock(monkeypatch):
    """A file system that does not implement flock."""

    def refuse(descriptor, how):
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", refuse)


def leave_marker(run, host, pid=4242):
    (run.path / "lock").write_text(f"{pid}\n{host}\n1\n")


def test_a_lock_is_asked_without_permission_to_write(run):
    with run.lock():
        os.chmod(run.path / "lock", 0o444)
        os.chmod(run.path, 0o555)
        assert lock_state(run.path) == "held"
        assert live_state(summarize(run.path)) == "running"
        os.chmod(run.path, 0o755)
    assert lock_state(run.path) == "free"
    assert live_state(summarize(run.path)) == "killed"


def test_asking_opens_the_lock_for_reading_only(run, monkeypatch):
    # Root may write anywhere, so that permissions alone would not show it.
    opened = []
    real = os.open
    with run.lock():
        monkeypatch.setattr(
            os, "open", lambda path, flags, *more: opened.append(flags) or real(path, flags, *more)
        )
        assert lock_state(run.path) == "held"
    assert opened[0] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) == 0


def test_a_run_that_another_user_trains_is_in_use_rather_than_not_writable(run, monkeypatch):
    def refuse(*words, **options):
        raise PermissionError(errno.EACCES, "refused")

    with run.lock(), monkeypatch.context() as patch:
        patch.setattr(filelock.FileLock, "acquire", refuse)
        with pytest.raises(RunLockedError, match=naming(f"use process {os.getpid()}")):
            run.lock().__enter__()
    monkeypatch.setattr(filelock.FileLock, "acquire", refuse)
    with pytest.raises(StorageError, match=naming("permission")):
        run.lock().__enter__()


@pytest.mark.parametrize("refused", ["open", "flock"])
def test_a_lock_that_cannot_be_asked_is_not_called_killed(run, monkeypatch, refused, capsys):
    (run.path / "lock").touch()

    def refuse(*words, **options):
        raise OSError(errno.EACCES if refused == "open" else errno.ENOLCK, "refused")

    real = os.open

    def refuse_lock(path, *words, **options):
        return refuse() if str(path).endswith("lock") else real(path, *words, **options)

    with monkeypatch.context() as patch:
        if refused == "open":
            patch.setattr(os, "open", refuse_lock)
        else:
            patch.setattr(fcntl, "flock", refuse)
        assert lock_state(run.path) == "unknown"
        assert is_locked(run.path)  # nothing of it may be deleted or taken over
        assert live_state(summarize(run.path)) == PERHAPS_RUNNING
    (run.path / "status.json").write_text(
        json.dumps({"state": "running", "epoch": 3, "time": time.time() - 1e4})
    )

    def give_none(*words):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", give_none)
    assert live_state(summarize(run.path)) == "cannot be told"
    assert miiii.load_run(run.path).status["state"] == "cannot be told"


def test_a_killed_run_says_so_from_python(run):
    found = miiii.load_run(run.path)
    assert found.status["state"] == "killed"
    assert found.status["epoch"] == 3
    assert "killed" in found._repr_html_()
    with run.lock():
        assert found.status["state"] == "running"


def test_a_marker_stands_in_where_there_are_no_locks(run, no_flock, recwarn):
    with run.lock():
        assert lock_state(run.path) == "held"
        note = marker_note(run.path)
        assert "without locks" in note
        assert "\n" not in note
        assert str(run.path / "lock") in note
        with pytest.raises(RunLockedError, match=naming(f"process {os.getpid()}")), run.lock():
            pass
    assert lock_state(run.path) == "free"
    assert marker_note(run.path) == ""
    assert not [w for w in recwarn if "flock" in str(w.message)]


def test_a_marker_of_this_host_is_free_once_its_process_is_gone(run, no_flock, start_python):
    child = start_python("pass", run.path)
    child.wait()
    leave_marker(run, socket.gethostname(), child.pid)
    assert lock_state(run.path) == "free"
    leave_marker(run, socket.gethostname(), os.getpid())
    assert lock_state(run.path) == "held"


def test_a_marker_of_another_host_names_it_and_the_way_out(run, no_flock, capsys):
    leave_marker(run, "node17")
    assert lock_state(run.path) == "unknown"
    with pytest.raises(RunLockedError) as caught, run.lock():
        pass
    text = str(caught.value)
    for part in ("process 4242", "node17", f"remove {run.path / 'lock'}"):
        assert part in text
    runs_dir = str(run.path.parent)
    assert command(["list", "--runs-dir", runs_dir]) == 0
    assert says(capsys.readouterr().out, "as far told")
    assert command(["show", "a", "--runs-dir", runs_dir]) == 0
    shown = capsys.readouterr().out
    assert "node17" in shown
    assert f"remove {run.path / 'lock'}" in shown
    assert "go on with" not in shown


def test_a_file_system_that_gives_no_locks_is_named_with_advice(run, monkeypatch):
    def refuse(*words):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(StorageError, match=naming("locks --runs-dir")), run.lock():
        pass
