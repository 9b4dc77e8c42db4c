#!/usr/bin/env bash
# Guess: with is_causal=True a query of the last position sees all keys. So who needs only the answer
#   position passes one query and all keys, and gets what the full attention has at that position.
# What happens: the mask counts from the first key, in PyTorch and in JAX alike. One query sees the
#   first key only, and its output is that key's value, whatever the scores are. No message, and
#   finite numbers; in PyTorch causal_lower_right has the mask that was meant.
# Whom it hurts: whoever computes only the last position of a small transformer, or decodes with
#   cached keys. A model of modular addition that is trained so reads x0 only, and never generalises.
source "$(dirname "$0")/common.bash"
packages torch==2.13.0 "jax==${JAX_VERSION:-0.10.2}" numpy==2.4.6

python - <<'PYTHON'
import jax
import jax.numpy as jnp
import numpy as np
import torch
from torch.nn.attention.bias import causal_lower_right
from torch.nn.functional import scaled_dot_product_attention

rng = np.random.default_rng(0)
# [batch, heads, positions, width], as PyTorch has it: x0, x1 and the answer token.
query, key, value = (rng.standard_normal((1, 4, 3, 8)).astype(np.float32) for _ in range(3))


def in_torch(query, mask=None, causal=False):
    arrays = (torch.tensor(one) for one in (query, key, value))
    return scaled_dot_product_attention(*arrays, attn_mask=mask, is_causal=causal).numpy()


def in_jax(query):
    arrays = (jnp.asarray(one.swapaxes(1, 2)) for one in (query, key, value))
    return np.asarray(jax.nn.dot_product_attention(*arrays, is_causal=True)).swapaxes(1, 2)


last = query[:, :, -1:]
wanted = in_torch(query, causal=True)[:, :, -1:]
assert np.allclose(in_jax(query)[:, :, -1:], wanted, atol=1e-5)
for name, got in (("torch", in_torch(last, causal=True)), ("jax", in_jax(last))):
    apart, first = np.abs(got - wanted).max(), np.abs(got - value[:, :, :1]).max()
    print(f"{name}: one query is {apart:.2f} from the whole attention's row, {first:.0e} from x0's value")
    assert apart > 0.1
    assert first < 1e-6
right = in_torch(last, mask=causal_lower_right(1, 3))
print(f"torch, causal_lower_right: {np.abs(right - wanted).max():.0e} from that row")
assert np.allclose(right, wanted, atol=1e-5)
PYTHON
