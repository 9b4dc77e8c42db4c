"""Branches: the weights of a stored run, other settings."""

import json
import shutil

import numpy as np
import pytest

from command import assert_equal_runs, contents
from miiii import Origin, RunError, load_run, replace_fields, resume, start
from miiii.cli.main import run as miiii
from miiii.experiment import estimating
from miiii.experiment.branching import Branching
from miiii.experiment.members import identity
from miiii.experiment.progress import Silent
from training.tiny import TINY
from wording import naming, says

LONGER = replace_fields(TINY, epochs=20)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A run of 12 epochs, with dropout and a schedule."""
    folder = tmp_path_factory.mktemp("runs")
    start([TINY], ["first"], folder)
    return folder


@pytest.fixture(scope="module")
def decayed(runs):
    """A branch without weight decay, of the newest weights."""
    start([replace_fields(LONGER, weight_decay=0.0)], ["decayed"], runs, origin=Origin("first"))
    return load_run("decayed", runs)


def test_a_branch_that_changes_nothing_equals_its_origin_gone_on_with(runs):
    start([LONGER], ["same"], runs, origin=Origin("first", optimiser=True))
    shutil.copytree(runs / "first", runs / "on")
    resume("on", runs, epochs=20)
    assert_equal_runs(runs / "on", runs / "same")


def test_a_branch_that_was_interrupted_equals_one_that_was_not(runs, decayed):
    chunks = []

    class Counting(Silent):
        def advanced(self, report):
            chunks.append(report.done)

    config = replace_fields(decayed.config, origin="")
    begin, progress = Origin("first"), Counting()
    cut = start([config], ["cut"], runs, origin=begin, progress=progress, stop=lambda: bool(chunks))
    assert cut.state == "interrupted"
    assert 12 < cut.done < 20
    resume("cut", runs)
    assert_equal_runs(decayed.path, runs / "cut")


def test_a_branch_begins_with_its_origin_s_weights_and_a_new_optimiser(runs, decayed):
    first, found = contents(runs / "first"), decayed.directory
    weights, _ = found.load_snapshot(12)
    for name, array in weights.items():
        assert array.tobytes() == first[f"checkpoint 12.parameters.{name}"].tobytes()
    history = load_run("first", runs).history
    np.testing.assert_array_equal(decayed.history.epoch, np.arange(1, 21))
    np.testing.assert_array_equal(decayed.history.train_loss[:12], history.train_loss)
    assert set(load_run("first", runs).snapshots) < set(decayed.snapshots)
    begun = found.load_checkpoint(12).arrays
    assert not any(
        array.any() for name, array in begun.items() if not name.startswith("parameters.")
    )


def test_provenance_and_identity_know_the_origin(runs, decayed):
    branch = decayed.provenance["branch"]
    assert (branch["run"], branch["epoch"], branch["optimiser"]) == ("first", 12, False)
    assert branch["identity"] == identity(TINY)
    assert branch["settings"] == {"weight_decay": [TINY.optim.weight_decay, 0.0]}
    assert branch["digest"] == decayed.config.training.origin
    drawn = replace_fields(decayed.config, origin="")
    assert len({identity(TINY), identity(drawn), identity(decayed.config)}) == 3


def test_a_branch_of_an_early_snapshot_with_another_seed_keeps_the_split(runs):
    config = replace_fields(TINY, seed=5, epochs=14)
    start([config], ["early"], runs, origin=Origin("first", epoch=0))
    early, first = load_run("early", runs), load_run("first", runs)
    np.testing.assert_array_equal(early.dataset.split.train, first.dataset.split.train)
    for name in ("token_embedding", "unembedding"):
        one, other = getattr(early.snapshots[0], name), getattr(first.snapshots[0], name)
        np.testing.assert_array_equal(one, other)
    assert early.history.epoch[0] == 1


@pytest.mark.parametrize(
    ("changes", "origin", "message"),
    [
        ({"width": 16}, Origin("first"), "width 16 first 8"),
        ({"moduli": (2, 3)}, Origin("first"), "moduli (2,3) first"),
        ({"epochs": 12}, Origin("first"), "epochs 12"),
        ({}, Origin("first", epoch=11), "epoch 11 0,1,12"),
        ({}, Origin("first", epoch=1, optimiser=True), "optimiser's state 12"),
        ({"optimiser": "muon"}, Origin("first", optimiser=True), "optimiser 'muon'"),
        ({"origin": "0" * 16}, Origin("first"), "origin '0000000000000000' first"),
        ({"origin": "0" * 16}, None, "settings branch"),
    ],
)
def test_what_does_not_fit_is_named_before_a_directory_is_made(runs, changes, origin, message):
    with pytest.raises(ValueError, match=naming(message)):
        start([replace_fields(LONGER, **changes)], ["no"], runs, origin=origin)
    assert not (runs / "no").exists()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--epochs", "20", "--from-epoch", "11"], 2, "epoch 11"),
        (["--epochs", "20", "--width", "16"], 2, "width 16 first 8"),
        ([], 2, "epochs 12 origin's"),
        (["--epochs", "20", "--from-epoch", "1", "--from-optimiser"], 2, "optimiser's 12"),
        (["--epochs", "20", "--data-seed", "5"], 0, "validation trained first"),
        (["--epochs", "20"], 0, "first 12"),
        (["--epochs", "20"], 0, "0:16 8"),
        (
            ["--epochs", "20"],
            0,
            "branch 0.001 learning_rate decay",
        ),
    ],
)
def test_a_rehearsal_of_a_branch_reads_its_origin(runs, monkeypatch, capsys, words, code, said):
    def measured(configs, stop, *, done):
        left = configs[0].training.epochs - done
        return estimating.Estimate(1, 1, 1, 1, 1, 1, 2.0, 2.0 * left)

    monkeypatch.setattr(estimating, "estimate", measured)
    before = sorted(path.name for path in runs.iterdir())
    words = ["train", "--from", "first", "--runs-dir", str(runs), "--dry-run", *words]
    assert miiii(words) == code
    captured = capsys.readouterr()
    assert says(captured.out + captured.err, said)
    assert ("nothing was written" in captured.err) == (code == 0)
    assert sorted(path.name for path in runs.iterdir()) == before


def test_a_branch_says_with_what_rate_it_goes_on(runs):
    def said(epoch=None, **changes):
        config = replace_fields(LONGER, **changes)
        return Branching(Origin("first", epoch), [config], runs).warnings(config)

    (line,) = said()
    assert says(line, "branch 0.001 10 % learning_rate decay")
    assert said(decay_epochs=0) == []
    assert said(epochs=12, epoch=1) == []  # as long as its origin


def test_a_branch_whose_first_weights_are_gone_does_not_begin_with_others(runs, decayed):
    shutil.copytree(decayed.path, runs / "lost")
    for path in (runs / "lost" / "checkpoints").iterdir():
        path.unlink()
    (runs / "lost" / "status.json").write_text('{"state": "interrupted", "epoch": 12}')
    with pytest.raises(RunError, match=naming("first 12 branch")):
        resume("lost", runs)


def test_a_state_that_another_optax_named_otherwise_is_told_with_the_versions(runs):
    shutil.copytree(runs / "first", runs / "other")
    path = runs / "other" / "provenance.json"
    provenance = json.loads(path.read_text())
    provenance["versions"]["optax"] = "0.1.7"
    path.write_text(json.dumps(provenance))
    directory = load_run("other", runs).directory
    state = dict(directory.load_checkpoint(12).arrays)
    name = next(name for name in state if name.startswith("optimiser.") and ".nu." in name)
    state["optimiser.renamed"] = state.pop(name)
    directory.save_checkpoint(12, state, {"identity": directory.provenance["identity"]})
    with pytest.raises(ValueError, match=naming(f"optax 0.1.7) {name}")) as refused:
        start([LONGER], ["from-other"], runs, origin=Origin("other", optimiser=True))
    assert "leave --from-optimiser" in str(refused.value)


def test_a_branch_may_begin_an_average_and_not_leave_one(runs):
    averaging = replace_fields(LONGER, average_weights=0.9)
    start([averaging], ["averaging"], runs, origin=Origin("first", optimiser=True))
    first, run = load_run("first", runs), load_run("averaging", runs)
    begun = run.directory.load_checkpoint(12).arrays
    for name in ("unembedding", "blocks.0.query"):
        np.testing.assert_array_equal(begun[f"average.{name}"], begun[f"parameters.{name}"])
    history = run.history
    np.testing.assert_array_equal(history.validation_loss[:4], first.history.validation_loss)
    np.testing.assert_array_equal(history.validation_raw_loss[:4], first.history.validation_loss)
    assert not np.array_equal(history.validation_loss[4:], history.validation_raw_loss[4:])
    # Where nothing changes its average goes on.
    longer = replace_fields(run.config, epochs=26, origin="")
    start([longer], ["further"], runs, origin=Origin("averaging", optimiser=True))
    shutil.copytree(run.path, runs / "averaging on")
    resume("averaging on", runs, epochs=26)
    assert_equal_runs(runs / "averaging on", runs / "further")
    with pytest.raises(ValueError, match=naming("average_weights 0.0 averaging 0.9")):
        start([LONGER], ["none"], runs, origin=Origin("averaging"))
