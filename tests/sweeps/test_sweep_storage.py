"""Storages: reached or refused, waited for while away, mended where they were cut off."""

import errno
import fcntl
import json
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.exceptions import StorageInternalError
from optuna.study import StudyDirection
from optuna.trial import TrialState
from small_sweeps import make

from miiii import RunError
from miiii.runs.errors import StorageError
from miiii.sweeps.queue import storage
from miiii.sweeps.queue.storage import (
    Journal,
    StorageAwayError,
    hide_password,
    open_storage,
)
from miiii.sweeps.queue.sweep import open_sweep
from wording import naming


@given(st.text(st.characters(categories=["L", "N"]), min_size=1))
def test_a_password_is_never_shown(password):
    shown = hide_password(f"postgresql://me:{password}@host:5432/database")
    assert shown == "postgresql://me:***@host:5432/database"
    assert hide_password("sqlite:///a:b@c") == "sqlite:///a:b@c"


def test_a_server_that_is_not_there_is_refused_with_what_to_do():
    with pytest.raises(StorageAwayError) as refused:
        open_storage("postgresql://me:secret@127.0.0.1:1/trials")
    message = str(refused.value)
    assert "127.0.0.1:1" in message.split("start one with")[0]
    assert "secret" not in message
    assert "pg_ctl" in message
    assert "\n" not in message


@pytest.mark.parametrize("place", ["nonsense://x", "postgresql+nodriver://x/y", "mysql://x/y"])
def test_a_storage_without_a_driver_is_refused(place):
    with pytest.raises(RunError, match="storage"):
        open_storage(place)


def test_a_journal_in_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(StorageAwayError, match="journal file"):
        open_storage(str(tmp_path / "missing" / "journal.log"))


@pytest.fixture
def held_by_a_dead_node(tmp_path, monkeypatch):
    """A journal on a file system without locks whose marker another machine left behind."""

    def refuse(descriptor, how):
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", refuse)
    monkeypatch.setattr(storage, "QUICK_SECONDS", 0.0)
    (tmp_path / "journal.log.flock").write_text("4242\nnode17\n1\n")
    return tmp_path / "journal.log"


def test_a_sweep_on_a_file_system_without_locks_is_refused_at_once(tmp_path, monkeypatch):
    def refuse(descriptor, how):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(StorageError, match=naming("locks --sweeps-dir")):
        make(tmp_path)
    assert not list(tmp_path.rglob("*journal*"))


def test_a_journal_that_stays_locked_is_waited_for_with_a_limit(held_by_a_dead_node):
    journal, told = Journal(str(held_by_a_dead_node), wait=0.3), []
    journal.lock.notify = told.append
    with pytest.raises(StorageAwayError, match="gave up") as refused:
        journal.append_logs([{"op": 1}])
    lock = f"{held_by_a_dead_node}.flock"
    for text in (told[0], str(refused.value)):
        assert "process 4242 on node17" in text
        assert f"remove {lock}" in text
        assert "\n" not in text
    assert len(told) == 1


def test_waiting_for_a_journal_heeds_the_stop_and_goes_on_once_free(
    held_by_a_dead_node, monkeypatch
):
    monkeypatch.setattr(storage, "STOPPING_SECONDS", 0.1)
    opened = open_storage(str(held_by_a_dead_node))
    told = []
    opened.notify = told.append
    opened.stop = lambda: bool(told)
    with pytest.raises(StorageAwayError, match="node17"):
        opened.create_new_study([], "x")
    opened.stop = lambda: False
    opened.notify = lambda message: Path(f"{held_by_a_dead_node}.flock").unlink(missing_ok=True)
    opened.create_new_study([StudyDirection.MINIMIZE], "x")


def test_a_line_that_was_cut_off_is_dropped_before_the_next(tmp_path):
    path = tmp_path / "journal.log"
    journal = Journal(str(path))
    journal.append_logs([{"op": 1}])
    with path.open("ab") as file:
        file.write(b'{"op": 2, "cut')
    Journal(str(path)).append_logs([{"op": 3}])
    assert [json.loads(line) for line in path.read_text().splitlines()] == [{"op": 1}, {"op": 3}]


def test_a_sweep_goes_on_after_its_journal_was_cut_off(tmp_path):
    sweep = make(tmp_path)
    sweep.queue(60).claim(2)
    with (sweep.path / "journal.log").open("ab") as file:
        file.write(b'{"op_code": 6, "worker_id": "x", "tri')
    assert len(open_sweep("probe", tmp_path).queue(60).claim(6)) == 4


def test_what_fails_for_a_while_is_tried_again(tmp_path):
    storage = make(tmp_path).storage
    failures = iter([StorageInternalError("gone"), OSError("gone")])
    said = []
    storage.notify = said.append

    def operation(value):
        for failure in failures:
            raise failure
        return value

    assert storage.patiently(operation, 3) == 3
    assert said == [], "a moment is not worth a line"


def test_what_stays_away_is_given_up_and_so_it_is_on_request(tmp_path):
    storage = make(tmp_path).storage

    def gone():
        raise OSError("gone")

    storage.wait = 0.2
    with pytest.raises(StorageAwayError, match=naming("gave up")):
        storage.patiently(gone)
    storage.wait = 1e6
    storage.stop = lambda: True
    with pytest.raises(StorageAwayError):
        storage.patiently(gone)


def test_a_mistake_is_no_absence(tmp_path):
    storage = make(tmp_path).storage
    with pytest.raises(ZeroDivisionError):
        storage.patiently(lambda: 1 / 0)


@pytest.mark.slow
def test_a_server_that_restarts_is_waited_for(tmp_path, postgres_server, postgres_url):
    sweep = make(tmp_path, postgres_url)
    queue = sweep.queue(60)
    (held,) = queue.claim()
    said = []
    sweep.storage.notify = said.append
    with postgres_server.away():
        result = []
        ending = threading.Thread(
            target=lambda: result.append(queue.end(held.id, TrialState.COMPLETE, [1.0]))
        )
        ending.start()
        ending.join(2.5)
        assert ending.is_alive(), "there is nobody to tell"
    ending.join(30)
    assert result == [True]
    assert sweep.storage.get_trial(held.id).values == [1.0]
    assert "does not answer" in said[0]
    assert "back" in said[-1]
