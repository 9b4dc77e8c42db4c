"""When a run may end before its last epoch: every trained task has held an accuracy long enough.

The rule reads validation accuracies and nothing else. Its end can be foreseen: a run that holds
since validation s cannot end before s + `epochs`, and one that does not hold cannot end before
its next validation + `epochs`. The training loop cuts the chunk of epochs there, so that a run ends
at the very epoch that the rule names, whatever its chunks were.

Glossary: M validations, N tasks.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from miiii.runs.thresholds import reached


@dataclass(frozen=True)
class StoppingRule:
    """A run ends at the first validation at which all its trained tasks have held for `epochs`."""

    accuracy: float
    """Validation accuracy that every trained task must have, a share."""
    epochs: int
    """Epochs between the first validation of the unbroken row and the one that ends the run."""
    validate_every: int
    """Epochs between validations."""
    examples: int
    """Numbers that each validation accuracy is a share of."""

    def held_since(
        self,
        validation_epoch: NDArray[np.int64],
        validation_accuracy: NDArray[np.floating],
        before: int | None = None,
    ) -> int | None:
        """The first validation of the unbroken row in which all tasks hold, at the last validation.

        Args:
            validation_epoch: [M], ascending; the next after those that gave `before`.
            validation_accuracy: [M, N], of the trained tasks.
            before: the answer before these validations; None: not all tasks held.

        Returns:
            An epoch; None if a task is below the accuracy at the last validation.
        """
        held = reached(validation_accuracy, self.accuracy, self.examples)
        holds = np.asarray(held.all(axis=1))
        broken = np.flatnonzero(~holds)
        if not len(broken):
            return before if before is not None or not len(holds) else int(validation_epoch[0])
        following = broken[-1] + 1
        return int(validation_epoch[following]) if following < len(holds) else None

    def is_met(self, done: int, since: int | None) -> bool:
        """Whether a run may end after `done` epochs, all tasks having held since `since`."""
        latest = done - done % self.validate_every
        return since is not None and latest - since >= self.epochs

    def earliest_end(self, done: int, since: int | None) -> int:
        """The first epoch after `done` at which the rule can be met; always one that validates."""
        following = self._validation(done + 1)
        return max(following, self._validation((since or following) + self.epochs))

    def _validation(self, epoch: int) -> int:
        """The first epoch from `epoch` on that validates."""
        return -(-epoch // self.validate_every) * self.validate_every
