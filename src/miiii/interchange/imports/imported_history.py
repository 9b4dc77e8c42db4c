"""Measure a model that was trained elsewhere, and make its history."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from miiii.config.config import Config
from miiii.interchange.imports.losses import Losses
from miiii.interchange.imports.plain_transformer import PlainTransformer
from miiii.tasks.dataset import Dataset

Weights = Mapping[str, NDArray[Any]]

ShowProgress = Callable[[int, int], None]
"""Receives the number of measured epochs and the number of all epochs."""


class Measuring:
    """Logits and gradients of imported weights, in float64.

    Args:
        config: the run's configuration.
        dataset: the run's numbers and targets.
        extra_classes: [D, n], the unembedding of classes that are no answers; None if there are
            none.
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
        """[p², V + n]: logits of all numbers; classes that are no answers come last."""
        if self._extra is not None:
            whole = np.concatenate([weights["unembedding"], self._extra], axis=1)
            weights = {**weights, "unembedding": whole}
        return self._model(weights).logits(self._digits)

    def gradient_norms(self, weights: Weights, numbers: NDArray[np.int32]) -> NDArray[Any]:
        """[W]: L2 norm of the mean loss's gradient on some numbers, for each weight."""
        return self._model(weights).gradient_norms(self._digits[numbers], self._labels[numbers])

    def _model(self, weights: Weights) -> PlainTransformer:
        return PlainTransformer(weights, self._architecture, self._base)

    def losses(self, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """[p²]: each number's cross-entropy over all classes in `logits`, in nats, in float64."""
        places = np.arange(len(logits)), self._labels
        rivals = logits - logits[places][:, None]
        rivals[places] = -np.inf
        # The loss is ln(1 + Σ exp(rival)). logaddexp keeps it exact if the sum is below float64's
        # resolution at 1, 2e-16, as it is for a model that has grokked.
        return np.logaddexp(0, np.logaddexp.reduce(rivals, axis=1))

    def right(self, logits: NDArray[np.float64]) -> NDArray[np.bool_]:
        """[p²]: whether the right class has a larger logit than all others; ties count as wrong."""
        rivals = logits.copy()
        places = np.arange(len(logits)), self._labels
        rivals[places] = -np.inf
        return logits[places] > rivals.max(axis=1)


def measured_rows(
    config: Config,
    dataset: Dataset,
    measuring: Measuring,
    parameters: dict[int, Weights],
    show: ShowProgress,
    last_logits: NDArray[np.float64],
) -> dict[str, NDArray[Any]]:
    """The history's rows for every epoch from 1 on that has weights.

    Returns:
        Arrays by the names of `runs.history`, E rows each: losses in nats, accuracies, and norms of
        the training loss's gradient.
    """
    epochs = sorted(epoch for epoch in parameters if epoch > 0)
    rows: dict[str, list[Any]] = {}
    for done, epoch in enumerate(epochs, start=1):
        logits = last_logits if epoch == epochs[-1] else measuring.logits(parameters[epoch])
        logits = logits[:, : dataset.class_sizes[0]]
        losses, right = measuring.losses(logits), measuring.right(logits)
        for part in ("train", "validation"):
            numbers = getattr(dataset.split, part)
            rows.setdefault(f"{part}_loss", []).append([losses[numbers].mean()])
            rows.setdefault(f"{part}_accuracy", []).append([right[numbers].mean()])
        norms = measuring.gradient_norms(parameters[epoch], dataset.split.train)
        rows.setdefault("gradient_norm", []).append(norms)
        show(done, len(epochs))
    index = np.asarray(epochs, np.int64)
    dtype = np.dtype(config.training.precision)
    columns = {name: np.asarray(column, dtype) for name, column in rows.items()}
    return {"epoch": index, "validation_epoch": index, **columns}


def with_losses(
    measured: dict[str, NDArray[Any]], losses: Losses, *, test_before_update: bool
) -> dict[str, NDArray[Any]]:
    """The history with the file's losses; values that neither has are NaN.

    The history ends with the last weights; losses of later epochs are left out.

    Epoch e of a history has the training loss before update e, which is the file's e-th training
    loss, and the validation loss after update e. The code of 2022 tests before the update.

    Args:
        measured: rows of the epochs that have weights.
        losses: the file's losses.
        test_before_update: whether the i-th test loss, from 0, belongs to the weights after i
            updates; if not, it belongs to those after i + 1.
    """
    last = int(measured["epoch"][-1])
    given = np.arange(1, min(losses.epochs, last) + 1)
    if not len(given):
        return measured
    epochs = np.union1d(given, measured["epoch"])
    train = _spread(measured, epochs, "epoch", ("train_loss", "train_accuracy", "gradient_norm"))
    _put(train["train_loss"], epochs, given, losses.train[: len(given)])
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
