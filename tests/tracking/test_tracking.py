"""Trackers: what they are told, that no epoch comes twice, and that training takes no notice."""

import struct
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from command import assert_equal_runs
from miiii import get_preset, load_run, replace_fields, resume, start
from miiii.cli.main import run
from miiii.experiment.progress import Silent
from miiii.runs.directory import RunDirectory
from miiii.tracking.following import SPEED, TrackedProgress, track_stored
from miiii.tracking.loading import load_trackers
from miiii.tracking.scalars import epoch_scalars, grid_index, is_tracked
from results.stored_runs import history, store
from wording import naming, says

CONFIG = replace_fields(
    get_preset("tiny"), base=7, width=8, heads=2, epochs=150, snapshots=4, validate_every=1
)


def grid(last):
    """1, 2, … 100, then about a hundredth of the epoch between two."""
    points = list(range(1, 101))
    steps = {200: 1, 500: 2, 1000: 5, 2000: 10, 5000: 20, 10_000: 50, 20_000: 100, 50_000: 200}
    for end, step in steps.items():
        points += range(points[-1] + step, end + 1, step)
    return [point for point in points if point <= last]


def test_the_grid():
    points = grid(50_000)
    epochs = np.arange(50_001)
    expected = np.searchsorted(points, epochs, side="right")
    np.testing.assert_array_equal(grid_index(epochs), expected)
    assert len(points) < 1200
    np.testing.assert_array_equal(np.flatnonzero(is_tracked(epochs[1:], 1)) + 1, points)


@pytest.mark.parametrize("every", [1, 3, 7, 50])
def test_a_sparse_series_is_tracked_at_the_first_epoch_after_each_point(every):
    series = np.arange(every, 3001, every)
    wanted = {min(epoch for epoch in series if epoch >= point) for point in grid(3000 - every)}
    found = set(series[is_tracked(series, every)].tolist())
    assert wanted <= found
    assert all(any(e - every < point <= e for point in grid(3000)) for e in found)


def rows_of(last, config=CONFIG):
    return history(config, last)


def cut(rows, first, last):
    """The rows of epochs first to last."""
    return {
        key: value[(rows[index] >= first) & (rows[index] <= last)]
        for key, value in rows.items()
        for index in ["validation_epoch" if key.startswith("validation") else "epoch"]
    }


@given(st.lists(st.integers(1, 299), max_size=6))
def test_pieces_say_what_the_whole_says(cuts):
    rows = rows_of(300)
    tasks, weights = ["2", "3", "5"], [str(i) for i in range(rows["gradient_norm"].shape[1])]
    whole = list(epoch_scalars(rows, tasks, weights, 1))
    edges = [0, *sorted(set(cuts)), 300]
    pieces = [
        found
        for low, high in pairwise(edges)
        for found in epoch_scalars(cut(rows, low + 1, high), tasks, weights, 1)
    ]
    assert pieces == whole
    assert [epoch for epoch, _ in whole] == grid(300)


def test_numbers_have_names_and_those_that_are_not_finite_are_left_out():
    rows = rows_of(2)
    rows["train_loss"][1, 0] = np.nan
    found = dict(
        epoch_scalars(
            rows, ["2", "3", "5"], list("abcdefghijklm"[: rows["gradient_norm"].shape[1]]), 1
        )
    )
    assert found[1]["validation_accuracy/3"] == rows["validation_accuracy"][0, 1]
    assert found[1]["gradient_norm/b"] == rows["gradient_norm"][0, 1]
    assert found[2]["mean/validation_loss"] == pytest.approx(rows["validation_loss"][1].mean())
    assert "train_loss/2" not in found[2]
    assert "mean/train_loss" not in found[2]
    assert "train_loss/3" in found[2]


