"""Versions, device, threads and flags: recorded, compared on resuming, and told."""

import hashlib
import json
import re
import shutil

import jax
import numpy as np
import pytest

import miiii
from miiii.cli.main import run as command
from miiii.experiment.progress import Silent
from miiii.runs.conditions import batch_size, has_changed, resumption_lines
from miiii.runs.directory import RunDirectory
from miiii.runs.errors import DamagedFileError
from miiii.runs.tensors import load_tensors, save_tensors
from wording import naming, says

CONFIG = miiii.replace_fields(
    miiii.get_preset("tiny"), base=7, width=8, heads=2, epochs=6, minibatches=2, snapshots=2
)


class Warned(Silent):
    def __init__(self):
        self.lines = []

    def warned(self, message):
        self.lines.append(message)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    miiii.start([CONFIG], ["one"], folder)
    miiii.start([CONFIG], ["other"], folder)
    return folder


def test_a_guard_against_transfers_stops_no_run(trained, tmp_path):
    with jax.transfer_guard("disallow"):
        miiii.start([CONFIG], ["guarded"], tmp_path)
    name = "snapshots/000000006.safetensors"
    assert (tmp_path / "guarded" / name).read_bytes() == (trained / "one" / name).read_bytes()


@pytest.fixture
def run(trained, tmp_path):
    shutil.copytree(trained / "one", tmp_path / "runs" / "one")
    return RunDirectory(tmp_path / "runs" / "one")


def edit_provenance(run, **changes):
    run.write_json("provenance.json", {**run.provenance, **changes})


def test_a_run_records_what_it_was_trained_under(run, monkeypatch):
    found = run.provenance
    assert {"jax", "jaxlib", "optax", "miiii"} <= set(found["versions"])
    assert found["device"]["platform"] == "cpu"
    assert found["threads"] >= 1
    assert found["devices"] == 1
    assert "XLA_FLAGS" in found["flags"]
    assert found["resumed"] == []


def test_going_on_under_the_same_conditions_is_recorded_without_a_warning(run):
    progress = Warned()
    miiii.resume(run.path, epochs=8, command=["miiii", "resume", "one"], progress=progress)
    assert progress.lines == []
    (entry,) = run.provenance["resumed"]
    assert entry["epoch"] == 6
    assert entry["command"] == ["miiii", "resume", "one"]
    assert {"time", "versions", "device", "threads", "flags"} <= set(entry)
    assert not has_changed(run.provenance)
    assert "same conditions" in resumption_lines(run.provenance)[0]


def test_what_changed_is_warned_of_recorded_and_shown(run, monkeypatch, capsys):
    versions = {**run.provenance["versions"], "jax": "0.9.9", "optax": "0.1.1", "scipy": "1.0"}
    edit_provenance(run, versions=versions)
    threads = run.provenance["threads"]
    monkeypatch.setenv("NPROC", str(threads + 3))
    flags = f"{run.provenance['flags']['XLA_FLAGS']} --xla_cpu_enable_fast_math=false"
    monkeypatch.setenv("XLA_FLAGS", flags)
    progress = Warned()
    miiii.resume(run.path, epochs=8, progress=progress)
    (line,) = progress.lines
    assert "\n" not in line
    assert "jax was 0.9.9, is " in line
    assert "optax was 0.1.1, is " in line
    assert f"threads was {threads}, is {threads + 3}" in line
    assert "XLA_FLAGS was" in line
    assert "scipy" not in line  # decides no number
    assert "epoch 6" in line
    assert says(line, "not bit")
    assert has_changed(run.provenance)
    # From here on these are the conditions that are compared with.
    again = Warned()
    miiii.resume(run.path, epochs=9, progress=again)
    assert again.lines == []
    assert [entry["epoch"] for entry in run.provenance["resumed"]] == [6, 8]
    assert command(["show", "one", "--runs-dir", str(run.path.parent)]) == 0
    shown = capsys.readouterr().out
    assert "resumed after epoch 6" in shown
    assert "resumed after epoch 8" in shown
    assert "jax was 0.9.9" in shown
    assert says(shown, "not bit")
    assert f"{threads} thread" in shown
    assert "optax 0.1.1" in shown
    assert command(["export", "one", "--to", "hf-folder", "--runs-dir", str(run.path.parent),
                    "--output", str(run.path.parent / "hub")]) == 0  # fmt: skip
    card = (run.path.parent / "hub" / "README.md").read_text()
    assert "jax was 0.9.9" in card
    assert "resumed after epoch 8" in card


def test_records_of_what_was_thrown_away_go_with_it(run):
    entries = [{"epoch": epoch, "threads": 99} for epoch in (2, 6, 7)]
    edit_provenance(run, resumed=entries)
    miiii.resume(run.path, epochs=8)
    assert [entry["epoch"] for entry in run.provenance["resumed"]] == [2, 6]


