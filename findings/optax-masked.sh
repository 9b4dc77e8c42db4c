#!/usr/bin/env bash
# Guess: optax.masked(optimiser, mask) trains the weights that the mask chooses, and the others stay.
# What happens: the optimiser leaves the others' gradients as they are, and apply_updates adds them:
#   those weights climb their loss with a learning rate of 1. On w², each step triples them. optax.freeze
#   and optax.selective_transform give what was wanted.
# Whom it hurts: whoever freezes the embedding, or trains the unembedding only. With small gradients
#   nothing breaks at once: the loss falls more slowly, and the frozen part is not frozen.
source "$(dirname "$0")/common.bash"
packages "jax==${JAX_VERSION:-0.10.2}" optax==0.2.8

python - <<'PYTHON'
import jax
import jax.numpy as jnp
import optax

start = {"embedding": jnp.array([1.0, -2.0]), "mlp": jnp.array([3.0])}
trained = {"embedding": False, "mlp": True}
frozen = {"embedding": True, "mlp": False}


def three_steps(optimiser):
    weights, state = start, optimiser.init(start)
    for _ in range(3):
        gradient = jax.grad(lambda w: sum((leaf**2).sum() for leaf in w.values()))(weights)
        updates, state = optimiser.update(gradient, state, weights)
        weights = optax.apply_updates(weights, updates)
    return {name: [round(float(x), 3) for x in leaf] for name, leaf in weights.items()}


masked = three_steps(optax.masked(optax.adam(1e-3), trained))
print("three steps on the sum of squares from", {k: v.tolist() for k, v in start.items()})
print("masked(adam, mlp only):          ", masked)
assert masked == {"embedding": [27, -54], "mlp": masked["mlp"]}

chained = three_steps(optax.chain(optax.adam(1e-3), optax.freeze(frozen)))
print("chain(adam, freeze(embedding)):  ", chained)
selective = three_steps(optax.selective_transform(optax.adam(1e-3), freeze_mask=frozen))
print("selective_transform(adam, frozen):", selective)
assert chained == selective == {"embedding": [1, -2], "mlp": masked["mlp"]}
PYTHON
