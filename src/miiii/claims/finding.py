"""A judged claim: quantities with their spread, a verdict and its reason."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from miiii.claims.measurements import Group, Measurements
from miiii.claims.rules.paper import Claim
from miiii.claims.settings import JudgedUnder
from miiii.claims.statistics import Interval, median_interval

Verdict = Literal["reproduced", "not reproduced", "undecided"]
VERDICTS: tuple[Verdict, ...] = ("reproduced", "not reproduced", "undecided")
ANSWERS: dict[Verdict, str] = {
    "reproduced": "yes",
    "not reproduced": "no",
    "undecided": "undecided",
}
"""The verdicts as answers to the questions of the further work, which the paper leaves open."""


@dataclass(frozen=True)
class Quantity:
    """One statistic of one experiment, run by run."""

    name: str
    unit: str
    """"" for a plain number."""
    experiment: str
    """The experiment's key."""
    runs: tuple[str, ...]
    """Names of the runs, in the order of their seeds."""
    seeds: tuple[int, ...]
    values: tuple[float, ...]
    """Per run; infinite for an event that never came, NaN without a value."""
    interval: Interval | None
    """Of the median over seeds, unless `Interval.method` names another statistic."""
    paper: str
    """The paper's value; "" where it gives none."""
    p_value: float
    """NaN where there is no test."""
    note: str
    """A remark on the test or the value; "" for none."""

    @property
    def known(self) -> tuple[float, ...]:
        """The values that exist."""
        return tuple(value for value in self.values if not math.isnan(value))

    @property
    def median(self) -> float:
        """Over the values that exist; NaN if there are none."""
        # Infinite values count: the median is infinite where half of the runs never got there.
        return float(np.median(self.known)) if self.known else math.nan

    @property
    def lowest(self) -> float:
        """The smallest value that exists; NaN if there is none."""
        return min(self.known, default=math.nan)

    @property
    def highest(self) -> float:
        """The largest value that exists; NaN if there is none."""
        return max(self.known, default=math.nan)


def quantity(
    name: str,
    group: Group,
    value: Callable[[Measurements], float | int | None],
    *,
    unit: str = "",
    paper: str = "",
    interval: Interval | None = None,
    p_value: float = math.nan,
    note: str = "",
) -> Quantity:
    """Take one number from each run.

    Args:
        name: of the quantity.
        group: the runs; may be empty.
        value: the number of a run; None where it has none.
        unit: as in `Quantity`, as are the next four.
        paper: the paper's value.
        interval: default: that of the median over runs.
        p_value: of a test.
        note: a remark.
    """
    found = [value(run) for run in group]
    values = tuple(math.nan if number is None else float(number) for number in found)
    return Quantity(
        name=name,
        unit=unit,
        experiment=group.experiment,
        runs=tuple(run.origin.run for run in group),
        seeds=tuple(run.origin.seed for run in group),
        values=values,
        interval=median_interval(values) if interval is None else interval,
        paper=paper,
        p_value=p_value,
        note=note,
    )


def within(
    theme: str, value: Callable[[Any], float | int | None]
) -> Callable[[Measurements], float | int | None]:
    """A number of one record of the measurements; None where a run has no such record.

    Args:
        theme: the record's field in `Measurements`, such as neurons.
        value: the number of a record.
    """

    def of_run(run: Measurements) -> float | int | None:
        record = getattr(run, theme)
        return None if record is None else value(record)

    return of_run


@dataclass(frozen=True)
class Finding:
    """One claim, judged."""

    claim: Claim
    """The claim with its rule."""
    verdict: Verdict
    reason: str
    """One sentence."""
    quantities: tuple[Quantity, ...]
    """The first one decides."""
    under: JudgedUnder | None = None
    """Optimiser and loss of the runs that the rule reads; None without runs."""

    @property
    def id(self) -> str:
        """Of the claim (C1) or question (B1)."""
        return self.claim.id

    @property
    def answer(self) -> str:
        """The verdict; for a question of the further work yes, no or undecided."""
        return ANSWERS[self.verdict] if self.claim.beyond else self.verdict

    @property
    def headline(self) -> tuple[Quantity, ...]:
        """The deciding quantity, of every experiment that has it."""
        first = self.quantities[0].name
        return tuple(item for item in self.quantities if item.name == first)

    @property
    def runs(self) -> tuple[str, ...]:
        """Names of the runs that the quantities are of, each once."""
        return tuple(dict.fromkeys(run for item in self.quantities for run in item.runs))

    @property
    def seeds(self) -> tuple[tuple[str, int], ...]:
        """(experiment, its number of runs) of the quantities."""
        counted: dict[str, int] = {}
        for item in self.quantities:
            counted[item.experiment] = max(counted.get(item.experiment, 0), len(item.runs))
        return tuple(counted.items())
