#!/usr/bin/env bash
# Guess: jax_enable_x64 changes draws of floating point only: masks, indices and choices, which have
#   none, stay what they are for one key, and random.bits draws words of 32 bits.
# What happens: bernoulli gives another mask, of bools as before; randint, choice with replacement
#   and categorical on logits without a stated dtype give other numbers. permutation, choice without
#   replacement, split, fold_in and whatever is drawn with a stated 32-bit dtype stay the same.
#   random.bits draws words of 64 bits, whose "upper half", bits >> 16, is not below 65,536.
# Whom it hurts: whoever repeats a run in float64 to see what rounding did: the split is the same and
#   so the seed seems to hold, while dropout masks and batches are others. And whoever compares
#   halves of random words with a threshold: in float64 nothing falls below it.
source "$(dirname "$0")/common.bash"
packages "jax==${JAX_VERSION:-0.10.2}"

python - <<'PYTHON'
import jax
import jax.numpy as jnp

draws = {
    "permutation": (lambda key: jax.random.permutation(key, 113), True),
    "choice, no replacement": (lambda key: jax.random.choice(key, 113, (64,), False), True),
    "choice": (lambda key: jax.random.choice(key, 113, (64,)), False),
    "randint": (lambda key: jax.random.randint(key, (64,), 0, 113), False),
    "randint, int32": (lambda key: jax.random.randint(key, (64,), 0, 113, jnp.int32), True),
    "bernoulli": (lambda key: jax.random.bernoulli(key, 0.5, (64,)), False),
    "bernoulli, float32 p": (
        lambda key: jax.random.bernoulli(key, jnp.full(64, 0.5, jnp.float32)),
        True,
    ),
    "bits": (lambda key: jax.random.bits(key, (64,)), False),
    "bits, uint32": (lambda key: jax.random.bits(key, (64,), jnp.uint32), True),
    "categorical": (lambda key: jax.random.categorical(key, jnp.zeros(7), shape=(64,)), False),
    "split": (lambda key: jax.random.key_data(jax.random.split(key, 3)), True),
    "fold_in": (lambda key: jax.random.key_data(jax.random.fold_in(key, 3)), True),
}
for name, (draw, expected) in draws.items():
    answers = []
    for wide in (False, True):
        with jax.enable_x64(wide):
            answers.append(draw(jax.random.key(0)).tolist())
    same = answers[0] == answers[1]
    print(f"{name:23} {'the same' if same else 'another draw'}")
    assert same is expected, name

for wide in (False, True):
    with jax.enable_x64(wide):
        upper = jax.random.bits(jax.random.key(0), (1000,)) >> 16
        below = int((upper < 32768).sum())
        print(f"x64 {wide}: {upper.dtype}, bits >> 16 below 32,768: {below} of 1,000")
    assert below == 0 if wide else 400 < below < 600
PYTHON
