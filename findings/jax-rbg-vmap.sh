#!/usr/bin/env bash
# Guess: vmap over keys draws for each key what that key draws by itself, whatever the generator.
# What happens: with "rbg" and "unsafe_rbg" (the ones that JAX's guide names for speed on a TPU) only
#   the first key of the batch draws its own numbers; all others are drawn from the first key. So a key's
#   draw depends on its place in the batch. With "threefry2x32", the default, the guess is right. split
#   of "rbg" keys agrees, too, so that a look at the keys shows nothing.
# Whom it hurts: whoever trains seeds as a batch: seed 3 of a batch is not seed 3 trained by itself, or
#   in another batch, in its initial weights and dropout.
source "$(dirname "$0")/common.bash"
packages "jax==${JAX_VERSION:-0.10.2}"

python - <<'PYTHON'
import jax
import jax.numpy as jnp

for generator in ("threefry2x32", "rbg", "unsafe_rbg"):
    keys = [jax.random.key(seed, impl=generator) for seed in range(4)]

    def equal(draw):
        together = jax.vmap(draw)(jnp.stack(keys))
        apart = [draw(key) for key in keys]
        return [bool((one == other).all()) for one, other in zip(together, apart)]

    drawn = equal(lambda key: jax.random.normal(key, (3,)))
    split = equal(lambda key: jax.random.key_data(jax.random.split(key)))
    print(f"{generator}: seeds 0 to 3 draw in a batch what each draws by itself: {drawn}")
    print(f"  split: {split}")
    assert drawn == ([True] * 4 if generator == "threefry2x32" else [True, False, False, False])
    assert split == ([True, False, False, False] if generator == "unsafe_rbg" else [True] * 4)

    def drawn_third(seeds):
        batch = jnp.stack([jax.random.key(seed, impl=generator) for seed in seeds])
        return jax.vmap(lambda key: jax.random.normal(key, (3,)))(batch)[2]

    depends = not bool((drawn_third([0, 1, 7]) == drawn_third([5, 6, 7])).all())
    ignored = bool((drawn_third([0, 1, 7]) == drawn_third([0, 1, 8])).all())
    print(f"  seed 7 depends on the seeds before it: {depends}; seed 8 in its place is equal: {ignored}")
    assert depends == ignored == (generator != "threefry2x32")
PYTHON
