#!/usr/bin/env bash
# Guess: a warmup of 0 steps is no warmup: the learning rate starts at its full value.
# What happens: linear_schedule(0, peak, 0) and warmup_constant_schedule(0, peak, 0) stay at 0 for
#   ever. warmup_cosine_decay_schedule with 0 warmup steps starts at the peak, as expected. A line of
#   absl's log at level INFO, which nobody sees by default, tells of it; cosine_decay_schedule over 0
#   steps raises an error.
# Whom it hurts: whoever sweeps the length of a warmup, 0 among the values. Those runs train at a
#   learning rate of 0, finish, and enter the table as "warmup is indispensable".
source "$(dirname "$0")/common.bash"
packages "jax==${JAX_VERSION:-0.10.2}" optax==0.2.8

python - <<'PYTHON'
import jax.numpy as jnp
import optax

schedules = {
    "linear_schedule": (lambda n: optax.linear_schedule(0.0, 1.0, n), 0.0),
    "warmup_constant_schedule": (lambda n: optax.warmup_constant_schedule(0.0, 1.0, n), 0.0),
    "warmup_cosine_decay_schedule": (
        lambda n: optax.warmup_cosine_decay_schedule(0.0, 1.0, n, 10_000),
        1.0,
    ),
}
for name, (make, first) in schedules.items():
    rates = {n: [round(float(make(n)(step)), 3) for step in (0, 1, 2, 5)] for n in (2, 1, 0)}
    print(name, "by steps of warmup:", rates)
    assert rates[0][0] == first
    if first == 0:
        assert float(make(0)(100_000)) == 0
        assert float(make(1)(1)) == 1

optimiser = optax.adam(optax.linear_schedule(0.0, 1e-3, 0))
weights = jnp.ones(3)
state = optimiser.init(weights)
for _ in range(100):
    updates, state = optimiser.update(2 * weights, state)
    weights = optax.apply_updates(weights, updates)
print("weights after 100 steps of Adam:", weights)
assert (weights == 1).all()

try:
    optax.cosine_decay_schedule(1.0, 0)
    raise SystemExit("cosine_decay_schedule took 0 steps")
except ValueError as error:
    print("cosine_decay_schedule over 0 steps:", error)
PYTHON
