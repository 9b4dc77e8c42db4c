from __future__ import annotations

import os
import re
import time

import numpy as np
import pytest

from miiii import RunError
from miiii.runs.directory import RunDirectory, list_runs
from miiii.runs.errors import (
    DamagedFileError,
    RunExistsError,
    RunLockedError,
    RunNameError,
    RunNotFoundError,
    StorageError,
)
from miiii.runs.jsonfiles import encode_json
from wording import naming

FILES = {
    "config.toml": 'name = "größe"\n'.encode(),
    "provenance.json": b'{"seed": 3}',
    "status.json": b'{"state": "created", "epoch": 0, "heartbeat": "2025-01-01T00:00:00+00:00"}',
}


def create(runs_dir, name="run", **options) -> RunDirectory:
    return RunDirectory.create(runs_dir, name, files=FILES, **options)


def visible(directory) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_new_run_has_its_files_and_directories(tmp_path):
    run = create(tmp_path / "deep" / "runs")
    assert run.path == tmp_path / "deep" / "runs" / "run"
    assert run.name == "run"
    assert visible(run.path) == [
        "checkpoints", "config.toml", "history", "provenance.json", "snapshots", "status.json",
    ]  # fmt: skip
    assert visible(run.path.parent) == ["run"]
    assert run.config_text == 'name = "größe"\n'
    assert run.provenance == {"seed": 3}
    assert run.status["state"] == "created"
    assert run.history() == {}


@pytest.mark.parametrize("name", ["a", "small-3", "_x", "2025.01.01_p-113", "A.b"])
def test_allowed_names(tmp_path, name):
    assert create(tmp_path, name).name == name


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", ".hidden", "-flag", "a/b", "../a", "a\\b", "a b", "a\n", "ä", "a\0", "a" * 201],
)
def test_refused_names(tmp_path, name):
    with pytest.raises(RunNameError, match=naming("run name allowed")):
        create(tmp_path, name)
    assert visible(tmp_path) == []


def test_first_files_stay_in_the_run(tmp_path):
    with pytest.raises(ValueError, match=naming("plain file name")):
        RunDirectory.create(tmp_path / "runs", "run", files={"../config.toml": b""})
    assert visible(tmp_path / "runs") == []


def test_existing_name_is_refused_and_untouched(tmp_path):
    create(tmp_path)
    before = (tmp_path / "run").stat().st_ino
    with pytest.raises(RunExistsError, match=naming("run exists name")):
        create(tmp_path)
    assert (tmp_path / "run").stat().st_ino == before
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "empty").mkdir()
    for name in ("file", "dangling", "empty"):
        with pytest.raises(RunExistsError):
            create(tmp_path, name)


def test_force_moves_the_old_run_aside_with_all_it_has(tmp_path):
    old = create(tmp_path)
    old.save_checkpoint(5, {"weights": np.arange(3.0)}, {})
    with old.lock():
        pass
    create(tmp_path, force=True)
    create(tmp_path, force=True)
    names = visible(tmp_path)
    assert len(names) == 3
    assert all(re.fullmatch(r"run(\.replaced-\d{8}-\d{6}(-2)?)?", name) for name in names)
    runs = [RunDirectory.open(tmp_path, name) for name in names]
    assert sorted(run.checkpoint_epochs() for run in runs) == [[], [], [5]]
    assert RunDirectory.open(tmp_path, "run").checkpoint_epochs() == []


def test_force_moves_aside_even_what_is_no_run(tmp_path):
    (tmp_path / "run").write_bytes(b"precious")
    create(tmp_path, force=True)
    (aside,) = tmp_path.glob("run.replaced-*")
    assert aside.read_bytes() == b"precious"


def test_force_refuses_a_run_in_use(tmp_path):
    run = create(tmp_path)
    with run.lock(), pytest.raises(RunLockedError):
        create(tmp_path, force=True)
    assert visible(tmp_path) == ["run"]


