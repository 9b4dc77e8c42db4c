"""Runs side by side: differing settings, epochs from which tasks hold, last values."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from miiii.analysis.parts.curves import Curves
from miiii.claims.rules.paper import GENERALISED_AT
from miiii.config.config import Config, field_sections

if TYPE_CHECKING:
    from miiii.experiment.run import Run

Value = float | None


@dataclass(frozen=True)
class TaskRow:
    """One task in R runs; None where a run lacks the task or the number."""

    task: str
    """The modulus, or the name of a regression."""
    held_from: tuple[int | None, ...]
    """[R]: the first epoch from which validation accuracy holds `GENERALISED_AT` for good."""
    train_accuracy: tuple[Value, ...]
    """[R]: shares, at the last epoch."""
    validation_accuracy: tuple[Value, ...]
    """[R]: shares, at the last validation."""
    train_loss: tuple[Value, ...]
    """[R]: loss / loss of guessing; for a regression the mean squared error."""
    validation_loss: tuple[Value, ...]
    """[R], in the same unit."""


@dataclass(frozen=True)
class Comparison:
    """R runs side by side."""

    names: tuple[str, ...]
    """[R], no two the same."""
    epochs: tuple[int, ...]
    """[R]: the last epoch in the history."""
    settings: dict[str, tuple[Any, ...]]
    """Setting to its [R] values, for the settings in which runs differ."""
    tasks: tuple[TaskRow, ...]
    """Every task that some run has, by modulus."""
    curves: dict[str, Curves]
    """Name to curves, losses in the unit of `TaskRow.train_loss`."""


def differing_settings(configs: Sequence[Config]) -> dict[str, tuple[Any, ...]]:
    """The fields in which configurations differ, each with the values of all of them.

    Args:
        configs: at least one.
    """
    rows = {"seed": tuple(config.seed for config in configs)}
    for name, section in field_sections().items():
        rows[name] = tuple(getattr(getattr(config, section), name) for config in configs)
    return {name: values for name, values in rows.items() if len(set(values)) > 1}


def check_comparable(names: Sequence[str], configs: Sequence[Config]) -> None:
    """Refuse runs that cannot be compared.

    Args:
        names: one per run.
        configs: of the runs.

    Raises:
        ValueError: there is only one run, or a regression beside a classification: their losses
            have no common unit.
    """
    if len(names) < 2:
        raise ValueError(f"runs: expected at least two to compare, found {len(names)}")
    kinds = {config.task.is_regression: name for name, config in zip(names, configs, strict=True)}
    if len(kinds) > 1:
        raise ValueError(
            f"{kinds[True]} learns a real number and {kinds[False]} classes: their losses have no "
            "common unit, and only one of them has accuracies; compare runs of one kind"
        )


def compare(runs: "dict[str, Run]") -> Comparison:
    """Put runs side by side; they may have different tasks.

    Args:
        runs: name to run, at least two.

    Raises:
        ValueError: as `check_comparable`, or a run has no history.
        DamagedFileError: a history cannot be read.
    """
    check_comparable(list(runs), [run.config for run in runs.values()])
    from miiii.results.paper import Results  # loads JAX, which refusals do not need

    for name, run in runs.items():
        if not len(run.history.epoch):
            raise ValueError(f"run {name} has no history yet: nothing was trained or saved")
    drawn = {name: _in_common_unit(Results(run).curves) for name, run in runs.items()}
    labels = sorted(
        {label for curves in drawn.values() for label in curves.labels},
        key=lambda label: (int(label) if label.isdigit() else 0, label),
    )
    return Comparison(
        names=tuple(runs),
        epochs=tuple(int(curves.epoch[-1]) for curves in drawn.values()),
        settings=differing_settings([run.config for run in runs.values()]),
        tasks=tuple(_row(label, list(runs.values()), list(drawn.values())) for label in labels),
        curves=drawn,
    )


def _in_common_unit(curves: Curves) -> Curves:
    """Curves with losses in nats divided by the loss of guessing, ln q."""
    if curves.unit != "nats":
        return curves
    return dataclasses.replace(
        curves,
        unit="guessing",
        guessing=np.ones_like(curves.guessing),
        train_loss=curves.train_loss / curves.guessing,
        validation_loss=curves.validation_loss / curves.guessing,
    )


def _row(label: str, runs: "Sequence[Run]", drawn: Sequence[Curves]) -> TaskRow:
    def last(name: str) -> tuple[Value, ...]:
        return tuple(_last(getattr(curves, name), curves.labels, label) for curves in drawn)

    def held_from(run: "Run") -> int | None:
        if run.config.task.is_regression:
            return None
        return run.history.first_reached(GENERALISED_AT, held=True).get(int(label))

    return TaskRow(
        task=label,
        held_from=tuple(held_from(run) for run in runs),
        train_accuracy=last("train_accuracy"),
        validation_accuracy=last("validation_accuracy"),
        train_loss=last("train_loss"),
        validation_loss=last("validation_loss"),
    )


def _last(table: Any, labels: tuple[str, ...], label: str) -> Value:
    if table is None or label not in labels or not len(table):
        return None
    return float(table[-1, labels.index(label)])
