#!/usr/bin/env bash
# Guess: StandardCheckpointer.restore(path, target) refuses a target of another type, as it refuses
#   one of another shape, or gives the type that was saved.
# What happens: it converts to the target's type, without an exception: float32 weights to bfloat16,
#   70,000 to infinity in float16, 0.33 to 0 in int32, and an epoch of 300 to 44 in int8. Without a target
#   it gives float64 as float32 where jax_enable_x64 is off, and as float64 where it is on.
# Whom it hurts: whoever resumes with a model that another flag made in bfloat16: the weights lose 16
#   bits, and the run goes on.
source "$(dirname "$0")/common.bash"
packages "jax==${JAX_VERSION:-0.10.2}" orbax-checkpoint==0.12.8 numpy==2.4.6

python -W ignore - <<'PYTHON'
import logging
import pathlib
import tempfile

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp

logging.disable()
with tempfile.TemporaryDirectory() as folder:
    path = pathlib.Path(folder) / "state"
    checkpointer = ocp.StandardCheckpointer()
    saved = {"weights": jnp.array([1 / 3, 70_000.0]), "epoch": jnp.array(300)}
    checkpointer.save(path, saved)
    checkpointer.wait_until_finished()

    def restored(weights, epoch):
        target = {"weights": jnp.zeros(2, weights), "epoch": jnp.zeros((), epoch)}
        return checkpointer.restore(path, target)

    print("saved:", saved["weights"].tolist(), int(saved["epoch"]))
    for weights, epoch, expected in (
        (jnp.float32, jnp.int32, ([np.float32(1 / 3), 70_000], 300)),
        (jnp.bfloat16, jnp.int8, ([0.333984375, 70_144], 44)),
        (jnp.float16, jnp.int8, ([np.float16(1 / 3), np.inf], 44)),
        (jnp.int32, jnp.int32, ([0, 70_000], 300)),
    ):
        state = restored(weights, epoch)
        names = f"{state['weights'].dtype}, {state['epoch'].dtype}"
        print(f"target {names}:", state["weights"].tolist(), int(state["epoch"]))
        assert state["weights"].dtype == weights
        assert state["weights"].tolist() == expected[0]
        assert int(state["epoch"]) == expected[1]
    try:
        checkpointer.restore(path, {"weights": jnp.zeros(3), "epoch": jnp.array(0)})
        raise SystemExit("another shape was accepted")
    except ValueError:
        print("target of another shape: ValueError")

    jax.config.update("jax_enable_x64", True)
    path = pathlib.Path(folder) / "double"
    checkpointer.save(path, {"weights": jnp.array([1 / 3], jnp.float64)})
    checkpointer.wait_until_finished()
    for enabled in (True, False):
        jax.config.update("jax_enable_x64", enabled)
        got = checkpointer.restore(path)["weights"]
        print(f"saved in float64, no target, jax_enable_x64={enabled}:", got.dtype)
        assert got.dtype == (jnp.float64 if enabled else jnp.float32)
PYTHON
