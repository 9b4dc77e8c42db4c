"""Whether a task's power appears before or after the task is solved.

Weights are stored at snapshots only, so an appearance lies between two of them; a task is solved at
an epoch of its validation. Power is the carried power, which memorising does not raise. There are
two kinds of appearance, both lasting to the end. Trace: the power is above that of all renamed
digits. Half: it is at least half of its final value; compare accuracies with this one, since a
trace appears long before it is large enough for right answers.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from miiii.analysis.dynamics.power import PowerThroughTraining

Order = Literal["before", "after", "undecided", "unsolved", "no power"]
"""before: present at a snapshot not later than the epoch at which the task is solved; after: absent
at a snapshot not earlier than that epoch; undecided: it appears between two snapshots, one on
either side; unsolved: it appears, but the task is not solved; no power: it never appears."""


@dataclass(frozen=True)
class Appearance:
    """The two snapshots between which a condition begins that then holds to the end."""

    by: tuple[int | None, ...]
    """[N]: the first snapshot from which it holds to the end; None: it fails at the last one."""
    after: tuple[int | None, ...]
    """[N]: the snapshot before that one, where it fails; None: there is none."""


@dataclass(frozen=True)
class PowerAppearance:
    """Each task's snapshots of appearance, and the epoch at which it is solved."""

    moduli: tuple[int, ...]
    """[N]."""
    solved: tuple[int | None, ...]
    """[N]: the epoch from which the validation accuracy stays at least `accuracy`; None: never."""
    accuracy: float
    """A share."""
    trace: Appearance
    """Power above every renaming's."""
    half: Appearance
    """Power at least half of that at the last snapshot, which must be above every renaming's."""

    @property
    def trace_order(self) -> tuple[Order, ...]:
        """[N]: of the trace and the solution."""
        return _orders(self.trace, self.solved)

    @property
    def half_order(self) -> tuple[Order, ...]:
        """[N]: of half the power and the solution."""
        return _orders(self.half, self.solved)


def power_appearance(
    power: PowerThroughTraining, solved: Mapping[int, int | None], accuracy: float = 0.9
) -> PowerAppearance:
    """Compare the appearance of each task's power with the epoch at which the task is solved.

    Args:
        power: through training.
        solved: modulus to epoch, as from `Run.history.first_reached(accuracy, held=True)`.
        accuracy: the accuracy behind `solved`.

    Raises:
        ValueError: a task's epoch is missing.
    """
    missing = [modulus for modulus in power.moduli if modulus not in solved]
    if missing:
        raise ValueError(f"solved has no entry for modulus {missing[0]}: expected None or an epoch")
    found = power.carried
    # NaN, where no function has an interaction, compares as not above.
    trace = found > power.threshold
    half = trace[-1] & (found >= found[-1] / 2)
    return PowerAppearance(
        moduli=power.moduli,
        solved=tuple(solved[modulus] for modulus in power.moduli),
        accuracy=float(accuracy),
        trace=_held(trace, power.epochs),
        half=_held(half, power.epochs),
    )


def _held(holds: NDArray[np.bool_], epochs: NDArray[np.int64]) -> Appearance:
    """The snapshots between which a condition [S, N] begins to hold to the end."""
    by: list[int | None] = []
    after: list[int | None] = []
    for column in holds.T:
        first = len(column) - int(np.logical_and.accumulate(column[::-1]).sum())
        by.append(int(epochs[first]) if first < len(column) else None)
        after.append(int(epochs[first - 1]) if first > 0 else None)
    return Appearance(tuple(by), tuple(after))


def _orders(appearance: Appearance, solved: tuple[int | None, ...]) -> tuple[Order, ...]:
    each = zip(appearance.by, appearance.after, solved, strict=True)
    return tuple(_order(by, after, done) for by, after, done in each)


def _order(by: int | None, after: int | None, solved: int | None) -> Order:
    if by is None:
        return "no power"
    if solved is None:
        return "unsolved"
    if by <= solved:
        return "before"
    return "after" if after is not None and after >= solved else "undecided"
