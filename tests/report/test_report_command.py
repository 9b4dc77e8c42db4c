"""`miiii report` from words to the page; what it measures and draws is tested elsewhere."""

import json

import pytest

from claims.planted_runs import basis, miiii, no_dropout
from miiii.cli import machine
from miiii.cli.main import run
from miiii.report.page import page
from miiii.report.pictures.catalogue import choose
from miiii.results import store as measure


@pytest.fixture
def quick(monkeypatch):
    """Numbers made by hand for the study's runs, and one table for all figures."""
    planted = {"miiii": miiii, "basis": basis, "no-dropout": no_dropout}

    def measured(runs, progress):
        assert [key for key in planted if key in runs] == list(runs)
        for group in runs.values():
            progress(group[0].name, 0, 1)
        return {
            key: [planted[key](run.config.seed) for run in group] for key, group in runs.items()
        }

    monkeypatch.setattr(measure, "measure_runs", measured)
    monkeypatch.setattr(machine, "prepare_jax", lambda: None)
    monkeypatch.setattr(page, "ENTRIES", choose(["T1"]))


def test_it_writes_the_page_beside_the_runs(study, quick, capsys):
    assert run(["report", str(study.path)]) == 0
    words = capsys.readouterr()
    target = study.path / "report.html"
    summary, standing, where = words.out.splitlines()
    assert summary.startswith("19 claims: ")
    assert standing.startswith("under ")
    assert where == f"report: {target}"
    assert "measuring miiii-seed0" in words.err
    assert "through training: basis-seed0" in words.err
    assert "<title>Study tiny: which claims hold</title>" in target.read_text()


def test_the_same_study_gives_the_same_page(study, quick, capsys, tmp_path):
    targets = [tmp_path / "new" / "one.html", tmp_path / "two.html"]
    for target in targets:
        words = ["report", study.name, "--studies-dir", str(study.path.parent), "--json"]
        assert run([*words, "--output", str(target)]) == 0
        told = json.loads(capsys.readouterr().out)
        assert told["report"] == str(target)
        assert sum(told["counts"].values()) == 19
    assert targets[0].read_bytes() == targets[1].read_bytes()


def test_what_cannot_be_written_is_refused_at_once(study, tmp_path, capsys):
    for words, refusal in (
        ([str(study.path), "--output", str(tmp_path)], "must be a file, and is a directory"),
        (["tinny", "--studies-dir", str(study.path.parent)], "did you mean 'tiny'?"),
        ([], "needs an argument"),
        (["a", "--outptu", "b"], "did you mean '--output'?"),
    ):
        assert run(["report", *words]) == 2
        error = capsys.readouterr().err
        assert refusal in error
        assert error.startswith("error: ")
        assert error.count("\n") == 1
