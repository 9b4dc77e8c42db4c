"""Words and numbers as people read and write them."""

import math
from pathlib import Path


def clock(seconds: float | None) -> str:
    """Seconds as 1:02:03 or 2:03."""
    if seconds is None:
        return "-:--"
    whole = round(seconds)
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def percent(share: float | None) -> str:
    """A share as 98.7 %, never rounded up to 100 %; a dash where there is none."""
    if share is None or math.isnan(share):
        return "-"
    # A perfect float32 share may be 0.99999994; one miss in a million is still no 100 %.
    return f"{math.floor(share * 1000 + 1e-4) / 10:.1f} %"


def shown(value: float | None, form: str, absent: str = "-") -> str:
    """A number in one of Python's formats; a dash where there is none."""
    return absent if value is None else format(value, form)


def counted(count: int, what: str) -> str:
    """How many of something: 1 run, 1,200 runs."""
    return f"{count:,} {what}{'s' * (count != 1)}"


def listed(text: str) -> tuple[str, ...]:
    """What stands between commas."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def directory_option(path: Path, kind: str) -> str:
    """The option by which a command finds `path` again, with a space before.

    Args:
        path: as it was given.
        kind: runs, studies or sweeps: also the directory's name where none is given.
    """
    return "" if path == Path(kind) else f" --{kind}-dir {path}"
