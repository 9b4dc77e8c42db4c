"""Progress on stderr: a panel that is redrawn in a terminal, a line at intervals elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self, TypeVar

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from miiii.cli.console import live_console, to_stderr

Progress = TypeVar("Progress")

LINE_SECONDS, DRAW_SECONDS = 10.0, 0.25
"""Shortest time between two lines, and between two drawings of a panel."""
STOPPING = "stopping: saving first (once more: quit at once)"


@dataclass(frozen=True)
class View:
    """The contents of a line and of a panel, computed when they are shown."""

    line: Callable[[], str]
    title: Callable[[], str]
    parts: Callable[[int], list[RenderableType]]
    """From the terminal's width to the rows of the panel, from top to bottom."""


class Lines:
    """One line per interval of `seconds`, for logs and pipes, and the last state at the end."""

    def __init__(self, seconds: float = LINE_SECONDS) -> None:
        self._seconds, self._next = seconds, 0.0
        self._pending: View | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: Any) -> None:
        """Show the last state if it was not shown yet."""
        if self._pending is not None:
            self._draw(self._pending)

    def begin(self, view: View, line: str = "") -> None:
        """Print the first line; without one the interval begins now."""
        if line:
            to_stderr(line)
        else:
            self._next = time.monotonic() + self._seconds

    def show(self, view: View) -> None:
        """Show a state if the interval is over."""
        self._pending = view
        if time.monotonic() >= self._next:
            self._draw(view)
            self._next = time.monotonic() + self._seconds

    def ended(self, view: View, line: str, whole: str) -> None:
        """Print that a part ended, and the state of the whole, which a panel shows anyway."""
        to_stderr(f"{line}; {whole}")
        self._pending = None

    def stopping(self) -> None:
        """Print that a signal has asked to stop."""
        to_stderr(STOPPING)

    def warned(self, message: str) -> None:
        """Print a warning."""
        to_stderr(f"warning: {message}")

    def _draw(self, view: View) -> None:
        to_stderr(view.line())
        self._pending = None


class LivePanel(Lines):
    """A panel on a terminal that is redrawn in place, with warnings above it."""

    def __init__(self, console: Console) -> None:
        super().__init__(DRAW_SECONDS)
        self._console, self._stopping = console, False
        self._live = Live(console=console, auto_refresh=False, transient=False)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *error: Any) -> None:
        """Show the last state, and restore the terminal."""
        super().__exit__()
        self._live.stop()

    def begin(self, view: View, line: str = "") -> None:
        """Draw the empty panel."""
        self._draw(view)

    def ended(self, view: View, line: str, whole: str) -> None:
        """Print a line above the panel, and redraw."""
        self._console.print(Text(line))
        self._draw(view)

    def stopping(self) -> None:
        """Show with the next drawing that a signal came, whose handler must not draw itself."""
        self._stopping = True

    def warned(self, message: str) -> None:
        """Print a warning above the panel."""
        self._console.print(Text(f"warning: {message}", style="yellow"))

    def _draw(self, view: View) -> None:
        panel = framed(view, self._console.width, stopping=self._stopping)
        self._live.update(panel, refresh=True)
        self._pending = None


def framed(view: View, width: int, *, stopping: bool = False) -> Panel:
    """The panel of a view, with the note that it stops on top, where a small terminal shows it."""
    head = [Text(STOPPING, style="yellow")] if stopping else []
    parts = Group(*head, *view.parts(width))
    return Panel(parts, title=view.title(), title_align="left", padding=(0, 1))


def bar(share: float, width: int) -> Table:
    """A bar across a panel."""
    grid = Table.grid()  # Rich ends a bar outside a table without a line break.
    grid.add_row(ProgressBar(total=1.0, completed=share, width=max(20, width - 4)))
    return grid


@contextmanager
def on_screen(kind: Callable[[Lines], Progress]) -> Iterator[Progress]:
    """Show progress of some kind on stderr: on a panel if it is a terminal, as lines elsewhere."""
    console = live_console()
    with Lines() if console is None else LivePanel(console) as screen:
        yield kind(screen)
