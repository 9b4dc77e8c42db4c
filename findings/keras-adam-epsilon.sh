#!/usr/bin/env bash
# Guess: Adam of Keras is Adam of PyTorch and Optax, but for its epsilon of 1e-7 in place of 1e-8, and
#   under a steady gradient it moves by the learning rate.
# What happens: Keras adds epsilon to the root of the second moment before the correction for its start.
#   In the first step this is an epsilon 32 times as large. With a gradient of 1e-8 the first step is
#   0.003 of the learning rate in Keras, 0.03 in Keras with epsilon=1e-8, and 0.5 in PyTorch and Optax.
# Whom it hurts: whoever moves a training with gradients near these epsilons from one to the other, as
#   they may be after memorisation.
source "$(dirname "$0")/common.bash"
packages torch==2.13.0 "jax==${JAX_VERSION:-0.10.2}" optax==0.2.8 keras==3.15.1 numpy==2.4.6

KERAS_BACKEND=jax python - <<'PYTHON'
import jax.numpy as jnp
import keras
import numpy as np
import optax
import torch

rate = 1e-3


def in_keras(gradient, steps, **settings):
    weight = keras.Variable(np.zeros(1, np.float32))
    optimiser = keras.optimizers.Adam(rate, **settings)
    for _ in range(steps):
        optimiser.apply([jnp.full(1, gradient)], [weight])
    return float(weight[0])


def in_torch(gradient, steps):
    weight = torch.nn.Parameter(torch.zeros(1))
    optimiser = torch.optim.Adam([weight], lr=rate)
    for _ in range(steps):
        weight.grad = torch.full((1,), gradient)
        optimiser.step()
    return weight.item()


def in_optax(gradient, steps):
    weight = jnp.zeros(1)
    optimiser = optax.adam(rate)
    state = optimiser.init(weight)
    for _ in range(steps):
        update, state = optimiser.update(jnp.full(1, gradient), state)
        weight = optax.apply_updates(weight, update)
    return float(weight[0])


print("a step's length in learning rates, mean of the first 1 and 100 steps")
for gradient, expected in (
    (1e-3, {"torch": (1, 1), "optax": (1, 1), "keras": (1, 1), "keras, epsilon=1e-8": (1, 1)}),
    (1e-8, {"torch": (0.5, 0.5), "optax": (0.5, 0.5), "keras": (0.0032, 0.021), "keras, epsilon=1e-8": (0.031, 0.17)}),
):
    for name, values in expected.items():
        for steps, value in zip((1, 100), values):
            run = {"torch": in_torch, "optax": in_optax}.get(name)
            end = run(gradient, steps) if run else (
                in_keras(gradient, steps, **({"epsilon": 1e-8} if "epsilon" in name else {}))
            )
            length = -end / steps / rate
            print(f"gradient {gradient:.0e}, {name}, {steps}: {length:.4f}")
            assert abs(length / value - 1) < 0.06
PYTHON
