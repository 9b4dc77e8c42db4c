"""⊥Grad: right angles and lengths, by hand and for any tensor."""

import doctest

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given
from hypothesis import strategies as st

from miiii.optim import orthogonal
from miiii.optim.build import build_optimiser
from miiii.optim.config import OptimConfig
from miiii.optim.orthogonal import orthogonal_gradient
from wording import naming


def turned(gradients, weights):
    transformation = orthogonal_gradient()
    return transformation.update(gradients, transformation.init(weights), weights)[0]


def test_by_hand(x64):
    # w = (3, 4), g = (5, 0): w·g / w·w = 15/25, g − 0.6 w = (3.2, −2.4) of length 4, made 5 long.
    found = turned({"a": jnp.asarray([5.0, 0.0])}, {"a": jnp.asarray([3.0, 4.0])})
    np.testing.assert_allclose(found["a"], [4.0, -3.0], rtol=1e-14)


@given(
    seed=st.integers(0, 2**32 - 1),
    shapes=st.lists(st.sampled_from([(2,), (3, 4), (2, 3, 5), (1, 2)]), min_size=1, max_size=3).map(
        tuple
    ),
)
def test_every_tensor_is_turned_by_itself_and_keeps_its_length(seed, shapes):
    generator = np.random.default_rng(seed)
    gradients, weights = (
        [generator.normal(size=shape) * 10.0 ** generator.integers(-6, 6) for shape in shapes]
        for _ in range(2)
    )
    with jax.enable_x64(True):
        found = turned(list(map(jnp.asarray, gradients)), list(map(jnp.asarray, weights)))
    for after, gradient, weight in zip(map(np.asarray, found), gradients, weights, strict=True):
        lengths = np.linalg.norm(after) * np.linalg.norm(weight)
        assert abs((after * weight).sum()) <= 1e-8 * lengths
        np.testing.assert_allclose(np.linalg.norm(after), np.linalg.norm(gradient), rtol=1e-12)
        # It lies in the plane of gradient and weights, on the gradient's side.
        plane = np.stack([gradient.ravel(), weight.ravel()], axis=1)
        inside = plane @ np.linalg.lstsq(plane, after.ravel(), rcond=None)[0]
        np.testing.assert_allclose(inside, after.ravel(), atol=1e-6 * np.linalg.norm(after))
        assert (after * gradient).sum() > 0


def test_what_has_no_direction_passes_and_what_has_no_other_goes():
    gradients = [jnp.asarray([1.0, -2.0]), jnp.asarray([0.3, 0.6, 0.9]), jnp.zeros(2)]
    weights = [jnp.zeros(2), jnp.asarray([1.0, 2.0, 3.0]), jnp.ones(2)]
    free, along, none = turned(gradients, weights)
    np.testing.assert_array_equal(free, gradients[0])
    np.testing.assert_array_equal(along, 0)
    np.testing.assert_array_equal(none, 0)
    assert along.dtype == jnp.float32


def test_it_stands_between_the_filter_and_the_optimiser(x64):
    generator = np.random.default_rng(0)
    weights = {"a": jnp.asarray(generator.normal(size=(3, 2)))}
    settings = {"filter": "ema", "filter_decay": 0.5, "filter_strength": 2.0, "learning_rate": 0.1}
    optimiser = build_optimiser(OptimConfig(**settings, orthogonal_gradient=True))
    state: tuple = optimiser.init(weights)  # pyright: ignore[reportAssignmentType]
    assert len(state) == 3
    slow, mean = np.zeros((3, 2)), np.zeros((3, 2))
    for epoch in range(3):
        gradient = generator.normal(size=(3, 2))
        slow = gradient if epoch == 0 else 0.5 * slow + 0.5 * gradient
        filtered = gradient + 2 * slow
        weight = np.asarray(weights["a"])
        left = filtered - (weight * filtered).sum() / (weight**2).sum() * weight
        left *= np.linalg.norm(filtered) / np.linalg.norm(left)
        assert abs((left * weight).sum()) < 1e-12
        mean = 0.9 * mean + 0.1 * left
        updates, state = optimiser.update({"a": jnp.asarray(gradient)}, state, weights)  # pyright: ignore[reportAssignmentType]
        np.testing.assert_allclose(state[2][0].mu["a"], mean, rtol=1e-10, atol=1e-14)
        weights = optax.apply_updates(weights, updates)


def test_without_it_the_chain_is_as_it_was():
    weights = {"a": jnp.ones(2)}
    plain: tuple = build_optimiser(OptimConfig()).init(weights)  # pyright: ignore[reportAssignmentType]
    assert len(plain) == 2
    names = [
        jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_flatten_with_path(plain)[0]
    ]
    assert names == [
        *("[0].count", "[0].average['a']"),
        *("[1][0].count", "[1][0].mu['a']", "[1][0].nu['a']"),
    ]


def test_it_needs_the_weights():
    transformation = orthogonal_gradient()
    with pytest.raises(ValueError, match=naming("parameters None")):
        transformation.update({"a": jnp.ones(2)}, transformation.init({}))


def test_examples_in_the_module():
    found = doctest.testmod(orthogonal)
    assert (found.failed, found.attempted > 0) == (0, True)
