"""What was measured through a run's training, epoch by epoch. Needs no JAX."""

from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from miiii.runs.thresholds import reached

_SHOWING = "miiii.results.notebook"
"""Imported by name when a notebook asks, because it imports what draws."""


@dataclass(frozen=True)
class History:
    """What was measured through training.

    Losses are divided by ln q where the configuration says so, so that guessing costs 1. Training
    values are of the pass that made the update: before it, with dropout on. Validation is after the
    update, with dropout off.
    """

    moduli: tuple[int, ...]
    """N: the modulus of each column of losses and accuracies."""
    weight_names: tuple[str, ...]
    """W: the weight of each column of `gradient_norm`."""
    epoch: NDArray[np.int64]
    """[E], from 1."""
    train_loss: NDArray[Any]
    """[E, N]"""
    train_accuracy: NDArray[Any]
    """[E, N], shares of `train_examples`."""
    gradient_norm: NDArray[Any]
    """[E, W], L2, before the filter."""
    validation_epoch: NDArray[np.int64]
    """[M], the epochs that validated."""
    validation_loss: NDArray[Any]
    """[M, N]"""
    validation_accuracy: NDArray[Any]
    """[M, N], shares of `validation_examples`."""
    train_examples: NDArray[np.int64]
    """[E], how many numbers an epoch trained on."""
    validation_examples: NDArray[np.int64]
    """[M], how many numbers a validation asked."""
    validation_raw_loss: NDArray[Any] | None = None
    """[M, N], of the raw weights, in a run that keeps an average of them (`average_weights`): there
    `validation_loss` is of the average."""
    validation_raw_accuracy: NDArray[Any] | None = None
    """[M, N], of the raw weights, likewise."""

    def of_raw_weights(self) -> "History":
        """The same history, its validation that of the raw weights; itself where there is one."""
        if self.validation_raw_loss is None or self.validation_raw_accuracy is None:
            return self
        return replace(
            self,
            validation_loss=self.validation_raw_loss,
            validation_accuracy=self.validation_raw_accuracy,
            validation_raw_loss=None,
            validation_raw_accuracy=None,
        )

    def reached(self, accuracy: float) -> NDArray[np.bool_]:
        """Whether validation accuracies are at least `accuracy`, in right answers: [M, N]."""
        return reached(self.validation_accuracy, accuracy, self.validation_examples[:, None])

    @property
    def has_gradients(self) -> NDArray[np.bool_]:
        """[E], whether gradients were measured.

        An imported run has losses of epochs that it has no weights of.
        """
        return np.asarray(np.isfinite(self.gradient_norm).any(axis=1))

    def first_reached(self, accuracy: float, *, held: bool = False) -> dict[int, int | None]:
        """Per modulus the first epoch whose validation accuracy is at least `accuracy`.

        Args:
            accuracy: a share.
            held: whether it must stay there for good.

        Returns:
            None for a task that never reached it.
        """
        table = self.reached(accuracy)
        if held:
            table = np.logical_and.accumulate(table[::-1], axis=0)[::-1]
        return {
            modulus: int(self.validation_epoch[column.argmax()]) if column.any() else None
            for modulus, column in zip(self.moduli, table.T, strict=True)
        }

    @property
    def first_measured(self) -> dict[int, int | None]:
        """Per modulus the first epoch with a validation accuracy; None for a task that has none.

        An imported run may have losses of epochs whose accuracies nobody kept: what was reached at
        this epoch may have been reached before.
        """
        known = np.isfinite(np.asarray(self.validation_accuracy, np.float64))
        return {
            modulus: int(self.validation_epoch[column.argmax()]) if column.any() else None
            for modulus, column in zip(self.moduli, known.T, strict=True)
        }

    def _repr_html_(self) -> str:
        return import_module(_SHOWING).history_html(self)

    def _repr_svg_(self) -> str | None:
        return import_module(_SHOWING).history_svg(self)
