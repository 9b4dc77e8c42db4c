"""A start that fails leaves no run behind; a library's ValueError is not bad usage."""

import errno
import fcntl

import jax.numpy as jnp
import pytest

import miiii
from miiii.cli.main import run as command
from miiii.experiment import training
from miiii.experiment.progress import Silent
from miiii.refusals import is_refusal
from miiii.runs.errors import StorageError
from wording import naming

CONFIG = miiii.replace_fields(
    miiii.get_preset("tiny"), base=7, width=8, heads=2, epochs=6, minibatches=2, snapshots=2
)


class BreakdownError(Exception):
    pass


def fail(*words, **options):
    raise BreakdownError


@pytest.mark.parametrize("place", ["compile_program", "snapshot_epochs"])
def test_a_start_that_fails_leaves_nothing_and_can_be_tried_again(tmp_path, monkeypatch, place):
    configs = [miiii.replace_fields(CONFIG, seed=seed) for seed in range(2)]
    with monkeypatch.context() as patch:
        patch.setattr(training, place, fail)
        with pytest.raises(BreakdownError):
            miiii.start(configs, ["a", "b"], tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert miiii.start([CONFIG], ["a"], tmp_path).state == "finished"


def test_a_run_that_cannot_be_locked_leaves_nothing(tmp_path, monkeypatch):
    def refuse(*words):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(StorageError):
        miiii.start([CONFIG], ["a"], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_was_saved_before_a_failure_stays(tmp_path, monkeypatch):
    config = miiii.replace_fields(CONFIG, checkpoint_seconds=1e-6)
    calls = []

    class Failing(Silent):
        def advanced(self, report):
            calls.append(report.done)
            if report.done >= 2:
                raise BreakdownError

    with pytest.raises(BreakdownError):
        miiii.start([config], ["a"], tmp_path, progress=Failing())
    assert miiii.load_run(tmp_path / "a").status["state"] == "interrupted"
    assert miiii.resume(tmp_path / "a").state == "finished"


def test_a_failed_start_keeps_the_run_that_was_there(tmp_path):
    miiii.start([CONFIG], ["a"], tmp_path)
    with pytest.raises(miiii.RunError):
        miiii.start([CONFIG], ["a"], tmp_path)
    assert miiii.load_run(tmp_path / "a").status["state"] == "finished"


def test_errors_of_libraries_are_told_from_ours():
    with pytest.raises(ValueError) as ours:
        miiii.replace_fields(CONFIG, width=-1)
    assert is_refusal(ours.value)
    with pytest.raises(ValueError) as theirs:
        jnp.concatenate([])
    assert not is_refusal(theirs.value)
    # JAX may leave its frames out of the traceback, and then adds a note.
    ours.value.add_note("For simplicity, JAX has removed its internal frames from the traceback")
    assert not is_refusal(ours.value)


def test_the_command_line_fails_with_a_library_and_refuses_by_itself(monkeypatch, tmp_path, capsys):
    words = ["train", "--preset", "tiny", "--runs-dir", str(tmp_path), "--name", "a"]
    assert command([*words, "--width", "-3"]) == 2
    assert "width" in capsys.readouterr().err

    def refused_by_jax(*given):
        jnp.concatenate([])

    monkeypatch.setattr(training, "compile_program", refused_by_jax)
    with pytest.raises(ValueError, match=naming("array")):
        command(words)
    assert list(tmp_path.iterdir()) == []
