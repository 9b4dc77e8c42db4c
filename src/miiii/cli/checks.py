"""Checks of option values that several commands share."""

import math
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from miiii.cli.arguments import UsageError
from miiii.cli.text import listed

FORMATS = ("svg", "pdf", "png")
"""File formats of pictures."""


def check_range(
    arguments: Any, name: str, least: float, most: float = math.inf, more: str = ""
) -> None:
    """Refuse an option whose number is out of its range; None (not given) passes.

    Args:
        arguments: of the command.
        name: of the option, without dashes.
        least: the smallest allowed number.
        most: the largest allowed number.
        more: appended to the limits in the message.
    """
    value = getattr(arguments, name)
    if value is not None and not least <= value <= most:
        shown = f"{value:g}" if isinstance(value, float) else value
        limits = f"at least {least}" if most == math.inf else f"from {least} to {most:,}"
        raise UsageError(f"--{name} is {shown}: it must be {limits}{more}")


def only_one(arguments: Any, *names: str) -> str:
    """The one of some options that was given; "" if none was. Two of them are refused."""
    given = [name for name in names if getattr(arguments, name.replace("-", "_"))]
    if len(given) > 1:
        raise UsageError(f"--{given[0]} and --{given[1]} exclude each other: choose one")
    return given[0] if given else ""


@contextmanager
def writable(option: str, directory: Path) -> Iterator[None]:
    """Turn a failure to write within the block into bad usage of the option with the directory."""
    from miiii.runs.errors import StorageError

    try:
        yield
    except StorageError as error:
        raise UsageError(f"{option} is {str(directory)!r}: {error}") from error


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
