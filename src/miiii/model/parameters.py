"""The weights of the transformer, by name."""

from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import NDArray

from miiii.model.config import PAPER, Architecture, ModelConfig

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
    """b_out: added after W_out; None in a model without biases."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Parameters:
    """All weights, and the architecture that they belong to.

    Tokens 0 … p − 1 are digits. Where x1's tokens are separate they are p … 2p − 1. The last token
    marks the answer position; a model without it has one token and one position less.
    """

    token_embedding: Float[Array, "tokens D"]
    """W_E,tok of paper Eq. 5: [p + 1, D] in the paper's model."""
    position_embedding: Float[Array, "T D"]
    """W_E,pos of paper Eq. 5: 3 rows, or 2 without an answer token."""
    blocks: tuple[Block, ...]
    unembedding: Float[Array, "D V"]
    """W_U (W_out of paper Eq. 8): every task's classes side by side."""
    architecture: Architecture = field(default=PAPER, metadata={"static": True})
    """The settings that shapes do not show; files of weights do not hold them."""

    @property
    def positions(self) -> int:
        """T: 3, or 2 without an answer token."""
        return self.position_embedding.shape[-2]

    @property
    def has_answer_token(self) -> bool:
        """Whether the logits are read at an answer token, not at x1's position."""
        return self.positions == 3

    @property
    def base(self) -> int:
        """The base p of the digits."""
        digits = self.token_embedding.shape[-2] - self.has_answer_token
        return digits // 2 if self.architecture.digit_tokens == "separate" else digits


def parameter_shapes(config: ModelConfig, base: int, outputs: int) -> Parameters:
    """The shape of every weight, as a `Parameters` of tuples.

    Args:
        config: the transformer's size.
        base: p.
        outputs: V, the number of logits.
    """

    def shape(*sizes: int) -> Any:
        return sizes

    width, heads, neurons = config.width, config.heads, config.neurons
    block = Block(
        query=shape(heads, width, config.head_width),
        key=shape(heads, width, config.head_width),
        value=shape(heads, width, config.head_width),
        output=shape(heads, config.head_width, width),
        mlp_in=shape(width, neurons),
        mlp_out=shape(neurons, width),
        mlp_in_bias=shape(neurons) if config.mlp_bias else None,
        mlp_out_bias=shape(width) if config.mlp_bias else None,
    )
    return Parameters(
        token_embedding=shape(config.tokens(base), width),
        position_embedding=shape(config.positions, width),
        blocks=(block,) * config.depth,
        unembedding=shape(width, outputs),
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
