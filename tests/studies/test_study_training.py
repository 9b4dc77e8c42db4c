"""A study trained for real: killed, robbed, batched; on a model so small that starting is all."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from command import assert_equal_runs
from miiii import replace_fields
from miiii.experiment.members import new_member
from miiii.runs.directory import RunDirectory
from miiii.runs.locking import is_locked, lock_directory
from miiii.studies import progress, train, worker
from miiii.studies.plan import plan
from miiii.studies.progress import JobState, Tally
from miiii.studies.study import Study
from studies.training_script import untimed_agenda
from wording import says

EPOCHS, SEEDS = 4000, 3
SCRIPT = Path(__file__).with_name("training_script.py")


def make_study(path: Path, epochs: int = EPOCHS, seeds: int = 2, **changes) -> Study:
    """T_miiii alone, of the shape that other tests of processes have compiled."""
    made = plan("small", "tiny", seeds=seeds, only=["C1"])
    small = {"base": 7, "width": 8, "heads": 2, "snapshots": 8, "checkpoint_seconds": 0.05}
    base = replace_fields(made.base, **small, epochs=epochs, **changes)
    study = Study(path, type(made)(made.scale, made.preset, base, {"miiii": base}, made.seeds))
    study.save()
    return study


def work_here(study: Study, batch: int, **options) -> train.StudyOutcome:
    """As with an accelerator."""
    return train.train_study(study, untimed_agenda(study, 1, batch), **options)


class Heard:
    """Records every message about a study."""

    def __init__(self):
        self.stages, self.tallies = [], []

    def __call__(self, tally: Tally, state: JobState | None) -> None:
        self.tallies.append((tally.runs, tally.ended))
        if state is not None:
            self.stages.append((state.job.names, state.stage, state.done))


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Study:
    """A study that nothing happened to."""
    study, heard = make_study(tmp_path_factory.mktemp("whole") / "whole", seeds=SEEDS), Heard()
    agenda = untimed_agenda(study, 1)
    assert train.train_study(study, agenda, changed=heard) == train.StudyOutcome("finished")
    names = [(run.name,) for run in study.plan.runs]
    assert [(names, *end) for names, *end in heard.stages if end[0] == "finished"] == [
        (name, "finished", EPOCHS) for name in names
    ]
    assert {stage for _, stage, _ in heard.stages} <= {"starting", "training", "finished"}
    assert (heard.tallies[0], heard.tallies[-1]) == ((SEEDS, 0), (SEEDS, SEEDS))
    return study


@pytest.mark.slow
def test_where_nothing_is_left_nothing_is_touched(whole):
    before = {path: path.stat().st_mtime_ns for path in whole.runs_dir.rglob("*")}
    agenda = train.make_agenda(whole, 1)
    assert agenda is not None
    assert (agenda.jobs, agenda.seconds, agenda.epochs) == ((), 0.0, 0)
    assert train.train_study(whole, agenda) == train.StudyOutcome("finished")
    assert before == {path: path.stat().st_mtime_ns for path in whole.runs_dir.rglob("*")}


@pytest.mark.slow
def test_a_run_that_was_deleted_is_made_again_and_only_that_one(tmp_path, whole):
    run = whole.plan.runs[1]
    shutil.move(whole.run_path(run), tmp_path / run.name)
    before = finished(whole)
    assert [job.names for job in untimed_agenda(whole, 1).jobs] == [(run.name,)]
    outcome = train.train_study(whole, untimed_agenda(whole, 1), command=["again"])
    assert outcome == train.StudyOutcome("finished")
    assert_equal_runs(whole.run_path(run), tmp_path / run.name)
    assert RunDirectory(whole.run_path(run)).provenance["command"] == ["again"]
    assert before.items() <= finished(whole).items()


def start(study: Study, workers: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, SCRIPT, study.path, str(workers)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def kill_one(
    study: Study, parent: subprocess.Popen[str], chance: random.Random
) -> tuple[str, list[Path]]:
    """kill -9, at a random moment, a process or a worker that it started; or tell it to stop.

    Returns:
        Whom, and the runs that were held then.
    """
    before = saved(study)
    if chance.random() < 0.8:
        while saved(study) == before and parent.poll() is None:
            time.sleep(0.02)
        time.sleep(chance.uniform(0, 1.0))
    else:
        time.sleep(chance.uniform(0, 2.0))
    whom = chance.choice(("the parent", "a worker", "nobody, told to stop"))
    if parent.poll() is not None:
        return "nobody", []
    held = [study.run_path(run) for run in study.plan.runs if is_locked(study.run_path(run))]
    tree = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text()
    workers = [int(word) for word in tree.split()]
    if whom == "a worker" and not workers:
        whom = "the parent"
    if whom == "a worker":
        os.kill(chance.choice(workers), signal.SIGKILL)
    elif whom == "the parent":
        parent.kill()
    else:
        parent.terminate()
    return whom, held


def wait_until_saved(runs: list[Path]) -> None:
    """Workers whose parent is gone save and leave."""
    limit = time.monotonic() + 60
    while any(map(is_locked, runs)):
        assert time.monotonic() < limit
        time.sleep(0.05)
    assert {RunDirectory(run).status["state"] for run in runs} <= {"interrupted", "finished"}


def saved(study: Study) -> set[Path]:
    return set(study.runs_dir.glob("*/checkpoints/*.safetensors"))


def finished(study: Study) -> dict[Path, int]:
    """The files of runs that are finished, with the time of their last change."""
    over = [study.run_path(run) for run in study.plan.runs if study.state(run) == "finished"]
    return {
        path: path.stat().st_mtime_ns
        for run in over
        for path in run.rglob("*")
        if path.is_file() and not path.name.startswith("lock")
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    # The first kills a parent, whose workers save, then a worker, while another parent is there.
    ("rounds", "seed"),
    [(2, 27), pytest.param(30, 0, marks=pytest.mark.thorough)],
)
def test_a_study_that_is_killed_again_and_again_ends_like_one_that_was_not(
    tmp_path, whole, rounds, seed
):
    chance, kills = random.Random(seed), 0
    while kills < rounds:
        study, over, before = make_study(tmp_path / str(kills), seeds=SEEDS), {}, kills
        while any(study.state(run) != "finished" for run in study.plan.runs):
            # Now and then another one joins, as from a second machine.
            parents = [start(study, count) for count in ([2, 1] if chance.random() < 0.3 else [2])]
            killed, held = "nobody", []
            if kills < rounds:
                killed, held = kill_one(study, parents[0], chance)
            kills += killed != "nobody"
            said = [process.communicate(timeout=120) for process in parents]
            states = [study.state(run) for run in study.plan.runs]
            print(f"{kills}: {len(parents)} at work, killed {killed}; {', '.join(states)}")
            if killed == "a worker":
                assert says(said[0][1], "code -9 saved intact")
            elif killed == "nobody":
                assert {process.returncode for process in parents} == {0}, said
            elif len(parents) == 1 and (killed != "the parent" or chance.random() < 0.5):
                wait_until_saved(held)
            assert over.items() <= finished(study).items(), "what is finished is left alone"
            over = finished(study)
        for run in study.plan.runs:
            assert_equal_runs(whole.run_path(run), study.run_path(run))
            resumed = RunDirectory(study.run_path(run)).provenance["resumed"]
            assert len(resumed) <= kills - before, "who goes on is who was interrupted"


@pytest.fixture
def looking(monkeypatch):
    """The disk is looked at after every chunk."""
    monkeypatch.setattr(progress, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(train, "TIMING_SECONDS", 0.1)


@pytest.mark.slow
def test_an_accelerators_batches_stop_go_on_and_leave_ordinary_runs(tmp_path, monkeypatch, looking):
    monkeypatch.setattr(train, "runs_that_fit", lambda _: 4)
    epochs = 1200
    study = make_study(tmp_path / "a", epochs)
    agenda = train.make_agenda(study, 0)
    assert agenda is not None
    assert [job.names for job in agenda.jobs] == [("miiii-seed0", "miiii-seed1")]
    assert (agenda.batch, agenda.workers) == (4, 1)
    heard = Heard()
    stopped = train.train_study(
        study, agenda, changed=heard, stop=lambda: any(done for *_, done in heard.stages)
    )
    assert stopped.state == "interrupted"
    assert [study.state(run) for run in study.plan.runs] == ["unfinished"] * 2
    assert 0 < (study.runs()["miiii"][0].status["epoch"]) < epochs
    heard = Heard()
    assert work_here(study, 4, changed=heard).state == "finished"
    assert {names for names, *_ in heard.stages} == {("miiii-seed0", "miiii-seed1")}
    histories = {run.name: run.history.train_loss for run in study.runs()["miiii"]}
    # One of two is made again alone: the same training, up to the order of additions.
    shutil.rmtree(study.run_path(study.plan.runs[1]))
    assert work_here(study, 4).state == "finished"
    again = {run.name: run.history.train_loss for run in study.runs()["miiii"]}
    np.testing.assert_array_equal(again["miiii-seed0"], histories["miiii-seed0"])
    np.testing.assert_allclose(again["miiii-seed1"][:20], histories["miiii-seed1"][:20], rtol=1e-4)


@pytest.mark.slow
def test_a_run_that_diverges_is_named_and_not_tried_again(tmp_path, looking):
    study, heard = make_study(tmp_path / "a", seeds=1, learning_rate=1e30), Heard()
    outcome = work_here(study, 1, changed=heard)
    assert outcome.state == "finished"
    assert len(outcome.problems) == 1
    assert outcome.problems[0].startswith("miiii-seed0: at epoch")
    assert "not finite" in outcome.problems[0]
    assert heard.stages[-1][1] == "failed"
    assert untimed_agenda(study, 1).jobs == ()


def test_a_run_in_use_is_waited_for_and_then_left_to_its_holder(tmp_path, monkeypatch):
    study = make_study(tmp_path / "a", seeds=1)
    run = study.plan.runs[0]
    new_member(study.runs_dir, run.name, run.config, False, [], "", ([run.name], 0))
    monkeypatch.setattr(worker, "LOCKED_SECONDS", 0.5)
    began = time.monotonic()
    with lock_directory(study.run_path(run)):
        assert work_here(study, 1).state == "elsewhere"
    assert time.monotonic() - began >= 0.5


def test_what_was_stopped_before_it_began_begins_nothing(tmp_path):
    study = make_study(tmp_path / "a", seeds=1)
    assert work_here(study, 1, stop=lambda: True).state == "interrupted"
    assert study.missing() == list(study.plan.runs)


def test_a_machine_with_little_memory_gets_fewer_workers():
    timings = [train.Timing(1.0, 1500 * 2**20)]
    assert train.at_once(8, timings, jobs=20, memory=6 * 2**30) == 2
    assert train.at_once(8, timings, jobs=1, memory=6 * 2**30) == 1
    assert train.at_once(1, timings, jobs=20, memory=6 * 2**30) == 1
    assert train.at_once(8, timings, jobs=20, memory=2**30) == 1
    assert train.at_once(8, timings, jobs=20, memory=float("inf")) == 8
