"""How a run is cut into chunks, and with whom it trains, changes nothing."""

import os
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from miiii import replace_fields
from miiii.experiment.program import examples_per_epoch, numerics
from miiii.tasks.dataset import build_dataset
from miiii.training.chunk import history_rows
from training.tiny import TINY, as_numpy, compiled, textbook_losses

EPOCHS, EVERY = 12, 3
ALONE = (
    TINY,
    replace_fields(
        TINY, seed=5, learning_rate=0.02, dropout=0.1, filter_strength=2.0, masked_tasks=(3,)
    ),
)


def train(trainer, counts, inputs=None, initial=None):
    """Every state at the end, and the history of every run, from chunks of these sizes."""
    program, done, parts = trainer.program, 0, []
    with numerics(program.batch.setting):
        states = program.place(trainer.initial if initial is None else initial)
        for count in counts:
            states, record = program.chunk(states, done, count, inputs or program.inputs)
            record = as_numpy(record)
            parts.append(
                [
                    history_rows(record, run, done, count, EVERY, examples_per_epoch(program.batch))
                    for run in range(len(program.batch.configs))
                ]
            )
            done += count
    histories = [
        {name: np.concatenate([rows[name] for rows in of_run]) for name in of_run[0]}
        for of_run in zip(*parts, strict=True)
    ]
    return as_numpy(states), histories


def member(tree, run):
    return jax.tree.map(lambda leaf: leaf[run : run + 1], tree)


def assert_same(one, other):
    assert jax.tree.structure(one) == jax.tree.structure(other)
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_array_equal(a, b)


def assert_close(one, other):
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)


@pytest.fixture(scope="module")
def pair():
    return compiled(*ALONE)


@pytest.fixture(scope="module")
def single():
    return compiled(ALONE[0])


@pytest.fixture(scope="module")
def pair_trained(pair):
    return train(pair, [EPOCHS])


@pytest.mark.parametrize("counts", [[1, 2, 5, 4], [1] * EPOCHS, [11, 1]])
def test_chunk_sizes_change_no_bit_of_a_batch(pair, pair_trained, counts):
    assert_same(train(pair, counts), pair_trained)


def test_chunk_sizes_change_no_bit_of_a_single_run(single):
    whole = train(single, [EPOCHS])
    assert_same(train(single, [1, 2, 5, 4]), whole)
    assert_same(train(single, [EPOCHS]), whole)


def test_a_history_has_the_stated_rows(pair_trained):
    _, histories = pair_trained
    for rows in histories:
        assert rows["epoch"].tolist() == list(range(1, EPOCHS + 1))
        assert rows["validation_epoch"].tolist() == [3, 6, 9, 12]
        assert rows["train_loss"].shape == rows["train_correct"].shape == (EPOCHS, 3)
        assert rows["validation_loss"].shape == rows["validation_correct"].shape == (4, 3)
        assert rows["gradient_norm"].shape == (EPOCHS, 9)
        assert all(np.isfinite(values).all() for values in rows.values())
        assert (rows["gradient_norm"] > 0).all()
        assert len(np.unique(rows["train_loss"])) > EPOCHS  # every epoch saw something else


def test_only_multiples_of_the_interval_are_validated(pair):
    program = pair.program
    with numerics(program.batch.setting):
        # epochs 2 … 7
        _, record = program.chunk(program.place(pair.initial), 1, 6, program.inputs)
    validated = ~np.isnan(np.asarray(record.validation.loss)[:6]).any(axis=(1, 2))
    assert validated.tolist() == [False, True, False, False, True, False]
    rows = history_rows(as_numpy(record), 0, 1, 6, EVERY, examples_per_epoch(program.batch))
    assert rows["epoch"].tolist() == [2, 3, 4, 5, 6, 7]
    assert rows["validation_epoch"].tolist() == [3, 6]


def test_validation_measures_the_weights_after_the_update(pair):
    states, histories = train(pair, [EVERY])
    for run, dataset in enumerate(pair.program.batch.datasets):
        numbers = dataset.split.validation
        parameters = jax.tree.map(lambda leaf, run=run: leaf[run], states.parameters)
        losses, accuracies = textbook_losses(
            parameters, dataset.digits[numbers], dataset.targets[numbers].T, (2, 3, 7)
        )
        rows = histories[run]
        np.testing.assert_allclose(rows["validation_loss"], [losses], rtol=1e-4)
        counts = np.asarray(accuracies) * len(numbers)
        np.testing.assert_allclose(rows["validation_correct"], [counts], atol=1e-3)
        assert rows["validation_examples"].tolist() == [len(numbers)]


