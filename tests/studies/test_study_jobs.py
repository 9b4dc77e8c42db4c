"""Which runs train together, how long that will take, and what the tally makes of it."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from miiii.config.config import replace_fields, to_toml
from miiii.config.presets import get_preset
from miiii.experiment.batch import make_batch
from miiii.runs.directory import RunDirectory
from miiii.runs.jsonfiles import encode_json
from miiii.studies import train
from miiii.studies.crew import Workers
from miiii.studies.jobs import Job, make_jobs, shape, survey
from miiii.studies.plan import PlannedRun, plan
from miiii.studies.study import Study
from miiii.studies.tally import Tally, makespan


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
            with pytest.raises(ValueError, match="runs of one batch must agree on"):
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

    def timed(jobs, crew, stop):
        del crew, stop
        return {train._kind(job): train.Timing(seconds[job.runs[0].experiment], 1) for job in jobs}

    monkeypatch.setattr(train, "_time", timed)
    agenda = train.make_agenda(study, Workers(1), experiments=list(seconds))
    assert agenda is not None
    assert [job.names[0] for job in agenda.jobs if job.names[0].endswith("0")] == [
        "waves-seed0",
        "nanda-seed0",
        "miiii-seed0",
    ]


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


def job(name, epochs, done=0):
    config = replace_fields(get_preset("tiny"), epochs=epochs)
    return Job((PlannedRun(name, "miiii", config),), begun=done > 0, done=done)


def test_a_tally_counts_work_and_time():
    tally = Tally([(job("a", 100), 2.0), (job("b", 100, done=50), 1.0)], workers=2, done_before=3)
    assert (tally.runs, tally.ended, tally.share) == (5, 3, 0.0)
    assert tally.seconds_left == 200
    tally.take(0, {"event": "started", "done": 0})
    tally.take(1, {"event": "started", "done": 50})
    assert [state.job.names for state in tally.at_work] == [("a",), ("b",)]
    # Twice as slow as expected: 50 epochs at 4 s are left, and 25 of the other at 1 s.
    tally.take(0, {"event": "advanced", "done": 50, "epochs_per_second": 0.25})
    tally.take(1, {"event": "advanced", "done": 75, "epochs_per_second": 1.0})
    assert tally.share == pytest.approx((100 + 25) / 250)
    assert tally.seconds_left == pytest.approx(200)
    tally.take(1, {"event": "ended", "state": "finished", "done": 100})
    assert tally.ended == 4
    tally.take(0, {"event": "ended", "state": "interrupted", "done": 60})
    assert tally.ended == 4
    assert not tally.at_work


def test_what_waits_is_expected_at_the_pace_of_what_has_run():
    tally = Tally([(job("a", 100), 1.0), (job("b", 100), 1.0)], workers=1)
    tally.take(0, {"event": "started", "done": 0})
    tally.take(0, {"event": "advanced", "done": 50, "epochs_per_second": 0.5})
    assert tally.seconds_left == pytest.approx(50 * 2 + 100 * 2)
    tally.take(0, {"event": "ended", "state": "finished", "done": 100})
    assert tally.seconds_left == pytest.approx(100 * 2)
    # A first chunk that was slow is no reason to forget it.
    tally.take(1, {"event": "advanced", "done": 1, "epochs_per_second": 0.001})
    assert tally.seconds_left < 99 * 200
    tally.take(1, {"event": "advanced", "done": 10, "epochs_per_second": 0.1})
    assert tally.seconds_left == pytest.approx(90 * 10)


def test_the_first_chunks_say_little_about_the_time():
    tally = Tally([(job("a", 1000), 1.0), (job("b", 1000), 1.0)], workers=1)
    tally.take(0, {"event": "advanced", "done": 100, "epochs_per_second": 1.0})
    tally.take(0, {"event": "ended", "state": "finished", "done": 1000})
    tally.take(1, {"event": "advanced", "done": 1, "epochs_per_second": 0.01})
    usual = (1 + 0.01 * 100) / 1.01
    assert tally.seconds_left == pytest.approx(999 * (0.99 * usual + 0.01 * 100))


def test_accuracy_and_solved_are_means_over_runs():
    tally = Tally([(job("a", 10), 1.0)], workers=1)
    message = {"event": "advanced", "done": 1, "epochs_per_second": 1.0}
    tally.take(0, {**message, "accuracy": [0.5, 1.0], "solved": [1, 2]})
    assert (tally.states[0].accuracy, tally.states[0].solved) == (0.75, 1.5)


def test_nothing_to_do_is_all_done():
    tally = Tally([], workers=1, done_before=4)
    assert (tally.share, tally.seconds_left, tally.runs, tally.ended) == (1.0, 0.0, 4, 4)
