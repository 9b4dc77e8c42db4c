"""What a batch would need: measured by compiling it and timing some epochs."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import jax

from miiii.config.config import Config
from miiii.experiment.batch import Batch, make_batch
from miiii.experiment.compiled_programs import keep_programs
from miiii.experiment.pace import Pace
from miiii.experiment.program import Program, Waiting, compile_program, numerics
from miiii.training.chunk import snapshot_epochs


@dataclass(frozen=True)
class Estimate:
    """What a batch would need; measured, not guessed, with nothing written."""

    parameters: int
    """Numbers that each run learns."""
    train: int
    """Training numbers."""
    validation: int
    """Validation numbers."""
    test: int
    """Test numbers."""
    memory_bytes: int
    """Of the compiled program: states, inputs, outputs and temporaries of all runs."""
    disk_bytes: int
    """Checkpoints, snapshots and history of all runs."""
    seconds_per_epoch: float
    """Of the whole batch."""
    seconds: float
    """For all epochs that are left, without compilation."""


def estimate(
    configs: Sequence[Config],
    stop: Waiting = lambda: False,
    *,
    seconds: float = 3.0,
    done: int = 0,
) -> Estimate | None:
    """Compile, time epochs for some seconds, and say what the whole would need. None if stopped.

    Args:
        configs: as for `start`.
        stop: asked now and then.
        seconds: for which epochs are timed.
        done: epochs that a branch has from its origin, which are not trained again.
    """
    keep_programs()
    batch = make_batch(configs)
    with numerics(batch.setting):
        program = compile_program(batch, stop)
        if program is None:
            return None
        states = program.place(program.initial_states())
        # The first dispatch pays for what the others find done.
        states, _ = jax.block_until_ready(program.chunk(states, 0, 1, program.inputs))
        pace, timed, began = Pace(), 0, time.monotonic()
        while timed == 0 or (time.monotonic() < began + seconds and not stop()):
            count, before = pace.epochs(program.capacity), time.monotonic()
            states, _ = jax.block_until_ready(
                program.chunk(states, timed + 1, count, program.inputs)
            )
            pace.took(count, time.monotonic() - before)
            timed += count
        return _estimate(configs, batch, program, (time.monotonic() - began) / timed, done)


def _estimate(
    configs: Sequence[Config], batch: Batch, program: Program, seconds_per_epoch: float, done: int
) -> Estimate:
    config = configs[0]
    train, validation, test = config.task.split_sizes
    snapshots = len(snapshot_epochs(config.training.epochs, config.training.snapshots))
    tasks, weights = len(batch.setting.class_sizes), len(program.weight_names)
    row = (4 * tasks + weights) * batch.setting.dtype.itemsize
    per_run = 2 * program.state_bytes + snapshots * program.parameter_bytes
    per_run += config.training.epochs * row
    return Estimate(
        parameters=program.parameter_bytes // batch.setting.dtype.itemsize,
        train=train,
        validation=validation,
        test=test,
        memory_bytes=program.memory_bytes,
        disk_bytes=per_run * len(configs),
        seconds_per_epoch=seconds_per_epoch,
        seconds=seconds_per_epoch * (config.training.epochs - done),
    )
