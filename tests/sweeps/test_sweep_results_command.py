"""`miiii sweep status`, `best`, `table` and `plot` on sweeps whose values are planted."""

import csv
import io
import json
import os
import shlex
import subprocess
import sys
from xml.etree import ElementTree

import pytest
import small_sweeps
from optuna.trial import TrialState
from small_sweeps import CONTINUOUS, RATES, SMALLEST, make

from miiii import PRESETS, replace_fields
from miiii.cli.command_line import train_words
from miiii.cli.commands.train import parse_train
from miiii.cli.main import run
from miiii.sweeps.queue.sweep import Sweep
from miiii.sweeps.search.spaces import TABLE_1
from wording import says


def value(params) -> float:
    """Least at 3e-3 and 16."""
    return abs(params["learning_rate"] - 3e-3) * 100 + (params["width"] == 8)


def fill(sweep: Sweep, values=lambda params: [value(params)], most: int = 1000) -> Sweep:
    return small_sweeps.fill(sweep, values, most)


@pytest.fixture
def said(tmp_path, capsys):
    """What a command prints: exit code, stdout, stderr."""

    def call(action: str, *words: str) -> tuple[int, str, str]:
        code = run(["sweep", action, "probe", "--sweeps-dir", str(tmp_path), *words])
        return code, *capsys.readouterr()

    return call


# status


def test_status_counts_and_tells_scripts(tmp_path, said):
    sweep = fill(make(tmp_path), most=4)
    code, text, _ = said("status")
    assert code == 0
    assert "done 4  running 0  waiting 2  given up 0  failed 0  (66.6 % ended)" in text
    assert says(text, "no worker miiii sweep worker probe --sweeps-dir")
    assert said("status", "--exit-code")[0] == 3
    queue = sweep.queue(60)
    held = queue.claim(2)
    queue.beat({held[0].number: 3, held[1].number: 2})
    record = json.loads(said("status", "--json")[1])
    assert record["counts"] == {"done": 4, "running": 2, "waiting": 0, "given up": 0, "failed": 0}
    assert sorted(record["workers"][0]["epochs"]) == [2, 3]
    assert not record["workers"][0]["gone"]
    # One half and two thirds of a run of a second each.
    assert record["seconds_left"] == pytest.approx(1 / 2 + 2 / 3)
    assert f"{queue.worker}: 2 runs" in said("status")[1]
    for one in held:
        queue.end(one.id, TrialState.FAIL, reason="the loss is not finite")
    code, text, _ = said("status", "--exit-code")
    assert code == 0
    assert text.count("failed: the loss is not finite") == 2


def test_status_watches_until_every_run_has_ended(tmp_path, said):
    fill(make(tmp_path))
    code, text, _ = said("status", "--watch", "--interval", "0.2")
    assert code == 0
    (line,) = text.splitlines()
    assert "done 6 of 6; best validation_loss 0; 0 workers" in line
    assert json.loads(said("status", "--watch", "--json")[1])["unfinished"] == 0


def test_status_sees_a_worker_of_this_machine_that_is_no_more(tmp_path, said):
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    sweep = make(tmp_path)
    queue = sweep.queue(60)
    queue.worker = f"{queue.worker.split(':')[0]}:{child.pid}"
    queue.claim(1)
    queue.beat()
    assert says(said("status")[1], "process ended")
    assert json.loads(said("status", "--json")[1])["workers"][0]["gone"]


# best


def test_best_prints_the_run_its_command_and_its_neighbours(tmp_path, said):
    fill(make(tmp_path))
    code, text, _ = said("best")
    assert code == 0
    assert says(text, "runs differ one setting")
    assert says(text, "importance 20 runs")
    record = json.loads(said("best", "--json")[1])
    (best,) = record["best"]
    assert best["params"] == {"learning_rate": 3e-3, "width": 16}
    words = shlex.split(best["command"])
    config = replace_fields(SMALLEST, learning_rate=3e-3, width=16)
    assert parse_train(words[2:]).config == config
    assert best["command"] in text
    found = {
        (one["setting"], one["value"]): one["values"]["validation_loss"]
        for one in record["neighbours"]
    }
    assert found == {
        ("learning_rate", 1e-3): pytest.approx(0.2),
        ("learning_rate", 1e-2): pytest.approx(0.7),
        ("width", 8): pytest.approx(1.0),
    }
    assert all(one["exact"] == "done" for one in record["neighbours"])


