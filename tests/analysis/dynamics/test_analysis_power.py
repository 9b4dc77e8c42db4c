"""Tasks' power through training, against what was planted and what was memorised."""

import numpy as np
import pytest

from analysis.planted import noise
from analysis.planted_circuits import circuit_model
from miiii.analysis.circuits.attribution import attribute
from miiii.analysis.dynamics.power import model_power, power, stack_power
from miiii.analysis.dynamics.power_appearance import power_appearance
from miiii.tasks.config import TaskConfig
from miiii.tasks.dataset import build_dataset
from wording import naming

BASE, MODULI = 23, (3, 5, 7)
NUMBERS = np.arange(BASE**2)
DATASET = build_dataset(TaskConfig(base=BASE, moduli=MODULI, train_fraction=0.5), 0)
TRAIN = DATASET.split.train


def of_tasks(*powers, seed=2):
    """Functions with these shares of variance on the tasks, the rest noise."""
    waves = [
        np.sqrt(2 * power) * np.cos(2 * np.pi * NUMBERS / modulus)
        for modulus, power in zip(MODULI, powers, strict=True)
    ]
    rest = noise((BASE**2, 40), seed) * np.sqrt(max(1 - sum(powers), 1e-6))
    return sum(waves)[:, None] + rest


def measured(*powers, seed=2):
    return power(of_tasks(*powers, seed=seed), BASE, MODULI, TRAIN)


SCHEDULE = [(0, (0, 0, 0)), (10, (0.5, 0, 0)), (20, (0, 0.1, 0)), (40, (0.3, 0.3, 0))]


def test_power_is_what_was_planted_and_is_carried_to_numbers_not_trained_on():
    series = stack_power((epoch, measured(*powers)) for epoch, powers in SCHEDULE)
    planted = np.array([powers for _, powers in SCHEDULE])
    assert series.epochs.tolist() == [0, 10, 20, 40]
    np.testing.assert_allclose(series.task, planted, atol=0.05)
    np.testing.assert_allclose(series.carried, planted, atol=0.05)
    np.testing.assert_allclose(series.power[0], series.beyond_chance, rtol=0.6)
    np.testing.assert_allclose(series.explained, planted.sum(axis=1), atol=0.08)
    assert (series.explained_with_digits >= series.explained - 1e-12).all()
    assert series.null.shape == (4, 20, 3)
    assert abs(series.null[0].mean()) < 0.002
    np.testing.assert_array_equal(series.threshold, series.null.max(axis=1))
    relative = series.carried[:, 0] / series.carried[1, 0]
    np.testing.assert_allclose(series.relative[[1, 3], 0], relative[[1, 3]])
    assert (series.relative >= 0).all()


def test_what_was_memorised_has_power_but_carries_none():
    generator = np.random.default_rng(5)
    classes = np.where(np.isin(NUMBERS, TRAIN), NUMBERS % 7, generator.integers(0, 7, BASE**2))
    answers = generator.normal(size=(7, 50))[classes]
    found = stack_power([(1, power(answers, BASE, MODULI, TRAIN))])
    assert found.power[0, 2] > 5 * found.beyond_chance[2]
    assert abs(found.carried[0, 2]) < 0.04
    circuit = generator.normal(size=(7, 50))[NUMBERS % 7]
    assert stack_power([(1, power(circuit, BASE, MODULI, TRAIN))]).carried[0, 2] > 0.9


def test_carried_power_by_hand():
    values = noise((BASE**2, 3), 8)
    found = power(values, BASE, MODULI, TRAIN).carried
    grid = values.reshape(BASE, BASE, 3)
    grid = grid - grid.mean(axis=0) - grid.mean(axis=1)[:, None] + grid.mean(axis=(0, 1))
    interaction = grid.reshape(-1, 3)
    others = np.setdiff1d(NUMBERS, TRAIN)
    for index, modulus in enumerate(MODULI):
        covariance = 0.0
        for number in others:
            alike = [n for n in TRAIN if n % modulus == number % modulus]
            mean = interaction[alike].mean(axis=0) - interaction[TRAIN].mean(axis=0)
            covariance += interaction[number] @ mean / len(others)
        expected = covariance / (interaction**2).mean(axis=0).sum()
        assert found[index] == pytest.approx(expected)


