"""One update against the same update written out by hand, in float64."""

import dataclasses
from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from miiii import Config, replace_fields
from miiii.experiment.batch import make_batch
from miiii.experiment.program import numerics
from miiii.model.dropout import dropout_masks
from miiii.model.parameters import weight_names
from miiii.tasks.dataset import build_dataset
from miiii.training.loss import task_weights
from miiii.training.state import (
    Hyperparameters,
    RunInputs,
    Samples,
    expected_arrays,
    from_arrays,
    to_arrays,
)
from miiii.training.step import (
    evaluate,
    initial_state,
    minibatch_indices,
    run_key,
    train_epoch,
)
from model.textbook import textbook_forward
from training.tiny import textbook_losses

TASKS = (2, 3, 7)
PLAIN = replace_fields(
    Config(),
    base=5,
    moduli=TASKS,
    train_fraction=0.5,
    width=8,
    heads=2,
    epochs=10,
    precision="float64",
    learning_rate=0.01,
    weight_decay=0.3,
    beta1=0.8,
    beta2=0.9,
    epsilon=1e-6,
    filter="ema",
    filter_strength=2.0,
    filter_decay=0.7,
    warmup_epochs=4,
    masked_tasks=(3,),
    dropout=0.0,
)


def make(config):
    """A setting, epoch 0 and what the run is given, put together from the dataset here."""
    setting = make_batch([config]).setting
    dataset = build_dataset(config.task, config.seed)

    def samples(numbers):
        digits, targets = dataset.digits[numbers], dataset.targets[numbers].T
        return Samples(jnp.asarray(digits), jnp.asarray(targets))

    trained = [modulus not in config.task.masked_tasks for modulus in dataset.moduli]
    inputs = RunInputs(
        key=run_key(config.seed),
        train=samples(dataset.split.train),
        validation=samples(dataset.split.validation),
        hyperparameters=Hyperparameters(
            learning_rate=jnp.asarray(config.optim.learning_rate),
            weight_decay=jnp.asarray(config.optim.weight_decay),
            filter_strength=jnp.asarray(config.optim.filter_strength),
            dropout=jnp.asarray(config.training.dropout),
            task_weights=jnp.asarray(task_weights(trained, config.training.task_reduction)),
        ),
    )
    # what does not shape the state is left out, so that it is compiled once
    shaping = dataclasses.replace(setting, training=PLAIN.training, use_dropout=False)
    return setting, compiled_start(shaping)(config.seed), inputs


@lru_cache
def compiled_start(setting):
    return jax.jit(lambda seed: initial_state(setting, seed))


@lru_cache
def compiled_step(setting):
    return jax.jit(lambda state, epoch, inputs: train_epoch(setting, state, epoch, inputs))


@lru_cache
def compiled_measurement(setting):
    """What an update measures, without making it."""
    return jax.jit(lambda state, epoch, inputs: train_epoch(setting, state, epoch, inputs)[1].train)


def train(setting, state, inputs, epochs):
    """The states and records of some epochs."""
    step, through = compiled_step(setting), []
    for epoch in epochs:
        state, record = step(state, epoch, inputs)
        through.append((state, record))
    return through


