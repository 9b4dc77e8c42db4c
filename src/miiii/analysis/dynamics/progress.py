"""Progress measures at every snapshot: per task, of the weights and of the embedding.

stack_progress(measure_each(run.snapshots, lambda weights: model_progress(weights, run.dataset)))
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from miiii.analysis.dynamics.gini import gini
from miiii.analysis.dynamics.snapshots import in_order
from miiii.analysis.dynamics.task_losses import TaskProgress, task_progress
from miiii.analysis.dynamics.weight_statistics import WeightStatistics, weight_statistics
from miiii.analysis.harmonics.fourier import dimensions, spectrum
from miiii.analysis.harmonics.task_harmonics import FloatArray
from miiii.analysis.parts.embeddings import digit_embeddings
from miiii.model.parameters import Parameters
from miiii.tasks.dataset import Dataset

_TASK_FIELDS = tuple(field.name for field in fields(TaskProgress) if field.name != "moduli")


@dataclass(frozen=True)
class ModelProgress:
    """The progress measures of one model."""

    tasks: TaskProgress
    weights: WeightStatistics
    embedding_gini: float
    """See `embedding_gini`."""


@dataclass(frozen=True)
class ProgressThroughTraining(TaskProgress):
    """The progress measures at S snapshots; those of `TaskProgress` are [S, N]."""

    epochs: NDArray[np.int64]
    """[S], ascending."""
    weight_names: tuple[str, ...]
    """[W]."""
    norm: FloatArray
    """[S, W]: L2 norm of each weight matrix."""
    effective_rank: FloatArray
    """[S, W]: see `weight_statistics.effective_rank`."""
    embedding_gini: FloatArray
    """[S]: see `embedding_gini`."""

    @property
    def total_norm(self) -> FloatArray:
        """[S]: L2 norm of all weights together."""
        return np.linalg.norm(self.norm, axis=1)


def model_progress(parameters: Parameters, dataset: Dataset) -> ModelProgress:
    """Measure one model: 2 s of one core at p = 113, d = 256.

    Raises:
        ValueError: as in `task_losses.task_progress`.
    """
    return ModelProgress(
        task_progress(parameters, dataset),
        weight_statistics(parameters),
        embedding_gini(parameters),
    )


def embedding_gini(parameters: Parameters) -> float:
    """Gini coefficient of the token embedding's power over its frequencies.

    Power is that of 1 … ⌊p/2⌋ cycles per p digits, per basis function, over all latent dimensions
    together. A task's frequency k/q lies between two of these and is spread over its neighbours,
    which lowers the coefficient: compare epochs of one run, not T_miiii with T_nanda.

    Returns:
        0 to 1; NaN for an embedding that is constant.
    """
    power = spectrum(digit_embeddings(parameters), axis=0).sum(axis=1)[1:]
    return float(gini(power / dimensions(parameters.base)[1:]))


def stack_progress(measured: Iterable[tuple[int, ModelProgress]]) -> ProgressThroughTraining:
    """Stack the measures of snapshots.

    Args:
        measured: (epoch, measures), ascending, as from `snapshots.measure_each`.

    Raises:
        ValueError: there are none, epochs do not ascend, or they are of different tasks or models.
    """
    epochs, found = in_order(measured, "progress")
    if len({(each.tasks.moduli, each.weights.names) for each in found}) > 1:
        raise ValueError("progress must be of the same tasks and of one shape of model")
    tables = {
        name: np.stack([getattr(each.tasks, name) for each in found]) for name in _TASK_FIELDS
    }
    return ProgressThroughTraining(
        moduli=found[0].tasks.moduli,
        epochs=epochs,
        **tables,
        weight_names=found[0].weights.names,
        norm=np.stack([each.weights.norm for each in found]),
        effective_rank=np.stack([each.weights.effective_rank for each in found]),
        embedding_gini=np.array([each.embedding_gini for each in found]),
    )
