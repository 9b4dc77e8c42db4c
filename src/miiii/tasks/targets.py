"""The targets of every kind of task, in the canonical order n = 0 … p² − 1."""

import math

import numpy as np
from numpy.typing import NDArray

from miiii.tasks.config import Operation
from miiii.tasks.numbers import digits


def remainders(base: int, moduli: tuple[int, ...]) -> NDArray[np.int32]:
    """T_miiii: n mod q for every modulus at once (paper Eq. 2).

    Returns:
        [p², N], column i in 0 … moduli[i] − 1.
    """
    numbers = np.arange(base * base, dtype=np.int64)[:, None]
    return (numbers % np.asarray(moduli, dtype=np.int64)).astype(np.int32)


def divisibility(base: int, moduli: tuple[int, ...]) -> NDArray[np.int32]:
    """T_miiii's binary form (paper §6): 1 where q divides n, else 0. [p², N]."""
    return (remainders(base, moduli) == 0).astype(np.int32)


def nanda(base: int, operation: Operation = "add") -> NDArray[np.int32]:
    """T_nanda: an operation on the two digits modulo p (paper Eq. 1). [p², 1].

    −1 where there is no answer: x0 / x1 for an x1 without an inverse modulo p.
    """
    x0, x1 = digits(base).astype(np.int64).T
    if operation == "divide":
        inverses = np.array(
            [pow(x, -1, base) if math.gcd(x, base) == 1 else -1 for x in range(base)]
        )
        answers = np.where(inverses[x1] < 0, -1, x0 * inverses[x1] % base)
        return answers.astype(np.int32)[:, None]
    value = {
        "add": x0 + x1,
        "subtract": x0 - x1,
        "multiply": x0 * x1,
        "x2xyy2": x0 * x0 + x0 * x1 + x1 * x1,
    }[operation]
    return (value % base).astype(np.int32)[:, None]


def shuffle_rows(targets: NDArray[np.int32], generator: np.random.Generator) -> NDArray[np.int32]:
    """T_basis: one permutation of the rows, so that a number's labels move together.

    Each task keeps its label frequencies and the tasks keep their joint distribution; labels no
    longer depend on the number.
    """
    return targets[generator.permutation(len(targets))]


def waves(base: int) -> NDArray[np.float64]:
    """The function of Appendix D, cos(a) + sin(b), one turn over the digits.

    Returns:
        [p², 1]: cos(2π x0 / p) + sin(2π x1 / p), between −2 and 2.
    """
    x0, x1 = digits(base).T
    angle = 2 * np.pi / base
    return (np.cos(angle * x0) + np.sin(angle * x1))[:, None]
