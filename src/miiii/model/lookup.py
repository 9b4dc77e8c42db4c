"""Rows of a table, with a gradient that is fast on every device."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int


@jax.custom_vjp
def lookup(table: Float[Array, "p C"], rows: Int[Array, "B"]) -> Float[Array, "B C"]:
    """`table[rows]`, whose gradient is a product with a one-hot matrix.

    The ordinary gradient of a gather is a scatter: slow on the CPU, not repeatable bit for bit on a
    GPU, and wrong in bfloat16, where 256 + 1 rounds to 256. A matrix product adds up in float32 or
    wider. Its p · B · C products are cheap, since p is small and each digit occurs many times.
    """
    return table[rows]


def _forward(
    table: Float[Array, "p C"], rows: Int[Array, "B"]
) -> tuple[Float[Array, "B C"], tuple[Int[Array, "B"], int]]:
    return table[rows], (rows, table.shape[0])


def _backward(
    saved: tuple[Int[Array, "B"], int], gradient: Float[Array, "B C"]
) -> tuple[Float[Array, "p C"], None]:
    rows, size = saved
    one_hot = (jnp.arange(size)[:, None] == rows).astype(gradient.dtype)
    return one_hot @ gradient, None


lookup.defvjp(_forward, _backward)
