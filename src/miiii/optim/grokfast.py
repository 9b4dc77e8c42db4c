"""Grokfast: amplify the slow part of the gradient (Lee et al. 2024; paper Eq. 11).

Both filters change the gradient before an optimiser sees it, and chain with any:

    >>> import optax
    >>> optimiser = optax.chain(grokfast_ema(strength=2.0), optax.adamw(1e-3))
"""

from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from miiii.refusals import check_choice


class EmaFilterState(NamedTuple):
    """State of `grokfast_ema`."""

    count: Int[Array, ""]
    """Gradients seen."""
    average: optax.Updates
    """e, shaped as the parameters."""


def grokfast_ema(
    decay: float = 0.98,
    strength: float | Float[Array, ""] = 0.5,
    start: Literal["gradient", "zeros"] = "gradient",
) -> optax.GradientTransformation:
    """Add an exponential moving average of the gradients: e ← αe + (1 − α)g, g ← g + λe.

    Args:
        decay: α, per update.
        strength: λ; may be traced.
        start: e before the first update: gradient (the first one) or zeros.

    Raises:
        ValueError: start is neither.
    """
    check_choice("start", start, ("gradient", "zeros"))

    def init(parameters: optax.Params) -> EmaFilterState:
        return EmaFilterState(jnp.zeros([], jnp.int32), jax.tree.map(jnp.zeros_like, parameters))

    def update(
        gradients: optax.Updates, state: EmaFilterState, parameters: optax.Params | None = None
    ) -> tuple[optax.Updates, EmaFilterState]:
        del parameters

        def move(average: Array, gradient: Array) -> Array:
            moved = decay * average + (1 - decay) * gradient
            return jnp.where(state.count == 0, gradient, moved) if start == "gradient" else moved

        average = jax.tree.map(move, state.average, gradients)
        filtered = jax.tree.map(lambda g, e: g + strength * e, gradients, average)
        return filtered, EmaFilterState(state.count + 1, average)

    return optax.GradientTransformation(init, update)  # pyright: ignore[reportArgumentType]


class MaFilterState(NamedTuple):
    """State of `grokfast_ma`."""

    count: Int[Array, ""]
    """Gradients seen."""
    window: optax.Updates
    """The last w gradients, each leaf [w, …] as a ring."""


def grokfast_ma(
    window: int = 100, strength: float | Float[Array, ""] = 0.5
) -> optax.GradientTransformation:
    """Add the mean of the last w gradients, from the w-th on: g ← g + λ · mean.

    Args:
        window: w, in updates; each gradient of the window is kept in memory.
        strength: λ; may be traced.

    Raises:
        ValueError: the window is below 1.
    """
    if window < 1:
        raise ValueError(f"window is {window}: it must be at least 1")

    def init(parameters: optax.Params) -> MaFilterState:
        ring = jax.tree.map(lambda leaf: jnp.zeros((window, *leaf.shape), leaf.dtype), parameters)
        return MaFilterState(jnp.zeros([], jnp.int32), ring)

    def update(
        gradients: optax.Updates, state: MaFilterState, parameters: optax.Params | None = None
    ) -> tuple[optax.Updates, MaFilterState]:
        del parameters
        slot = state.count % window
        ring = jax.tree.map(lambda r, g: r.at[slot].set(g), state.window, gradients)
        full = state.count + 1 >= window
        filtered = jax.tree.map(
            lambda g, r: g + jnp.where(full, strength, 0).astype(g.dtype) * r.mean(axis=0),
            gradients,
            ring,
        )
        return filtered, MaFilterState(state.count + 1, ring)

    return optax.GradientTransformation(init, update)  # pyright: ignore[reportArgumentType]
