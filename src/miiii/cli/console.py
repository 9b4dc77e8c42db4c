"""Output to a terminal, a file or a pipe.

FORCE_COLOR, TTY_COMPATIBLE and NO_COLOR decide about colours only. Whether a panel is redrawn in
place, and how wide a table is, depends on the stream itself.
"""

import os
import sys
import time
from collections.abc import Callable
from typing import Any, NoReturn

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from miiii.experiment.interrupts import is_terminal

PIPE_WIDTH = 240
"""Least width of a table in a file or a pipe, in characters."""
_ENDLESS = 10_000


def is_live(stream: Any) -> bool:
    """Whether lines of a stream can be overwritten: a terminal that can move its cursor."""
    return is_terminal(stream) and os.environ.get("TERM", "").lower() not in ("dumb", "unknown")


def live_console() -> Console | None:
    """A console on stderr for output that is redrawn in place; None if stderr cannot be."""
    return Console(stderr=True, force_terminal=True) if is_live(sys.stderr) else None


def to_stderr(line: str) -> None:
    """Print a line on stderr, unbuffered."""
    print(line, file=sys.stderr, flush=True)


def at_intervals(seconds: float = 5.0) -> Callable[[str], None]:
    """A function that prints a line on stderr, at most one per interval and none in the first."""
    ready = time.monotonic() + seconds

    def print_line(line: str) -> None:
        nonlocal ready
        if time.monotonic() >= ready:
            ready = time.monotonic() + seconds
            to_stderr(line)

    return print_line


def timed() -> Callable[[str], None]:
    """A function that prints a finished step on stderr, with the seconds since this call."""
    began = time.monotonic()
    return lambda step: to_stderr(f"{time.monotonic() - began:5.1f} s  {step}")


def exit_now(code: int) -> NoReturn:
    """End at once, without waiting for a compilation in another thread."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def print_out(table: Table) -> None:
    """Print a table on stdout with every column whole.

    A terminal that is narrower than the table's names and numbers wraps its lines; nothing is left
    out. A file or a pipe gets plain text, as wide as the table needs.
    """
    plain: Any = {"markup": False, "highlight": False, "emoji": False}
    ruler = Console(width=_ENDLESS, force_terminal=False, **plain)
    for column in table.columns:
        if column.no_wrap:  # Rich measures its longest word only.
            cells = [column.header, *column.cells]
            needed = [Measurement.get(ruler, ruler.options, cell).maximum for cell in cells]
            column.min_width = max(needed)
    least = Measurement.get(ruler, ruler.options, table).minimum
    if is_terminal(sys.stdout):
        console = Console(force_terminal=True, **plain)
        console.width = max(console.width, least)
        console.print(table)
        return
    width = max(PIPE_WIDTH, least)
    console = Console(width=width, force_terminal=False, color_system=None, **plain)
    with console.capture() as captured:
        console.print(table)
    print("\n".join(line.rstrip() for line in captured.get().rstrip("\n").split("\n")))
