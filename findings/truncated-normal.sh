#!/usr/bin/env bash
# Guess: a truncated normal initialisation with a standard deviation of 0.02 gives weights with that
#   standard deviation, cut off at 0.04, in PyTorch and JAX alike.
# What happens: PyTorch's trunc_normal_ cuts at the numbers -2 and 2, a hundred standard deviations
#   away: it is a normal draw. jax.nn.initializers.truncated_normal cuts at two standard deviations,
#   and its weights have a standard deviation of 0.0176, 12 % less. variance_scaling with
#   "truncated_normal" corrects this: the standard deviation is 0.02, and the cut is at 0.0455.
# Whom it hurts: whoever moves a model from one to the other and compares initial sizes of the weights.
#   trunc_normal_(w, std=s, a=-2 * s, b=2 * s) gives the distribution of JAX's truncated_normal.
source "$(dirname "$0")/common.bash"
packages torch==2.13.0 "jax==${JAX_VERSION:-0.10.2}" numpy==2.4.6

python - <<'PYTHON'
import jax
import numpy as np
import torch
from jax.nn import initializers

asked, shape = 0.02, (2500, 400)  # 1 / sqrt(2500) is 0.02.
torch.manual_seed(0)
key = jax.random.key(0)
cut = {"a": -2 * asked, "b": 2 * asked}
for name, weights, deviation, largest in (
    ("torch trunc_normal_", torch.nn.init.trunc_normal_(torch.empty(shape), std=asked), 0.02, 0.1),
    ("torch, a and b given", torch.nn.init.trunc_normal_(torch.empty(shape), std=asked, **cut), 0.0176, 0.04),
    ("jax truncated_normal", initializers.truncated_normal(asked)(key, shape), 0.0176, 0.04),
    ("jax variance_scaling", initializers.variance_scaling(1, "fan_in", "truncated_normal")(key, shape), 0.02, 0.0455),
):
    weights = np.asarray(weights)
    print(f"{name:21} standard deviation {weights.std():.5f}, largest {np.abs(weights).max():.4f}")
    assert abs(weights.std() / deviation - 1) < 0.005
    assert abs(np.abs(weights).max() / largest - 1) < 0.1
PYTHON
