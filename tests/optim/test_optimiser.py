"""AdamW behind the filter, the learning rate through training, and what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from miiii.model.config import ModelConfig
from miiii.model.parameters import is_shape, parameter_shapes
from miiii.optim.build import build_optimiser
from miiii.optim.config import OptimConfig
from miiii.optim.schedule import learning_rate_factor

WEIGHTS = {
    "matrix": np.random.default_rng(0).normal(size=(3, 2)),
    "vector": np.random.default_rng(1).normal(size=4),
}
GRADIENTS = jax.tree.map(
    lambda leaf: np.random.default_rng(2).normal(size=(5, *leaf.shape)), WEIGHTS
)


def train(optimiser, gradients, weights):
    """The weights after each update."""

    def step(carry, gradient):
        weights, state = carry
        updates, state = optimiser.update(gradient, state, weights)
        weights = optax.apply_updates(weights, updates)
        return (weights, state), weights

    weights = jax.tree.map(jnp.asarray, weights)
    gradients = jax.tree.map(jnp.asarray, gradients)
    return jax.jit(lambda g: jax.lax.scan(step, (weights, optimiser.init(weights)), g)[1])(
        gradients
    )


def adamw_by_hand(config, gradients, weights):
    """AdamW (Loshchilov and Hutter 2019) on one array, in NumPy."""
    first = second = np.zeros_like(weights)
    through = []
    for step, gradient in enumerate(gradients, start=1):
        first = config.beta1 * first + (1 - config.beta1) * gradient
        second = config.beta2 * second + (1 - config.beta2) * gradient**2
        mean = first / (1 - config.beta1**step)
        variance = second / (1 - config.beta2**step)
        move = mean / (np.sqrt(variance) + config.epsilon) + config.weight_decay * weights
        weights = weights - config.learning_rate * move
        through.append(weights)
    return np.stack(through)


CONFIG = OptimConfig(
    learning_rate=0.01, weight_decay=0.7, beta1=0.8, beta2=0.9, epsilon=1e-3, filter="none"
)


def test_without_a_filter_it_is_adamw(x64):
    plain = optax.adamw(0.01, b1=0.8, b2=0.9, eps=1e-3, weight_decay=0.7)
    found = train(build_optimiser(CONFIG), GRADIENTS, WEIGHTS)
    expected = train(plain, GRADIENTS, WEIGHTS)
    jax.tree.map(np.testing.assert_array_equal, found, expected)
    for name, weights in WEIGHTS.items():
        by_hand = adamw_by_hand(CONFIG, GRADIENTS[name], weights)
        np.testing.assert_allclose(found[name], by_hand, rtol=1e-12)


@pytest.mark.parametrize(
    ("fields", "slow_gradient"),
    [
        # a gradient that is always the same is its own average
        ({"filter": "ema"}, [1, 1, 1, 1]),
        (
            {"filter": "ema", "filter_start": "zeros", "filter_decay": 0.5},
            [1 / 2, 3 / 4, 7 / 8, 15 / 16],
        ),
        ({"filter": "ma", "filter_window": 3}, [0, 0, 1, 1]),
    ],
)
def test_the_configured_filter_comes_before_adamw(x64, fields, slow_gradient):
    settings = {"learning_rate": 0.01, "beta1": 0.9, "beta2": 0.9, "epsilon": 0.1}
    config = OptimConfig(**settings, **fields, filter_strength=2.0)
    gradient = np.asarray([1.0, -3.0])
    found = train(build_optimiser(config), np.tile(gradient, (4, 1)), np.ones(2))
    filtered = gradient * (1 + 2 * np.asarray(slow_gradient)[:, None])
    np.testing.assert_allclose(found, adamw_by_hand(config, filtered, np.ones(2)), rtol=1e-12)


def test_muon_orthogonalises_each_matrix_of_a_block_and_nothing_else(x64):
    # The first update of AdamW's weights is that of AdamW; a block's matrix moves along an (almost)
    # orthogonal matrix with the singular vectors of its gradient, head by head.
    shapes = parameter_shapes(ModelConfig(width=8, heads=2, mlp_ratio=2), base=5, outputs=7)
    draw = np.random.default_rng(3).normal
    weights = jax.tree.map(lambda shape: draw(size=shape), shapes, is_leaf=is_shape)
    gradients = jax.tree.map(lambda leaf: draw(size=(1, *leaf.shape)), weights)
    settings = {"filter": "none", "learning_rate": 0.1, "weight_decay": 0.5}
    moved = train(build_optimiser(OptimConfig(optimiser="muon", **settings)), gradients, weights)
    adamw = optax.adamw(0.1, b1=0.9, b2=0.98, weight_decay=0.5, nesterov=True)
    plain = train(adamw, gradients, weights)
    for name in ("token_embedding", "position_embedding", "unembedding"):
        np.testing.assert_allclose(getattr(moved, name), getattr(plain, name), rtol=1e-12)
    block, before, gradient = moved.blocks[0], weights.blocks[0], gradients.blocks[0]
    for name in ("query", "key", "value", "output", "mlp_in", "mlp_out"):
        step = getattr(before, name) * (1 - 0.1 * 0.5) - getattr(block, name)[0]
        for update, along in zip(
            step.reshape(-1, *step.shape[-2:]),
            getattr(gradient, name).reshape(-1, *step.shape[-2:]),
            strict=True,
        ):
            scale = 0.2 * 0.1 * np.sqrt(max(update.shape))
            left, _, right = np.linalg.svd(along, full_matrices=False)
            inner = left.T @ (update / scale) @ right.T
            singular = np.diag(inner)
            assert singular.min() > 0.5
            assert singular.max() < 1.3
            np.testing.assert_allclose(inner, np.diag(singular), atol=1e-9)


@pytest.mark.parametrize("name", ["none", "ema", "ma"])
def test_weight_decay_is_decoupled(x64, name):
    # With no gradient there is nothing to normalise: lr · wd of every weight goes, exactly.
    config = OptimConfig(learning_rate=0.01, weight_decay=0.5, filter=name, filter_window=2)
    found = train(build_optimiser(config), np.zeros((3, 4)), WEIGHTS["vector"])
    shrunk = np.asarray([[1 - 0.005], [(1 - 0.005) ** 2], [(1 - 0.005) ** 3]])
    np.testing.assert_allclose(found, WEIGHTS["vector"] * shrunk, rtol=1e-14)


def test_numbers_given_take_the_place_of_the_configured(x64):
    config = OptimConfig(learning_rate=0.01, weight_decay=0.7, filter_strength=3.0)
    other = OptimConfig(learning_rate=9.0, weight_decay=9.0, filter_strength=9.0)
    given = {
        "learning_rate": jnp.asarray(0.01),
        "weight_decay": jnp.asarray(0.7),
        "filter_strength": jnp.asarray(3.0),
    }
    found = train(build_optimiser(other, **given), GRADIENTS, WEIGHTS)
    expected = train(build_optimiser(config), GRADIENTS, WEIGHTS)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-13), found, expected)
    zeros = build_optimiser(config, learning_rate=0.0, weight_decay=0.0, filter_strength=0.0)
    still = train(zeros, GRADIENTS, WEIGHTS)
    jax.tree.map(lambda a, b: np.testing.assert_array_equal(a[-1], b), still, WEIGHTS)


def factors(epochs, **fields):
    config = OptimConfig(**fields)
    return jax.jit(jax.vmap(lambda epoch: learning_rate_factor(config, epoch, jnp)))(
        jnp.asarray(epochs)
    )


def test_the_learning_rate_is_constant_by_default():
    np.testing.assert_array_equal(factors([1, 2, 1000, 2**31 - 1]), 1)


def test_warm_up():
    found = factors([1, 2, 3, 4, 5, 100], warmup_epochs=4)
    np.testing.assert_allclose(found, [0.25, 0.5, 0.75, 1, 1, 1])


def test_cosine_with_a_floor():
    # half of 1 + cos of 0°, 45°, 90°, 135°, 180°
    cosine = np.asarray([1, 1, 0.8535534, 0.5, 0.1464466, 0, 0])
    found = factors([1, 10, 11, 12, 13, 14, 99999], decay_start=10, decay_epochs=4, decay_floor=0.2)
    np.testing.assert_allclose(found, 0.2 + 0.8 * cosine, rtol=1e-6)
    found = factors([10, 11, 12, 13, 14], decay_start=10, decay_epochs=4, decay_floor=0.0)
    np.testing.assert_allclose(found, cosine[1:6], rtol=1e-6, atol=1e-7)


def test_warm_up_and_decay_together():
    found = factors(
        [1, 2, 4, 6, 8], warmup_epochs=2, decay_start=4, decay_epochs=4, decay_floor=0.5
    )
    np.testing.assert_allclose(found, [0.5, 1, 1, 0.75, 0.5], rtol=1e-6)


def test_restarts():
    # Falls from 1 to 0.2 over the epochs 2 to 4, then twice from 0.6, in four steps each: the first
    # of these epochs is one step down, the last is at the floor.
    fields = dict(decay_start=2, decay_epochs=2, decay_floor=0.2)
    found = factors(range(1, 16), **fields, restarts=2, restart_epochs=4, restart_height=0.6)
    again = 0.2 + 0.4 * np.asarray([0.8535534, 0.5, 0.1464466, 0])
    expected = [1, 1, 0.6, 0.2, *again, *again, 0.2, 0.2, 0.2]
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    # Up to the first of them nothing is other than without.
    np.testing.assert_array_equal(found[:4], factors(range(1, 5), **fields))


REFUSALS = [
    ({"restarts": -1}, "restarts is -1: it must be at least 0"),
    ({"restarts": 1}, "restarts is 1: it needs decay_epochs"),
    (
        {"restarts": 1, "decay_epochs": 9, "restart_epochs": 0},
        "restart_epochs is 0: it must be at least 1",
    ),
    (
        {"restarts": 1, "decay_epochs": 9, "restart_height": 0.05},
        "restart_height is 0.05: it must be from decay_floor, 0.1, to 1",
    ),
    (
        {"restarts": 1, "decay_epochs": 9, "restart_height": float("nan")},
        "restart_height is nan: it must be from decay_floor",
    ),
    ({"learning_rate": 0.0}, "learning_rate is 0.0: it must be above 0 and finite"),
    ({"learning_rate": -1e-3}, "learning_rate is -0.001: it must be above 0"),
    ({"learning_rate": float("inf")}, "learning_rate is inf: it must be above 0 and finite"),
    ({"learning_rate": float("nan")}, "learning_rate is nan: it must be above 0 and finite"),
    ({"epsilon": 0.0}, "epsilon is 0.0: it must be above 0"),
    ({"weight_decay": -0.1}, "weight_decay is -0.1: it must be at least 0"),
    ({"weight_decay": float("nan")}, "weight_decay is nan: it must be at least 0 and finite"),
    ({"filter_strength": -1.0}, "filter_strength is -1.0: it must be at least 0"),
    ({"filter_strength": float("inf")}, "filter_strength is inf: it must be at least 0 and finite"),
    ({"beta1": 1.0}, "beta1 is 1.0: it must be at least 0 and below 1"),
    ({"beta2": -0.5}, "beta2 is -0.5: it must be at least 0 and below 1"),
    ({"filter_decay": 1.0}, "filter_decay is 1.0: it must be at least 0 and below 1"),
    ({"filter_window": 0}, "filter_window is 0: it must be at least 1"),
    ({"warmup_epochs": -1}, "warmup_epochs is -1: it must be at least 0"),
    ({"decay_start": -1}, "decay_start is -1: it must be at least 0"),
    ({"decay_epochs": -1}, "decay_epochs is -1: it must be at least 0"),
    ({"decay_floor": 1.5}, "decay_floor is 1.5: it must be from 0 to 1"),
    ({"optimiser": "mouon"}, "optimiser is 'mouon' (did you mean 'muon'?): it must be one of"),
    ({"filter": "emaa"}, "filter is 'emaa' (did you mean 'ema'?): it must be one of ema, ma, none"),
    ({"filter_start": "zero"}, "filter_start is 'zero' (did you mean 'zeros'?): it must be one of"),
]


@pytest.mark.parametrize(("fields", "message"), REFUSALS, ids=[text for _, text in REFUSALS])
def test_refusals(fields, message):
    with pytest.raises(ValueError) as refusal:
        OptimConfig(**fields)
    assert message in str(refusal.value)


@pytest.mark.parametrize(
    "fields",
    [
        {"weight_decay": 0.0, "filter_strength": 0.0, "beta1": 0.0, "filter_decay": 0.0},
        {"filter_window": 1, "decay_floor": 0.0},
        {"decay_floor": 1.0},
    ],
)
def test_the_limits_themselves_are_allowed(fields):
    OptimConfig(**fields)
