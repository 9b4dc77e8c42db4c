"""Which runs train together, how long that will take, and what the tally makes of it."""

import itertools
import json
from contextlib import ExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from miiii import from_toml, get_preset, replace_fields, to_toml
from miiii.experiment.batch import make_batch
from miiii.experiment.shape import shape
from miiii.runs.directory import RunDirectory
from miiii.runs.jsonfiles import encode_json
from miiii.runs.locking import lock_directory
from miiii.studies import train
from miiii.studies.jobs import Job, make_jobs, survey
from miiii.studies.plan import PlannedRun, plan
from miiii.studies.progress import Tally, makespan
from miiii.studies.study import Study
from wording import naming


@pytest.fixture
def study(tmp_path) -> Study:
    made = plan("small", "tiny", seeds=3)
    return Study(tmp_path / "a", made)


def names(jobs):
    return [job.names for job in jobs]


def put(study, run, state, epoch, together=None):
    batch = {"names": together or [run.name], "index": (together or [run.name]).index(run.name)}
    files = {
        "config.toml": to_toml(run.config).encode(),
        "provenance.json": encode_json({"batch": batch}),
        "status.json": encode_json({"state": state, "epoch": epoch}),
    }
    return RunDirectory.create(study.runs_dir, run.name, files=files)


def test_equal_shapes_are_those_that_can_share_a_program():
    made = plan("small", "tiny")
    # At base 11 the mask of the first four would leave nothing; at 13 it would not.
    configs = {key: replace_fields(config, base=13) for key, config in made.configs.items()}
    configs["masked"] = replace_fields(configs["miiii"], masked_tasks=(2, 3, 5, 7))
    configs["longer"] = replace_fields(configs["miiii"], epochs=500)
    assert shape(configs["miiii"]) == shape(configs["masked"]) == shape(configs["matched-2"])
    assert shape(configs["no-dropout"]) == shape(configs["miiii"])
    half = replace_fields(configs["miiii"], epochs=configs["basis"].training.epochs)
    assert shape(configs["basis"]) == shape(half)
    for one, other in itertools.combinations(configs.values(), 2):
        if shape(one) == shape(other):
            make_batch([one, other])
        else:
            with pytest.raises(ValueError, match=naming("batch")):
                make_batch([one, other])


def test_one_run_per_job_unless_batches_are_asked_for(study):
    jobs = make_jobs(study, survey(study))
    assert sorted(names(jobs)) == sorted((run.name,) for run in study.plan.runs)
    assert not any(job.begun or job.done for job in jobs)


def test_batches_are_of_one_shape_and_as_even_as_can_be(study):
    jobs = make_jobs(study, survey(study), batch=8)
    for job in jobs:
        assert len({shape(run.config) for run in job.runs}) == 1
        make_batch([run.config for run in job.runs])
    together = {frozenset(run.experiment for run in job.runs): len(job.runs) for job in jobs}
    # miiii, no-dropout and the four of λ are 18 runs of one shape: 6 + 6 + 6, not 8 + 8 + 2.
    assert sorted(len(job.runs) for job in jobs) == [1, 3, 3, 6, 6, 6]
    assert together[frozenset({"miiii", "no-dropout"})] == 6
    assert sorted(name for job in jobs for name in job.names) == sorted(
        run.name for run in study.plan.runs
    )


def test_what_is_done_is_skipped_and_what_was_begun_goes_on_together(study):
    by_name = {run.name: run for run in study.plan.runs}
    put(study, by_name["miiii-seed0"], "finished", 400)
    put(study, by_name["miiii-seed1"], "failed", 10)
    pair = ["basis-seed0", "basis-seed1"]
    put(study, by_name[pair[0]], "running", 120, pair)
    put(study, by_name[pair[1]], "running", 100, pair)
    put(study, by_name["waves-seed0"], "interrupted", 7)
    jobs = make_jobs(study, survey(study))
    begun = [job for job in jobs if job.begun]
    assert [(job.names, job.done) for job in begun] == [(tuple(pair), 100), (("waves-seed0",), 7)]
    rest = set(by_name) - {"miiii-seed0", "miiii-seed1", *pair, "waves-seed0"}
    assert {job.names for job in jobs if not job.begun} == {(name,) for name in rest}


