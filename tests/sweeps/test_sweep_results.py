"""A sweep's runs, its best, their neighbours, importance and tables, against what was planted."""

import itertools
import math
from dataclasses import replace

import numpy as np
import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.trial import TrialState
from planted_sweeps import GRID, MIXED, done, on_grid, planted
from small_sweeps import make

from miiii.sweeps.outcome.hyperparameters import chosen_rows, space_rows
from miiii.sweeps.outcome.importance import divergence, importances, main_effects
from miiii.sweeps.outcome.ranking import choose_objective, neighbours, pareto_front, ranked
from miiii.sweeps.outcome.results import read_results
from miiii.sweeps.queue.attempts import DUPLICATE
from miiii.sweeps.search.sampling import EXPERIMENT, SEED
from miiii.sweeps.search.spaces import TABLE_1, TABLE_2, Dimension, Interval, SearchSpace
from wording import naming


def bowl(point):
    """Least at dropout 0.2, width 64, heads 4; width is the sharpest."""
    width = 4 * abs(math.log2(point["width"] / 64))
    return 1 + abs(point["dropout"] - 0.2) + width + 0.5 * (point["heads"] == 2)


# Runs and their trials


def test_runs_are_counted_and_not_their_trials(tmp_path):
    sweep = make(tmp_path, trials=6)
    queue = sweep.queue(60)
    held = {}
    while len(held) < 6:
        (one,) = queue.claim(1)
        held[one.number] = one
    queue.beat({4: 3})
    known = {"epochs": 6, "seconds": 1.5, "accuracy": 0.25, "solved": 1}
    queue.end(held[0].id, TrialState.COMPLETE, [0.5], outcome=known)
    queue.end(held[1].id, TrialState.FAIL, reason="the loss is not finite")
    queue.end(held[2].id, TrialState.PRUNED, reason="stuck", outcome={"epochs": 2})
    queue.release([held[3]])
    (again,) = queue.claim(1)
    assert again.run == held[3].run
    queue.end(again.id, TrialState.COMPLETE, [0.25], outcome=known)
    # Two successors of one trial: the second is no attempt.
    queue.release([held[5]])
    first = next(t for t in sweep.storage.get_all_trials(sweep.study_id) if t.number == 7)
    twin = sweep.storage.create_new_trial(sweep.study_id, first)
    sweep.storage.set_trial_user_attr(twin, "why", DUPLICATE)
    sweep.storage.set_trial_state_values(twin, TrialState.FAIL)

    results = read_results(sweep)
    assert len(results.runs) == 6
    assert len(sweep.storage.get_all_trials(sweep.study_id)) == 9
    assert results.counts == {"done": 2, "running": 1, "waiting": 1, "given up": 1, "failed": 1}
    assert results.unfinished == 2
    by_name = {run.run: run for run in results.runs}
    assert {name: run.attempts for name, run in by_name.items()} == {
        **{f"trial-{number:06d}": 1 for number in (0, 1, 2, 4, 5)},
        "trial-000003": 2,
    }
    assert by_name["trial-000003"].values == (0.25,)
    assert by_name["trial-000003"].number == 6
    assert by_name["trial-000001"].problem == "the loss is not finite"
    assert by_name["trial-000002"].problem == "stuck"
    assert by_name["trial-000000"].solved == 1
    (worker,) = results.workers
    assert (worker.worker, worker.runs, worker.epochs) == (queue.worker, ("trial-000004",), (3,))
    assert all(run.budget == 6 for run in results.runs)
    # Half of one run and the whole of another at 1.5 s each, by one worker.
    assert results.seconds_left == pytest.approx(1.5 * 1.5)


def test_a_run_whose_worker_vanished_waits_until_its_successor_is_made(tmp_path):
    sweep = make(tmp_path, trials=1)
    queue = sweep.queue(60)
    (held,) = queue.claim(1)
    queue.beat({0: 5})
    queue.end(held.id, TrialState.FAIL, reason="its worker vanished")
    (run,) = read_results(sweep).runs
    assert (run.state, run.problem, run.epochs, run.attempts) == ("waiting", "", 5, 1)
    impatient = sweep.queue(0)
    for _ in range(2):  # it sees the same twice, then it makes the successor
        impatient.mend()
    assert len(sweep.storage.get_all_trials(sweep.study_id)) == 2
    (run,) = read_results(sweep).runs
    assert (run.state, run.epochs, run.attempts) == ("waiting", 5, 1)