def test_raw_weights_beside_an_average_have_names_of_their_own():
    rows = rows_of(3)
    tasks, weights = ["2", "3", "5"], [str(i) for i in range(rows["gradient_norm"].shape[1])]
    without = dict(epoch_scalars(rows, tasks, weights, 1))
    shape = rows["validation_loss"].shape
    planted = {
        "validation_raw_loss": np.arange(9.0).reshape(shape),
        "validation_raw_accuracy": np.arange(9.0).reshape(shape) / 9,
    }
    found = dict(epoch_scalars(rows | planted, tasks, weights, 1))
    assert found[2]["validation_raw_loss/3"] == 4
    assert found[3]["validation_raw_accuracy/5"] == 8 / 9
    assert found[1]["mean/validation_raw_loss"] == 1
    for epoch, scalars in found.items():
        others = {name: value for name, value in scalars.items() if "raw" not in name}
        assert others == without[epoch]
        assert len(scalars) - len(others) == 8


class Keeps:
    """A tracker that remembers; the class keeps what all of them were told."""

    told: list = []  # noqa: RUF012
    last = 0

    def started(self, run):
        self.told.append(("started", run.name, run.done))
        return self.last

    def logged(self, epoch, scalars):
        self.told.append((epoch, scalars))

    def ended(self, state):
        self.told.append(("ended", state))


class Breaks(Keeps):
    def logged(self, epoch, scalars):
        raise OSError("no\nconnection")


