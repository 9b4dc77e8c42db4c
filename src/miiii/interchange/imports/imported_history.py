"""What is measured of a model that was trained elsewhere, and its history here."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from miiii.config.config import Config
from miiii.interchange.imports.losses import Losses
from miiii.interchange.imports.plain_transformer import PlainTransformer
from miiii.tasks.dataset import Dataset

Weights = Mapping[str, NDArray[Any]]

Told = Callable[[int, int], None]
"""Told how many of how many epochs are measured."""


class Measuring:
    """Logits and gradients of imported weights, in float64.

    Args:
        config: the run's.
        dataset: its numbers and targets.
        extra_classes: [D, n], the unembedding of classes that are no answer, where the model has
            any.
    """

    def __init__(
        self, config: Config, dataset: Dataset, extra_classes: NDArray[Any] | None = None
    ) -> None:
        self._extra = extra_classes
        self._architecture = config.model.architecture
        self._base = config.task.base
        self._digits = dataset.digits
        self._labels = np.asarray(dataset.targets[:, 0], np.int32)

    def logits(self, weights: Weights) -> NDArray[np.float64]:
        """[p², V + n]: of all numbers, classes that are no answer last."""
        if self._extra is not None:
            whole = np.concatenate([weights["unembedding"], self._extra], axis=1)
            weights = {**weights, "unembedding": whole}
        return self._model(weights).logits(self._digits)

    def gradient_norms(self, weights: Weights, numbers: NDArray[np.int32]) -> NDArray[Any]:
        """[W]: L2 norms of the gradient of the mean loss on some numbers."""
        return self._model(weights).gradient_norms(self._digits[numbers], self._labels[numbers])

    def _model(self, weights: Weights) -> PlainTransformer:
        return PlainTransformer(weights, self._architecture, self._base)

    def losses(self, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """[p²]: the cross-entropy of every number over all classes given, in nats, in float64."""
        places = np.arange(len(logits)), self._labels
        rivals = logits - logits[places][:, None]
        rivals[places] = -np.inf
        # logaddexp, since the other classes' share may be below float64's resolution at 1.
        return np.logaddexp(0, np.logaddexp.reduce(rivals, axis=1))

    def right(self, logits: NDArray[np.float64]) -> NDArray[np.bool_]:
        """[p²]: whether the right class and no other has the largest logit."""
        rivals = logits.copy()
        places = np.arange(len(logits)), self._labels
        rivals[places] = -np.inf
        return logits[places] > rivals.max(axis=1)


def measured_rows(
    config: Config,
    dataset: Dataset,
    measuring: Measuring,
    parameters: dict[int, Weights],
    told: Told,
    of_last: NDArray[np.float64],
) -> dict[str, NDArray[Any]]:
    """The history's rows: of every epoch from 1 on that has weights.

    Returns:
        By the names of `runs.history`, E rows each: losses in nats, accuracies, and the norms of
        the training loss' gradient.
    """
    epochs = sorted(epoch for epoch in parameters if epoch > 0)
    rows: dict[str, list[Any]] = {}
    for done, epoch in enumerate(epochs, start=1):
        logits = of_last if epoch == epochs[-1] else measuring.logits(parameters[epoch])
        logits = logits[:, : dataset.class_sizes[0]]
        losses, right = measuring.losses(logits), measuring.right(logits)
        for part in ("train", "validation"):
            numbers = getattr(dataset.split, part)
            rows.setdefault(f"{part}_loss", []).append([losses[numbers].mean()])
            rows.setdefault(f"{part}_accuracy", []).append([right[numbers].mean()])
        norms = measuring.gradient_norms(parameters[epoch], dataset.split.train)
        rows.setdefault("gradient_norm", []).append(norms)
        told(done, len(epochs))
    index = np.asarray(epochs, np.int64)
    dtype = np.dtype(config.training.precision)
    columns = {name: np.asarray(column, dtype) for name, column in rows.items()}
    return {"epoch": index, "validation_epoch": index, **columns}


def with_losses(
    measured: dict[str, NDArray[Any]], losses: Losses, *, test_before_update: bool
) -> dict[str, NDArray[Any]]:
    """The history with the losses that the file has; what it does not have is NaN.

    It ends with the last weights; losses of later epochs are left out.

    Epoch e of the history has the training loss of the pass that made update e, which is the
    file's e-th, and the validation loss after it. The code of 2022 tests before the update.

    Args:
        measured: rows of the epochs that have weights.
        losses: the file's.
        test_before_update: whether the i-th test loss is of the weights after i updates, counted
            from 0, or after i + 1.
    """
    last = int(measured["epoch"][-1])
    told = np.arange(1, min(losses.epochs, last) + 1)
    if not len(told):
        return measured
    epochs = np.union1d(told, measured["epoch"])
    train = _spread(measured, epochs, "epoch", ("train_loss", "train_accuracy", "gradient_norm"))
    _put(train["train_loss"], epochs, told, losses.train[: len(told)])
    if not losses.step:
        return measured | train | {"epoch": epochs}
    after = np.arange(len(losses.test)) * losses.step + (0 if test_before_update else 1)
    kept = (after > 0) & (after <= last)
    validated = np.union1d(after[kept], measured["validation_epoch"])
    names = ("validation_loss", "validation_accuracy")
    validation = _spread(measured, validated, "validation_epoch", names)
    _put(validation["validation_loss"], validated, after[kept], losses.test[kept])
    return {"epoch": epochs, "validation_epoch": validated, **train, **validation}


def _put(
    rows: NDArray[Any],
    epochs: NDArray[np.int64],
    at: NDArray[np.int64],
    values: NDArray[np.float64],
) -> None:
    rows[np.searchsorted(epochs, at), 0] = values


def _spread(
    measured: dict[str, NDArray[Any]], epochs: NDArray[np.int64], index: str, names: tuple[str, ...]
) -> dict[str, NDArray[Any]]:
    """Measured rows at their epochs, and NaN between them."""
    places = np.searchsorted(epochs, measured[index])
    found = {}
    for name in names:
        rows = measured[name]
        found[name] = np.full((len(epochs), *rows.shape[1:]), np.nan, rows.dtype)
        found[name][places] = rows
    return found
