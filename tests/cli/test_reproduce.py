"""`miiii reproduce` as a process of its own, on the tiniest study."""

import signal
from types import SimpleNamespace

import pytest

from command import call, start
from miiii.cli import reproduce
from miiii.cli.main import run
from miiii.studies.study import open_study

TINY = ["reproduce", "--preset", "tiny", "--only", "C7"]


@pytest.mark.slow
def test_a_study_is_rehearsed_interrupted_trained_and_left_alone(
    tmp_path, cache, monkeypatch, capsys
):
    rehearsed = call([*TINY, "--dry-run"], tmp_path, cache)
    assert rehearsed.returncode == 0, rehearsed.stderr
    assert "basis" in rehearsed.stdout
    assert "2 to train" in rehearsed.stdout
    assert "to train: 2 runs, 400 epochs, about" in rehearsed.stdout
    assert list(tmp_path.iterdir()) == []

    process = start(TINY, tmp_path, cache)
    assert process.stderr is not None
    while "compiling" not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 75, errors
    assert "go on with: miiii reproduce --preset tiny --only C7" in errors
    study = open_study("small-tiny", tmp_path / "studies")
    assert study.plan.seeds == {"basis": (0, 1)}

    done = call(TINY, tmp_path, cache)
    assert done.returncode == 0, done.stderr
    assert [study.state(each) for each in study.plan.runs] == ["finished", "finished"]
    first, second = (each.provenance for each in study.runs()["basis"])
    assert first["command"] == second["command"] == ["miiii", *TINY]
    assert first["split"] != second["split"]

    assert "report: studies/small-tiny/report.html" in done.stdout
    for name in ("ledger.json", "ledger.csv", "ledger.md", "report.html"):
        assert (study.path / name).stat().st_size > 1000

    # Called again, it trains nothing and concludes anew.
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(reproduce, "judge_claims", lambda _: SimpleNamespace(summary="judged"))
    monkeypatch.setattr(reproduce, "write_page", lambda *_: "page")
    before = {path: path.stat().st_mtime_ns for path in study.runs_dir.rglob("*.*")}
    assert run(TINY) == 0
    output = capsys.readouterr().out
    assert "nothing is left to train" in output
    assert output.splitlines()[-3:] == [
        "judged",
        "ledger: studies/small-tiny/ledger.md",
        "report: page",
    ]
    assert before == {path: path.stat().st_mtime_ns for path in study.runs_dir.rglob("*.*")}


REFUSED = {
    "--scale large": ["--scale is 'large'", "small, paper"],
    "--preset mimi": ["'mimi'", "did you mean 'mini'"],
    "--scale paper --preset mini": ["'mini'", "fast, paper, reference"],
    "--only C4,C77": ["'C77'", "did you mean 'C7'"],
    "--seeds 0": ["--seeds is 0", "at least 1"],
    "--workers 0": ["--workers is 0", "at least 1"],
    "--name a/b": ["a/b"],
    "--studies-dir /dev/null/x": ["--studies-dir"],
    "--sede 3": ["--sede", "did you mean '--seeds'"],
}


@pytest.mark.parametrize("words", REFUSED)
def test_bad_input_is_refused_on_one_line(words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(["reproduce", *words.split()]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    lines = output.err.strip().splitlines()
    assert len(lines) == 1
    for part in REFUSED[words]:
        assert part in lines[0]
    assert list(tmp_path.rglob("*")) == []
