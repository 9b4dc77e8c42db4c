"""Dropout as explicit masks, so that a forward pass is a pure function of its arguments."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class BlockMasks:
    """Factors on one block's two residual sums: 0 where dropped, 1 / (1 − rate) elsewhere.

    B is 1 where all samples share a mask; Q as in `BlockActivations`.
    """

    attention: Float[Array, "B Q D"]
    mlp: Float[Array, "B Q D"]


def dropout_masks(
    key: Key[Array, ""],
    rate: Float[Array, ""] | float,
    *,
    samples: int,
    depth: int,
    positions: int,
    width: int,
    dtype: jnp.dtype | type = jnp.float32,
) -> tuple[BlockMasks, ...]:
    """Draw masks for every block.

    Each mask element takes 16 random bits, so the rate is met to within 2⁻¹⁷. The factor is made
    from that rounded rate, so that the expected factor is 1.

    Args:
        key: randomness.
        rate: share of elements to drop, 0 ≤ rate < 1; may be traced.
        samples: B; 1: one mask for all samples.
        depth: blocks; the last one has only the answer position.
        positions: T.
        width: D.
        dtype: of the masks.
    """
    threshold = jnp.round(jnp.asarray(rate, jnp.float32) * 65536).astype(jnp.uint32)
    keep = (1 / (1 - threshold.astype(dtype) / 65536)).astype(dtype)
    masks = []
    for block in range(depth):
        computed = 1 if block == depth - 1 else positions
        # One 32-bit word serves both masks: its halves are independent. The type is named because
        # JAX draws 64-bit words by default where 64-bit types are on.
        shape = (samples, computed, width)
        bits = jax.random.bits(jax.random.fold_in(key, block), shape, jnp.uint32)
        low, high = bits & 0xFFFF, bits >> 16
        masks.append(
            BlockMasks(
                attention=jnp.where(low >= threshold, keep, 0),
                mlp=jnp.where(high >= threshold, keep, 0),
            )
        )
    return tuple(masks)
