"""The loss of every task with StableMax in place of the softmax (Prieto et al. 2025).

Probabilities are s(x)/Σs with s(x) = x + 1 for x ≥ 0 and 1/(1 − x) below, which rises everywhere
and has a continuous slope. With the softmax, the other classes of a fitted sample underflow to zero
in float32, and its gradient is exactly zero; with s they stay as large as 1/|x|.

Arrays are class-major, and the gradient is written by hand, as in `training.loss`.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from miiii.training.loss import label_and_rivals, segments_of


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def task_stablemax_cross_entropy(
    logits: Float[Array, "V B"], labels: Int[Array, "N B"], class_sizes: tuple[int, ...]
) -> tuple[Float[Array, "N"], Int[Array, "N"]]:
    """Mean −ln(s(label)/Σs) of every task, and its number of right answers.

    Args:
        logits: all tasks' classes, one row per class.
        labels: the class of each sample in each task, counted from 0 within the task.
        class_sizes: classes per task, N of them, V together.

    Returns:
        The loss in nats [N] (ln q for guessing, as with the softmax), and the count [N] of right
        answers, which equals that of `task_cross_entropy` because s rises.
    """
    return _forward(logits, labels, class_sizes)[0]


def _forward(logits: Float[Array, "V B"], labels: Int[Array, "N B"], class_sizes: tuple[int, ...]):
    _, _, bounds = segments_of(class_sizes)
    of_label, rivals = label_and_rivals(logits, labels, class_sizes)
    # `where` computes both branches: the bound keeps the unused 1/(1 − x) finite at x = 1.
    numerators = jnp.where(logits >= 0, logits + 1, 1 / (1 - jnp.minimum(logits, 0)))
    sums = jnp.stack([numerators[start:end].sum(axis=0) for start, end in bounds])
    # ln s(x) = sign(x) ln(1 + |x|).
    log_of_label = jnp.sign(of_label) * jnp.log1p(jnp.abs(of_label))
    losses = (jnp.log(sums) - log_of_label).mean(axis=1)
    correct = (of_label > rivals).sum(axis=1, dtype=jnp.int32)
    return (losses, correct), (logits, sums, labels)


def _backward(class_sizes: tuple[int, ...], saved, cotangents):
    logits, sums, labels = saved
    segments, classes, _ = segments_of(class_sizes)
    scale = cotangents[0][:, None] / labels.shape[1]
    is_label = classes[:, None] == labels[segments]
    # s' is 1 for x ≥ 0 and s² below; (ln s)' is 1/(1 + |x|) everywhere.
    inverse = 1 / (1 + jnp.abs(logits))
    slope = jnp.where(logits >= 0, 1, inverse**2)
    gradient = slope * (scale / sums)[segments] - jnp.where(is_label, inverse * scale[segments], 0)
    return gradient, None


task_stablemax_cross_entropy.defvjp(_forward, _backward)
