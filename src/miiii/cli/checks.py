"""Values that several commands refuse, each in one wording."""

import math
from collections.abc import Collection
from typing import Any

from miiii.cli.arguments import UsageError
from miiii.cli.text import listed

FORMATS = ("svg", "pdf", "png")
"""Of pictures."""


def check_range(
    arguments: Any, name: str, least: float, most: float = math.inf, more: str = ""
) -> None:
    """Refuse an option whose number is out of its range; None, not given, passes.

    Args:
        arguments: of the command.
        name: of the option, without dashes.
        least: the smallest number that is taken.
        most: the largest.
        more: stands behind the limits in the message.
    """
    value = getattr(arguments, name)
    if value is not None and not least <= value <= most:
        shown = f"{value:g}" if isinstance(value, float) else value
        limits = f"at least {least}" if most == math.inf else f"from {least} to {most:,}"
        raise UsageError(f"--{name} is {shown}: it must be {limits}{more}")


def only_one(arguments: Any, *names: str) -> str:
    """Which of some options was given; "" where none was. Two of them are refused."""
    given = [name for name in names if getattr(arguments, name.replace("-", "_"))]
    if len(given) > 1:
        raise UsageError(f"--{given[0]} and --{given[1]} exclude each other: choose one")
    return given[0] if given else ""


def check_epoch(epoch: int | None, run: str, epochs: Collection[int]) -> None:
    """Refuse an epoch that is none of a run's snapshots; None passes."""
    if epoch is not None and epoch not in epochs:
        listed_epochs = ", ".join(map(str, epochs)) or "(none)"
        raise UsageError(f"--epoch is {epoch}: run {run} has snapshots of epochs {listed_epochs}")


def picture_formats(text: str) -> tuple[str, ...]:
    """The file formats that `--format` lists; an unknown one and an empty list are refused."""
    found = listed(text)
    for name in found:
        if name not in FORMATS:
            raise UsageError(f"--format has {name!r}: it must be among {', '.join(FORMATS)}")
    if not found:
        raise UsageError(f"--format is empty: it must be among {', '.join(FORMATS)}")
    return found
