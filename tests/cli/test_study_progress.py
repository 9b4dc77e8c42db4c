"""What a study's progress looks like, in a terminal and in a log."""

import io

import pytest
from rich.console import Console

from miiii.cli.progress.study import PanelStudyProgress, PlainStudyProgress, run_line
from miiii.config.config import replace_fields
from miiii.config.presets import get_preset
from miiii.studies.jobs import Job
from miiii.studies.plan import PlannedRun
from miiii.studies.tally import Tally

ADVANCED = {"event": "advanced", "epochs_per_second": 10.0, "accuracy": [0.5], "solved": [2]}


def job(*names, **changes):
    config = replace_fields(get_preset("tiny"), epochs=1000, **changes)
    return Job(tuple(PlannedRun(name, "miiii", config) for name in names))


@pytest.fixture
def tally() -> Tally:
    jobs = [job("miiii-seed0"), job("basis-seed0", "basis-seed1"), job("waves-seed0", task="waves")]
    return Tally([(each, 0.1) for each in jobs], workers=2, done_before=1)


def test_a_run_in_one_line(tally):
    assert run_line(tally.take(0, {"event": "started", "done": 0})) == (
        "miiii-seed0 0/1,000 compiling"
    )
    assert run_line(tally.take(0, {**ADVANCED, "done": 500})) == (
        "miiii-seed0 500/1,000 validation 50.0 % solved 2/4"
    )
    both = {**ADVANCED, "done": 1, "accuracy": [0.2, 0.4], "solved": [1, 2]}
    assert run_line(tally.take(1, both)) == (
        "basis-seed0 and 1 more 1/1,000 validation 30.0 % solved 1.5/4"
    )
    ended = {"event": "ended", "state": "interrupted", "done": 7}
    assert run_line(tally.take(1, ended)).startswith("basis-seed0 and 1 more interrupted 7/1,000")
    assert run_line(tally.take(2, {**ADVANCED, "done": 1})) == (
        "waves-seed0 1/1,000 validation 50.0 %"
    ), "a real number is not solved, it is met"


def test_a_log_has_a_line_per_interval_and_one_per_run_that_ends(tally, capsys):
    progress = PlainStudyProgress(seconds=3600.0)
    with progress:
        progress.began(tally)
        for done in (250, 500):
            progress.changed(tally, tally.take(0, {**ADVANCED, "done": done}))
        assert capsys.readouterr().err == ""
        ended = {"event": "ended", "state": "finished", "done": 1000}
        progress.changed(tally, tally.take(0, ended))
        progress.warned("going back")
        progress.stopping()
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == (
        "miiii-seed0 finished 1,000/1,000 validation 50.0 % solved 2/4; "
        "2 of 5 runs done, 33.3 % of the work, ETA 1:40"
    )
    assert lines[1] == "warning: going back"
    assert "saving first" in lines[2]


def test_a_log_names_every_run_at_work(tally, capsys):
    progress = PlainStudyProgress(seconds=0.0)
    progress.began(tally)
    tally.take(0, {"event": "started", "done": 0})
    progress.changed(tally, tally.take(2, {**ADVANCED, "done": 500}))
    line = capsys.readouterr().err.strip()
    assert line.startswith("1 of 5 runs done, 16.6 % of the work, ETA ")
    assert "[miiii-seed0 0/1,000 compiling; waves-seed0 500/1,000" in line


def test_the_panel_shows_the_whole_and_the_runs_at_work(tally):
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=90, color_system=None)
    with PanelStudyProgress(console) as progress:
        progress.began(tally)
        progress.changed(tally, tally.take(0, {**ADVANCED, "done": 600}))
        progress.warned("going back")
        progress.stopping()
        ended = {"event": "ended", "state": "finished", "done": 1000}
        progress.changed(tally, tally.take(2, ended))
    text = screen.getvalue()
    for part in (
        "run 2 of 5",
        "1 of 5 runs done, 20.0 % of the work",
        "│ miiii-seed0  600/1,000  validation 50.0 %  solved 2/4",
        "warning: going back",
        "waves-seed0 finished 1,000/1,000",
        "run 3 of 5",
        "saving first",
    ):
        assert part in text, part