def hand_written_updates(state, given):
    """AdamW behind the EMA filter in NumPy; gradients of the textbook by autodiff.

    `given`: per update its epoch, digits and targets. Yields, per update: weights after it; losses
    (guessing: 1), accuracies before it; gradients.
    """

    @jax.jit
    def gradient_of(parameters, digits, targets):
        def total(parameters):
            losses, accuracies = textbook_losses(parameters, digits, targets, TASKS)
            return (losses * jnp.asarray([1.0, 0.0, 1.0])).sum(), (losses, accuracies)

        return jax.grad(total, has_aux=True)(parameters)

    leaves, structure = jax.tree.flatten(state.parameters)
    weights = [np.asarray(leaf) for leaf in leaves]
    slow, first, second = ([np.zeros_like(leaf) for leaf in weights] for _ in range(3))
    for update, (epoch, digits, targets) in enumerate(given, start=1):
        gradients, measured = gradient_of(jax.tree.unflatten(structure, weights), digits, targets)
        gradients = [np.asarray(leaf) for leaf in jax.tree.leaves(gradients)]
        rate = 0.01 * min(epoch / 4, 1)
        for index, gradient in enumerate(gradients):
            average = gradient if update == 1 else 0.7 * slow[index] + 0.3 * gradient
            slow[index] = average
            filtered = gradient + 2.0 * average
            first[index] = 0.8 * first[index] + 0.2 * filtered
            second[index] = 0.9 * second[index] + 0.1 * filtered**2
            mean = first[index] / (1 - 0.8**update)
            variance = second[index] / (1 - 0.9**update)
            move = mean / (np.sqrt(variance) + 1e-6) + 0.3 * weights[index]
            weights[index] = weights[index] - rate * move
        yield list(weights), measured, gradients


def test_updates_equal_those_written_by_hand(x64):
    setting, state, inputs = make(PLAIN)
    epochs = range(1, 6)
    found = train(setting, state, inputs, epochs)
    numbers = (inputs.train.digits, inputs.train.targets)
    expected = hand_written_updates(state, [(epoch, *numbers) for epoch in epochs])
    for (after, record), (weights, (losses, accuracies), gradients) in zip(
        found, expected, strict=True
    ):
        np.testing.assert_allclose(record.train.loss, losses, rtol=1e-11)
        np.testing.assert_allclose(np.asarray(record.train.correct) / 12, accuracies, rtol=1e-15)
        norms = [np.linalg.norm(gradient.ravel()) for gradient in gradients]
        np.testing.assert_allclose(record.gradient_norm, norms, rtol=1e-9)
        for leaf, weight in zip(jax.tree.leaves(after.parameters), weights, strict=True):
            assert leaf.dtype == jnp.float64
            np.testing.assert_allclose(leaf, weight, rtol=1e-8, atol=1e-11)


def test_minibatches_are_updates_on_shares_of_the_numbers(x64):
    setting, state, inputs = make(replace_fields(PLAIN, minibatches=5))
    shares = [
        np.asarray(minibatch_indices(jax.random.fold_in(inputs.key, epoch), 12, 5))
        for epoch in (1, 2, 3)
    ]
    given = [
        (epoch, inputs.train.digits[share], inputs.train.targets[:, share])
        for epoch, of_epoch in enumerate(shares, start=1)
        for share in of_epoch
    ]
    expected = list(hand_written_updates(state, given))
    for epoch, (after, record) in enumerate(train(setting, state, inputs, (1, 2, 3))):
        of_epoch = expected[5 * epoch : 5 * epoch + 5]
        weights = of_epoch[-1][0]
        for leaf, weight in zip(jax.tree.leaves(after.parameters), weights, strict=True):
            np.testing.assert_allclose(leaf, weight, rtol=1e-8, atol=1e-11)
        # Five updates on two numbers each.
        for found, position in ((record.train.loss, 0), (np.asarray(record.train.correct) / 10, 1)):
            mean = np.mean([measured[position] for _, measured, _ in of_epoch], axis=0)
            np.testing.assert_allclose(found, mean, rtol=1e-9)
        norms = [[np.linalg.norm(leaf.ravel()) for leaf in leaves] for *_, leaves in of_epoch]
        np.testing.assert_allclose(record.gradient_norm, np.mean(norms, axis=0), rtol=1e-8)


