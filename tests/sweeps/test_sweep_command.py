"""`miiii sweep` as it is typed: what it makes, and what it refuses before anything is computed."""

import subprocess
import sys
from pathlib import Path

import pytest
from optuna.trial import TrialState
from small_sweeps import define, fill, make

from command import SMALLEST
from miiii.cli.main import run
from miiii.studies.plan import plan
from miiii.studies.study import join_study
from miiii.sweeps.queue.attempts import run_of
from miiii.sweeps.queue.sweep import make_sweep, open_sweep
from wording import says

QUICK = [*SMALLEST, "--epochs", "5"]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(capsys, *words):
    code = run(["sweep", *words])
    output, errors = capsys.readouterr()
    assert code == 2, errors
    assert output == ""
    assert errors.startswith("error: ")
    assert errors.count("\n") == 1
    return errors


def test_table_1_is_made_whole(capsys):
    words = ["--space", "table1", "--sampler", "grid", "--preset", "tiny", "--epochs", "3"]
    assert run(["sweep", "new", "t", *words]) == 0
    output = capsys.readouterr().out
    assert "384 trials" in output
    assert "1/3" in output
    assert "miiii sweep worker t" in output
    assert open_sweep("t", Path("sweeps")).made == 384


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("width = [8]\nlearning_rat = [1e-3]\n", ["line 2", "learning_rate"]),
        ("\nheads = [3]\n", ["line 2", "heads is 3"]),
        ("dropout = [0.5, 1.5]\n", ["line 1", "dropout is 1.5"]),
        ("width = [8.5]\n", ["line 1", "whole number"]),
        ("learning_rate = { low = 1, high = 0.1 }\n", ["line 1", "low must be below high"]),
        ("learning_rate = { low = 0, high = 0.1, log = true }\n", ["line 1", "above 0"]),
        ("learning_rate = { low = 0.1 }\n", ["line 1", "high"]),
        ("width = [8, 8]\n", ["line 1", "each once"]),
        ("optimiser = ['adamw', 'moun']\n", ["line 1", "muon"]),
        ("width = [\n", ["not valid TOML"]),
        ("", ["empty"]),
    ],
)
def test_a_space_file_is_refused_with_its_line(folder, capsys, text, expected):
    (folder / "space.toml").write_text(text)
    message = refused(capsys, "new", "s", "--space", "space.toml", *QUICK)
    for words in expected:
        assert words in message
    assert not (folder / "sweeps").exists()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["new", "s"], "--space"),
        (["new", "s", "--space", "tabel1"], "table1"),
        (["new", "s", "--space", "none.toml"], "none.toml"),
        (["new", "s", "--space", "table1", "--study", "x"], "either"),
        (["new", "s", "--study", "x"], "no study"),
        (["new", "s", "--space", "table1", "--objective", "loss"], "validation_loss"),
        (["new", "s", "--space", "table1", "--trials", "0"], "trials"),
        (["new", "s", "--space", "table1", "--sampler", "grid", "--trials", "385"], "384"),
        (["new", "s", "--space", "table1", "--sampler", "gird"], "grid"),
        (["new", "../s", "--space", "table1"], "not allowed"),
        (["new", "s", "--space", "table1", "--prune", "median"], "stuck"),
        (["worker", "s"], "miiii sweep new s"),
        (["worker", "s", "--batch", "0"], "--batch"),
        (["worker", "s", "--patience", "0"], "--patience"),
        (["wroker", "s"], "worker"),
        (["worker"], "name"),
    ],
)
def test_bad_words_are_refused(capsys, words, expected):
    assert expected in refused(capsys, *words)


def test_a_sweep_that_exists_with_another_space_shows_the_difference(folder, capsys):
    (folder / "a.toml").write_text("width = [8, 16]\n")
    (folder / "b.toml").write_text("width = [8, 24]\n")
    words = ["--sampler", "grid", *QUICK]
    assert run(["sweep", "new", "s", "--space", "a.toml", *words]) == 0
    assert run(["sweep", "new", "s", "--space", "a.toml", *words]) == 0, "the same again is fine"
    capsys.readouterr()
    message = refused(capsys, "new", "s", "--space", "b.toml", *words)
    assert "space.width: 8, 16, not 8, 24" in message


def test_a_storage_that_cannot_be_reached_leaves_nothing_behind(folder, capsys):
    place = "postgresql://me:secret@127.0.0.1:1/x"
    words = ["new", "s", "--space", "table1", "--preset", "tiny", "--storage", place]
    message = refused(capsys, *words)
    assert "127.0.0.1:1" in message
    assert "pg_ctl" in message
    assert "secret" not in message
    assert not (folder / "sweeps").exists()