def test_runs_that_began_apart_go_on_apart(study):
    one, two, *_ = study.plan.runs
    # The second was deleted and made again alone; the first still says that they belong together.
    put(study, one, "running", 5, [one.name, two.name])
    put(study, two, "running", 9)
    begun = [job for job in make_jobs(study, survey(study)) if job.begun]
    assert {(job.names, job.done) for job in begun} == {((one.name,), 5), ((two.name,), 9)}


def test_some_experiments_are_looked_at_alone(study):
    by_name = {run.name: run for run in study.plan.runs}
    put(study, by_name["waves-seed0"], "interrupted", 7)
    found = survey(study, ["waves", "basis"])
    assert {run.experiment for run, _ in found.states} == {"waves", "basis"}
    assert {state for run, state in found.states if run.experiment == "waves"} >= {"unfinished"}
    assert {name for job in make_jobs(study, found) for name in job.names} == {
        run.name for run in study.plan.runs if run.experiment in ("waves", "basis")
    }


def test_what_was_begun_goes_first_then_the_longest(study, monkeypatch):
    by_name = {run.name: run for run in study.plan.runs}
    nearly = by_name["waves-seed0"].config.training.epochs - 1
    put(study, by_name["waves-seed0"], "interrupted", nearly)
    seconds = {"miiii": 1.0, "waves": 1.0, "nanda": 9.0}

    def timed(orders, stop):
        """What workers answer: seconds per epoch and bytes, of each configuration."""
        ((_, _, *texts),) = orders
        return [json.dumps([(seconds[from_toml(text).task.task], 1) for text in texts])]

    monkeypatch.setattr(train, "run_workers", timed)
    agenda = train.make_agenda(study, 1, experiments=list(seconds))
    assert agenda is not None
    assert [job.names[0] for job in agenda.jobs if job.names[0].endswith("0")] == [
        "waves-seed0",
        "nanda-seed0",
        "miiii-seed0",
    ]
    assert agenda.workers == 1
    planned = [run for run in study.plan.runs if run.experiment in seconds]
    costs = [seconds[run.experiment] * run.config.training.epochs for run in planned]
    assert agenda.seconds == sum(costs) - nearly
    assert agenda.epochs == sum(run.config.training.epochs for run in planned) - nearly


def brute_force(seconds, workers):
    """The same by small steps: a clock that ticks, and workers that take the next job."""
    queue, busy, clock = list(seconds), [0] * workers, 0
    while queue or any(busy):
        for worker in range(workers):
            if busy[worker] == 0 and queue:
                busy[worker] = queue.pop(0)
        clock += 1
        busy = [max(0, each - 1) for each in busy]
    return clock


@given(st.lists(st.integers(1, 9), max_size=8), st.integers(1, 4))
def test_the_time_for_all_is_that_of_workers_who_take_the_next_job(seconds, workers):
    assert makespan(seconds, workers) == brute_force(seconds, workers)


class Runs:
    """Jobs of one run or more on the disk, as they would train."""

    def __init__(self, folder):
        self.folder, self.locks = folder, ExitStack()

    def job(self, *names, epochs=100, done=0):
        config = replace_fields(get_preset("tiny"), epochs=epochs)
        job = Job(tuple(PlannedRun(name, "miiii", config) for name in names), done > 0, done)
        for name in names if done else ():
            self.put(name, "interrupted", done)
        return job

    def put(self, name, state, epoch, seconds=0.0, **more):
        status = {"state": state, "epoch": epoch, "time": seconds, **more}
        if not (self.folder / name).exists():
            RunDirectory.create(self.folder, name, files={"config.toml": b""})
        RunDirectory(self.folder / name).write_status(status)

    def hold(self, *names):
        for name in names:
            self.locks.enter_context(lock_directory(self.folder / name))


@pytest.fixture
def runs(tmp_path):
    """An empty directory of runs."""
    made = Runs(tmp_path)
    with made.locks:
        yield made


def stages(tally):
    return [(state.stage, state.done) for state in tally.states]


