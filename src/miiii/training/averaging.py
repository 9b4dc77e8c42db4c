"""An exponential moving average of the weights, kept beside the trained weights.

With noisy gradients or a high learning rate the weights move around a point, and their average lies
nearer to it (Polyak and Juditsky 1992, "Acceleration of stochastic approximation by averaging";
exponential: Tarvainen and Valpola 2017, "Mean teachers are better role models", Eq. 3). After
update t, with the decay d,

    average_t = Σ_{i = 1 … t} (1 − d) d^(t − i) weights_i / (1 − d^t)

The coefficients add up to 1: the division corrects the bias of a plain recursion at its start, as
in Adam (Kingma and Ba 2015, §3). The initial weights have no part in the average, and after the
first update it equals the weights.
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
        average: before the update; ignored at the first update.
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
    """The coefficient of the newest weights: (1 − d) / (1 − d^t); 1 at the first update."""
    updates = jnp.asarray(update).astype(dtype)
    # 1 − d^t by expm1: with d near 1 and small t, subtracting d^t from 1 would lose digits.
    kept = -jnp.expm1(updates * jnp.log(jnp.asarray(decay, dtype)))
    # The quotient at t = 1 may be rounded; the average must be exactly the weights there.
    return jnp.where(updates == 1, 1, (1 - jnp.asarray(decay, dtype)) / kept)
