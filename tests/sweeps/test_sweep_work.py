"""A worker's trials are ordinary runs, and what it reports of them is true."""

import math
import os
import signal
from contextlib import nullcontext

import numpy as np
import pytest
from optuna.trial import TrialState
from small_sweeps import CONTINUOUS, RATES, SMALLEST, make, worker

from miiii import RunError, load_run, replace_fields, resume, start
from miiii.experiment.progress import Silent
from miiii.studies.plan import plan
from miiii.studies.study import join_study
from miiii.sweeps.queue.attempts import OUTCOME, REASON, RELEASED, run_of
from miiii.sweeps.queue.sweep import SweepDiffersError, make_sweep, open_sweep
from miiii.sweeps.queue.worker import Worker
from miiii.sweeps.search.definition import Definition, definition_from_text, list_differences
from miiii.sweeps.search.sampling import planned_points
from miiii.sweeps.search.spacefile import read_space
from miiii.sweeps.search.spaces import Dimension, SearchSpace
from wording import naming

pytestmark = pytest.mark.slow


def complete(sweep):
    trials = sweep.storage.get_all_trials(sweep.study_id)
    return [trial for trial in trials if trial.state == TrialState.COMPLETE]


def test_every_point_of_a_grid_is_trained_as_a_run_of_its_settings(tmp_path):
    sweep = make(tmp_path, objectives=("validation_loss", "area"))
    said = []
    tally = worker(sweep, said).work()
    assert (tally.complete, tally.ended, len(said)) == (6, 6, 6)
    done = complete(sweep)
    assert {tuple(trial.params.values()) for trial in done} == {
        tuple(point.values()) for point in RATES.points()
    }
    for trial in done:
        run = load_run(sweep.runs_dir / run_of(trial))
        assert run.config == replace_fields(SMALLEST, **trial.params)
        loss, area = trial.values
        assert loss == pytest.approx(np.mean(run.history.validation_loss[-1]))
        assert 0 <= area <= 1
        assert trial.user_attrs[OUTCOME]["epochs"] == 6
    assert worker(sweep).work().ended == 0


def test_ctrl_c_from_python_saves_and_gives_the_trials_back(tmp_path):
    class Interrupting(Silent):
        def advanced(self, report):
            os.kill(os.getpid(), signal.SIGINT)

    sweep, said = make(tmp_path), []
    one = Worker(
        sweep, progress=lambda: nullcontext(Interrupting()), tell=said.append, stop=lambda: False
    )
    with pytest.raises(KeyboardInterrupt):
        one.work()
    assert one.tally.released == 1
    trials = sweep.storage.get_all_trials(sweep.study_id)
    assert not any(trial.state == TrialState.RUNNING for trial in trials)
    (released,) = [trial for trial in trials if trial.user_attrs.get(REASON) == RELEASED]
    status = load_run(sweep.runs_dir / run_of(released)).status
    assert status["state"] == "interrupted"
    assert status["epoch"] >= 1


def test_a_batch_trains_the_same_runs_as_one_after_the_other(tmp_path):
    alone, together = make(tmp_path / "alone"), make(tmp_path / "together")
    worker(alone).work()
    worker(together, batch=3).work()
    one = {run_of(trial): trial.values for trial in complete(alone)}
    other = {run_of(trial): trial.values for trial in complete(together)}
    assert one.keys() == other.keys()
    for name, values in one.items():
        assert other[name] == pytest.approx(values, rel=1e-4)
    batches = {
        tuple(load_run(together.runs_dir / name).provenance["batch"]["names"]) for name in other
    }
    assert sorted(map(len, batches)) == [3, 3]


def test_tpe_chooses_within_the_limits_and_differently_each_time(tmp_path):
    sweep = make(tmp_path, space=CONTINUOUS, sampler="tpe", trials=3)
    assert worker(sweep).work().complete == 3
    rates = [trial.params["learning_rate"] for trial in complete(sweep)]
    assert len(set(rates)) == 3
    assert all(1e-4 <= rate <= 1e-2 for rate in rates)


def test_one_that_learns_nothing_is_given_up_only_when_asked(tmp_path):
    # At this learning rate nothing can fall.
    base = replace_fields(SMALLEST, learning_rate=1e-30, epochs=40)
    for prune, pruned in (("none", 0), ("stuck", 1)):
        space = SearchSpace((Dimension("width", "d", (8,)),))
        sweep = make(tmp_path / prune, space=space, trials=1, base=base, prune=prune)
        tally = worker(sweep).work()
        assert (tally.pruned, tally.complete) == (pruned, 1 - pruned)


def test_a_run_that_diverges_fails_once(tmp_path):
    space = SearchSpace((Dimension("learning_rate", "lr", (1e30,)),))
    sweep = make(tmp_path, space=space, trials=1)
    tally = worker(sweep).work()
    assert (tally.failed, tally.complete) == (1, 0)
    (trial,) = sweep.storage.get_all_trials(sweep.study_id)
    assert "not finite" in trial.user_attrs[REASON]


def test_settings_that_no_run_can_have_fail_and_the_others_go_on(tmp_path):
    space = SearchSpace((Dimension("width", "d", (8, 12)), Dimension("heads", "heads", (2, 8))))
    sweep = make(tmp_path, space=space, trials=6, sampler="random")
    tally = worker(sweep, batch=4).work()
    bad = sum(trial.params == {"width": 12, "heads": 8} for trial in _all(sweep))
    assert bad > 0
    assert (tally.failed, tally.complete) == (bad, 6 - bad)


