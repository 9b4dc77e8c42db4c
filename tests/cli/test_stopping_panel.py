"""Many tasks: a panel still says that it stops, and a plain line names the lowest."""

import io
from pathlib import Path

import pytest
from rich.console import Console
from rich.live import Live

import miiii
from miiii.cli.progress.run import view_of
from miiii.cli.progress.screen import STOPPING, framed
from miiii.cli.progress.standing import Standing
from miiii.experiment.members import Member
from miiii.runs.directory import RunDirectory


def test_stopping_stands_at_the_head_of_a_panel_of_a_hundred_tasks():
    config = miiii.replace_fields(miiii.get_preset("tiny"), moduli=tuple(range(2, 102)))
    standing = Standing([Member(RunDirectory(Path("hundred")), config)], 0, 40)
    screen = io.StringIO()
    console = Console(file=screen, width=80, height=24, force_terminal=True, color_system=None)
    with Live(console=console, auto_refresh=False) as live:
        live.update(framed(view_of(standing), 80, stopping=True), refresh=True)
        shown = screen.getvalue()
    # What a terminal of 24 lines shows of more than 50.
    assert len(shown.splitlines()) <= 24
    assert STOPPING in shown
    console = Console(file=io.StringIO(), width=80, force_terminal=True)
    console.print(framed(view_of(standing), 80))
    assert STOPPING not in console.file.getvalue()


@pytest.mark.parametrize(("last", "named"), [(31, range(2, 32)), (101, range(2, 32))])
def test_a_plain_line_names_at_most_thirty_tasks(last, named):
    moduli = tuple(range(2, last + 1))
    config = miiii.replace_fields(miiii.get_preset("tiny"), moduli=moduli)
    standing = Standing([Member(RunDirectory(Path("many")), config)], 0, 40)
    # The later tasks are at 50 % and above, all that are named below.
    standing.validation[0] = [0.01 * (q if q < 32 else 50) for q in moduli]
    line = view_of(standing).line()
    listed = line[line.index("[") + 1 : -1]
    lowest, _, rest = listed.rpartition("lowest 30 of 100: ")
    assert bool(len(listed) != len(rest)) == (last == 101), lowest
    assert [int(part.split(":")[0]) for part in rest.split()] == list(named)
    assert len(line) < 350
