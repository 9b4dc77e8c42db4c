"""Runs that end early by their stopping rule: where, with which bits, and who goes on."""

import json
import random

import numpy as np
import pytest

from miiii import get_preset, load_run, replace_fields, resume, start
from miiii.cli.main import run as command
from miiii.experiment.progress import Silent
from miiii.runs.directory import RunDirectory
from miiii.studies.plan import plan
from miiii.studies.study import Study
from wording import says

# 7 is masked: it is not learnt, and does not count.
PLAIN = replace_fields(
    get_preset("tiny"),
    moduli=(2, 7),
    masked_tasks=(7,),
    width=16,
    validate_every=3,
    epochs=240,
    snapshots=8,
)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """Two seeds trained together without a rule, from which every end is read off."""
    folder = tmp_path_factory.mktemp("plain")
    start([PLAIN, replace_fields(PLAIN, seed=2)], ["a", "b"], folder)
    return [load_run(name, folder) for name in ("a", "b")]


def slow_end(history, level, after):
    since = None
    for epoch, accuracy in zip(history.validation_epoch, history.validation_accuracy, strict=True):
        since = None if accuracy[0] < level - 1e-6 else since or int(epoch)
        if since and epoch - since >= after:
            return int(epoch)
    return None


@pytest.fixture(scope="module")
def rule(plain):
    """A level and a time that end both runs early, at different epochs."""
    for level in (0.5, 0.6, 0.7, 0.8, 0.9, 0.4):
        for after in (10, 20, 30, 5):
            ends = [slow_end(run.history, level, after) or 0 for run in plain]
            if all(ends) and len(set(ends)) == 2 and min(ends) > 40 and max(ends) < 230:
                return {"stop_when": level, "stop_after": after}, ends
    raise AssertionError("the planted runs have no such rule")


def assert_same(run, plain, end):
    """Bits of a run that ended, against one that trained on."""
    for name in ("epoch", "train_loss", "validation_epoch", "validation_accuracy", "gradient_norm"):
        one, other = getattr(run.history, name), getattr(plain.history, name)
        rows = (plain.history.validation_epoch if "valid" in name else plain.history.epoch) <= end
        np.testing.assert_array_equal(one, other[rows], err_msg=name)
    assert run.status["state"] == "finished"
    assert (run.status["epoch"], run.status["stopped"]["epoch"]) == (end, end)
    assert max(run.snapshots) == end


def test_runs_of_a_batch_end_each_at_its_own_epoch(plain, rule, tmp_path):
    fields, ends = rule
    configs = [replace_fields(PLAIN, seed=seed, **fields) for seed in (0, 2)]
    outcome = start(configs, ["a", "b"], tmp_path)
    assert (outcome.state, outcome.stopped) == ("finished", tuple(ends))
    for run, other, end in zip(("a", "b"), plain, ends, strict=True):
        assert_same(load_run(run, tmp_path), other, end)


class Interrupting(Silent):
    """Asks for an end after some chunks, counted anew each time."""

    def __init__(self, chunks):
        self.left = chunks

    def advanced(self, report):
        self.left -= 1


@pytest.mark.parametrize("seed", range(3))
def test_interruptions_change_neither_the_end_nor_a_bit(plain, rule, tmp_path, seed):
    fields, ends = rule
    places = random.Random(seed)
    configs = [replace_fields(PLAIN, seed=each, **fields) for each in (0, 2)]
    progress = Interrupting(places.randint(1, 6))
    outcome = start(
        configs, ["a", "b"], tmp_path, progress=progress, stop=lambda: not progress.left
    )
    calls = 1
    while outcome.state == "interrupted":
        progress = Interrupting(places.randint(1, 6))
        # Whichever is named, the other goes on with it, unless it has ended.
        left = [n for n in "ab" if load_run(n, tmp_path).status["state"] != "finished"]
        outcome = resume(
            places.choice(left), tmp_path, progress=progress, stop=lambda p=progress: not p.left
        )
        calls += 1
    assert calls > 1
    for run, other, end in zip(("a", "b"), plain, ends, strict=True):
        assert_same(load_run(run, tmp_path), other, end)


def test_one_run_ends_there_too_and_equals_one_of_so_many_epochs(rule, tmp_path):
    fields, _ = rule
    start([replace_fields(PLAIN, **fields)], ["ruled"], tmp_path)
    ruled = load_run("ruled", tmp_path)
    end = ruled.status["epoch"]
    start([replace_fields(PLAIN, epochs=end)], ["short"], tmp_path)
    short = load_run("short", tmp_path)
    assert slow_end(short.history, *fields.values()) == end
    for epoch in (ruled, short):
        assert epoch.directory.checkpoint_epochs()[-1] == end
    one, other = (run.directory.load_checkpoint().arrays for run in (ruled, short))
    assert one.keys() == other.keys()
    for name, array in one.items():
        np.testing.assert_array_equal(array, other[name], err_msg=name)


def test_a_resume_says_so_and_does_nothing_and_goes_on_when_asked(plain, rule, tmp_path, capsys):
    fields, ends = rule
    configs = [replace_fields(PLAIN, seed=seed, **fields) for seed in (0, 2)]
    start(configs, ["a", "b"], tmp_path)
    before = RunDirectory(tmp_path / "a").status
    assert command(["resume", "a", "--runs-dir", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert says(said, f"epoch {ends[0]:,} stopping rule")
    assert "--stop-when 0" in said
    assert RunDirectory(tmp_path / "a").status == before
    for words in (["show", "a"], ["list"]):
        assert command([*words, "--runs-dir", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert says(said, f"epoch {ends[0]:,} stopping rule")
    assert "finished (rule)" in said
    # Switched off, the named run goes on, and the other stays as it ended.
    assert resume("a", tmp_path, rule={"stop_when": 0.0}).done == 240
    run = load_run("a", tmp_path)
    np.testing.assert_array_equal(run.history.train_loss, plain[0].history.train_loss)
    assert "stopped" not in run.status
    assert load_run("b", tmp_path).status["epoch"] == ends[1]
    # A larger number of epochs goes on, too.
    assert resume("b", tmp_path, epochs=243).done == 243
    np.testing.assert_array_equal(
        load_run("b", tmp_path).history.train_loss[:240], plain[1].history.train_loss
    )
    assert load_run("a", tmp_path).status["epoch"] == 240


def test_a_crash_between_the_last_checkpoint_and_its_status_ends_there(rule, tmp_path):
    fields, _ = rule
    start([replace_fields(PLAIN, **fields)], ["a"], tmp_path)
    directory = RunDirectory(tmp_path / "a")
    status = directory.status
    crashed = {k: v for k, v in status.items() if k != "stopped"} | {"state": "running", "epoch": 3}
    directory.write_status(crashed)
    outcome = resume("a", tmp_path)
    assert (outcome.state, outcome.done) == ("finished", status["epoch"])
    assert directory.status["stopped"] == status["stopped"]


def test_a_study_counts_it_as_finished(rule, tmp_path):
    fields, _ = rule
    wanted = plan("small", "tiny", 1, ["miiii"])
    base = replace_fields(PLAIN, **fields)
    study = Study(tmp_path, type(wanted)("small", "tiny", base, {"miiii": base}, {"miiii": (0,)}))
    start([base], ["miiii-seed0"], study.runs_dir)
    (run,) = study.plan.runs
    assert study.state(run) == "finished"
    directory = RunDirectory(study.run_path(run))
    record = json.loads((directory.path / "status.json").read_text())
    assert record.pop("stopped")["epoch"] < 240
    directory.write_status(record)
    assert study.state(run) == "unfinished"
