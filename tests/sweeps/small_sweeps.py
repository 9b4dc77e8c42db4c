"""Sweeps so small that training them costs next to nothing."""

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

from optuna.trial import TrialState

from miiii import Config, get_preset, replace_fields
from miiii.experiment.progress import Silent
from miiii.sweeps.queue.sweep import Sweep, make_sweep
from miiii.sweeps.queue.worker import Worker
from miiii.sweeps.search.definition import Definition
from miiii.sweeps.search.sampling import choose
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


def fill(sweep: Sweep, values: Callable, most: int = 1000) -> Sweep:
    """End trials with planted values."""
    queue = sweep.queue(60)
    for _ in range(most):
        taken = queue.claim(1)
        if not taken:
            break
        known = {"epochs": 6, "seconds": 1.0, "accuracy": 0.5, "solved": 1}
        (held,) = taken
        params = held.params or choose(sweep.definition, sweep.optuna_study, held.id, held.number)
        queue.end(held.id, TrialState.COMPLETE, values(params), outcome=known)
    return sweep
