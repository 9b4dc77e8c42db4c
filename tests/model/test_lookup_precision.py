"""Gradients of lookups are exact sums in every precision, also where a row is looked up often.

A gather's own gradient in bfloat16 adds up in bfloat16, where 256 + 1 is 256 again: a token that
stands in more inputs than that learns from the first of them only, "=" above all.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from miiii import digits
from miiii.model.config import ModelConfig
from miiii.model.initialise import initialise
from miiii.model.lookup import lookup
from miiii.model.transformer import forward

BASE = 41


@pytest.mark.parametrize("times", [256, 257, 1024, 1680])
def test_a_row_looked_up_often_gets_every_summand(times):
    rows = jnp.asarray(np.repeat([2, 0], [times, 3]))
    slope = jax.grad(lambda table: lookup(table, rows).sum().astype(jnp.float32))
    found = np.asarray(slope(jnp.zeros((4, 5), jnp.bfloat16)), np.float64)
    expected = np.array([3, 0, np.asarray(times, jnp.bfloat16).astype(float), 0])
    np.testing.assert_array_equal(found, expected[:, None] * np.ones(5))


def test_a_plain_gather_would_lose_them():
    rows = jnp.zeros(1680, jnp.int32)
    slope = jax.grad(lambda table: table[rows].sum().astype(jnp.float32))
    assert float(slope(jnp.zeros((1, 1), jnp.bfloat16))[0, 0]) < 1680


def test_every_tokens_gradient_in_bfloat16_is_that_of_float64_rounded():
    """All p² inputs at once: each digit stands in 41 of them on either side, "=" in all."""
    numbers = jnp.asarray(digits(BASE))

    def slope(dtype):
        config = ModelConfig(width=16, heads=2, mlp_ratio=2)
        weights = initialise(jax.random.key(0), config, BASE, BASE, 1, jnp.float32)
        weights = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16).astype(dtype), weights)

        def total(parameters):
            # The same weight for every input, so that nothing cancels by chance.
            return forward(parameters, numbers)[0].astype(jnp.float32).sum()

        found = jax.jit(jax.grad(total))(weights)
        return np.asarray(found.token_embedding, np.float64)

    with jax.enable_x64(True):
        exact = slope(jnp.float64)
    rough = slope(jnp.bfloat16)
    error = np.linalg.norm(rough - exact, axis=1) / np.linalg.norm(exact, axis=1)
    assert error.max() < 0.05
