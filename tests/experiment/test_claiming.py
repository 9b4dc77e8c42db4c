"""The first run that no process holds is trained, once, though another process comes between."""

import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from miiii import Outcome, get_preset, replace_fields
from miiii.experiment import claiming, training
from miiii.experiment.claiming import train_first_free
from miiii.experiment.members import new_member
from miiii.experiment.progress import Silent
from miiii.runs.errors import RunExistsError, RunLockedError
from miiii.runs.locking import lock_directory
from wording import naming

CONFIG = replace_fields(get_preset("tiny"), base=7, width=8, heads=2, epochs=6, snapshots=2)


def group(*names):
    return names, [replace_fields(CONFIG, seed=seed) for seed, _ in enumerate(names)]


@pytest.fixture
def trained(monkeypatch):
    """What was started and resumed, in order, instead of training."""
    calls = []

    def start(configs, names, runs_dir, **options):
        calls.append(("start", *names))
        return Outcome("finished", (), 6)

    def resume(name, runs_dir, **options):
        calls.append(("resume", name, options["config"]))
        with lock_directory(runs_dir / name):
            return Outcome("finished", (), 6)

    monkeypatch.setattr(claiming.training, "start", start)
    monkeypatch.setattr(claiming.training, "resume", resume)
    return calls


def make(runs_dir: Path, name: str) -> Path:
    return new_member(runs_dir, name, CONFIG, False, [], "", ([name], 0)).directory.path


def train(runs_dir, *groups, patience=0.0, **options):
    return train_first_free(
        lambda: groups, runs_dir, patience=patience, progress=lambda _: Silent(), **options
    )


def test_what_is_there_goes_on_and_what_is_missing_is_started(tmp_path, trained):
    make(tmp_path, "a")
    assert train(tmp_path) is None
    train(tmp_path, group("a"), group("b"))
    train(tmp_path, group("a"), strict=True)
    train(tmp_path, group("b", "c"))
    assert trained == [("resume", "a", None), ("resume", "a", CONFIG), ("start", "b", "c")]


def test_what_others_hold_is_passed_over(tmp_path, trained):
    with lock_directory(make(tmp_path, "a")):
        assert train(tmp_path, group("a"), group("b"), patience=60.0) is not None
    assert trained == [("start", "b")]


def test_where_all_is_held_it_is_waited_for(tmp_path, trained):
    began = time.monotonic()
    with (
        lock_directory(make(tmp_path, "a")),
        pytest.raises(RunLockedError, match=naming("a use process")),
    ):
        train(tmp_path, group("a"), patience=0.3)
    assert time.monotonic() - began >= 0.3
    with lock_directory(tmp_path / "a"), pytest.raises(RunLockedError):
        train(tmp_path, group("a"), patience=60.0, stop=lambda: True)
    holding = lock_directory(tmp_path / "a")
    holding.__enter__()

    def left():
        if time.monotonic() > began + 1.0:
            holding.__exit__(None, None, None)
        return [group("a")]

    trained.clear()
    train_first_free(left, tmp_path, patience=60.0, progress=lambda _: Silent())
    assert trained == [("resume", "a", None)]


def test_what_somebody_makes_meanwhile_is_theirs(tmp_path, trained, monkeypatch):
    def start(configs, names, runs_dir, **options):
        if names == ("a",):
            raise RunExistsError(runs_dir / "a")
        return Outcome("finished", (), 6)

    monkeypatch.setattr(claiming.training, "start", start)
    assert train(tmp_path, group("a"), group("b")) is not None
    with pytest.raises(RunLockedError, match=naming("a use")):
        train(tmp_path, group("a"))


def test_a_run_that_another_takes_before_its_maker_stays(tmp_path, monkeypatch):
    """Between a directory's making and its locking somebody may find and hold it."""
    real = training.new_member

    @contextmanager
    def taken():
        with lock_directory(tmp_path / "a"):
            yield

    holding = taken()

    def made_and_found(*words):
        member = real(*words)
        holding.__enter__()
        return member

    monkeypatch.setattr(training, "new_member", made_and_found)
    with pytest.raises(RunLockedError):
        training.start([CONFIG], ["a"], tmp_path)
    assert (tmp_path / "a" / "config.toml").exists()
    holding.__exit__(None, None, None)