@pytest.mark.parametrize(("samples", "count"), [(12, 5), (12, 12), (13, 3)])
def test_shares_are_equal_disjoint_and_drawn_anew(samples, count):
    orders = []
    for epoch in (1, 2):
        shares = np.asarray(minibatch_indices(jax.random.key(epoch), samples, count))
        assert shares.shape == (count, samples // count)
        assert len(set(shares.ravel())) == shares.size
        assert set(shares.ravel()) <= set(range(samples))
        orders.append(shares.ravel().tolist())
    assert orders[0] != orders[1]
    assert orders[0] != sorted(orders[0])


def test_every_minibatch_has_dropout_of_its_own(x64):
    config = replace_fields(PLAIN, dropout=0.5, minibatches=2, learning_rate=1e-300)
    setting, state, inputs = make(config)
    measured = compiled_measurement(setting)(state, 3, inputs)
    key = jax.random.fold_in(run_key(config.seed), 3)
    losses = []
    for index, share in enumerate(minibatch_indices(key, 12, 2)):
        (block,) = dropout_masks(
            jax.random.fold_in(key, index),
            0.5,
            samples=6,
            depth=1,
            positions=3,
            width=8,
            dtype=jnp.float64,
        )
        found, _ = textbook_losses(
            state.parameters,
            inputs.train.digits[share],
            inputs.train.targets[:, share],
            TASKS,
            [(block.attention, block.mlp)],
        )
        losses.append(found)
    np.testing.assert_allclose(measured.loss, np.mean(losses, axis=0), rtol=1e-11)


def test_the_mean_over_tasks_divides_the_gradient_by_their_number(x64):
    setting, state, inputs = make(PLAIN)
    _, _, mean_inputs = make(replace_fields(PLAIN, task_reduction="mean"))
    ((_, of_sum),) = train(setting, state, inputs, [1])
    ((_, of_mean),) = train(setting, state, mean_inputs, [1])
    np.testing.assert_allclose(of_sum.gradient_norm, 3 * of_mean.gradient_norm, rtol=1e-12)
    # what is measured stays per task
    np.testing.assert_array_equal(of_sum.train.loss, of_mean.train.loss)


def test_the_quadratic_mean_weighs_tasks_by_their_loss(x64):
    """Its gradient, weight by weight, against one backward pass per task; 3 is masked."""
    config = replace_fields(PLAIN, task_reduction="quadratic_mean")
    setting, state, inputs = make(config)
    ((_, record),) = train(setting, state, inputs, [1])

    def of_task(parameters, task):
        losses, _ = textbook_losses(parameters, inputs.train.digits, inputs.train.targets, TASKS)
        return losses[task]

    losses = [float(of_task(state.parameters, task)) for task in range(3)]
    gradients = [jax.grad(of_task)(state.parameters, task) for task in range(3)]
    total = np.sqrt((losses[0] ** 2 + losses[2] ** 2) / 3)
    expected = jax.tree.map(
        lambda first, _, third: (losses[0] * first + losses[2] * third) / (3 * total), *gradients
    )
    norms = [np.sqrt((np.asarray(leaf) ** 2).sum()) for leaf in jax.tree.leaves(expected)]
    np.testing.assert_allclose(record.gradient_norm, norms, rtol=1e-9)


@pytest.mark.parametrize(("epoch", "by_size"), [(4, False), (5, True), (6, True)])
def test_large_tasks_weigh_more_from_their_epoch_on(x64, epoch, by_size):
    """The gradient, weight by weight, against one backward pass per task; 3 is masked."""
    config = replace_fields(PLAIN, large_task_power=2.0, large_task_classes=2, large_task_epoch=5)
    setting, state, inputs = make(config)
    ((after, record),) = train(setting, state, inputs, [epoch])

    def of_task(parameters, task):
        losses, _ = textbook_losses(parameters, inputs.train.digits, inputs.train.targets, TASKS)
        return losses[task]

    raw = [max(1.0, size / 2) ** 2 for size in TASKS]
    weights = [one * 3 / sum(raw) if by_size else 1.0 for one in raw]
    expected = jax.tree.map(
        lambda first, third: weights[0] * first + weights[2] * third,
        *(jax.grad(of_task)(state.parameters, task) for task in (0, 2)),
    )
    norms = [np.sqrt((np.asarray(leaf) ** 2).sum()) for leaf in jax.tree.leaves(expected)]
    np.testing.assert_allclose(record.gradient_norm, norms, rtol=1e-9)
    # What is measured is each task's own loss.
    plain_setting, _, _ = make(PLAIN)
    judged = evaluate(setting, after.parameters, inputs.validation)
    plain = evaluate(plain_setting, after.parameters, inputs.validation)
    np.testing.assert_array_equal(judged.loss, plain.loss)
    of_tasks = [float(of_task(state.parameters, task)) for task in range(3)]
    np.testing.assert_allclose(record.train.loss, of_tasks, rtol=1e-12)


@pytest.mark.parametrize(
    ("epochs", "epoch", "share"), [(0, 5, 0.4), (8, 1, 0.4), (8, 5, 0.2), (8, 9, 0.0), (8, 10, 0.0)]
)
def test_labels_are_smoothed_for_the_update_and_not_for_validation(x64, epochs, epoch, share):
    plain_setting, state, inputs = make(PLAIN)
    config = replace_fields(PLAIN, label_smoothing=0.4, label_smoothing_epochs=epochs)
    setting, _, _ = make(config)
    ((after, record),) = train(setting, state, inputs, [epoch])
    digits, targets = inputs.train.digits, inputs.train.targets

    def smoothed(parameters):
        """The label's loss and the mean over labels, mixed, task by task."""
        logits, losses, start = textbook_forward(parameters, digits), [], 0
        for labels, size in zip(targets, TASKS, strict=True):
            surprises = -jax.nn.log_softmax(logits[:, start : start + size])
            chosen = jnp.take_along_axis(surprises, labels[:, None], axis=1)[:, 0]
            mixed = (1 - share) * chosen + share * surprises.mean(axis=1)
            losses.append(mixed.mean() / np.log(size))
            start += size
        return jnp.stack(losses)

    np.testing.assert_allclose(record.train.loss, smoothed(state.parameters), rtol=1e-12)
    # 3 is masked, and teaches nothing.
    expected = jax.grad(lambda weights: smoothed(weights)[jnp.asarray([0, 2])].sum())(
        state.parameters
    )
    norms = [np.sqrt((np.asarray(leaf) ** 2).sum()) for leaf in jax.tree.leaves(expected)]
    np.testing.assert_allclose(record.gradient_norm, norms, rtol=1e-9)
    judged = evaluate(setting, after.parameters, inputs.validation)
    plain = evaluate(plain_setting, after.parameters, inputs.validation)
    np.testing.assert_array_equal(judged.loss, plain.loss)


def test_a_masked_task_is_measured_and_teaches_nothing(x64):
    config = replace_fields(PLAIN, weight_decay=0.0)
    setting, state, inputs = make(config)
    (after, record), *_ = train(setting, state, inputs, [1])
    before = np.asarray(state.parameters.unembedding)
    after = np.asarray(after.parameters.unembedding)
    np.testing.assert_array_equal(after[:, 2:5], before[:, 2:5])  # the classes of task 3
    assert (after[:, :2] != before[:, :2]).all()
    assert (after[:, 5:] != before[:, 5:]).all()
    losses, _ = textbook_losses(state.parameters, inputs.train.digits, inputs.train.targets, TASKS)
    np.testing.assert_allclose(record.train.loss, losses, rtol=1e-12)


@pytest.mark.parametrize("mask", ["per_sample", "per_step"])
def test_dropout_of_an_epoch_is_folded_from_its_number(x64, mask):
    config = replace_fields(PLAIN, dropout=0.5, dropout_mask=mask)
    setting, state, inputs = make(config)
    assert setting.use_dropout
    # the same weights at two epochs: only the masks differ
    for epoch in (3, 4):
        measured = compiled_measurement(setting)(state, epoch, inputs)
        samples = len(inputs.train.digits)
        (block,) = dropout_masks(
            jax.random.fold_in(run_key(config.seed), epoch),
            0.5,
            samples=samples if mask == "per_sample" else 1,
            depth=1,
            positions=3,
            width=8,
            dtype=jnp.float64,
        )
        assert block.mlp.shape == (samples if mask == "per_sample" else 1, 1, 8)
        losses, _ = textbook_losses(
            state.parameters,
            inputs.train.digits,
            inputs.train.targets,
            TASKS,
            [(block.attention, block.mlp)],
        )
        np.testing.assert_allclose(measured.loss, losses, rtol=1e-11)


def test_a_dropout_of_zero_is_none(x64):
    setting, state, inputs = make(PLAIN)
    with_masks, *_ = make(replace_fields(PLAIN, dropout=0.5))
    assert (setting.use_dropout, with_masks.use_dropout) == (False, True)
    assert float(inputs.hyperparameters.dropout) == 0
    ((_, none),) = train(setting, state, inputs, [1])
    zero = compiled_measurement(with_masks)(state, 1, inputs)
    np.testing.assert_allclose(zero.loss, none.train.loss, rtol=1e-13)
    np.testing.assert_array_equal(zero.correct, none.train.correct)


def test_evaluation_has_no_dropout(x64):
    setting, state, inputs = make(replace_fields(PLAIN, dropout=0.5))
    found = jax.jit(lambda p, s: evaluate(setting, p, s))(state.parameters, inputs.train)
    losses, accuracies = textbook_losses(
        state.parameters, inputs.train.digits, inputs.train.targets, TASKS
    )
    np.testing.assert_allclose(found.loss, losses, rtol=1e-12)
    np.testing.assert_allclose(np.asarray(found.correct) / 12, accuracies, rtol=1e-15)


def test_waves_are_measured_by_their_squared_error(x64):
    setting, state, inputs = make(replace_fields(PLAIN, task="waves", moduli=(), masked_tasks=()))
    found = compiled_measurement(setting)(state, 1, inputs)
    outputs = jax.jit(textbook_forward)(state.parameters, inputs.train.digits)[:, 0]
    error = np.asarray(outputs) - np.asarray(inputs.train.targets)[0]
    np.testing.assert_allclose(found.loss, [(error**2).mean()], rtol=1e-12)
    assert found.correct.tolist() == [(abs(error) <= 0.1).sum()]


def test_the_seed_decides_weights_and_dropout():
    setting = make_batch([PLAIN]).setting
    with numerics(setting):
        first, again, other = (to_arrays(compiled_start(setting)(seed)) for seed in (0, 0, 1))
    for name, values in first.items():
        np.testing.assert_array_equal(values, again[name])
        if name.startswith("parameters"):
            assert not np.array_equal(values, other[name])
        else:
            assert not values.any()  # an optimiser that has seen nothing
    keys = [jax.random.key_data(run_key(seed)).tolist() for seed in (0, 1)]
    assert keys[0] != keys[1]


@pytest.mark.parametrize("name", ["ema", "ma", "none", "ema_on_tasks"])
def test_a_state_survives_its_arrays(name):
    fields = {"filter_tasks": (2, 3)} if name == "ema_on_tasks" else {"filter_window": 3}
    setting = make_batch([replace_fields(PLAIN, filter=name, depth=2, **fields)]).setting
    with numerics(setting):
        template = jax.eval_shape(lambda: initial_state(setting, 0))
    generator = np.random.default_rng(0)
    state = jax.tree.map(
        lambda leaf: generator.integers(100, size=leaf.shape).astype(leaf.dtype), template
    )
    arrays = to_arrays(state)
    assert len(arrays) == len(jax.tree.leaves(state))
    weights = [f"parameters.{name}" for name in weight_names(state.parameters)]
    assert [key for key in arrays if key.startswith("parameters.")] == weights
    shuffled = dict(sorted(arrays.items(), reverse=True))
    back = from_arrays(template, shuffled)
    assert jax.tree.structure(back) == jax.tree.structure(state)
    jax.tree.map(np.testing.assert_array_equal, back, state)
    expected = expected_arrays(template)
    assert expected == {key: (leaf.shape, str(leaf.dtype)) for key, leaf in arrays.items()}
    assert expected["parameters.blocks.1.mlp_in"] == ((8, 32), "float64")
    with pytest.raises(KeyError, match="unembedding"):
        from_arrays(template, {k: v for k, v in arrays.items() if "unembedding" not in k})
