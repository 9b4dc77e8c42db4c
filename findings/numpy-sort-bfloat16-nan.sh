#!/usr/bin/env bash
# Guess: np.sort puts NaN last in an array of bfloat16 too, and the rest in order.
# What happens: NaN stays about where it is, and what lies on its two sides is sorted apart: 3, nan,
#   1, 2 stays 3, nan, 1, 2. argsort, median, unique and searchsorted stand on it. A Python float
#   widens such an array to float32, an int does not.
# Whom it hurts: whoever ranks runs kept in bfloat16, one of which diverged: the best of the others is
#   not where it should be. Cast to float32 before sorting.
source "$(dirname "$0")/common.bash"
packages numpy==2.4.6 ml_dtypes==0.6.0

python - <<'PYTHON'
import ml_dtypes
import numpy as np

losses = [3.0, np.nan, 1.0, 2.0]
for dtype in (np.float16, np.float32, ml_dtypes.bfloat16):
    array = np.array(losses, dtype)
    print(
        np.dtype(dtype).name,
        "sorted",
        np.sort(array).astype(float).tolist(),
        "order",
        np.argsort(array, stable=True).tolist(),
        "distinct",
        np.unique(array).astype(float).tolist(),
    )
ordered = np.sort(np.array(losses, np.float32))
assert ordered[:3].tolist() == [1, 2, 3]
assert np.isnan(ordered[3])
broken = np.sort(np.array(losses, ml_dtypes.bfloat16)).astype(float)
assert not np.isnan(broken[-1]) or broken[:3].tolist() != [1, 2, 3]

draw = np.random.default_rng(0)
unsorted = 0
for _ in range(100):
    array = draw.normal(size=50).astype(ml_dtypes.bfloat16)
    array[25] = np.nan
    rest = np.sort(array)
    rest = rest[~np.isnan(rest)].astype(float)
    unsorted += bool((np.diff(rest) < 0).any())
print("of 100 draws of 49 numbers and one NaN, not in order:", unsorted)
assert unsorted > 50

array = np.ones(2, ml_dtypes.bfloat16)
print("times 2:", (array * 2).dtype, "times 2.0:", (array * 2.0).dtype)
assert (array * 2).dtype == ml_dtypes.bfloat16
assert (array * 2.0).dtype == np.float32
PYTHON
