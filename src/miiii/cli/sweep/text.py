"""Shared parts of the commands that read a sweep: opening it, and its values as text."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tyro

from miiii.cli.text import directory_option
from miiii.figures.numerals import numeral
from miiii.sweeps.search.objectives import OBJECTIVES

if TYPE_CHECKING:
    from miiii.sweeps.outcome.results import SweepResults
    from miiii.sweeps.queue.sweep import Sweep


@dataclass(frozen=True)
class SweepArguments:
    """A sweep's name and place."""

    name: tyro.conf.Positional[str] = field(metadata={"option": None})
    """Name of the sweep."""
    storage: str = ""
    """The storage of the trials; default: as the sweep's directory records."""
    sweeps_dir: Path = Path("sweeps")
    """The directory that holds the sweeps."""


def open_results(arguments: SweepArguments) -> "tuple[Sweep, SweepResults]":
    """The sweep, and its runs in their present state."""
    from miiii.sweeps.outcome.results import read_results
    from miiii.sweeps.queue.sweep import open_sweep

    sweep = open_sweep(arguments.name, arguments.sweeps_dir, arguments.storage)
    if shared := shared_line(sweep):
        print(shared, file=sys.stderr)
    return sweep, read_results(sweep)


def shared_line(sweep: "Sweep") -> str:
    """A warning that a copied sweep shares its trials with the original; else empty."""
    original = sweep.shared_with
    if original is None:
        return ""
    return (
        f"warning: {sweep.path} is a copy of {original} and has the same storage: both share their "
        "trials, and each holds only the runs that were trained in it"
    )


def missing_line(results: "SweepResults", where: str = "") -> str:
    """How many points have no result, if some of them get none without a further command."""
    counts, total = results.counts, max(results.definition.trials, len(results.runs))
    unmade = total - len(results.runs)
    parts = [f"{counts['failed']:,} failed"] if counts["failed"] else []
    parts += [f"{counts['given up']:,} were given up"] if counts["given up"] else []
    open_ones = counts["waiting"] + counts["running"]
    parts += [f"{open_ones:,} wait or run"] if open_ones else []
    parts += [f"{unmade:,} were never made"] if unmade else []
    if not (counts["failed"] or counts["given up"] or unmade):
        return ""
    again = f" (miiii sweep retry {results.name}{where} tries again)" if counts["failed"] else ""
    missing = total - len(results.done)
    return f"{missing:,} of {total:,} points have no result: {', '.join(parts)}{again}"


def absent_runs(sweep: "Sweep", results: "SweepResults") -> list[str]:
    """Finished runs that are not in the sweep's directory, or did not finish there."""
    from miiii.runs.listing import summarize

    absent = []
    for run in results.done:
        summary = summarize(sweep.runs_dir / run.run)
        if summary.state != "finished" or (summary.epoch or 0) < run.epochs:
            absent.append(run.run)
    return absent


def where_option(arguments: SweepArguments) -> str:
    """The option that a next command needs to find the sweep, with a space before it, or ""."""
    return directory_option(arguments.sweeps_dir, "sweeps")


def setting_text(value: Any) -> str:
    """A setting's value in the paper's style: 1/2, 256, 3e-4; at most four digits."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return numeral(float(f"{value:.4g}") if len(numeral(value)) > 6 else value)
    return str(value)


def values_text(results: "SweepResults", values: Sequence[float]) -> str:
    """Every objective with its value, as text."""
    names = results.definition.objectives
    return ", ".join(f"{name} {value:.4g}" for name, value in zip(names, values, strict=True))


def direction_text(objective: str) -> str:
    """Whether smaller or larger values of an objective are better, as text."""
    smaller = OBJECTIVES[objective].direction == "minimize"
    return "smaller is better" if smaller else "larger is better"


def named(results: "SweepResults", values: Sequence[float] | None) -> dict[str, float] | None:
    """Values by objective; None if there are none."""
    names = results.definition.objectives
    return None if values is None else dict(zip(names, values, strict=True))


four_digits = "{:.4g}".format
"""A value of an objective as text."""
