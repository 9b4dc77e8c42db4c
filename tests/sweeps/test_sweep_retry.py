"""Failed runs that are tried again, searches that are widened, and copies of a sweep."""

import shutil
import tomllib
from dataclasses import replace

import pytest
from optuna.trial import TrialState
from small_sweeps import CONTINUOUS, RATES, SMALLEST, define, fill, make, worker

from miiii import replace_fields, to_toml
from miiii.cli.main import run
from miiii.experiment import training
from miiii.runs.directory import RunDirectory
from miiii.sweeps.outcome.results import read_results
from miiii.sweeps.queue.attempts import run_name
from miiii.sweeps.queue.earlier import equal_points, take_run, with_first
from miiii.sweeps.queue.sweep import make_sweep, open_sweep
from miiii.sweeps.search.definition import definition_from_text
from miiii.sweeps.search.points import read_points
from miiii.sweeps.search.sampling import planned_points
from miiii.sweeps.search.spaces import Dimension, SearchSpace
from wording import says

FOUR = SearchSpace((Dimension("learning_rate", "lr", (1e-3, 2e-3, 3e-3, 4e-3)),))
THREE = SearchSpace((Dimension("learning_rate", "lr", (1e-3, 2e-3, 3e-3)),))


@pytest.fixture
def machine(monkeypatch):
    """A machine on which nothing starts, until it is mended."""
    broken = [True]
    start = training.start

    def refuse(*words, **options):
        if broken:
            raise ValueError("no memory")
        return start(*words, **options)

    monkeypatch.setattr(training, "start", refuse)
    return broken


def test_a_bad_machine_fails_a_few_runs_and_they_are_tried_again(tmp_path, machine, capsys):
    sweep = make(tmp_path, trials=4, space=FOUR)
    where = ["--sweeps-dir", str(tmp_path)]
    assert run(["sweep", "worker", "probe", "--no-wait", *where]) == 1
    said = capsys.readouterr().err
    assert says(said, "3 runs failed none completed")
    assert "miiii sweep retry probe" in said
    assert read_results(sweep).counts["failed"] == 3
    assert read_results(sweep).counts["waiting"] == 1
    machine.clear()
    assert run(["sweep", "retry", "probe", *where]) == 0
    assert says(capsys.readouterr().out, "3 of 3 failed again")
    assert worker(sweep, wait=False).work().complete == 4
    results = read_results(sweep)
    assert results.counts["done"] == len(results.runs) == 4
    assert run(["sweep", "retry", "probe", "trial-000000", *where]) == 2
    assert "trial-000000 is done" in capsys.readouterr().err


def test_best_and_table_count_what_is_missing(tmp_path, machine, capsys):
    machine.clear()
    sweep = make(tmp_path, trials=2, space=FOUR)
    held = sweep.queue(60.0).claim(1)
    sweep.queue(60.0).end(held[0].id, TrialState.FAIL, reason="at epoch 2 the loss is not finite")
    worker(sweep, wait=False).work()
    for action in ("best", "table"):
        assert run(["sweep", action, "probe", "--sweeps-dir", str(tmp_path)]) == 0
        assert says(capsys.readouterr().out, "1 of 2 points 1 failed miiii sweep retry")
    assert run(["sweep", "retry", "probe", "--sweeps-dir", str(tmp_path)]) == 0
    assert "0 of 1 failed runs" in capsys.readouterr().out
    assert run(["sweep", "retry", "probe", held[0].run, "--sweeps-dir", str(tmp_path)]) == 0
    assert "1 of 1 failed runs" in capsys.readouterr().out


def test_a_wider_search_takes_over_what_the_earlier_one_has(tmp_path):
    first = make(tmp_path, trials=3, space=THREE)
    worker(first, wait=False).work()
    known = {run.params["learning_rate"]: run.values for run in read_results(first).done}
    wider = define(4, FOUR)
    earlier = equal_points(first, wider)
    assert (len(earlier.points), earlier.done, earlier.absent) == (3, 3, 0)
    wider = replace(with_first(wider, earlier.points), name="wider")

    def take(made):
        for number, source in enumerate(earlier.runs):
            take_run(source, made.runs_dir / run_name(number))

    sweep = make_sweep(wider, tmp_path, before=take)
    trained = []
    start = training.start
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            training, "start", lambda *words, **more: trained.append(1) or start(*words, **more)
        )
        assert worker(sweep, wait=False).work().complete == 4
    assert len(trained) == 1
    done = {run.params["learning_rate"]: run.values for run in read_results(sweep).done}
    assert {rate: done[rate] for rate in known} == known
    assert [run.params["learning_rate"] for run in read_results(sweep).runs][-1] == 4e-3
    # What the new sweep does to its runs leaves the earlier one's alone.
    RunDirectory(sweep.runs_dir / run_name(0)).remove_checkpoints()
    assert all(RunDirectory(path).checkpoint_epochs() for path in earlier.runs)
    inside = equal_points(first, define(2, RATES))
    assert [point["width"] for point in inside.points] == [8, 8]
    other = define(2, FOUR, base=replace_fields(SMALLEST, seed=1))
    assert equal_points(first, other).points == ()


