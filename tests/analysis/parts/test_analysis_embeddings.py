"""A hand-built embedding, random ones, and a matrix with known singular values."""

import math
import statistics

import numpy as np
import pytest

from analysis.planted import noise, random_parameters, wave
from miiii.analysis.parts.embeddings import (
    digit_embeddings,
    embedding_spectrum,
    positional_embeddings,
)
from miiii.analysis.parts.singular import singular_spectrum, strongest_frequency
from wording import naming


def built_embedding(size):
    """Latent 0: 3 cycles; 1: 5 cycles, twice as strong; 2: constant 7; 3: nothing."""
    matrix = np.zeros((size, 4))
    matrix[:, 0], matrix[:, 1], matrix[:, 2] = wave(size, 3, 0.7), 2 * wave(size, 5), 7
    return matrix


def test_the_answer_token_is_left_out():
    parameters = random_parameters(11)
    parameters.token_embedding[-1] = 1e6
    digits = digit_embeddings(parameters)
    assert digits.shape == (11, 6)
    assert digits.max() < 100


@pytest.mark.parametrize("size", [29, 30])
def test_built_embedding_by_frequency(size):
    result = embedding_spectrum(built_embedding(size), 0.3, multiple=2.0, draws=4)
    expected = np.zeros((size // 2 + 1, 4))
    expected[3, 0], expected[5, 1], expected[0, 2] = size / 2, 4 * size / 2, 49 * size
    np.testing.assert_allclose(result.power, expected, atol=1e-10)
    np.testing.assert_allclose(result.row_norms**2, expected.sum(axis=1), atol=1e-10)
    # μ + 2σ over K − 1 = 14 or 15 frequencies of 0s, ½ and 2 keeps the 2 alone.
    assert (np.flatnonzero(result.significant) + 1).tolist() == [5]
    assert result.count == 1
    assert result.random_power.shape == result.power.shape
    assert result.random_counts.shape == (4,)


def test_random_matrix_has_the_stated_deviation():
    result = embedding_spectrum(np.eye(41, 200), 0.132, seed=3)
    assert math.sqrt(result.random_power.sum() / (41 * 200)) == pytest.approx(0.132, rel=0.03)
    np.testing.assert_allclose(result.random_row_norms, np.sqrt(result.random_power.sum(axis=1)))
    again = embedding_spectrum(np.eye(41, 200), 0.132, seed=3)
    np.testing.assert_array_equal(result.random_power, again.random_power)
    np.testing.assert_array_equal(result.random_counts, again.random_counts)


def test_the_transform_is_along_tokens_alone():
    matrix = noise((13, 5))
    order = [3, 0, 4, 1, 2]
    power = embedding_spectrum(matrix, 1.0).power
    np.testing.assert_allclose(embedding_spectrum(matrix[:, order], 1.0).power, power[:, order])


def test_pearson_by_hand():
    rows = np.array([[1.0, 2, 3, 4], [2, 4, 5, 9], [0, 0, 0, 0]])
    result = positional_embeddings(rows)
    assert result.pearson == pytest.approx(statistics.correlation(rows[0], rows[1]))
    # Deviations −1.5 … 1.5 and −3, −1, 0, 4: 11 / √(5 · 26).
    assert result.pearson == pytest.approx(11 / math.sqrt(130))
    np.testing.assert_array_equal(result.embeddings, rows)
    assert positional_embeddings(np.array([rows[0], -3 * rows[0] + 1, rows[2]])).pearson == -1


def test_known_singular_values_vectors_and_frequencies():
    size, width = 13, 6
    frequencies, phases = [4, 2, 6], [0.3, 1.0, 2.0]
    left = np.stack([wave(size, k, f) for k, f in zip(frequencies, phases, strict=True)])
    left /= np.linalg.norm(left, axis=1, keepdims=True)
    right = np.linalg.qr(noise((width, width)))[0][:3]
    result = singular_spectrum(left.T @ np.diag([3.0, 2.0, 1.0]) @ right, draws=50)
    np.testing.assert_allclose(result.values, [3, 2, 1, 0, 0, 0], atol=1e-12)
    np.testing.assert_allclose(np.abs((result.left[:3] * left).sum(axis=1)), 1)
    # σ²: 9, 4, 1 of 14, so one for half and two for 13/14 ≥ 0.9; by σ it would be 3 of 6 and 3.
    np.testing.assert_allclose(result.variance_share[:3], [9 / 14, 4 / 14, 1 / 14])
    assert (result.half, result.nine_tenths) == (1, 2)
    assert result.components_for(1.0) == 3
    assert result.frequency[:3].tolist() == frequencies
    np.testing.assert_allclose(result.frequency_share[:3], 1)
    assert (result.left[np.arange(6), np.abs(result.left).argmax(axis=1)] > 0).all()
    assert result.random_share.shape == (50,)
    assert 0.15 < np.median(result.random_share) < 0.6


def test_components_count_up_to_the_share_exactly():
    result = singular_spectrum(np.eye(10))
    assert [result.components_for(share) for share in (0.1, 0.5, 0.55, 0.9, 1.0)] == [
        1,
        5,
        6,
        9,
        10,
    ]


def test_centring_takes_off_the_mean_over_digits():
    matrix = noise((11, 4)) + 20
    values = singular_spectrum(matrix, centred=True).values
    assert (values**2).sum() == pytest.approx(matrix.var(axis=0).sum() * 11)
    assert singular_spectrum(matrix).values[0] > values[0]


def test_strongest_frequency_counts_the_mean_as_no_frequency():
    frequency, share = strongest_frequency([np.ones(7), 1 + wave(7, 2), wave(7, 3)])
    assert frequency[1:].tolist() == [2, 3]
    np.testing.assert_allclose(share, [0, 1 / 3, 1], atol=1e-12)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: embedding_spectrum(np.ones(5), 1.0), "(5,) [p,width]"),
        (lambda: embedding_spectrum(np.ones((5, 2)), 0.0), "deviation 0.0"),
        (lambda: embedding_spectrum(np.full((5, 2), np.nan), 1.0), "embedding finite"),
        (lambda: embedding_spectrum(np.eye(5), 1.0, draws=0), "draws 0"),
        (lambda: positional_embeddings(np.ones((4, 4))), "(4,4) [3,width]"),
        (lambda: positional_embeddings(np.ones((3, 4))), "x0 constant"),
        (lambda: singular_spectrum(np.zeros((5, 3))), "embedding zero"),
        (lambda: singular_spectrum(np.eye(5)).components_for(0), "share 0"),
        (lambda: strongest_frequency(np.zeros((1, 4))), "vectors zero"),
        (lambda: strongest_frequency(np.ones((3, 1))), "points 2"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=naming(message)) as caught:
        call()
    assert "\n" not in str(caught.value)
