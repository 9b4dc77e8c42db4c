"""How much of each task the model does by its harmonics: restricted and excluded loss.

Nanda et al. (2023) follow addition by what the logits are without everything but, or without, its
frequencies. Carried to a task q: the logits of its head, as functions of n, are split into their
mean, their part in the span of q's harmonics and the rest. Mean and span together are the functions
of n mod q, so the split takes nothing but averages over the residue classes.

- restricted: mean and span alone, scored on all p² numbers. Low as soon as there is a circuit.
- excluded: mean and rest, scored on the numbers trained on. Low only while they are memorised.

For T_nanda the functions of the operation's result (x0 + x1 mod p) take the place of those of
n mod q; the key frequencies alone are in `trigonometric`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from miiii.analysis.checks import finite
from miiii.analysis.digit_split import share_of
from miiii.analysis.harmonics import FloatArray, check_modulus
from miiii.analysis.recording import record
from miiii.analysis.scoring import class_targets, mean_scores, score_sums
from miiii.model.parameters import Parameters
from miiii.tasks.dataset import Dataset
from miiii.tasks.targets import nanda


@dataclass(frozen=True)
class TaskProgress:
    """Loss and accuracy of N tasks, of the whole logits and of their parts; dropout off.

    Losses are cross-entropies / ln(classes), so that guessing costs 1; accuracies are shares of
    numbers whose label has the largest logit, alone.
    """

    moduli: tuple[int, ...]
    """[N]."""
    loss: FloatArray
    """[N]: whole logits, all p² numbers."""
    accuracy: FloatArray
    """[N]."""
    train_loss: FloatArray
    """[N]: whole logits, the numbers trained on."""
    train_accuracy: FloatArray
    """[N]."""
    restricted_loss: FloatArray
    """[N]: mean and span alone, all p² numbers."""
    restricted_accuracy: FloatArray
    """[N]."""
    excluded_loss: FloatArray
    """[N]: without the span, the numbers trained on."""
    excluded_accuracy: FloatArray
    """[N]."""
    span_share: FloatArray
    """[N]: share of the variance over the numbers of the head's logits that the span holds. A
    number's mean over the classes, which no loss sees, is taken off first. NaN where the logits do
    not vary."""


def task_progress(parameters: Parameters, dataset: Dataset) -> TaskProgress:
    """Measure a model's tasks.

    At p = 113 with 29 tasks this takes 2 s of one core.

    Raises:
        ValueError: the task has no classes, a logit is not finite, or as in `logit_progress`.
    """
    class_targets(dataset)  # refuses a regression before anything is computed
    return logit_progress(record(parameters, "logits")["logits"], dataset)


def logit_progress(logits: ArrayLike, dataset: Dataset) -> TaskProgress:
    """Measure the tasks from logits.

    Args:
        logits: [p², V], all tasks' classes side by side.
        dataset: targets, class sizes and the numbers trained on.

    Raises:
        ValueError: the logits have another shape or are not finite, the task has no classes, or a
            modulus is not below p².
    """
    array = finite("logits", logits)
    targets, groups = class_targets(dataset), residues(dataset)
    expected = (len(targets), sum(dataset.class_sizes))
    if array.shape != expected:
        raise ValueError(f"logits have shape {array.shape}: expected [p², V] = {expected}")
    train = np.asarray(dataset.split.train)
    sums = np.empty((4, 2, len(dataset.class_sizes)))
    shares = np.empty(len(dataset.class_sizes))
    end = 0
    for task, size in enumerate(dataset.class_sizes):
        end += size
        own = np.array(array[:, end - size : end].T, order="C")
        inside = group_means(own, groups[:, task])[:, groups[:, task]]
        mean = own.mean(axis=1, keepdims=True)
        excluded = (own - inside + mean)[:, train]
        label = targets[None, :, task]
        parts = ((own, label), (own[:, train], label[:, train]))
        parts = (*parts, (inside, label), (excluded, label[:, train]))
        for kind, (values, labels) in enumerate(parts):
            sums[kind, :, task] = score_sums(values, labels, (size,))[:, 0]
        own -= own.mean(axis=0) + (mean - mean.mean())
        inside -= inside.mean(axis=0) + (mean - mean.mean())
        shares[task] = share_of((inside**2).sum(), (own**2).sum())
    counts = (len(targets), len(train), len(targets), len(train))
    scores = [
        mean_scores(each, count, dataset.class_sizes)
        for each, count in zip(sums, counts, strict=True)
    ]
    return TaskProgress(
        moduli=tuple(dataset.moduli),
        loss=scores[0].loss,
        accuracy=scores[0].accuracy,
        train_loss=scores[1].loss,
        train_accuracy=scores[1].accuracy,
        restricted_loss=scores[2].loss,
        restricted_accuracy=scores[2].accuracy,
        excluded_loss=scores[3].loss,
        excluded_accuracy=scores[3].accuracy,
        span_share=shares,
    )


def residues(dataset: Dataset) -> NDArray[np.int64]:
    """[p², N]: n mod q for every task; for T_nanda the result of its operation.

    For T_basis it is n mod q too: there the labels are no functions of it, and nothing that was
    learnt lies in the span.

    Raises:
        ValueError: a modulus is not below p², so that it tells every number from every other.
    """
    base = base_of(dataset)
    if dataset.moduli == (base,):
        for operation in ("add", "subtract", "multiply"):
            result = nanda(base, operation)
            if np.array_equal(dataset.targets, result):
                return result.astype(np.int64)
    for modulus in dataset.moduli:
        check_modulus(base, modulus)
    return np.arange(base**2)[:, None] % np.asarray(dataset.moduli, np.int64)


def is_addition(dataset: Dataset) -> bool:
    """Whether the task is x0 + x1 mod p, T_nanda as Nanda et al. (2023) have it."""
    base = base_of(dataset)
    return dataset.moduli == (base,) and np.array_equal(dataset.targets, nanda(base, "add"))


def group_means(values: FloatArray, groups: NDArray[np.integer]) -> FloatArray:
    """Means over the columns of each group.

    Args:
        values: [M, B].
        groups: [B], whole numbers from 0.

    Returns:
        [M, largest group + 1]; 0 for a group that does not occur.
    """
    counts = np.bincount(groups)
    occurring = np.flatnonzero(counts)
    order = np.argsort(groups, kind="stable")
    starts = np.concatenate([[0], np.cumsum(counts[occurring])[:-1]])
    means = np.zeros((len(values), len(counts)))
    means[:, occurring] = np.add.reduceat(values[:, order], starts, axis=1) / counts[occurring]
    return means


def base_of(dataset: Dataset) -> int:
    """P, of which the digits are."""
    return int(dataset.digits.max()) + 1