def test_what_was_taken_over_stays_though_the_earlier_sweep_grows(tmp_path, capsys):
    first = fill(make(tmp_path, trials=3, space=THREE), lambda p: [p["learning_rate"]], most=2)
    for each in read_results(first).done:
        RunDirectory.create(first.runs_dir, each.run, False, {"status.json": b"{}"})
    space = tmp_path / "space.toml"
    space.write_text("learning_rate = [1e-3, 2e-3, 3e-3, 4e-3]\n")
    settings = tmp_path / "settings.toml"
    settings.write_text(to_toml(SMALLEST))

    def widen(name="wider", source="probe"):
        words = [name, "--from-sweep", source, "--space", str(space), "--sampler", "grid"]
        options = ["--config", str(settings), "--sweeps-dir", str(tmp_path)]
        return run(["sweep", "new", *words, *options])

    assert widen() == 0
    assert says(capsys.readouterr().out, "2 done probe points")
    made = open_sweep("wider", tmp_path)
    before = [trial.params for trial in made.storage.get_all_trials(made.study_id)]
    taken = tomllib.loads((made.path / "sweep.toml").read_text())["taken"]
    assert taken["sweep"] == "probe"
    known = {(one.number, one.run, one.values) for one in read_results(first).done}
    assert {(one["number"], one["run"], tuple(one["values"])) for one in taken["trials"]} == known
    assert [one["point"] for one in taken["trials"]] == before[:2]

    fill(first, lambda p: [p["learning_rate"]])
    (last,) = {one.run for one in read_results(first).done} - {one[1] for one in known}
    RunDirectory.create(first.runs_dir, last, False, {"status.json": b"{}"})
    assert widen() == 0
    assert says(capsys.readouterr().out, "2 runs probe taken over")
    made = open_sweep("wider", tmp_path)
    assert [trial.params for trial in made.storage.get_all_trials(made.study_id)] == before
    assert len(list(made.runs_dir.iterdir())) == 2
    assert widen("widest") == 0
    assert "3 of the 3 done runs" in capsys.readouterr().out
    assert widen("wider", "widest") == 2
    assert says(capsys.readouterr().err, "began 'probe'")


def test_points_that_come_first(tmp_path):
    path = tmp_path / "points.toml"
    path.write_text("[[points]]\nwidth = 16\nlearning_rate = 3e-3\n")
    (point,) = read_points(path, RATES)
    assert point == {"learning_rate": 3e-3, "width": 16}
    grid = with_first(define(6), (point,))
    planned = planned_points(grid)
    assert planned is not None
    assert planned[0] == point
    assert sorted(map(repr, planned)) == sorted(map(repr, RATES.points()))
    assert definition_from_text(grid.to_text()) == grid
    assert "first" not in define(6).to_text()
    tpe = with_first(define(3, CONTINUOUS, sampler="tpe"), ({"learning_rate": 2e-3},))
    trials = make_sweep(tpe, tmp_path).storage.get_all_trials(0)
    assert [trial.params for trial in trials] == [{"learning_rate": 2e-3}, {}, {}]
    for text, said in (
        ("[[points]]\nwidth = 16\n", "point 1: learning_rate is missing"),
        ("[[points]]\nwidth = 9\nlearning_rate = 3e-3\n", "width is 9: the space has 8, 16"),
        ("[[point]]\n", "expected tables"),
        ("=", "cannot be read"),
    ):
        path.write_text(text)
        with pytest.raises(ValueError, match=said):
            read_points(path, RATES)


def test_a_copy_says_that_it_shares_its_trials(tmp_path, capsys):
    sweep = make(tmp_path / "one", f"sqlite:///{tmp_path}/a.db", trials=1, space=FOUR)
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    copied = open_sweep("probe", tmp_path / "two")
    worker(copied, wait=False).work()
    assert sweep.shared_with is None
    assert copied.shared_with == (tmp_path / "one" / "probe").resolve()
    assert run(["sweep", "best", "probe", "--sweeps-dir", str(tmp_path / "two")]) == 0
    captured = capsys.readouterr()
    assert says(captured.err, "copy")
    assert "not here" not in captured.out
    assert run(["sweep", "best", "probe", "--sweeps-dir", str(tmp_path / "one")]) == 0
    assert says(capsys.readouterr().out, "weights not here")
    assert run(["sweep", "table", "probe", "--sweeps-dir", str(tmp_path / "one")]) == 0
    assert says(capsys.readouterr().out, "1 of 1 no weights")
    shutil.rmtree(tmp_path / "one")
    assert copied.shared_with is None
