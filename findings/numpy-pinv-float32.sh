#!/usr/bin/env bash
# Guess: numpy.linalg.pinv and lstsq of a float32 matrix drop the directions that are rounding errors
#   in float32, as matrix_rank, SciPy, JAX and PyTorch's pinv do.
# What happens: they drop what is below float64's precision (pinv 1e-15 of the largest singular value,
#   lstsq max(M, N) * 2.2e-16). A matrix of rank 10 that is rounded to float32 has other singular values,
#   which are rounding errors. They are inverted, and the largest entry of the result is 1e9 times too
#   large, without an exception. rcond=1e-5 gives the true result, and so does rtol=None in pinv, which is
#   not the same as no rtol.
# Whom it hurts: whoever projects on a few Fourier directions, or inverts an embedding whose rank is
#   below its width, with weights in the float32 in which they were trained.
source "$(dirname "$0")/common.bash"
packages torch==2.13.0 "jax==${JAX_VERSION:-0.10.2}" numpy==2.4.6 scipy==1.17.1

python - <<'PYTHON'
import jax.numpy as jnp
import numpy as np
import scipy.linalg
import torch

rng = np.random.default_rng(0)
# An embedding of 113 tokens with 128 numbers each that has 10 directions.
table = (rng.standard_normal((113, 10)) @ rng.standard_normal((10, 128))).astype(np.float32)
one = np.eye(113, dtype=np.float32)
true = np.linalg.pinv(table.astype(np.float64), rcond=1e-5)
print("rank by numpy.linalg.matrix_rank:", np.linalg.matrix_rank(table))
assert np.linalg.matrix_rank(table) == 10
for name, inverse, right in (
    ("numpy pinv", np.linalg.pinv(table), False),
    ("numpy lstsq", np.linalg.lstsq(table, one)[0], False),
    ("numpy lstsq, rcond=1e-5", np.linalg.lstsq(table, one, rcond=1e-5)[0], True),
    ("scipy pinv", scipy.linalg.pinv(table), True),
    ("scipy lstsq", scipy.linalg.lstsq(table, one)[0], True),
    ("jax pinv", np.asarray(jnp.linalg.pinv(table)), True),
    ("jax lstsq", np.asarray(jnp.linalg.lstsq(table, one)[0]), True),
    ("torch pinv", torch.linalg.pinv(torch.tensor(table)).numpy(), True),
    ("numpy pinv, rtol=None", np.linalg.pinv(table, rtol=None), True),
    ("numpy pinv, rcond=1e-5", np.linalg.pinv(table, rcond=1e-5), True),
):
    size = np.abs(inverse).max() / np.abs(true).max()
    print(f"{name:24} {inverse.dtype}, largest entry {size:.3g} times the true one")
    assert inverse.dtype == np.float32
    assert abs(size - 1) < 1e-3 if right else size > 1e8
PYTHON
