"""The gradient filters against sequences worked out by hand and loops in plain Python."""

import doctest
from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from miiii.optim import grokfast
from miiii.optim.grokfast import grokfast_ema, grokfast_ma
from wording import naming

LENGTH = 12
gradients_of_a_weight = st.lists(
    st.floats(-10, 10, allow_subnormal=False), min_size=LENGTH, max_size=LENGTH
)


def filtered(transformation, sequence):
    """What comes out, when the gradients of a sequence go in one after the other."""

    def step(state, gradient):
        out, state = transformation.update(gradient, state)
        return state, out

    first = jax.tree.map(lambda leaf: leaf[0], sequence)
    return jax.lax.scan(step, transformation.init(first), sequence)[1]


def check(transformation, gradients, expected):
    """The filter on a tree of two leaves, the second twice the first with a shape of its own."""
    sequence = jnp.asarray(gradients)
    tree = {"one": sequence, "two": 2 * sequence[:, None, None] * jnp.ones((2, 3))}
    found = jax.jit(lambda s: filtered(transformation, s))(tree)
    np.testing.assert_allclose(found["one"], expected, rtol=1e-6)
    wide = 2 * np.asarray(expected)[:, None, None] * np.ones((2, 3))
    np.testing.assert_allclose(found["two"], wide, rtol=1e-6)


# α = ½, λ = 2. e: 1, 2, ½ from the first gradient; ½, 1¾, ⅜ from zeros.
@pytest.mark.parametrize(
    ("start", "expected"), [("gradient", [3.0, 7.0, 0.0]), ("zeros", [2.0, 6.5, -0.25])]
)
def test_ema_by_hand(start, expected):
    check(grokfast_ema(decay=0.5, strength=2.0, start=start), [1.0, 3.0, -1.0], expected)


# α = 0.98, λ = ½, a constant gradient: its average is itself at once, or grows as 1 − 0.98ᵏ.
@pytest.mark.parametrize(
    ("start", "expected"), [("gradient", [1.5, 1.5, 1.5]), ("zeros", [1.01, 1.0198, 1.029404])]
)
def test_ema_of_a_constant_gradient(start, expected):
    check(grokfast_ema(start=start), [1.0, 1.0, 1.0], expected)


def test_ma_by_hand():
    # w = 3, λ = 2: nothing until three are in, then twice the mean of the last three:
    # 6 + 2·9/3, −3 + 2·3/3, 9 + 2·12/3, 0 + 2·6/3, 0 + 2·9/3, 0 + 2·0
    check(
        grokfast_ma(window=3, strength=2.0),
        [3.0, 0.0, 6.0, -3.0, 9.0, 0.0, 0.0, 0.0],
        [3.0, 0.0, 12.0, -1.0, 17.0, 4.0, 6.0, 0.0],
    )


def test_ma_of_one_gradient_acts_at_once():
    check(grokfast_ma(window=1, strength=0.5), [2.0, -4.0], [3.0, -6.0])


@lru_cache
def compiled(kind, argument):
    if kind == "ema":
        return jax.jit(
            lambda sequence, decay, strength: filtered(
                grokfast_ema(decay, strength, argument), sequence
            )
        )
    return jax.jit(lambda sequence, strength: filtered(grokfast_ma(argument, strength), sequence))


@settings(max_examples=40)
@given(
    gradients=gradients_of_a_weight,
    decay=st.floats(0, 0.999),
    strength=st.floats(0, 5),
    start=st.sampled_from(["gradient", "zeros"]),
)
def test_ema_against_a_loop(gradients, decay, strength, start):
    average = gradients[0] if start == "gradient" else 0.0
    expected = []
    for gradient in gradients:
        average = decay * average + (1 - decay) * gradient
        expected.append(gradient + strength * average)
    with jax.enable_x64(True):
        found = compiled("ema", start)(jnp.asarray(gradients), decay, strength)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


@settings(max_examples=40)
@given(
    gradients=gradients_of_a_weight,
    window=st.sampled_from([2, 5, LENGTH, LENGTH + 1]),
    strength=st.floats(0, 5),
)
def test_ma_against_a_loop(gradients, window, strength):
    expected = []
    for index, gradient in enumerate(gradients):
        last = gradients[max(0, index + 1 - window) : index + 1]
        slow = sum(last) / window if len(last) == window else 0.0
        expected.append(gradient + strength * slow)
    with jax.enable_x64(True):
        found = compiled("ma", window)(jnp.asarray(gradients), strength)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def random_gradients(count):
    generator = np.random.default_rng(0)
    return {
        "matrix": jnp.asarray(generator.normal(size=(count, 3, 2)), jnp.float32),
        "vector": jnp.asarray(generator.normal(size=(count, 4)), jnp.float32),
    }


@pytest.mark.parametrize(
    "transformation",
    [grokfast_ema(strength=0.0), grokfast_ema(strength=0.0, start="zeros"), grokfast_ma(2, 0.0)],
)
def test_strength_zero_is_the_identity(transformation):
    gradients = random_gradients(5)
    found = jax.jit(lambda s: filtered(transformation, s))(gradients)
    jax.tree.map(np.testing.assert_array_equal, found, gradients)


@pytest.mark.parametrize("transformation", [grokfast_ema(0.9, 2.0), grokfast_ma(3, 2.0)])
@pytest.mark.parametrize(
    "optimiser", [optax.sgd(0.1), optax.adamw(0.1), optax.lion(0.01)], ids=["sgd", "adamw", "lion"]
)
def test_filters_chain_in_front_of_any_optimiser(transformation, optimiser):
    gradients = random_gradients(4)
    start = jax.tree.map(lambda leaf: jnp.ones_like(leaf[0]), gradients)

    def train(chosen, sequence):
        def step(carry, gradient):
            weights, state = carry
            updates, state = chosen.update(gradient, state, weights)
            return (optax.apply_updates(weights, updates), state), None

        return jax.lax.scan(step, (start, chosen.init(start)), sequence)[0][0]

    @jax.jit
    def both(sequence):
        chained = train(optax.chain(transformation, optimiser), sequence)
        return chained, train(optimiser, filtered(transformation, sequence))

    chained, apart = both(gradients)
    for one, two in zip(jax.tree.leaves(chained), jax.tree.leaves(apart), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-6)
        assert one.dtype == jnp.float32
        assert not np.array_equal(one, np.ones_like(one))


def test_refusals():
    with pytest.raises(ValueError, match=naming("start 'ones' gradient zeros")):
        grokfast_ema(start="ones")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match=naming("window 0 1")):
        grokfast_ma(window=0)


def test_examples_in_the_documentation():
    found = doctest.testmod(grokfast)
    assert (found.failed, found.attempted > 0) == (0, True)
