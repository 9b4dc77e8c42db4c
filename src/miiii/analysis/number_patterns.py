"""The arrays behind pictures of numbers and tasks, without a model (paper Figures 1, 2 and 3)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from miiii.analysis.checks import at_least
from miiii.tasks.primes import primes_below
from miiii.tasks.targets import nanda, remainders


@dataclass(frozen=True)
class Spiral:
    """Some of the numbers below p², the number n at radius n and at the angle n (Figure 1).

    The paper writes the coordinates as (n, n mod τ), in radians with τ = 2π.
    """

    moduli: tuple[int, ...]
    """The numbers are those that at least one of these divides; empty: they are the primes."""
    tightness: float
    """Radians by which the angle grows from one number to the next; 1 in the paper."""
    limit: int
    """The numbers are below it: p²."""
    numbers: NDArray[np.int64]
    """[K], ascending."""
    angle: NDArray[np.float64]
    """[K], radians: tightness·n modulo 2π, 0 ≤ angle < 2π."""
    radius: NDArray[np.float64]
    """[K]: n."""
    divisible: NDArray[np.bool_]
    """[K, M]: whether each of the moduli divides the number; M = 0 for primes."""


@dataclass(frozen=True)
class NumberSpaces:
    """Every number of two base-p digits, and its label in each task, as grids [x1, x0]."""

    base: int
    """p."""
    numbers: NDArray[np.int64]
    """[x1, x0]: n = x0 + p·x1 (Figure 2)."""
    moduli: tuple[int, ...]
    """N moduli q, ascending as given."""
    remainders: NDArray[np.int64]
    """[N, x1, x0]: n mod q (Figure 3)."""
    addition: NDArray[np.int64]
    """[x1, x0]: (x0 + x1) mod p, the task of Nanda et al. 2023."""


def multiples(limit: int, moduli: Sequence[int], *, tightness: float = 1.0) -> Spiral:
    """The numbers with remainder 0 for at least one modulus (Figure 1, left and middle).

    Args:
        limit: numbers are 0 … limit − 1; the paper's is p² = 12,769.
        moduli: each at least 2; at least one.
        tightness: radians from one number to the next.

    Raises:
        ValueError: limit is below 1, there is no modulus or one below 2, or tightness is not
            finite.
    """
    at_least("limit", limit, 1)
    if not moduli:
        raise ValueError("moduli are empty: expected at least one")
    for modulus in moduli:
        at_least("modulus", modulus, 2)
    divisible = np.arange(limit)[:, None] % np.asarray(moduli) == 0
    numbers = np.flatnonzero(divisible.any(axis=1))
    return _spiral(numbers, divisible[numbers], tuple(moduli), limit, tightness)


def primes(limit: int, *, tightness: float = 1.0) -> Spiral:
    """The prime numbers (Figure 1, right).

    Args:
        limit: primes are below it; at least 3, so that there is one.
        tightness: radians from one number to the next.

    Raises:
        ValueError: limit is below 3, or tightness is not finite.
    """
    numbers = np.asarray(primes_below(at_least("limit", limit, 3)), np.int64)
    return _spiral(numbers, np.zeros((len(numbers), 0), bool), (), limit, tightness)


def number_spaces(base: int, moduli: Sequence[int] = ()) -> NumberSpaces:
    """The input space and the output space of the tasks (Figures 2 and 3).

    Args:
        base: p, at least 2.
        moduli: q of each task; none: the primes below p.

    Raises:
        ValueError: base is below 2, a modulus is below 2, or there is no prime below p to fall
            back on.
    """
    at_least("base", base, 2)
    chosen = tuple(moduli) or primes_below(base)
    if not chosen:
        raise ValueError(f"base is {base}: expected a prime below it, or moduli")
    for modulus in chosen:
        at_least("modulus", modulus, 2)
    shape = (base, base)
    return NumberSpaces(
        base=base,
        numbers=np.arange(base**2).reshape(shape),
        moduli=chosen,
        remainders=remainders(base, chosen).T.astype(np.int64).reshape(-1, *shape),
        addition=nanda(base)[:, 0].astype(np.int64).reshape(shape),
    )


def _spiral(
    numbers: NDArray[np.int64],
    divisible: NDArray[np.bool_],
    moduli: tuple[int, ...],
    limit: int,
    tightness: float,
) -> Spiral:
    if not math.isfinite(tightness):
        raise ValueError(f"tightness is {tightness}: expected a finite number of radians")
    angle = np.mod(tightness * numbers, 2 * np.pi)
    return Spiral(
        moduli=moduli,
        tightness=float(tightness),
        limit=limit,
        numbers=numbers,
        # np.mod rounds a remainder just below a whole turn to 2π itself.
        angle=np.where(angle < 2 * np.pi, angle, 0.0),
        radius=numbers.astype(np.float64),
        divisible=divisible,
    )
