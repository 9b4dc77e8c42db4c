"""Numbers as the ledger writes them."""

import math

from miiii.claims.statistics import Interval


def number(value: float, unit: str = "") -> str:
    """Three significant digits; whole numbers with separators; "never" for an infinite epoch."""
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "never" if unit == "epochs" else ("∞" if value > 0 else "−∞")
    if value == round(value) and abs(value) < 1e15:
        text = f"{round(value):,}"
    elif abs(value) >= 1000:
        text = f"{value:,.0f}"
    else:
        text = f"{value:.3g}"
    return text.replace("-", "−")


def percent(share: float) -> str:
    """A share in whole per cent."""
    return f"{share:.0%}".replace("%", " %")


def epoch_text(value: float | None) -> str:
    """An epoch, or "never"."""
    return "never" if value is None else number(value, "epochs")


def spread_text(low: float, high: float, unit: str = "") -> str:
    """The smallest and the largest value; one number where they agree."""
    if low == high or math.isnan(low):
        return number(low, unit)
    return f"{number(low, unit)} to {number(high, unit)}"


def interval_text(interval: Interval | None, unit: str = "") -> str:
    """An interval with its coverage and method; a dash for None."""
    if interval is None:
        return "–"
    ends = spread_text(interval.low, interval.high, unit)
    return f"{ends} ({percent(interval.coverage)}, {interval.method})"
