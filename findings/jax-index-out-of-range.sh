#!/usr/bin/env bash
# Guess: an index beyond the end is clamped, so the last row is read and the last row gets the
#   gradient; a label beyond the classes makes the loss NaN, and the gradient with it.
# What happens: the last row is read, and no row gets a gradient. The loss is NaN, and its gradient
#   is finite: it lowers every logit's share and raises none.
# Whom it hurts: whoever adds a token (an "=" sign) and forgets to make the table longer. The model
#   reads the last number's row for it, which never learns to be that token, and nothing is NaN.
#   With a label out of range, training goes on with finite weights under a loss that is NaN.
source "$(dirname "$0")/common.bash"
packages "jax==${JAX_VERSION:-0.10.2}" optax==0.2.8

python - <<'PYTHON'
import jax
import jax.numpy as jnp
import optax

table = jnp.array([10.0, 20.0, 30.0, 40.0])
read = table[jnp.array([0, 9])]
gradient = jax.grad(lambda t: t[jnp.array([0, 9])].sum())(table)
slope = (jnp.where(jnp.arange(4) == 3, table + 1, table)[9] - table[9]).item()
print("table", table, "read at 0 and 9:", read)
print("gradient of the sum of what was read:", gradient, "by a difference, row 3:", slope)
assert read.tolist() == [10.0, 40.0]
assert gradient.tolist() == [1.0, 0.0, 0.0, 0.0]
assert slope == 1.0

logits = jnp.log(jnp.array([0.1, 0.2, 0.7]))


def loss(logits):
    return optax.softmax_cross_entropy_with_integer_labels(logits, jnp.array(3))


value, gradient = jax.value_and_grad(loss)(logits)
print("three classes, label 3: loss", value, "gradient", gradient)
assert jnp.isnan(value)
assert jnp.allclose(gradient, jnp.array([0.1, 0.2, 0.7]))
PYTHON
