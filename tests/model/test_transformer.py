"""The fast forward pass and its gradients against the textbook's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from miiii import digits
from miiii.model.config import ModelConfig
from miiii.model.dropout import BlockMasks, dropout_masks
from miiii.model.initialise import initialise
from miiii.model.transformer import forward
from model.textbook import textbook_forward

pytestmark = pytest.mark.slow

BASE, OUTPUTS = 7, 10


def make(depth, dtype, initialisation="he", heads=2):
    config = ModelConfig(width=8, heads=heads, depth=depth, initialisation=initialisation)
    parameters = initialise(jax.random.key(depth), config, BASE, OUTPUTS, 3, dtype)
    # Smaller than drawn: saturated attention has gradients of 1e-10, which no oracle can check.
    parameters = jax.tree.map(lambda leaf: leaf * 0.5, parameters)
    return config, parameters, jnp.asarray(digits(BASE))


def wide_masks(masks, samples, width):
    """The fast pass' masks at every position: where it computes one position, the others are 1."""
    wide = []
    for block in masks:
        pair = []
        for mask in (block.attention, block.mlp):
            full = jnp.ones((samples, 3, width), mask.dtype)
            shown = jnp.broadcast_to(mask, (samples, *mask.shape[1:]))
            pair.append(full.at[:, -mask.shape[1] :].set(shown))
        wide.append(tuple(pair))
    return wide


def relative_error(found, expected):
    return float(jnp.abs(found - expected).max() / jnp.abs(expected).max())


@pytest.mark.parametrize(
    ("depth", "samples_with_mask"), [(1, None), (1, 1), (1, BASE**2), (2, BASE**2), (3, 1)]
)
def test_forward_and_gradients_equal_the_textbook_in_float64(x64, depth, samples_with_mask):
    config, parameters, numbers = make(depth, jnp.float64)
    masks = wide = None
    if samples_with_mask is not None:
        masks = dropout_masks(
            jax.random.key(9),
            0.3,
            samples=samples_with_mask,
            depth=depth,
            positions=3,
            width=config.width,
            dtype=jnp.float64,
        )
        wide = wide_masks(masks, len(numbers), config.width)
    weights = jax.random.normal(jax.random.key(5), (len(numbers), OUTPUTS), jnp.float64)

    @jax.jit
    def compare(p):
        def loss(forward_pass):
            def of(p):
                logits = forward_pass(p)
                return (logits * weights).sum(), logits

            return jax.grad(of, has_aux=True)(p)

        fast = loss(lambda p: forward(p, numbers, masks)[0])
        slow = loss(lambda p: textbook_forward(p, numbers, wide))
        return fast, slow

    (found, logits), (expected, oracle) = compare(parameters)
    assert relative_error(logits, oracle) < 1e-12
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        assert one.dtype == jnp.float64
        assert relative_error(one, other) < 1e-12


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_float32_is_as_exact_as_the_textbook_in_float32(x64, depth):
    _, exact_parameters, numbers = make(depth, jnp.float64)
    parameters = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), exact_parameters)
    textbook = jax.jit(textbook_forward)
    exact = textbook(jax.tree.map(lambda leaf: leaf.astype(jnp.float64), parameters), numbers)
    logits = jax.jit(lambda p: forward(p, numbers)[0])(parameters)
    assert logits.dtype == jnp.float32
    unavoidable = relative_error(textbook(parameters, numbers).astype(jnp.float64), exact)
    assert relative_error(logits.astype(jnp.float64), exact) < 4 * unavoidable + 1e-6


@pytest.mark.parametrize("depth", [1, 2])
def test_activations_rebuild_the_logits(x64, depth):
    _, parameters, numbers = make(depth, jnp.float64, heads=4)
    logits, activations = jax.jit(forward)(parameters, numbers)
    block = parameters.blocks[-1]
    np.testing.assert_allclose(activations.attention_weights.sum(axis=-1), 1, rtol=1e-12)
    assert activations.attention_weights.shape == (BASE**2, 4, 3)
    np.testing.assert_array_equal(
        activations.mlp_hidden, np.maximum(np.asarray(activations.mlp_pre), 0)
    )
    np.testing.assert_allclose(
        activations.mlp_hidden @ block.mlp_out, activations.mlp_output, rtol=1e-10, atol=1e-12
    )
    np.testing.assert_allclose(
        activations.residual_mid + activations.mlp_output,
        activations.residual_out,
        rtol=1e-10,
        atol=1e-12,
    )
    np.testing.assert_allclose(
        activations.residual_out @ parameters.unembedding, logits, rtol=1e-10, atol=1e-12
    )
    scores = np.asarray(activations.blocks[-1].attention_scores)
    exponentials = np.exp(scores)
    np.testing.assert_allclose(
        exponentials / exponentials.sum(axis=-1, keepdims=True),
        activations.blocks[-1].attention_weights,
        rtol=1e-10,
    )


def test_large_scores_do_not_overflow():
    _, parameters, numbers = make(1, jnp.float32)
    loud = jax.tree.map(lambda leaf: leaf * 100, parameters)
    logits, activations = jax.jit(forward)(loud, numbers)
    assert bool(jnp.isfinite(logits).all())
    np.testing.assert_allclose(activations.attention_weights.sum(axis=-1), 1, rtol=1e-5)


def test_dropout_masks_have_the_rate_and_the_scale():
    shape = {"depth": 2, "positions": 3, "width": 64}
    masks = dropout_masks(jax.random.key(0), 0.1, samples=500, **shape)
    assert masks[0].attention.shape == (500, 3, 64)
    assert masks[1].attention.shape == (500, 1, 64)
    for block in masks:
        for mask in (block.attention, block.mlp):
            values = np.unique(np.asarray(mask))
            np.testing.assert_allclose(values, [0, 1 / 0.9], rtol=1e-4)
            dropped = float((mask == 0).mean())
            # five standard deviations of a binomial share
            assert abs(dropped - 0.1) < 5 * (0.09 / mask.size) ** 0.5
    first = masks[0]
    assert abs(np.corrcoef(first.attention.ravel(), first.mlp.ravel())[0, 1]) < 0.02
    other = dropout_masks(jax.random.key(1), 0.1, samples=500, **shape)
    assert not np.array_equal(other[0].mlp, first.mlp)


def test_dropout_masks_are_the_same_in_float64():
    """With 64-bit types random.bits draws 64 bits unless told otherwise (jax 0.10.2, 0.12.0)."""
    shape = {"samples": 500, "depth": 2, "positions": 3, "width": 16}
    narrow = dropout_masks(jax.random.key(0), 0.3, **shape)
    with jax.enable_x64(True):
        wide = dropout_masks(jax.random.key(0), 0.3, **shape, dtype=jnp.float64)
    for one, other in zip(jax.tree.leaves(narrow), jax.tree.leaves(wide), strict=True):
        assert other.dtype == np.float64
        np.testing.assert_array_equal(np.asarray(one) == 0, np.asarray(other) == 0)
        np.testing.assert_allclose(one, other, rtol=1e-6)
        assert (np.asarray(other) == 0).mean() == pytest.approx(0.3, abs=0.02)


def test_no_dropout_is_a_mask_of_ones():
    (mask,) = dropout_masks(jax.random.key(0), 0.0, samples=4, depth=1, positions=3, width=8)
    assert isinstance(mask, BlockMasks)
    np.testing.assert_array_equal(mask.attention, 1)
    np.testing.assert_array_equal(mask.mlp, 1)
