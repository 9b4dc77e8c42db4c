"""What a tracker is: the door to any tool that keeps numbers by epoch."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from miiii.config.config import Config


@dataclass(frozen=True)
class TrackedRun:
    """The run that a tracker is told of."""

    name: str
    path: Path
    """Its directory."""
    config: Config
    done: int
    """Epochs that are stored. What the tracker has of later ones will come again, the same."""


class Tracker(Protocol):
    """Takes a run's numbers; one instance follows one run.

    The calls are `started`, then `logged` with epochs ascending, then `ended`. After a run was
    interrupted another instance is started on it, in another process. No epoch is logged twice as
    long as `started` says what is there already. An exception stops the tracking and never the
    training.
    """

    def started(self, run: TrackedRun) -> int:
        """Get ready.

        Returns:
            The last epoch that is there already, 0 if none. Epochs up to it are not logged again.
        """
        ...

    def logged(self, epoch: int, scalars: Mapping[str, float]) -> None:
        """Take in an epoch.

        Args:
            epoch: from 1.
            scalars: by name, as `scalars.epoch_scalars` says; all are finite.
        """
        ...

    def ended(self, state: str) -> None:
        """Write what is left.

        Args:
            state: finished, interrupted or failed.
        """
        ...


Factory = Callable[[], Tracker]
"""Makes the tracker of one run."""
