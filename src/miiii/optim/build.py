"""From settings to one optax transformation."""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float
from optax.contrib import MuonDimensionNumbers, muon

from miiii.optim.chosen_frequencies import (
    grokfast_on_rows,
    leaf_name,
    random_directions,
    task_directions,
)
from miiii.optim.config import OptimConfig
from miiii.optim.grokfast import grokfast_ema, grokfast_ma
from miiii.optim.orthogonal import orthogonal_gradient
from miiii.optim.own import is_own, own_optimiser

Scalar = float | Float[Array, ""]


def build_optimiser(
    config: OptimConfig,
    *,
    learning_rate: Scalar | None = None,
    weight_decay: Scalar | None = None,
    filter_strength: Scalar | None = None,
) -> optax.GradientTransformation:
    """Gradient filter, then ⊥Grad where configured, then AdamW, Muon or a registered optimiser.

    ⊥Grad is the last before the optimiser: a filter's average of gradients, each orthogonal to the
    weights of its time, would not be orthogonal to the present ones.

    The three numbers default to the configuration's. They may be traced, so that runs that differ
    only in them can train as one batch.

    Args:
        config: all other settings.
        learning_rate: step size at this epoch.
        weight_decay: decoupled weight decay.
        filter_strength: λ.

    Raises:
        ValueError: an optimiser `own-…` that is not registered in this process.
    """
    learning_rate = config.learning_rate if learning_rate is None else learning_rate
    weight_decay = config.weight_decay if weight_decay is None else weight_decay
    strength = config.filter_strength if filter_strength is None else filter_strength
    match config.filter:
        case "ema":
            parts = [grokfast_ema(config.filter_decay, strength, config.filter_start)]
        case "ma":
            parts = [grokfast_ma(config.filter_window, strength)]
        case "none":
            parts = [optax.identity()]
        case "ema_on_tasks" | "ema_on_random":
            directions = task_directions if config.filter == "ema_on_tasks" else random_directions
            on_rows = grokfast_on_rows(
                "token_embedding",
                lambda tokens: directions(tokens - 1, config.filter_tasks),
                config.filter_decay,
                strength,
                config.filter_start,
            )
            parts = [on_rows]
    if config.orthogonal_gradient:
        parts.append(orthogonal_gradient())
    if is_own(config.optimiser):
        optimiser = own_optimiser(config.optimiser)(learning_rate, weight_decay)
    elif config.optimiser == "adamw":
        optimiser = optax.adamw(
            learning_rate,
            b1=config.beta1,
            b2=config.beta2,
            eps=config.epsilon,
            weight_decay=weight_decay,  # pyright: ignore[reportArgumentType]
        )
    else:
        assert config.optimiser == "muon"
        optimiser = muon(
            learning_rate,
            weight_decay=weight_decay,
            adam_b1=config.beta1,
            adam_b2=config.beta2,
            adam_weight_decay=weight_decay,
            eps=config.epsilon,
            consistent_rms=0.2,  # of the learning rate per entry (Liu et al. 2025)
            muon_weight_dimension_numbers=_inside_blocks,
        )
    return optax.chain(*parts, optimiser)


def _inside_blocks(weights: Any) -> Any:
    """The axes along which Muon orthogonalises each matrix inside a block, each head's by itself.

    None for the other weights, embeddings and biases, which AdamW updates.
    """

    def axes(path: Any, leaf: Any) -> MuonDimensionNumbers | None:
        matrix = leaf_name(path).startswith("blocks.") and jnp.ndim(leaf) > 1
        return MuonDimensionNumbers(-2, -1) if matrix else None

    return jax.tree_util.tree_map_with_path(axes, weights)