def test_power_appears_between_the_snapshots_around_it():
    series = stack_power((epoch, measured(*powers)) for epoch, powers in SCHEDULE)
    solved = {3: 40, 5: 30, 7: None}
    found = power_appearance(series, solved)
    # The first task's power went away in between.
    assert found.trace.by == (40, 20, None)
    assert found.trace.after == (20, 10, 40)
    assert found.half.by == (40, 40, None)
    assert found.half.after == (20, 20, 40)
    assert found.trace_order == ("before", "before", "no power")
    assert found.half_order == ("before", "undecided", "no power")
    early = power_appearance(series, {3: 20, 5: 15, 7: 3})
    assert early.half_order == ("after", "after", "no power")
    assert early.trace_order == ("after", "undecided", "no power")
    assert power_appearance(series, dict.fromkeys(MODULI)).half_order[0] == "unsolved"
    always = power_appearance(stack_power(iter([(5, measured(0.5, 0, 0))])), solved)
    assert (always.half.by[0], always.half.after[0]) == (5, None)


def test_noise_leaves_a_trace_no_more_often_than_renaming_allows():
    traces = [stack_power([(0, measured(0, 0, 0, seed=seed))]) for seed in range(12)]
    above = np.array([each.carried[0] > each.threshold[0] for each in traces])
    # Expected share 1/21; six of 36 has a chance below 0.005.
    assert above.sum() < 6


def test_shares_are_of_all_functions_variance_together():
    values = np.concatenate([10 * of_tasks(0.8, 0, 0), of_tasks(0, 0.8, 0)], axis=1)
    found = attribute(values, BASE, MODULI)
    series = stack_power([(5, power(values, BASE, MODULI, TRAIN))])
    by_hand = (found.task * found.variance[:, None]).sum(axis=0) / found.variance.sum()
    np.testing.assert_allclose(series.task[0], by_hand)
    assert series.task[0, 0] > 50 * series.task[0, 1]
    assert series.variance[0] == pytest.approx(found.variance.sum())


def test_a_planted_model_has_its_tasks_power_and_a_constant_one_none():
    base = 13
    dataset = build_dataset(TaskConfig(base=base, moduli=MODULI, train_fraction=0.5), 0)
    parameters, _ = circuit_model(base, MODULI, [([(3, 1)], 40), ([(7, 2)], 40)])
    constant = power(np.ones((base**2, 4)), base, MODULI, dataset.split.train)
    series = stack_power([(0, constant), (8, model_power(parameters, dataset))])
    assert np.isnan(series.power[0]).all()
    assert np.isnan(series.carried[0]).all()
    assert np.isnan(series.table_gini[0]).all()
    # Waves' products: half of what needs both digits is the tasks' sum of angles.
    assert series.power[1, [0, 2]].min() > 0.15
    assert series.power[1, 1] < 0.02
    # Every neuron serves one task of three: the most unequal is 2/3.
    assert series.table_gini[1].min() > 0.55
    appeared = power_appearance(series, dict.fromkeys(MODULI))
    assert appeared.trace.by == appeared.half.by == (8, None, 8)


def test_a_modulus_that_one_digit_tells_has_nothing_beyond():
    values = noise((81, 50), 3) + np.cos(2 * np.pi * np.arange(81) / 3)[:, None]
    series = stack_power([(1, power(values, 9, (3, 5), np.arange(0, 81, 2)))])
    assert series.carried[0, 0] == series.threshold[0, 0] == 0
    assert power_appearance(series, {3: 5, 5: 5}).trace_order[0] == "no power"
    assert np.isfinite(series.table_gini).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: stack_power([]), "powers stack"),
        (lambda: stack_power([(1, measured(0, 0, 0))] * 2), "epochs ascend [1,1]"),
        (
            lambda: stack_power(
                [(i, power(noise((25, 1)), 5, (q,), [1, 2])) for i, q in enumerate((2, 3))]
            ),
            "base tasks",
        ),
        (
            lambda: stack_power(
                [(i, power(noise((25, 1)), 5, (2,), [1, 2], draws=i + 1)) for i in range(2)]
            ),
            "renamings",
        ),
        (lambda: power(noise((25, 1)), 5, (2,), range(25)), "train 25 numbers"),
        (lambda: power(noise((25, 1)), 5, (2,), [25]), "numbers 25 24"),
        (lambda: power(noise((25, 1)), 5, (2,), [1], draws=0), "draws 0"),
        (
            lambda: power_appearance(stack_power([(1, measured(0, 0, 0))]), {3: 1}),
            "solved entry modulus 5",
        ),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=naming(message)) as caught:
        call()
    assert "\n" not in str(caught.value)
