"""Exported runs in the real TransformerLens 4 and 2, and their models as runs.

They live in `.venv-interop`, which `make interop` makes; without it these tests are skipped, and
under MIIII_TESTS_NEED=interop they fail.
"""

import json
import os
import subprocess
from pathlib import Path

import jax
import numpy as np
import pytest

from interchange.planted_models import KINDS, small_config, store_kind
from miiii import load_run
from miiii.cli.main import run as miiii
from miiii.model.transformer import forward
from results.stored_runs import store
from wording import says

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
SCRIPT = Path(__file__).with_name("lens_script.py")
VERSIONS = {"4": "4.3.0", "2": "2.18.0"}
SEVERAL = [*KINDS, "large"]

SMALL = {"d_model": 8, "n_heads": 2, "d_head": 4, "d_mlp": 32, "n_layers": 1}
ADDITION = {**SMALL, "d_vocab": 8, "d_vocab_out": 7}
NANDA = {"d_model": 128, "n_heads": 4, "d_head": 32, "d_mlp": 512, "n_layers": 1}


@pytest.fixture(scope="session")
def interpreter():
    folder = ROOT / ".venv-interop"
    if (folder / "installed").exists():
        return folder / "bin" / "python"
    message = "TransformerLens is not there: run `make interop` first"
    if "interop" in os.environ.get("MIIII_TESTS_NEED", "").split():
        pytest.fail(message)
    pytest.skip(message)


def orders(folder, version):
    """Models that TransformerLens makes and saves: (name, order)."""
    two = {**ADDITION, "n_layers": 2}
    nanda = {**NANDA, "d_vocab": 114, "d_vocab_out": 113}
    found = {
        "one": {"kind": "state", "settings": ADDITION, "base": 7, "seed": 1},
        "two": {"kind": "state", "settings": two, "base": 7, "seed": 2},
        "half": {"kind": "half", "settings": ADDITION, "base": 7, "seed": 3},
        "nanda": {"kind": "state", "settings": nanda, "base": 113, "seed": 4},
    }
    if version == "4":
        # The names of TransformerBridge do not tell the heads, so config.json goes with them.
        found = {name: {**one, "kind": "safetensors"} for name, one in found.items()}
        del found["half"], found["nanda"]
        biases = {"query": "q.bias", "key": "k.bias", "hidden": "in.bias", "output": "o.bias"}
        large = {**ADDITION, "use_attn_scale": False}
        found["unscaled"] = {"kind": "safetensors", "settings": large, "base": 7, "seed": 5}
        found["unscaled"]["enlarge"] = 4
        # The model that the bridge wraps, by itself and below the bridge's name for it.
        for name, prefix in (("native", ""), ("inside", "original_model.")):
            found[name] = {**found["one"], "native": prefix}
    else:
        found["demonstration"] = {"kind": "demonstration", "settings": ADDITION, "base": 7}
        found["wide"] = {
            **found["one"],
            "settings": {**ADDITION, "d_vocab_out": 8},
        }
        biases = {"query": "b_Q", "key": "b_K", "hidden": "b_in", "value": "b_V", "output": "b_O"}
        large = {**ADDITION, "use_attn_scale": False}
        found["unscaled"] = {"kind": "safetensors", "settings": large, "base": 7, "seed": 5}
        found["unscaled"]["enlarge"] = 4
    for name, ending in biases.items():
        found[name] = {**found["one"], "bias": ending}
    for name, order in found.items():
        (folder / name).mkdir()
        suffix = ".safetensors" if order["kind"] == "safetensors" else ".pth"
        order["path"] = str(folder / name / f"model{suffix}")
    return found


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    for kind in KINDS:
        store_kind(folder, kind)
    # The paper's kind of model: 16 tasks side by side, at the size of a real run.
    large = small_config(base=59, width=128, heads=4, train_fraction=0.8)
    store(folder, "large", large, (24,))
    return folder


