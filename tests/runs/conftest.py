"""A disk that dies: what the tests of this room have in common."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

import pytest


class Crash(BaseException):
    """Stands for kill -9: no ``except OSError`` sees it."""


class MortalDisk:
    """Counts the calls that change the disk, and dies at one of them.

    From the fatal call on every call fails, so that the clean-up code of a program that would be
    dead by then cannot help. A fatal write leaves half of its bytes.
    """

    NAMES = ("open", "write", "fsync", "replace", "rename", "unlink", "remove", "mkdir", "rmdir")

    def __init__(self) -> None:
        self.calls = 0
        self.fatal_call = 0
        self.real = {name: getattr(os, name) for name in self.NAMES}

    @contextmanager
    def dying_at(self, fatal_call: int):
        self.calls, self.fatal_call = 0, fatal_call
        with pytest.MonkeyPatch.context() as patch:
            for name in self.NAMES:
                patch.setattr(os, name, self._wrap(name))
            yield

    def _wrap(self, name: str) -> Callable:
        real = self.real[name]

        def call(*arguments, **options):
            if name == "open" and not arguments[1] & os.O_CREAT:
                return real(*arguments, **options)
            self.calls += 1
            if self.calls >= self.fatal_call:
                if name == "write" and self.calls == self.fatal_call:
                    descriptor, data = arguments
                    real(descriptor, bytes(data)[: len(data) // 2])
                raise Crash(f"{name}, call {self.calls}")
            return real(*arguments, **options)

        return call


@pytest.fixture
def every_crash(tmp_path) -> Callable:
    """Runs an action once for each point at which it can be cut off.

    Called with ``prepare(directory)``, ``action(directory)`` and ``check(directory)``: each time a
    new directory is prepared, the action dies one call later than before, and the check looks at
    what is left. Ends with the first action that survives; returns how many did not.
    """

    def run(prepare: Callable, action: Callable, check: Callable) -> int:
        disk = MortalDisk()
        for fatal_call in range(1, 1000):
            directory = tmp_path / f"crash-{fatal_call}"
            directory.mkdir()
            prepare(directory)
            try:
                with disk.dying_at(fatal_call):
                    action(directory)
            except Crash:
                check(directory)
            else:
                check(directory)
                return fatal_call - 1
        raise AssertionError("the action never ends")

    return run


@pytest.fixture
def start_python(tmp_path) -> Callable[..., subprocess.Popen]:
    """Starts Python on a script, as another process that can import what this one can."""
    started: list[subprocess.Popen] = []

    def start(script: str, *arguments: str | Path) -> subprocess.Popen:
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        }
        process = subprocess.Popen(
            [sys.executable, "-c", script, *map(str, arguments)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()
