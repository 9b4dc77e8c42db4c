"""A study's measurements by experiment, and the numbers of a run that several claims use."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from miiii.claims.deciding import Ballot
from miiii.claims.measurements import Group, Measurements
from miiii.claims.rules import further_work as beyond_rules
from miiii.claims.rules.paper import EXPERIMENTS as OF_THE_PAPER
from miiii.claims.rules.paper import FIRST_FOUR, GENERALISED_SHARE

EXPERIMENTS = (*OF_THE_PAPER, *beyond_rules.EXPERIMENTS)
"""All experiments of a study: the paper's, then those of the further work."""


@dataclass(frozen=True)
class Evidence:
    """All runs of a study by experiment."""

    runs: Mapping[str, tuple[Measurements, ...]]
    """Every key of `EXPERIMENTS`, each with its runs by ascending seed, or none."""

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

    def of(self, experiment: str) -> Group:
        """The runs of one experiment."""
        return Group(experiment, self.runs[experiment])


def trained_moduli(run: Measurements) -> list[int]:
    """The moduli of the tasks that were trained on."""
    return [modulus for modulus in run.origin.moduli if modulus not in run.origin.masked]


def trained_mean(run: Measurements, values: Sequence[float]) -> float:
    """Mean of [N] values, one per task, over the tasks that were trained on."""
    tasks = zip(run.origin.moduli, values, strict=True)
    return float(np.mean([value for modulus, value in tasks if modulus not in run.origin.masked]))


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
    """Share of `moduli` whose accuracy holds from epoch `by` or earlier; inf: from any epoch."""
    epochs = held_from(run)
    held = [modulus for modulus in moduli if epochs[modulus] <= by and epochs[modulus] < math.inf]
    return len(held) / len(moduli)


def generalisation_epoch(run: Measurements) -> float:
    """The epoch from which `GENERALISED_SHARE` of the trained tasks hold; infinite if never."""
    epochs = held_from(run)
    ordered = sorted(epochs[modulus] for modulus in trained_moduli(run))
    # A product slightly above a whole number, by rounding, must not ask for one task more.
    return ordered[math.ceil(GENERALISED_SHARE * len(ordered) - 1e-9) - 1]


def has_generalised(run: Measurements) -> bool:
    """Whether the run has generalised by its last epoch."""
    return math.isfinite(generalisation_epoch(run))


def not_generalised(run: Measurements) -> Ballot:
    """The silent ballot of a run that did not generalise, for claims about generalised models."""
    trained = trained_moduli(run)
    count = round(share_held(run, trained, math.inf) * len(trained))
    return (
        "silent",
        f"never generalised: {count} of {len(trained)} tasks hold 0.9 at epoch "
        f"{run.origin.epoch:,}",
    )


def when_generalised(
    theme: str, missing: str, judge: Callable[[Any], Ballot]
) -> Callable[[Measurements], Ballot]:
    """Judge one record of a run; silent without the record or where the run never generalised.

    Args:
        theme: the record's field in `Measurements`.
        missing: the cause of silence where the run has no such record.
        judge: the ballot of a record.
    """

    def vote(run: Measurements) -> Ballot:
        record = getattr(run, theme)
        if record is None:
            return "silent", missing
        return judge(record) if has_generalised(run) else not_generalised(run)

    return vote


def is_measured(_: Any) -> Ballot:
    """The ballot of every generalised run, for conditions that ask for no more."""
    return "for", "generalised"