def test_best_of_several_objectives_is_the_front(tmp_path, said):
    names = ("validation_loss", "area")
    made = make(tmp_path, objectives=names)
    # Every step of learning rate trades one for the other; width 8 only costs.
    fill(
        made,
        lambda p: [p["learning_rate"] + (p["width"] == 8), p["learning_rate"] * 50],
    )
    record = json.loads(said("best", "--json")[1])
    assert [one["params"] for one in record["best"]] == [
        {"learning_rate": rate, "width": 16} for rate in (1e-3, 3e-3, 1e-2)
    ]
    assert record["neighbours"] == []
    assert says(said("best")[1], "3 of 6 runs")
    one = json.loads(said("best", "--json", "--objective", "area")[1])
    assert one["best"][0]["params"]["learning_rate"] == 1e-2
    assert len(one["neighbours"]) == 3


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_a_preset_s_command_is_its_name(name):
    words = train_words(PRESETS[name].config)
    assert words[:2] == ["miiii", "train"]
    assert parse_train(words[2:]).config == PRESETS[name].config
    assert len(words) == 4


def test_a_command_gives_back_fields_of_every_kind():
    config = replace_fields(
        SMALLEST,
        seed=7,
        moduli=(2, 5),
        orthogonal_gradient=not SMALLEST.optim.orthogonal_gradient,
        optimiser="muon",
        learning_rate=1 / 3e3,
        data_seed=11,
    )
    assert parse_train(train_words(config)[2:]).config == config


# table


def test_the_table_holds_every_run(tmp_path, said):
    fill(make(tmp_path), most=5)
    rows = list(csv.DictReader(io.StringIO(said("table", "--csv")[1])))
    assert len(rows) == 6
    assert [row["state"] for row in rows] == ["done"] * 5 + ["waiting"]
    for row in rows[:5]:
        params = {name: float(row[name]) for name in ("learning_rate", "width")}
        assert float(row["validation_loss"]) == value(params)
    values = [float(row["validation_loss"]) for row in rows[:5]]
    assert values == sorted(values)
    assert rows[5]["validation_loss"] == rows[5]["seconds"] == ""
    listed = json.loads(said("table", "--json", "--sort", "learning_rate", "--descending")[1])
    rates = [run["learning_rate"] for run in listed["runs"]]
    assert rates == sorted(rates, reverse=True)
    lines = said("table", "--markdown")[1].splitlines()
    assert len(lines) == 8
    assert {line.count("|") for line in lines} == {lines[0].count("|")}
    text = said("table")[1].splitlines()
    best = [rows[0][name] for name in ("run", "state", "learning_rate", "width")]
    assert text[1].split()[:4] == best


def test_tables_1_and_2_are_filled(tmp_path, said):
    base = replace_fields(SMALLEST, mlp_ratio=1)
    sweep = make(tmp_path, trials=24, space=TABLE_1, base=base)
    fill(sweep, lambda p: [p["dropout"] + p["weight_decay"] + p["width"] / 1000])
    rows = list(csv.DictReader(io.StringIO(said("table", "--paper", "--csv")[1])))
    first = [row for row in rows if row["table"] == "1"]
    assert [(row["setting"], float(row["value"])) for row in first] == [
        (name, each) for name, values in TABLE_1.values.items() for each in values
    ]
    trials = sweep.storage.get_all_trials(sweep.study_id)
    for row in first:
        own = [t.values[0] for t in trials if t.params[row["setting"]] == float(row["value"])]
        assert int(row["runs"]) == len(own)
        assert float(row["best_validation_loss"]) == min(own)
    paper = {row["setting"]: row for row in rows if row["row"] == "paper (Table 2)"}
    assert float(paper["weight_decay"]["value"]) == 1 / 3
    outside = [name for name, row in paper.items() if row["in_search_space"] == "false"]
    assert outside == ["weight_decay"]
    note = "the paper's Table 2 has wd 1/3, which its Table 1 lacks"
    assert note in said("table", "--paper", "--markdown")[1]
    text = said("table", "--paper")[1]
    assert note in text
    assert "filled with 24 of its 384 points" in text
    assert "1/3*" in text


# plot


