"""The transformer's activations, by name."""

from collections.abc import Iterable
from dataclasses import dataclass

import jax
from jaxtyping import Array, Float

from miiii.refusals import unknown_name


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class BlockActivations:
    """The activations of one block at Q positions: all T, in the last block only the last.

    The last position is the answer token's, or x1's in a model without an answer token. The leading
    axis has size 1 for what is the same for every sample (the answer token's input).
    """

    residual_in: Float[Array, "B Q D"]
    """The residual stream that enters, at the computed positions."""
    attention_scores: Float[Array, "B H Q T"]
    """Before the softmax, scaled by 1/√K; −∞ where a position may not be seen."""
    attention_weights: Float[Array, "B H Q T"]
    """c · softmax + (1 − c) of the scores, 0 where a position may not be seen; c is the model's
    attention coefficient. At c = 1 rows sum to 1 (paper Eq. 6)."""
    attention_mixed: Float[Array, "B Q H K"]
    """Each head's weighted sum of values, before W_o."""
    attention_output: Float[Array, "B Q D"]
    """The sum of the heads."""
    residual_mid: Float[Array, "B Q D"]
    """After attention and its dropout."""
    mlp_pre: Float[Array, "B Q F"]
    """Neurons before the activation, bias included."""
    mlp_hidden: Float[Array, "B Q F"]
    """Neurons after the activation (ReLU in the paper's model)."""
    mlp_output: Float[Array, "B Q D"]
    """The MLP's contribution ("activations after W_out", paper §4.3), bias included."""
    residual_out: Float[Array, "B Q D"]
    """After the MLP and its dropout."""


NAMES = (
    "attention_weights",
    "attention_output",
    "residual_mid",
    "mlp_pre",
    "mlp_hidden",
    "mlp_output",
    "residual_out",
    "logits",
)
"""The properties of `Activations` (the last block at the last position), and the logits."""


def check_names(names: Iterable[str]) -> None:
    """Refuse a name that is none of `NAMES`.

    Raises:
        ValueError: it is none; the nearest is given.
    """
    for name in names:
        if name not in NAMES:
            raise ValueError(unknown_name("activation", name, NAMES))


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Activations:
    """Everything that the forward pass computes.

    The properties are those of the last block at the last position, which reach the output.
    """

    blocks: tuple[BlockActivations, ...]
    logits: Float[Array, "B V"]
    """Every task's classes side by side."""

    @property
    def attention_weights(self) -> Float[Array, "B H T"]:
        """Each head's weights from the last position on x0, x1 and the answer token."""
        return self.blocks[-1].attention_weights[:, :, -1]

    @property
    def attention_output(self) -> Float[Array, "B D"]:
        """The sum of the heads at the last position."""
        return self.blocks[-1].attention_output[:, -1]

    @property
    def residual_mid(self) -> Float[Array, "B D"]:
        """The residual stream between attention and MLP."""
        return self.blocks[-1].residual_mid[:, -1]

    @property
    def mlp_pre(self) -> Float[Array, "B F"]:
        """Neurons before the activation."""
        return self.blocks[-1].mlp_pre[:, -1]

    @property
    def mlp_hidden(self) -> Float[Array, "B F"]:
        """Neurons after the activation."""
        return self.blocks[-1].mlp_hidden[:, -1]

    @property
    def mlp_output(self) -> Float[Array, "B D"]:
        """The MLP's contribution to the residual stream."""
        return self.blocks[-1].mlp_output[:, -1]

    @property
    def residual_out(self) -> Float[Array, "B D"]:
        """The residual stream that the unembedding reads."""
        return self.blocks[-1].residual_out[:, -1]
