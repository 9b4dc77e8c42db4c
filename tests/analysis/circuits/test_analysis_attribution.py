"""Shares of tasks, digits and pairs against least squares, and planted circuits read back."""

import numpy as np
import pytest

from analysis.planted import harmonics, noise
from miiii.analysis.circuits.attribution import attribute
from miiii.analysis.circuits.serving import served_tasks
from miiii.analysis.harmonics.cross_harmonics import pair_harmonics
from miiii.analysis.harmonics.digit_split import split_digits
from wording import naming

MODULI = (2, 3, 5)


def explained(columns, values):
    """Share of each function's variance that columns and a constant explain."""
    design = np.column_stack([np.ones(len(values)), columns])
    residual = values - design @ np.linalg.lstsq(design, values, rcond=1e-9)[0]
    return 1 - (residual**2).sum(axis=0) / ((values - values.mean(axis=0)) ** 2).sum(axis=0)


def digit_columns(base):
    numbers = np.arange(base**2)
    return np.column_stack([np.eye(base)[numbers % base], np.eye(base)[numbers // base]])


@pytest.mark.parametrize(
    ("base", "moduli"), [(7, MODULI), (6, (2, 3, 5)), (5, (5, 4)), (9, (4, 6, 3))]
)
def test_shares_are_those_of_least_squares(base, moduli):
    values = 4 + noise((base**2, 5), 1)
    values[:, 1] += 3 * np.cos(2 * np.pi * np.arange(base**2) / moduli[0])
    result = attribute(values, base, moduli, pairs=[(moduli[0], moduli[1])])
    each = [harmonics(base, modulus) for modulus in moduli]
    digits = digit_columns(base)
    np.testing.assert_allclose(
        result.task, np.stack([explained(one, values) for one in each], axis=1), atol=1e-9
    )
    np.testing.assert_allclose(
        result.beyond,
        np.stack(
            [
                explained(np.column_stack([digits, one]), values) - explained(digits, values)
                for one in each
            ],
            axis=1,
        ),
        atol=1e-9,
    )
    np.testing.assert_allclose(result.digit[:, 0], explained(digits[:, :base], values), atol=1e-9)
    np.testing.assert_allclose(result.digit[:, 1], explained(digits[:, base:], values), atol=1e-9)
    together = np.column_stack(each)
    np.testing.assert_allclose(result.explained, explained(together, values), atol=1e-9)
    np.testing.assert_allclose(result.unexplained, 1 - explained(together, values), atol=1e-9)
    np.testing.assert_allclose(
        result.explained_with_digits,
        explained(np.column_stack([digits, together]), values),
        atol=1e-9,
    )
    np.testing.assert_allclose(result.variance, values.var(axis=0))
    pair = pair_harmonics(base, moduli[0], moduli[1])
    np.testing.assert_allclose(
        result.pair[:, 0], (pair.project(values) ** 2).sum(axis=0) / (base**2 * values.var(axis=0))
    )
    least, most = result.sum_bounds
    assert (result.task.sum(axis=1) >= least * result.explained - 1e-9).all()
    assert (result.task.sum(axis=1) <= most * result.explained + 1e-9).all()


def test_a_modulus_that_divides_the_base_adds_nothing_to_the_digits():
    result = attribute(noise((36, 3)), 6, (2, 5))
    np.testing.assert_allclose(result.beyond[:, 0], 0, atol=1e-12)
    assert result.beyond_chance.tolist() == [0, 4 / 25]
    assert (result.beyond[:, 1] > 0.01).all()


def test_the_split_by_digit_conserves_the_whole():
    values = 2 + noise((49, 3))
    split = split_digits(values, 7)
    number = np.arange(49)
    rebuilt = split.mean + split.digits[0][number % 7] + split.digits[1][number // 7]
    np.testing.assert_allclose(rebuilt + split.interaction, values)
    interaction = (split.interaction**2).sum(axis=0) / split.total
    np.testing.assert_allclose(split.digit_share.sum(axis=1) + interaction, 1)
    np.testing.assert_allclose(split.interaction.reshape(7, 7, 3).sum(axis=0), 0, atol=1e-12)


def test_planted_tasks_pairs_and_digits_are_told_apart():
    base, numbers = 31, np.arange(31**2)
    of_7 = np.cos(2 * np.pi * 3 * numbers / 7 + 0.4)
    of_11 = np.cos(2 * np.pi * 2 * numbers / 11 - 1.0)
    of_digit = np.sin(2 * np.pi * 5 * (numbers % base) / base)
    values = np.stack([of_7, of_7 + of_11, of_7 * of_11, of_digit, np.full(31**2, 7.0)], axis=1)
    result = attribute(values, base, (3, 7, 11), pairs=[(7, 11), (3, 7)])
    expected = [[0, 1, 0], [0, 0.5, 0.5], [0, 0, 0], [0, 0, 0]]
    np.testing.assert_allclose(result.task[:4], expected, atol=0.03)
    np.testing.assert_allclose(result.pair[:4, 0], [0, 0, 1, 0], atol=0.1)
    assert result.pair[2, 1] < 0.05
    np.testing.assert_allclose(result.digit[3], [1, 0], atol=1e-12)
    assert result.silent.tolist() == [False] * 4 + [True]
    assert np.isnan(result.task[4]).all()
    assert result.variance[4] == 0
    # Of all variance: 1/2 + 1 + 1/4 + 1/2, of which the tasks hold 3/2.
    assert result.total_share(result.explained) == pytest.approx(1.5 / 2.25, abs=0.02)
    assert attribute(values[:, :1], base, (7,)).pair.shape == (1, 0)
    nothing = attribute(values[:, 4:], base, (7,))
    assert np.isnan(nothing.total_share(nothing.task)).all()


def test_noise_has_the_share_that_chance_gives():
    result = attribute(noise((23**2, 3000), 3), 23, (3, 7, 13), pairs=[(3, 7)])
    np.testing.assert_allclose(result.task.mean(axis=0), result.task_chance, rtol=0.1)
    np.testing.assert_allclose(result.pair.mean(axis=0), result.pair_chance, rtol=0.1)
    np.testing.assert_allclose(
        result.beyond_interaction.mean(axis=0), result.beyond_chance, rtol=0.1
    )


def test_neurons_serve_the_tasks_that_were_planted_and_noise_serves_none():
    base, numbers = 23, np.arange(23**2)
    x0, x1 = numbers % base, numbers // base

    def neuron(k, q):
        # A ReLU of two digits' waves: half of its interaction is the sum of their angles.
        over_x1 = np.cos(2 * np.pi * k * base * x1 / q)
        return np.maximum(np.cos(2 * np.pi * k * x0 / q + 0.3) + over_x1, 0)

    moduli = (5, 7, 11)
    planted = np.stack([neuron(2, 5), neuron(3, 7), neuron(1, 7) + neuron(4, 11)], axis=1)
    values = np.concatenate([planted, noise((base**2, 200))], axis=1)
    values[:, :3] += 0.1 * planted.std() * noise(planted.shape, 9)
    constant = np.column_stack([values, np.ones(base**2), np.cos(2 * np.pi * x0 / 5)])
    result = served_tasks(constant, base, moduli, draws=10)
    assert result.served[:3].tolist() == [[1, 0, 0], [0, 1, 0], [0, 1, 1]]
    assert (result.share[np.arange(3), [0, 1, 2]] > 0.1).all()
    # Constant functions and those of one digit have no interaction to serve with.
    assert result.served[-2:].sum() == 0
    assert result.share[-2:].sum() == 0
    assert result.counts[3:-2].astype(bool).mean() < 0.12
    assert 0.02 < result.null_serving <= 0.07
    assert result.neurons_by_count.sum() == 205
    assert result.neurons_per_task.tolist() == result.served.sum(axis=0).tolist()
    again = served_tasks(constant, base, moduli, draws=10)
    np.testing.assert_array_equal(result.threshold, again.threshold)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: attribute(np.ones((24, 2)), 5, (2,)), "(24,2) p² 25 rows"),
        (lambda: attribute(np.ones((25, 2)), 5, (2,), pairs=[(2, 2)]), "two moduli 2"),
        (lambda: split_digits(np.full((25, 1), np.inf), 5), "values finite"),
        (lambda: served_tasks(noise((25, 3)), 5, (2, 3), draws=1), "draws 1 40 3"),
        (lambda: served_tasks(noise((25, 3)), 5, (2,), level=0), "level 0 share"),
        (lambda: served_tasks(noise((25, 3)), 5, (2,), draws=0), "draws 0"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=naming(message)) as caught:
        call()
    assert "\n" not in str(caught.value)
