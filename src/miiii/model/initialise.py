"""Initial weights: both readings of "initialised following He et al. (2015)" (paper §3.3)."""

import dataclasses
import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Key

from miiii.model.config import ModelConfig
from miiii.model.parameters import Block, Parameters, parameter_shapes

# The standard deviation of a unit normal cut at ±2, so that the cut one has the one stated.
_TRUNCATED_STANDARD_DEVIATION = 0.87962566103423978


def standard_deviations(
    config: ModelConfig, base: int, outputs: int, tasks: int
) -> dict[str, float]:
    """The standard deviation of every kind of weight: √(2 / fan-in).

    he: fan-in is the width that the matrix is summed over (p + 1 tokens, 3 positions, d, H·K, F).
    reference: fan-in is the second-last axis times all leading axes, of arrays laid out as
    [H, D, K], [H, K, D] and, for the unembedding, one matrix per task [N, D, q].

    Args:
        config: the transformer's size and the initialisation's name.
        base: p.
        outputs: V (does not enter either rule; kept so that a rule may use it).
        tasks: N.
    """
    fan_in = {
        "token_embedding": base + 1,
        "position_embedding": 3,
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
    """Draw the initial weights.

    Args:
        key: randomness; each weight takes its own stream.
        config: the transformer's size and initialisation.
        base: p.
        outputs: V, all tasks' classes.
        tasks: N.
        dtype: float32 or float64.
    """
    deviations = standard_deviations(config, base, outputs, tasks)
    shapes = parameter_shapes(config, base, outputs)

    def draw(stream: int, name: str, shape: tuple[int, ...]) -> Array:
        weight_key = jax.random.fold_in(key, stream)
        if config.initialisation == "reference":
            unit = jax.random.truncated_normal(weight_key, -2.0, 2.0, shape, dtype)
            unit = unit / _TRUNCATED_STANDARD_DEVIATION
        else:
            unit = jax.random.normal(weight_key, shape, dtype)
        return (unit * deviations[name]).astype(dtype)

    blocks = []
    names = [field.name for field in dataclasses.fields(Block)]
    for index, block in enumerate(shapes.blocks):
        blocks.append(
            Block(
                **{
                    name: draw(3 + index * len(names) + offset, name, getattr(block, name))
                    for offset, name in enumerate(names)
                }
            )
        )
    return Parameters(
        token_embedding=draw(0, "token_embedding", shapes.token_embedding),  # pyright: ignore[reportArgumentType]
        position_embedding=draw(1, "position_embedding", shapes.position_embedding),  # pyright: ignore[reportArgumentType]
        blocks=tuple(blocks),
        unembedding=draw(2, "unembedding", shapes.unembedding),  # pyright: ignore[reportArgumentType]
    )
