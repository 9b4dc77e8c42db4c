"""Display of a study while its runs train."""

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from miiii.cli.progress.screen import Lines, View, bar
from miiii.runs.text import clock, percent
from miiii.studies.progress import JobState, Tally


class StudyProgress:
    """Shows a study and its training runs on a screen of lines or on a panel."""

    def __init__(self, screen: Lines) -> None:
        self._screen = screen
        self.stopping, self.warned = screen.stopping, screen.warned

    def changed(self, tally: Tally, state: JobState | None) -> None:
        """Print that a run ended; otherwise show the study, if the display is due."""
        view = _view(tally)
        if state is None:  # The command has printed the jobs.
            self._screen.begin(view)
        elif state.stage in ("finished", "failed", "interrupted"):
            self._screen.ended(view, run_line(state), _whole(tally))
        else:
            self._screen.show(view)


def _view(tally: Tally) -> View:
    def line() -> str:
        return f"{_whole(tally)}  [{'; '.join(run_line(each) for each in tally.at_work)}]"

    def title() -> str:
        return f"run {min(tally.ended + 1, tally.runs)} of {tally.runs}"

    def parts(width: int) -> list[RenderableType]:
        runs = Table.grid(padding=(0, 2))
        for state in tally.at_work:
            name = Text(", ".join(state.job.names), overflow="ellipsis", no_wrap=True)
            runs.add_row(name, *(Text(part) for part in _parts(state)))
        return [Text(_whole(tally)), bar(tally.share, width), runs]

    return View(line, title, parts)


def run_line(state: JobState) -> str:
    """A job in one line: its runs, epochs and accuracy."""
    name = state.job.names[0]
    if len(state.job.names) > 1:
        name += f" and {len(state.job.names) - 1} more"
    return " ".join([name, *(part for part in _parts(state) if part)])


def _parts(state: JobState) -> list[str]:
    """Epochs, accuracy and solved tasks, with the stage if it does not train."""
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
