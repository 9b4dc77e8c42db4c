"""`miiii` as a process of its own, on a model so small that starting it is all it costs."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from miiii.runs.directory import RunDirectory

SMALLEST = [
    *("--preset", "tiny", "--base", "7", "--width", "8", "--heads", "2"),
    *("--snapshots", "8", "--checkpoint-seconds", "0.05"),
]


LIMITED = (
    "import os, resource, sys; limit = int(sys.argv[1])\n"
    "resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))\n"
    "os.execv(sys.executable, [sys.executable, '-u', '-m', 'miiii', *sys.argv[2:]])"
)


def start(
    words, folder: Path, cache: Path, largest_file: int | None = None, platform: str = "cpu"
) -> subprocess.Popen:
    """Start `miiii`; `largest_file` in bytes stands in for a full disk."""
    environment = {**os.environ, "MIIII_CACHE": str(cache), "JAX_PLATFORMS": platform}
    program = [sys.executable, "-u", "-m", "miiii"]
    if largest_file is not None:
        program = [sys.executable, "-c", LIMITED, str(largest_file)]
    return subprocess.Popen(
        [*program, *map(str, words)],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def call(
    words, folder: Path, cache: Path, largest_file: int | None = None, platform: str = "cpu"
) -> subprocess.CompletedProcess:
    process = start(words, folder, cache, largest_file, platform)
    output, errors = process.communicate(timeout=300)
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


def wait_for_training(process: subprocess.Popen) -> None:
    """Until the first line of progress: the program is compiled and runs."""
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("epoch "):
            return
    raise AssertionError("the process ended before it trained")


def contents(path: Path) -> dict[str, np.ndarray]:
    """All numbers of a run: history, last checkpoint, snapshots."""
    directory = RunDirectory(path)
    found = {f"history.{key}": value for key, value in directory.history().items()}
    epoch, arrays, *_ = directory.load_checkpoint()
    found |= {f"checkpoint {epoch}.{key}": value for key, value in arrays.items()}
    for epoch in directory.snapshot_epochs():
        arrays, _ = directory.load_snapshot(epoch)
        found |= {f"snapshot {epoch}.{key}": value for key, value in arrays.items()}
    return found


def assert_equal_runs(one: Path, other: Path) -> None:
    """Bit for bit, NaN or not."""
    left, right = contents(one), contents(other)
    assert left.keys() == right.keys()
    for key, value in left.items():
        assert value.dtype == right[key].dtype
        assert value.tobytes() == right[key].tobytes(), key
