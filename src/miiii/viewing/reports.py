"""Make a study's report in another process, and make it again when its runs have saved."""

import hashlib
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from miiii.runs.listing import STATUS_NAME, list_runs
from miiii.studies.study import RUNS_NAME

REST = 2.0
"""Pause before the next report, in multiples of the time that the last one took. The pause leaves
the processors to training."""


@dataclass
class _Made:
    """The state of one study's report."""

    output: Path
    process: "subprocess.Popen[str] | None" = None
    begun: float = 0.0
    rest_until: float = 0.0
    wanted: str = ""
    """Fingerprint of the runs when the latest process started."""
    shown: str = ""
    """Fingerprint of the runs that the finished report shows; "" if there is no report."""
    last_line: str = ""
    problem: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)


def fingerprint(runs: Path, also: Iterable[Path] = ()) -> str:
    """A digest that changes when a run in `runs` saves or when a file of `also` changes."""
    digest = hashlib.sha256()
    files = [summary.path / STATUS_NAME for summary in list_runs(runs)]
    for file in (*files, *also):
        try:
            status = file.stat()
            digest.update(f"{file} {status.st_mtime_ns} {status.st_size}\n".encode())
        except OSError:
            digest.update(f"{file} missing\n".encode())
    return digest.hexdigest()[:16]


class Reports:
    """Reports of studies, made when a browser requests them.

    Args:
        folder: holds the reports while the server runs. Making a report writes only its runs'
            measurements into the study, as `miiii report` does.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: dict[Path, _Made] = {}
        self._lock = threading.Lock()

    def look(self, study: Path) -> _Made:
        """The state of a study's report; starts a new one when it is due."""
        key = study.resolve()
        with self._lock:
            name = hashlib.sha256(str(key).encode()).hexdigest()[:16]
            made = self._made.setdefault(key, _Made(self._folder / f"{name}.html"))
        with made.lock:
            self._tend(made, study)
        return made

    def _tend(self, made: _Made, study: Path) -> None:
        now = time.monotonic()
        process = made.process
        if process is not None and process.poll() is not None:
            made.process = None
            made.rest_until = now + REST * (now - made.begun)
            if process.returncode == 0:
                made.shown, made.problem = made.wanted, ""
            else:
                made.problem = made.last_line or "the report could not be made"
        current = fingerprint(study / RUNS_NAME)
        if made.process is None and made.wanted != current and now >= made.rest_until:
            made.wanted, made.begun, made.last_line = current, now, ""
            made.process = begin_report(study, made.output)
            threading.Thread(target=_follow, args=(made.process, made), daemon=True).start()

    def close(self) -> None:
        """End the processes that are making reports."""
        for made in self._made.values():
            if made.process is not None:
                made.process.terminate()
                made.process.wait()


def begin_report(study: Path, output: Path) -> "subprocess.Popen[str]":
    """The process that makes a study's report, as a user would; its stderr says why if it fails."""
    low = ["nice", "-n", "10"] if shutil.which("nice") else []
    command = [sys.executable, "-m", "miiii", "report", str(study.resolve())]
    return subprocess.Popen(
        [*low, *command, "--output", str(output)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def _follow(process: "subprocess.Popen[str]", made: _Made) -> None:
    assert process.stderr is not None
    with process.stderr as lines:
        for line in lines:
            if line.strip():
                made.last_line = line.strip()
