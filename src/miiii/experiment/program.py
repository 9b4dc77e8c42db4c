"""A batch, compiled: the chunk of epochs with its inputs, and JAX as its precision wants it."""

import contextlib
import functools
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from miiii.config.config import Config
from miiii.experiment.batch import Batch
from miiii.model.parameters import Parameters, weight_names
from miiii.runs.counts import epoch_sizes
from miiii.tasks.dataset import Dataset
from miiii.training.chunk import make_chunk, total_size
from miiii.training.config import GENERATOR
from miiii.training.loss import task_weights
from miiii.training.state import Hyperparameters, RunInputs, Samples, TrainState
from miiii.training.step import Setting, initial_parameters, initial_state, run_key

CAPACITY = 1024
"""The most epochs in one dispatch; small models reach it within half a second."""

KEPT_PROGRAMS = 8
"""Compiled programs that a process keeps."""

Waiting = Callable[[], bool]
"""Asked again and again; true means stop."""


@contextlib.contextmanager
def numerics(setting: Setting) -> Iterator[None]:
    """JAX as the setting's precision wants it. Belongs to the thread that enters it.

    What JAX's own environment variables could change about a run's numbers, or refuse to compute,
    is set here too, to JAX's defaults.
    """
    products = {"float32": "highest", "tensorfloat32": "tensorfloat32"}
    with (
        jax.enable_x64(setting.training.precision == "float64"),
        jax.default_matmul_precision(products[setting.training.matrix_products]),
        jax.default_prng_impl(GENERATOR),
        jax.threefry_partitionable(True),
        jax.numpy_rank_promotion("allow"),
        jax.numpy_dtype_promotion("standard"),
        jax.disable_jit(False),
        jax.transfer_guard("allow"),
    ):
        yield


@dataclass(frozen=True)
class Program:
    """A batch, compiled."""

    batch: Batch
    chunk: Callable[..., Any]
    """As `training.chunk.make_chunk` describes; the states are donated."""
    inputs: RunInputs
    sharding: NamedSharding
    capacity: int
    weight_names: list[str]
    state_bytes: int
    """Of one run."""
    parameter_bytes: int
    """Of one run."""
    memory_bytes: int
    """Of everything that the program holds at once."""

    @property
    def examples(self) -> dict[str, int]:
        """How many numbers of each split an epoch of one run asks."""
        return examples_per_epoch(self.batch)

    def initial_states(self) -> TrainState:
        """Epoch 0 of every run, with a leading axis of runs."""
        return _initial_states(self.batch)

    def place(self, states: Any) -> Any:
        """Put states where the program expects them."""
        return jax.device_put(states, self.sharding)


def examples_per_epoch(batch: Batch) -> dict[str, int]:
    """How many numbers of train and of validation an epoch of one run asks."""
    split = batch.datasets[0].split
    updates = batch.setting.training.minibatches
    return epoch_sizes(len(split.train), len(split.validation), updates)


def _initial_states(batch: Batch) -> TrainState:
    make = jax.jit(lambda seed: initial_state(batch.setting, seed))
    return _stack([make(config.seed) for config in batch.configs])


def state_template(setting: Setting) -> TrainState:
    """Shapes and dtypes of one run's state. Call within `numerics`."""
    return jax.eval_shape(lambda: initial_state(setting, 0))


def parameters_template(setting: Setting) -> Parameters:
    """Shapes and dtypes of one run's weights. Call within `numerics`."""
    return jax.eval_shape(lambda: initial_parameters(setting, 0))


def compile_program(batch: Batch, stop: Waiting) -> Program | None:
    """Compile a batch's chunk of epochs.

    Compilation cannot be interrupted, so it happens in a thread of its own; a process that ends
    meanwhile waits for it, or leaves by `os._exit`.

    Returns:
        The program, or None when `stop` became true while it was compiling.
    """
    result: list[Program | BaseException] = []

    def work() -> None:
        try:
            with numerics(batch.setting):
                result.append(_compile(batch))
        except BaseException as error:
            result.append(error)

    thread = threading.Thread(target=work, name="compilation")
    thread.start()
    while thread.is_alive():
        thread.join(0.05)
        if stop():
            return None
    if isinstance(result[0], BaseException):
        raise result[0]
    return result[0]