def test_what_is_left_is_unknown_without_workers_or_results():
    assert planted([done(0, {}, 1.0)]).seconds_left is None
    alone = done(1, {}, state="running", values=None, worker="here:1", seconds=None, epochs=0)
    assert planted([alone]).seconds_left is None
    assert planted([done(0, {}, 1.0, seconds=3.0), alone]).seconds_left == pytest.approx(3.0)


# The best


def test_the_best_is_the_planted_one():
    results = on_grid(bowl)
    best = ranked(results)[0]
    assert best.params == {"dropout": 0.2, "width": 64, "heads": 4}
    assert [run.values for run in ranked(results)] == sorted(run.values for run in results.runs)
    more = planted([done(0, {}, 0.1), done(1, {}, 0.9), done(2, {}, 0.9)], objectives=("area",))
    assert [run.number for run in ranked(more)] == [1, 2, 0]
    two = ("solved_epoch", "area")
    level = planted([done(0, {}, 80.0, 0.2), done(1, {}, 80.0, 0.4)], objectives=two)
    assert [run.number for run in ranked(level)] == [1, 0]  # equal in one, better in the other
    with pytest.raises(ValueError, match=naming("objective planted 'aera'")):
        choose_objective(more, "aera")


@given(
    st.lists(
        st.tuples(*[st.integers(0, 6)] * 3),
        min_size=1,
        max_size=25,
    )
)
def test_the_front_is_that_of_brute_force(table):
    results = planted(
        [done(number, {}, *map(float, row)) for number, row in enumerate(table)],
        objectives=("validation_loss", "solved_epoch", "area"),
    )

    def beats(one, other):
        no_worse = one[0] <= other[0] and one[1] <= other[1] and one[2] >= other[2]
        return no_worse and one != other

    expected = {
        number for number, row in enumerate(table) if not any(beats(other, row) for other in table)
    }
    front = pareto_front(results)
    assert {run.number for run in front} == expected
    assert [run.values[0] for run in front] == sorted(run.values[0] for run in front)


def test_on_a_full_grid_neighbours_differ_in_one_setting():
    results = on_grid(bowl)
    best = ranked(results)[0]
    found = neighbours(results, best)
    assert [(one.setting, one.value) for one in found] == [
        ("dropout", 0.0),
        ("dropout", 0.5),
        ("width", 32),
        ("width", 128),
        ("heads", 2),
    ]
    for one in found:
        point = {**best.params, one.setting: one.value}
        assert one.run.params == point
        assert one.run.values == (bowl(point),)
        assert (one.also, one.distance, one.exact) == ((), 0.0, "done")


def test_where_points_are_missing_the_nearest_stands_for_them():
    everything = on_grid(bowl)
    best = ranked(everything)[0]
    gone = {**best.params, "width": 128}
    kept = [run for run in everything.runs if run.params != gone]
    waits = [done(99, gone, state="waiting", values=None)]
    for runs, state in ((kept, "not in the sweep"), (kept + waits, "waiting")):
        (one,) = (each for each in neighbours(planted(runs), best) if each.value == 128)
        assert one.exact == state
        assert len(one.also) == 1
        apart = [name for name in GRID.fields if one.run.params[name] != best.params[name]]
        assert set(apart) == {"width", *one.also}
        assert one.distance == pytest.approx(math.sqrt(1 / 2))


def test_between_limits_there_is_a_neighbour_on_either_side():
    at = {"learning_rate": 1e-3, "dropout": 0.2, "width": 32}
    points = [
        at,
        {**at, "learning_rate": 2e-3},
        {**at, "learning_rate": 8e-3},
        {**at, "learning_rate": 9e-4, "dropout": 0.4},  # differs mostly in dropout
        {**at, "learning_rate": 5e-4, "dropout": 0.21},
        {**at, "width": 64, "dropout": 0.25},
        {**at, "width": 64, "dropout": 0.1},
    ]
    results = planted(
        [done(number, point, float(number)) for number, point in enumerate(points)], MIXED
    )
    found = [(one.setting, one.run.number) for one in neighbours(results, results.runs[0])]
    assert found == [
        ("learning_rate", 4),
        ("learning_rate", 1),
        ("dropout", 6),
        ("dropout", 3),
        ("width", 5),
    ]
    (low,) = (one for one in neighbours(results, results.runs[0]) if one.run.number == 4)
    assert low.exact == ""
    assert low.distance == pytest.approx(math.sqrt((0.01 / 0.5) ** 2 / 2))


