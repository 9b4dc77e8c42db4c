"""The sharing index: how far tasks share their circuits, with an interval (claim C18).

The damage D[i, j] is the fall of task j's score when circuit i is removed; C[i, j] is its mean fall
when a random circuit of the same size is removed. With E = D − C,

    index = mean of E[i, j] over i ≠ j  /  mean of E[i, i].

0: removing another task's circuit costs as much as random removal. Below 0: it costs less, as where
circuits are separate and random removal hits the task's own. 1: it costs as much as removing the
task's own circuit, as where all tasks share one. The index is NaN where the divisor is not above 0:
removing a task's own circuit then costs no more than chance.

Damage is measured in accuracy, or in loss up to that of guessing: a larger loss measures confidence
in wrong answers.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from miiii.analysis.checks import at_least, share_of_one
from miiii.analysis.circuits.causal import CausalMatrix
from miiii.analysis.harmonics.task_harmonics import FloatArray
from miiii.analysis.scoring import TaskScores
from miiii.refusals import check_choice
from miiii.streams import Stream, generator

Measure = Literal["accuracy", "loss"]

_LEAST = 1e-9
"""A mean damage up to this counts as 0: it is rounding."""


@dataclass(frozen=True)
class Interval:
    """A value and its bootstrap interval over tasks and control draws."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class SharingIndex:
    """The index of one model, and the mean damages behind it."""

    measure: Measure
    """Of the damages."""
    level: float
    """Of the intervals: percentile bootstrap over tasks and control draws together."""
    tasks: NDArray[np.bool_]
    """[N]: which tasks were counted."""
    index: Interval
    """As defined above; NaN where it is not defined."""
    ratio: Interval
    """Mean damage off the diagonal / on it, without the control; NaN where the index is."""
    own: Interval
    """Mean damage to a task without its own circuit."""
    others: Interval
    """Mean damage to a task without another's circuit; NaN with a single task."""
    control: Interval
    """Mean damage to a task without a random circuit, over all pairs."""


def damage(base: TaskScores, scores: TaskScores, measure: Measure = "accuracy") -> FloatArray:
    """The fall of every task's score, […, N]; negative where it rises.

    Args:
        base: [N], of the whole model.
        scores: […, N].
        measure: accuracy, or loss up to 1, the loss of guessing.

    Raises:
        ValueError: the measure is neither.
    """
    check_choice("measure", measure, get_args(Measure))
    if measure == "accuracy":
        return base.accuracy - scores.accuracy
    return np.minimum(scores.loss, 1) - np.minimum(base.loss, 1)


def sharing_index(
    matrix: CausalMatrix,
    measure: Measure = "accuracy",
    *,
    tasks: ArrayLike | None = None,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> SharingIndex:
    """Compute the sharing index of a causal matrix.

    The bootstrap draws tasks with replacement (rows and columns together; two copies of one task
    are no pair) and control draws with replacement.

    Args:
        matrix: scores without each circuit, and controls.
        measure: of the damages.
        tasks: [N], which tasks to count; default: all.
        level: of the intervals.
        resamples: of the bootstrap.
        seed: of the bootstrap.

    Raises:
        ValueError: measure or level is not possible, tasks are not one flag per task, or resamples
            is below 1.
    """
    share_of_one("level", level)
    at_least("resamples", resamples, 1)
    count = len(matrix.moduli)
    counted = np.ones(count, bool) if tasks is None else np.asarray(tasks)
    if counted.shape != (count,) or counted.dtype != np.bool_:
        raise ValueError(
            f"tasks have shape {counted.shape} and type {counted.dtype}: expected {count} booleans"
        )
    pick = np.ix_(counted, counted)
    lost = damage(matrix.base, matrix.without, measure)[pick]
    controls = damage(matrix.base, matrix.control, measure)[:, *pick]

    # The first row of weights counts everything once; the others are resamples.
    of_tasks, of_draws = _resampled(len(lost), len(controls), resamples, seed)
    control = np.tensordot(of_draws / len(controls), controls, 1)
    own, others = _means(np.broadcast_to(lost, control.shape), of_tasks)
    own_control, others_control = _means(control, of_tasks)
    everything = _weighted(control, of_tasks[:, :, None] * of_tasks[:, None, :])

    excess = own - own_control
    index, ratio = _quotient(others - others_control, excess), _quotient(others, own)
    tail = (1 - level) / 2
    # With a lower bound of the divisor at 0 or below, a quotient has no finite interval.
    defined = not np.isnan(excess[0]) and np.nanquantile(excess, tail) > _LEAST
    nothing = Interval(np.nan, np.nan, np.nan)
    return SharingIndex(
        measure=measure,
        level=float(level),
        tasks=counted,
        index=_interval(index, tail) if defined else nothing,
        ratio=_interval(ratio, tail) if defined else nothing,
        own=_interval(own, tail),
        others=_interval(others, tail),
        control=_interval(everything, tail),
    )


def _resampled(tasks: int, draws: int, resamples: int, seed: int) -> tuple[FloatArray, FloatArray]:
    """How often each task, and each draw, is counted: [1 + resamples, tasks] and [.., draws]."""
    drawn = generator(Stream.RESAMPLED_TASKS, seed)
    counts = [
        drawn.multinomial(size, [1 / size] * size, resamples) if size else np.zeros((resamples, 0))
        for size in (tasks, draws)
    ]
    of_tasks, of_draws = (
        np.vstack([np.ones(each.shape[1]), each]).astype(np.float64) for each in counts
    )
    return of_tasks, of_draws


def _quotient(top: FloatArray, bottom: FloatArray) -> FloatArray:
    return np.divide(top, bottom, out=np.full(len(bottom), np.nan), where=bottom > _LEAST)


def _means(matrices: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Means on and off the diagonal of [S, n, n], tasks weighted by [S, n]; NaN where none."""
    diagonal = np.diagonal(matrices, axis1=1, axis2=2)
    own = _weighted(diagonal, weights)
    pairs = weights[:, :, None] * weights[:, None, :]
    size = matrices.shape[1]
    pairs[:, np.arange(size), np.arange(size)] = 0
    return own, _weighted(matrices, pairs)


def _weighted(values: FloatArray, weights: FloatArray) -> FloatArray:
    """[S]: mean over all axes but the first."""
    axes = tuple(range(1, weights.ndim))
    total = weights.sum(axis=axes)
    summed = (values * weights).sum(axis=axes)
    return np.divide(summed, total, out=np.full(len(total), np.nan), where=total > 0)


def _interval(samples: FloatArray, tail: float) -> Interval:
    """The first sample is the value itself; the others are resampled."""
    usable = samples[1:][~np.isnan(samples[1:])]
    if np.isnan(samples[0]) or not usable.size:
        return Interval(float(samples[0]), np.nan, np.nan)
    low, high = np.quantile(usable, (tail, 1 - tail))
    return Interval(float(samples[0]), float(low), float(high))
