"""`miiii export`: every format read back with its own tools, against the run it came from."""

import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pyarrow.parquet
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st

from interchange.planted_models import (
    KINDS,
    bridge_forward,
    hooked_forward,
    refusals,
    small_config,
    store_kind,
)
from miiii import load_run, to_toml
from miiii.cli.main import run as miiii
from miiii.interchange.names import bridge_to_hooked, hooked_to_bridge, to_hooked
from miiii.model.transformer import forward
from miiii.runs.directory import RunDirectory
from miiii.runs.errors import StorageError
from wording import says


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    for kind in KINDS:
        store_kind(folder, kind)
    return folder


def exact_logits(run, epoch=None):
    """[p², V] in float64, from the run's own weights and forward pass."""
    weights = run.parameters if epoch is None else run.snapshots[epoch]
    with jax.enable_x64(True):
        weights = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), weights)
        return np.asarray(forward(weights, run.dataset.digits)[0])


def all_tokens(base):
    return np.array([[a, b, base] for b in range(base) for a in range(base)])


def export(runs, name, to, output, *words):
    return miiii(
        ["export", name, "--to", to, "--runs-dir", str(runs), "--output", str(output), *words]
    )


@pytest.mark.parametrize("kind", KINDS)
def test_transformer_lens_files_compute_what_the_run_computes(runs, kind, tmp_path):
    assert export(runs, kind, "transformer-lens", tmp_path / "out") == 0
    run, folder = load_run(kind, runs), tmp_path / "out"
    expected = exact_logits(run)
    config = json.loads((folder / "config.json").read_text())
    tokens = all_tokens(config["d_vocab"] - 1)
    hooked = safetensors.numpy.load_file(folder / "hooked_transformer.safetensors")
    bridge = safetensors.numpy.load_file(folder / "transformer_bridge.safetensors")
    one = hooked_forward(hooked, tokens)[:, -1]
    two = bridge_forward(bridge, tokens, config["n_heads"])[:, -1]
    scale = abs(expected).max()
    np.testing.assert_allclose(one, expected, atol=1e-12 * scale)
    np.testing.assert_allclose(two, expected, atol=1e-12 * scale)
    assert config["n_layers"] == run.config.model.depth
    assert config["d_mlp"] == hooked["blocks.0.mlp.W_in"].shape[1]
    assert config["d_vocab_out"] == expected.shape[1]
    # What goes along for the reader to compare with.
    checked = safetensors.numpy.load_file(folder / "expected_logits.safetensors")
    numbers = checked["tokens"][:, 0] + config["d_vocab"] * checked["tokens"][:, 1]
    numbers -= checked["tokens"][:, 1]
    np.testing.assert_allclose(checked["logits"], expected[numbers], atol=1e-12 * scale)
    assert len(numbers) >= 10


def test_tasks_say_which_logits_are_whose(runs, tmp_path):
    assert export(runs, "plain", "transformer-lens", tmp_path / "out") == 0
    tasks = json.loads((tmp_path / "out" / "tasks.json").read_text())
    assert tasks["moduli"] == [2, 3, 5]
    assert tasks["slices"] == [[0, 2], [2, 5], [5, 10]]
    split = load_run("plain", runs).dataset.split
    for name in ("train", "validation", "test"):
        assert tasks[name] == getattr(split, name).tolist()


@given(
    st.integers(1, 3), st.integers(1, 4), st.integers(1, 3), st.integers(1, 5), st.integers(1, 6)
)
def test_names_round_trip(depth, heads, head_width, neurons, outputs):
    generator, width = np.random.default_rng(0), heads * head_width
    shapes = {"token_embedding": (4, width), "position_embedding": (3, width)}
    for block in range(depth):
        shapes |= {
            f"blocks.{block}.{one}": (heads, width, head_width) for one in ("query", "key", "value")
        }
        shapes[f"blocks.{block}.output"] = (heads, head_width, width)
        shapes[f"blocks.{block}.mlp_in"] = (width, neurons)
        shapes[f"blocks.{block}.mlp_out"] = (neurons, width)
    shapes["unembedding"] = (width, outputs)
    hooked = to_hooked({name: generator.normal(size=shape) for name, shape in shapes.items()})
    biased = {name: generator.normal(size=array.shape) for name, array in hooked.items()}
    bridge = hooked_to_bridge(biased)
    back = bridge_to_hooked(bridge, heads)
    assert back.keys() == biased.keys()
    assert all(np.array_equal(back[name], biased[name]) for name in biased)
    tokens = np.array([[0, 1, 3], [2, 2, 3]])
    np.testing.assert_allclose(
        bridge_forward(bridge, tokens, heads), hooked_forward(biased, tokens), atol=1e-9
    )