def _compile(batch: Batch) -> Program:
    sharding = _runs_sharding(len(batch.configs))
    inputs = jax.device_put(_stack([*map(_inputs, *_per_run(batch))]), sharding)
    template = state_template(batch.setting)
    # Whatever the number of epochs, so that runs of every length share one program.
    capacity = CAPACITY
    leaves, structure = jax.tree.flatten(inputs)
    shapes = tuple(
        jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=leaf.sharding) for leaf in leaves
    )
    compiled = compiled_chunk(
        batch.setting, capacity, len(batch.configs), shapes, structure, sharding
    )

    def chunk(states: TrainState, done: int, count: int, inputs: RunInputs) -> Any:
        return compiled(states, np.int32(done), np.int32(count), inputs)

    analysis = compiled.memory_analysis()
    memory = 0
    if analysis is not None:
        memory = (
            analysis.argument_size_in_bytes
            + analysis.output_size_in_bytes
            - analysis.alias_size_in_bytes
            + analysis.temp_size_in_bytes
        )
    return Program(
        batch=batch,
        chunk=chunk,
        inputs=inputs,
        sharding=sharding,
        capacity=capacity,
        weight_names=weight_names(template.parameters),
        state_bytes=int(total_size(template)),
        parameter_bytes=int(total_size(template.parameters)),
        memory_bytes=int(memory),
    )


@functools.lru_cache(maxsize=KEPT_PROGRAMS)
def compiled_chunk(
    setting: Setting,
    capacity: int,
    runs: int,
    shapes: tuple[jax.ShapeDtypeStruct, ...],
    structure: Any,
    sharding: NamedSharding,
) -> Any:
    """The compiled chunk; a process that trains batch after batch of one shape compiles once."""
    states = jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct((runs, *leaf.shape), leaf.dtype, sharding=sharding),
        state_template(setting),
    )
    inputs = jax.tree.unflatten(structure, shapes)
    chunk = jax.jit(make_chunk(setting, capacity), donate_argnums=0)
    return chunk.lower(states, np.int32(0), np.int32(0), inputs).compile()


def _per_run(batch: Batch) -> tuple[Any, Any, Any]:
    return batch.configs, batch.datasets, [batch.setting] * len(batch.configs)


def _inputs(config: Config, dataset: Dataset, setting: Setting) -> RunInputs:
    def samples(numbers: np.ndarray) -> Samples:
        targets = np.ascontiguousarray(dataset.targets[numbers].T)
        dtype = setting.dtype if setting.regression else jnp.int32
        return Samples(jnp.asarray(dataset.digits[numbers]), jnp.asarray(targets, dtype))

    trained = [modulus not in config.task.masked_tasks for modulus in dataset.moduli]
    numbers = Hyperparameters(
        learning_rate=config.optim.learning_rate,  # pyright: ignore[reportArgumentType]
        weight_decay=config.optim.weight_decay,  # pyright: ignore[reportArgumentType]
        filter_strength=config.optim.filter_strength,  # pyright: ignore[reportArgumentType]
        dropout=config.training.dropout,  # pyright: ignore[reportArgumentType]
        task_weights=task_weights(trained, config.training.task_reduction),  # pyright: ignore[reportArgumentType]
    )
    return RunInputs(
        key=run_key(config.seed),
        train=samples(dataset.split.train),
        validation=samples(dataset.split.validation),
        hyperparameters=jax.tree.map(lambda value: jnp.asarray(value, setting.dtype), numbers),
    )


@jax.jit
def _stack(trees: Sequence[Any]) -> Any:
    """Trees of arrays as one, with a leading axis; one program, not one for every shape."""
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


def _runs_sharding(runs: int) -> NamedSharding:
    """The batch axis over as many local devices as divide it."""
    devices = jax.local_devices()[: device_count(runs)]
    return NamedSharding(Mesh(np.asarray(devices), ("runs",)), PartitionSpec("runs"))


def device_count(runs: int) -> int:
    """Over how many of this process's devices so many runs are spread, equally many on each."""
    return max(size for size in range(1, len(jax.local_devices()) + 1) if runs % size == 0)
