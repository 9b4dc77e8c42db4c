"""A chunk of epochs in one dispatch, for a batch of runs at once.

The number of epochs is an argument, not a constant, of the compiled program. Each epoch is then
computed by the same instructions however a run is cut into chunks, so that the cut changes no bit.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from miiii.training.state import RunInputs, TrainState
from miiii.training.step import EpochRecord, Measured, Setting, evaluate, train_epoch


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class ChunkRecord:
    """Measurements of a chunk; row i is its i-th epoch, and rows past its end have no meaning."""

    train: EpochRecord
    """Leaves [E, R, …]: epochs, runs."""
    validation: Measured
    """Leaves [E, R, N] after the epoch's updates, of the averaged weights where the runs keep an
    average. In an epoch without a validation: loss NaN and −1 right answers."""
    raw_validation: Measured | None = None
    """The same for the raw weights, where the runs keep an average."""


Count = Int[Array, ""] | int
Chunk = Callable[[TrainState, Count, Count, RunInputs], tuple[TrainState, ChunkRecord]]


def make_chunk(setting: Setting, capacity: int) -> Chunk:
    """Build the program that trains a batch of runs for up to `capacity` epochs.

    Args:
        setting: what shapes the computation.
        capacity: E, the most epochs that one call can make.

    Returns:
        chunk(states, done, count, inputs), to be jitted: every leaf of `states` and `inputs` has a
        leading axis R of runs; `done` epochs were made before; `count` ≤ capacity are made now. The
        states may be donated.
    """
    every = setting.training.validate_every

    def train(
        states: TrainState, epoch: Array, inputs: RunInputs
    ) -> tuple[TrainState, EpochRecord]:
        return train_epoch(setting, states, epoch, inputs)

    def validate(states: TrainState, inputs: RunInputs) -> tuple[Measured, ...]:
        models = [states.model] if states.average is None else [states.model, states.parameters]
        return tuple(evaluate(setting, weights, inputs.validation) for weights in models)

    def chunk(
        states: TrainState, done: Count, count: Count, inputs: RunInputs
    ) -> tuple[TrainState, ChunkRecord]:
        # A single run is computed without vmap, and its axis is removed outside the loop: batched
        # matrix products are slower, and in the loop XLA would copy reshaped states at every epoch.
        single = jax.tree.leaves(states)[0].shape[0] == 1
        if single:
            states, inputs = jax.tree.map(lambda leaf: leaf[0], (states, inputs))
        one_epoch = train if single else jax.vmap(train, in_axes=(0, None, 0))
        measure_all = validate if single else jax.vmap(validate)

        def skip(states: TrainState, inputs: RunInputs) -> tuple[Measured, ...]:
            del states, inputs
            return tuple(
                Measured(
                    jnp.full(one.loss.shape, jnp.nan, one.loss.dtype),
                    jnp.full(one.correct.shape, -1, one.correct.dtype),
                )
                for one in measured
            )

        def body(carry: Any) -> Any:
            row, states, record = carry
            epoch = done + row + 1
            states, trained = one_epoch(states, epoch, inputs)
            validated = jax.lax.cond(epoch % every == 0, measure_all, skip, states, inputs)
            record = jax.tree.map(
                lambda buffer, value: jax.lax.dynamic_update_index_in_dim(buffer, value, row, 0),
                record,
                ChunkRecord(trained, *validated),
            )
            return row + 1, states, record

        epoch_type = jax.ShapeDtypeStruct((), jnp.int32)
        _, trained = jax.eval_shape(one_epoch, states, epoch_type, inputs)
        measured = jax.eval_shape(measure_all, states, inputs)
        record = jax.tree.map(
            lambda leaf: jnp.zeros((capacity, *leaf.shape), leaf.dtype),
            ChunkRecord(trained, *measured),
        )
        start = (jnp.zeros([], jnp.int32), states, record)
        _, states, record = jax.lax.while_loop(lambda carry: carry[0] < count, body, start)
        if single:
            states = jax.tree.map(lambda leaf: leaf[None], states)
            record = jax.tree.map(lambda leaf: leaf[:, None], record)
        return states, record

    return chunk


def history_rows(
    record: ChunkRecord, run: int, done: int, count: int, every: int, examples: Mapping[str, int]
) -> dict[str, np.ndarray]:
    """The measurements of one run in a chunk as named arrays, without rows past the chunk's end.

    Args:
        record: of the chunk.
        run: the run's index in the batch.
        done: epochs made before the chunk.
        count: epochs made in it.
        every: epochs between two validations.
        examples: how many numbers an epoch counts answers of, in train and in validation.

    Returns:
        epoch [E], train_loss and train_correct (right answers) [E, N], train_examples [E],
        gradient_norm [E, W]; validation_epoch and validation_examples [M], validation_loss and
        validation_correct [M, N]; of runs that keep an average validation_raw_loss and
        validation_raw_correct [M, N] as well.
    """
    epochs = np.arange(done + 1, done + count + 1, dtype=np.int64)
    validated = epochs % every == 0

    def rows(leaf: Any) -> np.ndarray:
        return np.asarray(leaf)[:count, run]

    raw: dict[str, np.ndarray] = {}
    if record.raw_validation is not None:
        raw["validation_raw_loss"] = rows(record.raw_validation.loss)[validated]
        raw["validation_raw_correct"] = rows(record.raw_validation.correct)[validated]
    return {
        "epoch": epochs,
        "train_loss": rows(record.train.train.loss),
        "train_correct": rows(record.train.train.correct),
        "train_examples": np.full(count, examples["train"], np.int32),
        "gradient_norm": rows(record.train.gradient_norm),
        "validation_epoch": epochs[validated],
        "validation_loss": rows(record.validation.loss)[validated],
        "validation_correct": rows(record.validation.correct)[validated],
        "validation_examples": np.full(validated.sum(), examples["validation"], np.int32),
        **raw,
    }


def first_not_finite(
    rows: dict[str, np.ndarray], task_names: list[str], weight_names: list[str]
) -> tuple[int, str] | None:
    """The first epoch with a loss or gradient that is not finite, and the name of that number."""
    first: tuple[int, str] | None = None
    for key, text, names in (
        ("train_loss", "loss of task {}", task_names),
        ("gradient_norm", "gradient of {}", weight_names),
    ):
        bad = np.argwhere(~np.isfinite(rows[key]))
        if len(bad) and (first is None or rows["epoch"][bad[0, 0]] < first[0]):
            first = (int(rows["epoch"][bad[0, 0]]), text.format(names[bad[0, 1]]))
    return first


def snapshot_epochs(epochs: int, count: int) -> list[int]:
    """Epochs whose weights are kept: 0, the last, and up to `count` spaced evenly in log epoch.

    The spacing is that of `count` points over 65,536 epochs, whatever the number of epochs, so that
    a run that is made longer keeps its grid.
    """
    if count == 0:
        return []
    ratio = 65536 ** (1 / max(count - 1, 1))
    grid, value = {0, epochs}, 1.0
    while value <= epochs:
        grid.add(round(value))
        value *= ratio
        if ratio == 1:
            break
    return sorted(grid)


def total_size(tree: Any) -> int:
    """Bytes of all leaves (arrays, or their shapes and dtypes)."""
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))
