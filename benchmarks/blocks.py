"""The gradient of an epoch summed over blocks of numbers, against all numbers at once.

The intermediate arrays of a block of 800 numbers fit into a processor's cache, those of 6,384 do
not. This is a trial: training takes all numbers at once. Blocks change the last bits of a gradient,
so that a run that was begun without them would not go on as it was (docs/speed.md has figures).
"""

from functools import partial

import jax
import jax.numpy as jnp

from benchmarks.timing import ratio, take_turns
from miiii.config.presets import get_preset
from miiii.experiment.batch import make_batch
from miiii.experiment.program import numerics
from miiii.model.transformer import forward
from miiii.training.step import initial_parameters, measure

COUNTS = {"reference32": (4, 8, 16), "paper": (2, 5, 10), "reference": (4, 8)}
"""Numbers of equal blocks: divisors of 6,384 and 3,830."""


def make_gradient(setting, count):
    """The mean loss over tasks and numbers, and its gradient, from weights, digits and targets."""

    def loss(weights, digits, targets):
        return measure(setting, forward(weights, digits)[0], targets).loss.mean()

    slope = jax.value_and_grad(loss)

    def in_blocks(weights, digits, targets):
        blocks = (
            digits.reshape(count, -1, 2),
            targets.reshape(len(targets), count, -1).transpose(1, 0, 2),
        )

        def add(total, block):
            return jax.tree.map(jnp.add, total, slope(weights, *block)), None

        zero = jax.tree.map(jnp.zeros_like, (loss(weights, digits, targets), weights))
        total, _ = jax.lax.scan(add, zero, blocks)
        return jax.tree.map(lambda leaf: leaf / count, total)

    return jax.jit(slope if count == 1 else in_blocks)


def largest(tree):
    """The largest magnitude of all leaves."""
    return max(float(jnp.abs(leaf).max()) for leaf in jax.tree.leaves(tree))


def report(rounds):
    """Measure and print."""
    for name, counts in COUNTS.items():
        batch = make_batch([get_preset(name)])
        dataset = batch.datasets[0]
        rows = dataset.split.train
        with numerics(batch.setting):
            weights = jax.jit(partial(initial_parameters, batch.setting, 0))()
            given = weights, jnp.asarray(dataset.digits[rows]), jnp.asarray(dataset.targets[rows].T)
            calls = {
                count: partial(make_gradient(batch.setting, count), *given)
                for count in (1, *counts)
            }
            seconds = take_turns({str(count): (call, 1) for count, call in calls.items()}, rounds)
            whole = calls[1]()[1]
            print(f"{name}: loss and gradient of {len(rows):,} numbers, no dropout")
            print(f"  all at once   {1e3 * min(seconds['1']):8.1f} ms")
            for count in counts:
                best, median = ratio(seconds, str(count), "1")
                difference = jax.tree.map(jnp.subtract, calls[count]()[1], whole)
                apart = largest(difference) / largest(whole)
                print(
                    f"  {count:2} blocks / all at once: {best:.2f} ({median:.2f}); "
                    f"difference at most {apart:.0e} of the largest gradient"
                )
