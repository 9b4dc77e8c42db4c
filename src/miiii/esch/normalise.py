"""Normalisation: from values to the sides of marks.

With v a value and m the limit of its group, the largest finite |v| in it, the mark's
side is full * sqrt(|v| / m) where its area carries the magnitude, and full * |v| / m
where its side does. A group is the whole drawing, a row of panels, a panel, or a strip
(one row of cells in one panel), and always spans all frames in time, so that sizes can
be compared from frame to frame.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from miiii.esch import checks

Normalisation = Literal["drawing", "row", "panel", "strip"]
Magnitude = Literal["area", "side"]

# The axes of [r, c, h, w, t] that share one limit.
SHARED: dict[str, tuple[int, ...]] = {
    "drawing": (0, 1, 2, 3, 4),
    "row": (1, 2, 3, 4),
    "panel": (2, 3, 4),
    "strip": (3, 4),
}


def limits(
    values: NDArray[np.float64], normalise: Normalisation, vmax: float | None
) -> NDArray[np.float64]:
    """The value that a full mark stands for, per group.

    Args:
        values: [r, c, h, w, t].
        normalise: what a group is.
        vmax: the limit, given instead of found; only for "drawing".

    Returns:
        Limits of 5 axes that broadcast against `values`; 0 where a group has no finite
        value other than 0.

    Raises:
        ValueError: an unknown group, or a `vmax` that is not above 0 or has no place.
    """
    checks.one_of("normalise", normalise, SHARED)
    if vmax is not None:
        checks.positive("vmax", vmax, "the array's units")
        if normalise != "drawing":
            raise ValueError(f"vmax: expected normalise='drawing' beside it; found {normalise!r}")
        return np.full((1, 1, 1, 1, 1), float(vmax))
    size = np.where(np.isfinite(values), np.abs(values), 0.0)
    return size.max(axis=SHARED[normalise], keepdims=True)


def sides(
    values: NDArray[np.float64], limit: NDArray[np.float64], magnitude: Magnitude
) -> NDArray[np.float64]:
    """The side of each mark, in units of a full mark's.

    Args:
        values: [r, c, h, w, t].
        limit: what `limits` returned.
        magnitude: what carries |value|: the mark's area or its side.

    Returns:
        [r, c, h, w, t] in 0..1 (values beyond the limit are cut to 1), NaN where the value
        is not finite.

    Raises:
        ValueError: an unknown magnitude.
    """
    checks.one_of("magnitude", magnitude, ("area", "side"))
    finite = np.isfinite(values)
    size = np.where(finite, np.abs(values), 0.0)
    share = np.divide(size, limit, out=np.zeros_like(size), where=limit > 0)
    share = np.minimum(share, 1.0)
    side = np.sqrt(share) if magnitude == "area" else share
    return np.where(finite, side, np.nan)


def cut(values: NDArray[np.float64], limit: NDArray[np.float64]) -> bool:
    """Whether any finite value lies beyond its limit, so that its mark is cut to full."""
    return bool(np.any(np.abs(values[np.isfinite(values)]) > limit.max()))
