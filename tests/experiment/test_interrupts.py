"""Signals save from Python as on the command line; what is ignored stays ignored."""

import io
import os
import signal
import sys
from types import SimpleNamespace

import jax
import pytest

import miiii
from command import assert_equal_runs
from miiii.experiment import compiled_programs, interrupts, program
from miiii.experiment.compiled_programs import cache_directory, keep_programs
from miiii.experiment.interrupts import StopRequest
from miiii.experiment.pace import CheckpointClock
from miiii.experiment.progress import NotebookLine, Silent, default_progress
from miiii.runs.directory import RunDirectory
from wording import says

CONFIG = miiii.replace_fields(
    miiii.get_preset("tiny"), base=7, width=8, heads=2, epochs=40, minibatches=2, snapshots=2
)
SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGXCPU]


class Signalling(Silent):
    """Sends this process a signal once some epochs are made, in the midst of training."""

    def __init__(self, number, after=2):
        self.number, self.after = number, after

    def advanced(self, report):
        if report.done >= self.after:
            self.after = 10**9
            os.kill(os.getpid(), self.number)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    miiii.start([CONFIG], ["whole"], folder)
    return folder / "whole"


@pytest.fixture
def raised(monkeypatch):
    """The signals that take effect after training, in place of ending this process."""
    found = []
    monkeypatch.setattr(interrupts.signal, "raise_signal", found.append)
    return found


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_saves_and_takes_effect_afterwards(tmp_path, whole, raised, number):
    before = signal.getsignal(number)
    outcome = miiii.start([CONFIG], ["a"], tmp_path, progress=Signalling(number))
    assert raised == [number]
    assert outcome.state == "interrupted"
    assert signal.getsignal(number) == before
    directory = RunDirectory(tmp_path / "a")
    assert directory.status["state"] == "interrupted"
    assert 2 <= directory.status["epoch"] == directory.checkpoint_epochs()[-1] < 40
    # Going on is interrupted as well, and nothing of it is lost either.
    outcome = miiii.resume("a", tmp_path, progress=Signalling(number, outcome.done + 1))
    assert raised == [number, number]
    assert directory.status["state"] == "interrupted"
    assert miiii.resume("a", tmp_path).state == "finished"
    assert_equal_runs(whole, directory.path)


