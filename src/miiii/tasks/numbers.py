"""Numbers, their digits, and primes."""

import numpy as np
from numpy.typing import NDArray


def digits(base: int) -> NDArray[np.int32]:
    """The two base-p digits of every number, in the canonical order n = 0 … p² − 1.

    Args:
        base: p, at least 2.

    Returns:
        [p², 2] with columns (x0, x1), where n = x0 + p·x1 (paper §3.2).
    """
    numbers = np.arange(base * base, dtype=np.int32)
    return np.stack([numbers % base, numbers // base], axis=1)


def primes_below(limit: int) -> tuple[int, ...]:
    """All primes smaller than `limit`, ascending (the paper's F, §3.1)."""
    limit = max(limit, 2)
    sieve = np.ones(limit, dtype=bool)
    sieve[:2] = False
    for candidate in range(2, int(limit**0.5) + 1):
        if sieve[candidate]:
            sieve[candidate * candidate :: candidate] = False
    return tuple(int(prime) for prime in np.flatnonzero(sieve))
