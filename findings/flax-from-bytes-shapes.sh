#!/usr/bin/env bash
# Guess: flax.serialization.from_bytes(target, data) refuses arrays of another shape or type than the
#   target's, since it refuses other names.
# What happens: it gives the file's arrays, whatever their shapes and types. The target serves for its
#   structure only.
# Whom it hurts: whoever loads published weights into a model of their own settings: width 64 becomes
#   128, float32 becomes float16, and broadcasting can hide it (a bias of shape [1] fits everywhere).
source "$(dirname "$0")/common.bash"
packages "jax==${JAX_VERSION:-0.10.2}" flax==0.12.8

python - <<'PYTHON'
import jax
import jax.numpy as jnp
import numpy as np
from flax import serialization

target = {"kernel": jnp.ones((4, 4)), "bias": jnp.zeros(4)}
stored = {"kernel": np.ones((8, 8), np.float16), "bias": np.ones(1, np.float32)}
data = serialization.to_bytes(stored)
loaded = serialization.from_bytes(target, data)
for name, array in target.items():
    print(f"{name}: target {array.shape} {array.dtype}, loaded {loaded[name].shape} {loaded[name].dtype}")
    assert loaded[name].shape == stored[name].shape and loaded[name].dtype == stored[name].dtype
print("bias added to 4 numbers:", (jnp.zeros(4) + loaded["bias"]).tolist())

try:
    serialization.from_bytes(target, serialization.to_bytes({"kernel": stored["kernel"], "b": 0}))
    raise SystemExit("another name was taken")
except ValueError as error:
    print("another name:", str(error)[:60], "…")
PYTHON
