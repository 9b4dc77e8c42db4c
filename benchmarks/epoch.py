"""An epoch of `paper`: against its own matrix products, and against a plain implementation."""

import resource
import sys

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.plain import make_plain_step
from benchmarks.timing import ratio, take_turns
from miiii.config.config import replace_fields
from miiii.config.presets import get_preset
from miiii.experiment.batch import make_batch
from miiii.experiment.pace import SLOW_EPOCHS
from miiii.experiment.program import compile_program, numerics


def own_products(config):
    """The matrix products of one epoch at depth 1, forward and backward, and nothing else."""
    samples, width = config.task.split_sizes[0], config.model.width
    neurons, outputs = config.model.neurons, sum(config.task.class_sizes)
    shapes = {
        "stream": (samples, width),
        "hidden": (samples, neurons),
        "logits": (samples, outputs),
        "output": (width, width),
        "mlp_in": (width, neurons),
        "mlp_out": (neurons, width),
        "unembedding": (width, outputs),
    }
    keys = jax.random.split(jax.random.key(0), len(shapes))
    arrays = {
        name: jax.random.normal(key, shape)
        for key, (name, shape) in zip(keys, shapes.items(), strict=True)
    }

    @jax.jit
    def products(a):
        pairs = [
            (a["stream"], a["output"], a["stream"]),
            (a["stream"], a["mlp_in"], a["hidden"]),
            (a["hidden"], a["mlp_out"], a["stream"]),
            (a["stream"], a["unembedding"], a["logits"]),
        ]
        return [(x @ w, dy @ w.T, x.T @ dy) for x, w, dy in pairs]

    flops = 6 * samples * (width * width + 2 * width * neurons + width * outputs)
    return (lambda: products(arrays)), flops


def our_epochs(config, count):
    """A call that trains `count` epochs by the compiled chunk."""
    batch = make_batch([config])
    with numerics(batch.setting):
        program = compile_program(batch, lambda: False)
        assert program is not None
        held = [program.place(program.initial_states())]

    def call():
        with numerics(batch.setting):
            held[0], record = program.chunk(held[0], 0, count, program.inputs)
        return record

    return call, program


def plain_epochs(config, count):
    """A call that trains `count` epochs by the plain implementation."""
    batch = make_batch([config])
    step = make_plain_step(batch.setting, config)
    dataset = batch.datasets[0]
    chosen = dataset.split.train
    answer = np.full((len(chosen), 1), config.task.base)
    tokens = jnp.asarray(np.concatenate([dataset.digits[chosen], answer], axis=1))
    labels = jnp.asarray(dataset.targets[chosen])
    from miiii.training.step import initial_state

    with numerics(batch.setting):
        state = initial_state(batch.setting, 0)
    held = [(state.parameters, state.optimiser)]

    def call():
        with numerics(batch.setting):
            for epoch in range(count):
                held[0], losses = step(held[0], epoch, jax.random.key(0), tokens, labels)
        return losses

    return call


def report(rounds):
    """Measure and print."""
    paper = get_preset("paper")
    rarely = replace_fields(paper, validate_every=10**4)
    products, flops = own_products(paper)
    contestants = {"products": (products, 1)}
    settings = {
        "epoch": rarely,
        "epoch, one mask per step": replace_fields(rarely, dropout_mask="per_step"),
        "epoch, no dropout": replace_fields(rarely, dropout=0.0),
        "epoch, validating": paper,
    }
    for name, config in settings.items():
        call, _ = our_epochs(config, SLOW_EPOCHS)
        contestants[name] = (call, SLOW_EPOCHS)
        print(f"compiled: {name}", file=sys.stderr, flush=True)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    contestants["plain"] = (plain_epochs(paper, 1), 1)
    seconds = take_turns(contestants, rounds)
    print("p = 113, d = 256, one block, 3,830 samples, float32; best of rounds (median of rounds)")
    print(f"  own matrix products    {flops / min(seconds['products']) / 1e9:8.0f} GFLOP/s")
    for name in seconds:
        print(f"  {name:28}{1e3 * min(seconds[name]):8.1f} ms")
    rows = [("epoch", "products", "at most 1.05")]
    rows += [(name, "products", "") for name in list(settings)[1:3]]
    rows += [("epoch, validating", "epoch", "at most 1.07"), ("plain", "epoch", "at least 5")]
    for one, other, goal in rows:
        best, median = ratio(seconds, one, other)
        print(f"  {one} / {other}: {best:.2f} ({median:.2f})" + (f"  goal: {goal}" if goal else ""))
    print(f"  peak memory of the process before the plain one: {memory:.2f} GiB  goal: under 1.5")
