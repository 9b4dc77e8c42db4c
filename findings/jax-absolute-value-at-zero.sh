#!/usr/bin/env bash
# Guess: the derivative of |x| at 0 is 0, as in PyTorch and as sign(0) has it.
# What happens: jax.grad(jnp.abs)(0.0) is 1, and so is that of -0.0. The three ways to write a ReLU
#   give three derivatives at 0 between them: relu 0, maximum and clip 1/2.
# Whom it hurts: whoever puts an L1 penalty on weights that start or were set at zero (pruned
#   weights, a zero-initialised unembedding): all of them move the same way at step 1, with no
#   data, and plain gradient steps then carry them to and fro.
source "$(dirname "$0")/common.bash"
packages "jax==${JAX_VERSION:-0.10.2}" optax==0.2.8

python - <<'PYTHON'
import jax
import jax.numpy as jnp
import optax

spellings = {
    "abs": jnp.abs,
    "norm(ord=1)": lambda x: jnp.linalg.norm(x[None], ord=1),
    "x * sign(x)": lambda x: x * jnp.sign(x),
    "relu": jax.nn.relu,
    "maximum(x, 0)": lambda x: jnp.maximum(x, 0),
    "clip(x, 0)": lambda x: jnp.clip(x, 0),
}
slopes = {name: float(jax.grad(f)(0.0)) for name, f in spellings.items()}
print("derivative at 0:", slopes, "abs at -0.0:", float(jax.grad(jnp.abs)(-0.0)))
assert slopes == {
    "abs": 1.0,
    "norm(ord=1)": 1.0,
    "x * sign(x)": 0.0,
    "relu": 0.0,
    "maximum(x, 0)": 0.5,
    "clip(x, 0)": 0.5,
}
assert float(jax.grad(jnp.abs)(-0.0)) == 1.0

weights = jnp.zeros(4)
optimiser = optax.sgd(0.1)
state = optimiser.init(weights)
path = []
for _ in range(3):
    gradient = jax.grad(lambda w: jnp.abs(w).sum())(weights)
    updates, state = optimiser.update(gradient, state)
    weights = optax.apply_updates(weights, updates)
    path.append(weights[0].item())
print("a weight at 0 under its own L1 penalty, three steps of 0.1:", path)
assert path[0] < -0.09
assert abs(path[1]) < 1e-6
PYTHON
