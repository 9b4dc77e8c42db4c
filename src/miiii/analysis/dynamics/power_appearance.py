"""Does a task's power appear before or after the task is solved?

Weights are known at snapshots only, so an appearance is known to lie between two of them; a task is
solved at an epoch of its validation. Power is the carried one, which memorising does not raise. Two
appearances are told apart. A trace: above all that renamed digits reach, for good. Half: at least
half of what it ends with, for good; this is the one to set beside an accuracy, since a trace shows
long before it can be of use.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from miiii.analysis.dynamics.power import PowerThroughTraining

Order = Literal["before", "after", "undecided", "unsolved", "no power"]
"""before: it is there at a snapshot not later than the epoch at which the task is solved; after: it
is not there yet at a snapshot not earlier; undecided: the two snapshots it appears between lie on
either side; unsolved; no power: it never appears, solved or not."""


@dataclass(frozen=True)
class Appearance:
    """When something is there for good, to the resolution of the snapshots."""

    by: tuple[int | None, ...]
    """[N]: the first snapshot from which it is there to the end; None: not at the last one."""
    after: tuple[int | None, ...]
    """[N]: the snapshot before that one, where it is not; None: there is none."""


@dataclass(frozen=True)
class PowerAppearance:
    """Per task, when its power appears and when it is solved."""

    moduli: tuple[int, ...]
    """[N]."""
    solved: tuple[int | None, ...]
    """[N]: the epoch from which the validation accuracy holds `accuracy`; None: never."""
    accuracy: float
    """A share."""
    trace: Appearance
    """Power above every renaming's."""
    half: Appearance
    """Power at least half of that at the last snapshot, where it also leaves a trace."""

    @property
    def trace_order(self) -> tuple[Order, ...]:
        """[N]."""
        return _orders(self.trace, self.solved)

    @property
    def half_order(self) -> tuple[Order, ...]:
        """[N]."""
        return _orders(self.half, self.solved)


def power_appearance(
    power: PowerThroughTraining, solved: Mapping[int, int | None], accuracy: float = 0.9
) -> PowerAppearance:
    """Set the appearance of each task's power beside the epoch at which it is solved.

    Args:
        power: through training.
        solved: modulus to epoch, as from `Run.history.first_reached(accuracy, held=True)`.
        accuracy: that `solved` is about.

    Raises:
        ValueError: a task's epoch is missing.
    """
    missing = [modulus for modulus in power.moduli if modulus not in solved]
    if missing:
        raise ValueError(f"solved has no entry for modulus {missing[0]}: expected None or an epoch")
    found = power.carried
    # NaN, where nothing needs both digits, is above nothing.
    trace = found > power.threshold
    half = trace[-1] & (found >= found[-1] / 2)
    return PowerAppearance(
        moduli=power.moduli,
        solved=tuple(solved[modulus] for modulus in power.moduli),
        accuracy=float(accuracy),
        trace=_held(trace, power.epochs),
        half=_held(half, power.epochs),
    )


def _held(there: NDArray[np.bool_], epochs: NDArray[np.int64]) -> Appearance:
    """From when on a condition [S, N] holds to the end."""
    by: list[int | None] = []
    after: list[int | None] = []
    for column in there.T:
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
