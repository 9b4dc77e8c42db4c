"""Shares and times as people read them, wherever a run is shown."""

import math
from numbers import Real
from typing import Any


def clock(seconds: float | None) -> str:
    """Seconds as 1:02:03 or 2:03."""
    if seconds is None:
        return "-:--"
    whole = round(seconds)
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def percent(share: Any, absent: str = "-") -> str:
    """A share as 98.7 %, never rounded up to 100 %.

    Args:
        share: from 0 to 1.
        absent: what stands for anything that is no number, which a damaged status may have.
    """
    if not isinstance(share, Real) or math.isnan(share):
        return absent
    # A perfect float32 share may be 0.99999994; one miss in a million is still no 100 %.
    return f"{math.floor(float(share) * 1000 + 1e-4) / 10:.1f} %"
