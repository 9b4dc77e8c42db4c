"""What is measured of a model that was trained elsewhere: its history here."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from miiii.config.config import Config
from miiii.experiment.batch import make_batch, numerics
from miiii.model.parameters import Parameters
from miiii.model.transformer import forward
from miiii.tasks.dataset import Dataset
from miiii.training.loss import task_cross_entropy

Told = Callable[[int, int], None]
"""Told how many of how many epochs are measured."""


def measure(
    config: Config, dataset: Dataset, parameters: dict[int, Parameters], told: Told
) -> dict[str, NDArray[Any]]:
    """The history's rows: of every epoch from 1 on that has weights.

    Returns:
        By the names of `runs.history`, E rows each: losses in nats, accuracies, and the norms of
        the training loss' gradient.
    """
    sizes = dataset.class_sizes

    def losses(weights: Parameters, numbers: NDArray[np.int32]) -> Any:
        logits, _ = forward(weights, dataset.digits[numbers])  # pyright: ignore[reportArgumentType]
        return task_cross_entropy(logits.T, jnp.asarray(dataset.targets[numbers].T), sizes)

    def total(weights: Parameters) -> Any:
        loss, accuracy = losses(weights, dataset.split.train)
        return loss.sum(), (loss, accuracy)

    def everything(weights: Parameters) -> Any:
        (_, train), gradient = jax.value_and_grad(total, has_aux=True)(weights)
        norms = jnp.stack([jnp.linalg.norm(leaf) for leaf in jax.tree.leaves(gradient)])
        return (*train, norms, *losses(weights, dataset.split.validation))

    epochs = sorted(epoch for epoch in parameters if epoch > 0)
    measured = []
    with numerics(make_batch([config]).setting):
        compiled = jax.jit(everything)
        for done, epoch in enumerate(epochs, start=1):
            measured.append([np.asarray(one) for one in compiled(parameters[epoch])])
            told(done, len(epochs))
    columns = [np.stack(column) for column in zip(*measured, strict=True)]
    names = ("train_loss", "train_accuracy", "gradient_norm")
    names = (*names, "validation_loss", "validation_accuracy")
    index = np.asarray(epochs, np.int64)
    return {"epoch": index, "validation_epoch": index, **dict(zip(names, columns, strict=True))}


def _logits(config: Config, dataset: Dataset, weights: Parameters) -> NDArray[Any]:
    with numerics(make_batch([config]).setting):
        return np.asarray(forward(weights, dataset.digits)[0])  # pyright: ignore[reportArgumentType]


def accuracy(config: Config, dataset: Dataset, weights: Parameters) -> float:
    """The share of all p² numbers that the model answers right."""
    logits = _logits(config, dataset, weights)
    return float((logits.argmax(axis=1) == dataset.targets[:, 0]).mean())


def answers_of_class(
    column: NDArray[Any], config: Config, dataset: Dataset, weights: Parameters
) -> int:
    """On how many numbers a further class, with this unembedding [D], would be the answer."""
    whole: Any = np.concatenate([weights.unembedding, column[:, None]], axis=1)
    logits = _logits(config, dataset, dataclasses.replace(weights, unembedding=whole))
    return int((logits.argmax(axis=1) == whole.shape[1] - 1).sum())
