"""When a trial is given up: on purpose not when validation stands still.

Before grokking nothing improves, so that a pruner that compares validation losses halfway (Optuna's
default is the median) stops exactly the runs that are looked for. The rule here, off by default,
looks at the training loss alone, which falls long before anything generalises: a trial is given up
when, after a quarter of its epochs, its training loss, mean over tasks, has come down by less than
a tenth of what it was at first. Such a run learns nothing, not even by heart. A run whose loss
rises is among them.
"""

from typing import Literal, get_args

Prune = Literal["none", "stuck"]
PRUNERS: tuple[str, ...] = get_args(Prune)

AFTER = 0.25
"""Of the epochs, before which nothing is given up."""
FALL = 0.1
"""Of the first training loss, by which it must have fallen by then."""


def is_stuck(first: float, latest: float, done: int, epochs: int) -> bool:
    """Whether a run has learnt nothing where it should have learnt something.

    Args:
        first: training loss at the first epoch, mean over tasks.
        latest: the same now, the smallest so far.
        done: epochs made.
        epochs: epochs to make.
    """
    return done >= AFTER * epochs and latest > (1 - FALL) * first
