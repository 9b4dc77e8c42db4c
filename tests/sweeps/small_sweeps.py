"""Sweeps so small that training them costs next to nothing."""

from contextlib import nullcontext
from pathlib import Path

from miiii.config.config import Config, replace_fields
from miiii.config.presets import get_preset
from miiii.experiment.progress import Silent
from miiii.sweeps.queue.sweep import Sweep, make_sweep
from miiii.sweeps.queue.worker import Worker
from miiii.sweeps.search.definition import Definition
from miiii.sweeps.search.spaces import Dimension, Interval, SearchSpace

SMALLEST: Config = replace_fields(
    get_preset("tiny"), base=7, width=8, heads=2, epochs=6, snapshots=2
)
RATES = SearchSpace(
    (
        Dimension("learning_rate", "lr", (1e-3, 3e-3, 1e-2)),
        Dimension("width", "d", (8, 16)),
    )
)
CONTINUOUS = SearchSpace((Interval("learning_rate", "lr", 1e-4, 1e-2, log=True),))


def define(trials: int = 6, space: SearchSpace | None = RATES, **changes) -> Definition:
    given = {"sampler": "grid", "base": SMALLEST, **changes}
    return Definition("probe", space=space, trials=trials, **given)


def make(folder: Path, storage: str = "", **changes) -> Sweep:
    return make_sweep(define(**changes), folder, storage)


def worker(sweep: Sweep, said: list[str] | None = None, **options) -> Worker:
    lines = [] if said is None else said
    given = {"patience": 60.0, "stop": lambda: False, **options}
    return Worker(sweep, progress=lambda: nullcontext(Silent()), tell=lines.append, **given)