def test_a_batch_equals_its_runs_alone(pair, single, pair_trained):
    states, histories = pair_trained
    for run in range(2):
        # One program for both: they agree on everything that shapes the computation.
        alone = train(single, [EPOCHS], member(pair.program.inputs, run), member(pair.initial, run))
        assert_close(alone, (member(states, run), [histories[run]]))
    assert not np.allclose(histories[0]["train_loss"], histories[1]["train_loss"], rtol=1e-2)


def test_minibatches_in_a_batch_are_those_of_its_runs_alone():
    cut = [replace_fields(config, minibatches=2) for config in ALONE]
    both, alone = compiled(*cut), compiled(cut[0])
    states, histories = train(both, [EPOCHS])
    for run in range(2):
        own = train(alone, [5, 7], member(both.program.inputs, run), member(both.initial, run))
        assert_close(own, (member(states, run), [histories[run]]))


def test_runs_of_a_batch_do_not_touch_each_other(pair, pair_trained):
    def poison(leaf):
        if leaf.dtype == np.float32:  # hyperparameters: a learning rate that is not a number
            return leaf.at[1].set(np.nan)
        if leaf.dtype == np.int32:  # digits and labels
            return leaf.at[1].set(leaf[1][::-1])
        return leaf

    program = pair.program
    with numerics(program.batch.setting):
        inputs = program.place(jax.tree.map(poison, program.inputs))
    states, histories = train(pair, [EPOCHS], inputs)
    assert_same(member(states, 0), member(pair_trained[0], 0))
    assert_same(histories[0], pair_trained[1][0])
    assert np.isnan(states.parameters.unembedding[1]).all()


def test_each_run_is_given_its_own_data_and_numbers(pair):
    inputs = pair.program.inputs
    for run, config in enumerate(ALONE):
        dataset = build_dataset(config.task, config.seed)
        for samples, numbers in (
            (inputs.train, dataset.split.train),
            (inputs.validation, dataset.split.validation),
        ):
            # the digits are base 5, least first
            digits = np.asarray(samples.digits[run])
            assert (digits @ [1, 5]).tolist() == numbers.tolist()
            expected = [[n % q for n in numbers.tolist()] for q in (2, 3, 7)]
            assert np.asarray(samples.targets[run]).tolist() == expected
        given = jax.tree.map(lambda leaf, run=run: float(leaf[run].sum()), inputs.hyperparameters)
        assert given.learning_rate == pytest.approx(config.optim.learning_rate)
        assert given.dropout == pytest.approx(config.training.dropout)
        assert given.weight_decay == pytest.approx(config.optim.weight_decay)
        assert given.filter_strength == pytest.approx(config.optim.filter_strength)
    assert np.asarray(inputs.hyperparameters.task_weights).tolist() == [[1, 1, 1], [1, 0, 1]]
    keys = jax.random.key_data(inputs.key)
    assert not np.array_equal(keys[0], keys[1])
    assert pair.program.capacity == 1024  # whatever the number of epochs
    # 6 tokens and 3 positions of 8, 4 of 8 × 8, 2 of 8 × 32, 8 × 12: four bytes each
    assert pair.program.parameter_bytes == 4 * (9 * 8 + 4 * 64 + 2 * 256 + 96)
    # weights, the filter's average, AdamW's two moments, and three counters
    assert pair.program.state_bytes - 4 * pair.program.parameter_bytes in range(1, 17)


ON_TWO_DEVICES = """
import sys
import jax, numpy as np
sys.path.insert(0, {tests!r})
from training.test_chunks import ALONE, EPOCHS, train
from training.tiny import compiled
from miiii.experiment.program import _runs_sharding
assert len(jax.local_devices()) == 2
assert [_runs_sharding(runs).mesh.size for runs in (1, 2, 3, 4)] == [1, 2, 1, 2]
pair = compiled(*ALONE)
assert len(jax.tree.leaves(pair.program.inputs)[0].sharding.device_set) == 2
states, histories = train(pair, [5, EPOCHS - 5])
np.savez({file!r}, *jax.tree.leaves((states, histories)))
"""


def test_two_devices_give_the_same_runs_as_one(pair_trained, tmp_path):
    tests, file = str(Path(__file__).parents[1]), str(tmp_path / "two.npz")
    subprocess.run(
        [sys.executable, "-W", "error", "-c", ON_TWO_DEVICES.format(tests=tests, file=file)],
        env=os.environ | {"XLA_FLAGS": "--xla_force_host_platform_device_count=2"},
        check=True,
    )
    with np.load(file) as stored:
        assert_close([stored[f"arr_{index}"] for index in range(len(stored))], pair_trained)
