#!/usr/bin/env bash
# Guess: in bfloat16 the gradient of an embedding has errors of bfloat16, 1 % or less, as the gradient
#   of a matrix product with one-hot vectors has, because sums are accumulated in float32.
# What happens on a CPU, in PyTorch and in JAX: the gradient is a sum in bfloat16, without float32. When
#   the sum is 256 to 512 times one occurrence, further ones are rounded away. The answer token "=" of
#   modular addition occurs once in each of p² = 12,769 rows. Its gradient is a 32nd of the true one where
#   all rows give the same, and a quarter where they differ as in this script. In JAX a one-hot product,
#   or a float32 copy of the table before the lookup, is right to 1 %.
# Whom it hurts: whoever trains on all pairs at once with weights in bfloat16: the gradient of a token
#   that is in every row is too small, and no exception says so.
source "$(dirname "$0")/common.bash"
packages torch==2.13.0 "jax==${JAX_VERSION:-0.10.2}" numpy==2.4.6

python - <<'PYTHON'
import jax
import jax.numpy as jnp
import numpy as np
import torch

rows, tokens, answer = 113**2, 114, 113
# What each row gives to the token's gradient: 64 numbers a row, their mean above 0.
parts = ((np.random.default_rng(0).standard_normal((rows, 64)) + 0.3) / rows).astype(np.float32)
true = parts.sum(axis=0, dtype=np.float64)


def in_torch(lookup):
    table = torch.zeros(tokens, 64, dtype=torch.bfloat16, requires_grad=True)
    (lookup(torch.full((rows,), answer), table).float() * torch.tensor(parts)).sum().backward()
    return table.grad[answer].float().numpy()


def in_jax(lookup):
    def loss(table):
        return (lookup(jnp.full(rows, answer), table).astype(jnp.float32) * parts).sum()

    return np.asarray(jax.grad(loss)(jnp.zeros((tokens, 64), jnp.bfloat16))[answer], np.float32)


def one_hot(ids, table):
    return jax.nn.one_hot(ids, tokens, dtype=table.dtype) @ table


for name, gradient, expected in (
    ("torch, nn.functional.embedding", in_torch(torch.nn.functional.embedding), 0.25),
    ("torch, table[ids]", in_torch(lambda ids, table: table[ids]), 0.25),
    ("jax, table[ids]", in_jax(lambda ids, table: table[ids]), 0.25),
    ("jax, one-hot product", in_jax(one_hot), 1),
    ("jax, float32 copy first", in_jax(lambda ids, table: table.astype(jnp.float32)[ids]), 1),
):
    ratio = np.mean(gradient / true)
    print(f"{name:31} {ratio:.2f} of the true gradient, farthest {np.abs(gradient / true - 1).max():.0%}")
    assert abs(ratio - expected) < (0.01 if expected == 1 else 0.05)

parts[:] = 1 / rows  # Every row gives the same.
true = parts.sum(axis=0, dtype=np.float64)
for name, run in (("torch", in_torch), ("jax", in_jax)):
    ratio = np.mean(run(lambda ids, table: table[ids]) / true)
    print(f"equal parts, {name}: {ratio:.4f} of the true gradient")
    assert abs(ratio - 1 / 32) < 0.001
PYTHON
