"""Each task's loss with only, and without, its harmonics: restricted and excluded loss.

Nanda et al. (2023) measure addition by the loss of logits with only, or without, its frequencies.
For a task q the logits of its head, as functions of n, are split into their mean, their part in the
span of q's harmonics (the span part), and the rest. Mean and span part together are the averages
over the residue classes of n mod q.

- restricted: only mean and span part, scored on all p² numbers.
- excluded: mean and rest, scored on the training numbers: low where the model answers these by
  something that averages out over the classes, such as memorised labels.
- carried: as restricted, with averages over the numbers that are not trained on.

Where most numbers are trained on, memorised labels do not average out: the class means then hold
the labels, restricted loss falls and excluded loss rises without any circuit. The carried loss is
low only if the class means are right for other numbers too.

For T_nanda, functions of the operation's result (x0 + x1 mod p) replace those of n mod q;
`trigonometric` has those on the key frequencies only.
"""

from dataclasses import dataclass
from typing import get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from miiii.analysis.checks import finite
from miiii.analysis.harmonics.digit_split import share_of
from miiii.analysis.harmonics.task_harmonics import FloatArray, check_modulus
from miiii.analysis.recording import record
from miiii.analysis.scoring import class_targets, mean_scores, score_sums
from miiii.model.parameters import Parameters
from miiii.tasks.config import Operation
from miiii.tasks.dataset import Dataset
from miiii.tasks.targets import nanda

_SCORED = ("", "train_", "restricted_", "excluded_", "carried_")


@dataclass(frozen=True)
class TaskProgress:
    """Loss and accuracy of N tasks, of the whole logits and of their parts; dropout off.

    Losses are cross-entropies / ln(classes), so that guessing costs 1; accuracies are shares of
    numbers whose label, and no other, has the largest logit.
    """

    moduli: tuple[int, ...]
    """[N]."""
    loss: FloatArray
    """[N]: whole logits, all p² numbers."""
    accuracy: FloatArray
    """[N]."""
    train_loss: FloatArray
    """[N]: whole logits, the training numbers."""
    train_accuracy: FloatArray
    """[N]."""
    held_out_loss: FloatArray
    """[N]: whole logits, the numbers not trained on."""
    held_out_accuracy: FloatArray
    """[N]."""
    restricted_loss: FloatArray
    """[N]: only mean and span part, all p² numbers."""
    restricted_accuracy: FloatArray
    """[N]."""
    carried_loss: FloatArray
    """[N]: the same, with class means over the numbers not trained on; all p² numbers."""
    carried_accuracy: FloatArray
    """[N]."""
    excluded_loss: FloatArray
    """[N]: without the span part, the training numbers."""
    excluded_accuracy: FloatArray
    """[N]."""
    span_share: FloatArray
    """[N]: the span part's share of the variance of the head's logits over the numbers. Each
    number's mean over the classes, on which no loss depends, is subtracted first. NaN where the
    logits do not vary."""


def task_progress(parameters: Parameters, dataset: Dataset) -> TaskProgress:
    """Measure a model's tasks.

    At p = 113 with 29 tasks this takes 3 s of one core.

    Raises:
        ValueError: the task has no classes, a logit is not finite, or as in `logit_progress`.
    """
    class_targets(dataset)  # refuses a regression before anything is computed
    return logit_progress(record(parameters, "logits")["logits"], dataset)


def logit_progress(logits: ArrayLike, dataset: Dataset) -> TaskProgress:
    """Measure the tasks from logits.

    Args:
        logits: [p², V], all tasks' classes side by side.
        dataset: targets, class sizes and training numbers.

    Raises:
        ValueError: the logits have another shape or are not finite, the task has no classes, or a
            modulus is not below p².
    """
    array = finite("logits", logits)
    targets, groups = class_targets(dataset), residues(dataset)
    expected = (len(targets), sum(dataset.class_sizes))
    if array.shape != expected:
        raise ValueError(f"logits have shape {array.shape}: expected [p², V] = {expected}")
    answered = dataset.answered
    if len(answered) < len(targets):
        array, targets, groups = array[answered], targets[answered], groups[answered]
    numbers = np.arange(len(targets))
    train = np.searchsorted(answered, dataset.split.train)
    others = np.setdiff1d(numbers, train)
    sums = {name: np.empty((2, len(dataset.class_sizes))) for name in _SCORED}
    shares = np.empty(len(dataset.class_sizes))
    end = 0
    for task, size in enumerate(dataset.class_sizes):
        end += size
        own = np.array(array[:, end - size : end].T, order="C")
        group, label = groups[:, task], targets[None, :, task]
        mean = own.mean(axis=1, keepdims=True)
        inside = group_means(own, group)[:, group]
        carried = group_means(own[:, others], group[others], int(group.max()) + 1)
        parts = {
            "": (own, numbers),
            "train_": (own, train),
            "restricted_": (inside, numbers),
            "excluded_": (own - inside + mean, train),
            "carried_": (carried[:, group], numbers),
        }
        for name, (values, scored) in parts.items():
            chosen = np.ascontiguousarray(values[:, scored])
            sums[name][:, task] = score_sums(chosen, label[:, scored], (size,))[:, 0]
        own -= own.mean(axis=0) + (mean - mean.mean())
        inside -= inside.mean(axis=0) + (mean - mean.mean())
        shares[task] = share_of((inside**2).sum(), (own**2).sum())
    sums["held_out_"] = sums[""] - sums["train_"]
    counts = {"train_": len(train), "excluded_": len(train), "held_out_": len(others)}
    scores = {
        name: mean_scores(each, counts.get(name, len(numbers)), dataset.class_sizes)
        for name, each in sums.items()
    }
    return TaskProgress(
        moduli=tuple(dataset.moduli),
        **{f"{name}loss": each.loss for name, each in scores.items()},
        **{f"{name}accuracy": each.accuracy for name, each in scores.items()},
        span_share=shares,
    )


def residues(dataset: Dataset) -> NDArray[np.int64]:
    """[p², N]: n mod q for every task; for T_nanda the result of its operation.

    For T_basis it is n mod q too, though its labels do not depend on n mod q.

    Raises:
        ValueError: a modulus is not below p², so that each class has at most one number.
    """
    base = dataset.base
    if dataset.moduli == (base,):
        for operation in get_args(Operation):
            result = nanda(base, operation)
            if np.array_equal(dataset.targets, result):
                return result.astype(np.int64)
    for modulus in dataset.moduli:
        check_modulus(base, modulus)
    return np.arange(base**2)[:, None] % np.asarray(dataset.moduli, np.int64)


def is_addition(dataset: Dataset) -> bool:
    """Whether the task is x0 + x1 mod p, as in Nanda et al. (2023)."""
    base = dataset.base
    return dataset.moduli == (base,) and np.array_equal(dataset.targets, nanda(base, "add"))


def group_means(
    values: FloatArray, groups: NDArray[np.integer], count: int | None = None
) -> FloatArray:
    """Means over the columns of each group.

    Args:
        values: [M, B].
        groups: [B], whole numbers from 0.
        count: G, of groups; default: the largest + 1.

    Returns:
        [M, G]; the mean over all columns for a group that does not occur.
    """
    counts = np.bincount(groups, minlength=count or 0)
    occurring = np.flatnonzero(counts)
    order = np.argsort(groups, kind="stable")
    starts = np.concatenate([[0], np.cumsum(counts[occurring])[:-1]])
    means = np.repeat(values.mean(axis=1, keepdims=True), len(counts), axis=1)
    means[:, occurring] = np.add.reduceat(values[:, order], starts, axis=1) / counts[occurring]
    return means
