"""Every snapshot of a run, out and in again."""

import json

import numpy as np

from miiii import get_preset, load_run, replace_fields
from miiii.cli.main import run
from results.stored_runs import store
from wording import says

CONFIG = replace_fields(
    get_preset("nanda"), base=7, width=8, heads=2, epochs=24, validation_size=8, operation="divide"
)


def test_they_come_back_as_one_run(tmp_path, capsys):
    runs = tmp_path / "runs"
    store(runs, "there", CONFIG, snapshots=(0, 4, 24))
    words = ["--runs-dir", str(runs)]
    lens = ["export", "there", "--to", "transformer-lens", "--all-snapshots", *words]
    assert run(lens) == 0
    folder = runs / "there" / "exports" / "transformer-lens-snapshots"
    names = [f"epoch-{epoch:09d}" for epoch in (0, 4, 24)]
    assert sorted(path.name for path in folder.iterdir()) == names
    assert run(["import", str(folder), "--name", "back", *words]) == 0
    assert says(capsys.readouterr().err, "agree computed")
    there, back = load_run("there", runs), load_run("back", runs)
    assert sorted(back.snapshots) == [0, 4, 24]
    assert back.config.task.operation == "divide"
    for part in ("train", "validation", "test"):
        one, other = (getattr(each.dataset.split, part) for each in (there, back))
        np.testing.assert_array_equal(one, other)
        assert len(one)
    for epoch in (0, 4, 24):
        for name in ("token_embedding", "position_embedding", "unembedding"):
            one, other = (getattr(each.snapshots[epoch], name) for each in (there, back))
            np.testing.assert_array_equal(one, other)
    assert run(lens) == 2
    assert run([*lens, "--force"]) == 0
    assert run(["export", "there", "--to", "numpy", "--all-snapshots", *words]) == 0
    file = runs / "there" / "exports" / "numpy-snapshots" / "epoch-000000004.npz"
    assert np.load(file)["epoch"] == 4


def test_parts_that_are_no_split_are_refused(tmp_path, capsys):
    store(tmp_path, "there", CONFIG)
    place = ["--runs-dir", str(tmp_path)]
    assert run(["export", "there", "--to", "transformer-lens", *place]) == 0
    folder = tmp_path / "there" / "exports" / "transformer-lens"
    tasks = json.loads((folder / "tasks.json").read_text())
    tasks["test"] = tasks["test"][1:]
    (folder / "tasks.json").write_text(json.dumps(tasks))
    words = ["import", str(folder / "hooked_transformer.safetensors"), "--name", "back", *place]
    assert run(words) == 2
    assert says(capsys.readouterr().err, "validation test numbers")


def test_what_does_not_go_together_is_refused(tmp_path, capsys):
    store(tmp_path, "bare", CONFIG, snapshots=())
    for words, message in (
        (["--to", "csv"], "does not go with --to csv"),
        (["--to", "numpy", "--epoch", "4"], "does not go with --epoch"),
        (["--to", "numpy"], "has no snapshots"),
    ):
        assert run(["export", "bare", *words, "--all-snapshots", "--runs-dir", str(tmp_path)]) == 2
        assert message in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    empty = ["import", str(tmp_path / "empty"), "--name", "x", "--runs-dir", str(tmp_path)]
    assert run(empty) == 2
    assert says(capsys.readouterr().err, "folder file")