def test_a_storage_that_is_gone_is_named_with_both_remedies(folder, capsys):
    (folder / "space.toml").write_text("width = [8, 16]\n")
    words = ["--space", "space.toml", "--storage", "a.log", *QUICK]
    assert run(["sweep", "new", "s", *map(str, words)]) == 0
    (folder / "a.log").rename(folder / "moved.log")
    capsys.readouterr()
    message = refused(capsys, "status", "s")
    assert says(message, "a.log not exist --storage")
    assert run(["sweep", "status", "s", "--storage", "moved.log"]) == 0


def test_waiting_for_a_lock_is_said_while_a_sweep_is_made(folder, capsys, monkeypatch):
    from filelock import FileLock

    from miiii.sweeps.queue import storage

    monkeypatch.setattr(storage, "QUICK_SECONDS", 0.2)
    monkeypatch.setattr(storage, "WAIT_SECONDS", 0.1)
    (folder / "space.toml").write_text("width = [8, 16]\n")
    place = folder / "other.log"
    with FileLock(f"{place}.flock"):
        words = ["--space", "space.toml", "--storage", str(place), *QUICK]
        assert run(["sweep", "new", "s", *map(str, words)]) != 0
    said = capsys.readouterr().err.splitlines()
    assert f"another worker holds {place}.flock; waiting up to" in said[0]
    assert "gave up after" in said[-1]


@pytest.mark.parametrize(("failures", "said"), [(0, "left"), (1, "1 run that"), (2, "2 runs that")])
def test_a_worker_with_nothing_to_do_says_what_failed(folder, capsys, failures, said):
    sweep = make(folder / "sweeps")
    queue = sweep.queue(60)
    for _ in range(failures):
        queue.end(queue.claim(1)[0].id, TrialState.FAIL)
    fill(sweep, lambda params: [0.5])
    assert run(["sweep", "worker", "probe"]) == 0
    assert said in capsys.readouterr().out


def test_a_worker_of_another_version_is_refused(folder, capsys, monkeypatch):
    make_sweep(define(version="0.0.1"), folder / "sweeps")
    message = refused(capsys, "worker", "probe")
    assert "0.0.1" in message
    assert "--any-version" in message


def test_help_and_refusals_come_before_jax_and_optuna():
    code = (
        "import sys; from miiii.cli.main import run\n"
        "for words in (['--help'], ['new', 's', '--space', 'tabel1'], ['wroker']):\n"
        "    run(['sweep', *words])\n"
        "print([name for name in ('jax', 'optuna', 'sqlalchemy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


@pytest.mark.thorough
@pytest.mark.slow
def test_the_search_of_table_1_runs_to_its_end_and_its_best_is_among_its_neighbours(capsys):
    """With a reduced budget: a few epochs at p = 7, and a part of the grid."""
    words = ["--space", "table1", "--sampler", "grid", "--trials", "24", "--keep", "weights"]
    assert run(["sweep", "new", "t", *words, *SMALLEST, "--epochs", "4", "--mlp-ratio", "1"]) == 0
    done = subprocess.run(
        [sys.executable, "-m", "miiii", "sweep", "worker", "t", "--batch", "24"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "24 complete" in done.stdout
    sweep = open_sweep("t", Path("sweeps"))
    trials = sweep.storage.get_all_trials(sweep.study_id)
    assert len({tuple(trial.params.items()) for trial in trials}) == 24
    best = min(trials, key=lambda trial: trial.values[0])
    near = [
        trial
        for trial in trials
        if sum(trial.params[name] != value for name, value in best.params.items()) == 1
    ]
    capsys.readouterr()
    assert run(["sweep", "best", "t"]) == 0
    output = capsys.readouterr().out
    assert run_of(best) in output
    for trial in near:
        assert run_of(trial) in output


def test_a_study_takes_no_settings_and_reading_makes_no_storage(folder, capsys):
    message = refused(capsys, "new", "s", "--study", "none", "--learning-rate", "0.1")
    assert "none" in message  # the study is looked for first
    made = join_study(plan("small", "tiny", seeds=1, only=["C7"]), "few", folder / "studies")
    made.save()
    message = refused(capsys, "new", "s", "--study", "studies/few", "--learning-rate", "0.1")
    assert says(message, "--learning-rate --space")
    for place in ("sqlite:///other.db", "other.log"):
        message = refused(capsys, "status", "s", "--storage", place)
        assert says(message, f"{place} not exist")
        assert not list(folder.glob("other.*"))


def test_a_grid_that_exists_with_another_space_shows_the_difference_first(folder, capsys):
    (folder / "a.toml").write_text("width = [8, 16]\n")
    (folder / "b.toml").write_text("width = { low = 8, high = 10 }\n")
    assert run(["sweep", "new", "s", "--space", "a.toml", "--sampler", "grid", *QUICK]) == 0
    assert says(capsys.readouterr().out, "--width searched")
    message = refused(capsys, "new", "s", "--space", "b.toml", "--sampler", "random", *QUICK)
    assert says(message, "exists another definition")
