"""⊥Grad: the gradient without its part along the weights (Prieto et al. 2025).

Once the training numbers are fitted, the loss still falls when the weights only grow. ⊥Grad removes
that direction from every tensor's gradient and keeps the gradient's length:

    >>> import optax
    >>> optimiser = optax.chain(orthogonal_gradient(), optax.adamw(1e-3))
"""

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float


def orthogonal_gradient() -> optax.GradientTransformation:
    """Tensor by tensor g⊥ = g − (w·g)/(w·w) w, rescaled to ‖g‖.

    A tensor of zeros has no direction: its gradient passes unchanged. A gradient along its weights
    becomes 0: only rounding errors are left of it, and they are not rescaled.

    Raises:
        ValueError: an update comes without the parameters.
    """

    def update(
        gradients: optax.Updates,
        state: optax.EmptyState,
        parameters: optax.Params | None = None,
    ) -> tuple[optax.Updates, optax.EmptyState]:
        if parameters is None:
            raise ValueError("parameters is None: the orthogonal gradient needs the weights")
        return jax.tree.map(orthogonal_to, gradients, parameters), state

    return optax.GradientTransformation(lambda _: optax.EmptyState(), update)  # pyright: ignore[reportArgumentType]


def orthogonal_to(gradient: Float[Array, "..."], weights: Float[Array, "..."]) -> Array:
    """One tensor's gradient without its part along the weights, rescaled to its length."""
    tiny = jnp.finfo(gradient.dtype).tiny
    along = (weights * gradient).sum() / jnp.maximum((weights**2).sum(), tiny)
    left = gradient - along * weights
    length, left_length = _norm(gradient), _norm(left)
    rounding = 16 * jnp.finfo(gradient.dtype).eps * length
    scale = jnp.where(left_length > rounding, length / jnp.maximum(left_length, tiny), 0)
    return left * scale


def _norm(array: Array) -> Float[Array, ""]:
    return jnp.sqrt((array**2).sum())
