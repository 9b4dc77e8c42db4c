"""Initial weights, how many they are and what they are called; rows of a table; the refusals."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from miiii.model.config import ModelConfig
from miiii.model.initialise import initialise, standard_deviations
from miiii.model.lookup import lookup
from miiii.model.parameters import is_shape, parameter_shapes, weight_names
from wording import naming

BASE, OUTPUTS, TASKS = 113, 1480, 29

STATED = {
    "reference": {
        "token_embedding": 0.132,
        "position_embedding": 0.816,
        "query": 0.044,
        "key": 0.044,
        "value": 0.044,
        "output": 0.088,
        "mlp_in": 0.088,
        "mlp_out": 0.044,
        "unembedding": 0.0164,
    },
    # √(2 / fan-in) with fan-in 114, 3, 256 (d and H·K alike) and 1,024 neurons.
    "he": {
        "token_embedding": 0.132,
        "position_embedding": 0.816,
        "query": 0.088,
        "key": 0.088,
        "value": 0.088,
        "output": 0.088,
        "mlp_in": 0.088,
        "mlp_out": 0.044,
        "unembedding": 0.088,
    },
}


@pytest.fixture(scope="module", params=["reference", "he"])
def drawn(request):
    """The paper's model in its full size: the initialisation's name, weights by name."""
    config = ModelConfig(initialisation=request.param)
    draw = jax.jit(lambda key: initialise(key, config, BASE, OUTPUTS, TASKS))
    parameters = draw(jax.random.key(0))
    names = [name.split(".")[-1] for name in weight_names(parameters)]
    return request.param, dict(
        zip(names, map(np.asarray, jax.tree.leaves(parameters)), strict=True)
    )


@pytest.mark.parametrize("initialisation", STATED)
def test_standard_deviations_are_those_stated(initialisation):
    found = standard_deviations(ModelConfig(initialisation=initialisation), BASE, TASKS)
    assert found.keys() == STATED[initialisation].keys()
    for name, stated in STATED[initialisation].items():
        assert found[name] == pytest.approx(stated, abs=0.0005 if stated > 0.02 else 0.00005), name


def test_drawn_weights_have_the_stated_moments(drawn):
    initialisation, weights = drawn
    exact = standard_deviations(ModelConfig(initialisation=initialisation), BASE, TASKS)
    assert weights.keys() == STATED[initialisation].keys()
    for name, values in weights.items():
        assert values.dtype == np.float32
        # five standard errors of a normal sample's deviation and mean
        assert values.std() == pytest.approx(exact[name], rel=5 / (2 * values.size) ** 0.5), name
        assert abs(values.mean()) < 5 * exact[name] / values.size**0.5, name


def test_only_the_reference_is_truncated(drawn):
    initialisation, weights = drawn
    exact = standard_deviations(ModelConfig(initialisation=initialisation), BASE, TASKS)
    largest = {name: abs(values).max() / exact[name] for name, values in weights.items()}
    cut = 2 / 0.8796
    if initialisation == "reference":
        assert all(value < cut * 1.0001 for value in largest.values())
        assert largest["mlp_in"] > cut * 0.999
    else:
        assert all(value > cut * 1.1 for value in largest.values())


def test_every_weight_has_a_stream_of_its_own():
    config = ModelConfig(width=8, heads=2, depth=2)
    draw = jax.jit(lambda key: initialise(key, config, 5, 5, 2))
    first, again, other = (jax.tree.leaves(draw(jax.random.key(seed))) for seed in (0, 0, 1))
    for one, two, three in zip(first, again, other, strict=True):
        np.testing.assert_array_equal(one, two)
        assert not np.array_equal(one, three)
    units = [np.asarray(leaf).ravel() / np.asarray(leaf).std() for leaf in first]
    for index, one in enumerate(units):
        for two in units[index + 1 :]:
            shared = min(len(one), len(two))
            assert abs(np.corrcoef(one[:shared], two[:shared])[0, 1]) < 0.99


@pytest.mark.parametrize("initialisation", STATED)
def test_a_factor_scales_every_weight(initialisation):
    plain = ModelConfig(width=8, heads=2, depth=2, mlp_bias=True, initialisation=initialisation)

    def drawn(scale):
        config = dataclasses.replace(plain, init_scale=scale)
        return jax.tree.leaves(initialise(jax.random.key(0), config, 5, 7, 2))

    once = drawn(1.0)
    for one, four, odd in zip(once, drawn(4.0), drawn(0.3), strict=True):
        assert one.dtype == four.dtype == odd.dtype
        np.testing.assert_array_equal(4 * np.asarray(one), four)
        np.testing.assert_array_equal(np.asarray(one) * np.float32(0.3), odd)
    unset = initialise(jax.random.key(0), plain, 5, 7, 2)
    for one, other in zip(once, jax.tree.leaves(unset), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("scale", [0.0, -1.0, math.inf, math.nan])
def test_a_factor_that_is_none_is_refused(scale):
    with pytest.raises(ValueError, match=naming("init_scale 0")):
        ModelConfig(init_scale=scale)


@pytest.mark.parametrize("depth", [1, 3])
def test_counts_and_names(depth):
    config = ModelConfig(width=8, heads=2, depth=depth, mlp_ratio=3)
    parameters = jax.eval_shape(lambda: initialise(jax.random.key(0), config, 5, 10, 3))
    assert jax.tree.map(lambda leaf: leaf.shape, parameters) == parameter_shapes(config, 5, 10)
    # tokens, positions, per block q k v o and the MLP, unembedding
    by_hand = 6 * 8 + 3 * 8 + depth * (4 * 8 * 8 + 2 * 8 * 24) + 8 * 10
    leaves = jax.tree.leaves(parameters)
    assert sum(leaf.size for leaf in leaves) == by_hand
    names = weight_names(parameters)
    assert len(names) == len(leaves)
    assert tuple(names) == config.weight_names
    biased = dataclasses.replace(config, mlp_bias=True)
    with_biases = jax.eval_shape(lambda: initialise(jax.random.key(0), biased, 5, 10, 3))
    assert tuple(weight_names(with_biases)) == biased.weight_names
    assert names == [
        "token_embedding",
        "position_embedding",
        *(
            f"blocks.{index}.{name}"
            for index in range(depth)
            for name in ("query", "key", "value", "output", "mlp_in", "mlp_out")
        ),
        "unembedding",
    ]
    sizes = {"token_embedding": (6, 8), "unembedding": (8, 10), "blocks.0.output": (2, 4, 8)}
    for name, shape in sizes.items():
        assert leaves[names.index(name)].shape == shape
    assert parameters.base == 5


def test_the_paper_has_its_number_of_weights():
    # 114·256 + 3·256 + 4·256² + 2·256·1024 + 256·1480
    shapes = jax.tree.leaves(parameter_shapes(ModelConfig(), BASE, OUTPUTS), is_leaf=is_shape)
    assert sum(map(math.prod, shapes)) == 1_195_264


def test_lookup_and_its_gradient_equal_indexing(x64):
    table = jax.random.normal(jax.random.key(0), (5, 4), jnp.float64)
    weights = jax.random.normal(jax.random.key(1), (9, 4), jnp.float64)
    rows = jnp.asarray([4, 0, 0, 2, 4, 4, 0, 2, 0])  # 1 and 3 never, others several times

    def through(read):
        return jax.jit(jax.value_and_grad(lambda t: (jnp.sin(read(t)) * weights).sum()))

    np.testing.assert_array_equal(jax.jit(lookup)(table, rows), np.asarray(table)[rows])
    value, gradient = through(lambda t: lookup(t, rows))(table)
    expected_value, expected = through(lambda t: t[rows])(table)
    np.testing.assert_allclose(value, expected_value, rtol=1e-14)
    np.testing.assert_allclose(gradient, expected, rtol=1e-13, atol=1e-15)
    assert gradient.dtype == jnp.float64
    np.testing.assert_array_equal(gradient[jnp.asarray([1, 3])], 0)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"width": 0}, "width 0 1"),
        ({"heads": 0}, "heads 0 1"),
        ({"depth": 0}, "depth 0 1"),
        ({"mlp_ratio": -1}, "mlp_ratio -1 1"),
        ({"heads": 3}, "heads 3 width 256"),
        ({"width": 8, "heads": 16}, "heads 16 width 8"),
        ({"initialisation": "refrence"}, "initialisation 'refrence' 'reference' he"),
        ({"initialisation": "zzz"}, "initialisation 'zzz' he reference"),
    ],
)
def test_refusals(fields, message):
    with pytest.raises(ValueError, match=naming(message)):
        ModelConfig(**fields)


def test_derived_sizes():
    config = ModelConfig(width=24, heads=3, mlp_ratio=2)
    assert (config.head_width, config.neurons) == (8, 48)
    assert dataclasses.replace(config, heads=24).head_width == 1
