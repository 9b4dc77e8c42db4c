"""One epoch: the loss with its gradient, the update, and their measurements."""

from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, Key

from miiii.model.config import ModelConfig
from miiii.model.dropout import dropout_masks
from miiii.model.initialise import initialise
from miiii.model.parameters import Parameters
from miiii.model.transformer import forward
from miiii.optim.build import build_optimiser
from miiii.optim.config import OptimConfig
from miiii.optim.schedule import learning_rate_factor
from miiii.training.averaging import move_average
from miiii.training.config import GENERATOR, TrainingConfig
from miiii.training.loss import (
    size_weights,
    squared_error,
    task_cross_entropy,
    task_divisors,
    total_of_tasks,
)
from miiii.training.stablemax import task_stablemax_cross_entropy
from miiii.training.state import Hyperparameters, RunInputs, Samples, TrainState

_INITIALISATION_STREAM, _DROPOUT_STREAM = 0, 1


@dataclass(frozen=True)
class Setting:
    """The settings that shape the compiled program; runs that agree on them train as one batch."""

    model: ModelConfig
    optim: OptimConfig
    training: TrainingConfig
    base: int
    class_sizes: tuple[int, ...]
    regression: bool
    use_dropout: bool

    @property
    def outputs(self) -> int:
        """V: logits per number, of all tasks together."""
        return sum(self.class_sizes)

    @property
    def dtype(self) -> jnp.dtype:
        """Of weights, activations and loss."""
        return jnp.dtype(self.training.precision)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Measured:
    """Loss (divided by ln q where so configured) and right answers of every task."""

    loss: Float[Array, "N"]
    correct: Int[Array, "N"]
    """A count, because XLA's division would round a share (`training.loss`)."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class EpochRecord:
    """Training loss, with dropout, and gradient norms of an epoch, at the weights before an update.

    With several updates in an epoch losses and norms are means over them, right answers their sum.
    """

    train: Measured
    gradient_norm: Float[Array, "W"]
    """L2 norm per weight, before the filter."""


def run_key(seed: int) -> Key[Array, ""]:
    """The key from which the random keys of all epochs of a run are folded."""
    return jax.random.fold_in(_root(seed), _DROPOUT_STREAM)


def _root(seed: int | Int[Array, ""]) -> Key[Array, ""]:
    """The key of a seed below 2³², made without the seed offset that JAX can be set to add."""
    words = jnp.stack([jnp.zeros([], jnp.uint32), jnp.asarray(seed).astype(jnp.uint32)])
    return jax.random.wrap_key_data(words, impl=GENERATOR)


def initial_parameters(setting: Setting, seed: int) -> Parameters:
    """The weights of epoch 0."""
    key = jax.random.fold_in(_root(seed), _INITIALISATION_STREAM)
    return initialise(
        key, setting.model, setting.base, setting.outputs, len(setting.class_sizes), setting.dtype
    )


def initial_state(setting: Setting, seed: int) -> TrainState:
    """The state of epoch 0: initial weights and a new optimiser state."""
    return fresh_state(setting, initial_parameters(setting, seed))


def fresh_state(setting: Setting, parameters: Parameters) -> TrainState:
    """Given weights with a new optimiser state."""
    weights: Any = parameters
    optimiser = build_optimiser(setting.optim).init(weights)
    # A copy, because states are donated, and a buffer can be donated only once.
    average = jax.tree.map(jnp.copy, parameters) if setting.training.average_weights else None
    return TrainState(parameters, optimiser, average)


def measure(
    setting: Setting,
    logits: Float[Array, "B V"],
    targets: Int[Array, "N B"] | Float[Array, "1 B"],
    smoothing: Float[Array, ""] | None = None,
) -> Measured:
    """Loss and right answers per task (paper Eqs. 4 and 10), with the setting's normaliser.

    Labels are smoothed in updates only, so that validation losses of all runs can be compared.
    """
    of_tasks: Any
    if setting.regression:
        of_tasks = squared_error(logits.T, targets)
    elif setting.training.normaliser == "stablemax":
        of_tasks = task_stablemax_cross_entropy(logits.T, targets, setting.class_sizes)
    else:
        of_tasks = task_cross_entropy(logits.T, targets, setting.class_sizes, smoothing)
    loss, correct = of_tasks
    divisors = task_divisors(
        setting.class_sizes, setting.training.task_scale, regression=setting.regression
    )
    return Measured(loss / jnp.asarray(divisors, loss.dtype), correct)


def evaluate(setting: Setting, parameters: Parameters, samples: Samples) -> Measured:
    """Loss and right answers per task, dropout off."""
    return measure(setting, forward(parameters, samples.digits)[0], samples.targets)


def train_epoch(
    setting: Setting, state: TrainState, epoch: Int[Array, ""], inputs: RunInputs
) -> tuple[TrainState, EpochRecord]:
    """One pass over the training numbers: one full-batch update, or one per minibatch.

    Args:
        setting: shapes the computation.
        state: after epoch − 1 passes.
        epoch: this pass's number, from 1.
        inputs: data, key and hyperparameters.

    Returns:
        The state after the pass, and measurements at the weights before each update.
    """
    key = jax.random.fold_in(inputs.key, epoch)
    count = setting.training.minibatches
    if count == 1:
        after, record = _update(setting, state, epoch, key, inputs.train, inputs.hyperparameters)
        return _with_average(setting, after, epoch), record
    shares = minibatch_indices(key, inputs.train.digits.shape[0], count)

    def one(state: TrainState, given: Any) -> tuple[TrainState, EpochRecord]:
        index, share = given
        train = Samples(inputs.train.digits[share], inputs.train.targets[:, share])
        own_key = jax.random.fold_in(key, index)
        after, record = _update(setting, state, epoch, own_key, train, inputs.hyperparameters)
        return _with_average(setting, after, epoch, index), record

    state, records = jax.lax.scan(one, state, (jnp.arange(count), shares))
    correct = records.train.correct.sum(axis=0, dtype=jnp.int32)
    train = Measured(records.train.loss.mean(axis=0), correct)
    return state, EpochRecord(train, records.gradient_norm.mean(axis=0))


def _with_average(
    setting: Setting, state: TrainState, epoch: Int[Array, ""], index: Int[Array, ""] | int = 0
) -> TrainState:
    """The state after the update of an epoch with that index, with its average updated."""
    if state.average is None:
        return state
    training = setting.training
    # As a float, because epochs × minibatches may exceed int32.
    update = (epoch - 1).astype(setting.dtype) * training.minibatches + index + 1
    average = move_average(state.average, state.parameters, training.average_weights, update)
    return replace(state, average=average)


def minibatch_indices(key: Key[Array, ""], samples: int, count: int) -> Int[Array, "K M"]:
    """Equal shares of the training numbers in random order; fewer than `count` are left out.

    Args:
        key: the epoch's. Update i < count draws its dropout from `fold_in(key, i)`, and the order
            is drawn from `fold_in(key, count)`.
        samples: B.
        count: K, at most B.
    """
    order = jax.random.permutation(jax.random.fold_in(key, count), samples)
    return order[: samples - samples % count].reshape(count, -1)


def label_smoothing(setting: Setting, epoch: Int[Array, ""]) -> Float[Array, ""] | None:
    """The label smoothing of an epoch's updates; None where the run uses none in any epoch."""
    share, epochs = setting.training.label_smoothing, setting.training.label_smoothing_epochs
    if not share:
        return None
    left = jnp.maximum(1 - (epoch - 1) / epochs, 0) if epochs else 1.0
    return jnp.asarray(share * left, setting.dtype)