def test_two_that_create_the_same_run_at_once(tmp_path, monkeypatch):
    real = os.rename

    def rename_late(source, target):
        monkeypatch.setattr(os, "rename", real)
        create(tmp_path)  # the other one is faster
        real(source, target)

    monkeypatch.setattr(os, "rename", rename_late)
    with pytest.raises(RunExistsError):
        create(tmp_path)
    assert visible(tmp_path) == ["run"]


def test_creation_cut_off_at_any_point(every_crash):
    def check(directory):
        runs = list_runs(directory)
        assert [run.state for run in runs] in ([], ["created"])
        if runs:
            run = RunDirectory.open(directory, "run")
            assert {name: (run.path / name).read_bytes() for name in FILES} == FILES
            with run.lock():
                run.save_checkpoint(1, {"weights": np.zeros(2)}, {})
        else:
            create(directory)
        assert [run.name for run in list_runs(directory)] == ["run"]

    assert every_crash(lambda directory: None, create, check) >= 4 + 3 * 4 + 1


def test_replacement_cut_off_at_any_point(every_crash):
    def prepare(directory):
        old = create(directory)
        with old.lock():
            old.save_checkpoint(5, {"weights": np.arange(3.0)}, {})

    def check(directory):
        runs = [RunDirectory.open(directory, run.name) for run in list_runs(directory)]
        assert all(run.status["state"] == "created" for run in runs)
        (kept,) = [run for run in runs if run.checkpoint_epochs() == [5]]
        assert kept.load_checkpoint().arrays["weights"].tolist() == [0, 1, 2]
        create(directory, force=True)

    crashes = every_crash(prepare, lambda directory: create(directory, force=True), check)
    assert crashes >= 4 + 3 * 4 + 2


def test_abandoned_half_made_runs_are_cleared_away_later(tmp_path):
    for name, age in ((".tmp-new", 60), (".tmp-old", 7200)):
        (tmp_path / name / "history").mkdir(parents=True)
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    create(tmp_path)
    assert visible(tmp_path) == [".tmp-new", "run"]


def test_runs_directory_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="file"):
        create(tmp_path / "file" / "runs")


def test_open_by_name_by_path_and_from_within(tmp_path, monkeypatch):
    run = create(tmp_path / "runs", "small-1")
    assert RunDirectory.open(tmp_path / "runs", "small-1") == run
    assert RunDirectory.open(tmp_path / "elsewhere", run.path) == run
    assert RunDirectory.open(tmp_path / "elsewhere", str(run.path)) == run
    monkeypatch.chdir(run.path)
    assert RunDirectory.open(tmp_path / "elsewhere", ".").name == "small-1"
    with pytest.raises(RunNotFoundError):
        RunDirectory.open(tmp_path / "elsewhere", "")


def test_unknown_run_is_answered_with_the_nearest(tmp_path):
    create(tmp_path, "small-1")
    create(tmp_path, "paper")
    with pytest.raises(RunNotFoundError, match=naming("'smal-1' 'small-1'")):
        RunDirectory.open(tmp_path, "smal-1")
    with pytest.raises(RunNotFoundError, match=naming("'paper'")):
        RunDirectory.open(tmp_path, "runs/papr")
    (tmp_path / "not-a-run").mkdir()
    for name in ("zzz", "", "..", "not-a-run", "x" * 5000, "a\0"):
        with pytest.raises(RunNotFoundError):
            RunDirectory.open(tmp_path, name)
    with pytest.raises(RunNotFoundError):
        RunDirectory.open(tmp_path / "missing", "run")


def test_status_is_replaced_and_survives_odd_numbers(tmp_path):
    run = create(tmp_path)
    run.write_status({"state": "running", "epoch": np.int64(7), "loss": [np.float32(0.5), np.nan]})
    assert run.status == {"state": "running", "epoch": 7, "loss": [0.5, None]}
    run.write_json("extra.json", {"where": tmp_path, "grid": np.eye(2), "text": "λ"})
    assert run.status["epoch"] == 7
    assert encode_json({"text": "λ"}) == b'{\n  "text": "\xce\xbb"\n}\n'
    with pytest.raises(TypeError):
        run.write_status({"state": object()})
    assert run.status["epoch"] == 7


