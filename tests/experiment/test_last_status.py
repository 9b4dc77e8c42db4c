"""A process that is killed after the last checkpoint and before the last status has finished."""

import pytest

from miiii import get_preset, replace_fields, resume, start
from miiii.runs.directory import RunDirectory
from miiii.runs.listing import summarize

CONFIG = replace_fields(get_preset("tiny"), base=7, width=8, heads=2, epochs=6, snapshots=2)


@pytest.mark.parametrize("names", [["a"], ["a", "b"]])
def test_resuming_says_what_the_killed_process_could_not(tmp_path, names):
    start([replace_fields(CONFIG, seed=seed) for seed, _ in enumerate(names)], names, tmp_path)
    directory = RunDirectory(tmp_path / names[-1])
    whole = directory.status
    early = {"state": "running", "epoch": 3, "validation_accuracy": 0.1, "train_accuracy": 0.1}
    directory.write_status({**whole, **early})
    others = [(tmp_path / name / "status.json").read_bytes() for name in names[:-1]]
    files = {path: path.read_bytes() for path in directory.path.rglob("*/*") if path.is_file()}
    assert resume(names[-1], tmp_path).state == "finished"
    moving = ("time", "heartbeat")
    assert {key: value for key, value in directory.status.items() if key not in moving} == {
        key: value for key, value in whole.items() if key not in moving
    }
    assert summarize(directory.path).is_over(6)
    assert others == [(tmp_path / name / "status.json").read_bytes() for name in names[:-1]]
    assert files == {
        path: path.read_bytes() for path in directory.path.rglob("*/*") if path.is_file()
    }