class Warned(Silent):
    def __init__(self):
        self.messages = []
        self.done = 0

    def advanced(self, report):
        self.done = report.done

    def warned(self, message):
        self.messages.append(message)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The same run thrice: alone; tracked; tracked, interrupted, and gone on with."""
    folder = tmp_path_factory.mktemp("tracked")
    start([CONFIG], ["alone"], folder)
    trackers = (*load_trackers("tensorboard"), Keeps, Breaks)
    Keeps.told = []
    progress = TrackedProgress(screen := Warned(), trackers)
    progress.ended(start([CONFIG], ["tracked"], folder, progress=progress).state)
    seen = {"tracked": Keeps.told, "warnings": screen.messages}
    progress = TrackedProgress(screen := Warned(), load_trackers("tensorboard"))
    stop = lambda: screen.done >= 20  # noqa: E731
    outcome = start([CONFIG], ["broken"], folder, progress=progress, stop=stop)
    assert 0 < outcome.done < CONFIG.training.epochs
    seen["done"] = outcome.done
    progress.ended("interrupted")
    # A killed process would have written on, and left half an event.
    (path,) = (folder / "broken" / "tensorboard").iterdir()
    late = record(event(outcome.done + 1, {"train_loss/2": 7.0}))
    path.write_bytes(path.read_bytes() + late + late[:-3])
    progress = TrackedProgress(Silent(), load_trackers("tensorboard"))
    progress.ended(resume("broken", folder, progress=progress).state)
    return folder, seen


def crc(data):
    """CRC-32C, bit by bit."""
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
    value ^= 0xFFFFFFFF
    return (((value >> 15) | (value << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def event(step, scalars):
    from tensorboardX.proto.event_pb2 import Event
    from tensorboardX.proto.summary_pb2 import Summary

    values = [Summary.Value(tag=name, simple_value=value) for name, value in scalars.items()]
    return Event(step=step, summary=Summary(value=values)).SerializeToString()


def record(body):
    head = struct.pack("<Q", len(body))
    return head + struct.pack("<I", crc(head)) + body + struct.pack("<I", crc(body))


def events(path):
    """(epoch, numbers by name) of the run's only event file, each record's checksums checked."""
    from tensorboardX.proto.event_pb2 import Event

    (file,) = (Path(path) / "tensorboard").iterdir()
    data, found = file.read_bytes(), []
    while data:
        (length,) = struct.unpack("<Q", data[:8])
        body = data[12 : 12 + length]
        assert data[: 16 + length] == record(body)
        read = Event.FromString(body)
        if found or read.step:
            found.append((read.step, {one.tag: one.simple_value for one in read.summary.value}))
        data = data[16 + length :]
    return found


def test_training_takes_no_notice(trained):
    folder, _ = trained
    assert_equal_runs(folder / "alone", folder / "tracked")
    assert_equal_runs(folder / "alone", folder / "broken")


def test_a_tracker_is_told_every_epoch_of_the_grid_once(trained):
    folder, seen = trained
    told = seen["tracked"]
    assert told[0] == ("started", "tracked", 0)
    assert told[-1] == ("ended", "finished")
    logged = [entry for entry in told if isinstance(entry[0], int)]
    assert [epoch for epoch, _ in logged] == grid(150)
    run = load_run(folder / "tracked")
    for epoch, scalars in logged:
        for column, modulus in enumerate(run.history.moduli):
            assert scalars[f"train_loss/{modulus}"] == run.history.train_loss[epoch - 1, column]
        for column, weight in enumerate(run.history.weight_names):
            norm = run.history.gradient_norm[epoch - 1, column]
            assert scalars[f"gradient_norm/{weight}"] == norm
        assert scalars[SPEED] > 0


def test_a_tracker_that_breaks_is_let_go_and_training_goes_on(trained):
    folder, seen = trained
    (warning,) = seen["warnings"]
    assert says(warning, "tracked no longer no connection")
    assert RunDirectory(folder / "tracked").status["state"] == "finished"


def test_tensorboard_has_every_epoch_once_though_the_run_was_killed(trained):
    folder, seen = trained
    one, other = events(folder / "tracked"), events(folder / "broken")
    assert [epoch for epoch, _ in other] == [epoch for epoch, _ in one] == grid(150)
    for (_, left), (_, right) in zip(one, other, strict=True):
        left.pop(SPEED), right.pop(SPEED)
        assert left == right
    assert seen["done"] + 1 in dict(other)


def test_a_stored_run_can_be_tracked_afterwards_and_again(trained, capsys):
    folder, _ = trained
    (make,) = load_trackers("tensorboard")
    run = load_run(folder / "alone")
    assert track_stored(run, make, pytest.fail) == len(grid(150))
    before = events(folder / "alone")
    speeds = [scalars.pop(SPEED) for _, scalars in events(folder / "tracked")]
    assert len(speeds) == len(before)
    assert [epoch for epoch, _ in before] == grid(150)
    assert track_stored(run, make, pytest.fail) == 0
    assert events(folder / "alone") == before


def test_files_of_others_are_left_alone(tmp_path):
    path = store(tmp_path, "run", CONFIG, ())
    (path / "tensorboard").mkdir()
    mine = path / "tensorboard" / "events.out.tfevents.1.mine"
    mine.write_bytes(b"mine")
    (make,) = load_trackers("tensorboard")
    track_stored(load_run(path), make, pytest.fail)
    assert mine.read_bytes() == b"mine"
    assert len(list((path / "tensorboard").iterdir())) == 2


def test_a_tracker_that_has_epochs_is_told_the_others(tmp_path, monkeypatch):
    path = store(tmp_path, "run", CONFIG, ())
    monkeypatch.setattr(Keeps, "last", 140)
    monkeypatch.setattr(Keeps, "told", [])
    assert track_stored(load_run(path), Keeps, pytest.fail) == 10
    assert [entry[0] for entry in Keeps.told] == ["started", *range(141, 151), "ended"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["track", "run", "--to", "tensorbord"], "--to 'tensorbord' tensorboard"),
        (["track", "run", "--to", ""], "--to empty"),
        (["track", "run", "--to", "json:nope"], "--to 'json:nope' imported"),
        (["track", "run", "--to", "json:loads"], "lacks started logged ended"),
        (["track", "rum"], "'rum' runs 'run'"),
        (["train", "--track", "wandb"], "--track 'wandb' tensorboard"),
        (["resume", "run", "--track", "a:"], "--track 'a:' tensorboard"),
    ],
)
def test_refusals(tmp_path, monkeypatch, capsys, words, message):
    store(tmp_path / "runs", "run", CONFIG, ())
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    assert run(words) == 2
    error = capsys.readouterr().err
    assert says(error, message)
    assert error.count("\n") == 1
    assert sorted(tmp_path.rglob("*")) == before


def test_without_the_extra_its_name_is_given(monkeypatch):
    monkeypatch.setattr("miiii.tracking.loading.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=naming("pip install 'miiii[track]'")):
        load_trackers("tensorboard")


def test_a_class_of_ones_own_is_found_in_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "my_tracker.py").write_text(
        "class Mine:\n    def started(self, run): return 0\n"
        "    def logged(self, epoch, scalars): pass\n    def ended(self, state): pass\n"
    )
    (make,) = load_trackers("my_tracker:Mine")
    assert make.__name__ == "Mine"