def test_status_cut_off_at_any_point(every_crash):
    def check(directory):
        assert RunDirectory(directory / "run").status["state"] in ("created", "running")

    crashes = every_crash(
        create,
        lambda directory: RunDirectory(directory / "run").write_status({"state": "running"}),
        check,
    )
    assert crashes >= 4


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "missing"),
        (b"", "valid JSON"),
        (b'{"state": "run', "valid JSON"),
        (b"[1]", "holds JSON list"),
        (b"\xff\xfe", "UTF-8"),
        (b"[" * 100_000, "valid JSON"),
    ],
)
def test_damaged_records_are_named(tmp_path, content, words):
    run = create(tmp_path)
    for name in ("status.json", "provenance.json"):
        (run.path / name).unlink()
        if content is not None:
            (run.path / name).write_bytes(content)
        with pytest.raises(DamagedFileError, match=naming(f"{name} {words}")) as caught:
            _ = run.status if name == "status.json" else run.provenance
        assert "\n" not in str(caught.value)


def test_damaged_configuration_is_named(tmp_path):
    run = create(tmp_path)
    (run.path / "config.toml").write_bytes(b"\xff")
    with pytest.raises(DamagedFileError, match=naming("config.toml UTF-8")):
        _ = run.config_text


def test_history_goes_through_the_directory(tmp_path):
    run = create(tmp_path)
    for first in (1, 4):
        epochs = np.arange(first, first + 3)
        run.append_history(first, first + 2, {"epoch": epochs, "train_loss": epochs[:, None] / 2})
    assert run.history()["train_loss"].tolist() == [[0.5], [1], [1.5], [2], [2.5], [3]]
    assert run.history(last=2)["epoch"].tolist() == [1, 2]
    run.truncate_history(5)
    assert run.history()["epoch"].tolist() == [1, 2, 3, 4, 5]


def test_list_of_runs(tmp_path):
    assert list_runs(tmp_path / "missing") == []
    create(tmp_path, "b").write_status({"state": "running", "epoch": 12, "heartbeat": 3.5})
    create(tmp_path, "a")
    for name, status in {
        "no-status": None,
        "half": b'{"state": "ru',
        "no-state": b'{"epoch": 3}',
        "odd-epoch": b'{"state": "running", "epoch": "three"}',
        "odd-heartbeat": b'{"state": "running", "heartbeat": []}',
    }.items():
        run = create(tmp_path, name)
        (run.path / "status.json").unlink()
        if status is not None:
            (run.path / "status.json").write_bytes(status)
    (tmp_path / "only-config").mkdir()
    (tmp_path / "only-config" / "config.toml").write_bytes(b"")
    (tmp_path / "not-a-run").mkdir()
    (tmp_path / ".tmp-1").mkdir()
    (tmp_path / ".tmp-1" / "config.toml").write_bytes(b"")
    (tmp_path / "file").write_bytes(b"")
    runs = {run.name: run for run in list_runs(tmp_path)}
    assert list(runs) == sorted(runs)
    damaged = {name for name, run in runs.items() if run.state == "damaged"}
    assert damaged == {
        "no-status", "half", "no-state", "odd-epoch", "odd-heartbeat", "only-config",
    }  # fmt: skip
    assert all("status.json" in (runs[name].problem or "") for name in damaged)
    assert set(runs) == damaged | {"a", "b"}
    assert (runs["b"].state, runs["b"].epoch, runs["b"].heartbeat) == ("running", 12, 3.5)
    assert (runs["a"].epoch, runs["a"].problem) == (0, None)
    assert runs["a"].path == tmp_path / "a"


def test_list_of_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(RunError, match="cannot read"):
        list_runs(tmp_path / "file")
