"""No key is used for two things, whichever verb it was derived by.

Under partitionable threefry `fold_in(key, i)` is `split(key, n)[i]`, and the bits drawn from a key
are made of the same words as its children. So every key that anything is drawn from must differ
from every other, and nothing may be drawn from a key that others are derived from.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from miiii import get_preset, replace_fields
from miiii.experiment.batch import make_batch
from miiii.experiment.program import numerics
from miiii.training.state import Hyperparameters, RunInputs, Samples
from miiii.training.step import initial_state, run_key, train_epoch

TINY = replace_fields(get_preset("tiny"), base=5, width=4, heads=2, depth=2, dropout=0.5)
SEEDS, EPOCHS = (0, 1), (1, 2)
DRAWS = ("bits", "normal", "truncated_normal", "uniform", "permutation")


def words(key):
    return tuple(np.asarray(jax.random.key_data(key)).ravel().tolist())


class Walk:
    """Notes every key that is drawn from, and every key that others are derived from."""

    def __init__(self, monkeypatch):
        self.drawn, self.parents, self._inside = [], set(), False
        for name in DRAWS:
            self._note(monkeypatch, name, self._draw)
        for name in ("fold_in", "split"):
            self._note(monkeypatch, name, self._derive)

    def _note(self, monkeypatch, name, note):
        function = getattr(jax.random, name)

        def noted(key, *given, **options):
            outermost, self._inside = not self._inside, True
            try:
                if outermost:
                    note(name, key)
                return function(key, *given, **options)
            finally:
                self._inside = not outermost

        monkeypatch.setattr(jax.random, name, noted)

    def _draw(self, name, key):
        self.drawn.append(words(key))
        if name == "permutation":
            # It draws from keys that it splits off, one for each round of sorting.
            self.parents.add(self.drawn.pop())
            rest = key
            for _ in range(3):
                rest, own = [jax.random.fold_in(rest, i) for i in (0, 1)]
                self.drawn.append(words(own))

    def _derive(self, name, key):
        self.parents.add(words(key))


def walk(monkeypatch, config, seeds=SEEDS):
    """Initialisation and some epochs of several seeds, one operation after the other."""
    found = Walk(monkeypatch)
    for seed in seeds:
        batch = make_batch([replace_fields(config, seed=seed)])
        dataset = batch.datasets[0]
        with numerics(batch.setting), jax.disable_jit():
            state, numbers = initial_state(batch.setting, seed), dataset.split.train
            rates = [jnp.asarray(each, jnp.float32) for each in (1e-3, 0.1, 0.0, 0.5)]
            weights = jnp.ones(len(dataset.moduli))
            samples = Samples(
                jnp.asarray(dataset.digits[numbers]), jnp.asarray(dataset.targets[numbers].T)
            )
            inputs = RunInputs(run_key(seed), samples, samples, Hyperparameters(*rates, weights))
            for epoch in EPOCHS:
                state, _ = train_epoch(batch.setting, state, jnp.asarray(epoch), inputs)
    return found


@pytest.mark.parametrize(("minibatches", "initialisation"), [(1, "he"), (2, "reference")])
def test_no_key_of_a_run_is_used_twice(monkeypatch, minibatches, initialisation):
    config = replace_fields(TINY, minibatches=minibatches, initialisation=initialisation)
    found = walk(monkeypatch, config)
    # Weights; of each update two blocks' masks; of each epoch with several updates its order.
    orders = 3 if minibatches > 1 else 0
    assert len(found.drawn) == len(SEEDS) * (1 + len(EPOCHS) * (minibatches * 2 + orders))
    assert len(set(found.drawn)) == len(found.drawn)
    assert not set(found.drawn) & found.parents


def test_the_walk_finds_a_key_that_is_derived_twice(monkeypatch):
    """fold_in(key, 1) and split(key)[1] are one key: what the test above is for."""
    found = Walk(monkeypatch)
    with numerics(make_batch([TINY]).setting):
        key = run_key(0)
        jax.random.bits(jax.random.fold_in(key, 1))
        jax.random.bits(jax.random.split(key, 7)[1])
    assert len(set(found.drawn)) == 1


def test_a_seed_is_its_key_whatever_offset_jax_adds():
    before = words(run_key(7)), words(jax.random.fold_in(jax.random.key(7), 1))
    offset = jax.config.jax_random_seed_offset
    jax.config.update("jax_random_seed_offset", 5)
    try:
        assert words(run_key(7)) == before[0] == before[1]
        assert words(jax.random.fold_in(jax.random.key(7), 1)) != before[0]
    finally:
        jax.config.update("jax_random_seed_offset", offset)
