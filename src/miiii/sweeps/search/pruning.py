"""When a trial is given up: on purpose not when validation stands still.

Before grokking nothing improves, so that a pruner that compares validation losses halfway (Optuna's
default is the median) stops exactly the runs that are looked for. The rule here, off by default,
looks only at the training loss, which falls long before anything generalises: a trial is given up
when, after a quarter of its epochs, its training loss, mean over tasks, has come down by less than
a tenth of what it was at first. Such a run learns nothing, not even by heart. A run whose loss
rises is among them. With dropout the loss of single epochs jumps about, so the loss "now" is the
median over the last epochs.
"""

from collections import deque
from collections.abc import Iterable
from statistics import median
from typing import Literal, get_args

Prune = Literal["none", "stuck"]
PRUNERS: tuple[str, ...] = get_args(Prune)

AFTER = 0.25
"""Of the epochs, before which nothing is given up."""
FALL = 0.1
"""Of the first training loss, by which it must have fallen by then."""
WINDOW = 0.05
"""Of the epochs, whose median is the loss now."""


class Falling:
    """The training loss of one run, and whether it falls.

    Args:
        epochs: to make.
    """

    def __init__(self, epochs: int) -> None:
        self._epochs = epochs
        self._first: float | None = None
        self._latest: deque[float] = deque(maxlen=max(1, round(WINDOW * epochs)))
        self._done = 0

    def add(self, losses: Iterable[float]) -> None:
        """Take the losses of further epochs, means over tasks, from the first epoch on."""
        for loss in losses:
            self._first = loss if self._first is None else self._first
            self._latest.append(loss)
            self._done += 1

    @property
    def is_stuck(self) -> bool:
        """Whether it has learnt nothing where it should have learnt something."""
        if self._first is None or self._done < AFTER * self._epochs:
            return False
        return median(self._latest) > (1 - FALL) * self._first
