"""Eight trials of one shape: as one batch, against one after the other.

What a worker does is timed whole: taking trials, training, saving, reporting. Each way is done once
before it is timed, so that both find their program compiled.
"""

import tempfile
from contextlib import nullcontext
from pathlib import Path

from benchmarks.timing import ratio, take_turns
from miiii.config.presets import get_preset
from miiii.experiment.progress import Silent
from miiii.sweeps.queue.sweep import make_sweep
from miiii.sweeps.queue.worker import Worker
from miiii.sweeps.search.definition import Definition
from miiii.sweeps.search.spaces import Dimension, SearchSpace

TRIALS = 8


def work(preset: str, batch: int) -> int:
    """Train eight trials; returns how many were completed."""
    base = get_preset(preset)
    rates = tuple(base.optim.learning_rate * (1 + index / 10) for index in range(TRIALS))
    space = SearchSpace((Dimension("learning_rate", "lr", rates),))
    with tempfile.TemporaryDirectory() as folder:
        sweep = make_sweep(Definition("batches", base, space, TRIALS, "grid"), Path(folder))
        worker = Worker(
            sweep,
            batch=batch,
            progress=lambda: nullcontext(Silent()),
            tell=lambda line: None,
            stop=lambda: False,
        )
        return worker.work().complete


def report(rounds, preset="tiny"):
    """Measure and print."""
    contestants = {
        "one after the other": (lambda: work(preset, 1), 1),
        "one batch": (lambda: work(preset, TRIALS), 1),
    }
    seconds = take_turns(contestants, rounds)
    best, median = ratio(seconds, "one after the other", "one batch")
    times = ", ".join(f"{name} {min(values):.2f} s" for name, values in seconds.items())
    print(f"{TRIALS} trials of {preset}: {times}; ratio {best:.2f} ({median:.2f})")
