"""An average of the weights, kept beside those that an update changes.

Where noise of the gradients, or a high learning rate, makes the weights circle round a place, their
average lies nearer to it (Polyak and Juditsky 1992, "Acceleration of stochastic approximation by
averaging"; of the exponential kind, Tarvainen and Valpola 2017, "Mean teachers are better role
models", Eq. 3). After update t, with the decay d,

    average_t = Σ_{i = 1 … t} (1 − d) d^(t − i) weights_i / (1 − d^t)

whose coefficients add up to 1: the division corrects the bias that a plain recursion has at its
start, as Adam's does (Kingma and Ba 2015, §3). So the initial weights have no part in it, and after
the first update the average is the weights.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from miiii.model.parameters import Parameters


def move_average(
    average: Parameters, weights: Parameters, decay: float, update: Int[Array, ""]
) -> Parameters:
    """The average after an update.

    Args:
        average: before it; before the first update it counts for nothing.
        weights: after the update.
        decay: d, 0 < d < 1.
        update: t, the update's number, from 1.

    Returns:
        (1 − s) · average + s · weights with s = (1 − d) / (1 − d^t), which is the sum above.
    """

    def move(before: Array, now: Array) -> Array:
        newest = share(decay, update, before.dtype)
        return (1 - newest) * before + newest * now

    return jax.tree.map(move, average, weights)


def share(decay: float, update: Int[Array, ""], dtype: jnp.dtype) -> Float[Array, ""]:
    """What the newest weights have of the average: (1 − d) / (1 − d^t); 1 at the first update."""
    updates = jnp.asarray(update).astype(dtype)
    # By expm1, because d^t is near 1 for a slow average at its start.
    kept = -jnp.expm1(updates * jnp.log(jnp.asarray(decay, dtype)))
    return jnp.where(updates == 1, 1, (1 - jnp.asarray(decay, dtype)) / kept)
