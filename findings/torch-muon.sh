#!/usr/bin/env bash
# Guess: torch.optim.Muon with float64 weights computes in float64, and its step is the same matrix
#   whether a weight is stored as [out, in], as nn.Linear has it, or as [in, out], as TransformerLens
#   and most JAX code have it, but for the transposition.
# What happens: the orthogonalisation is computed in bfloat16 whatever the weights are, so that a step
#   is 1 % away from the float64 one (optax's is exact to rounding). The step's length depends on the
#   layout: it is multiplied by sqrt(max(1, rows / columns)), so that an MLP's input weights stored
#   as [in, out] move half as far as in nn.Linear, and its output weights twice as far.
#   adjust_lr_fn="match_rms_adamw" depends on no layout. optax.contrib.muon takes [in, out] for granted.
# Whom it hurts: whoever trains a model with hooks, whose weights are [in, out], at a learning rate
#   found with nn.Linear; whoever compares two programs in float64 and looks for a fault of 1 %; and
#   whoever moves a learning rate for Muon from PyTorch to JAX.
source "$(dirname "$0")/common.bash"
packages torch==2.13.0 "jax==${JAX_VERSION:-0.10.2}" optax==0.2.8 numpy==2.4.6

python - <<'PYTHON'
import jax
import jax.numpy as jnp
import numpy as np
import optax
import torch

jax.config.update("jax_enable_x64", True)


def torch_step(gradient, **settings):
    weight = torch.nn.Parameter(torch.zeros(gradient.shape, dtype=torch.float64))
    weight.grad = torch.tensor(gradient)
    torch.optim.Muon([weight], lr=1.0, weight_decay=0.0, **settings).step()
    return -weight.detach().numpy()


def optax_step(gradient):
    weights = jnp.zeros(gradient.shape)
    optimiser = optax.contrib.muon(1.0)
    updates, _ = optimiser.update(jnp.asarray(gradient), optimiser.init(weights), weights)
    return -np.asarray(updates)


def exact_step(gradient):
    """Five steps of Newton and Schulz's iteration in float64, without any factor for the shape."""
    a, b, c = 3.4445, -4.775, 2.0315
    x = gradient / np.linalg.norm(gradient)
    for _ in range(5):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    return x


def unit(step):
    return step / np.linalg.norm(step)


# The gradient of an MLP's input weights with 256 inputs and 1,024 neurons, stored as [in, out].
gradient = np.random.default_rng(0).standard_normal((256, 1024))
exact = exact_step(gradient)
for name, step in (("torch", torch_step(gradient)), ("optax", optax_step(gradient))):
    apart = np.linalg.norm(unit(step) - unit(exact))
    print(f"float64, {name}: direction {apart:.0e} from the exact one, dtype {step.dtype}")
    assert 5e-3 < apart < 5e-2 if name == "torch" else apart < 1e-6

length = np.linalg.norm
linear, hooked = torch_step(gradient.T.copy()), torch_step(gradient)
print(f"torch, input weights [in, out] / nn.Linear's: {length(hooked) / length(linear):.2f}")
assert abs(length(hooked) / length(linear) - 0.5) < 0.01
hooked = torch_step(gradient.T.copy())  # 1,024 inputs, 256 outputs, stored as [in, out]
linear = torch_step(gradient)
print(f"torch, output weights [in, out] / nn.Linear's: {length(hooked) / length(linear):.2f}")
assert abs(length(hooked) / length(linear) - 2) < 0.04
print(f"optax / torch, input weights [in, out]: {length(optax_step(gradient)) / length(linear):.2f}")
assert abs(length(optax_step(gradient)) / length(linear) - 2) < 0.04
matched = [torch_step(one, adjust_lr_fn="match_rms_adamw") for one in (gradient, gradient.T.copy())]
print(f"match_rms_adamw, one layout / the other: {length(matched[0]) / length(matched[1]):.3f}")
assert abs(length(matched[0]) / length(matched[1]) - 1) < 0.01
PYTHON
