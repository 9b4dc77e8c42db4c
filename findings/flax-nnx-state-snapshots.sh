#!/usr/bin/env bash
# Guess: nnx.state(model) and nnx.split(model) give the weights as they are now: JAX arrays do not change,
#   so a list of states is a list of snapshots.
# What happens: the states hold the model's variables, not their values. After more training every state
#   of the list is the last one, also states that a jitted step returned. nnx.clone(model) and
#   nnx.to_pure_dict(nnx.state(model)) keep the values.
# Whom it hurts: whoever keeps weights over epochs in memory and measures them afterwards: all curves
#   are flat, at the value of the end.
source "$(dirname "$0")/common.bash"
packages "jax==${JAX_VERSION:-0.10.2}" flax==0.12.8 optax==0.2.8 numpy==2.4.6

python -W ignore - <<'PYTHON'
import optax
from flax import nnx

model = nnx.Linear(2, 2, rngs=nnx.Rngs(0))
optimiser = nnx.Optimizer(model, optax.sgd(1.0), wrt=nnx.Param)


def step(model, optimiser):
    """The biases' gradient is 1, so each step lowers them by 1."""
    gradients = nnx.grad(lambda model: model.bias[...].sum())(model)
    optimiser.update(model, gradients)
    return nnx.state(model)


kept = {name: [] for name in ("nnx.state", "nnx.split", "nnx.clone", "nnx.to_pure_dict")}
returned = []
compiled = nnx.jit(step)
for _ in range(3):
    returned.append(compiled(model, optimiser))
    kept["nnx.state"].append(nnx.state(model))
    kept["nnx.split"].append(nnx.split(model)[1])
    kept["nnx.clone"].append(nnx.state(nnx.clone(model)))
    kept["nnx.to_pure_dict"].append(nnx.to_pure_dict(nnx.state(model)))
kept["returned by nnx.jit"] = returned
for name, states in kept.items():
    values = [float(state["bias"][...][0]) for state in states]
    print(f"a bias after steps 1, 2 and 3, {name}: {values}")
    alias = name not in ("nnx.clone", "nnx.to_pure_dict")
    assert values == ([-3, -3, -3] if alias else [-1, -2, -3])
PYTHON
