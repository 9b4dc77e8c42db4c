"""A study trained for real: cut, deleted, batched; on a model so small that starting is all."""

import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from command import assert_equal_runs
from miiii.config.config import replace_fields
from miiii.experiment.members import new_member
from miiii.runs.errors import RunError, RunLockedError
from miiii.runs.locking import lock_directory
from miiii.studies import train, worker
from miiii.studies.crew import Alone, Workers
from miiii.studies.plan import plan
from miiii.studies.study import Study
from miiii.studies.tally import Tally
from studies.training_script import untimed_agenda

EPOCHS = 4000
SCRIPT = Path(__file__).with_name("training_script.py")


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Short timings."""
    monkeypatch.setattr(train, "TIMING_SECONDS", 0.1)


def make_study(path: Path, epochs: int = EPOCHS, seeds: int = 2, **changes) -> Study:
    """T_miiii alone, of the shape that other tests of processes have compiled."""
    made = plan("small", "tiny", seeds=seeds, only=["C1"])
    small = {"base": 7, "width": 8, "heads": 2, "snapshots": 8, "checkpoint_seconds": 0.05}
    base = replace_fields(made.base, **small, epochs=epochs, **changes)
    study = Study(path, type(made)(made.scale, made.preset, base, {"miiii": base}, made.seeds))
    study.save()
    return study


def work(study: Study, crew, **options) -> train.StudyOutcome:
    with study.lock(), crew:
        return train.train_study(study, untimed_agenda(study, crew.size), crew, **options)


def start(study: Study, workers: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, SCRIPT, study.path, str(workers)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


class Heard:
    """Progress that keeps what it is told."""

    def __init__(self):
        self.stages, self.tallies, self.warnings = [], [], []

    def began(self, tally: Tally) -> None:
        self.tallies.append((tally.runs, tally.ended))

    def changed(self, tally, state) -> None:
        self.stages.append((state.job.names, state.stage))
        self.tallies.append((tally.runs, tally.ended))

    def warned(self, message) -> None:
        self.warnings.append(message)


@pytest.mark.slow
def test_a_study_that_was_killed_and_robbed_ends_like_one_that_was_not(tmp_path):
    whole, heard = make_study(tmp_path / "whole"), Heard()
    with whole.lock(), Workers(2) as crew:
        agenda = train.make_agenda(whole, crew)
        assert agenda is not None
        assert agenda.epochs == 2 * EPOCHS
        assert agenda.seconds == pytest.approx(EPOCHS * agenda.seconds_per_epoch[0])
        outcome = train.train_study(whole, agenda, crew, progress=heard)
    assert outcome == train.StudyOutcome("finished")
    assert set(heard.stages) == {
        ((f"miiii-seed{seed}",), stage)
        for seed in (0, 1)
        for stage in ("starting", "training", "finished")
    }
    assert (heard.tallies[0], heard.tallies[-1]) == ((2, 0), (2, 2))

    cut = make_study(tmp_path / "cut")
    process = start(cut, 1)
    # One worker: when the second run has a checkpoint, the first is done.
    while not list(cut.run_path(cut.plan.runs[1]).glob("checkpoints/*.safetensors")):
        assert process.poll() is None, process.communicate()
    process.kill()
    process.communicate()
    assert [cut.state(run) for run in cut.plan.runs] == ["finished", "unfinished"]
    shutil.rmtree(cut.run_path(cut.plan.runs[0]))
    assert work(cut, Workers(2)) == train.StudyOutcome("finished")
    for run in whole.plan.runs:
        assert_equal_runs(whole.run_path(run), cut.run_path(run))

    before = {path: path.stat().st_mtime_ns for path in whole.runs_dir.rglob("*")}
    agenda = train.make_agenda(whole, Workers(1))
    assert agenda is not None
    assert (agenda.jobs, agenda.seconds, agenda.epochs) == ((), 0.0, 0)
    assert before == {path: path.stat().st_mtime_ns for path in whole.runs_dir.rglob("*")}


@pytest.mark.slow
def test_an_accelerators_batches_stop_go_on_and_leave_ordinary_runs(tmp_path, monkeypatch):
    monkeypatch.setattr(train, "_runs_that_fit", lambda _: 4)
    study = make_study(tmp_path / "a")
    with study.lock():
        agenda = train.make_agenda(study, Alone())
        assert agenda is not None
        assert [job.names for job in agenda.jobs] == [("miiii-seed0", "miiii-seed1")]
        heard = Heard()
        stopped = train.train_study(
            study, agenda, Alone(), progress=heard, stop=lambda: len(heard.stages) > 3
        )
    assert stopped.state == "interrupted"
    assert [study.state(run) for run in study.plan.runs] == ["unfinished"] * 2
    assert 0 < (study.runs()["miiii"][0].status["epoch"]) < EPOCHS
    heard = Heard()
    assert work(study, Alone(), progress=heard).state == "finished"
    assert {names for names, _ in heard.stages} == {("miiii-seed0", "miiii-seed1")}
    histories = {run.name: run.history.train_loss for run in study.runs()["miiii"]}
    # One of two is made again alone: the same training, up to the order of additions.
    shutil.rmtree(study.run_path(study.plan.runs[1]))
    assert work(study, Alone()).state == "finished"
    again = {run.name: run.history.train_loss for run in study.runs()["miiii"]}
    np.testing.assert_array_equal(again["miiii-seed0"], histories["miiii-seed0"])
    np.testing.assert_allclose(again["miiii-seed1"][:20], histories["miiii-seed1"][:20], rtol=1e-4)


@pytest.mark.slow
def test_a_run_that_diverges_is_named_and_not_tried_again(tmp_path):
    study = make_study(tmp_path / "a", seeds=1, learning_rate=1e30)
    outcome = work(study, Alone())
    assert outcome.state == "finished"
    assert len(outcome.problems) == 1
    assert outcome.problems[0].startswith("miiii-seed0: at epoch")
    assert "not finite" in outcome.problems[0]
    assert untimed_agenda(study, 1).jobs == ()


@pytest.mark.slow
def test_what_a_worker_refuses_is_said_and_a_worker_that_dies_is_missed(tmp_path):
    with Workers(1) as crew:
        with pytest.raises(RunError, match=r"no study '.*nothing'"):
            crew.work([order(tmp_path / "nothing")], lambda *_: None, lambda: False)
        process = crew._processes[0]

        def kill_it() -> bool:
            process.kill()
            return False

        with pytest.raises(RunError, match=r"\(miiii-seed0\) ended with code -9.* call again"):
            crew.work([order(tmp_path / "nothing")], lambda *_: None, kill_it)


def order(path: Path) -> dict:
    return {"kind": "train", "study": str(path), "names": ["miiii-seed0"], "command": []}


def test_a_run_in_use_is_waited_for_and_then_refused(tmp_path, monkeypatch):
    study = make_study(tmp_path / "a", seeds=1)
    run = study.plan.runs[0]
    new_member(study.runs_dir, run.name, run.config, False, [], "", ([run.name], 0))
    monkeypatch.setattr(worker, "LOCKED_SECONDS", 0.5)
    began = time.monotonic()
    with lock_directory(study.run_path(run)), pytest.raises(RunLockedError):
        worker.do_job(order(study.path), lambda _: None, lambda: False)
    assert time.monotonic() - began >= 0.5


def test_what_was_stopped_before_it_began_begins_nothing(tmp_path):
    study = make_study(tmp_path / "a", seeds=1)
    assert work(study, Alone(), stop=lambda: True).state == "interrupted"
    assert study.missing() == list(study.plan.runs)


def test_a_machine_with_little_memory_gets_fewer_workers(monkeypatch):
    timings = [train.Timing(1.0, 1500 * 2**20)]
    monkeypatch.setattr(train, "_memory", lambda: 6.0 * 2**30)
    assert train._workers(Workers(8), timings, jobs=20) == 2
    assert train._workers(Workers(8), timings, jobs=1) == 1
    assert train._workers(Workers(1), timings, jobs=20) == 1
    monkeypatch.setattr(train, "_memory", lambda: 1.0 * 2**30)
    assert train._workers(Workers(8), timings, jobs=20) == 1
    monkeypatch.setattr(train, "_memory", lambda: float("inf"))
    assert train._workers(Workers(8), timings, jobs=20) == 8