def weights_in_epoch(
    setting: Setting, weights: Float[Array, "N"], epoch: Int[Array, ""]
) -> Float[Array, "N"]:
    """The tasks' weights, from `large_task_epoch` on multiplied by `size_weights`."""
    training = setting.training
    if not training.large_task_power:
        return weights
    sizes = size_weights(
        setting.class_sizes, training.large_task_power, training.large_task_classes
    )
    by_size = weights * jnp.asarray(sizes, weights.dtype)
    return jnp.where(epoch >= training.large_task_epoch, by_size, weights)


def _update(
    setting: Setting,
    state: TrainState,
    epoch: Int[Array, ""],
    key: Key[Array, ""],
    train: Samples,
    hyperparameters: Hyperparameters,
) -> tuple[TrainState, EpochRecord]:
    """The state after one update on some numbers, and measurements at the weights before it."""
    masks = None
    if setting.use_dropout:
        per_step = setting.training.dropout_mask == "per_step"
        masks = dropout_masks(
            key,
            hyperparameters.dropout,
            samples=1 if per_step else train.digits.shape[0],
            depth=setting.model.depth,
            positions=setting.model.positions,
            width=setting.model.width,
            dtype=setting.dtype,
        )

    smoothing = label_smoothing(setting, epoch)
    task_weights = weights_in_epoch(setting, hyperparameters.task_weights, epoch)

    def total_loss(parameters: Parameters) -> tuple[Float[Array, ""], Measured]:
        logits, _ = forward(parameters, train.digits, masks)
        measured = measure(setting, logits, train.targets, smoothing)
        reduction = setting.training.task_reduction
        return total_of_tasks(measured.loss, task_weights, reduction), measured

    gradients, measured = jax.grad(total_loss, has_aux=True)(state.parameters)
    factor = learning_rate_factor(setting.optim, epoch, jnp).astype(setting.dtype)
    optimiser = build_optimiser(
        setting.optim,
        learning_rate=hyperparameters.learning_rate * factor,
        weight_decay=hyperparameters.weight_decay,
        filter_strength=hyperparameters.filter_strength,
    )
    # Any, because optax's types do not include registered dataclasses.
    weights: Any = state.parameters
    updates, optimiser_state = optimiser.update(gradients, state.optimiser, weights)
    parameters: Any = optax.apply_updates(weights, updates)
    norms = jnp.stack([jnp.sqrt((leaf**2).sum()) for leaf in jax.tree.leaves(gradients)])
    return TrainState(parameters, optimiser_state, state.average), EpochRecord(measured, norms)
