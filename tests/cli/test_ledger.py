"""`miiii ledger` on a study of stored runs: what it prints, in every form."""

import csv
import io
import json
from pathlib import Path

import pytest

from claims.planted_runs import study as planted_study
from miiii import get_preset, replace_fields
from miiii.claims.judge import judge
from miiii.cli.commands.ledger import ledger_table, measuring
from miiii.cli.main import run
from miiii.studies.plan import Plan
from miiii.studies.study import Study
from results.stored_runs import store
from wording import says

BASE = replace_fields(get_preset("tiny"), base=7, width=8, heads=2, epochs=24)


@pytest.fixture(scope="module")
def studies(tmp_path_factory):
    """A study of two seeds of T_miiii and one of T_nanda; one planned run is missing."""
    folder = tmp_path_factory.mktemp("studies")
    configs = {"miiii": BASE, "nanda": replace_fields(BASE, task="nanda")}
    plan = Plan("small", "tiny", BASE, configs, {"miiii": (0, 1, 2), "nanda": (0,)})
    study = Study(folder / "some", plan)
    study.save()
    for planned in plan.runs:
        if planned.name != "miiii-seed2":
            store(study.runs_dir, planned.name, planned.config)
    return folder


def ledger(studies, *words):
    return run(["ledger", "some", "--studies-dir", str(studies), *words])


def test_json_is_the_whole_ledger(studies, capsys):
    assert ledger(studies, "--json") == 0
    record = json.loads(capsys.readouterr().out)
    assert record["study"] == "some"
    assert [finding["id"] for finding in record["findings"]] == [f"C{i}" for i in range(1, 20)]
    # C1 is decided: at p = 7 five numbers validate, and their share has stopped rising at 0.5.
    assert record["counts"]["undecided"] == 18
    assert [item["seeds"] for item in record["experiments"]] == [[0, 1], [0]]


def test_the_second_call_measures_nothing(studies, capsys):
    assert ledger(studies) == 0
    capsys.readouterr()
    assert ledger(studies) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    lines = printed.out.splitlines()
    assert lines[0].split()[:2] == ["claim", "verdict"]
    firsts = [line.split()[0] for line in lines if line.startswith("C")]
    # Claims without runs stand last.
    assert sorted(firsts, key=lambda name: int(name[1:])) == [f"C{i}" for i in range(1, 20)]
    assert lines[-2] == "19 claims: 0 reproduced, 1 not reproduced, 18 undecided"
    assert says(lines[-1], "paper's optimiser loss: 0 reproduced")


def test_csv_and_markdown(studies, capsys):
    assert ledger(studies, "--csv") == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert {row["claim"] for row in rows} == {f"C{i}" for i in range(1, 20)}
    assert ledger(studies, "--markdown") == 0
    assert capsys.readouterr().out.startswith("# Ledger of some\n")


def test_what_is_measured_is_said_on_stderr(studies, capsys):
    for path in Path(studies).glob("some/runs/*/analysis/measurements.json"):
        path.unlink()
    assert ledger(studies, "--json") == 0
    printed = capsys.readouterr()
    names = [line.removeprefix("measuring ") for line in printed.err.splitlines()]
    assert names == ["miiii-seed0", "miiii-seed1", "nanda-seed0"]
    json.loads(printed.out)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["sone"], "'sone' {studies} 'some'"),
        (["some", "--json", "--csv"], "--json --csv exclude"),
        (["some", "--jsn"], "option '--jsn' '--json'"),
    ],
)
def test_refusals_are_one_line_and_exit_2(studies, capsys, words, message):
    assert run(["ledger", *words, "--studies-dir", str(studies)]) == 2
    printed = capsys.readouterr()
    assert says(printed.err, message.format(studies=studies))
    assert len(printed.err.strip().splitlines()) == 1
    assert printed.out == ""


def test_the_table_shows_verdicts_values_and_seeds():
    from rich.console import Console

    runs = planted_study()
    del runs["masked"]
    console = Console(width=220, file=io.StringIO())
    console.print(ledger_table(judge(runs)))
    text = console.file.getvalue()
    rows = {line.split()[0]: line for line in text.splitlines() if line.startswith("C")}
    assert "reproduced" in rows["C1"]
    assert "29 of 29" in rows["C1"]
    assert rows["C1"].rstrip().endswith("2")
    assert "undecided" in rows["C16"]
    assert "nanda: 0.95" in rows["C10"]
    assert "−0.64" in text


def test_progress_names_each_run_once(capsys):
    with measuring() as told:
        for word in (("a", 0, 1), ("a", 1, 2), ("b", 0, 1)):
            told(*word)
    assert capsys.readouterr().err == "measuring a\nmeasuring b\n"
