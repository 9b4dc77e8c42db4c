"""Progress on stderr: a panel that is drawn again in a terminal, a line now and then elsewhere."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from miiii.cli.console import live_console, say

LINE_SECONDS, DRAW_SECONDS = 10.0, 0.25
"""At least so long between two lines, and between two drawings of a panel."""
STOPPING = "stopping: saving first (once more: quit at once)"


@dataclass(frozen=True)
class View:
    """What there is to see, made when it is shown."""

    line: Callable[[], str]
    title: Callable[[], str]
    parts: Callable[[int], list[RenderableType]]
    """Inside the panel, from above, for a terminal of so many columns."""


class Lines:
    """One line per interval, for logs and pipes; the last state at the end.

    Args:
        seconds: of the interval.
    """

    def __init__(self, seconds: float = LINE_SECONDS) -> None:
        self._seconds, self._next = seconds, 0.0
        self._pending: View | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: Any) -> None:
        """Show what was not shown yet."""
        if self._pending is not None:
            self._draw(self._pending)

    def begin(self, view: View, line: str = "") -> None:
        """Say what is about to happen; without a line the first one waits for its time."""
        if line:
            say(line)
        else:
            self._next = time.monotonic() + self._seconds

    def show(self, view: View) -> None:
        """Show it if the interval is over."""
        self._pending = view
        if time.monotonic() >= self._next:
            self._draw(view)
            self._next = time.monotonic() + self._seconds

    def ended(self, view: View, line: str, whole: str) -> None:
        """Say that a part ended; `whole`: how all of it stands, which a panel shows anyway."""
        say(f"{line}; {whole}")
        self._pending = None

    def stopping(self) -> None:
        """Say that a signal was heard."""
        say(STOPPING)

    def warned(self, message: str) -> None:
        """Print a warning."""
        say(f"warning: {message}")

    def _draw(self, view: View) -> None:
        say(view.line())
        self._pending = None


class LivePanel(Lines):
    """A panel that changes in place, with what must be read above it.

    Args:
        console: a terminal.
    """

    def __init__(self, console: Console) -> None:
        super().__init__(DRAW_SECONDS)
        self._console, self._stopping = console, False
        self._live = Live(console=console, auto_refresh=False, transient=False)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *error: Any) -> None:
        """Leave the terminal as it was, with the last state on it."""
        super().__exit__()
        self._live.stop()

    def begin(self, view: View, line: str = "") -> None:
        """Draw the empty panel."""
        self._draw(view)

    def ended(self, view: View, line: str, whole: str) -> None:
        """Leave a line, and redraw."""
        self._console.print(Text(line))
        self._draw(view)

    def stopping(self) -> None:
        """Say that a signal was heard, when next drawn (a handler must not draw)."""
        self._stopping = True

    def warned(self, message: str) -> None:
        """Print a warning above the panel."""
        self._console.print(Text(f"warning: {message}", style="yellow"))

    def _draw(self, view: View) -> None:
        panel = framed(view, self._console.width, stopping=self._stopping)
        self._live.update(panel, refresh=True)
        self._pending = None


def framed(view: View, width: int, *, stopping: bool = False) -> Panel:
    """The panel as it stands.

    That it stops comes first: a terminal shows the head of what is too long for it.
    """
    head = [Text(STOPPING, style="yellow")] if stopping else []
    parts = Group(*head, *view.parts(width))
    return Panel(parts, title=view.title(), title_align="left", padding=(0, 1))


def bar(share: float, width: int) -> Table:
    """A bar across a panel."""
    grid = Table.grid()  # a bar without a table ends without a line break
    grid.add_row(ProgressBar(total=1.0, completed=share, width=max(20, width - 4)))
    return grid


def open_screen() -> Lines:
    """The panel where stderr is a terminal, lines elsewhere."""
    console = live_console()
    return Lines() if console is None else LivePanel(console)
