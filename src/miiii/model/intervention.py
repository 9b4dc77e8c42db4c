"""Running the transformer with some activations changed.

An intervention has a place (an activation's name and block) and a function of the value there. The
forward pass goes on from the changed value. Interventions at one place are applied in the order
given.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float, Int
from numpy.typing import ArrayLike

from miiii.model.activations import NAMES, Activations
from miiii.model.parameters import Parameters
from miiii.model.transformer import forward
from miiii.refusals import check_choice

EDITABLE = (
    "digit_embeddings",
    "answer_embedding",
    "attention_scores",
    "attention_weights",
    "attention_mixed",
    *NAMES[1:],
)
"""The activations that can be changed, in the order in which they are computed.

Shapes are those of `BlockActivations`, with the axis of computed positions (one of them in the last
block): [B, Q, F] for neurons and so on, logits [B, V]. Before the first block there are two more:
`digit_embeddings` [2, p, D], token plus position of every digit value at x0 and at x1, and
`answer_embedding` [D]. The input of a later block is the `residual_out` of the one before it.
"""

_ONCE = {"digit_embeddings": 0, "answer_embedding": 0, "logits": -1}
"""Activations that exist once, and the block in which each is edited."""


@dataclass(frozen=True)
class Intervention:
    """One activation and the function that changes it.

    Raises:
        ValueError: there is no activation of that name to change.
    """

    activation: str
    """One of `EDITABLE`."""
    change: Callable[[Array], ArrayLike]
    """From the activation's value to a new one of the same shape. It may use NumPy; the result is
    rounded to the model's precision."""
    block: int = -1
    """Which block, from 0; negative: from the last. Ignored for activations that exist once."""

    def __post_init__(self) -> None:
        check_choice("activation", self.activation, EDITABLE)


def intervene(
    parameters: Parameters, digits: Int[Array, "B 2"] | Any, *interventions: Intervention
) -> tuple[Float[Array, "B V"], Activations]:
    """Run the transformer without dropout, with some activations changed.

    Args:
        parameters: the weights.
        digits: the columns x0 and x1.
        interventions: without any, the result equals that of `forward` bit for bit.

    Returns:
        Logits and the named activations, changed ones included.

    Raises:
        ValueError: a block does not exist, or a change does not keep its activation's shape.
    """
    depth = len(parameters.blocks)
    changes: dict[tuple[str, int], list[Callable[[Array], ArrayLike]]] = {}
    for intervention in interventions:
        block = _ONCE.get(intervention.activation, intervention.block)
        if not -depth <= block < depth:
            raise ValueError(
                f"block is {block}: the model has {depth}, expected {-depth} to {depth - 1}"
            )
        changes.setdefault((intervention.activation, block % depth), []).append(intervention.change)

    def edit(name: str, block: int, value: Array) -> Array:
        for change in changes.get((name, block), []):
            changed = jnp.asarray(change(value), value.dtype)
            if changed.shape != value.shape:
                raise ValueError(
                    f"the change of {name} gives shape {changed.shape}: expected {value.shape}"
                )
            value = changed
        return value

    return forward(parameters, digits, edit=edit if changes else None)
