"""Pruning: end a trial whose training loss does not fall.

The rule does not use validation losses. Before grokking they do not improve, so that a pruner that
compares them halfway (Optuna's default is the median) would stop the very runs that the search is
for. The training loss falls long before a model generalises. The rule, off by default, ends a trial
if after a quarter of its epochs the training loss (mean over tasks) has fallen by less than a tenth
of its first value, or has risen: such a run does not even memorise. With dropout the loss varies
from epoch to epoch, so the current loss is the median over the last epochs.
"""

from collections import deque
from collections.abc import Iterable
from statistics import median
from typing import Literal, get_args

Prune = Literal["none", "stuck"]
PRUNERS: tuple[str, ...] = get_args(Prune)

AFTER = 0.25
"""Share of a run's epochs before which it is not ended."""
FALL = 0.1
"""Share of the first training loss by which the loss must fall."""
WINDOW = 0.05
"""Share of a run's epochs; the median over so many last epochs is the current loss."""


class Falling:
    """The training loss of one run, and whether it falls.

    Args:
        epochs: the run's number of epochs.
    """

    def __init__(self, epochs: int) -> None:
        self._epochs = epochs
        self._first: float | None = None
        self._latest: deque[float] = deque(maxlen=max(1, round(WINDOW * epochs)))
        self._done = 0

    def add(self, losses: Iterable[float]) -> None:
        """Add the losses of the next epochs (means over tasks), beginning with the first epoch."""
        for loss in losses:
            self._first = loss if self._first is None else self._first
            self._latest.append(loss)
            self._done += 1

    @property
    def is_stuck(self) -> bool:
        """Whether the loss has not fallen by `FALL` after `AFTER` of the epochs."""
        if self._first is None or self._done < AFTER * self._epochs:
            return False
        return median(self._latest) > (1 - FALL) * self._first
