"""The loss of every task, from logits that lie side by side without padding.

Arrays are class-major, [V, B]: a task's classes are then whole rows of B numbers, which every
reduction and broadcast over classes reads in order. With this layout, and the gradient written by
hand (softmax minus one-hot), the loss takes a few passes over memory.
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
    """Mean cross-entropy of every task, and its number of right answers (paper Eq. 4.1).

    Args:
        logits: all tasks' classes, one row per class.
        labels: the class of each sample in each task, counted from 0 within the task.
        class_sizes: classes per task, N of them, V together.
        smoothing: the share of the target probability that is spread evenly over a task's classes;
            the label gets the rest (Szegedy et al. 2016); None: 0. It has no gradient.

    Returns:
        Cross-entropy in nats [N], and the count [N] of samples whose label has the largest logit of
        its task (a tie counts as wrong). A count, not a share: XLA divides by a constant through
        its rounded reciprocal, so that 41 right answers of 41 would be 0.99999994.
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
    # Relative to the task's largest logit, so that no exponential overflows.
    maximum = jnp.maximum(rivals, of_label)
    exponentials = jnp.exp(logits - maximum[segments])
    sums = jnp.stack([exponentials[start:end].sum(axis=0) for start, end in bounds])
    # Both terms are at least 0 (the sum is at least 1), so that no digits cancel in the loss.
    losses = (jnp.log(sums) + (maximum - of_label)).mean(axis=1)
    if smoothing is not None:
        # Σ_k s/q (−log p_k) + (1 − s)(−log p_label) = −log p_label + s (x_label − mean x).
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
        target = jnp.where(is_label, scale[segments], 0)
    else:
        shared = smoothing * scale / jnp.asarray(class_sizes, scale.dtype)[:, None]
        target = shared[segments] + jnp.where(is_label, ((1 - smoothing) * scale)[segments], 0)
    # The gradient of a mean: softmax minus target probabilities, both times `scale`.
    return exponentials * (scale / sums)[segments] - target, None, None


task_cross_entropy.defvjp(_cross_entropy_forward, _cross_entropy_backward)


def label_and_rivals(
    logits: Float[Array, "V B"], labels: Int[Array, "N B"], class_sizes: tuple[int, ...]
) -> tuple[Float[Array, "N B"], Float[Array, "N B"]]:
    """Per task and sample the label's logit, and the largest logit of the other classes."""
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
    """Each class's task [V] and its number within the task [V]; each task's first and end row."""
    segments = np.repeat(np.arange(len(class_sizes), dtype=np.int32), class_sizes)
    classes = np.concatenate([np.arange(size, dtype=np.int32) for size in class_sizes])
    ends = np.cumsum(class_sizes)
    return segments, classes, list(zip(ends - np.asarray(class_sizes), ends, strict=True))


REGRESSION_TOLERANCE = 0.1
"""Largest error of a real output that counts as right (the target of waves spans −2 … 2)."""


def squared_error(
    outputs: Float[Array, "1 B"], targets: Float[Array, "1 B"]
) -> tuple[Float[Array, "1"], Int[Array, "1"]]:
    """Mean squared error of T_waves (paper Eq. 4.2), and the count of samples within tolerance."""
    error = outputs - targets
    within = (jnp.abs(error) <= REGRESSION_TOLERANCE).sum(axis=1, dtype=jnp.int32)
    return (error**2).mean(axis=1), within


def task_divisors(class_sizes: Sequence[int], scale: str, *, regression: bool) -> np.ndarray:
    """The divisor [N] of each task's loss: ln q for "log_classes" (paper Eq. 10), else 1."""
    if regression or scale == "none":
        return np.ones(len(class_sizes))
    return np.log(np.asarray(class_sizes, dtype=np.float64))


def task_weights(trained: Sequence[bool], reduction: str) -> np.ndarray:
    """The weight [N] of each (divided) task loss in the total.

    Masked tasks have weight 0; the others keep the weight that they have without a mask.
    """
    weights = np.asarray(trained, dtype=np.float64)
    return weights if reduction == "sum" else weights / len(weights)


def size_weights(class_sizes: Sequence[int], power: float, classes: int) -> np.ndarray:
    """Weights [N] that grow with a task's size: max(1, size / classes)^power, scaled to mean 1."""
    # Relative to the largest task, so that no power overflows; a weight that underflows is 0.
    logarithms = np.log(np.maximum(np.asarray(class_sizes, dtype=np.float64) / classes, 1))
    weights = np.exp(power * (logarithms - logarithms.max()))
    return weights / weights.mean()


def total_of_tasks(
    losses: Float[Array, "N"], weights: Float[Array, "N"], reduction: str
) -> Float[Array, ""]:
    """The total loss, which training minimises (paper Eq. 10).

    The gradient of the quadratic mean weighs each task by its loss, so that solved tasks count less
    (q-FFL of "Fair resource allocation in federated learning", Li et al. 2020, with q = 1).

    Args:
        losses: of the tasks, divided by `task_divisors`.
        weights: from `task_weights`, for the same reduction.
        reduction: sum, mean or quadratic_mean.
    """
    if reduction != "quadratic_mean":
        return (losses * weights).sum()
    # The slope of the root is infinite at 0; bounded below, the gradient is 0 there.
    square = (losses**2 * weights).sum()
    return jnp.sqrt(jnp.maximum(square, jnp.finfo(losses.dtype).tiny))
