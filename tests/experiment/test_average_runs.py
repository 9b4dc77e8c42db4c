"""Runs that keep an average of their weights: what is stored, resumed, shown and exported."""

import json
import shutil

import jax
import numpy as np
import pytest

from command import assert_equal_runs
from interchange.planted_models import refusals
from miiii import get_preset, load_run, replace_fields, resume, start
from miiii.cli.main import run as miiii
from miiii.experiment.members import identity
from miiii.experiment.progress import Silent
from miiii.report.pictures.sources import origin
from miiii.results.paper import Results
from miiii.runs.directory import RunDirectory
from miiii.training.state import model_arrays
from model.textbook import textbook_forward
from wording import naming, says

CONFIG = replace_fields(
    get_preset("tiny"),
    **{"base": 7, "width": 8, "heads": 2, "epochs": 40, "snapshots": 8, "average_weights": 0.9},
)
PLAIN = replace_fields(CONFIG, average_weights=0.0)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """`whole` ran through; `cut` was stopped on the way and resumed; `plain` has no average."""
    folder = tmp_path_factory.mktemp("runs")
    start([CONFIG], ["whole"], folder)
    stopper = Stopper()
    assert start([CONFIG], ["cut"], folder, progress=stopper, stop=stopper).state == "interrupted"
    assert 0 < stopper.done < 40
    assert resume("cut", folder).state == "finished"
    start([PLAIN], ["plain"], folder)
    return folder


class Stopper(Silent):
    """Stops a run on its way."""

    done = 0

    def advanced(self, report):
        self.done = report.done

    def __call__(self):
        return self.done > 5


def same(one, other):
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_resumed_run_equals_a_whole_one_bit_for_bit(runs):
    assert_equal_runs(runs / "whole", runs / "cut")


def test_snapshots_and_weights_are_the_average_and_the_checkpoint_has_both(runs):
    run = load_run("whole", runs)
    arrays = run.directory.load_checkpoint().arrays
    average, raw = model_arrays(arrays), model_arrays(arrays, raw=True)
    assert not np.array_equal(average["unembedding"], raw["unembedding"])
    same(run.snapshots[40], run.parameters)
    np.testing.assert_array_equal(run.parameters.unembedding, average["unembedding"])
    of_raw = run.with_raw_weights()
    np.testing.assert_array_equal(of_raw.parameters.unembedding, raw["unembedding"])
    assert list(of_raw.snapshots) == []
    # At the start there is nothing to average.
    same(run.snapshots[0], load_run("plain", runs).snapshots[0])
    # After one update it is the weights; another program rounds in another order.
    plain = load_run("plain", runs).snapshots[1]
    np.testing.assert_allclose(run.snapshots[1].unembedding, plain.unembedding, rtol=1e-5)


@pytest.mark.parametrize("raw", [False, True])
def test_the_history_has_the_accuracy_of_the_stored_weights(runs, raw):
    run = load_run("whole", runs)
    run = run.with_raw_weights() if raw else run
    numbers = run.dataset.split.validation
    logits = np.asarray(textbook_forward(run.parameters, run.dataset.digits[numbers]))
    start = 0
    for task, size in enumerate(run.dataset.class_sizes):
        answers = logits[:, start : start + size].argmax(axis=1)
        start += size
        right = (answers == run.dataset.targets[numbers, task]).mean()
        assert run.history.validation_accuracy[-1, task] == right
    both = load_run("whole", runs).history
    assert not np.array_equal(both.validation_loss, both.validation_raw_loss)
    same(both.of_raw_weights().validation_loss, both.validation_raw_loss)


def test_a_run_without_an_average_is_its_raw_weights(runs):
    run = load_run("plain", runs)
    assert run.history.validation_raw_loss is None
    assert run.history.of_raw_weights() is run.history
    same(run.with_raw_weights().parameters, run.parameters)
    assert len(run.with_raw_weights().snapshots) == len(run.snapshots)
    assert identity(PLAIN) != identity(CONFIG)
    keys = RunDirectory(runs / "plain").history()
    assert not any("raw" in key for key in keys)