def test_equal_runs_have_files_of_equal_bytes(trained):
    def digests(name):
        return {
            path.relative_to(trained / name): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted((trained / name).rglob("*"))
            if path.suffix in (".safetensors", ".npz", ".toml")
        }

    assert len(digests("one")) >= 5
    assert digests("one") == digests("other")


def test_bytes_of_a_tensor_file_follow_from_its_content(tmp_path):
    # Of six keys in random order two files agree once in 720 times.
    metadata = {f"key {index} ü": str(index) for index in range(6)}
    arrays = {"b": np.arange(3.0), "a": np.zeros((2, 0)), "c": np.array(True)}
    contents = set()
    for index in range(4):
        order = list(metadata.items())[index:] + list(metadata.items())[:index]
        save_tensors(tmp_path / "file", arrays, dict(order))
        contents.add((tmp_path / "file").read_bytes())
    assert len(contents) == 1
    found, said = load_tensors(tmp_path / "file")
    assert said == metadata
    assert {name: array.tolist() for name, array in found.items()} == {
        "a": [[], []],
        "b": [0.0, 1.0, 2.0],
        "c": True,
    }


@pytest.mark.parametrize("of_run", ["0.1.1", None])
def test_another_optimiser_state_names_both_versions_of_optax(run, of_run):
    if of_run is not None:
        edit_provenance(run, versions={**run.provenance["versions"], "optax": of_run})
    found = run.load_checkpoint()
    arrays = {
        name.replace("optimiser.0", "optimiser.old"): array for name, array in found.arrays.items()
    }
    assert arrays.keys() != found.arrays.keys()
    metadata = {key: value for key, value in found.metadata.items() if key != "digest"}
    save_tensors(run.checkpoint_path(found.epoch), arrays, metadata)
    for epoch in run.checkpoint_epochs()[:-1]:
        run.checkpoint_path(epoch).unlink()
    with pytest.raises(DamagedFileError, match=naming("lacks tensor 'optimiser.0")) as refused:
        miiii.resume(run.path, epochs=8)
    advice = re.search(r"optax is 0\.1\.1, installed is \d.*optax==0\.1\.1", str(refused.value))
    # The same version did not change its own state.
    assert bool(advice) == (of_run is not None) == ("pip install" in str(refused.value))


@pytest.mark.parametrize("words", [["show"], ["resume"], ["certify"], ["compare", "other"]])
def test_an_edited_setting_is_named_with_what_it_was(run, trained, words, capsys):
    shutil.copytree(trained / "other", run.path.parent / "other")
    path = run.path / "config.toml"
    text = re.sub("learning_rate = .*", "learning_rate = 1e-4", path.read_text())
    path.write_text(text.replace("epochs = 6", "epochs = 7"))  # these may change
    assert command([words[0], "one", *words[1:], "--runs-dir", str(run.path.parent)]) == 1
    error = capsys.readouterr().err
    assert "learning_rate was 0.003, is 0.0001" in error
    assert "epochs" not in error


def test_an_edited_setting_of_an_older_run_is_found_without_its_value(run):
    record = run.provenance
    record.pop("settings")
    run.write_json("provenance.json", record)
    path = run.path / "config.toml"
    path.write_text(re.sub("learning_rate = .*", "learning_rate = 1e-4", path.read_text()))
    with pytest.raises(DamagedFileError, match=naming("changed started")):
        miiii.load_run(run.path)


@pytest.mark.parametrize("table", ["[optim]\n", ""])
def test_an_unknown_setting_names_the_version_that_made_it(run, table):
    edit_provenance(run, versions={**run.provenance["versions"], "miiii": "7.8.9"})
    path = run.path / "config.toml"
    text = path.read_text()
    text = text.replace(table, f"{table}later_thing = 1\n") if table else f"later = 1\n{text}"
    path.write_text(text)
    with pytest.raises(DamagedFileError, match=naming(f"miiii 7.8.9 {miiii.__version__}")):
        miiii.load_run(run.path)


def test_the_size_of_the_batch_is_named(tmp_path, capsys, trained):
    folder = tmp_path / "runs"
    seeds = [miiii.replace_fields(CONFIG, seed=seed, epochs=3) for seed in range(2)]
    miiii.start(seeds, ["b0", "b1"], folder)
    shutil.copytree(trained / "one", folder / "one")
    assert batch_size(RunDirectory(folder / "b1").provenance) == 2
    assert command(["show", "b1", "--runs-dir", str(folder)]) == 0
    assert "batch of 2 runs" in capsys.readouterr().out
    figure = str(tmp_path / "figure.svg")
    words = ["compare", "one", "b1", "--runs-dir", str(folder), "--output", figure]
    assert command(words) == 0
    told = capsys.readouterr().out
    assert re.search(r"runs in its batch +1 +2", told)
    assert says(told, "added another order")
    assert command([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["runs"]["b1"]["batch"] == 2
