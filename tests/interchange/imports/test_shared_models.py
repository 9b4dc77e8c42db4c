"""Published checkpoints, where they stand beside the checkout (`../shared/models`)."""

import json
from pathlib import Path

import jax
import numpy as np
import pytest

from interchange.imports.published_models import Kind, in_order_of_n, textbook
from miiii import load_run
from miiii.cli.main import run as miiii
from miiii.experiment.model_at import ModelAt
from miiii.interchange.imports.torch_file import read_torch_file
from miiii.model.transformer import forward

ROOT = Path(__file__).parents[3]
FOLDERS = (ROOT.parent / "shared" / "models", ROOT.parents[1] / "shared" / "models")
FOLDER = next((folder for folder in FOLDERS if folder.is_dir()), FOLDERS[0])

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="no published models beside this")

ZHONG = {
    "base": 59,
    "width": 128,
    "heads": 4,
    "head_width": 32,
    "neurons": 512,
    "answer": False,
    "masked": False,
}
NANDA = {**ZHONG, "base": 113, "answer": True, "masked": True}

# The file, how it computes, and the share of all pairs that it answers right.
MODELS = {
    "zhong2023/model_18c9ev5v5p.pt": (
        Kind(**ZHONG, separate=True, coefficient=0.004066910851478034),
        1.0,
    ),
    "zhong2023/model_2k4ohj6bhd.pt": (Kind(**ZHONG, coefficient=0.8041592198855598), 1.0),
    "zhong2023/model_4asyr7ht1p.pt": (
        Kind(**ZHONG, blocks=2, coefficient=0.0074246143147905785),
        1.0,
    ),
    "zhong2023/model_p99zdpze5l.pt": (Kind(**ZHONG, coefficient=0.0), 1.0),
    "zhong2023/model_l8k1hzciux.pt": (Kind(**ZHONG), 1.0),
    "zhong2023/model_dy65ktpiij.pt": (
        Kind(**ZHONG, activation="gelu", coefficient=0.0),
        3371 / 3481,
    ),
    "nanda2023/wd_10-1_mod_addition_loss_curve.pth": (Kind(**NANDA), 1.0),
    "nanda2023/mod_addition_no_wd.pth": (Kind(**NANDA), 1.0),
    "nanda2023/low_precision_mod_addition.pth": (Kind(**NANDA), 12762 / 12769),
}

# Seed, share, and losses on it over the file's last losses.
SPLITS = {
    "wd_10-1_mod_addition_loss_curve": (1, 0.3, 9.202e-9, 4.988e-7),
    "mod_addition_no_wd": (0, 0.9, 1.6809e-10, 1.1096e-6),
    "low_precision_mod_addition": (1, 0.3, 3.05e-4, 3.99e-3),
}

OTHERS = {
    "nanda2023/5_digit_addition_infinite.pth": "18 positions: not a two-digit task",
    "nanda2023/mod_addition_frac_train_sweep.pth": "a pair of lists",
    "zhong2023/model_7r4zst7evs.pt": "without attention (`model_type` D)",
}


def there(file):
    if not (FOLDER / file).is_file():
        pytest.skip(f"{file} is not there")
    return FOLDER / file


@pytest.mark.parametrize("file", MODELS)
def test_published_models_import_and_compute_as_the_textbook_says(file, tmp_path, capsys):
    path, (kind, share) = there(file), MODELS[file]
    words = ["import", str(path), "--name", "published", "--runs-dir", str(tmp_path), "--json"]
    assert miiii(words) == 0
    record = json.loads(capsys.readouterr().out)
    run = load_run("published", tmp_path)
    content = read_torch_file(path)
    expected = textbook(content.get("model", content), kind)
    expected = in_order_of_n(kind.base, expected)[:, : kind.base]
    largest = abs(expected).max()
    assert abs(ModelAt(run).logits() - expected).max() < 1e-12 * largest
    with jax.default_matmul_precision("highest"):
        single = np.asarray(jax.jit(forward)(run.parameters, run.dataset.digits)[0])
    assert single.dtype == np.float32
    assert abs(single - expected).max() < 1e-5 * largest
    assert record["accuracies"]["all"] == share
    if path.stem in SPLITS:
        seed, part, train, test = SPLITS[path.stem]
        found = record["drawn_split"]
        assert (found["seed"], found["share"]) == (seed, part)
        np.testing.assert_allclose(found["train_loss"], train, rtol=2e-3)
        np.testing.assert_allclose(found["test_loss"], test, rtol=2e-3)
        assert len(run.dataset.split.train) == int(part * kind.base**2)
        assert list(run.history.epoch) == list(range(1, len(content["train_losses"]) + 1))
        losses = np.asarray(content["train_losses"], np.float32)
        assert np.array_equal(run.history.train_loss[:, 0], losses)
    else:
        assert record["split"] == "drawn here"


@pytest.mark.parametrize("file", OTHERS)
def test_published_files_without_such_a_model_are_named(file, tmp_path, capsys):
    words = ["import", str(there(file)), "--name", "other", "--runs-dir", str(tmp_path)]
    assert miiii(words) == 2
    error = capsys.readouterr().err
    assert OTHERS[file] in error
    assert error.count("\n") == 1
