"""A study's progress on stderr: a live panel in a terminal, plain lines elsewhere."""

import sys
import time
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from miiii.cli.console import live_console
from miiii.cli.progress.run import PLAIN_SECONDS, STOPPING
from miiii.cli.text import clock, percent
from miiii.studies.progress import JobState, Tally

REDRAW_SECONDS = 0.25


class PlainStudyProgress:
    """One line per interval and one per run that ends, for logs and pipes."""

    def __init__(self, seconds: float = PLAIN_SECONDS) -> None:
        self._seconds, self._next = seconds, 0.0

    def __enter__(self) -> "PlainStudyProgress":
        return self

    def __exit__(self, *error: Any) -> None:
        """Nothing is left to print."""

    def changed(self, tally: Tally, state: JobState | None) -> None:
        """Say that a run ended; else print a line if the interval is over."""
        if state is None:  # What is to be done was said before.
            self._next = time.monotonic() + self._seconds
        elif state.stage in ("finished", "failed", "interrupted"):
            _print(f"{run_line(state)}; {_whole(tally)}")
        elif state.stage == "training" and time.monotonic() >= self._next:
            running = "; ".join(run_line(each) for each in tally.at_work)
            _print(f"{_whole(tally)}  [{running}]")
            self._next = time.monotonic() + self._seconds

    def stopping(self) -> None:
        """Say that a signal was heard."""
        _print(STOPPING)

    def warned(self, message: str) -> None:
        """Print a warning."""
        _print(f"warning: {message}")


class PanelStudyProgress:
    """A live panel: the whole study, and the runs at work."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False, transient=False)
        self._stopping, self._next = False, 0.0

    def __enter__(self) -> "PanelStudyProgress":
        self._live.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._live.__exit__(*error)

    def changed(self, tally: Tally, state: JobState | None) -> None:
        """Redraw, and leave a line about a run that ended."""
        ended = state is not None and state.stage in ("finished", "failed", "interrupted")
        if state is not None and ended:
            self._console.print(Text(run_line(state)))
        if state is None or ended or time.monotonic() >= self._next:
            self._draw(tally)
            self._next = 0.0 if state is None else time.monotonic() + REDRAW_SECONDS

    def stopping(self) -> None:
        """Say that a signal was heard, when next drawn (a handler must not draw)."""
        self._stopping = True

    def warned(self, message: str) -> None:
        """Print a warning above the panel."""
        self._console.print(Text(f"warning: {message}", style="yellow"))

    def _draw(self, tally: Tally) -> None:
        runs = Table.grid(padding=(0, 2))
        for state in tally.at_work:
            name = Text(", ".join(state.job.names), overflow="ellipsis", no_wrap=True)
            runs.add_row(name, *(Text(part) for part in _parts(state)))
        bar = Table.grid()  # a bar of its own ends without a line break
        width = max(20, self._console.width - 4)
        bar.add_row(ProgressBar(total=1.0, completed=tally.share, width=width))
        title = f"run {min(tally.ended + 1, tally.runs)} of {tally.runs}"
        # At the head, which a terminal shows of what is too long for it.
        head = [Text(STOPPING, style="yellow")] if self._stopping else []
        parts = [*head, Text(_whole(tally)), bar, runs]
        self._live.update(Panel(Group(*parts), title=title), refresh=True)


def run_line(state: JobState) -> str:
    """A job in one line: which runs, how far, how well."""
    name = state.job.names[0]
    if len(state.job.names) > 1:
        name += f" and {len(state.job.names) - 1} more"
    return " ".join([name, *(part for part in _parts(state) if part)])


def _parts(state: JobState) -> list[str]:
    """Epochs, accuracy and tasks solved, or what it does instead of training."""
    job = state.job
    epochs = f"{state.done:,}/{job.epochs:,}"
    if state.stage == "starting":
        return [epochs, "compiling", ""]
    config = job.runs[0].config
    accuracy = "" if state.accuracy is None else f"validation {percent(state.accuracy)}"
    solved = ""
    if state.solved is not None and not config.task.is_regression:
        solved = f"solved {state.solved:g}/{len(config.task.task_moduli)}"
    stage = "" if state.stage == "training" else f"{state.stage} "
    return [stage + epochs, accuracy, solved]


def _whole(tally: Tally) -> str:
    return (
        f"{tally.ended} of {tally.runs} runs done, {percent(tally.share)} of the work, "
        f"ETA {clock(tally.seconds_left)}"
    )


def _print(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def make_study_progress() -> PlainStudyProgress | PanelStudyProgress:
    """The panel where stderr is a terminal, plain lines elsewhere."""
    console = live_console()
    return PlainStudyProgress() if console is None else PanelStudyProgress(console)