def test_show_prints_both(runs, capsys):
    assert miiii(["show", "whole", "--runs-dir", str(runs)]) == 0
    shown = capsys.readouterr().out
    assert "raw weights" in shown
    assert says(shown, "raw weights: validation ≥ 0.99 now:")
    said = "the model is the exponential average of the weights, decay 0.9 per update (training"
    assert said in shown
    assert said in origin(Results(load_run("whole", runs)))
    assert "average" not in origin(Results(load_run("plain", runs)))
    assert miiii(["show", "whole", "--runs-dir", str(runs), "--json"]) == 0
    tasks = json.loads(capsys.readouterr().out)["tasks"]
    history = load_run("whole", runs).history
    for column, task in enumerate(tasks):
        assert task["validation_loss"] == history.validation_loss[-1, column]
        assert task["raw_validation_loss"] == history.validation_raw_loss[-1, column]
    assert miiii(["show", "plain", "--runs-dir", str(runs)]) == 0
    assert "raw weights" not in capsys.readouterr().out


def export(runs, name, output, *words):
    place = ["--runs-dir", str(runs), "--output", str(output)]
    return miiii(["export", name, "--to", "numpy", *place, *words])


def test_exports_are_of_the_average_unless_raw_weights_are_asked_for(runs, tmp_path):
    for name, words in (("average", []), ("same", ["--weights", "average"])):
        assert export(runs, "whole", tmp_path / f"{name}.npz", *words) == 0
    assert export(runs, "whole", tmp_path / "raw.npz", "--weights", "raw") == 0
    kept = {name: np.load(tmp_path / f"{name}.npz") for name in ("average", "same", "raw")}
    run = load_run("whole", runs)
    for name, weights in (("average", run), ("same", run), ("raw", run.with_raw_weights())):
        found = kept[name]["weights.unembedding"]
        np.testing.assert_array_equal(found, weights.parameters.unembedding)
        assert str(kept[name]["weights_kind"]) == ("raw" if name == "raw" else "average")
    assert export(runs, "plain", tmp_path / "plain.npz", "--weights", "raw") == 0
    assert "weights_kind" not in np.load(tmp_path / "plain.npz")


@pytest.mark.parametrize("weights", ["average", "raw"])
def test_the_card_and_the_history_table_say_whose_they_are(runs, weights, tmp_path):
    words = ["--runs-dir", str(runs), "--weights", weights]
    assert (
        miiii(["export", "whole", "--to", "hf-folder", "--output", str(tmp_path / "f"), *words])
        == 0
    )
    card = (tmp_path / "f" / "README.md").read_text()
    assert says(card, "raw weights: judged") == (weights == "raw")
    assert "exponential average (decay 0.9 per update)" in card
    run = load_run("whole", runs)
    run = run.with_raw_weights() if weights == "raw" else run
    right = run.history.validation_accuracy[-1, 0]
    assert f"| {int(right * 10_000) / 10_000:.4f} |" in card
    table = tmp_path / "history.csv"
    place = ["--runs-dir", str(runs), "--output", str(table)]
    assert miiii(["export", "whole", "--to", "csv", *place]) == 0
    lines = [line.split(",") for line in table.read_text().splitlines()]
    losses = {line[2]: float(line[3]) for line in lines[1:] if line[:2] == ["40", "2"]}
    history = load_run("whole", runs).history
    assert losses["validation"] == pytest.approx(float(history.validation_loss[-1, 0]), rel=1e-7)
    raw = float(history.validation_raw_loss[-1, 0])
    assert losses["validation_raw"] == pytest.approx(raw, rel=1e-7)


def test_weights_that_do_not_exist_are_refused_on_one_line(runs, tmp_path):
    shutil.copytree(runs, tmp_path / "runs")
    shutil.rmtree(tmp_path / "runs" / "cut" / "checkpoints")
    to = ["--to", "numpy", "--output", str(tmp_path / "out.npz")]
    calls = {
        ("plain", *to, "--weights", "average"): "keeps no average of its weights",
        ("whole", *to, "--weights", "raw", "--epoch", "1"): "has snapshots of the average only",
        ("cut", *to, "--weights", "raw"): "they were in its checkpoints, which were removed",
        ("whole", "--to", "csv", "--weights", "raw"): "csv has the history, of both",
        ("whole", *to, "--weights", "mean"): "--weights",
    }
    found = refusals("export", [list(words) for words in calls], tmp_path)
    for (code, error), said in zip(found, calls.values(), strict=True):
        assert code == 2
        assert said in error
    assert not (tmp_path / "out.npz").exists()
    assert load_run("cut", tmp_path / "runs").parameters is not None
    with pytest.raises(Exception, match=naming("cut raw weights checkpoints")):
        _ = load_run("cut", tmp_path / "runs").with_raw_weights().parameters