def test_a_snapshot_can_be_exported(runs, tmp_path):
    assert export(runs, "plain", "numpy", tmp_path / "run.npz", "--epoch", "3") == 0
    arrays = np.load(tmp_path / "run.npz")
    run = load_run("plain", runs)
    assert arrays["epoch"] == 3
    assert np.array_equal(arrays["weights.unembedding"], run.snapshots[3].unembedding)
    assert not np.array_equal(arrays["weights.unembedding"], run.parameters.unembedding)


def test_numpy_holds_weights_data_and_history(runs, tmp_path):
    assert export(runs, "deep", "numpy", tmp_path / "run.npz") == 0
    with np.load(tmp_path / "run.npz", allow_pickle=False) as archive:
        arrays = {key: archive[key] for key in archive.files}
    run = load_run("deep", runs)
    weights = {key[8:]: array for key, array in arrays.items() if key.startswith("weights.")}
    tokens = all_tokens(7)
    assert np.array_equal(arrays["digits"], tokens[:, :2])
    logits = hooked_forward(to_hooked(weights), tokens)[:, -1]
    np.testing.assert_allclose(logits, exact_logits(run), atol=1e-9)
    numbers = np.arange(49)[:, None]
    assert np.array_equal(arrays["targets"], numbers % arrays["moduli"])
    assert [(arrays["split"] == part).sum() for part in range(3)] == [24, 13, 12]
    assert np.array_equal(np.flatnonzero(arrays["split"] == 0), run.dataset.split.train)
    assert np.array_equal(arrays["history.train_loss"], run.history.train_loss)
    assert str(arrays["name"]) == "deep"
    assert "depth = 2" in str(arrays["config"])


def rows_expected(run):
    """(epoch, modulus, split) to (loss, accuracy)."""
    history, found = run.history, {}
    for column, modulus in enumerate(history.moduli):
        for row, epoch in enumerate(history.epoch):
            pair = history.train_loss[row, column], history.train_accuracy[row, column]
            found[int(epoch), modulus, "train"] = pair
        for row, epoch in enumerate(history.validation_epoch):
            pair = history.validation_loss[row, column], history.validation_accuracy[row, column]
            found[int(epoch), modulus, "validation"] = pair
    return found


