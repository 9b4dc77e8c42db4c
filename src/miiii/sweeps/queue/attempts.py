"""A trial's run: its name, and the attributes that the storage keeps."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from optuna.trial import FrozenTrial

RUN, CONTINUES, LOST, BATCH = "run", "continues", "lost", "batch"
"""User attributes of a successor: its run's name, the number of the trial that it continues, how
often the run's worker vanished, and the runs that train together with it."""
REASON, OUTCOME = "why", "outcome"
"""User attributes of an ended trial: why it failed, and numbers about its run."""
LIFE = "life"
"""System attribute of a running trial: its worker, the count of its beats, and its epoch."""

VANISHED, RELEASED, DUPLICATE = "its worker vanished", "released", "another trial has its run"


@dataclass(frozen=True)
class Held:
    """A trial that this worker holds."""

    id: int
    """The trial's number in the storage."""
    number: int
    run: str
    """The run directory's name."""
    params: Mapping[str, Any]
    lost: int = 0
    batch: tuple[str, ...] = ()
    """Runs that an earlier attempt trained in one batch with this one, itself included."""


def run_name(number: int) -> str:
    """The name of a trial's run, if the trial continues no other."""
    return f"trial-{number:06d}"


def run_of(trial: FrozenTrial) -> str:
    """The name of a trial's run."""
    return trial.user_attrs.get(RUN) or run_name(trial.number)
