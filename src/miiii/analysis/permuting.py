"""Permuted inputs: the null of every claim that neurons are periodic.

There are two ways to permute them:

- digits: the values of x0 are renamed at random, and so are those of x1. A function of one digit
  remains one. Only the digits' order is lost, which is what frequencies depend on.
- numbers: all p² numbers are permuted. Nothing of the grid is left. Even an untrained model differs
  from this null, since it reads x0 and x1 separately.
"""

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from miiii.analysis.checks import at_least
from miiii.refusals import check_choice
from miiii.streams import Stream, generator

Permuted = Literal["digits", "numbers"]


def permutations(
    base: int, draws: int, seed: int, permuted: Permuted = "digits"
) -> NDArray[np.int64]:
    """Draw R permutations of the p² numbers.

    Args:
        base: p.
        draws: R.
        seed: of the permutations, which are a function of the arguments only.
        permuted: digits or numbers, as above.

    Returns:
        [R, p²]: place n of the permuted grid shows the number order[n].

    Raises:
        ValueError: draws is below 1, or permuted is neither.
    """
    at_least("draws", draws, 1)
    check_choice("permuted", permuted, get_args(Permuted))
    drawn = generator(Stream.PERMUTED_DOMAIN, seed)
    if permuted == "numbers":
        return np.stack([drawn.permutation(base**2) for _ in range(draws)])
    renamed = [(drawn.permutation(base), drawn.permutation(base)) for _ in range(draws)]
    return np.stack([(x0 + base * x1[:, None]).ravel() for x0, x1 in renamed])


def sample_numbers(base: int, count: int) -> NDArray[np.int64]:
    """A uniform sample of the p² numbers, the same at every call and for every split.

    Args:
        base: p.
        count: numbers to draw; all where there are no more.

    Returns:
        [min(count, p²)], ascending, none twice.
    """
    order = generator(Stream.SCORED_NUMBERS).permutation(base**2)
    return np.sort(order[:count])
