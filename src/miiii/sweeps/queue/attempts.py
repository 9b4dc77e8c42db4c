"""What a trial says of the run that it trains: names, and attributes in the storage."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from optuna.trial import FrozenTrial

RUN, CONTINUES, LOST, BATCH = "run", "continues", "lost", "batch"
"""User attributes of a successor: its run's name, the number of the trial that it continues, how
often the run's worker vanished, and the runs that train together with it."""
WHY, OUTCOME = "why", "outcome"
"""User attributes of an ended trial: why it failed, and what is worth knowing of its run."""
LIFE = "life"
"""System attribute of a running trial: who trains it, and how far it is."""

VANISHED, RELEASED, DUPLICATE = "its worker vanished", "released", "another trial has its run"


@dataclass(frozen=True)
class Held:
    """A trial that this worker has."""

    id: int
    """The storage's."""
    number: int
    run: str
    """The run directory's name."""
    params: Mapping[str, Any]
    lost: int = 0
    batch: tuple[str, ...] = ()
    """Runs that it was trained together with before."""


def run_name(number: int) -> str:
    """What a trial's run is called, unless it continues another's."""
    return f"trial-{number:06d}"


def run_of(trial: FrozenTrial) -> str:
    """The name of a trial's run."""
    return trial.user_attrs.get(RUN) or run_name(trial.number)
