"""The folder of a study's results: what stands in it is what the runs' own files say."""

import csv
import json
import re
import shutil

import numpy as np
import pytest

from claims.planted_runs import basis, miiii, no_dropout
from miiii import load_run
from miiii.claims.judge import judge
from miiii.claims.rules.published import PUBLISHED_FIRST
from miiii.cli.main import run
from miiii.report.export import export_study, task_rows
from miiii.report.kept import kept_measurements
from miiii.results.store import measure
from miiii.tasks.primes import primes_below
from wording import says


@pytest.fixture(scope="module")
def folder(study, tmp_path_factory):
    planted = {"miiii": miiii, "basis": basis, "no-dropout": no_dropout}
    ledger = judge({key: [make(0), make(1)] for key, make in planted.items()}, study.name)
    folder = tmp_path_factory.mktemp("results") / "new"
    files = export_study(study, ledger, folder, figures=("4", "10", "24"))
    assert files[0] == folder / "README.md"
    assert all(path.stat().st_size for path in files)
    return folder


def test_the_files_are_named_and_the_pictures_shown(folder):
    text = (folder / "README.md").read_text()
    shown = set(re.findall(r"!\[[^]]*\]\(([^)]+)\)", text))
    assert shown == {path.name for path in folder.glob("figure-*")}
    assert {name.split("-")[1] for name in shown} == {"4", "10"}  # 24 needs runs that are missing
    assert len(json.loads((folder / "ledger.json").read_text())["findings"]) == 19
    assert all(f"| C{number} |" in text for number in range(1, 20))


def test_tasks_are_those_of_the_history(folder, study):
    rows = list(csv.DictReader((folder / "tasks.csv").read_text().splitlines()))
    one = study.runs()["miiii"][1]
    assert [int(row["modulus"]) for row in rows] == list(one.history.moduli)
    for row, accuracy in zip(rows, one.history.validation_accuracy.T, strict=True):
        below = np.flatnonzero(accuracy < 0.9)
        first = below[-1] + 1 if below.size else 0
        wanted = str(one.history.validation_epoch[first]) if first < len(accuracy) else ""
        assert row["miiii-seed1 holds from"] == wanted
        assert float(row["miiii-seed1 ends at"]) == pytest.approx(accuracy[-1], abs=1e-4)
    assert "basis-seed0 ends at" not in rows[0]
    assert "paper" not in rows[0]


def test_histories_and_measurements_are_kept_small(folder, study):
    runs = [run for group in study.runs().values() for run in group]
    with np.load(folder / "histories.npz") as kept:
        assert {key.split("/")[0] for key in kept} == {run.name for run in runs}
        for run in runs:
            epochs = kept[f"{run.name}/epoch"]
            assert (epochs[0], epochs[-1]) == (1, run.history.epoch[-1])
            rows = np.searchsorted(run.history.epoch, epochs)
            np.testing.assert_allclose(
                kept[f"{run.name}/train_loss"], run.history.train_loss[rows], atol=6e-5
            )
    # Only what was measured and kept is there, and nothing was.
    assert json.loads((folder / "measurements.json").read_text()) == {}


def test_measurements_that_are_kept_beside_a_run_are_taken_along(study, tmp_path):
    run = load_run(shutil.copytree(study.runs()["no-dropout"][0].path, tmp_path / "a"))
    measured = measure(run, depth="outside")
    kept = kept_measurements({"no-dropout": [run]})
    assert kept == {"a": json.loads(measured.to_json())}


def test_runs_that_were_not_trained_are_said_so(folder, study):
    text = (folder / "README.md").read_text()
    assert "| miiii-seed1 | T_miiii, λ = 0.5 | 30 |" in text
    assert task_rows({}) == (["modulus"], [])


def test_the_published_epochs_are_of_all_tasks():
    assert sorted(PUBLISHED_FIRST) == list(primes_below(113))


def test_export_and_output_exclude_each_other(study, tmp_path, capsys):
    words = ["report", str(study.path), "--export", str(tmp_path / "a")]
    assert run([*words, "--output", str(tmp_path / "b.html")]) == 2
    assert "exclude each other" in capsys.readouterr().err
    (tmp_path / "a").write_text("a file")
    assert run(words) == 2
    assert says(capsys.readouterr().err, "directory")
