#!/usr/bin/env bash
# Guess: jax.random.key takes a seed of up to 64 bits, or refuses it.
# What happens: in the default 32-bit mode the upper bits are dropped without a word: seeds s and
#   s + 2**32 are one generator. With jax_enable_x64 they are two, so that one seed gives other
#   weights in float64 than in float32; -1 does so too. fold_in refuses the same numbers.
# Whom it hurts: whoever makes seeds out of hashes or times (their upper halves count for nothing)
#   and whoever repeats a run in float64 "with the same seed" to see what rounding did.
source "$(dirname "$0")/common.bash"
packages "jax==${JAX_VERSION:-0.10.2}"

python - <<'PYTHON'
import jax


def words(seed, wide):
    with jax.enable_x64(wide):
        return jax.random.key_data(jax.random.key(seed)).tolist()


for seed in (5, 2**31 + 5, 2**32 + 5, 7 * 2**32 + 5, -1):
    print(f"seed {seed:12}: key {words(seed, False)} in 32-bit mode, {words(seed, True)} in x64")
assert words(5, False) == words(2**32 + 5, False) == words(7 * 2**32 + 5, False) == [0, 5]
assert words(2**32 + 5, True) == [1, 5]
assert words(7 * 2**32 + 5, True) == [7, 5]
assert words(-1, False) != words(-1, True)
assert words(2**31 + 5, False) == words(2**31 + 5, True)

try:
    jax.random.fold_in(jax.random.key(0), 2**32 + 5)
    raise SystemExit("fold_in took 2**32 + 5")
except OverflowError as error:
    print("fold_in(key, 2**32 + 5):", error)
PYTHON
