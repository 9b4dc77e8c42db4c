"""Loss and accuracy of every task through training (paper Figures 4, 5, 17, 18 and 24)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from miiii.analysis.parts.log_columns import MOST, LogColumns, ascending, log_columns, strip
from miiii.refusals import check_choice

LossUnit = Literal["guessing", "nats", "squared error"]
"""guessing: cross-entropy / ln q, so that guessing costs 1 (paper Eq. 10); nats: cross-entropy;
squared error: mean squared error of a regression (paper Eq. 4.2)."""

Rows = Literal["modulus", "task", "run"]
"""The kind of a heat strip's rows."""


class MeanLine(NamedTuple):
    """A measure's mean over tasks, through training."""

    epochs: NDArray[np.int64]
    """[E], ascending."""
    values: NDArray[np.float64]
    """[E]; for several seeds their mean."""
    band: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None
    """[E] twice: the smallest and the largest value of several seeds; None for one seed."""


@dataclass(frozen=True)
class Curves:
    """The losses and accuracies of a run's N tasks.

    Training values are from the forward pass of the update; validation is after it, without
    dropout.
    """

    labels: tuple[str, ...]
    """[N]: the modulus of each task, as text; a regression's name."""
    unit: LossUnit
    """Of the losses."""
    guessing: NDArray[np.float64]
    """[N]: the loss of guessing, in that unit."""
    dropout: bool
    """Whether dropout was on in the training values."""
    epoch: NDArray[np.int64]
    """[E], ascending."""
    train_loss: NDArray[np.float64]
    """[E, N]"""
    train_accuracy: NDArray[np.float64] | None
    """[E, N], shares; None for a regression."""
    validation_epoch: NDArray[np.int64]
    """[M], ascending; M may be 0."""
    validation_loss: NDArray[np.float64]
    """[M, N]"""
    validation_accuracy: NDArray[np.float64] | None
    """[M, N], shares; None for a regression."""

    @property
    def regression(self) -> bool:
        """Whether the output is a real number, without accuracy."""
        return self.unit == "squared error"

    def over_tasks(self, split: str, measure: str) -> MeanLine:
        """The mean over tasks of a measure (loss, accuracy) in a split (train, validation)."""
        epochs = self.epoch if split == "train" else self.validation_epoch
        return MeanLine(epochs, getattr(self, f"{split}_{measure}").mean(axis=1))


@dataclass(frozen=True)
class SeedCurves:
    """Curves of runs that differ only in their seed, at least one."""

    runs: tuple[Curves, ...]

    @property
    def unit(self) -> LossUnit:
        """Of the losses."""
        return self.runs[0].unit

    @property
    def regression(self) -> bool:
        """As in `Curves`."""
        return self.runs[0].regression

    @property
    def dropout(self) -> bool:
        """As in `Curves`."""
        return self.runs[0].dropout

    @property
    def epoch(self) -> NDArray[np.int64]:
        """[E]: the epochs that every run has."""
        return reduce(np.intersect1d, [run.epoch for run in self.runs])

    @property
    def validation_epoch(self) -> NDArray[np.int64]:
        """[M]: the epochs at which every run was validated."""
        return reduce(np.intersect1d, [run.validation_epoch for run in self.runs])

    def over_tasks(self, split: str, measure: str) -> MeanLine:
        """The mean over seeds of `Curves.over_tasks`, and their range, at the shared epochs."""
        epochs = self.epoch if split == "train" else self.validation_epoch
        lines = [run.over_tasks(split, measure) for run in self.runs]
        rows = np.stack([line.values[np.isin(line.epochs, epochs)] for line in lines])
        return MeanLine(epochs, rows.mean(axis=0), (rows.min(axis=0), rows.max(axis=0)))


@dataclass(frozen=True)
class CurveStrips:
    """Curves over log-spaced columns of epochs, the same for training and validation."""

    labels: tuple[str, ...]
    """[N]: a task's modulus, or a run's name."""
    rows: Rows
    """The kind of the labels."""
    dropout: bool
    """Whether dropout was on in the training values."""
    columns: LogColumns
    """C of them."""
    until: NDArray[np.int64]
    """[N]: the last epoch that was trained; columns after it are NaN."""
    train_loss: NDArray[np.float64]
    """[C, N]: mean over the column, as a multiple of the loss of guessing; NaN where a run has no
    measurement in the column."""
    train_accuracy: NDArray[np.float64] | None
    """[C, N]: mean over the column; None for a regression."""
    validation_loss: NDArray[np.float64] | None
    """[C, N]; None without validation."""
    validation_accuracy: NDArray[np.float64] | None
    """[C, N]; None for a regression or without validation."""


