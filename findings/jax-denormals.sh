#!/usr/bin/env bash
# Guess: on a CPU float32 goes down to 1.4e-45 in JAX as it does in NumPy.
# What happens: whatever lies below 1.18e-38 becomes 0, as an input and as a result, with jit and
#   without, and in float64 below 2.2e-308. float32(1e-40) + 0 is 0, and so is 1e-20 squared.
# Whom it hurts: whoever compares a JAX forward pass with NumPy's in the tails (the loss of a right
#   answer at a margin of 90 is 8e-40 there and 0 here), proves error bounds by u * |x| alone, or
#   lets an optimiser square gradients below 1e-19, where its second moment is then 0.
source "$(dirname "$0")/common.bash"
packages "jax==${JAX_VERSION:-0.10.2}" numpy==2.4.6

python - <<'PYTHON'
import jax
import jax.numpy as jnp
import numpy as np

small = np.float32(1e-40)
square = np.float32(1e-20)
cases = {
    "1e-40 + 0": (small + np.float32(0), jnp.asarray(small) + 0),
    "1e-20 squared": (square * square, jnp.asarray(square) * jnp.asarray(square)),
    "1e-20 squared, jit": (square * square, jax.jit(lambda x: x * x)(square)),
    "log1p(exp(-90))": (
        np.log1p(np.exp(np.float32(-90))),
        jnp.log1p(jnp.exp(jnp.float32(-90))),
    ),
    "sqrt(1e-42)": (np.sqrt(np.float32(1e-42)), jnp.sqrt(jnp.float32(1e-42))),
}
for name, (in_numpy, in_jax) in cases.items():
    print(f"{name:20} NumPy {in_numpy:.3g}  JAX {float(in_jax):.3g}")
    assert in_numpy > 0
    assert float(in_jax) == 0

with jax.enable_x64(True):
    wide = jnp.float64(1e-160)
    print("float64, 1e-160 squared:", float(wide * wide), "NumPy", np.float64(1e-160) ** 2)
    assert float(wide * wide) == 0 < np.float64(1e-160) ** 2
PYTHON