def test_plots_are_written_with_captions(tmp_path, said):
    sweep = fill(
        make(tmp_path, trials=24, space=CONTINUOUS, sampler="random"),
        lambda p: [p["learning_rate"]],
    )
    code, text, progress = said("plot", "--format", "svg")
    assert code == 0
    figures = sweep.path / "figures"
    names = ["progress", "parallel", "slices", "importance"]
    assert sorted(path.name for path in figures.glob("*.svg")) == sorted(
        f"{name}.svg" for name in names
    )
    for path in figures.glob("*.svg"):
        assert "miiii sweep plot" in "".join(ElementTree.fromstring(path.read_text()).itertext())
    captions = (figures / "captions.md").read_text()
    assert all(f"(`{name}`)" in captions for name in names)
    assert "24 of 24 runs, 6 epochs each" in captions
    assert "4 files in" in text
    assert progress.count("s  ") == 4


@pytest.mark.parametrize(("sampler", "judged"), [("random", True), ("tpe", False)])
def test_importance_is_judged_by_chance_only_where_runs_are_spread(tmp_path, said, sampler, judged):
    sweep = make(tmp_path, trials=24, space=CONTINUOUS, sampler=sampler)
    fill(sweep, lambda p: [p["learning_rate"]])
    text = said("best")[1]
    assert ("more than chance" in text) == judged
    assert ("share of variance" in text) == ("followed the results" in text) == (not judged)
    (found,) = json.loads(said("best", "--json")[1])["importance"]
    assert found["runs_followed_results"] == (not judged)
    for each in found["settings"].values():
        assert isinstance(each["beyond_chance"], bool) if judged else each["beyond_chance"] is None
    for words in ([], ["--markdown"], ["--paper"], ["--paper", "--markdown"]):
        table = said("table", *words)[1]
        assert says(table, "variance validation_loss: learning_rate") != judged
    said("plot", "--format", "svg", "--only", "importance")
    captions = (sweep.path / "figures" / "captions.md").read_text()
    assert says(captions, "sampler followed results") == (not judged)


def test_what_cannot_be_drawn_is_named(tmp_path, said):
    fill(make(tmp_path), most=1)
    code, text, _ = said("plot", "--format", "svg", "--only", "progress,importance,pareto")
    assert code == 1
    assert says(text, "not drawn: importance 20 runs")
    assert says(text, "not drawn: pareto two objectives")
    assert "1 file in" in text


# What is not there


def test_a_sweep_without_results_is_shown_as_it_is(tmp_path, said):
    sweep = make(tmp_path)
    assert says(said("status")[1], "no run done")
    assert len(said("table")[1].splitlines()) == 7
    assert says(said("table", "--paper")[1], "no run done")
    for action in ("best", "plot"):
        code, _, error = said(action)
        assert code == 2
        assert says(error, "probe no run done 6 waiting")
        assert len(error.strip().splitlines()) == 1
    queue = sweep.queue(60)
    for held in queue.claim(6):
        queue.end(held.id, TrialState.FAIL, reason="the loss is not finite")
    assert "failed 6" in said("status")[1]
    assert "(6 failed)" in said("best")[2]
    assert said("table")[1].count("the loss is not finite") == 6


def test_one_run_has_no_neighbours(tmp_path, said):
    fill(make(tmp_path), most=1)
    code, text, _ = said("best")
    assert code == 0
    assert says(text, "no neighbours")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["status", "prope"], "'prope'"),
        (["status", "probe", "--interval", "0"], "--interval 0 0.2"),
        (["best", "probe", "--objective", "loss"], "objective probe 'loss'"),
        (["table", "probe", "--csv", "--json"], "--json --csv"),
        (["table", "probe", "--sort", "widht"], "column 'widht' 'width'"),
        (["table", "probe", "--paper", "--sort", "width"], "--paper"),
        (["plot", "probe", "--only", "paralel"], "'parallel'"),
        (["plot", "probe", "--format", "bmp"], "--format 'bmp' svg"),
    ],
)
def test_refusals_are_one_line(tmp_path, capsys, words, message):
    fill(make(tmp_path), most=1)
    code = run(["sweep", *words, "--sweeps-dir", str(tmp_path)])
    error = capsys.readouterr().err
    assert code in (1, 2)
    assert says(error, message)
    assert len(error.strip().splitlines()) == 1


def test_looking_imports_no_jax(tmp_path):
    fill(make(tmp_path, space=RATES))
    program = (
        "import sys\nfrom miiii.cli.main import run\n"
        "for words in (['status'], ['best'], ['table', '--paper'], ['plot', '--format', 'svg']):\n"
        f"    assert run(['sweep', words[0], 'probe', '--sweeps-dir', {str(tmp_path)!r}, "
        "*words[1:]]) == 0\n"
        "assert not {'jax', 'sklearn', 'plotly'} & set(sys.modules)\n"
        "print('matplotlib' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=os.environ
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("True\n")
