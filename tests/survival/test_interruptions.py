"""Signals, locks, damaged files, a full disk, numbers that are not finite."""

import json
import shutil
import signal
from pathlib import Path

import pytest

from command import SMALLEST, assert_equal_runs, call, call_here, start, wait_for_training
from miiii.runs.directory import RunDirectory

EPOCHS = ["--epochs", "3000"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory, cache) -> Path:
    """A run that nothing interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    done = call(["train", *SMALLEST, *EPOCHS, "--name", "whole"], folder, cache)
    assert done.returncode == 0, done.stderr
    return folder / "runs" / "whole"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code"),
    [
        (signal.SIGINT, 130),
        (signal.SIGTERM, 75),
        pytest.param(signal.SIGHUP, 75, marks=pytest.mark.thorough),
    ],
)
def test_a_signal_saves_and_the_resumed_run_equals_a_whole_one(
    tmp_path, cache, whole, number, code
):
    process = start(["train", *SMALLEST, *EPOCHS, "--name", "a"], tmp_path, cache)
    wait_for_training(process)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == code, errors
    assert "miiii resume a" in errors
    directory = RunDirectory(tmp_path / "runs" / "a")
    assert directory.status["state"] == "interrupted"
    assert 0 < directory.status["epoch"] < 3000
    resumed = call(["resume", "a"], tmp_path, cache)
    assert resumed.returncode == 0, resumed.stderr
    assert_equal_runs(whole, directory.path)


@pytest.mark.slow
def test_a_second_signal_quits_at_once_and_the_last_checkpoint_stays(tmp_path, cache, whole):
    process = start(["train", *SMALLEST, *EPOCHS, "--name", "a"], tmp_path, cache)
    wait_for_training(process)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    # Whichever came first, the second signal or the end of saving.
    assert process.returncode in (-signal.SIGINT, 130)
    resumed = call(["resume", "a"], tmp_path, cache)
    assert resumed.returncode == 0, resumed.stderr
    assert_equal_runs(whole, tmp_path / "runs" / "a")


@pytest.mark.slow
def test_a_second_process_is_refused(tmp_path, cache):
    words = ["train", *SMALLEST, "--epochs", "1000000", "--name", "a"]
    first = start(words, tmp_path, cache)
    try:
        wait_for_training(first)
        for words in (["resume", "a"], ["train", *SMALLEST, "--name", "a", "--force"]):
            second = call_here(words, tmp_path)
            assert second.returncode == 2
            assert str(first.pid) in second.stderr
            assert len(second.stderr.strip().splitlines()) <= 2
        listed = json.loads(call_here(["list", "--json"], tmp_path).stdout)
        assert [run["state"] for run in listed] == ["running"]
    finally:
        first.kill()
        first.communicate()
    listed = json.loads(call_here(["list", "--json"], tmp_path).stdout)
    assert [run["state"] for run in listed] == ["killed"]


def spoil(path: Path, how: str) -> None:
    data = bytearray(path.read_bytes())
    if how == "truncated":
        data = data[: len(data) // 2]
    elif how == "flipped":
        data[-1000] ^= 1
    else:
        data = bytearray(b"not a checkpoint")
    path.write_bytes(data)


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory, cache) -> Path:
    """The same run, stopped once it had two checkpoints."""
    folder = tmp_path_factory.mktemp("interrupted")
    process = start(["train", *SMALLEST, *EPOCHS, "--name", "a"], folder, cache)
    wait_for_training(process)
    directory = RunDirectory(folder / "runs" / "a")
    while len(directory.checkpoint_epochs()) < 2:
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    return directory.path


@pytest.mark.slow
@pytest.mark.parametrize("how", ["truncated", "flipped", "foreign"])
def test_a_spoilt_checkpoint_is_named_and_the_previous_one_used(
    tmp_path, cache, whole, interrupted, how
):
    directory = RunDirectory(tmp_path / "runs" / "a")
    shutil.copytree(interrupted, directory.path)
    newest = directory.checkpoint_path(directory.checkpoint_epochs()[-1])
    spoil(newest, how)
    resumed = call(["resume", "a"], tmp_path, cache)
    assert resumed.returncode == 0, resumed.stderr
    warnings = [line for line in resumed.stderr.splitlines() if line.startswith("warning")]
    assert len(warnings) == 1
    assert newest.name in warnings[0]
    assert_equal_runs(whole, directory.path)


@pytest.mark.slow
def test_a_full_disk_is_said_and_the_last_good_state_stays(tmp_path, cache, whole):
    words = ["train", *SMALLEST, *EPOCHS, "--checkpoint-seconds", "2", "--name", "a"]
    # Room for a checkpoint of this model (18 KiB) but not for a history of 3,000 epochs.
    failed = call(words, tmp_path, cache, largest_file=30_000)
    assert failed.returncode == 1
    assert failed.stderr.count("error:") == 1
    assert "Traceback" not in failed.stderr
    resumed = call(["resume", "a"], tmp_path, cache)
    assert resumed.returncode == 0, resumed.stderr
    history = RunDirectory(tmp_path / "runs" / "a").history()
    expected = RunDirectory(whole).history()
    for key, value in expected.items():
        assert value.tobytes() == history[key].tobytes()


@pytest.mark.slow
def test_a_number_that_is_not_finite_stops_the_run(tmp_path):
    words = ["train", *SMALLEST, *EPOCHS, "--name", "a", "--learning-rate", "1e30"]
    failed = call_here(words, tmp_path)
    assert failed.returncode == 1
    error = [line for line in failed.stderr.splitlines() if line.startswith("error")]
    assert len(error) == 1
    assert "epoch" in error[0]
    assert "not finite" in error[0]
    status = RunDirectory(tmp_path / "runs" / "a").status
    assert status["state"] == "failed"


@pytest.mark.thorough
@pytest.mark.slow
def test_runs_trained_together_resume_together(tmp_path, cache):
    words = ["train", *SMALLEST, *EPOCHS, "--seeds", "3"]
    done = call([*words, "--name", "whole"], tmp_path, cache)
    assert done.returncode == 0, done.stderr
    process = start([*words, "--name", "cut"], tmp_path, cache)
    wait_for_training(process)
    process.kill()
    process.communicate()
    resumed = call(["resume", "cut-seed1"], tmp_path, cache)
    assert resumed.returncode == 0, resumed.stderr
    for seed in range(3):
        assert_equal_runs(
            tmp_path / "runs" / f"whole-seed{seed}", tmp_path / "runs" / f"cut-seed{seed}"
        )


@pytest.mark.slow
def test_a_finished_run_resumes_to_nothing_and_may_grow(tmp_path):
    short = call_here(["train", *SMALLEST, "--epochs", "50", "--name", "a"], tmp_path)
    assert short.returncode == 0, short.stderr
    path = tmp_path / "runs" / "a"
    before = {file: file.stat().st_mtime_ns for file in path.rglob("*.*z*")}
    again = call_here(["resume", "a"], tmp_path)
    assert again.returncode == 0
    assert before == {file: file.stat().st_mtime_ns for file in path.rglob("*.*z*")}
    assert call_here(["resume", "a", "--epochs", "40"], tmp_path).returncode == 2
    other = tmp_path / "other.toml"
    other.write_text("[optim]\nlearning_rate = 0.5\n")
    refused = call_here(["resume", "a", "--config", other], tmp_path)
    assert refused.returncode == 2
    assert "learning_rate is 0.003, not 0.5" in refused.stderr
    grown = call_here(["resume", "a", "--epochs", "90"], tmp_path)
    assert grown.returncode == 0, grown.stderr
    call_here(["train", *SMALLEST, "--epochs", "90", "--name", "b"], tmp_path)
    one, other = (RunDirectory(tmp_path / "runs" / name).history() for name in "ab")
    for key, value in one.items():
        assert value.tobytes() == other[key].tobytes()
