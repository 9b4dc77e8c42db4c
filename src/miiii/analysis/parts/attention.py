"""Each head's attention from the last position (paper §4.5, Figure 16; claim C14)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from miiii.analysis.checks import finite
from miiii.analysis.recording import record, to_grid
from miiii.model.parameters import Parameters


@dataclass(frozen=True)
class AttentionPattern:
    """The last block's attention from the last position, on every number, dropout off.

    The last of the T positions is the answer token's, or x1's in a model without one.
    """

    base: int
    """p."""
    weights: NDArray[np.float64]
    """[H, T, x1, x0]: from the last position to x0, x1 and the answer token; sums to 1 over them
    (Eq. 6), or to c + (1 − c)·T with an attention coefficient c."""
    mean: NDArray[np.float64]
    """[H, T]: mean over the p² numbers."""
    entropy_grid: NDArray[np.float64]
    """[H, x1, x0]: −Σ a ln a over the positions, nats, 0 to ln T; a are the weights divided by
    their sum."""
    entropy: NDArray[np.float64]
    """[H]: its mean over the p² numbers, nats."""
    preference: NDArray[np.float64]
    """[H], −1 to 1: (mean to x0 − mean to x1) / (mean to x0 + mean to x1): 1: only x0, −1: only x1;
    0 where both means are 0."""


def entropy(weights: ArrayLike, axis: int = -1) -> NDArray[np.float64]:
    """Shannon entropy −Σ a ln a along an axis, in nats, with 0 ln 0 = 0.

    Args:
        weights: probabilities, summing to 1 along the axis.
        axis: which one.

    Raises:
        ValueError: a weight is negative or not finite, or they do not sum to 1.
    """
    array = finite("weights", weights)
    sums = array.sum(axis=axis)
    if array.min() < 0:
        raise ValueError(f"weights must be at least 0: found {array.min()}")
    if not np.allclose(sums, 1, rtol=0, atol=1e-4):
        worst = sums.ravel()[np.abs(sums - 1).argmax()]
        raise ValueError(f"weights must sum to 1 over the positions: found {worst}")
    logarithm = np.log(array, out=np.zeros_like(array), where=array > 0)
    # A weight rounded to just above 1 has an entropy below 0.
    return np.maximum(-(array * logarithm).sum(axis=axis), 0.0)


def attention_pattern(weights: ArrayLike, base: int, coefficient: float = 1.0) -> AttentionPattern:
    """Summarise recorded attention.

    Args:
        weights: [p², H, T], from the last position, in the canonical order of the numbers.
        base: p.
        coefficient: c of the model; the weights sum to c + (1 − c)·T.

    Raises:
        ValueError: another shape, or weights that are negative or have another sum.
    """
    array = finite("weights", weights)
    if array.ndim != 3 or array.shape[2] not in (2, 3):
        raise ValueError(
            f"weights have shape {array.shape}: expected [p², heads, 3], or [p², heads, 2] without "
            "an answer token"
        )
    grid = to_grid(array, base)
    total = coefficient + (1 - coefficient) * array.shape[2]
    entropies = entropy(grid if total == 1 else grid / total, axis=1)
    mean = grid.mean(axis=(2, 3))
    difference, both = mean[:, 0] - mean[:, 1], mean[:, 0] + mean[:, 1]
    return AttentionPattern(
        base=base,
        weights=grid,
        mean=mean,
        entropy_grid=entropies,
        entropy=entropies.mean(axis=(1, 2)),
        preference=np.divide(difference, both, out=np.zeros_like(both), where=both > 0),
    )


def attention(parameters: Parameters) -> AttentionPattern:
    """Record and summarise a model's attention on all p² numbers.

    Raises:
        ValueError: an activation is not finite.
    """
    recorded = record(parameters, "attention_weights")["attention_weights"]
    coefficient = parameters.architecture.attention_coefficient
    return attention_pattern(recorded, parameters.base, coefficient)