def _all(sweep):
    return sweep.storage.get_all_trials(sweep.study_id)


def test_finished_runs_keep_their_weights_without_checkpoints(tmp_path):
    sweep = make(tmp_path, keep="weights", trials=1)
    worker(sweep).work()
    run = load_run(sweep.runs_dir / run_of(complete(sweep)[0]))
    assert run.directory.checkpoint_epochs() == []
    assert run.parameters.unembedding.size > 0
    assert resume(run.path).state == "finished"
    with pytest.raises(RunError, match=naming("longer")):
        resume(run.path, epochs=12)
    assert len(run.history.epoch) == 6


def test_a_run_that_is_there_already_counts(tmp_path):
    """The storage was lost, the runs were not."""
    sweep = make(tmp_path)
    worker(sweep).work()
    before = {path.name: path.stat().st_mtime_ns for path in sweep.runs_dir.glob("*/config.toml")}
    (sweep.path / "journal.log").unlink()
    again = make(tmp_path)
    assert worker(again).work().complete == 6
    after = {path.name: path.stat().st_mtime_ns for path in again.runs_dir.glob("*/config.toml")}
    assert before == after


def test_the_runs_of_a_study_are_trained_by_the_same_workers(tmp_path):
    wanted = plan("small", "tiny", seeds=1, only=["miiii", "lambda-0"])
    study = join_study(wanted, "probe", tmp_path / "studies")
    study.save()
    (run,) = [run for run in study.plan.runs if run.experiment == "miiii"]
    start([run.config], [run.name], study.runs_dir)
    definition = Definition("all", SMALLEST, None, 2, "grid", study=str(study.path))
    sweep = make_sweep(definition, tmp_path / "sweeps")
    assert worker(sweep).work().complete == 2
    assert [study.state(run) for run in study.plan.runs] == ["finished", "finished"]
    assert {trial.params["experiment"] for trial in complete(sweep)} == {"miiii", "lambda-0"}


@pytest.mark.parametrize("sampler", ["grid", "random"])
def test_more_trials_begin_with_those_of_fewer(sampler):
    fewer = planned_points(Definition("x", SMALLEST, RATES, 3, sampler))
    more = planned_points(Definition("x", SMALLEST, RATES, 6, sampler))
    assert fewer is not None
    assert more is not None
    assert more[:3] == fewer
    assert fewer == planned_points(Definition("x", SMALLEST, RATES, 3, sampler))


def test_table_1_as_a_grid_is_every_point_once():
    base = replace_fields(SMALLEST, width=128)
    points = planned_points(Definition("x", base, read_space("table1", base), 384, "grid"))
    assert points is not None
    assert len({tuple(point.items()) for point in points}) == 384


def test_a_definition_is_read_back_as_it_was(tmp_path):
    mixed = SearchSpace((*CONTINUOUS.dimensions, *RATES.dimensions[1:]))
    for space in (RATES, CONTINUOUS, mixed):
        one = Definition("x", SMALLEST, space, 3, "random", ("area", "solved_epoch"), 7, "stuck")
        assert definition_from_text(one.to_text()) == one
        assert list_differences(one, one) == []


def test_a_sweep_can_be_given_more_trials_and_nothing_else(tmp_path):
    worker(make(tmp_path, trials=2, sampler="random")).work()
    grown = make(tmp_path, trials=5, sampler="random")
    assert grown.definition.trials == grown.made == 5
    assert worker(grown).work().complete == 3
    assert open_sweep("probe", tmp_path).definition.trials == 5
    with pytest.raises(SweepDiffersError, match=r"space.learning_rate: .*not"):
        make(tmp_path, space=CONTINUOUS, sampler="random")
    with pytest.raises(SweepDiffersError, match=naming("base.epochs 6 7")):
        make(tmp_path, sampler="random", base=replace_fields(SMALLEST, epochs=7))


def test_making_a_sweep_that_was_interrupted_makes_the_rest(tmp_path):
    class EnoughError(Exception):
        pass

    def stop_at(made, everything):
        if made == 2:
            raise EnoughError

    definition = Definition("probe", SMALLEST, RATES, 6, "grid")
    with pytest.raises(EnoughError):
        make_sweep(definition, tmp_path, progress=stop_at)
    assert open_sweep("probe", tmp_path).made == 2
    sweep = make_sweep(definition, tmp_path)
    assert sweep.made == 6
    points = {tuple(trial.params.items()) for trial in _all(sweep)}
    assert len(points) == 6


def test_objectives_against_their_definition(tmp_path):
    from miiii.sweeps.search.objectives import area, solved_epoch

    start([SMALLEST], ["run"], tmp_path)
    history = load_run(tmp_path / "run").history
    accuracy = history.validation_accuracy.mean(axis=1)
    expected = sum(
        value * (math.log(epoch + 1) - math.log(epoch)) for epoch, value in enumerate(accuracy, 1)
    ) / math.log(7)
    assert area(history, 6) == pytest.approx(expected)
    held = history.first_reached(0.9, held=True)
    missing = sum(epoch is None for epoch in held.values())
    assert missing
    assert solved_epoch(history, 6) == pytest.approx(6 * (1 + missing / len(held)))
