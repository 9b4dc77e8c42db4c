from __future__ import annotations

import errno
import os
import pickle

import pytest

from miiii.runs.atomic import check_writable, remove_leftovers, write_atomically
from miiii.runs.errors import (
    CheckpointNotFoundError,
    DamagedFileError,
    RunExistsError,
    RunLockedError,
    RunNameError,
    RunNotFoundError,
    StorageError,
)
from wording import naming, says


@pytest.mark.parametrize("data", [b"", b"x", bytes(range(256)) * 5000])
def test_bytes_arrive_and_nothing_else(tmp_path, data):
    write_atomically(tmp_path / "file", data)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_bytes() == data


def test_short_writes_are_continued(tmp_path, monkeypatch):
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, bytes(data)[:7]))
    data = bytes(range(100))
    write_atomically(tmp_path / "file", data)
    assert (tmp_path / "file").read_bytes() == data


def test_file_is_flushed_before_it_is_renamed_and_directory_after(tmp_path, monkeypatch):
    calls = []
    real_sync, real_replace = os.fsync, os.replace
    monkeypatch.setattr(
        os, "fsync", lambda descriptor: (calls.append("fsync"), real_sync(descriptor))
    )
    monkeypatch.setattr(
        os,
        "replace",
        lambda source, target: (calls.append("replace"), real_replace(source, target)),
    )
    write_atomically(tmp_path / "file", b"data")
    assert calls == ["fsync", "replace", "fsync"]


def test_new_file_has_the_ordinary_permissions(tmp_path):
    (tmp_path / "ordinary").write_bytes(b"")
    write_atomically(tmp_path / "file", b"")
    assert (tmp_path / "file").stat().st_mode == (tmp_path / "ordinary").stat().st_mode


@pytest.mark.parametrize("failing", ["open", "write", "fsync", "replace"])
@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.ENOSPC, "disk full space"),
        (errno.EDQUOT, "quota"),
        (errno.EFBIG, "ulimit -f"),
        (errno.EACCES, "permission"),
        (errno.EROFS, "read-only"),
        (errno.EBUSY, os.strerror(errno.EBUSY)),
    ],
)
def test_refusal_is_told_in_words_and_leaves_the_old_bytes(
    tmp_path, monkeypatch, failing, code, words
):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def refuse(*arguments, **options):
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        patch.setattr(os, failing, refuse)
        with pytest.raises(StorageError) as caught:
            write_atomically(path, b"new")
    assert caught.value.path == path
    assert str(path) in str(caught.value)
    assert says(str(caught.value), words)
    assert os.strerror(code) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]
    assert path.read_bytes() == b"old"


def test_interrupt_leaves_the_old_bytes_and_no_temporary_file(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def interrupt(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", interrupt)
        with pytest.raises(KeyboardInterrupt):
            write_atomically(path, b"new")
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]
    assert path.read_bytes() == b"old"


def test_missing_directory_is_a_storage_error(tmp_path):
    with pytest.raises(StorageError, match=naming("file directory missing")):
        write_atomically(tmp_path / "nowhere" / "file", b"data")


def test_cut_off_at_any_point_holds_old_or_new(every_crash):
    def prepare(directory):
        (directory / "file").write_bytes(b"old content")

    def check(directory):
        assert (directory / "file").read_bytes() in (b"old content", b"new content")
        remove_leftovers(directory)
        assert [path.name for path in directory.iterdir()] == ["file"]

    crashes = every_crash(
        prepare, lambda directory: write_atomically(directory / "file", b"new content"), check
    )
    assert crashes >= 4  # open, write, fsync, replace


def test_leftovers_go_and_everything_else_stays(tmp_path):
    kept = [tmp_path / "config.toml", tmp_path / "history" / "x.npz", tmp_path / "a.tmp-1"]
    leftovers = [tmp_path / ".tmp-1", tmp_path / "history" / ".tmp-2"]
    (tmp_path / "history").mkdir()
    for path in kept + leftovers:
        path.write_bytes(b"")
    remove_leftovers(tmp_path, recursive=False)
    assert [path.exists() for path in leftovers] == [False, True]
    remove_leftovers(tmp_path)
    assert not any(path.exists() for path in leftovers)
    assert all(path.exists() for path in kept)


def test_check_writable_leaves_nothing(tmp_path):
    check_writable(tmp_path)
    check_writable(tmp_path / "a" / "b")
    assert list(tmp_path.iterdir()) == []


def test_check_writable_refuses_a_place_below_a_file(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    for path in (tmp_path / "file", tmp_path / "file" / "runs"):
        with pytest.raises(StorageError, match=naming("not directory")):
            check_writable(path)


def test_check_writable_reports_a_refusing_disk(tmp_path, monkeypatch):
    def refuse(*arguments):
        raise PermissionError(errno.EACCES, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)
        with pytest.raises(StorageError, match=naming("permission")):
            check_writable(tmp_path)
        patch.setattr(os, "access", lambda path, mode: False)
        with pytest.raises(StorageError, match=naming("permission")):
            check_writable(tmp_path / "missing")


def test_errors_survive_pickling(tmp_path):
    errors = [
        RunNameError("a/b", "is not allowed"),
        RunExistsError(tmp_path),
        RunNotFoundError("smal", tmp_path, ["small", "paper"]),
        RunLockedError(tmp_path, 7),
        CheckpointNotFoundError(tmp_path, 3, [1, 2]),
        DamagedFileError(tmp_path, "is truncated"),
        StorageError(tmp_path, "the disk is full"),
    ]
    for error in errors:
        copy = pickle.loads(pickle.dumps(error))
        assert type(copy) is type(error)
        assert str(copy) == str(error)
        assert "\n" not in str(error)
