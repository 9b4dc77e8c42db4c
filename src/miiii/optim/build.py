"""From settings to one optax transformation."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float
from optax.contrib import MuonDimensionNumbers, muon

from miiii.optim.chosen_frequencies import (
    Directions,
    grokfast_on_rows,
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

    ⊥Grad comes last before the optimiser, so that nothing along the weights reaches it: an average
    of gradients that were each orthogonal to earlier weights is not orthogonal to these.

    The three numbers default to the configuration's; they may be traced, so that runs which differ
    only in them can train as one batch.

    Args:
        config: everything that shapes the state.
        learning_rate: step size at this epoch.
        weight_decay: decoupled weight decay.
        filter_strength: λ.

    Raises:
        ValueError: an optimiser `own-…` that is not registered in this process.
    """
    learning_rate = config.learning_rate if learning_rate is None else learning_rate
    weight_decay = config.weight_decay if weight_decay is None else weight_decay
    strength = config.filter_strength if filter_strength is None else filter_strength

    def on_rows(
        directions: Callable[[int, Sequence[int]], Directions],
    ) -> optax.GradientTransformation:
        return grokfast_on_rows(
            "token_embedding",
            lambda tokens: directions(tokens - 1, config.filter_tasks),
            config.filter_decay,
            strength,
            config.filter_start,
        )

    filters = {
        "ema": lambda: grokfast_ema(config.filter_decay, strength, config.filter_start),
        "ma": lambda: grokfast_ma(config.filter_window, strength),
        "none": optax.identity,
        "ema_on_tasks": lambda: on_rows(task_directions),
        "ema_on_random": lambda: on_rows(random_directions),
    }
    optimisers = {
        "adamw": lambda: optax.adamw(
            learning_rate,
            b1=config.beta1,
            b2=config.beta2,
            eps=config.epsilon,
            weight_decay=weight_decay,  # pyright: ignore[reportArgumentType]
        ),
        "muon": lambda: muon(
            learning_rate,
            weight_decay=weight_decay,
            adam_b1=config.beta1,
            adam_b2=config.beta2,
            adam_weight_decay=weight_decay,
            eps=config.epsilon,
            consistent_rms=0.2,
            muon_weight_dimension_numbers=_inside_blocks,
        ),
    }
    parts = [filters[config.filter]()]
    if config.orthogonal_gradient:
        parts.append(orthogonal_gradient())
    if is_own(config.optimiser):
        own = own_optimiser(config.optimiser)(learning_rate, weight_decay)
        return optax.chain(*parts, own)
    return optax.chain(*parts, optimisers[config.optimiser]())


def _inside_blocks(weights: Any) -> Any:
    """Which weights Muon orthogonalises, and along which axes: each head's matrix by itself.

    Biases are no matrices and go to Adam, as the embeddings do.
    """

    def numbers(path: Any, leaf: Any) -> MuonDimensionNumbers | None:
        name = jax.tree_util.keystr(path, simple=True, separator=".")
        matrix = name.startswith("blocks.") and jnp.ndim(leaf) > 1
        return MuonDimensionNumbers(-2, -1) if matrix else None

    return jax.tree_util.tree_map_with_path(numbers, weights)