def curves(
    labels: Sequence[str],
    epoch: ArrayLike,
    train_loss: ArrayLike,
    train_accuracy: ArrayLike | None,
    validation_epoch: ArrayLike,
    validation_loss: ArrayLike,
    validation_accuracy: ArrayLike | None,
    *,
    unit: LossUnit = "guessing",
    guessing: ArrayLike | None = None,
    dropout: bool = False,
) -> Curves:
    """Put a run's history (`miiii.runs.measured.History`) into a record.

    Args:
        labels: [N], the moduli as text.
        epoch: [E], ascending, at least one.
        train_loss: [E, N].
        train_accuracy: [E, N]; not kept for a regression.
        validation_epoch: [M], ascending.
        validation_loss: [M, N].
        validation_accuracy: [M, N]; not kept for a regression.
        unit: of the losses.
        guessing: [N], the loss of guessing: ln q in nats, the target's variance for a squared
            error; not needed in units of guessing, where it is 1.
        dropout: whether it was on in the training values.

    Raises:
        ValueError: shapes do not match, epochs do not ascend, there is none, the unit is unknown,
            accuracy is missing, or guessing is missing or not above 0.
    """
    check_choice("unit", unit, get_args(LossUnit))
    names = tuple(str(label) for label in labels)
    epochs, validated = ascending(epoch), ascending(validation_epoch)
    if not len(epochs):
        raise ValueError("epoch has 0 entries: expected at least one epoch of training")
    if guessing is None and unit != "guessing":
        raise ValueError(f"guessing is missing: expected its loss per task in {unit}")
    costs = np.ones(len(names)) if guessing is None else np.asarray(guessing, np.float64)
    if costs.shape != (len(names),) or not (costs > 0).all():
        raise ValueError(
            f"guessing is {costs.tolist()}: expected {len(names)} losses above 0, one per task"
        )

    def table(name: str, values: ArrayLike | None, at: NDArray[np.int64]) -> NDArray[np.float64]:
        if values is None:
            raise ValueError(f"{name} is missing: expected [epochs, tasks]")
        array = np.asarray(values, np.float64)
        if array.shape != (len(at), len(names)):
            raise ValueError(
                f"{name} has shape {array.shape}: expected [epochs, tasks] = "
                f"({len(at)}, {len(names)})"
            )
        return array

    regression = unit == "squared error"
    return Curves(
        labels=names,
        unit=unit,
        guessing=costs,
        dropout=dropout,
        epoch=epochs,
        train_loss=table("train_loss", train_loss, epochs),
        train_accuracy=None if regression else table("train_accuracy", train_accuracy, epochs),
        validation_epoch=validated,
        validation_loss=table("validation_loss", validation_loss, validated),
        validation_accuracy=None
        if regression
        else table("validation_accuracy", validation_accuracy, validated),
    )


def curve_strips(*runs: Curves, most: int | None = None) -> tuple[CurveStrips, ...]:
    """Gather every task of each run into columns that all runs share.

    Args:
        runs: at least one.
        most: columns at most; default: 64 / number of runs, since strips are drawn side by side.

    Raises:
        ValueError: there is no run.
    """
    if not runs:
        raise ValueError("runs: expected at least one, found 0")
    columns = _shared(runs, MOST // len(runs) if most is None else most)
    return tuple(
        _gathered([run], run.labels, "task" if run.regression else "modulus", columns, mean=False)
        for run in runs
    )


def mean_strips(runs: Mapping[str, Curves], most: int = MOST) -> CurveStrips:
    """Gather the mean over tasks of each run: a row per run (paper Figure 24).

    Args:
        runs: name to curves, at least one; all with accuracies or none.
        most: columns at most.

    Raises:
        ValueError: there is no run, or some are regressions and others are not.
    """
    chosen = list(runs.values())
    if not chosen:
        raise ValueError("runs: expected at least one, found 0")
    if len({run.regression for run in chosen}) > 1:
        raise ValueError("runs: expected regressions only or none, found both")
    return _gathered(chosen, tuple(runs), "run", _shared(chosen, most), mean=True)


def _shared(runs: Sequence[Curves], most: int) -> LogColumns:
    measured = [epochs for run in runs for epochs in (run.epoch, run.validation_epoch)]
    return log_columns(*measured, most=most)


def _gathered(
    runs: Sequence[Curves],
    labels: tuple[str, ...],
    rows: Rows,
    columns: LogColumns,
    *,
    mean: bool,
) -> CurveStrips:
    def values(name: str) -> NDArray[np.float64] | None:
        found = []
        for run in runs:
            table = getattr(run, name)
            epochs = run.epoch if name.startswith("train") else run.validation_epoch
            if table is None:
                return None
            table = table / run.guessing if name.endswith("loss") else table
            table = table.mean(axis=1, keepdims=True) if mean else table
            names = [str(column) for column in range(table.shape[1])]
            found.append(strip(epochs, table, names, columns).values)
        if name.startswith("validation") and not any(len(run.validation_epoch) for run in runs):
            return None
        return np.concatenate(found, axis=1)

    losses = values("train_loss")
    assert losses is not None
    return CurveStrips(
        labels=labels,
        rows=rows,
        dropout=all(run.dropout for run in runs),
        columns=columns,
        until=np.repeat([run.epoch[-1] for run in runs], len(labels) // len(runs)),
        train_loss=losses,
        train_accuracy=values("train_accuracy"),
        validation_loss=values("validation_loss"),
        validation_accuracy=values("validation_accuracy"),
    )