def test_a_tally_counts_work_and_time(runs):
    jobs = [(runs.job("a"), 2.0), (runs.job("b", done=50), 1.0)]
    tally = Tally(runs.folder, jobs, workers=2, done_before=3)
    assert (tally.runs, tally.ended, tally.share) == (5, 3, 0.0)
    assert tally.seconds_left == 200
    assert tally.look(now=True) == []
    runs.put("a", "created", 0)
    runs.hold("a", "b")
    assert [state.job.names for state in tally.look(now=True)] == [("a",), ("b",)]
    assert stages(tally) == [("starting", 0), ("starting", 50)]
    assert tally.at_work == tally.states
    runs.put("a", "running", 0, 1000.0)
    runs.put("b", "running", 50, 1000.0)
    tally.look(now=True)
    assert stages(tally) == [("training", 0), ("training", 50)]
    # 200 s and 25 s for what should take 100 s and 25 s: all is expected to take 225/125 as long.
    runs.put("a", "running", 50, 1200.0)
    runs.put("b", "running", 75, 1025.0)
    tally.look(now=True)
    assert tally.share == pytest.approx((100 + 25) / 250)
    assert tally.seconds_left == pytest.approx(50 * 2 * 225 / 125)
    runs.put("b", "finished", 100, 1050.0)
    assert [state.stage for state in tally.look(now=True)] == ["finished"]
    assert tally.ended == 4
    runs.put("a", "interrupted", 60, 1300.0)
    runs.locks.close()
    tally.look(now=True)
    assert (stages(tally)[0], tally.ended, tally.at_work) == (("interrupted", 60), 4, [])
    assert tally.look() == [], "not again within a moment"


def test_what_nobody_holds_any_more_waits(runs):
    """Its process was killed; another may take it."""
    tally = Tally(runs.folder, [(runs.job("a"), 1.0)], workers=1)
    runs.put("a", "running", 30, 1000.0)
    runs.hold("a")
    tally.look(now=True)
    runs.locks.close()
    tally.look(now=True)
    assert stages(tally) == [("waiting", 30)]
    runs.put("a", "failed", 30, 1001.0)
    tally.look(now=True)
    assert stages(tally) == [("failed", 30)]


def test_what_waits_is_expected_at_the_pace_of_what_has_run(runs):
    jobs = [(runs.job(name), 1.0) for name in ("a", "b")]
    tally = Tally(runs.folder, jobs, workers=1)

    def put(name, state, epoch, seconds):
        runs.put(name, state, epoch, seconds)
        tally.look(now=True)

    runs.put("a", "created", 0)
    runs.put("b", "created", 0)
    runs.hold("a")
    put("a", "running", 0, 0.0)
    put("a", "running", 50, 100.0)
    assert tally.seconds_left == pytest.approx(50 * 2 + 100 * 2)
    put("a", "finished", 100, 200.0)
    assert tally.seconds_left == pytest.approx(100 * 2)
    runs.hold("b")
    put("b", "running", 0, 200.0)
    # A first chunk that was slow is no reason to forget what went before.
    put("b", "running", 1, 250.0)
    assert tally.seconds_left == pytest.approx(99 * (100 + 50) / (50 + 1))
    put("b", "running", 10, 300.0)
    assert tally.seconds_left == pytest.approx(90 * (100 + 100) / (50 + 10))


def test_others_that_work_on_the_study_shorten_it(runs):
    tally = Tally(runs.folder, [(runs.job(name), 1.0) for name in "abc"], workers=1)
    assert tally.seconds_left == 300
    for name in "abc":
        runs.put(name, "created", 0)
    runs.hold("a", "b", "c")
    tally.look(now=True)
    assert tally.seconds_left == 100


def test_accuracy_and_solved_are_means_over_runs(runs):
    tally = Tally(runs.folder, [(runs.job("a", "b"), 1.0)], workers=1)
    runs.put("a", "running", 3, 1.0, validation_accuracy=0.5, solved=[2])
    runs.put("b", "running", 1, 1.0, validation_accuracy=1.0, solved=[2, 3])
    runs.hold("a", "b")
    (state,) = tally.look(now=True)
    assert (state.done, state.accuracy, state.solved) == (1, 0.75, 1.5)


def test_nothing_to_do_is_all_done(tmp_path):
    tally = Tally(tmp_path, [], workers=1, done_before=4)
    assert (tally.share, tally.seconds_left, tally.runs, tally.ended) == (1.0, 0.0, 4, 4)
