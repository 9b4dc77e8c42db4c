"""A study's measurements, run by run, and what several claims ask of a run."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from miiii.claims.deciding import Says
from miiii.claims.measurements import Measurements
from miiii.claims.rules import further_work as beyond_rules
from miiii.claims.rules.paper import EXPERIMENTS as OF_THE_PAPER
from miiii.claims.rules.paper import FIRST_FOUR, GENERALISED_SHARE

EXPERIMENTS = (*OF_THE_PAPER, *beyond_rules.EXPERIMENTS)
"""What a study may hold: the paper's experiments, and those of its further work."""


@dataclass(frozen=True)
class Evidence:
    """All runs of a study by experiment."""

    runs: Mapping[str, tuple[Measurements, ...]]
    """Every key of `EXPERIMENTS`, seeds ascending; empty where there are no runs."""

    @classmethod
    def gather(cls, study: Mapping[str, Sequence[Measurements]]) -> "Evidence":
        """Sort the runs and check them.

        Args:
            study: experiment to measurements, one per seed; experiments may be missing.

        Raises:
            ValueError: an experiment is unknown, or two of its runs have one seed.
        """
        for key in study:
            if key not in EXPERIMENTS:
                raise ValueError(
                    f"study has experiment {key!r}: expected one of {', '.join(EXPERIMENTS)}"
                )
        runs: dict[str, tuple[Measurements, ...]] = {}
        for key in EXPERIMENTS:
            ordered = tuple(sorted(study.get(key, ()), key=lambda run: run.origin.seed))
            for one, other in pairwise(ordered):
                if one.origin.seed == other.origin.seed:
                    raise ValueError(
                        f"experiment {key!r} has seed {one.origin.seed} twice "
                        f"({one.origin.run}, {other.origin.run}): expected one run per seed"
                    )
            runs[key] = ordered
        return cls(runs)

    def of(self, experiment: str) -> tuple[Measurements, ...]:
        """The runs of one experiment."""
        return self.runs[experiment]


def trained_tasks(run: Measurements) -> list[int]:
    """Columns of the tasks that were trained on."""
    masked = run.origin.masked
    return [column for column, modulus in enumerate(run.origin.moduli) if modulus not in masked]


def held_from(run: Measurements) -> dict[int, float]:
    """Per modulus the epoch from which its accuracy holds; infinite if it does not."""
    epochs = run.performance.held_from
    return {
        modulus: math.inf if epoch is None else float(epoch)
        for modulus, epoch in zip(run.origin.moduli, epochs, strict=True)
    }


def later_tasks(run: Measurements) -> list[int]:
    """The moduli beyond 2, 3, 5 and 7."""
    return [modulus for modulus in run.origin.moduli if modulus not in FIRST_FOUR]


def has_first_four(run: Measurements) -> bool:
    """Whether 2, 3, 5, 7 and something beyond them are among the tasks."""
    return set(FIRST_FOUR) < set(run.origin.moduli)


def share_held(run: Measurements, moduli: Sequence[int], by: float) -> float:
    """Share of some tasks whose accuracy holds from an epoch up to `by` (or at all) on."""
    epochs = held_from(run)
    held = [modulus for modulus in moduli if epochs[modulus] <= by and epochs[modulus] < math.inf]
    return len(held) / len(moduli)


def generalisation_epoch(run: Measurements) -> float:
    """The epoch from which `GENERALISED_SHARE` of the trained tasks hold; infinite if never."""
    epochs = held_from(run)
    ordered = sorted(epochs[run.origin.moduli[column]] for column in trained_tasks(run))
    return ordered[math.ceil(GENERALISED_SHARE * len(ordered) - 1e-9) - 1]


def has_generalised(run: Measurements) -> bool:
    """Whether it generalised at all, by the end."""
    return math.isfinite(generalisation_epoch(run))


def not_generalised(run: Measurements) -> tuple[Says, str]:
    """The silence of a run that claims about generalised models do not speak of."""
    trained = [run.origin.moduli[column] for column in trained_tasks(run)]
    count = round(share_held(run, trained, math.inf) * len(trained))
    return (
        "silent",
        f"never generalised: {count} of {len(trained)} tasks hold 0.9 at epoch "
        f"{run.origin.epoch:,}",
    )
