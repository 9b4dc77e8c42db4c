"""Runs so small that compiling them is all they cost, and a slow loss to judge them by."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from miiii import Config, replace_fields
from miiii.experiment.batch import make_batch
from miiii.experiment.program import Program, compile_program, numerics
from miiii.training.state import TrainState
from model.textbook import textbook_forward

TINY = replace_fields(
    Config(),
    base=5,
    moduli=(2, 3, 7),
    train_fraction=0.5,
    width=8,
    heads=2,
    epochs=12,
    learning_rate=0.01,
    dropout=0.25,
    validate_every=3,
    warmup_epochs=4,
    decay_start=6,
    decay_epochs=6,
    snapshots=4,
)


class Compiled(NamedTuple):
    """A batch's program and epoch 0 of its runs."""

    program: Program
    initial: TrainState


def compiled(*configs):
    batch = make_batch(configs)
    program = compile_program(batch, lambda: False)
    assert program is not None
    with numerics(batch.setting):
        return Compiled(program, as_numpy(program.initial_states()))


def as_numpy(tree):
    return jax.tree.map(np.asarray, tree)


def slow_losses(logits, targets, class_sizes):
    """Cross-entropy in nats and accuracy per task: task by task; logits [B, V], targets [N, B]."""
    losses, accuracies, start = [], [], 0
    for task, size in enumerate(class_sizes):
        of_task = logits[:, start : start + size]
        label = targets[task][:, None]
        chosen = jnp.take_along_axis(of_task, label, axis=1)[:, 0]
        losses.append((jax.nn.logsumexp(of_task, axis=1) - chosen).mean())
        is_label = jnp.arange(size) == label
        rivals = jnp.where(is_label, -jnp.inf, of_task).max(axis=1)
        accuracies.append((chosen > rivals).mean(dtype=logits.dtype))
        start += size
    return jnp.stack(losses), jnp.stack(accuracies)


@partial(jax.jit, static_argnums=3)
def textbook_losses(parameters, digits, targets, class_sizes, masks=None):
    """What `slow_losses` makes of the textbook's logits, the losses in units of ln q."""
    logits = textbook_forward(parameters, digits, masks)
    losses, accuracies = slow_losses(logits, targets, class_sizes)
    return losses / np.log(class_sizes), accuracies
