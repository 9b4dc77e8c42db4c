#!/usr/bin/env bash
# Guess: jax.random.normal(key, shape, bfloat16) is a float32 normal draw, rounded.
# What happens: it is made of 128 different uniform numbers. A million draws hold 128 values, none
#   above 2.52 (a normal sample reaches 4.5), and their mean is -0.012: twelve standard errors off,
#   because the lowest value lies further out than the highest. float16 has 1,024 values.
# Whom it hurts: whoever initialises weights in the dtype in which they are kept. Every column of an
#   embedding gets the same shift, so that the sum over 12,288 inputs moves by more than a standard
#   deviation. Draw in float32 and cast.
source "$(dirname "$0")/common.bash"
packages "jax==${JAX_VERSION:-0.10.2}"

python - <<'PYTHON'
import jax
import jax.numpy as jnp
import numpy as np

count = 1_000_000
key = jax.random.key(0)
for dtype in (jnp.bfloat16, jnp.float16, jnp.float32):
    draws = np.asarray(jax.random.normal(key, (count,), dtype)).astype(np.float64)
    values = len(np.unique(draws))
    errors = draws.mean() * count**0.5
    print(
        f"{dtype.__name__:9} {values:7,} values, {draws.min():.3f} to {draws.max():.3f},"
        f" mean {draws.mean():+.5f} ({errors:+.1f} standard errors)"
    )
    if dtype is jnp.bfloat16:
        assert values == 128
        assert draws.max() < 2.52
        assert errors < -10
    if dtype is jnp.float16:
        assert values == 1024

rounded = np.asarray(jax.random.normal(key, (count,)).astype(jnp.bfloat16)).astype(np.float64)
print(f"float32, then cast: {len(np.unique(rounded)):,} values, mean {rounded.mean():+.5f}")
assert abs(rounded.mean()) * count**0.5 < 4
PYTHON
