"""The script for a GPU, at a small size on the CPU: what it leaves can be read and is right."""

import json

import numpy as np
import pytest
from benchmarks import paper_on_gpu

from miiii.studies.study import open_study


@pytest.mark.thorough
@pytest.mark.slow
def test_it_trains_measures_and_leaves_what_can_be_taken_home(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(paper_on_gpu, "SPEED_SECONDS", 0.1)
    monkeypatch.setattr(paper_on_gpu, "PART_BYTES", 100_000)
    monkeypatch.setattr(paper_on_gpu, "WHOLE_BYTES", 1_500_000)
    folder, work = tmp_path / "home", tmp_path / "work"
    words = [str(folder), "--work", str(work), "--seeds", "2", "--speeds", "1", "2"]
    paper_on_gpu.main([*words, "--seconds", "400", "--studies", "small:tiny"])
    printed = capsys.readouterr().out
    assert "tiny, 1 seeds" in printed
    assert "epochs/s" in printed
    assert "gpu-tiny: finished, 6 runs, 400 epochs" in printed

    runs = [run for group in open_study("gpu-tiny", work).runs().values() for run in group]
    assert len(runs) == 6
    record = json.loads((folder / "runs.json").read_text())
    assert [speed["seeds"] for speed in record["speeds"]] == [1, 2]
    told = {item["run"]: item for item in record["runs"]["gpu-tiny"]}
    for run in runs:
        first = run.history.validation_accuracy[:, 0] >= 0.9
        expected = int(run.history.validation_epoch[first.argmax()]) if first.any() else None
        assert told[run.name]["first_0.9"][str(run.history.moduli[0])] == expected
        assert told[run.name]["epoch"] == 400
    with np.load(folder / "gpu-tiny-histories.npz") as kept:
        assert {key.split("/")[0] for key in kept} == {run.name for run in runs}
    ledger = json.loads((folder / "gpu-tiny-ledger.json").read_text())
    assert len(ledger["findings"]) == 19
    measured = json.loads((folder / "gpu-tiny-measurements.json").read_text())
    assert set(measured) == {run.name for run in runs}

    # The last weights of T_miiii come first, and everything fits.
    own = next(run for run in runs if run.name == "miiii-seed0")
    parts = sorted(folder.glob("snapshots-*.npz"))
    assert len(parts) > 1
    with np.load(parts[0]) as kept:
        weights, _ = own.directory.load_snapshot(400)
        for name, array in weights.items():
            np.testing.assert_array_equal(kept[f"gpu-tiny/miiii-seed0/400/{name}"], array)
    assert sum(path.stat().st_size for path in folder.iterdir()) < 1_500_000


@pytest.mark.slow
def test_when_the_time_is_over_what_is_trained_is_saved(tmp_path, capsys):
    folder, work = tmp_path / "home", tmp_path / "work"
    words = [str(folder), "--work", str(work), "--seeds", "1", "--speeds"]
    paper_on_gpu.main([*words, "--seconds", "0.5", "--studies", "small:mini"])
    assert "gpu-mini: interrupted" in capsys.readouterr().out
    record = json.loads((folder / "runs.json").read_text())
    assert all(item["epoch"] < item["epochs"] for item in record["runs"]["gpu-mini"])
