"""The stream decides what is printed, whatever colour variables say; homes and locales."""

import io
import os
import pathlib
import pty
import subprocess
import sys

import pytest
from rich.table import Table

from miiii.cli import console, machine
from miiii.cli.main import run
from miiii.experiment.compiled_programs import cache_directory

NAME = "a" * 130


def wide():
    table = Table(box=None, pad_edge=False)
    for head in ("run", "state", "epoch"):
        table.add_column(head, no_wrap=True)
    table.add_row(NAME, "finished", "60/60")
    table.add_row("b", "killed", "1/60")
    table.add_row("c", "of three words", "2/60")
    return table


@pytest.mark.parametrize("variable", ["FORCE_COLOR", "TTY_COMPATIBLE", "NO_COLOR"])
def test_a_pipe_has_every_column_and_no_escape(monkeypatch, capsys, variable):
    monkeypatch.setenv(variable, "1")
    monkeypatch.setenv("COLUMNS", "40")
    console.print_out(wide())
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines] == [
        ["run", "state", "epoch"],
        [NAME, "finished", "60/60"],
        ["b", "killed", "1/60"],
        ["c", "of", "three", "words", "2/60"],
    ]
    assert console.live_console() is None


def test_a_narrow_terminal_loses_no_column(monkeypatch):
    leader, follower = pty.openpty()
    with os.fdopen(follower, "w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        monkeypatch.setenv("COLUMNS", "40")
        console.print_out(wide())
        stream.flush()
        shown = os.read(leader, 10_000).decode()
    os.close(leader)
    assert NAME in shown
    assert all(word in shown for word in ("state", "finished", "60/60", "of three words"))


def test_what_moves_is_for_terminals_that_can(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("TERM", "xterm")
    assert console.live_console() is not None
    monkeypatch.setenv("TERM", "dumb")
    assert console.live_console() is None


def test_a_user_without_a_home_has_no_cache(monkeypatch):
    monkeypatch.setenv("MIIII_CACHE", "")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)

    def none():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(pathlib.Path, "home", none)
    assert cache_directory() is None
    machine.prepare_jax()
    assert run(["clean", "--dry-run", "--runs-dir", "nowhere"]) == 0
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert cache_directory() == pathlib.Path("/x/miiii")
    monkeypatch.setenv("HOME", "/at/home")
    monkeypatch.setenv("MIIII_CACHE", "~/kept")  # as an env file or a container passes it
    assert cache_directory() == pathlib.Path("/at/home/kept")
    monkeypatch.setattr(pathlib.Path, "home", lambda: pathlib.Path("/at/home"))
    monkeypatch.setenv("MIIII_CACHE", " ")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache_directory() == pathlib.Path("/at/home/.cache/miiii")


def test_a_locale_without_utf_8_is_no_traceback(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "miiii", "clean", "--help"],
        env={**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "LC_ALL": "C"},
        capture_output=True,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr
