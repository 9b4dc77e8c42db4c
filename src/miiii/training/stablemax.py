"""The loss of every task with StableMax in place of the softmax (Prieto et al. 2025).

Probabilities are s(x)/Σs with s(x) = x + 1 for x ≥ 0 and 1/(1 − x) below, which rises everywhere
and has no jump in its slope. Where the softmax's exponentials leave nothing of the other classes in
float32, so that a fitted sample's gradient is exactly zero, these stay as large as 1/|x|.

Arrays are class-major as in `training.loss`, and the gradient is written out for the same reason.
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
    """Mean −ln(s(label)/Σs) of every task, and its right answers.

    Args:
        logits: all tasks' classes, one row per class.
        labels: the class of each sample in each task, counted from 0 within the task.
        class_sizes: classes per task, N of them, V together.

    Returns:
        The loss in nats [N] (ln q for guessing, as with the softmax), and the right answers [N] as
        in `task_cross_entropy`: s rises, so that they do not depend on the normaliser.
    """
    return _forward(logits, labels, class_sizes)[0]


def _forward(logits: Float[Array, "V B"], labels: Int[Array, "N B"], class_sizes: tuple[int, ...]):
    _, _, bounds = segments_of(class_sizes)
    of_label, rivals = label_and_rivals(logits, labels, class_sizes)
    numerators = _numerator(logits)
    sums = jnp.stack([numerators[start:end].sum(axis=0) for start, end in bounds])
    # ln s(x), which is odd in x.
    log_of_label = jnp.sign(of_label) * jnp.log1p(jnp.abs(of_label))
    losses = (jnp.log(sums) - log_of_label).mean(axis=1)
    correct = (of_label > rivals).sum(axis=1, dtype=jnp.int32)
    return (losses, correct), (logits, sums, labels)


def _backward(class_sizes: tuple[int, ...], saved, cotangents):
    logits, sums, labels = saved
    segments, classes, _ = segments_of(class_sizes)
    scale = cotangents[0][:, None] / labels.shape[1]
    is_label = classes[:, None] == labels[segments]
    # s' is 1 from 0 up and s² below; (ln s)' is 1/(1 + |x|) on either side.
    inverse = 1 / (1 + jnp.abs(logits))
    slope = jnp.where(logits >= 0, 1, inverse**2)
    gradient = slope * (scale / sums)[segments] - jnp.where(is_label, inverse * scale[segments], 0)
    return gradient, None


task_stablemax_cross_entropy.defvjp(_forward, _backward)


def _numerator(logits: Float[Array, "V B"]) -> Float[Array, "V B"]:
    # The denominator is clipped where it is not used, so that it is never 0.
    return jnp.where(logits >= 0, logits + 1, 1 / (1 - jnp.minimum(logits, 0)))