def test_csv_brings_every_number_back_exactly(runs, tmp_path):
    assert export(runs, "plain", "csv", tmp_path / "history.csv") == 0
    with (tmp_path / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    expected = rows_expected(load_run("plain", runs))
    assert len(rows) == len(expected) == 24 * 3 * 2
    for row in rows:
        loss, accuracy = expected[int(row["epoch"]), int(row["modulus"]), row["split"]]
        assert np.float32(row["loss"]) == loss
        assert float(row["accuracy"]) == accuracy
    keys = [(int(row["epoch"]), row["split"], int(row["modulus"])) for row in rows]
    assert keys == sorted(keys)


def test_parquet_has_types_and_the_settings(runs, tmp_path):
    assert export(runs, "plain", "parquet", tmp_path / "history.parquet") == 0
    table = pyarrow.parquet.read_table(tmp_path / "history.parquet")
    assert table.schema.names == ["epoch", "modulus", "split", "loss", "accuracy"]
    assert str(table.schema.field("loss").type) == "float"
    expected = rows_expected(load_run("plain", runs))
    rows = table.to_pylist()
    assert len(rows) == len(expected)
    for row in rows:
        pair = expected[row["epoch"], row["modulus"], row["split"]]
        assert (np.float32(row["loss"]), row["accuracy"]) == pair
    assert b"base = 7" in table.schema.metadata[b"miiii." + b"config"]


def test_a_real_output_has_no_accuracy(runs, tmp_path):
    assert export(runs, "waves", "csv", tmp_path / "h.csv") == 0
    assert export(runs, "waves", "parquet", tmp_path / "h.parquet") == 0
    with (tmp_path / "h.csv").open(newline="") as file:
        assert {row["accuracy"] for row in csv.DictReader(file)} == {""}
    assert pyarrow.parquet.read_table(tmp_path / "h.parquet")["accuracy"].null_count == 48


@pytest.mark.parametrize("kind", ["plain", "deep", "waves"])
def test_the_model_card_s_code_runs_and_is_right(runs, kind, tmp_path):
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
    expected = exact_logits(load_run(kind, runs))
    found = np.load(tmp_path / "out" / "found.npy")
    np.testing.assert_allclose(found, expected, atol=1e-5 * abs(expected).max())
    if kind == "plain":
        answers = expected[:10, :2].argmax(axis=1)
        assert f"task 2: {answers}" in done.stdout


def test_the_model_card_tells_settings_accuracies_and_origin(runs, tmp_path):
    assert export(runs, "plain", "hf-folder", tmp_path / "out") == 0
    card = (tmp_path / "out" / "README.md").read_text()
    run = load_run("plain", runs)
    assert card.startswith("---\nlibrary_name: miiii\n")
    logits, numbers = exact_logits(run), np.arange(49)
    for modulus, (start, stop) in {2: (0, 2), 3: (2, 5), 5: (5, 10)}.items():
        right = logits[:, start:stop].argmax(axis=1) == numbers % modulus
        parts = [run.dataset.split.train, run.dataset.split.validation, run.dataset.split.test]
        shares = [right[part].mean() for part in (*parts, numbers)]
        row = re.search(rf"^\| {modulus} \|(.*)\|$", card, re.M)
        assert row is not None
        found = [float(cell) for cell in row[1].split("|")]
        np.testing.assert_allclose(found, shares, atol=1e-4)
    assert f"Seed {run.config.seed}" in card
    (settings,) = re.findall(r"```toml\n(.*?)```", card, re.S)
    assert settings.strip() == run.directory.config_text.strip()
    assert run.provenance["time"] in card
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert config["model"]["width"] == 8
    weights = safetensors.numpy.load_file(tmp_path / "out" / "model.safetensors")
    assert np.array_equal(weights["blocks.0.query"], run.parameters.blocks[0].query)


@pytest.mark.parametrize("to", ["transformer-lens", "numpy", "hf-folder", "csv", "parquet"])
def test_the_default_place_is_the_run_s_and_nothing_is_overwritten_unasked(runs, to, capsys):
    words = ["export", "deep", "--to", to, "--runs-dir", str(runs)]
    assert miiii([*words, "--json"]) == 0
    files = json.loads(capsys.readouterr().out)["files"]
    files = [Path(file) for file in files]
    assert all(runs / "deep" / "exports" in file.parents for file in files)
    before = {file: file.read_bytes() for file in files}
    assert miiii(words) == 2
    error = capsys.readouterr().err
    assert "exists" in error
    assert "--force" in error
    assert error.count("\n") == 1
    for file in files:
        file.write_bytes(b"old")
    assert miiii([*words, "--force"]) == 0
    assert {file: file.read_bytes() for file in files} == before
    assert not list((runs / "deep" / "exports").glob(".tmp-*"))


def test_force_never_takes_a_folder_that_is_no_export(runs, tmp_path, capsys):
    precious = tmp_path / "home"
    precious.mkdir()
    (precious / "thesis.tex").write_text("years of work")
    assert export(runs, "plain", "hf-folder", precious, "--force") == 2
    assert "thesis.tex" in capsys.readouterr().err
    assert export(runs, "plain", "csv", precious, "--force") == 2
    assert (precious / "thesis.tex").read_text() == "years of work"
    (tmp_path / "link").symlink_to(precious)
    assert export(runs, "plain", "hf-folder", tmp_path / "link", "--force") == 2
    assert says(capsys.readouterr().err, "not folder")


def test_a_disk_that_refuses_leaves_the_old_export(runs, tmp_path, monkeypatch, capsys):
    target = tmp_path / "out"
    assert export(runs, "plain", "hf-folder", target) == 0
    before = {path.name: path.read_bytes() for path in target.iterdir()}

    def refuse(path, data):
        raise StorageError(path, "the disk is full")

    monkeypatch.setattr("miiii.interchange.exports.placing.write_atomically", refuse)
    assert export(runs, "plain", "hf-folder", target, "--force") == 1
    assert "the disk is full" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in target.iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


REFUSED = [
    (["plain"], "--to"),
    (["plain", "--to", "numpyy"], "did you mean 'numpy'?"),
    (["plane", "--to", "csv"], "did you mean 'plain'?"),
    (["plain", "--to", "numpy", "--epoch", "4"], "snapshots of epochs 0, 1, 3, 9, 24"),
    (["plain", "--to", "csv", "--epoch", "3"], "whole history"),
    (["empty", "--to", "numpy"], "no weights yet"),
    (["empty", "--to", "csv"], "no history yet"),
]


def test_refusals_are_one_line_and_come_before_jax(runs, tmp_path):
    files = {"config.toml": to_toml(small_config()).encode(), "status.json": b"{}"}
    RunDirectory.create(runs, "empty", files=files)
    place = ["--runs-dir", str(runs)]
    found = refusals("export", [[*words, *place] for words, _ in REFUSED], tmp_path)
    for (words, said), (code, error) in zip(REFUSED, found, strict=True):
        assert code == 2, words
        assert said in error, words


def test_parquet_without_its_library_says_how_to_get_it(runs, monkeypatch, capsys):
    monkeypatch.setattr("miiii.cli.commands.export.find_spec", lambda name: None)
    assert miiii(["export", "plain", "--to", "parquet", "--runs-dir", str(runs)]) == 2
    assert "pip install 'miiii[interop]'" in capsys.readouterr().err
