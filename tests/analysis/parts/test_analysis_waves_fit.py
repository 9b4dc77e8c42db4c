"""The cosine model's fit, on a model worked out by hand and on errors put there."""

from dataclasses import replace

import numpy as np
import pytest

from analysis.planted import additive_model, noise
from miiii.analysis.parts.waves_fit import compare_waves, waves_fit
from wording import naming

BASE = 13


def function(base):
    """cos(a) + sin(b), cell by cell: [x1, x0]."""
    turn = 2 * np.pi / base
    return np.array(
        [[np.cos(turn * x0) + np.sin(turn * x1) for x0 in range(base)] for x1 in range(base)]
    )


def exact_model(base):
    """Neurons 0 and 1 hold shifted waves; the unembedding takes the shift off again."""
    turn = 2 * np.pi / base * np.arange(base)
    model = additive_model(base, (np.cos(turn) + 1) / 3, (np.sin(turn) + 1) / 4)
    unembedding = np.zeros((6, 1))
    # dimensions 0 and 1 carry the waves, 2 the answer token's 1: cos + 1 + sin + 1 − 2
    unembedding[:3, 0] = 1, 1, -2
    return replace(model, unembedding=unembedding)


def test_an_exact_model_has_no_error():
    fit = waves_fit(exact_model(BASE))
    assert fit.base == BASE
    np.testing.assert_allclose(fit.target, function(BASE), atol=1e-12)
    np.testing.assert_allclose(fit.output, function(BASE), atol=1e-12)
    assert fit.mean_squared_error < 1e-24
    assert fit.largest < 1e-12


def test_errors_are_seen_where_they_are():
    error = 0.1 * noise((BASE, BASE))
    error[3, 5] = -2.5
    fit = compare_waves((function(BASE) + error).reshape(-1, 1), BASE)
    np.testing.assert_allclose(fit.residual, error, atol=1e-12)
    assert fit.mean_squared_error == pytest.approx((error**2).sum() / BASE**2)
    assert fit.largest == pytest.approx(2.5)


def test_silence_has_the_target_s_own_variance():
    assert compare_waves(np.zeros((BASE**2, 1)), BASE).mean_squared_error == pytest.approx(1)


def test_refusals():
    with pytest.raises(ValueError, match=naming("outputs (169,2) [p²,1]")):
        compare_waves(np.zeros((BASE**2, 2)), BASE)
    with pytest.raises(ValueError, match=naming("p² 144 rows base p 12")):
        compare_waves(np.zeros((BASE**2, 1)), 12)
    with pytest.raises(ValueError, match=naming("outputs finite")):
        compare_waves(np.full((BASE**2, 1), np.nan), BASE)
