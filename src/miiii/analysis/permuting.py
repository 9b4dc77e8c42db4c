"""Inputs in another order, to compare with: the null of every claim that neurons are periodic.

There are two ways to permute them:

- digits: the values of x0 are renamed at random, and those of x1. What depends on only one digit
  still does, so that only the order of the digits, which is what a frequency needs, is lost.
- numbers: all p² numbers change places. Nothing of the grid is left, which any model stands out
  against, an untrained one too: it answers to x0 and x1 one by one.
"""

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from miiii.analysis.checks import at_least
from miiii.streams import Stream, generator

Permuted = Literal["digits", "numbers"]


def permutations(
    base: int, draws: int, seed: int, permuted: Permuted = "digits"
) -> NDArray[np.int64]:
    """Orders of the p² numbers to compare with.

    Args:
        base: p.
        draws: R.
        seed: the orders are a function of it only.
        permuted: what changes places, as above.

    Returns:
        [R, p²]: place n of the permuted grid shows the number order[n].

    Raises:
        ValueError: draws is below 1, or permuted is neither.
    """
    at_least("draws", draws, 1)
    if permuted not in get_args(Permuted):
        raise ValueError(
            f"permuted is {permuted!r}: expected one of {', '.join(get_args(Permuted))}"
        )
    drawn = generator(Stream.PERMUTED_DOMAIN, seed)
    if permuted == "numbers":
        return np.stack([drawn.permutation(base**2) for _ in range(draws)])
    renamed = [(drawn.permutation(base), drawn.permutation(base)) for _ in range(draws)]
    return np.stack([(x0 + base * x1[:, None]).ravel() for x0, x1 in renamed])


def sample_numbers(base: int, count: int) -> NDArray[np.int64]:
    """Some of the p² numbers, drawn evenly, the same at every call.

    They do not depend on the split: of n trained on, n / p² of the sample are expected.

    Args:
        base: p.
        count: how many; all of them where there are no more.

    Returns:
        [min(count, p²)], ascending, none twice.
    """
    order = generator(Stream.SCORED_NUMBERS).permutation(base**2)
    return np.sort(order[:count])
