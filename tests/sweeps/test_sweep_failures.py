"""Workers that are killed and servers that restart, for real: no run is lost or counted twice."""

import signal
import time
from contextlib import chdir

import pytest
from optuna.trial import TrialState
from small_sweeps import worker

from command import SMALLEST, assert_equal_runs, call, start, wait_for_training
from miiii.cli.main import run
from miiii.sweeps.queue.attempts import REASON, RELEASED, VANISHED, run_of
from miiii.sweeps.queue.sweep import open_sweep

SPACE = "learning_rate = [1e-3, 1e-2]\n"
EPOCHS = 2_500
"""Long enough to be killed in the middle of."""


def make(folder, name, storage):
    (folder / "space.toml").write_text(SPACE)
    words = ["sweep", "new", name, "--space", "space.toml", "--sampler", "grid", *SMALLEST]
    words += ["--epochs", EPOCHS, *(["--storage", storage] if storage else [])]
    with chdir(folder):
        assert run([*map(str, words)]) == 0


def completed(folder, name, storage, *failed):
    sweep = open_sweep(name, folder / "sweeps", storage)
    trials = sweep.storage.get_all_trials(sweep.study_id)
    assert all(trial.state in (TrialState.COMPLETE, TrialState.FAIL) for trial in trials)
    done = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    values = {run_of(trial): trial.values for trial in done}
    reasons = {trial.user_attrs.get(REASON) for trial in trials if trial.state == TrialState.FAIL}
    assert reasons == set(failed)
    assert len(done) == len(values), "no run may count twice"
    return values


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, cache):
    """The same sweep by a worker that nothing happens to."""
    folder = tmp_path_factory.mktemp("undisturbed")
    make(folder, "calm", "")
    done = call(["sweep", "worker", "calm"], folder, cache)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind", ["journal", pytest.param("postgresql", marks=pytest.mark.thorough)]
)
def test_a_worker_that_is_killed_is_taken_over_from(tmp_path, cache, undisturbed, kind, request):
    storage = "" if kind == "journal" else request.getfixturevalue("postgres_url")
    make(tmp_path, "rough", storage)
    words = ["sweep", "worker", "rough", "--patience", "2"]
    first = start(words, tmp_path, cache)
    wait_for_training(first)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    second = start(words, tmp_path, cache)
    wait_for_training(second)
    if storage:
        server = request.getfixturevalue("postgres_server")
        with server.away():
            time.sleep(1)
    output, errors = second.communicate(timeout=300)
    assert second.returncode == 0, errors
    assert "2 complete" in output
    expected = completed(undisturbed, "calm", "")
    assert completed(tmp_path, "rough", storage, VANISHED) == expected
    for name in expected:
        assert_equal_runs(
            tmp_path / "sweeps" / "rough" / "runs" / name,
            undisturbed / "sweeps" / "calm" / "runs" / name,
        )


@pytest.mark.slow
def test_a_worker_that_is_told_to_stop_saves_and_gives_back(tmp_path, cache, undisturbed):
    make(tmp_path, "rough", "")
    process = start(["sweep", "worker", "rough", "--batch", "2"], tmp_path, cache)
    wait_for_training(process)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 75, errors
    assert "miiii sweep worker rough" in errors
    assert worker(open_sweep("rough", tmp_path / "sweeps")).work().complete == 2
    # Two in one program add up in another order than one, so that only the epochs are the same.
    values = completed(tmp_path, "rough", "", RELEASED)
    assert values.keys() == completed(undisturbed, "calm", "").keys()
