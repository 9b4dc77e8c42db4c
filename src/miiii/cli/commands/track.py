"""`miiii track`: hands a stored run's numbers to another tool."""

import json
import sys
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

import tyro

from miiii.cli import machine
from miiii.cli.arguments import UsageError, parse
from miiii.runs.directory import RunDirectory
from miiii.runs.errors import StorageError
from miiii.tracking.loading import load_trackers


@dataclass(frozen=True)
class TrackArguments:
    """Hand a stored run's numbers to another tool, without the epochs that the tool has already."""

    run: tyro.conf.Positional[str] = field(metadata={"option": None})
    """Name of the run, or its path."""
    to: str = "tensorboard"
    """Trackers, separated by commas: tensorboard, or module:Class for one of your own."""
    runs_dir: Path = Path("runs")
    """The directory that holds the runs."""
    json: bool = False
    """Print how many epochs were handed over as JSON on stdout."""


def track_command(words: list[str]) -> int:
    """Run `miiii track`; returns the exit code."""
    arguments = parse(TrackArguments, words, "miiii track")
    directory = RunDirectory.open(arguments.runs_dir, arguments.run)
    factories = load_trackers(arguments.to, "--to")
    if not factories:
        raise UsageError("--to is empty: expected tensorboard or module:Class")

    machine.prepare_jax()
    from miiii.experiment.run import load_run
    from miiii.tracking.following import track_stored

    run = load_run(directory.path.absolute())
    problems: list[str] = []
    with ExitStack() as stack:
        # Locked, because a process that trains the run may track it. On a disk that cannot be
        # written no process trains, and there is no lock to take.
        with suppress(StorageError):
            stack.enter_context(directory.lock())
        counts = [track_stored(run, make, problems.append) for make in factories]
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    if arguments.json:
        print(json.dumps({"run": str(directory.path), "epochs": counts}))
    elif not problems:
        epochs = " and ".join(f"{count:,}" for count in counts)
        print(f"{directory.name}: {epochs} epochs handed over")
        if "tensorboard" in arguments.to.split(","):
            print(f"look at it with: tensorboard --logdir {directory.path.parent}")
    return 1 if problems else 0
