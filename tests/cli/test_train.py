"""The main job at the command line, on the smallest model."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from command import SMALLEST, call, call_here
from miiii import load_run
from miiii.model.activations import NAMES
from wording import naming

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A directory with one run, `a`."""
    folder = tmp_path_factory.mktemp("runs")
    done = call_here(["train", *SMALLEST, "--epochs", "60", "--name", "a", "--json"], folder)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "state": "finished",
        "paths": ["runs/a"],
        "done": 60,
        "problems": [],
        "stopped": [None],
    }
    assert "epoch 60/60" in done.stderr
    return folder


def test_the_run_directory_holds_what_it_should(folder):
    path = folder / "runs" / "a"
    for name in ("config.toml", "provenance.json", "status.json"):
        assert (path / name).is_file()
    provenance = json.loads((path / "provenance.json").read_text())
    assert provenance["seed"] == 0
    assert provenance["precision"] == "float32"
    assert provenance["command"][:2] == ["miiii", "train"]
    assert str(folder) not in (path / "provenance.json").read_text()


def test_a_loaded_run_gives_history_weights_and_activations(folder):
    run = load_run(folder / "runs" / "a")
    history = run.history
    assert history.epoch.tolist() == list(range(1, 61))
    assert history.moduli == (2, 3, 5)
    assert history.train_loss.shape == history.validation_accuracy.shape == (60, 3)
    assert history.gradient_norm.shape == (60, len(history.weight_names))
    assert max(run.snapshots) == 60
    for one, other in zip(
        vars(run.snapshots[60].blocks[0]).values(),
        vars(run.parameters.blocks[0]).values(),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)
    # The recorded validation accuracy is that of the stored weights.
    numbers = run.dataset.split.validation
    logits = np.asarray(run.activations(numbers).logits)
    ends = np.cumsum(run.dataset.class_sizes)
    for task, (size, end) in enumerate(zip(run.dataset.class_sizes, ends, strict=True)):
        predicted = logits[:, end - size : end].argmax(axis=1)
        accuracy = (predicted == run.dataset.targets[numbers, task]).mean()
        assert accuracy == pytest.approx(history.validation_accuracy[-1, task], abs=1e-6)
    with pytest.raises(ValueError, match="numbers has 49"):
        run.activations(np.array([49]))
    everything, named = run.activations(epoch=60), run.activations(epoch=60, names=NAMES)
    assert tuple(named) == NAMES
    for name, values in named.items():
        # Compiled as one program instead of step by step, so the last bits may differ.
        np.testing.assert_allclose(values, getattr(everything, name), rtol=1e-5, atol=1e-6)
    (one,) = run.activations(numbers, names="logits").values()
    np.testing.assert_allclose(one, logits, rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match=naming("activation 'mlp_hiden'")):
        run.activations(names=("mlp_hiden",))
    with pytest.raises(KeyError, match=naming("epoch 7")):
        run.activations(epoch=7)


def test_list_and_show(folder):
    listed = json.loads(call_here(["list", "--json"], folder).stdout)
    assert [(run["name"], run["state"], run["epoch"]) for run in listed] == [("a", "finished", 60)]
    assert "a" in call_here(["list"], folder).stdout
    shown = json.loads(call_here(["show", "a", "--json"], folder).stdout)
    assert [task["modulus"] for task in shown["tasks"]] == [2, 3, 5]
    assert "learning_rate" in call_here(["show", "a"], folder).stdout


def test_an_existing_name_is_refused_unless_forced_and_then_moved_aside(folder):
    words = ["train", *SMALLEST, "--epochs", "60", "--name", "b"]
    assert call_here(words, folder).returncode == 0
    refused = call_here(words, folder)
    assert refused.returncode == 2
    assert "exists" in refused.stderr
    forced = call_here([*words, "--force"], folder)
    assert forced.returncode == 0, forced.stderr
    aside = list((folder / "runs").glob("b.replaced-*"))
    assert len(aside) == 1
    assert len(load_run(aside[0]).history.epoch) == 60


def test_several_seeds_are_several_runs(tmp_path):
    words = ["train", *SMALLEST, "--epochs", "20", "--seed", "5", "--seeds", "2", "--name", "s"]
    done = call_here(words, tmp_path)
    assert done.returncode == 0, done.stderr
    runs = [load_run(tmp_path / "runs" / f"s-seed{seed}") for seed in (5, 6)]
    assert [run.config.seed for run in runs] == [5, 6]
    splits = [run.dataset.split.train.tolist() for run in runs]
    assert splits[0] != splits[1]
    assert not np.array_equal(*(run.history.train_loss for run in runs))


def test_a_stored_configuration_makes_the_same_run(folder, tmp_path):
    config = folder / "runs" / "a" / "config.toml"
    done = call_here(["train", "--config", config, "--name", "again"], tmp_path)
    assert done.returncode == 0, done.stderr
    one, other = load_run(folder / "runs" / "a"), load_run(tmp_path / "runs" / "again")
    assert one.config == other.config
    assert one.history.train_loss.tobytes() == other.history.train_loss.tobytes()


def test_a_dry_run_writes_nothing(tmp_path):
    done = call_here(["train", *SMALLEST, "--dry-run", "--json"], tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["parameters"] == 8 * 8 + 3 * 8 + 4 * 64 + 2 * 8 * 32 + 8 * 10
    assert found["train"] + found["validation"] + found["test"] == 49
    assert found["memory_bytes"] > 0
    assert list(tmp_path.iterdir()) == []


def test_the_doctor_finds_this_machine_fit(tmp_path, cache):
    done = call(["doctor", "--json"], tmp_path, cache)
    checks = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert {"python", "packages", "devices", "float64", "runs directory"} <= {
        check["check"] for check in checks
    }
    assert list(tmp_path.iterdir()) == []


def test_a_device_that_is_not_there_is_said_on_one_line(tmp_path, cache):
    refused = call(["train", *SMALLEST], tmp_path, cache, platform="nowhere")
    assert refused.returncode == 2
    note, error = refused.stderr.splitlines()
    assert note.startswith("note: validation has 5 numbers")
    assert error.startswith("error: ")
    assert "JAX_PLATFORMS='nowhere'" in error
    doctor = call(["doctor"], tmp_path, cache, platform="nowhere")
    assert doctor.returncode == 1
    assert "FAIL  devices" in doctor.stdout
    assert "Traceback" not in doctor.stderr


def test_a_run_whose_status_is_damaged_is_shown_with_a_warning(folder, tmp_path):
    shutil.copytree(folder / "runs" / "a", tmp_path / "runs" / "a")
    for text in ("xx", "", "{}"):
        (tmp_path / "runs" / "a" / "status.json").write_text(text)
        shown = call_here(["show", "a"], tmp_path)
        assert shown.returncode == 0, shown.stderr
        assert "a: damaged, epoch" in shown.stdout
        assert shown.stderr.startswith("warning: ")
