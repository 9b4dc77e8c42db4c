"""`miiii` in its own process or in this one, on a model so small that starting is all it costs."""

import io
import json
import os
import subprocess
import sys
from contextlib import chdir, redirect_stderr, redirect_stdout
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


def call_here(words, folder: Path) -> subprocess.CompletedProcess:
    """Run `miiii` in this process, where JAX is imported already."""
    from miiii.cli.main import run

    output, errors = io.StringIO(), io.StringIO()
    words = [str(word) for word in words]
    with chdir(folder), redirect_stdout(output), redirect_stderr(errors):
        code = run(words)
    return subprocess.CompletedProcess(words, code, output.getvalue(), errors.getvalue())


EACH = (
    "import json, sys; from pathlib import Path; from command import call_here\n"
    "done = [call_here(words, Path.cwd()) for words in json.loads(sys.argv[1])]\n"
    "print(json.dumps([[each.returncode, each.stdout, each.stderr] for each in done]))"
)


def call_each(
    commands, folder: Path, cache: Path, platform: str = "cpu"
) -> list[subprocess.CompletedProcess]:
    """Several commands, one after the other, in one process that is not this one."""
    path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    environment = {
        **os.environ,
        "MIIII_CACHE": str(cache),
        "JAX_PLATFORMS": platform,
        "PYTHONPATH": path,
    }
    words = [[str(word) for word in command] for command in commands]
    done = subprocess.run(
        [sys.executable, "-c", EACH, json.dumps(words)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout.splitlines()[-1])
    return [
        subprocess.CompletedProcess(command, *result)
        for command, result in zip(words, results, strict=True)
    ]


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