# Importance


def test_the_setting_that_decides_everything_is_found():
    generator = np.random.default_rng(3)
    results = planted(
        [
            done(number, point, 10.0 * (point["heads"] == 2) + generator.random())
            for number, point in enumerate(list(GRID.points()) * 5)
        ]
    )
    found = importances(results)
    assert (found.runs, found.best) == (90, 9)
    assert found.settings[0].setting == "heads"
    assert found.settings[0].share > 0.7
    assert [one.setting for one in found.settings if one.beyond_chance] == ["heads"]
    # Half of the runs have it, and all of the best.
    assert found.settings[0].divergence == pytest.approx(1.0)
    assert sum(one.share for one in found.settings) == pytest.approx(1.0)


def test_an_interval_that_decides_is_found_for_either_direction():
    generator = np.random.default_rng(4)
    points = [
        {
            "learning_rate": 10 ** generator.uniform(-4, -2),
            "dropout": generator.uniform(0, 0.5),
            "width": int(generator.choice([32, 64])),
        }
        for _ in range(200)
    ]
    far = [abs(math.log10(point["learning_rate"]) + 3) for point in points]
    for objective, sign in (("validation_loss", 1), ("area", -1)):
        runs = [done(n, point, sign * far[n]) for n, point in enumerate(points)]
        found = importances(planted(runs, MIXED, (objective,))).settings
        assert found[0].setting == "learning_rate"
        assert found[0].beyond_chance
        assert not any(one.beyond_chance for one in found[1:])


def test_noise_is_seldom_taken_for_importance():
    claims = 0
    for seed in range(20):
        generator = np.random.default_rng(seed)
        points = list(GRID.points()) * 4
        runs = [done(number, point, generator.random()) for number, point in enumerate(points)]
        claims += sum(one.beyond_chance for one in importances(planted(runs)).settings)
    assert claims <= 4  # of 60, at 1 in 100


@given(st.lists(st.integers(0, 4), min_size=2, max_size=30), st.data())
def test_divergence_is_the_sum_it_is_defined_as(groups, data):
    chosen = data.draw(
        st.lists(st.integers(0, len(groups) - 1), min_size=1, unique=True, max_size=len(groups))
    )
    expected = 0.0
    for group in set(groups):
        among_all = groups.count(group) / len(groups)
        among_chosen = sum(groups[place] == group for place in chosen) / len(chosen)
        expected += (among_chosen - among_all) ** 2 / among_all
    found = divergence(np.array(groups), np.array(chosen))
    assert found == pytest.approx(expected, abs=1e-12)
    assert divergence(np.array(groups), np.arange(len(groups))) == pytest.approx(0, abs=1e-12)


def test_importance_says_why_not():
    few = planted([done(n, point, float(n)) for n, point in enumerate(GRID.points())])
    with pytest.raises(ValueError, match=naming("20 planted 18")):
        importances(few)
    same = planted([done(n, point, 1.0) for n, point in enumerate(list(GRID.points()) * 2)])
    with pytest.raises(ValueError, match=naming("36 planted validation_loss")):
        importances(same)


FOUR = SearchSpace(
    tuple(
        Interval(field, field, 0.0, high)
        for field, high in (
            ("dropout", 0.5),
            ("weight_decay", 1.0),
            ("filter_strength", 2.0),
            ("label_smoothing", 0.5),
        )
    )
)


