"""The interface of a tracker: an object that passes numbers by epoch to another tool."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from miiii.config.config import Config


@dataclass(frozen=True)
class TrackedRun:
    """The run that a tracker follows."""

    name: str
    path: Path
    """The run's directory."""
    config: Config
    done: int
    """Stored epochs. Later ones that a tracker already has are logged again, with equal numbers."""


class Tracker(Protocol):
    """Receives a run's numbers; one instance follows one run.

    The calls are `started`, then `logged` with ascending epochs, then `ended`. When an interrupted
    run is resumed, another process starts another instance on it. No epoch is logged twice if
    `started` returns the last epoch that the tool has. An exception stops the tracking but not the
    training.
    """

    def started(self, run: TrackedRun) -> int:
        """Prepare for a run.

        Returns:
            The last epoch that the tool already has, or 0. Epochs up to it are not logged again.
        """
        ...

    def logged(self, epoch: int, scalars: Mapping[str, float]) -> None:
        """Record an epoch.

        Args:
            epoch: counted from 1.
            scalars: numbers by name (listed in `scalars.epoch_scalars`), all finite.
        """
        ...

    def ended(self, state: str) -> None:
        """Write what is not yet written.

        Args:
            state: finished, interrupted or failed.
        """
        ...


Factory = Callable[[], Tracker]
"""Makes the tracker of a run."""
