#!/usr/bin/env bash
# Guess: a query whose keys are all masked gives the same in every library: NaN (0/0), or 0.
# What happens: three answers. scaled_dot_product_attention of PyTorch gives 0. MultiheadAttention with
#   bias=False gives 0 with need_weights=False, and NaN with need_weights=True, which is the default.
#   jax.nn.dot_product_attention gives the mean of all the masked values, and a gradient to them.
# Whom it hurts: whoever masks whole positions or tasks. In JAX the output is the mean of what was to be
#   hidden, and it is finite. In PyTorch a model that works gives NaN when its weights are asked for.
source "$(dirname "$0")/common.bash"
packages torch==2.13.0 "jax==${JAX_VERSION:-0.10.2}" numpy==2.4.6

python - <<'PYTHON'
import jax
import jax.numpy as jnp
import numpy as np
import torch

rng = np.random.default_rng(0)
query, key, value = (rng.standard_normal((1, positions, 4)).astype(np.float32) for positions in (3, 5, 5))
seen = np.ones((3, 5), bool)  # [queries, keys]; True: the query sees the key.
seen[1] = False
mean = value[0].mean(axis=0)


def in_jax(value):
    heads = (jnp.asarray(one)[:, :, None] for one in (query, key, value))
    return jax.nn.dot_product_attention(*heads, mask=jnp.asarray(seen)[None, None])[0, :, 0]


tensors = [torch.tensor(one) for one in (query, key, value)]
product = torch.nn.functional.scaled_dot_product_attention(
    *(one[:, None] for one in tensors), attn_mask=torch.tensor(seen)
)[0, 0]
print("torch, scaled_dot_product_attention:", product[1].tolist())
assert (product[1] == 0).all()

attention = torch.nn.MultiheadAttention(4, 1, bias=False, batch_first=True)
hidden = torch.tensor(~seen)  # Here True means the reverse.
with torch.no_grad():
    for wanted in (True, False):
        given = attention(*tensors, attn_mask=hidden, need_weights=wanted)[0][0]
        print(f"torch, MultiheadAttention, need_weights={wanted}:", given[1].tolist())
        assert given[[0, 2]].isfinite().all()
        assert given[1].isnan().all() if wanted else (given[1] == 0).all()

given = np.asarray(in_jax(value))
print("jax:", given[1].round(4).tolist(), "the masked values' mean:", mean.round(4).tolist())
assert np.allclose(given[1], mean, atol=1e-6)
assert np.allclose(given[[0, 2]], product[[0, 2]].numpy(), atol=1e-6)
gradient = jax.grad(lambda value: in_jax(value)[1].sum())(jnp.asarray(value))
print("its gradient by each masked value:", float(gradient.min()), "to", float(gradient.max()))
assert np.allclose(gradient, 1 / 5)
PYTHON