@pytest.fixture(scope="module", params=VERSIONS)
def lens(request, interpreter, runs, tmp_path_factory):
    """Everything that one version of TransformerLens did: (folder of exports, orders, version)."""
    version, folder = request.param, tmp_path_factory.mktemp("lens")
    for name in SEVERAL:
        place = ["--runs-dir", str(runs), "--output", str(folder / name)]
        assert miiii(["export", name, "--to", "transformer-lens", *place]) == 0
    (folder / "models").mkdir()
    made = orders(folder / "models", version)
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "WANDB_MODE": "disabled"}
    environment.pop("PYTHONPATH", None)
    if version == "2":
        environment["PYTHONPATH"] = str(interpreter.parents[1] / "version-2")
    done = subprocess.run(
        [interpreter, SCRIPT, version],
        input=json.dumps(
            {"folders": [str(folder / name) for name in SEVERAL], "models": list(made.values())}
        ),
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    place = "version-2" if version == "2" else "site-packages"
    assert Path(done.stdout.split()[-1]).parents[1].name == place
    return folder, made, version


def logits_of(run, precision):
    with jax.enable_x64(precision == "float64"), jax.default_matmul_precision("highest"):
        weights = jax.tree.map(lambda leaf: np.asarray(leaf, precision), run.parameters)
        return np.asarray(forward(weights, run.dataset.digits)[0])


def test_exports_give_the_same_logits_on_all_inputs(lens, runs):
    folder, _, version = lens
    for name in SEVERAL:
        found = np.load(folder / name / f"found-{version}.npz")
        exact = logits_of(load_run(name, runs), "float64")
        error = abs(found["float64"] - exact).max()
        assert found["float64"].dtype == np.float64
        assert error < 1e-5
        assert error < 1e-12 * abs(exact).max()
        # In float32 both round, each in an order of sums that the processor chooses: it is to be as
        # exact as the laboratory's own, give or take.
        own_error = abs(logits_of(load_run(name, runs), "float32") - exact).max()
        assert found["float32"].dtype == np.float32
        assert abs(found["float32"] - exact).max() < 4 * own_error


def bring(order, runs, name, *words):
    return miiii(["import", order["path"], "--name", name, "--runs-dir", str(runs), *words])


def test_models_of_transformer_lens_become_runs(lens, tmp_path):
    _, made, version = lens
    for name in {"two", "half", "nanda", "key", "query"} & set(made):
        assert bring(made[name], tmp_path, name) == 0
        run = load_run(name, tmp_path)
        expected = np.load(made[name]["path"] + ".npy")
        found = logits_of(run, "float64")
        # With biases of queries and keys too: both are folded or left out without a trace.
        np.testing.assert_allclose(found, expected, atol=1e-5)
        assert run.config.task.task == "nanda"
        assert run.config.model.depth == made[name]["settings"]["n_layers"]
    if version == "2":
        assert load_run("nanda", tmp_path).config.model.width == 128


def test_biases_of_values_and_neurons_are_taken_over(lens, tmp_path):
    _, made, _ = lens
    for name in {"hidden", "value", "output"} & set(made):
        assert bring(made[name], tmp_path, name) == 0
        run = load_run(name, tmp_path)
        assert run.config.model.mlp_bias
        expected = np.load(made[name]["path"] + ".npy")
        np.testing.assert_allclose(logits_of(run, "float64"), expected, atol=1e-5)


def test_names_and_scales_of_version_4_s_own_model(lens, tmp_path, capsys):
    """`original_model.state_dict()`, and use_attn_scale false, which that model ignores."""
    _, made, version = lens
    if version == "2":
        pytest.skip("version 4's own")
    for name in ("native", "inside", "unscaled"):
        assert bring(made[name], tmp_path, name) == 0
        expected = np.load(made[name]["path"] + ".npy")
        found = logits_of(load_run(name, tmp_path), "float64")
        np.testing.assert_allclose(found, expected, atol=1e-5 * abs(expected).max())
    assert says(capsys.readouterr().err, "divides scores √4")


def test_version_2_does_not_divide_without_a_scale(lens, tmp_path, capsys):
    _, made, version = lens
    if version == "4":
        pytest.skip("version 2's own")
    assert bring(made["unscaled"], tmp_path, "unscaled") == 0
    expected = np.load(made["unscaled"]["path"] + ".npy")
    found = logits_of(load_run("unscaled", tmp_path), "float64")
    np.testing.assert_allclose(found, expected, atol=1e-5 * abs(expected).max())
    assert says(capsys.readouterr().err, "not divide scores")


def test_the_grokking_demonstration_s_file_brings_checkpoints_and_split(lens, tmp_path, capsys):
    _, made, version = lens
    if version == "4":
        pytest.skip("the demonstration is version 2's")
    assert bring(made["demonstration"], tmp_path, "demo") == 0
    run = load_run("demo", tmp_path)
    assert sorted(run.snapshots) == [99, 199, 299, 399]
    assert list(run.history.epoch) == list(range(1, 400))
    expected = np.load(made["demonstration"]["path"] + ".npy")
    np.testing.assert_allclose(logits_of(run, "float64"), expected, atol=1e-5)
    # TransformerLens' own logits on the numbers that its file says were trained on.
    split = run.dataset.split
    assert len(split.train) == 14
    train = expected[split.train]
    right = (run.dataset.digits[split.train].sum(axis=1)) % 7
    correct = (train.argmax(axis=1) == right).mean()
    np.testing.assert_allclose(run.history.train_accuracy[-1, 0], correct)
    # The losses are the file's.
    assert (run.history.train_loss == 0.25).all()
    assert "assumed" not in capsys.readouterr().err


def test_a_class_for_the_equals_sign_is_left_out(lens, tmp_path, capsys):
    _, made, version = lens
    if version == "4":
        pytest.skip("made with version 2 only")
    assert bring(made["wide"], tmp_path, "wide") == 0
    expected = np.load(made["wide"]["path"] + ".npy")
    found = logits_of(load_run("wide", tmp_path), "float64")
    np.testing.assert_allclose(found, expected[:, :7], atol=1e-5)
    won = (expected.argmax(axis=1) == 7).sum()
    assert says(capsys.readouterr().err, f"answer {won} of 49")
