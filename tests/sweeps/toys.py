"""Jobs whose worker is a toy, and what it said."""

import sys
import time
from pathlib import Path

from miiii.sweeps.jobs.worker_job import WorkerJob

TOY = Path(__file__).with_name("toy_worker.py")


def toy(folder: Path, what: str, number: int = 0, **options) -> WorkerJob:
    """A job whose log is folder/<number>."""
    command = (sys.executable, "-S", str(TOY), str(folder / str(number)), what)
    return WorkerJob(number, command, str(folder), **options)


def until(what, patience: float = 60.0) -> None:
    deadline = time.monotonic() + patience
    while not what():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.05)


def words(folder: Path, number: int = 0) -> list[str]:
    """What a toy said; its first line only as far as it is the same everywhere."""
    log = folder / str(number)
    lines = log.read_text().splitlines() if log.exists() else []
    return [line.split(" in ")[0] for line in lines]
