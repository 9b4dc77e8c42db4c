"""Numbers and their digits."""

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
