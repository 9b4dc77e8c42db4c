"""Loss and accuracy of every task from logits, in float64 (paper Eqs. 4.1 and 10)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from miiii.analysis.harmonics.task_harmonics import FloatArray
from miiii.tasks.dataset import Dataset


@dataclass(frozen=True)
class TaskScores:
    """Loss and accuracy of every task, along the last axis."""

    loss: FloatArray
    """[…, N]: mean cross-entropy / ln(classes), so that guessing costs 1."""
    accuracy: FloatArray
    """[…, N], 0 to 1: share of numbers whose label, and no other, has the largest logit."""

    def __getitem__(self, place: Any) -> "TaskScores":
        return TaskScores(self.loss[place], self.accuracy[place])


def stack_scores(scores: Sequence[TaskScores]) -> TaskScores:
    """Scores of several models, along a new first axis."""
    return TaskScores(
        np.stack([each.loss for each in scores]), np.stack([each.accuracy for each in scores])
    )


def score_tasks(logits: ArrayLike, targets: ArrayLike, class_sizes: Sequence[int]) -> TaskScores:
    """Score the logits of B numbers.

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
    """The margin of every number in every task: right logit minus the largest other one.

    Args:
        logits: [B, V], all tasks' classes side by side.
        targets: [B, N], the class within each task.
        class_sizes: [N], V together.

    Returns:
        [B, N], in units of logits; at most 0 where the answer is wrong, NaN where there is none.

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
    """Sums over samples, from class-major logits: a task's classes are then whole rows in memory.

    Args:
        logits: [V, B]; changed and restored.
        labels: [N, B].
        class_sizes: [N].

    Returns:
        [2, N]: cross-entropy in nats, and the number of right answers.
    """
    sums = np.empty((2, len(class_sizes)))
    samples = np.arange(logits.shape[1])
    end = 0
    for task, (size, label) in enumerate(zip(class_sizes, labels, strict=True)):
        end += size
        own = logits[end - size : end]
        # The label's logit is set to −∞, so that the maximum is that of the other classes: the
        # answer is right if the label is above it, and an equal logit counts as wrong. Its
        # exponential is then added by itself.
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
