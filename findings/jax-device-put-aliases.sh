#!/usr/bin/env bash
# Guess: jax.device_put copies a NumPy array, at least with may_alias=False; jnp.asarray may share.
# What happens: on a CPU it is the other way round. jnp.asarray copies; device_put shares memory
#   where the array happens to lie at a multiple of 64 bytes, about one array in four, and so it does
#   with may_alias=False. Writing to the NumPy array then changes the JAX array.
# Whom it hurts: whoever fills one buffer with batch after batch, or writes the next epoch's numbers
#   into the array just handed over: right on a GPU, and on a CPU wrong in one run of four, with the
#   address as the only difference.
source "$(dirname "$0")/common.bash"
packages "jax==${JAX_VERSION:-0.10.2}" numpy==2.4.6

python - <<'PYTHON'
import jax
import jax.numpy as jnp
import numpy as np


def zeros(offset):
    """A thousand zeros that lie `offset` bytes after a multiple of 64."""
    room = np.zeros(4128, np.uint8)
    start = -room.ctypes.data % 64 + offset
    return room[start : start + 4000].view(np.float32)


ways = {
    "device_put": jax.device_put,
    "device_put, may_alias=False": lambda array: jax.device_put(array, may_alias=False),
    "jnp.asarray": jnp.asarray,
    "jnp.array": jnp.array,
}
for name, way in ways.items():
    shares = []
    for offset in (0, 4, 16, 32):
        source = zeros(offset)
        given = way(source).block_until_ready()
        source[:] = 1
        shares.append(given[0].item() == 1)
    print(f"{name}: follows the NumPy array at offsets 0, 4, 16, 32: {shares}")
    assert shares == [name.startswith("device_put"), False, False, False]

kept = [np.zeros((113, 113), np.float32) for _ in range(200)]
aligned = sum(array.ctypes.data % 64 == 0 for array in kept)
print("of 200 ordinary arrays at a multiple of 64:", aligned)
PYTHON
