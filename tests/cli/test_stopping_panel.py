"""A panel that is longer than its terminal still says that it stops."""

import io
from pathlib import Path

from rich.console import Console
from rich.live import Live

import miiii
from miiii.cli.progress.run import STOPPING, render_panel
from miiii.cli.progress.standing import Standing
from miiii.experiment.members import Member
from miiii.runs.directory import RunDirectory


def test_stopping_stands_at_the_head_of_a_panel_of_a_hundred_tasks():
    config = miiii.replace_fields(miiii.get_preset("tiny"), moduli=tuple(range(2, 102)))
    standing = Standing([Member(RunDirectory(Path("hundred")), config)], 0, 40)
    screen = io.StringIO()
    console = Console(file=screen, width=80, height=24, force_terminal=True, color_system=None)
    with Live(console=console, auto_refresh=False) as live:
        live.update(render_panel(standing, 80, stopping=True), refresh=True)
        shown = screen.getvalue()
    # What a terminal of 24 lines shows of more than 50.
    assert len(shown.splitlines()) <= 24
    assert STOPPING in shown
    console = Console(file=io.StringIO(), width=80, force_terminal=True)
    console.print(render_panel(standing, 80))
    assert STOPPING not in console.file.getvalue()
