"""Initial weights: both readings of "initialised following He et al. (2015)" (paper §3.3)."""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key

from miiii.model.config import ModelConfig
from miiii.model.parameters import BIASES, Parameters, is_shape, parameter_shapes

_TRUNCATED_STANDARD_DEVIATION = 0.87962566103423978
"""That of a unit normal truncated at ±2; truncated draws are divided by it."""


def standard_deviations(config: ModelConfig, base: int, tasks: int) -> dict[str, float]:
    """The standard deviation of every kind of weight: √(2 / fan-in). Biases start at zero.

    he: fan-in is the width that the matrix is summed over (tokens, positions, D, H·K, F).
    reference: fan-in is the second-last axis times all leading axes, of arrays laid out as
    [H, D, K], [H, K, D] and, for the unembedding, one matrix per task [N, D, q].

    Args:
        config: the transformer's size and the initialisation's name.
        base: p.
        tasks: N.
    """
    fan_in = {
        "token_embedding": config.tokens(base),
        "position_embedding": config.positions,
        "query": config.width,
        "key": config.width,
        "value": config.width,
        "output": config.width,
        "mlp_in": config.width,
        "mlp_out": config.neurons,
        "unembedding": config.width,
    }
    if config.initialisation == "reference":
        for name in ("query", "key", "value"):
            fan_in[name] = config.heads * config.width
        fan_in["unembedding"] = tasks * config.width
    return {name: math.sqrt(2 / value) for name, value in fan_in.items()}


def initialise(
    key: Key[Array, ""],
    config: ModelConfig,
    base: int,
    outputs: int,
    tasks: int,
    dtype: jnp.dtype | type = jnp.float32,
) -> Parameters:
    """Draw the initial weights. Biases are zero; the others are the same with and without them.

    `init_scale` multiplies all of them (Liu et al. 2023, Omnigrok: w₀ → α w₀).

    Args:
        key: randomness.
        config: the transformer's size and initialisation.
        base: p.
        outputs: V, all tasks' classes.
        tasks: N.
        dtype: float32 or float64.
    """
    shapes = parameter_shapes(config, base, outputs)
    leaves, structure = jax.tree_util.tree_flatten_with_path(shapes, is_leaf=is_shape)
    drawn = [shape for path, shape in leaves if path[-1].name not in BIASES]
    sizes = [math.prod(shape) for shape in drawn]
    # One draw for all weights, cut into pieces: random bits are slow to compile.
    if config.initialisation == "reference":
        unit = jax.random.truncated_normal(key, -2.0, 2.0, (sum(sizes),), dtype)
        unit = unit / _TRUNCATED_STANDARD_DEVIATION
    else:
        unit = jax.random.normal(key, (sum(sizes),), dtype)
    pieces = iter(jnp.split(unit, np.cumsum(sizes)[:-1]))
    deviations = standard_deviations(config, base, tasks)

    def weight(name: str, shape: tuple[int, ...]) -> Array:
        if name in BIASES:
            return jnp.zeros(shape, dtype)
        drawn = (next(pieces).reshape(shape) * deviations[name]).astype(dtype)
        # At 1 the compiled program has no factor, and gives the bits of earlier versions.
        return drawn if config.init_scale == 1 else drawn * config.init_scale

    weights = [weight(path[-1].name, shape) for path, shape in leaves]
    return jax.tree.unflatten(structure, weights)
