"""A compiled batch: the chunk of epochs with its inputs, and the settings of JAX it runs under."""

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from miiii.config.config import Config
from miiii.experiment.batch import Batch
from miiii.experiment.interrupts import StopCheck
from miiii.model.parameters import Parameters, weight_names
from miiii.runs.counts import epoch_sizes
from miiii.tasks.dataset import Dataset
from miiii.training.chunk import make_chunk, total_size
from miiii.training.config import GENERATOR
from miiii.training.loss import task_weights
from miiii.training.state import Hyperparameters, RunInputs, Samples, TrainState
from miiii.training.step import Setting, initial_parameters, initial_state, run_key

CAPACITY = 1024
"""The most epochs in one dispatch, whatever a run's epochs, so that runs of every length share one
program; small models reach it within half a second."""

KEPT_PROGRAMS = 8
"""Compiled programs that a process keeps."""


@contextlib.contextmanager
def numerics(setting: Setting) -> Iterator[None]:
    """Set JAX to the setting's precision within the block, for this thread only.

    Options that JAX's environment variables may have set, and that change a run's numbers or make
    JAX refuse to compute them, are set to JAX's defaults.
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
    """A compiled batch."""

    batch: Batch
    chunk: Callable[..., Any]
    """As `training.chunk.make_chunk` describes; the states are donated."""
    inputs: RunInputs
    sharding: NamedSharding
    capacity: int
    """The most epochs of one call of `chunk`."""
    weight_names: list[str]
    state_bytes: int
    """Size of one run's state."""
    parameter_bytes: int
    """Size of one run's weights."""
    memory_bytes: int
    """Memory that the program takes: states, inputs, outputs and temporaries."""

    def initial_states(self) -> TrainState:
        """The states of epoch 0, with a leading axis of runs."""
        make = jax.jit(lambda seed: initial_state(self.batch.setting, seed))
        return _stack([make(config.seed) for config in self.batch.configs])

    def place(self, states: Any) -> Any:
        """Put states on the program's devices."""
        return jax.device_put(states, self.sharding)


def examples_per_epoch(batch: Batch) -> dict[str, int]:
    """How many numbers of train and of validation an epoch of one run counts answers of."""
    split = batch.datasets[0].split
    updates = batch.setting.training.minibatches
    return epoch_sizes(len(split.train), len(split.validation), updates)


def state_template(setting: Setting) -> TrainState:
    """Shapes and dtypes of one run's state. Call within `numerics`."""
    return jax.eval_shape(lambda: initial_state(setting, 0))


def parameters_template(setting: Setting) -> Parameters:
    """Shapes and dtypes of one run's weights. Call within `numerics`."""
    return jax.eval_shape(lambda: initial_parameters(setting, 0))


def compile_program(batch: Batch, stop: StopCheck) -> Program | None:
    """Compile a batch's chunk of epochs.

    Compilation cannot be interrupted, so it runs in a thread of its own. A process that ends
    meanwhile waits for the thread, or ends by `os._exit`.

    Returns:
        The program; None if `stop` became true first.
    """

    def work() -> Program:
        with numerics(batch.setting):
            return _compile(batch)

    pool = ThreadPoolExecutor(1, "compilation")
    compiling = pool.submit(work)
    pool.shutdown(wait=False)
    while not compiling.done():
        wait([compiling], 0.05)
        if stop():
            return None
    return compiling.result()


def _compile(batch: Batch) -> Program:
    setting, runs = batch.setting, len(batch.configs)
    sharding = _runs_sharding(runs)
    each = [_inputs(*pair, setting) for pair in zip(batch.configs, batch.datasets, strict=True)]
    inputs = jax.device_put(_stack(each), sharding)
    template = state_template(setting)
    leaves, structure = jax.tree.flatten(inputs)
    shapes = tuple(
        jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=leaf.sharding) for leaf in leaves
    )
    compiled = compiled_chunk(setting, CAPACITY, runs, shapes, structure, sharding)

    def chunk(states: TrainState, done: int, count: int, inputs: RunInputs) -> Any:
        return compiled(states, np.int32(done), np.int32(count), inputs)

    found = compiled.memory_analysis()
    memory = 0
    if found is not None:
        memory = found.argument_size_in_bytes + found.output_size_in_bytes
        memory += found.temp_size_in_bytes - found.alias_size_in_bytes
    return Program(
        batch=batch,
        chunk=chunk,
        inputs=inputs,
        sharding=sharding,
        capacity=CAPACITY,
        weight_names=weight_names(template.parameters),
        state_bytes=total_size(template),
        parameter_bytes=total_size(template.parameters),
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
    """The compiled chunk, cached: a process compiles once for several batches of one shape."""
    states = jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct((runs, *leaf.shape), leaf.dtype, sharding=sharding),
        state_template(setting),
    )
    inputs = jax.tree.unflatten(structure, shapes)
    chunk = jax.jit(make_chunk(setting, capacity), donate_argnums=0)
    return chunk.lower(states, np.int32(0), np.int32(0), inputs).compile()


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
    """Trees of arrays as one tree with a leading axis; jitted, to compile once for all leaves."""
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


def _runs_sharding(runs: int) -> NamedSharding:
    """The axis of runs spread over as many local devices as divide it."""
    devices = jax.local_devices()[: device_count(runs)]
    return NamedSharding(Mesh(np.asarray(devices), ("runs",)), PartitionSpec("runs"))


def device_count(runs: int) -> int:
    """Devices of this process over which a batch is spread: the most that divide its runs."""
    return max(size for size in range(1, len(jax.local_devices()) + 1) if runs % size == 0)
