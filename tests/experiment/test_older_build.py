"""What an earlier version wrote is read, resumed and continued: runs, a study, a sweep."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import miiii
from command import call
from miiii.experiment.members import identity
from miiii.studies.study import open_study

OLDER = Path(__file__).parents[1] / "older_build"


@pytest.fixture
def older(tmp_path):
    for part in ("runs", "studies", "sweeps"):
        shutil.copytree(OLDER / part, tmp_path / part)
    return tmp_path


@pytest.mark.parametrize("name", ["run", "begun"])
def test_an_older_run_is_read(older, name):
    run = miiii.load_run(older / "runs" / name)
    assert run.provenance["identity"] == identity(run.config)
    epochs = run.status["epoch"]
    assert run.history.epoch.tolist() == list(range(1, epochs + 1))
    last = np.load(next((run.path / "history").glob("*.npz")))["validation_accuracy"][-1]
    np.testing.assert_allclose(run.history.validation_accuracy[-1], last, rtol=1e-6)
    assert max(run.snapshots) <= epochs
    logits = run.activations().logits
    assert logits.shape == (121, 2 + 3 + 5 + 7)
    assert np.isfinite(np.asarray(logits)).all()


def test_a_begun_run_ends_as_the_older_version_ended_it(older):
    outcome = miiii.resume("begun", older / "runs")
    assert (outcome.state, outcome.done) == ("finished", 20)
    begun, whole = (miiii.load_run(name, older / "runs") for name in ("begun", "run"))
    assert begun.history.epoch.tolist() == whole.history.epoch.tolist()
    # Another processor rounds otherwise; epochs 1 to 4 are the older version's own.
    np.testing.assert_array_equal(begun.history.train_loss[:4], whole.history.train_loss[:4])
    np.testing.assert_allclose(begun.history.train_loss, whole.history.train_loss, rtol=1e-4)
    for name in ("token_embedding", "unembedding"):
        np.testing.assert_allclose(
            getattr(begun.parameters, name), getattr(whole.parameters, name), rtol=1e-3, atol=1e-5
        )


def test_a_branch_of_an_older_run_may_begin_an_average(older):
    origin = miiii.load_run("run", older / "runs")
    config = miiii.replace_fields(origin.config, epochs=22, average_weights=0.5)
    outcome = miiii.start([config], ["branch"], older / "runs", origin=miiii.Origin(origin.path))
    assert (outcome.state, outcome.done) == ("finished", 22)
    branch = miiii.load_run("branch", older / "runs").history
    # Up to its first epoch the raw weights were the model.
    for history in (branch, branch.of_raw_weights()):
        np.testing.assert_array_equal(
            history.validation_accuracy[:20], origin.history.validation_accuracy
        )
    assert (branch.validation_loss[20:] != branch.of_raw_weights().validation_loss[20:]).any()


def test_an_older_study_is_found_and_its_missing_run_trained(older):
    study = open_study("study", older / "studies")
    assert [study.state(run) for run in study.plan.runs] == ["finished", "missing"]
    finished = older / "studies/study/runs/lambda-0-seed0"
    before = {path: path.read_bytes() for path in finished.rglob("*") if path.is_file()}
    missing = study.plan.runs[1]
    assert miiii.start([missing.config], [missing.name], study.runs_dir).state == "finished"
    again = open_study("study", older / "studies")
    assert [again.state(run) for run in again.plan.runs] == ["finished", "finished"]
    assert all(path.read_bytes() == content for path, content in before.items())


def test_an_older_sweep_goes_on(older):
    pytest.importorskip("optuna")
    done = call(["sweep", "worker", "sweep"], older, older / "cache")
    assert done.returncode == 0, done.stderr
    status = call(["sweep", "best", "sweep", "--json"], older, older / "cache")
    assert status.returncode == 0, status.stderr
    states = [
        json.loads(path.read_text())["state"]
        for path in sorted((older / "sweeps/sweep/runs").glob("*/status.json"))
    ]
    assert states == ["finished", "finished"]
