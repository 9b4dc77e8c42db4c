"""Loss and accuracy of every task from logits, in float64 (paper Eqs. 4.1 and 10)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from miiii.analysis.harmonics.task_harmonics import FloatArray
from miiii.tasks.dataset import Dataset


@dataclass(frozen=True)
class TaskScores:
    """How well every task is done; any axes may stand before that of the tasks."""

    loss: FloatArray
    """[…, N]: mean cross-entropy / ln(classes), so that guessing costs 1."""
    accuracy: FloatArray
    """[…, N], 0 to 1: share of numbers whose label, and no other, has the largest logit."""


def score_tasks(logits: ArrayLike, targets: ArrayLike, class_sizes: Sequence[int]) -> TaskScores:
    """Score the logits of some numbers.

    Args:
        logits: [B, V], all tasks' classes side by side.
        targets: [B, N], the class within each task; rows of −1 have no answer and do not count.
        class_sizes: [N], V together.

    Raises:
        ValueError: shapes do not match.
    """
    array, labels = _checked(logits, targets, class_sizes)
    if labels.min(initial=0) < 0:
        answered = (labels >= 0).all(axis=1)
        array, labels = array[answered], labels[answered]
    sums = score_sums(np.ascontiguousarray(array.T), labels.T, class_sizes)
    return mean_scores(sums, len(labels), class_sizes)


def margins(logits: ArrayLike, targets: ArrayLike, class_sizes: Sequence[int]) -> FloatArray:
    """How far every number is from being answered otherwise.

    Args:
        logits: [B, V], all tasks' classes side by side.
        targets: [B, N], the class within each task.
        class_sizes: [N], V together.

    Returns:
        [B, N]: the label's logit minus the largest other one of the task, in units of logits; at
        most 0 where the answer is wrong, NaN where there is none.

    Raises:
        ValueError: shapes do not match.
    """
    array, labels = _checked(logits, targets, class_sizes)
    found = np.empty(labels.shape)
    rows = np.arange(len(labels))
    end = 0
    for task, size in enumerate(class_sizes):
        end += size
        others = array[:, end - size : end].copy()
        of_label = others[rows, labels[:, task]]
        others[rows, labels[:, task]] = -np.inf
        found[:, task] = np.where(labels[:, task] < 0, np.nan, of_label - others.max(axis=1))
    return found


def score_sums(
    logits: FloatArray, labels: NDArray[np.integer], class_sizes: Sequence[int]
) -> FloatArray:
    """Sums over samples, class-major: a task's classes are then whole rows, read in order.

    Args:
        logits: [V, B]; written to on the way, and left as they were.
        labels: [N, B].
        class_sizes: [N].

    Returns:
        [2, N]: cross-entropy in nats, and how many are right.
    """
    sums = np.empty((2, len(class_sizes)))
    samples = np.arange(logits.shape[1])
    end = 0
    for task, (size, label) in enumerate(zip(class_sizes, labels, strict=True)):
        end += size
        own = logits[end - size : end]
        # Without the label among them, the largest of the others is its rival: right where the
        # label is above it.
        of_label = own[label, samples]
        own[label, samples] = -np.inf
        rival = own.max(axis=0)
        largest = np.maximum(rival, of_label)
        exponentials = np.subtract(own, largest)
        own[label, samples] = of_label
        np.exp(exponentials, out=exponentials)
        total = exponentials.sum(axis=0) + np.exp(of_label - largest)
        sums[:, task] = (np.log(total) + largest - of_label).sum(), (of_label > rival).sum()
    return sums


def mean_scores(sums: FloatArray, samples: int, class_sizes: Sequence[int]) -> TaskScores:
    """Scores from sums [2, …, N] over that many samples."""
    return TaskScores(sums[0] / samples / np.log(class_sizes), sums[1] / samples)


def class_targets(dataset: Dataset) -> NDArray[np.integer]:
    """[p², N]: the class of every number within each task, −1 where it has no answer.

    Raises:
        ValueError: the targets are real numbers (waves).
    """
    if not np.issubdtype(dataset.targets.dtype, np.integer):
        raise ValueError("the task has a real output: expected classes to score, found none")
    return dataset.targets.astype(np.int64)


def _checked(
    logits: ArrayLike, targets: ArrayLike, class_sizes: Sequence[int]
) -> tuple[FloatArray, NDArray[np.integer]]:
    array, labels = np.asarray(logits, np.float64), np.asarray(targets)
    expected = (len(labels), sum(class_sizes))
    if array.shape != expected or labels.shape != (len(labels), len(class_sizes)):
        raise ValueError(
            f"logits have shape {array.shape} and targets {labels.shape}: expected "
            f"{expected} and ({len(labels)}, {len(class_sizes)})"
        )
    return array, labels
