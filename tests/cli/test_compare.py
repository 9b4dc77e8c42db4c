"""`miiii compare`, on runs whose histories are planted."""

import json
import math
import re
from xml.etree import ElementTree

import numpy as np
import pytest

from command import call_here
from miiii import get_preset, replace_fields
from miiii.cli.main import run
from miiii.results.comparison import check_comparable, differing_settings
from miiii.results.seeds import seed_groups, summary
from results.stored_runs import store
from wording import naming, says

EPOCHS = 24
SMALLEST = replace_fields(
    get_preset("tiny"), base=7, width=8, heads=2, epochs=EPOCHS, snapshots=24, seed=3
)
RUNS = {
    "plain": {},
    "strong": {"filter_strength": 2.5, "learning_rate": 0.01},
    "fewer": {"moduli": (2, 11), "task_scale": "none"},
    "waves": {"task": "waves"},
}


def planted(name, tasks):
    """[E, N] of 5 numbers: rises and falls at random, so that holding differs from reaching."""
    generator = np.random.default_rng(len(name))
    accuracy = generator.choice([0.4, 0.8, 1.0], (EPOCHS, tasks), p=[0.1, 0.1, 0.8])
    accuracy[:3] = 0.2
    accuracy[-1, 0] = 0.2 if name == "plain" else 1.0
    return accuracy.astype(np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compare")
    for name, changes in RUNS.items():
        config = replace_fields(SMALLEST, **changes)
        store(folder / "runs", name, config, accuracy=planted(name, len(config.task.task_moduli)))
    store(folder / "others", "plain", replace_fields(SMALLEST, seed=9))
    return folder


@pytest.fixture(scope="module")
def compared(folder):
    done = call_here(["compare", "plain", "strong", "fewer", "--json"], folder)
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def held(column):
    """The first epoch from which all values are at least 0.9, by looking at every tail."""
    for epoch in range(1, EPOCHS + 1):
        if all(value >= np.float32(0.9) for value in column[epoch - 1 :]):
            return epoch
    return None


def test_the_settings_that_differ_and_no_others(compared):
    base = {
        "moduli": SMALLEST.task.moduli,
        "learning_rate": SMALLEST.optim.learning_rate,
        "filter_strength": SMALLEST.optim.filter_strength,
        "task_scale": SMALLEST.training.task_scale,
    }
    expected = {
        name: {run: RUNS[run].get(name, value) for run in ("plain", "strong", "fewer")}
        for name, value in base.items()
    }
    expected["moduli"] = {"plain": [], "strong": [], "fewer": [2, 11]}
    assert compared["settings"] == expected


def test_epochs_from_which_tasks_hold(compared):
    moduli = {"plain": [2, 3, 5], "strong": [2, 3, 5], "fewer": [2, 11]}
    found = {row["task"]: row["held_from"] for row in compared["tasks"]}
    assert list(found) == ["2", "3", "5", "11"]
    expected = {
        task: {
            name: held(planted(name, len(own))[:, own.index(int(task))])
            if int(task) in own
            else None
            for name, own in moduli.items()
        }
        for task in found
    }
    assert found == expected
    assert found["2"]["plain"] is None
    assert len({epoch for row in found.values() for epoch in row.values()}) > 3


def test_ends_are_the_last_rows_and_losses_are_in_one_unit(compared, folder):
    rows = {row["task"]: row for row in compared["tasks"]}
    for name, moduli in (("plain", (2, 3, 5)), ("fewer", (2, 11))):
        (segment,) = (folder / "runs" / name / "history").glob("*.npz")
        with np.load(segment) as history:
            for column, modulus in enumerate(moduli):
                row = rows[str(modulus)]
                cost = np.log(modulus) if name == "fewer" else 1.0
                # Of 49 numbers 39 train and 5 validate; an accuracy is a count of them.
                for measure, examples in (("train_accuracy", 39), ("validation_accuracy", 5)):
                    count = round(float(history[measure][-1, column]) * examples)
                    assert row[measure][name] == pytest.approx(count / examples)
                for measure in ("train_loss", "validation_loss"):
                    assert row[measure][name] == pytest.approx(history[measure][-1, column] / cost)
    assert rows["11"]["train_loss"]["plain"] is None


def test_the_figure_names_every_run(compared, folder):
    assert compared["figure"] == "figures/compare-plain-strong-fewer.svg"
    text = (folder / compared["figure"]).read_text()
    assert ElementTree.fromstring(text).tag.endswith("svg")
    for name in ("plain", "strong", "fewer"):
        # Loss and accuracy, of training and of validation.
        assert len(re.findall(f">{name}</text>", text)) == 4


def test_the_tables_are_for_people(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    monkeypatch.setattr("miiii.cli.machine.prepare_jax", lambda: None)
    assert run(["compare", "plain", "others/plain", "--output", "a/b.png"]) == 0
    text = capsys.readouterr().out
    lines = [line.split() for line in text.splitlines()]
    assert ["setting", "runs/plain", "others/plain"] in lines
    assert ["seed", "3", "9"] in lines
    assert ["epochs", "trained", "24", "24"] in lines
    assert says(text, "epoch validation accuracy 0.9")
    assert text.splitlines()[-1] == "figure: a/b.png"
    assert (folder / "a" / "b.png").read_bytes().startswith(b"\x89PNG")


def test_runs_that_differ_in_their_seed_are_put_together(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("miiii.cli.machine.prepare_jax", lambda: None)
    monkeypatch.chdir(tmp_path)
    for name, seed, held in (("x-seed3", 3, 4), ("x-seed4", 4, 9), ("x-seed5", 5, None)):
        accuracy = np.full((EPOCHS, 3), 0.2)
        accuracy[held - 1 if held else EPOCHS :] = 1.0
        store(tmp_path / "runs", name, replace_fields(SMALLEST, seed=seed), accuracy=accuracy)
    store(tmp_path / "runs", "wide", replace_fields(SMALLEST, width=16))
    words = ["compare", "x-seed3", "x-seed4", "wide", "x-seed5", "--spread"]
    assert run([*words, "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["seeds"] == {"x (3 seeds)": ["x-seed3", "x-seed4", "x-seed5"], "wide": ["wide"]}
    assert run(words) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["seed", "3,", "4,", "5", "3"] in lines
    assert ["width", "8", "16"] in lines
    # A task that one seed never learnt is later than in any other.
    assert ["2", "9", "(4", "to", "-)", "-"] in lines
    picture = (tmp_path / record["figure"]).read_text()
    assert picture.count(">x (3 seeds)</text>") == 4


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([3, 1, 2], (2, 1, 3)),
        ([1, 2], (1.5, 1, 2)),
        ([1, None, 2], (2, 1, math.inf)),
        ([1, None], (math.inf, 1, math.inf)),
        ([None, None], None),
    ],
)
def test_what_is_never_reached_is_later_than_all_else(values, expected):
    assert summary(values) == expected


def test_groups_of_seeds_are_called_by_what_their_names_share():
    seeds = [replace_fields(SMALLEST, seed=seed) for seed in range(6)]
    names = ["a-seed0", "a-seed1", "a-seed10", "b", "c", "d"]
    wide = replace_fields(SMALLEST, width=16)
    found = seed_groups(dict(zip(names[:3], seeds, strict=False)) | {"b": wide})
    assert found == {"a (3 seeds)": ("a-seed0", "a-seed1", "a-seed10"), "b": ("b",)}
    assert list(seed_groups({"one": seeds[0], "two": seeds[1]})) == ["one (2 seeds)"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "runs two none"),
        (["plain"], "runs two 'plain'"),
        (["plain", "plian"], "'plian' runs 'plain'"),
        (["plain", "runs/plain"], "run plain twice"),
        (["plain", "waves"], "waves real plain classes"),
        (["plain", "strong", "--output", "x.gif"], ".svg,.pdf,.png"),
    ],
)
def test_refusals(folder, monkeypatch, capsys, words, message):
    monkeypatch.chdir(folder)
    assert run(["compare", *words]) == 2
    output = capsys.readouterr()
    assert says(output.err, message)
    assert len(output.err.strip().splitlines()) == 1
    assert output.out == ""


def test_settings_that_all_share_are_left_out():
    other = replace_fields(SMALLEST, seed=4, width=16)
    assert differing_settings([SMALLEST, SMALLEST, other]) == {
        "seed": (3, 3, 4),
        "width": (8, 8, 16),
    }
    assert differing_settings([SMALLEST, SMALLEST]) == {}


def test_one_run_alone_is_no_comparison():
    with pytest.raises(ValueError, match=naming("two 1")):
        check_comparable(["plain"], [SMALLEST])
