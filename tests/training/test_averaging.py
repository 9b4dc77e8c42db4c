"""An average of the weights: the recursion in NumPy, cut anywhere, and who is judged by it."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from miiii import Config, replace_fields
from miiii.experiment.program import numerics
from miiii.training.averaging import move_average, share
from miiii.training.state import model_arrays, to_arrays
from miiii.training.step import minibatch_indices
from training.test_chunks import ALONE, EPOCHS, assert_same, member, train
from training.test_epoch import PLAIN, hand_written_updates, make
from training.test_epoch import train as train_states
from training.tiny import compiled, textbook_losses
from wording import naming

DECAY = 0.9
CUT = tuple(replace_fields(config, average_weights=DECAY, precision="float64") for config in ALONE)


class NumPyAverage:
    """A plain recursion from zero, divided by what its coefficients add up to; float64."""

    def __init__(self, decay):
        self.decay, self.sum, self.share = decay, 0.0, 0.0

    def take(self, weights):
        self.sum = self.decay * self.sum + (1 - self.decay) * np.asarray(weights, np.float64)
        self.share = self.decay * self.share + (1 - self.decay)
        return self.sum / self.share


def averages_of(decay, through):
    """Of lists of weights the list of averages after each."""
    kept = [NumPyAverage(decay) for _ in through[0]]
    return [[one.take(leaf) for one, leaf in zip(kept, leaves, strict=True)] for leaves in through]


@pytest.mark.parametrize("decay", [0.5, 0.98, 0.9999])
def test_the_average_is_the_recursion_without_its_bias(x64, decay):
    generator = np.random.default_rng(0)
    average, plain = jnp.asarray(generator.normal(size=4)), NumPyAverage(decay)
    for update in range(1, 60):
        weights = generator.normal(size=4)
        average = move_average(average, weights, decay, jnp.asarray(update))
        expected = plain.take(weights)
        np.testing.assert_allclose(average, expected, rtol=1e-10, atol=1e-12)
        if update == 1:
            np.testing.assert_array_equal(average, weights)


def test_the_share_of_the_newest_weights_is_right_in_float32_too():
    for update in (1, 2, 100, 10**9):
        found = share(0.9999, jnp.asarray(update), jnp.dtype("float32"))
        expected = (1 - 0.9999) / -np.expm1(update * np.log(0.9999))
        np.testing.assert_allclose(found, expected, rtol=2e-3)


@pytest.mark.parametrize("minibatches", [1, 5])
def test_every_update_is_averaged(x64, minibatches):
    config = replace_fields(PLAIN, minibatches=minibatches, average_weights=0.8)
    setting, state, inputs = make(config)
    state = dataclasses.replace(state, average=state.parameters)
    given = []
    for epoch in (1, 2, 3):
        key = jax.random.fold_in(inputs.key, epoch)
        shares = [np.arange(12)] if minibatches == 1 else minibatch_indices(key, 12, minibatches)
        for chosen in shares:
            given.append((epoch, inputs.train.digits[chosen], inputs.train.targets[:, chosen]))
    through = [weights for weights, *_ in hand_written_updates(state, given)]
    expected = averages_of(0.8, through)
    for epoch, (after, _) in enumerate(train_states(setting, state, inputs, (1, 2, 3)), start=1):
        last = minibatches * epoch - 1
        for found, leaf in zip(jax.tree.leaves(after.average), expected[last], strict=True):
            np.testing.assert_allclose(found, leaf, rtol=1e-8, atol=1e-11)
        for found, leaf in zip(jax.tree.leaves(after.parameters), through[last], strict=True):
            np.testing.assert_allclose(found, leaf, rtol=1e-8, atol=1e-11)


@pytest.fixture(scope="module")
def pair():
    return compiled(*CUT)


@pytest.fixture(scope="module")
def by_epoch(pair):
    """The states after each epoch, from chunks of one."""
    states, found = pair.initial, []
    with numerics(pair.program.batch.setting):
        for done in range(EPOCHS):
            placed = pair.program.place(states)
            states, _ = pair.program.chunk(placed, done, 1, pair.program.inputs)
            states = jax.tree.map(np.asarray, states)
            found.append(states)
    return found


def test_a_batch_of_seeds_averages_each_run_s_own_weights(pair, by_epoch):
    expected = averages_of(DECAY, [jax.tree.leaves(states.parameters) for states in by_epoch])
    for states, leaves in zip(by_epoch, expected, strict=True):
        for found, leaf in zip(jax.tree.leaves(states.average), leaves, strict=True):
            assert found.dtype == np.float64
            np.testing.assert_allclose(found, leaf, rtol=1e-12, atol=1e-14)


def test_chunk_sizes_change_no_bit_of_an_average(pair, by_epoch):
    states, histories = train(pair, [5, 1, 6])
    assert_same(states, by_epoch[-1])
    assert_same(histories, train(pair, [EPOCHS])[1])


def test_the_average_is_validated_and_the_raw_weights_beside_it(pair, by_epoch):
    _, histories = train(pair, [EPOCHS])
    for run, dataset in enumerate(pair.program.batch.datasets):
        numbers = dataset.split.validation
        given = (dataset.digits[numbers], dataset.targets[numbers].T, (2, 3, 7))
        for row, epoch in enumerate(histories[run]["validation_epoch"]):
            states = jax.tree.map(lambda leaf, run=run: leaf[run], by_epoch[epoch - 1])
            for weights, name in (
                (states.average, "validation"),
                (states.parameters, "validation_raw"),
            ):
                losses, accuracies = textbook_losses(weights, *given)
                rows = histories[run]
                np.testing.assert_allclose(rows[f"{name}_loss"][row], losses, rtol=1e-4)
                counts = np.asarray(accuracies) * len(numbers)
                np.testing.assert_allclose(rows[f"{name}_correct"][row], counts, atol=1e-3)


def test_the_average_changes_nothing_of_the_raw_weights(pair, by_epoch):
    # Two programs, which round differently; AdamW enlarges that where a gradient is near zero.
    plain = compiled(*(replace_fields(config, average_weights=0.0) for config in CUT))
    states, histories = train(plain, [EPOCHS])
    assert states.average is None
    for one, other in zip(
        jax.tree.leaves(states.parameters), jax.tree.leaves(by_epoch[-1].parameters), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-9)
    for found, rows in zip(train(pair, [EPOCHS])[1], histories, strict=True):
        np.testing.assert_allclose(found["validation_raw_loss"], rows["validation_loss"], rtol=1e-6)
        assert "validation_raw_loss" not in rows


def test_a_state_s_arrays_hold_both_models(by_epoch):
    state = jax.tree.map(lambda leaf: leaf[0], by_epoch[-1])
    arrays = to_arrays(state)
    assert_same(model_arrays(arrays), to_arrays(state.average))
    assert_same(model_arrays(arrays, raw=True), to_arrays(state.parameters))
    plain = to_arrays(dataclasses.replace(state, average=None))
    assert_same(model_arrays(plain), model_arrays(plain, raw=True))
    assert member(by_epoch[-1], 0).model is not None


@pytest.mark.parametrize("decay", [-0.1, 1.0, 1.5, float("nan")])
def test_a_decay_out_of_its_limits_is_refused(decay):
    with pytest.raises(ValueError, match=naming("average_weights 0 1")):
        replace_fields(Config(), average_weights=decay)
