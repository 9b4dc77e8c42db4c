"""What a study's progress looks like, in a terminal and in a log."""

import io

import pytest
from rich.console import Console

from miiii import get_preset, replace_fields
from miiii.cli.progress.screen import Lines, LivePanel
from miiii.cli.progress.study import StudyProgress, run_line
from miiii.studies.jobs import Job
from miiii.studies.plan import PlannedRun
from miiii.studies.progress import JobState, Tally
from wording import says


def job(*names, **changes):
    config = replace_fields(get_preset("tiny"), epochs=1000, **changes)
    return Job(tuple(PlannedRun(name, "miiii", config) for name in names))


@pytest.fixture
def tally(tmp_path) -> Tally:
    jobs = [job("miiii-seed0"), job("basis-seed0", "basis-seed1"), job("waves-seed0", task="waves")]
    return Tally(tmp_path, [(each, 0.1) for each in jobs], workers=2, done_before=1)


def put(tally, number, stage, done, accuracy=None, solved=None) -> JobState:
    """As if it had been read from the disk."""
    state = tally.states[number]
    state.stage, state.done = stage, done
    state.accuracy, state.solved = accuracy or state.accuracy, solved or state.solved
    return state


def test_a_run_in_one_line(tally):
    assert run_line(put(tally, 0, "starting", 0)) == "miiii-seed0 0/1,000 compiling"
    assert run_line(put(tally, 0, "training", 500, 0.5, 2)) == (
        "miiii-seed0 500/1,000 validation 50.0 % solved 2/4"
    )
    assert run_line(put(tally, 1, "training", 1, 0.3, 1.5)) == (
        "basis-seed0 and 1 more 1/1,000 validation 30.0 % solved 1.5/4"
    )
    interrupted = run_line(put(tally, 1, "interrupted", 7))
    assert interrupted.startswith("basis-seed0 and 1 more interrupted 7/1,000")
    assert run_line(put(tally, 2, "training", 1, 0.5, 2)) == (
        "waves-seed0 1/1,000 validation 50.0 %"
    ), "a real number is not solved, it is met"


def test_a_log_has_a_line_per_interval_and_one_per_run_that_ends(tally, capsys):
    with Lines(seconds=3600.0) as screen:
        progress = StudyProgress(screen)
        progress.changed(tally, None)
        for done in (250, 500):
            progress.changed(tally, put(tally, 0, "training", done, 0.5, 2))
        assert capsys.readouterr().err == ""
        progress.changed(tally, put(tally, 0, "finished", 1000))
        progress.warned("going back")
        progress.stopping()
    lines = capsys.readouterr().err.splitlines()
    one, _, study = lines[0].partition("; ")
    assert one == "miiii-seed0 finished 1,000/1,000 validation 50.0 % solved 2/4"
    assert says(study, "2 of 5 33.3 % ETA 1:40")
    assert lines[1] == "warning: going back"
    assert "saving first" in lines[2]


def test_a_log_names_every_run_at_work(tally, capsys):
    progress = StudyProgress(Lines(seconds=0.0))
    progress.changed(tally, None)
    put(tally, 0, "starting", 0)
    progress.changed(tally, put(tally, 2, "training", 500, 0.5))
    line = capsys.readouterr().err.strip()
    assert says(line, "1 of 5 runs 16.6 % ETA")
    assert "[miiii-seed0 0/1,000 compiling; waves-seed0 500/1,000" in line


def test_the_panel_shows_the_whole_and_the_runs_at_work(tally):
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=90, color_system=None)
    with LivePanel(console) as panel:
        progress = StudyProgress(panel)
        progress.changed(tally, None)
        progress.changed(tally, put(tally, 0, "training", 600, 0.5, 2))
        progress.warned("going back")
        progress.stopping()
        progress.changed(tally, put(tally, 2, "finished", 1000, 0.5))
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