def searched(sampler, trials=120):
    """Runs of an Optuna study over four settings; a dropout above 0.15 spoils everything."""
    study = optuna.create_study(sampler=sampler)
    runs = []
    for number in range(trials):
        trial = study.ask()
        point = {
            each.field: trial.suggest_float(each.field, 0, each.high) for each in FOUR.dimensions
        }
        dropout, *others = (point[each.field] / each.high for each in FOUR.dimensions)
        value = float(dropout > 0.3) + 0.03 * sum((each - 0.5) ** 2 for each in others)
        study.tell(trial, value)
        runs.append(done(number, point, value))
    return planted(runs, FOUR)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_after_a_search_that_followed_results_variance_tells_what_decides(seed):
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    results = searched(optuna.samplers.TPESampler(seed=seed))
    followed = replace(results, definition=replace(results.definition, sampler="tpe"))
    found = importances(followed)
    assert found.followed
    assert found.settings[0].setting == "dropout"
    assert found.settings[0].variance > 10 * found.settings[1].variance
    assert sum(one.variance for one in found.settings) <= 1 + 1e-9
    assert all(one.beyond_chance is None for one in found.settings)
    # Held against all runs, the best say that dropout is chance, and comes last.
    assert found.settings[0].divergence <= found.settings[0].chance
    assert min(found.settings, key=lambda one: one.share).setting == "dropout"


def test_main_effects_are_those_of_a_known_function():
    """Two settings on a whole grid: variances 2/3 · 9 and 1/4 · 4, and noise of none."""
    first, second = np.divmod(np.arange(6), 2)
    found = main_effects([first, second], 3.0 * first + 2.0 * second)
    assert found == pytest.approx([6 / 7, 1 / 7])
    # A setting that only acts with another has no effect of its own.
    signs = (-1.0) ** first * (-1.0) ** second
    alone = main_effects([first[:4], second[:4]], signs[:4])
    assert alone == pytest.approx([0, 0], abs=1e-12)


# The paper's tables


def test_table_1_holds_every_value_with_its_runs():
    results = on_grid(bowl)
    rows = space_rows(results)
    assert [(row.setting, row.value) for row in rows] == [
        (name, value) for name, values in GRID.values.items() for value in values
    ]
    for row in rows:
        own = [bowl(point) for point in GRID.points() if point[row.setting] == row.value]
        assert (row.runs, row.best) == (len(own), (min(own),))
        assert row.median == (pytest.approx(np.median(own)),)


def test_an_interval_is_cut_into_parts_that_hold_every_run_once():
    rates = [1e-4, 3e-4, 3.2e-4, 1e-3, 9e-3, 1e-2]
    at = {"dropout": 0.5, "width": 32}
    runs = [done(n, {**at, "learning_rate": r}, r) for n, r in enumerate(rates)]
    rows = space_rows(planted(runs, MIXED))
    parts = [row for row in rows if row.setting == "learning_rate"]
    assert [row.runs for row in parts] == [2, 1, 1, 2]
    assert [row.limits[0] for row in parts] == pytest.approx([1e-4, 10**-3.5, 1e-3, 10**-2.5])
    assert [row.runs for row in rows if row.setting == "dropout"] == [0, 0, 0, 6]
    assert [row.best for row in rows if row.value == 64] == [None]


def test_table_2_has_the_best_beside_the_paper_s():
    small = SearchSpace((*TABLE_1.dimensions[:2], Dimension("weight_decay", "wd", (0.0, 1.0))))
    results = on_grid(lambda point: point["dropout"] + point["weight_decay"], small)
    own, paper = chosen_rows(results)
    assert own.params == {"dropout": 0.0, "filter_strength": 0.0, "weight_decay": 0.0}
    assert (own.values, own.outside) == ((0.0,), ())
    assert paper.params == {name: TABLE_2[name] for name in own.params}
    assert paper.outside == ("weight_decay",)
    assert paper.values is None
    only = chosen_rows(planted([], small))
    assert [row.label for row in only] == ["paper (Table 2)"]


def test_runs_of_a_study_are_told_apart_by_experiment_and_seed():
    pairs = itertools.product(("miiii", "nanda"), (2, 0))
    runs = [
        done(n, {EXPERIMENT: key, SEED: seed}, 1.0 - seed / 10 + (key == "nanda"))
        for n, (key, seed) in enumerate(pairs)
    ]
    results = planted(runs, None, study="studies/small")
    assert results.settings == (EXPERIMENT, SEED)
    best = ranked(results)[0]
    assert best.params == {EXPERIMENT: "miiii", SEED: 2}
    assert [(one.setting, one.value, one.exact) for one in neighbours(results, best)] == [
        (EXPERIMENT, "nanda", "done"),
        (SEED, 0, "done"),
    ]
    assert [(row.value, row.runs) for row in space_rows(results)] == [
        ("miiii", 2),
        ("nanda", 2),
        (0, 2),
        (2, 2),
    ]
    assert len(chosen_rows(results)) == 1
