#!/usr/bin/env bash
# Guess: JAX arrays do not change. from_dlpack between JAX and PyTorch copies, or gives a tensor that
#   cannot be written, as NumPy's from_dlpack does; with copy=True it copies in any case.
# What happens on a CPU: both share the memory. An in-place operation of PyTorch changes the JAX array,
#   also one made with jax.numpy.from_dlpack(tensor, copy=True), where copy=True has no effect. torch's
#   from_dlpack(array, copy=True) copies, and so do jnp.array, jnp.asarray and .copy().
# Whom it hurts: whoever takes snapshots of a PyTorch model's weights for analysis in JAX: after more
#   training all of them are the last one.
source "$(dirname "$0")/common.bash"
packages torch==2.13.0 "jax==${JAX_VERSION:-0.10.2}" numpy==2.4.6

python - <<'PYTHON'
import jax
import jax.numpy as jnp
import numpy as np
import torch

for size in (16, 100_000):
    array = jnp.ones(size)
    torch.from_dlpack(array).add_(1)
    print(f"{size} ones in JAX, torch.from_dlpack(array).add_(1): the array is", float(array[0]))
    assert float(array[0]) == 2
    assert not np.from_dlpack(array).flags.writeable

    for name, taken, expected in (
        ("jnp.from_dlpack(tensor)", jnp.from_dlpack, 2),
        ("jnp.from_dlpack(tensor, copy=True)", lambda tensor: jnp.from_dlpack(tensor, copy=True), 2),
        ("jax.dlpack.from_dlpack(tensor, copy=True)", lambda tensor: jax.dlpack.from_dlpack(tensor, copy=True), 2),
        ("jnp.from_dlpack(tensor).copy()", lambda tensor: jnp.from_dlpack(tensor).copy(), 1),
        ("jnp.array(tensor)", jnp.array, 1),
        ("jnp.asarray(tensor)", jnp.asarray, 1),
    ):
        tensor = torch.ones(size)
        array = taken(tensor).block_until_ready()
        tensor.add_(1)
        print(f"{size} ones in PyTorch, {name}, then tensor.add_(1): the array is", float(array[0]))
        assert float(array[0]) == expected

    array = jnp.ones(size)
    torch.from_dlpack(array, copy=True).add_(1)
    assert float(array[0]) == 1

weight = torch.nn.Parameter(torch.zeros(2))
optimiser = torch.optim.SGD([weight], lr=1.0)
snapshots = []
for _ in range(3):
    weight.grad = torch.ones(2)
    optimiser.step()
    snapshots.append(jnp.from_dlpack(weight.detach(), copy=True))
print("the weight after each of three steps of SGD:", [float(one[0]) for one in snapshots])
assert [float(one[0]) for one in snapshots] == [-3, -3, -3]
PYTHON
