"""Harmonics on the number line against least squares on functions that are written out."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.planted import noise, power_in
from miiii.analysis.harmonics.cross_harmonics import pair_harmonics
from miiii.analysis.harmonics.dictionary import harmonic_dictionary
from miiii.analysis.harmonics.task_harmonics import task_harmonics
from miiii.tasks.primes import primes_below
from wording import naming


def waves(base, modulus):
    """Cos and sin of every harmonic, one number at a time."""
    columns = []
    for k in range(1, modulus // 2 + 1):
        columns.append([math.cos(2 * math.pi * k * n / modulus) for n in range(base**2)])
        if 2 * k != modulus:
            columns.append([math.sin(2 * math.pi * k * n / modulus) for n in range(base**2)])
    return np.array(columns).T


def fitted(columns, values):
    """The least-squares fit of the columns and a constant, its mean taken off."""
    design = np.column_stack([np.ones(len(values)), columns])
    fit = design @ np.linalg.lstsq(design, values, rcond=1e-10)[0]
    return fit - fit.mean(axis=0)


def squares(values):
    return (values**2).sum(axis=0)


@pytest.mark.parametrize(("base", "modulus"), [(5, 2), (5, 3), (7, 6), (6, 4), (5, 5), (5, 24)])
def test_a_task_has_the_span_of_its_harmonics(base, modulus):
    task = task_harmonics(base, modulus)
    raw = waves(base, modulus)
    basis = task.functions()
    assert basis.shape == raw.shape == (base**2, modulus - 1)
    np.testing.assert_allclose(basis.T @ basis, np.eye(modulus - 1), atol=1e-12)
    np.testing.assert_allclose(basis.sum(axis=0), 0, atol=1e-12)
    values = 3 + noise((base**2, 4))
    expected = fitted(raw, values)
    np.testing.assert_allclose(task.project(values), expected, atol=1e-12)
    np.testing.assert_allclose(basis @ task.coefficients(values), expected, atol=1e-12)
    np.testing.assert_allclose(task.harmonic_power(values).sum(axis=0), squares(expected))


def test_each_function_is_nearly_the_harmonic_it_is_named_for():
    task = task_harmonics(23, 7)
    raw = waves(23, 7)
    alike = np.abs(np.diag(task.functions().T @ raw)) / np.linalg.norm(raw, axis=0)
    assert alike.min() > 0.999
    wave = np.cos(2 * np.pi * 2 * np.arange(23**2) / 7 - 0.6)
    power = task.harmonic_power(wave)
    assert power.shape == (3,)
    assert power[1] / power.sum() > 0.999


def test_large_angles_are_exact():
    # On 113² numbers all remainders occur equally often, so the basis is the cosine, scaled. An
    # angle 2π·56·12,768/113 that is not reduced first has an error of 4e-12.
    last, turn = 113**2 - 1, 56 * (113**2 - 1) % 113
    found = task_harmonics(113, 113).functions()[last, 110] * 113 / math.sqrt(2)
    assert found == pytest.approx(math.cos(2 * math.pi * turn / 113), abs=1e-12)


def test_shapes_beyond_two_axes_keep_their_place():
    values = noise((25, 2, 3))
    for space in (task_harmonics(5, 3), harmonic_dictionary(5, (2, 3)), pair_harmonics(5, 2, 3)):
        flat = values.reshape(25, 6)
        np.testing.assert_array_equal(space.project(values), space.project(flat).reshape(25, 2, 3))

        np.testing.assert_allclose(space.project(values[:, 0, 0]), space.project(values)[:, 0, 0])


@given(
    base=st.integers(3, 9),
    moduli=st.lists(st.integers(2, 8), min_size=1, max_size=4, unique=True),
    seed=st.integers(0, 99),
)
def test_dictionary_is_least_squares_on_all_harmonics(base, moduli, seed):
    dictionary = harmonic_dictionary(base, moduli)
    values = 2 + noise((base**2, 3), seed)
    columns = np.column_stack([waves(base, modulus) for modulus in moduli])
    rank = np.linalg.matrix_rank(np.column_stack([np.ones(base**2), columns]))
    assert (dictionary.rank, dictionary.size) == (rank, 1 + columns.shape[1])
    expected = fitted(columns, values)
    np.testing.assert_allclose(dictionary.project(values), expected, atol=1e-9)
    joint = dictionary.joint_power(dictionary.coefficients(values))
    np.testing.assert_allclose(joint, squares(expected), atol=1e-9)
    # The constant, what is explained and the rest are the whole, and orthogonal.
    residual = values - values.mean(axis=0) - dictionary.project(values)
    np.testing.assert_allclose(
        squares(values), base**2 * values.mean(axis=0) ** 2 + squares(expected) + squares(residual)
    )
    joint = dictionary.functions()
    np.testing.assert_allclose(joint.T @ joint, np.eye(rank), atol=1e-9)
    np.testing.assert_allclose(joint[:, 1:] @ (joint[:, 1:].T @ values), expected, atol=1e-9)
    # Sums over tasks stay within the stated bounds.
    total = sum(power_in(task, values) for task in dictionary.tasks)
    least, most = dictionary.sum_bounds
    power = squares(expected)
    assert (total >= least * power - 1e-9).all()
    assert (total <= most * power + 1e-9).all()


def test_the_papers_dictionary_has_1452_nearly_orthogonal_functions():
    moduli = primes_below(113)
    dictionary = harmonic_dictionary(113, moduli)
    assert (dictionary.size, dictionary.rank, len(moduli)) == (1452, 1452, 29)
    assert dictionary.condition < 1.5
    assert harmonic_dictionary(113, list(moduli)) is dictionary
    # A planted mixture is read back: tasks by their share, and nothing is left.
    numbers = np.arange(113**2)
    planted = np.cos(2 * np.pi * 30 * numbers / 109) + 2 * np.sin(2 * np.pi * 5 * numbers / 11)
    shares = np.array([power_in(task, planted) for task in dictionary.tasks]) / squares(planted)
    found = dict(zip(moduli, shares, strict=True))
    assert found[109] == pytest.approx(0.2, abs=0.002)
    assert found[11] == pytest.approx(0.8, abs=0.002)
    assert sum(shares) < 1.05
    np.testing.assert_allclose(planted - planted.mean(), dictionary.project(planted), atol=1e-10)


def test_the_dictionary_states_its_singular_values():
    dictionary = harmonic_dictionary(7, (2, 3, 5))
    side_by_side = np.column_stack([task.functions() for task in dictionary.tasks])
    expected = np.linalg.svd(side_by_side, compute_uv=False)
    np.testing.assert_allclose(dictionary.singular_values, expected)
    assert dictionary.condition == pytest.approx(expected[0] / expected[-1])
    np.testing.assert_allclose(dictionary.gram, side_by_side.T @ side_by_side, atol=1e-12)
    assert dictionary.columns == (slice(0, 1), slice(1, 3), slice(3, 7))


def test_moduli_with_common_factors_share_harmonics():
    dictionary = harmonic_dictionary(10, (4, 6))
    # 1/2 is a harmonic of both: 3 + 5 functions without the constant span 7 dimensions.
    assert (dictionary.size, dictionary.rank) == (9, 8)
    half = np.cos(np.pi * np.arange(100))
    assert [power_in(task, half) for task in dictionary.tasks] == pytest.approx([100, 100])
    assert power_in(dictionary, half) == pytest.approx(100)


@pytest.mark.parametrize(
    ("base", "first", "second"), [(7, 2, 3), (7, 5, 6), (6, 4, 6), (5, 4, 2), (5, 3, 7)]
)
def test_cross_harmonics_are_what_neither_modulus_explains(base, first, second):
    pair = pair_harmonics(base, first, second)
    values = noise((base**2, 3), 4)
    together = waves(base, math.lcm(first, second))
    separate = np.column_stack([waves(base, first), waves(base, second)])
    expected = fitted(together, values) - fitted(separate, values)
    np.testing.assert_allclose(pair.project(values), expected, atol=1e-10)
    np.testing.assert_allclose(pair.power(values), squares(expected), atol=1e-10)
    rank = np.linalg.matrix_rank(together) - np.linalg.matrix_rank(separate, tol=1e-9)
    assert pair.dimension == rank


def test_a_product_of_harmonics_lies_at_the_product_of_the_moduli():
    numbers = np.arange(23**2)
    product = np.cos(2 * np.pi * 2 * numbers / 5) * np.sin(2 * np.pi * 3 * numbers / 7)
    total = squares(product)
    assert pair_harmonics(23, 5, 7).power(product) / total > 0.98
    assert power_in(task_harmonics(23, 5), product) / total < 0.01
    assert power_in(task_harmonics(23, 7), product) / total < 0.01


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: task_harmonics(5, 1), "modulus 1: 2 p² 24"),
        (lambda: task_harmonics(5, 25), "modulus 25 2 p² 24"),
        (lambda: harmonic_dictionary(5, ()), "moduli ()"),
        (lambda: harmonic_dictionary(5, (3, 3)), "(3,3) none twice"),
        (lambda: pair_harmonics(5, 3, 3), "pair moduli 3 twice"),
        (lambda: pair_harmonics(5, 7, 4), "7 4 28 p² 25"),
        (lambda: task_harmonics(5, 3).project(np.ones(24)), "(24,) p² 25 rows"),
        (lambda: task_harmonics(5, 3).project(np.full(25, np.nan)), "values finite"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=naming(message)) as caught:
        call()
    assert "\n" not in str(caught.value)
