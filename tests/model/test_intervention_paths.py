"""An edit of the stream after attention reaches the MLP and the skip connection around it.

The computation below is written out in float64; replacing one path only gives other logits.
"""

import jax
import numpy as np
import pytest

from miiii import digits
from miiii.model.config import ModelConfig
from miiii.model.initialise import initialise
from miiii.model.intervention import Intervention, intervene

BASE, OUTPUTS = 5, 7


@pytest.fixture(scope="module")
def weights():
    config = ModelConfig(width=8, heads=2, mlp_ratio=2)
    return initialise(jax.random.key(3), config, BASE, OUTPUTS, 1)


def after(weights, mlp_reads, skip_carries):
    """Logits of the last block from what its MLP reads and what goes around it: [B, D] each."""
    block = weights.blocks[-1]
    w_in, w_out, out = (
        np.asarray(each, np.float64) for each in (block.mlp_in, block.mlp_out, weights.unembedding)
    )
    return (skip_carries + np.maximum(mlp_reads @ w_in, 0) @ w_out) @ out


@pytest.mark.parametrize("change", [lambda x: 0 * x + 1.5, lambda x: -x], ids=["fixed", "negated"])
def test_both_paths_carry_the_new_stream(weights, change):
    numbers = digits(BASE)
    _, plain = intervene(weights, numbers)
    before = np.asarray(plain.residual_mid, np.float64)
    logits, found = intervene(weights, numbers, Intervention("residual_mid", change))
    new = np.asarray(change(before), np.float64)
    np.testing.assert_allclose(found.residual_mid, new, rtol=1e-6)
    np.testing.assert_allclose(logits, after(weights, new, new), rtol=1e-4, atol=1e-5)
    mlp_only, skip_only = after(weights, new, before), after(weights, before, new)
    assert np.abs(np.asarray(logits) - mlp_only).max() > 0.1
    assert np.abs(np.asarray(logits) - skip_only).max() > 0.1