def test_ctrl_c_raises_once_everything_is_saved(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        miiii.start([CONFIG], ["a"], tmp_path, progress=Signalling(signal.SIGINT))
    status = miiii.load_run("a", tmp_path).status
    assert status["state"] == "interrupted"
    assert status["epoch"] >= 2


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_that_is_ignored_stays_ignored(tmp_path, number):
    before = signal.signal(number, signal.SIG_IGN)
    try:
        outcome = miiii.start([CONFIG], ["a"], tmp_path, progress=Signalling(number))
        assert outcome.state == "finished"
        request = StopRequest()
        with request.listening():
            assert signal.getsignal(number) == signal.SIG_IGN
            os.kill(os.getpid(), number)
        assert not request()
    finally:
        signal.signal(number, before)


@pytest.mark.parametrize(("number", "code"), list(zip(SIGNALS, [130, 75, 75, 75, 75], strict=True)))
def test_the_command_line_hears_them_all(number, code):
    request = StopRequest()
    told = []
    request.notify = lambda: told.append(number)
    before = signal.getsignal(number)
    with request.listening():
        os.kill(os.getpid(), number)
        assert request()
        # A second one ends the process at once; a terminal that closes sends two hang-ups, and the
        # end of the processor time is told every second.
        repeated = (signal.SIGHUP, signal.SIGXCPU)
        after = signal.SIG_IGN if number in repeated else signal.SIG_DFL
        assert signal.getsignal(number) == after
    assert told == [number]
    assert request.exit_code == code
    assert signal.getsignal(number) == before


def test_a_terminal_that_is_gone_does_not_stop_the_saving(tmp_path, raised, monkeypatch):
    class Gone(Signalling):
        def advanced(self, report):
            super().advanced(report)
            if self.after == 10**9:
                raise OSError(5, "Input/output error")

    with pytest.raises(OSError, match="Input/output"):
        miiii.start([CONFIG], ["a"], tmp_path, progress=Gone(signal.SIGHUP))
    assert RunDirectory(tmp_path / "a").status["state"] == "interrupted"
    assert RunDirectory(tmp_path / "a").status["epoch"] >= 2
    request = StopRequest()
    monkeypatch.setattr(sys, "stdout", io.StringIO())  # no terminal, so it stays
    monkeypatch.setattr(sys, "stderr", SimpleNamespace(isatty=lambda: True))
    request.notify = lambda: os.write(-1, b"")  # fails, as on a terminal that is gone
    with request.listening():
        os.kill(os.getpid(), signal.SIGHUP)
    print("goes nowhere", file=sys.stderr)
    assert request()


def test_the_first_checkpoint_comes_soon():
    clock, saved = CheckpointClock(0.0, 30.0), []
    for now in range(200):
        if clock.is_due(now):
            clock.saved(now)
            saved.append(now)
    assert saved == [1, 3, 7, 15, 31, 61, 91, 121, 151, 181]
    clock = CheckpointClock(0.0, 0.25)
    assert clock.is_due(0.25)
    clock.saved(0.25)
    assert not clock.is_due(0.4)
    assert clock.is_due(0.5)


def test_a_notebook_shows_one_line_that_changes(tmp_path, monkeypatch):
    lines, handles = [], []

    def display(bundle, raw, display_id=None):
        lines.append(bundle["text/plain"])
        handles.append(display_id)
        return SimpleNamespace(update=lambda bundle, raw: lines.append(bundle["text/plain"]))

    miiii.start([CONFIG], ["a"], tmp_path, progress=NotebookLine(display))
    assert handles == [True]  # one output, which changes
    assert lines[0] == "a: to 40; compiling …"
    assert lines[-1].startswith("a: epoch 40 of 40, ")
    assert "validation" in lines[-1]
    lines.clear()
    progress = NotebookLine(display)
    done = miiii.start([CONFIG], ["b"], tmp_path, progress=progress, stop=lambda: len(lines) > 1)
    path = str(tmp_path / "b")
    assert says(lines[-1], f"b: interrupted epoch {done.done} miiii.resume({path!r})")
    assert isinstance(default_progress(), Silent)
    shell = SimpleNamespace(get_ipython=lambda: SimpleNamespace(kernel=object()))
    monkeypatch.setitem(sys.modules, "IPython", shell)
    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(display=display))
    assert isinstance(default_progress(), NotebookLine)


def test_runs_of_any_number_of_epochs_share_one_program(tmp_path, whole):
    compiled = program.compiled_chunk.cache_info().misses
    miiii.start([miiii.replace_fields(CONFIG, epochs=3, snapshots=5)], ["a"], tmp_path)
    miiii.start([miiii.replace_fields(CONFIG, epochs=2000, stop_when=0.001, stop_after=0)], ["b"],
                tmp_path)  # fmt: skip
    miiii.resume("a", tmp_path, epochs=7)
    assert program.compiled_chunk.cache_info().misses == compiled


def test_programs_are_kept_for_python_as_for_the_command_line(tmp_path, monkeypatch):
    monkeypatch.setenv("MIIII_CACHE", str(tmp_path / "kept"))
    chosen = jax.config.values["jax_compilation_cache_dir"]
    keep_programs()  # a directory that was chosen stays
    assert jax.config.values["jax_compilation_cache_dir"] == chosen
    called = []
    monkeypatch.setattr("miiii.experiment.training.keep_programs", lambda: called.append(1))
    miiii.start([CONFIG], ["a"], tmp_path / "runs")
    assert called == [1]
    limit = jax.config.values["jax_persistent_cache_min_compile_time_secs"]
    jax.config.update("jax_compilation_cache_dir", None)
    try:
        keep_programs()
        assert jax.config.values["jax_compilation_cache_dir"] == str(tmp_path / "kept")
        assert (tmp_path / "kept").is_dir()
    finally:
        jax.config.update("jax_compilation_cache_dir", chosen)
        jax.config.update("jax_persistent_cache_min_compile_time_secs", limit)


def test_without_a_home_nothing_is_kept(monkeypatch):
    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(compiled_programs.Path, "home", homeless)
    monkeypatch.setenv("MIIII_CACHE", "")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert cache_directory() is None
