from __future__ import annotations

import shutil

import numpy as np
import pytest

from miiii.runs.directory import RunDirectory
from miiii.runs.errors import CheckpointNotFoundError, DamagedFileError
from wording import naming, says

EXPECTED = {"weights": ((3,), "float32"), "step": ((), "int64")}


def state(epoch: int) -> dict[str, np.ndarray]:
    return {
        "weights": np.array([epoch, epoch / 3, -epoch], dtype=np.float32),
        "step": np.array(epoch, dtype=np.int64),
    }


@pytest.fixture
def run(tmp_path) -> RunDirectory:
    return RunDirectory.create(tmp_path, "run")


def save(run: RunDirectory, *epochs: int, identity: str = "mine") -> None:
    for epoch in epochs:
        run.save_checkpoint(epoch, state(epoch), {"identity": identity})


def load(run: RunDirectory, epoch: int | None = None):
    return run.load_checkpoint(epoch, EXPECTED, identity="mine")


def damage(run: RunDirectory, epoch: int) -> None:
    path = run.checkpoint_path(epoch)
    data = bytearray(path.read_bytes())
    data[-1] ^= 0x10
    path.write_bytes(data)


def test_newest_is_loaded_and_the_newest_two_are_kept(run):
    for epoch in (0, 10, 20, 30):
        save(run, epoch)
        found, arrays, metadata, warnings = load(run)
        assert found == epoch
        assert {name: array.tolist() for name, array in arrays.items()} == {
            name: array.tolist() for name, array in state(epoch).items()
        }
        assert metadata == {"identity": "mine", "epoch": str(epoch)}
        assert warnings == []
    assert run.checkpoint_epochs() == [20, 30]
    assert load(run, 20).epoch == 20


def test_run_without_checkpoint(run):
    with pytest.raises(CheckpointNotFoundError, match=naming("checkpoint")):
        load(run)
    save(run, 5)
    with pytest.raises(CheckpointNotFoundError, match=naming("epoch 6 5")):
        load(run, 6)


def test_damaged_newest_gives_way_to_the_one_before(run):
    save(run, 10, 20)
    damage(run, 20)
    found, arrays, _, (warning,) = load(run)
    assert found == 10
    assert arrays["step"] == 10
    assert "000000020.safetensors was altered" in warning
    assert "epoch 10" in warning
    assert run.checkpoint_epochs() == [10, 20]


def test_checkpoint_of_another_run_gives_way(run, tmp_path):
    other = RunDirectory.create(tmp_path, "other")
    save(other, 20, identity="theirs")
    save(run, 10)
    shutil.copy(other.checkpoint_path(20), run.checkpoint_path(20))
    found, _, _, (warning,) = load(run)
    assert found == 10
    assert says(warning, "000000020.safetensors another run")
    assert "'theirs'" in warning


def test_checkpoint_without_identity_gives_way(run):
    save(run, 10)
    run.save_checkpoint(20, state(20), {})
    assert load(run).epoch == 10
    assert run.load_checkpoint().epoch == 20


def test_checkpoint_of_other_shapes_gives_way(run):
    save(run, 10)
    arrays = {**state(20), "weights": np.zeros(4, np.float32)}
    run.save_checkpoint(20, arrays, {"identity": "mine"})
    found, _, _, (warning,) = load(run)
    assert found == 10
    assert "'weights' of shape (4,), expected (3,)" in warning


def test_checkpoint_under_a_wrong_name_gives_way(run):
    save(run, 10)
    shutil.copy(run.checkpoint_path(10), run.checkpoint_path(20))
    found, _, _, (warning,) = load(run)
    assert found == 10
    assert "000000020.safetensors is of epoch 10, not 20" in warning


def test_all_damaged_are_all_named(run):
    save(run, 10, 20)
    damage(run, 10)
    run.checkpoint_path(20).write_bytes(b"")
    with pytest.raises(DamagedFileError) as caught:
        load(run)
    assert "000000010.safetensors was altered" in str(caught.value)
    assert "000000020.safetensors is truncated" in str(caught.value)


def test_named_epoch_is_not_replaced_by_another(run):
    save(run, 10, 20)
    damage(run, 20)
    with pytest.raises(DamagedFileError, match=naming("000000020.safetensors altered")):
        load(run, 20)


def test_damaged_newest_does_not_push_out_the_good_one(run):
    save(run, 10, 20)
    damage(run, 20)
    # The run resumes from 10 and saves before it reaches 20 again.
    save(run, 15)
    assert run.checkpoint_epochs() == [10, 15, 20]
    assert load(run).epoch == 15
    save(run, 20)
    assert (load(run).epoch, load(run).warnings) == (20, [])
    assert run.checkpoint_epochs() == [15, 20]


def test_set_aside_keeps_the_bytes_out_of_the_way(run):
    for expected in ("000000020.safetensors.damaged", "000000020.safetensors.2.damaged"):
        save(run, 10, 20)
        damage(run, 20)
        data = run.checkpoint_path(20).read_bytes()
        aside = run.set_aside(run.checkpoint_path(20))
        assert aside.name == expected
        assert aside.read_bytes() == data
        assert run.checkpoint_epochs() == [10]
        assert load(run).warnings == []


def test_foreign_files_in_the_directory_are_passed_over(run):
    save(run, 10)
    for name in ("notes.safetensors", "12.safetensors", ".tmp-00", "000000011.safetensors.damaged"):
        (run.path / "checkpoints" / name).write_bytes(b"")
    assert run.checkpoint_epochs() == [10]
    assert load(run).warnings == []


def test_negative_epoch_is_refused(run):
    with pytest.raises(ValueError, match=naming("epoch 0 -1")):
        save(run, -1)


def test_snapshots(run):
    for epoch in (0, 1, 2, 4, 8):
        run.save_snapshot(epoch, state(epoch), {"identity": "mine"})
    assert run.snapshot_epochs() == [0, 1, 2, 4, 8]
    arrays, metadata = run.load_snapshot(4, EXPECTED, identity="mine")
    assert arrays["step"] == 4
    assert metadata == {"identity": "mine", "epoch": "4"}
    run.remove_snapshots_after(2)
    assert run.snapshot_epochs() == [0, 1, 2]
    assert run.checkpoint_epochs() == []
    with pytest.raises(DamagedFileError, match=naming("000000004.safetensors missing")):
        run.load_snapshot(4)


def test_saving_cut_off_at_any_point(every_crash):
    def prepare(directory):
        save(RunDirectory.create(directory, "run"), 10, 20)

    def check(directory):
        run = RunDirectory(directory / "run")
        loaded = load(run)
        assert loaded.epoch in (20, 30)
        assert loaded.arrays["step"] == loaded.epoch
        assert loaded.warnings == []
        assert len(run.checkpoint_epochs()) >= 2
        save(run, 30)
        assert run.checkpoint_epochs() == [20, 30]

    crashes = every_crash(
        prepare, lambda directory: save(RunDirectory(directory / "run"), 30), check
    )
    assert crashes >= 5  # open, write, fsync, replace, removal of the oldest
