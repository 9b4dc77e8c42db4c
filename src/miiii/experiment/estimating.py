"""An estimate of the time, memory and disk of a batch, from compiling it and timing epochs."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import jax

from miiii.config.config import Config
from miiii.experiment.batch import make_batch
from miiii.experiment.compiled_programs import keep_programs
from miiii.experiment.interrupts import StopCheck
from miiii.experiment.pace import Pace
from miiii.experiment.program import compile_program, numerics
from miiii.training.chunk import snapshot_epochs


@dataclass(frozen=True)
class Estimate:
    """The time, memory and disk that a batch needs."""

    parameters: int
    """Trained numbers of each run."""
    train: int
    """Training numbers."""
    validation: int
    """Validation numbers."""
    test: int
    """Test numbers."""
    memory_bytes: int
    """Memory of the compiled program: states, inputs, outputs and temporaries of all runs."""
    disk_bytes: int
    """Checkpoints, snapshots and history of all runs."""
    seconds_per_epoch: float
    """Seconds per epoch of the whole batch."""
    seconds: float
    """Seconds for all epochs that are left, without compilation."""


def estimate(
    configs: Sequence[Config],
    stop: StopCheck = lambda: False,
    *,
    seconds: float = 3.0,
    done: int = 0,
) -> Estimate | None:
    """Compile a batch and time some of its epochs. Writes nothing.

    Args:
        configs: as for `start`.
        stop: called repeatedly; true ends the estimate.
        seconds: how long epochs are timed.
        done: epochs that a branch has from its origin, which are not trained again.

    Returns:
        The estimate; None if it was stopped while the program was compiled.
    """
    keep_programs()
    batch = make_batch(configs)
    with numerics(batch.setting):
        program = compile_program(batch, stop)
        if program is None:
            return None
        states = program.place(program.initial_states())
        # The first dispatch is not timed: it also sets up what later ones reuse.
        states, _ = jax.block_until_ready(program.chunk(states, 0, 1, program.inputs))
        pace, timed, began = Pace(), 0, time.monotonic()
        while timed == 0 or (time.monotonic() < began + seconds and not stop()):
            count, before = pace.epochs(program.capacity), time.monotonic()
            states, _ = jax.block_until_ready(
                program.chunk(states, timed + 1, count, program.inputs)
            )
            pace.took(count, time.monotonic() - before)
            timed += count
        seconds_per_epoch = (time.monotonic() - began) / timed
    config = configs[0]
    train, validation, test = config.task.split_sizes
    snapshots = len(snapshot_epochs(config.training.epochs, config.training.snapshots))
    itemsize = batch.setting.dtype.itemsize
    # Two checkpoints stay; a row of history has 4 numbers per task and a norm per weight.
    row = (4 * len(batch.setting.class_sizes) + len(program.weight_names)) * itemsize
    per_run = 2 * program.state_bytes + snapshots * program.parameter_bytes
    per_run += config.training.epochs * row
    return Estimate(
        parameters=program.parameter_bytes // itemsize,
        train=train,
        validation=validation,
        test=test,
        memory_bytes=program.memory_bytes,
        disk_bytes=per_run * len(configs),
        seconds_per_epoch=seconds_per_epoch,
        seconds=seconds_per_epoch * (config.training.epochs - done),
    )
