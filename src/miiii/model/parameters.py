"""The weights of the transformer, by name."""

import math
from dataclasses import dataclass

import jax
from jaxtyping import Array, Float

from miiii.model.config import ModelConfig

POSITIONS = 3
"""x0, x1 and the answer token."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Block:
    """One transformer block. Heads are added: `output` maps each head back to the width."""

    query: Float[Array, "H D K"]
    """W_q."""
    key: Float[Array, "H D K"]
    """W_k."""
    value: Float[Array, "H D K"]
    """W_v."""
    output: Float[Array, "H K D"]
    """W_o."""
    mlp_in: Float[Array, "D F"]
    """W_in of paper Eq. 7."""
    mlp_out: Float[Array, "F D"]
    """W_out of paper Eq. 7."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Parameters:
    """All weights. Tokens 0 … p − 1 are digits; token p says "answer here"."""

    token_embedding: Float[Array, "p+1 D"]
    """W_E,tok of paper Eq. 5."""
    position_embedding: Float[Array, "3 D"]
    """W_E,pos of paper Eq. 5."""
    blocks: tuple[Block, ...]
    unembedding: Float[Array, "D V"]
    """W_U (W_out of paper Eq. 8): every task's classes side by side."""

    @property
    def base(self) -> int:
        """P."""
        return self.token_embedding.shape[-2] - 1


def parameter_shapes(config: ModelConfig, base: int, outputs: int) -> Parameters:
    """The shape of every weight, as a `Parameters` of tuples.

    Args:
        config: the transformer's size.
        base: p; there are p + 1 tokens.
        outputs: V, the number of logits.
    """
    width, heads, head_width, neurons = (
        config.width,
        config.heads,
        config.head_width,
        config.neurons,
    )
    block = Block(
        query=(heads, width, head_width),  # pyright: ignore[reportArgumentType]
        key=(heads, width, head_width),  # pyright: ignore[reportArgumentType]
        value=(heads, width, head_width),  # pyright: ignore[reportArgumentType]
        output=(heads, head_width, width),  # pyright: ignore[reportArgumentType]
        mlp_in=(width, neurons),  # pyright: ignore[reportArgumentType]
        mlp_out=(neurons, width),  # pyright: ignore[reportArgumentType]
    )
    return Parameters(
        token_embedding=(base + 1, width),  # pyright: ignore[reportArgumentType]
        position_embedding=(POSITIONS, width),  # pyright: ignore[reportArgumentType]
        blocks=(block,) * config.depth,
        unembedding=(width, outputs),  # pyright: ignore[reportArgumentType]
    )


def is_shape(node: object) -> bool:
    """Whether a node of `parameter_shapes` is a leaf: a tuple of sizes."""
    return isinstance(node, tuple) and all(isinstance(size, int) for size in node)


def count_parameters(config: ModelConfig, base: int, outputs: int) -> int:
    """How many numbers the model learns."""
    shapes = jax.tree.leaves(parameter_shapes(config, base, outputs), is_leaf=is_shape)
    return sum(math.prod(shape) for shape in shapes)


def weight_names(parameters: Parameters) -> list[str]:
    """A name per weight, in pytree order: token_embedding, …, blocks.0.query, …, unembedding."""
    paths = jax.tree_util.tree_flatten_with_path(parameters)[0]
    return [jax.tree_util.keystr(path, simple=True, separator=".") for path, _ in paths]
