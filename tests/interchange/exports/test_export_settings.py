"""`miiii export` of models with other settings than the paper's; what a format cannot say."""

import json
import re
import subprocess
import sys

import jax
import numpy as np
import pytest
import safetensors.numpy

from interchange.planted_models import hooked_forward, small_config
from miiii import load_run
from miiii.cli.main import run as miiii
from model.textbook import textbook_forward
from results.stored_runs import store, weights
from wording import says

KINDS = {
    "biased": {"mlp_bias": True},
    "two_positions": {"answer_token": False, "depth": 2},
    "separate": {"digit_tokens": "separate", "mlp_bias": True, "answer_token": False},
    "everything": {
        "mlp_bias": True,
        "activation": "gelu",
        "answer_token": False,
        "attention_mask": "full",
        "attention_coefficient": 0.25,
        "depth": 2,
    },
    "tanh": {"activation": "tanh", "digit_tokens": "separate", "attention_mask": "full"},
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    for kind, settings in KINDS.items():
        config = small_config(**settings)
        generator = np.random.default_rng(3)
        # Biases start at zero, where they would show nothing.
        planted = jax.tree.map(
            lambda leaf, draw=generator: (
                np.asarray(leaf) / 2
                if leaf.ndim > 1
                else draw.normal(size=leaf.shape).astype(np.float32)
            ),
            weights(config, 5),
        )
        store(folder, kind, config, planted=planted)
    return folder


def export(runs, name, to, output):
    return miiii(["export", name, "--to", to, "--runs-dir", str(runs), "--output", str(output)])


def textbook_logits(run):
    with jax.enable_x64(True):
        wide = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), run.parameters)
        digits = run.dataset.digits
        return np.asarray(textbook_forward(wide, digits, config=run.config.model))


@pytest.mark.parametrize("kind", KINDS)
def test_the_model_card_s_code_is_right_in_every_setting(runs, kind, tmp_path):
    assert export(runs, kind, "hf-folder", tmp_path / "out") == 0
    card = (tmp_path / "out" / "README.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", card, re.S)
    probe = "\nnp.save('found.npy', logits(np.arange(config['base'] ** 2)))"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code + probe],
        cwd=tmp_path / "out",
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    expected = textbook_logits(load_run(kind, runs))
    found = np.load(tmp_path / "out" / "found.npy")
    np.testing.assert_allclose(found, expected, atol=1e-5 * abs(expected).max())


@pytest.mark.parametrize("kind", ["biased", "two_positions", "separate"])
def test_transformer_lens_files_have_biases_and_positions(runs, kind, tmp_path):
    assert export(runs, kind, "transformer-lens", tmp_path / "out") == 0
    folder, expected = tmp_path / "out", textbook_logits(load_run(kind, runs))
    config = json.loads((folder / "config.json").read_text())
    state = safetensors.numpy.load_file(folder / "hooked_transformer.safetensors")
    checked = safetensors.numpy.load_file(folder / "expected_logits.safetensors")
    tokens = checked["tokens"]
    assert tokens.shape[1] == config["n_ctx"] == len(state["pos_embed.W_pos"])
    assert tokens.max() < config["d_vocab"] == len(state["embed.W_E"])
    second = tokens[:, 1] - (7 if kind == "separate" else 0)
    found = hooked_forward(state, tokens)[:, -1]
    scale = abs(expected).max()
    np.testing.assert_allclose(found, expected[tokens[:, 0] + 7 * second], atol=1e-12 * scale)
    np.testing.assert_allclose(found, checked["logits"], atol=1e-12 * scale)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("everything", "attention_coefficient 0.25 TransformerLens' attention"),
        ("tanh", "activation 'tanh' TransformerLens act_fn"),
    ],
)
def test_what_transformer_lens_has_no_setting_for_is_refused(runs, kind, said, tmp_path, capsys):
    assert export(runs, kind, "transformer-lens", tmp_path / "out") == 2
    error = capsys.readouterr().err
    assert says(error, said)
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()
    assert export(runs, kind, "numpy", tmp_path / "out.npz") == 0
    arrays = np.load(tmp_path / "out.npz")
    assert ("weights.blocks.0.mlp_in_bias" in arrays) == (kind == "everything")
