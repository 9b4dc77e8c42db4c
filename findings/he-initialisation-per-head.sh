#!/usr/bin/env bash
# Guess: He's initialisation of queries stored per head, [heads, width, head width], divides by the
#   width, as it does for the same weights stored as one matrix [width, heads · head width]; and
#   PyTorch and JAX agree on it.
# What happens: dimensions that are neither input nor output count as a convolution's window. JAX takes
#   the second to last as input and multiplies it by the heads: half the standard deviation with four
#   heads. PyTorch takes the second as input and multiplies it by the head width: an eighth with 64.
#   JAX's batch_axis=0 gives what was meant; PyTorch needs each head by itself.
# Whom it hurts: whoever writes attention with one tensor for all heads, as TransformerLens stores it,
#   and ports an initialisation between the two: queries and keys are four times smaller in PyTorch,
#   and attention scores sixteen times.
source "$(dirname "$0")/common.bash"
packages torch==2.13.0 "jax==${JAX_VERSION:-0.10.2}" numpy==2.4.6

python - <<'PYTHON'
import math

import jax
import torch

heads, width, head_width = 4, 256, 64
shape = (heads, width, head_width)
meant = math.sqrt(2 / width)
torch.manual_seed(0)
key = jax.random.key(0)
one_matrix = torch.empty(heads * head_width, width)  # nn.Linear's layout
drawn = {
    "jax, one matrix": jax.nn.initializers.he_normal()(key, (width, heads * head_width)).std(),
    "torch, one matrix": torch.nn.init.kaiming_normal_(one_matrix).std(),
    "jax, per head": jax.nn.initializers.he_normal()(key, shape).std(),
    "torch, per head": torch.nn.init.kaiming_normal_(torch.empty(shape)).std(),
    "jax, per head, batch_axis=0": jax.nn.initializers.he_normal(batch_axis=0)(key, shape).std(),
}
expected = {"jax, per head": 1 / 2, "torch, per head": 1 / 8}
print(f"sqrt(2 / width) = {meant:.4f}")
for name, deviation in drawn.items():
    share = float(deviation) / meant
    print(f"{name}: standard deviation {float(deviation):.4f}, {share:.3f} of it")
    assert abs(share / expected.get(name, 1) - 1) < 0.02
PYTHON
