"""The loss of every task, from logits that lie side by side without padding.

Inside, arrays are class-major, [V, B]: a task's classes are then whole rows, which every reduction
and every broadcast over them reads in order (rows of B numbers). That, and a gradient written out
by hand (softmax minus one-hot), makes this a few passes over memory.
"""

from collections.abc import Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from numpy.typing import NDArray


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def task_cross_entropy(
    logits: Float[Array, "V B"],
    labels: Int[Array, "N B"],
    class_sizes: tuple[int, ...],
    smoothing: Float[Array, ""] | None = None,
) -> tuple[Float[Array, "N"], Int[Array, "N"]]:
    """Mean cross-entropy of every task, and its right answers (paper Eq. 4.1).

    Args:
        logits: all tasks' classes, one row per class.
        labels: the class of each sample in each task, counted from 0 within the task.
        class_sizes: classes per task, N of them, V together.
        smoothing: the share of the wanted probability that all of a task's classes have alike, the
            label having the rest (Szegedy et al. 2016); none: 0. It has no gradient.

    Returns:
        Cross-entropy in nats [N], and a count [N]: the samples whose label has the largest logit of
        its task, and no other has it (a tie counts as wrong). It is no share, because XLA divides
        by a constant through its rounded reciprocal: all of 41 samples would be 0.99999994.
    """
    return _cross_entropy_forward(logits, labels, class_sizes, smoothing)[0]


def _cross_entropy_forward(
    logits: Float[Array, "V B"],
    labels: Int[Array, "N B"],
    class_sizes: tuple[int, ...],
    smoothing: Float[Array, ""] | None,
):
    segments, _, bounds = segments_of(class_sizes)
    of_label, rivals = label_and_rivals(logits, labels, class_sizes)
    maximum = jnp.maximum(rivals, of_label)
    exponentials = jnp.exp(logits - maximum[segments])
    sums = jnp.stack([exponentials[start:end].sum(axis=0) for start, end in bounds])
    losses = (jnp.log(sums) + (maximum - of_label)).mean(axis=1)
    if smoothing is not None:
        means = jnp.stack([logits[start:end].mean(axis=0) for start, end in bounds])
        losses = losses + smoothing * (of_label - means).mean(axis=1)
    correct = (of_label > rivals).sum(axis=1, dtype=jnp.int32)
    return (losses, correct), (exponentials, sums, labels, smoothing)


def _cross_entropy_backward(class_sizes: tuple[int, ...], saved, cotangents):
    exponentials, sums, labels, smoothing = saved
    segments, classes, _ = segments_of(class_sizes)
    scale = cotangents[0][:, None] / labels.shape[1]
    is_label = classes[:, None] == labels[segments]
    if smoothing is None:
        wanted = jnp.where(is_label, scale[segments], 0)
    else:
        shared = smoothing * scale / jnp.asarray(class_sizes, scale.dtype)[:, None]
        wanted = shared[segments] + jnp.where(is_label, ((1 - smoothing) * scale)[segments], 0)
    return exponentials * (scale / sums)[segments] - wanted, None, None


task_cross_entropy.defvjp(_cross_entropy_forward, _cross_entropy_backward)


def label_and_rivals(
    logits: Float[Array, "V B"], labels: Int[Array, "N B"], class_sizes: tuple[int, ...]
) -> tuple[Float[Array, "N B"], Float[Array, "N B"]]:
    """Per task and sample the label's logit, and the largest of the others."""
    _, _, bounds = segments_of(class_sizes)
    starts = np.asarray([start for start, _ in bounds], np.int32)
    rivals = jnp.stack(
        [
            jnp.where(
                jnp.arange(end - start)[:, None] == labels[task], -jnp.inf, logits[start:end]
            ).max(axis=0)
            for task, (start, end) in enumerate(bounds)
        ]
    )
    return jnp.take_along_axis(logits, labels + starts[:, None], axis=0), rivals


def segments_of(
    class_sizes: tuple[int, ...],
) -> tuple[NDArray[np.int32], NDArray[np.int32], list[tuple[int, int]]]:
    """Per class its task and its number within the task; per task its first and last-plus-one."""
    segments = np.repeat(np.arange(len(class_sizes), dtype=np.int32), class_sizes)
    classes = np.concatenate([np.arange(size, dtype=np.int32) for size in class_sizes])
    ends = np.cumsum(class_sizes)
    return segments, classes, list(zip(ends - np.asarray(class_sizes), ends, strict=True))


REGRESSION_TOLERANCE = 0.1
"""A real output this near its target counts as right (the target of waves spans −2 … 2)."""


def squared_error(
    outputs: Float[Array, "1 B"], targets: Float[Array, "1 B"]
) -> tuple[Float[Array, "1"], Int[Array, "1"]]:
    """Mean squared error (paper Eq. 4.2), and how many samples are within the tolerance. waves."""
    error = outputs - targets
    within = (jnp.abs(error) <= REGRESSION_TOLERANCE).sum(axis=1, dtype=jnp.int32)
    return (error**2).mean(axis=1), within


def task_divisors(class_sizes: Sequence[int], scale: str, *, regression: bool) -> np.ndarray:
    """What each task's loss is divided by: ln q for "log_classes" (paper Eq. 10), else 1. [N]."""
    if regression or scale == "none":
        return np.ones(len(class_sizes))
    return np.log(np.asarray(class_sizes, dtype=np.float64))


def task_weights(trained: Sequence[bool], reduction: str) -> np.ndarray:
    """The weight of each (divided) task loss in the total: [N].

    Masked tasks weigh 0; the others keep the weight that they have without a mask.
    """
    weights = np.asarray(trained, dtype=np.float64)
    return weights if reduction == "sum" else weights / len(weights)


def size_weights(class_sizes: Sequence[int], power: float, classes: int) -> np.ndarray:
    """Weights that grow with a task's size: max(1, size / classes)^power, of mean 1. [N]."""
    # By the largest, so that no power overflows; tasks that vanish beside it weigh 0.
    logarithms = np.log(np.maximum(np.asarray(class_sizes, dtype=np.float64) / classes, 1))
    weights = np.exp(power * (logarithms - logarithms.max()))
    return weights / weights.mean()


def total_of_tasks(
    losses: Float[Array, "N"], weights: Float[Array, "N"], reduction: str
) -> Float[Array, ""]:
    """The one number that training descends (paper Eq. 10).

    The quadratic mean's gradient weighs each task by its loss: what is solved makes way for what is
    not (q-FFL of "Fair resource allocation in federated learning", Li et al. 2020, with q = 1).

    Args:
        losses: of the tasks, divided by `task_divisors`.
        weights: from `task_weights`, for the same reduction.
        reduction: sum, mean or quadratic_mean.
    """
    if reduction != "quadratic_mean":
        return (losses * weights).sum()
    # Where every loss is zero, the root has no slope; the gradient is then zero.
    square = (losses**2 * weights).sum()
    return jnp.sqrt(jnp.maximum(square, jnp.finfo(losses.dtype).tiny))
