#!/usr/bin/env bash
# Guess: optax.contrib.muon(rate, weight_decay=1.0) orthogonalises the matrices inside the blocks, the
#   attention's among them, leaves the embeddings to AdamW as its author advises, and decays all
#   weights.
# What happens: it goes by the number of dimensions. Embedding and unembedding, two-dimensional, are
#   orthogonalised. Queries stored per head, [heads, width, head width], are not: they get Adam, with
#   adam_weight_decay, whose default is 0 whatever weight_decay says. So are biases. No message.
# Whom it hurts: whoever studies grokking, where weight decay is the point: attention weights are not
#   decayed at all, and Muon acts on the MLP and the embeddings only. Two models that differ in how
#   heads are stored are trained by different optimisers.
source "$(dirname "$0")/common.bash"
packages "jax==${JAX_VERSION:-0.10.2}" optax==0.2.8 numpy==2.4.6

python - <<'PYTHON'
import jax
import jax.numpy as jnp
import numpy as np
import optax

key = jax.random.key(0)
shapes = {
    "embedding": (114, 256),
    "query, one matrix": (256, 256),
    "query, per head": (4, 256, 64),
    "bias": (1024,),
}
weights = {name: jax.random.normal(key, shape) for name, shape in shapes.items()}
gradients = {name: jax.random.normal(jax.random.key(1), shape) for name, shape in shapes.items()}


def updates(given, **settings):
    optimiser = optax.contrib.muon(1e-3, **settings)
    return optimiser.update(given, optimiser.init(weights), weights)[0]


step = updates(gradients)
decayed = updates(jax.tree.map(jnp.zeros_like, weights), weight_decay=1.0)
both = updates(jax.tree.map(jnp.zeros_like, weights), weight_decay=1.0, adam_weight_decay=1.0)
expected = {"embedding": ("Muon", True), "query, one matrix": ("Muon", True)}
for name, weight in weights.items():
    # Adam's first step has the same size for every entry.
    by = "Adam" if np.ptp(np.abs(step[name])) < 1e-6 else "Muon"
    decays = bool(jnp.allclose(decayed[name], -1e-3 * weight, atol=1e-7))
    print(f"{name} {shapes[name]}: {by}, {'decayed' if decays else 'not decayed'}")
    assert (by, decays) == expected.get(name, ("Adam", False))
    assert jnp.allclose(both[name], -1e-3 * weight, atol=1e-7)
print("with adam_weight_decay=1.0 as well all are decayed")
PYTHON
