"""Attention of hand-built models that look where they were told to."""

import math

import numpy as np
import pytest

from analysis.planted import additive_model, random_parameters
from miiii.analysis.parts.attention import attention, attention_pattern, entropy
from wording import naming

BASE = 5


def looking(scores):
    return attention(additive_model(BASE, np.zeros(BASE), np.zeros(BASE), scores))


def test_heads_that_look_at_one_digit_only():
    result = looking([[60.0, 0, 0], [0, 60.0, 0]])
    np.testing.assert_allclose(result.mean, [[1, 0, 0], [0, 1, 0]], atol=1e-12)
    assert result.weights.shape == (2, 3, BASE, BASE)
    assert result.entropy_grid.shape == (2, BASE, BASE)
    np.testing.assert_allclose(result.entropy, 0, atol=1e-12)
    np.testing.assert_allclose(result.preference, [1, -1], atol=1e-12)


def test_uniform_attention_has_entropy_ln_3():
    result = looking(np.zeros((2, 3)))
    np.testing.assert_allclose(result.mean, 1 / 3)
    np.testing.assert_allclose(result.entropy_grid, math.log(3))
    np.testing.assert_allclose(result.preference, 0, atol=1e-12)


def test_attention_by_hand():
    # Scores ln 6, ln 3 and 0: weights 6, 3, 1 tenths.
    result = looking([[math.log(6), math.log(3), 0], [0, 0, 60.0]])
    np.testing.assert_allclose(result.mean[0], [0.6, 0.3, 0.1])
    expected = -(0.6 * math.log(0.6) + 0.3 * math.log(0.3) + 0.1 * math.log(0.1))
    assert result.entropy[0] == pytest.approx(expected)
    assert result.preference[0] == pytest.approx(1 / 3)
    np.testing.assert_allclose(result.mean[1], [0, 0, 1], atol=1e-12)


def test_attention_over_the_grid_against_plain_python():
    parameters = random_parameters(BASE)
    result = attention(parameters)
    tokens, positions = parameters.token_embedding, parameters.position_embedding
    block = parameters.blocks[0]
    for x1, x0 in ((0, 0), (1, 4), (3, 2)):
        stream = tokens[[x0, x1, BASE]] + positions
        for head in range(2):
            asked = (stream[2] @ block.query[head]) @ (stream @ block.key[head]).T
            powers = [math.exp(score / math.sqrt(3)) for score in asked]
            expected = [power / sum(powers) for power in powers]
            np.testing.assert_allclose(result.weights[head, :, x1, x0], expected)


def test_axes_of_the_grid():
    weights = np.full((BASE**2, 1, 3), 1 / 3)
    weights[2 + BASE * 4, 0] = [1, 0, 0]
    result = attention_pattern(weights, BASE)
    assert result.weights[0, :, 4, 2].tolist() == [1, 0, 0]
    assert result.entropy_grid[0, 4, 2] == 0
    assert result.mean[0, 0] == pytest.approx((1 + 24 / 3) / 25)


def test_entropy_of_literal_weights():
    found = entropy([[1.0, 0, 0], [0.5, 0.5, 0], [1 / 3, 1 / 3, 1 / 3]])
    np.testing.assert_allclose(found, [0, math.log(2), math.log(3)])
    np.testing.assert_allclose(entropy([[0.25], [0.75]], axis=0), [0.5623351446])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: entropy([0.5, 0.6]), "sum 1 1.1"),
        (lambda: entropy([1.5, -0.5]), "0 -0.5"),
        (lambda: attention_pattern(np.ones((4, 2)), 2), "[p²,heads,3]"),
        (lambda: attention_pattern(np.full((4, 1, 3), 1 / 3), 3), "p² 9 rows"),
        (lambda: attention_pattern(np.full((4, 1, 3), np.nan), 2), "weights finite"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=naming(message)):
        call()


def test_two_positions_and_a_constant_added_to_every_weight():
    share = np.linspace(0, 1, 9).reshape(9, 1)  # of x0, after the softmax; base 3, one head
    softmax = np.stack([share, 1 - share], axis=-1)
    found = attention_pattern(0.25 * softmax + 0.75, 3, 0.25)
    assert found.weights.shape == (1, 2, 3, 3)
    np.testing.assert_allclose(found.mean, [[0.875, 0.875]])
    # Weights sum to 0.25 + 0.75 · 2; entropy is of what each is of that.
    parts = (0.25 * softmax + 0.75) / 1.75
    np.testing.assert_allclose(found.entropy, [-(parts * np.log(parts)).sum(axis=-1).mean()])
    with pytest.raises(ValueError, match=naming("sum 1")):
        attention_pattern(0.25 * softmax + 0.75, 3)
    with pytest.raises(ValueError, match=naming("answer token")):
        attention_pattern(np.ones((9, 1, 4)), 3)
