"""When an accuracy has reached a threshold: a comparison of counts of right answers.

An accuracy is a count divided by a number of examples. The quotient is rounded, and older runs hold
one that was rounded twice, in float32: 99 right of 100 may then read 0.98999995. The count behind
it is exact, so that counts are what is compared.
"""

from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

SOLVED = 0.99
"""A task counts as solved at a validation with at least this accuracy."""

HELD = 0.9
"""The accuracy whose keeping dates a task's generalisation, as in the paper's Figure 4."""


def right_answers(accuracy: ArrayLike, examples: ArrayLike) -> NDArray[np.int64]:
    """The counts of right answers behind accuracies; −1 where an accuracy is not finite.

    Args:
        accuracy: shares, of any shape; float32 ones are told apart up to two million examples.
        examples: how many answers each is a share of, at least 1; broadcast against `accuracy`.
    """
    shares, numbers = np.asarray(accuracy, np.float64), np.asarray(examples, np.int64)
    if (numbers < 1).any():
        raise ValueError(f"examples is {numbers.min()}: it must be at least 1")
    counts = np.rint(shares * numbers)
    return np.where(np.isfinite(counts), counts, -1).astype(np.int64)


def answers_needed(threshold: float, examples: int) -> int:
    """The fewest right answers whose share of `examples` is at least `threshold`.

    The threshold is the decimal number that is written: 0.9 of 1,000 is 900.
    """
    exact = Fraction(repr(float(threshold))) * int(examples)
    return -(-exact.numerator // exact.denominator)


def reached(accuracy: ArrayLike, threshold: float, examples: ArrayLike) -> NDArray[np.bool_]:
    """Whether accuracies are at least a threshold, in counts of right answers.

    Args:
        accuracy: shares, of any shape, as a history of any version holds them; one that is not
            finite has reached nothing.
        threshold: a share, such as `SOLVED`.
        examples: how many answers each is a share of; broadcast against `accuracy`.

    Returns:
        Of the broadcast shape.

    Raises:
        ValueError: there are fewer examples than one.
    """
    numbers = np.asarray(examples, np.int64)
    counts = right_answers(accuracy, numbers)
    needed = np.array([answers_needed(threshold, each) for each in numbers.ravel().tolist()])
    return (counts >= 0) & (counts >= needed.reshape(numbers.shape))


def dated(epoch: int, epochs: NDArray[np.integer], accuracy: ArrayLike) -> str:
    """An epoch at which a threshold was reached, as text; "≤ " where it may have been before.

    An imported run has accuracies only of the epochs that it has weights of.

    Args:
        epoch: the first at which it is seen.
        epochs: [M], of the validations, rising.
        accuracy: [M], NaN where it was not measured.
    """
    measured = np.isfinite(np.asarray(accuracy, np.float64)) & (epochs < epoch)
    return f"{epoch:,}" if epoch == 1 or measured.any() else f"≤ {epoch:,}"
