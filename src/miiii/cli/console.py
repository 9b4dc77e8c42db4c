"""What goes to the terminal, and what to a file or a pipe: the stream decides, not the colours.

FORCE_COLOR, TTY_COMPATIBLE and NO_COLOR say what may be coloured. Whether a panel may move, and how
wide a table is, is asked of the stream itself.
"""

import os
import sys
import time
from collections.abc import Callable
from typing import Any, NoReturn

from rich.console import Console, RenderableType
from rich.measure import Measurement
from rich.table import Table

PIPE_WIDTH = 240
"""Columns of a table in a file or a pipe; more where its names need more."""
_ENDLESS = 10_000


def is_terminal(stream: Any) -> bool:
    """Whether a stream is a terminal."""
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError):
        return False


def is_live(stream: Any) -> bool:
    """Whether lines of a stream can be written over: a terminal that can move its cursor."""
    return is_terminal(stream) and os.environ.get("TERM", "").lower() not in ("dumb", "unknown")


def live_console() -> Console | None:
    """A console on stderr for what moves; None where it would end in a file."""
    if not is_live(sys.stderr):
        return None
    return Console(stderr=True, force_terminal=True)


def say(line: str) -> None:
    """A line on stderr, at once."""
    print(line, file=sys.stderr, flush=True)


def seldom(seconds: float = 5.0) -> Callable[[str], None]:
    """Says lines on stderr, of those that come within so many seconds only the first.

    What takes less time than that says nothing.
    """
    ready = time.monotonic() + seconds

    def tell(line: str) -> None:
        nonlocal ready
        if time.monotonic() >= ready:
            ready = time.monotonic() + seconds
            say(line)

    return tell


def timed() -> Callable[[str], None]:
    """Says on stderr what is done, with the seconds since this call."""
    began = time.monotonic()
    return lambda what: say(f"{time.monotonic() - began:5.1f} s  {what}")


def leave(code: int) -> NoReturn:
    """End at once: a compiler thread may still be at work, and cannot be waited for."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def print_out(*shown: RenderableType) -> None:
    """Print tables on stdout, with every column whole.

    A terminal that is narrower than a table's names and numbers wraps its lines; nothing of them is
    left out. In a pipe there is no width to fit into, and nothing but text.
    """
    terminal = is_terminal(sys.stdout)
    plain: Any = {"markup": False, "highlight": False, "emoji": False}
    for each in shown:
        ruler = Console(width=_ENDLESS, force_terminal=False, **plain)
        for column in each.columns if isinstance(each, Table) else ():
            if column.no_wrap:  # Rich takes its longest word for what it needs.
                cells = [column.header, *column.cells]
                needed = [Measurement.get(ruler, ruler.options, cell).maximum for cell in cells]
                column.min_width = max(needed)
        least = Measurement.get(ruler, ruler.options, each).minimum
        if terminal:
            console = Console(force_terminal=True, **plain)
            console.width = max(console.width, least)
            console.print(each)
            continue
        console = Console(
            width=max(PIPE_WIDTH, least), force_terminal=False, color_system=None, **plain
        )
        with console.capture() as captured:
            console.print(each)
        print("\n".join(line.rstrip() for line in captured.get().rstrip("\n").split("\n")))
