"""`miiii reproduce` as a process of its own, on the tiniest study."""

import signal
from pathlib import Path
from types import SimpleNamespace

import pytest

from command import start
from miiii.cli.commands import reproduce
from miiii.cli.main import run
from miiii.studies import train
from miiii.studies.jobs import make_jobs, survey
from miiii.studies.plan import plan
from miiii.studies.study import join_study, open_study
from miiii.studies.train import Agenda, StudyOutcome
from wording import says

TINY = ["reproduce", "--preset", "tiny", "--only", "C7"]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """An empty directory."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.slow
def test_a_study_is_rehearsed_interrupted_trained_and_left_alone(
    tmp_path, cache, monkeypatch, capsys
):
    monkeypatch.setattr(train, "TIMING_SECONDS", 0.1)
    assert run([*TINY, "--dry-run"]) == 0
    output = capsys.readouterr().out
    assert "2 to train" in output
    assert "to train: 2 runs, 400 epochs, about" in output
    assert list(tmp_path.iterdir()) == []

    process = start(TINY, tmp_path, cache)
    assert process.stderr is not None
    while "compiling" not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate()
    assert process.returncode == 75, errors
    assert "miiii reproduce --preset tiny --only C7" in errors
    study = open_study("small-tiny")
    assert study.plan.seeds == {"basis": (0, 1)}

    assert run(TINY) == 0
    assert "report: studies/small-tiny/report.html" in capsys.readouterr().out
    assert [study.state(each) for each in study.plan.runs] == ["finished", "finished"]
    first, second = (each.provenance for each in study.runs()["basis"])
    assert first["command"] == second["command"] == ["miiii", *TINY]
    assert first["split"] != second["split"]
    for name in ("ledger.json", "ledger.csv", "ledger.md", "report.html"):
        assert (study.path / name).stat().st_size > 1000

    # Called again, it trains nothing and concludes anew.
    monkeypatch.setattr(
        reproduce, "judge_claims", lambda _: SimpleNamespace(summary="judged", standing="")
    )
    monkeypatch.setattr(reproduce, "write_page", lambda *_: "page")
    before = {path: path.stat().st_mtime_ns for path in study.runs_dir.rglob("*.*")}
    assert run(TINY) == 0
    output = capsys.readouterr().out
    assert says(output, "nothing left train")
    assert output.splitlines()[-3:] == [
        "judged",
        "ledger: studies/small-tiny/ledger.md",
        "report: page",
    ]
    assert before == {path: path.stat().st_mtime_ns for path in study.runs_dir.rglob("*.*")}


def test_only_leaves_the_rest_of_a_study_as_it_is(monkeypatch, capsys):
    # Begun by an earlier call that asked for more.
    join_study(plan("small", "tiny", seeds=1), "small-tiny").save()
    asked = []

    def nothing_to_do(study, workers, stop, announce, experiments):
        asked.append(experiments)
        return Agenda(survey(study, experiments), (), (), 1)

    monkeypatch.setattr(train, "make_agenda", nothing_to_do)
    words = [*TINY, "--seeds", "1", "--dry-run"]
    assert run(words) == 0
    output = capsys.readouterr().out
    others = len(open_study("small-tiny").plan.runs) - 1
    assert says(output, f"--only left {others} runs")
    assert "no-dropout" not in output
    assert run([word for word in words if word not in ("--only", "C7")]) == 0
    assert not says(capsys.readouterr().out, "--only left")
    assert asked == [["basis"], None]


def test_what_others_train_is_judged_by_them(monkeypatch, capsys):
    def all_held(study, workers, stop, announce, experiments):
        found = survey(study, experiments)
        return Agenda(found, tuple(make_jobs(study, found)), (1.0,), 1)

    monkeypatch.setattr(train, "make_agenda", all_held)
    monkeypatch.setattr(train, "train_study", lambda *_, **__: StudyOutcome("elsewhere"))
    assert run([*TINY, "--seeds", "1"]) == 0
    output = capsys.readouterr().out
    assert says(output.splitlines()[-1], "last judges claims")
    assert "trained in" not in output
    assert not list(Path("studies/small-tiny").glob("ledger.*"))


REFUSED = {
    "--scale large": ["--scale is 'large'", "small, medium, paper"],
    "--preset mimi": ["'mimi'", "did you mean 'mini'"],
    "--scale paper --preset mini": ["'mini'", "fast3000, paper, reference"],
    "--only C4,C77": ["'C77'", "did you mean 'C7'"],
    "--seeds 0": ["--seeds is 0", "at least 1"],
    "--workers 0": ["--workers is 0", "at least 1"],
    "--name a/b": ["a/b"],
    "--studies-dir /dev/null/x": ["--studies-dir"],
    "--sede 3": ["--sede", "did you mean '--seeds'"],
}


@pytest.mark.parametrize("words", REFUSED)
def test_bad_input_is_refused_on_one_line(words, tmp_path, capsys):
    assert run(["reproduce", *words.split()]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    lines = output.err.strip().splitlines()
    assert len(lines) == 1
    for part in REFUSED[words]:
        assert part in lines[0]
    assert list(tmp_path.rglob("*")) == []
