"""The weights of the transformer, by name."""

from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import NDArray

from miiii.model.config import PAPER, Architecture, ModelConfig

POSITIONS = 3
"""x0, x1 and the answer token."""

BIASES = ("mlp_in_bias", "mlp_out_bias")
"""The weights of a block that only a model with MLP biases has."""


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
    mlp_in_bias: Float[Array, "F"] | None = None
    """b_in: added to the neurons before the activation; None in a model without biases."""
    mlp_out_bias: Float[Array, "D"] | None = None
    """b_out: added to what the MLP gives; None in a model without biases."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Parameters:
    """All weights, and how they are computed with.

    Tokens 0 … p − 1 are digits. Where x1's tokens are separate they are p … 2p − 1. The last token
    says "answer here"; a model without it has one token and one position less.
    """

    token_embedding: Float[Array, "tokens D"]
    """W_E,tok of paper Eq. 5: [p + 1, D] in the paper's model."""
    position_embedding: Float[Array, "T D"]
    """W_E,pos of paper Eq. 5: 3 rows, or 2 without an answer token."""
    blocks: tuple[Block, ...]
    unembedding: Float[Array, "D V"]
    """W_U (W_out of paper Eq. 8): every task's classes side by side."""
    architecture: Architecture = field(default=PAPER, metadata={"static": True})
    """What shapes do not tell; no weight, and in no file of weights."""

    @property
    def positions(self) -> int:
        """T."""
        return self.position_embedding.shape[-2]

    @property
    def has_answer_token(self) -> bool:
        """Whether the logits are read at a token that says so, or at the last digit's position."""
        return self.positions == POSITIONS

    @property
    def base(self) -> int:
        """P."""
        digits = self.token_embedding.shape[-2] - self.has_answer_token
        return digits // 2 if self.architecture.digit_tokens == "separate" else digits


def parameter_shapes(config: ModelConfig, base: int, outputs: int) -> Parameters:
    """The shape of every weight, as a `Parameters` of tuples.

    Args:
        config: the transformer's size.
        base: p.
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
        mlp_in_bias=(neurons,) if config.mlp_bias else None,  # pyright: ignore[reportArgumentType]
        mlp_out_bias=(width,) if config.mlp_bias else None,  # pyright: ignore[reportArgumentType]
    )
    return Parameters(
        token_embedding=(config.tokens(base), width),  # pyright: ignore[reportArgumentType]
        position_embedding=(config.positions, width),  # pyright: ignore[reportArgumentType]
        blocks=(block,) * config.depth,
        unembedding=(width, outputs),  # pyright: ignore[reportArgumentType]
        architecture=config.architecture,
    )


def is_shape(node: object) -> bool:
    """Whether a node of `parameter_shapes` is a leaf: a tuple of sizes."""
    return isinstance(node, tuple) and all(isinstance(size, int) for size in node)


def weight_names(parameters: Parameters) -> list[str]:
    """A name per weight, in pytree order: token_embedding, …, blocks.0.query, …, unembedding."""
    paths = jax.tree_util.tree_flatten_with_path(parameters)[0]
    return [jax.tree_util.keystr(path, simple=True, separator=".") for path, _ in paths]


def weights_by_name(parameters: Parameters) -> dict[str, NDArray[Any]]:
    """Every weight as a NumPy array, by the names of `weight_names`."""
    leaves = jax.tree.leaves(parameters)
    return dict(zip(weight_names(parameters), map(np.asarray, leaves), strict=True))


def in_float64(parameters: Parameters) -> Parameters:
    """The same weights as NumPy arrays in float64, whatever they were trained in."""
    return jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), parameters)
