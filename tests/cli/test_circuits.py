"""`miiii circuits` on a stored run whose circuits were planted."""

import csv
import json
import re

import jax
import numpy as np
import pytest

from analysis.planted_circuits import circuit_model
from miiii import get_preset, replace_fields
from miiii.cli.main import run
from miiii.model.parameters import Block, Parameters
from miiii.report.pictures.catalogue import CIRCUITS
from results.stored_runs import store
from wording import says

pytestmark = pytest.mark.slow

CONFIG = replace_fields(
    get_preset("tiny"), base=11, moduli=(5, 7), width=16, heads=2, epochs=24, snapshots=8
)


def planted():
    """Half of the neurons for 5, half for 7, in the shapes that the configuration has."""
    found, _ = circuit_model(11, (5, 7), [([(5, 1)], 32), ([(7, 2)], 32)])
    (block,) = found.blocks
    more = CONFIG.model.width // CONFIG.model.heads - block.query.shape[2]

    def wider(weight, axis):
        return np.pad(weight, [(0, more if at == axis else 0) for at in range(3)])

    query, key, value = (wider(each, 2) for each in (block.query, block.key, block.value))
    blocks = (Block(query, key, value, wider(block.output, 1), block.mlp_in, block.mlp_out),)
    weights = Parameters(found.token_embedding, found.position_embedding, blocks, found.unembedding)
    return jax.tree.map(lambda leaf: leaf.astype(np.float32), weights)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("circuits")
    store(folder, "apart", CONFIG, planted=planted())
    store(folder, "addition", replace_fields(CONFIG, task="nanda", moduli=()))
    store(folder, "waves", replace_fields(CONFIG, task="waves", moduli=(), dropout=0.0))
    common = replace_fields(CONFIG, base=12, moduli=(4, 6))
    store(folder, "common", common)
    store(folder, "alone", replace_fields(CONFIG, base=12, moduli=(5,)))
    return folder


def circuits(folder, *words):
    return run(["circuits", *words, "--runs-dir", str(folder)])


@pytest.fixture(scope="module")
def drawn(folder):
    assert circuits(folder, "apart", "--draws", "3", "--format", "png,svg") == 0
    return folder / "apart" / "circuits"


def test_planted_circuits_are_read_back(drawn):
    record = json.loads((drawn / "circuits.json").read_text())
    assert record["moduli"] == [5, 7]
    assert record["neurons"]["neurons_per_task"] == [32, 32]
    assert record["mlp"]["explained_with_digits"] > 0.5
    without = record["without_neurons"]
    lost = np.array(without["accuracy"]) - np.array(without["accuracy_without"])
    assert np.diagonal(lost).min() > 0.5
    assert np.abs(lost[[0, 1], [1, 0]]).max() < 0.01
    assert without["index"]["value"] < 0.05
    assert record["dictionary"]["rank"] == 1 + 4 + 6
    assert record["sharing"]["epochs"] == [0, 1, 3, 9, 24]


def test_every_neuron_has_a_row(drawn):
    rows = list(csv.DictReader((drawn / "neurons.csv").read_text().splitlines()))
    assert [row["task"] for row in rows] == ["5"] * 32 + ["7"] * 32
    assert {row["harmonic"] for row in rows[32:]} == {"2"}
    assert all(float(row["matched_share"]) > 0.99 for row in rows)


def test_all_pictures_have_files_captions_and_a_place_in_the_gallery(drawn):
    page, captions = (drawn / "index.html").read_text(), (drawn / "captions.md").read_text()
    for number in range(1, 10):
        names = {path.stem for path in drawn.glob(f"circuits-n{number}-*.svg")}
        assert names
        assert names == {path.stem for path in drawn.glob(f"circuits-n{number}-*.png")}
        assert all(name in captions for name in names)
        assert f"Figure N{number}" in page
    assert "Circuits of apart" in page
    assert not re.search(r"\bnan\b", captions)


def test_of_addition_what_is_missing_is_named(folder, capsys):
    words = ("addition", "--draws", "2", "--format", "svg", "--snapshots", "2")
    assert circuits(folder, *words) == 0
    said = capsys.readouterr().out
    assert says(said, "N3 T_miiii addition T_nanda")
    assert "not drawn: figure N10 needs key frequencies" in said
    drawn = folder / "addition" / "circuits"
    assert {path.name.split("-")[1] for path in drawn.glob("*.svg")} == {"n9"}
    record = json.loads((drawn / "circuits.json").read_text())
    assert [task["modulus"] for task in record["certificate"]] == [11]


@pytest.mark.parametrize("name", ["common", "alone"])
def test_moduli_that_share_factors_and_a_single_task(folder, name, capsys):
    """Neither has learnt anything; a base that is no prime, and 4 and 6 share n mod 2."""
    words = (name, "--draws", "5", "--format", "svg", "--snapshots", "2", "--json")
    assert circuits(folder, *words) == 0
    record = json.loads(capsys.readouterr().out)
    functions, rank = {"common": (1 + 3 + 5, 1 + 3 + 5 - 1), "alone": (5, 5)}[name]
    assert record["dictionary"]["functions"] == functions
    assert record["dictionary"]["rank"] == rank
    # Nothing has been learnt: what an index is of is chance, and a single task has none.
    index = record["without_neurons"]["index"]
    if name == "alone":
        assert index == {"value": None, "low": None, "high": None}
    else:
        assert index["low"] < 0 < index["high"]
    assert not any(task["certified"] for task in record["certificate"])


def test_a_part_and_json(folder, tmp_path, capsys):
    words = ("--only", "N3", "--draws", "2", "--json", "--output-dir", str(tmp_path))
    assert circuits(folder, "apart", *words) == 0
    record = json.loads(capsys.readouterr().out)
    assert "without_neurons" in record
    assert "neurons" not in record
    assert not (tmp_path / "neurons.csv").exists()


def test_a_snapshot_can_be_taken_apart(folder, tmp_path, capsys):
    words = ("--only", "N2", "--draws", "2", "--json", "--output-dir", str(tmp_path))
    assert circuits(folder, "apart", *words, "--epoch", "1") == 0
    record = json.loads(capsys.readouterr().out)
    assert record["epoch"] == 1
    assert record["neurons"]["neurons_per_task"] != [32, 32]
    assert circuits(folder, "apart", "--epoch", "2") == 2
    assert "snapshots of epochs 0, 1, 3, 9, 24" in capsys.readouterr().err


def test_pictures_are_named_without_a_run(capsys):
    assert run(["circuits", "--list"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == [
        entry.number for entry in CIRCUITS
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "which run"),
        (("nobody",), "nobody"),
        (("apart", "--draws", "0"), "--draws 0"),
        (("apart", "--snapshots", "-1"), "--snapshots -1"),
        (("apart", "--format", "gif"), "svg,pdf,png"),
        (("apart", "--only", "N77"), "'N77' N1"),
        (("waves",), "real number"),
    ],
)
def test_bad_input_is_refused_in_one_line(folder, capsys, words, said):
    assert circuits(folder, *words) in (1, 2)
    error = capsys.readouterr().err.strip()
    assert says(error, said)
    assert len(error.splitlines()) == 1
