"""`miiii import`."""

import json
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import tyro

from miiii.cli.arguments import UsageError, parse
from miiii.interchange.imports.checkpoint_file import read_checkpoint
from miiii.interchange.imports.conversion import convert
from miiii.runs.creation import check_new_runs
from miiii.tasks.config import Operation

_QUIET = 5.0  # seconds between two lines of progress


@dataclass(frozen=True)
class ImportArguments:
    """Make a run of a TransformerLens model of addition mod p, so that every analysis works on it.

    The file is a state dict of HookedTransformer or TransformerBridge (.pth, .pt or .safetensors),
    or what TransformerLens' grokking demonstration saves, whose checkpoints become snapshots. A
    .pth file is read without PyTorch, and nothing in it is run.
    """

    file: tyro.conf.Positional[Path] = field(metadata={"option": None})
    """The checkpoint."""
    name: str
    """The run's name."""
    operation: Operation | None = None
    """What the model was trained on, of the two digits modulo p; default: add, unless the file has
    been exported by miiii and says another."""
    snapshots: int = 64
    """Of the checkpoints in the file, how many are kept at most, evenly spaced in log epoch."""
    train_fraction: float = 0.3
    """The share of numbers that stands as trained on, where the file does not say which were."""
    seed: int = 0
    """Seed of the split that is drawn then."""
    runs_dir: Path = Path("runs")
    """The directory that holds the runs."""
    force: bool = False
    """Move an existing run of that name aside."""
    json: bool = False
    """Print the result as JSON on stdout."""


def import_command(words: list[str]) -> int:
    """`miiii import`."""
    arguments = parse(ImportArguments, words, "miiii import")
    if arguments.snapshots < 1:
        raise UsageError(f"--snapshots is {arguments.snapshots}: it must be at least 1")
    if not 0 < arguments.train_fraction < 1:
        raise UsageError(
            f"--train-fraction is {arguments.train_fraction}: it must be strictly between 0 and 1"
        )
    if not 0 <= arguments.seed < 2**31:
        raise UsageError(f"--seed is {arguments.seed}: it must be from 0 to 2³¹ − 1")
    check_new_runs(arguments.runs_dir, [arguments.name], arguments.force)
    checkpoint = read_checkpoint(arguments.file)
    try:
        # Refused here, before JAX, what cannot become a model of ours.
        convert(checkpoint.states[max(checkpoint.states)], checkpoint.config)
    except ValueError as error:
        raise UsageError(f"{arguments.file}: {error}") from error
    from miiii.cli.machine import prepare_jax

    prepare_jax()
    from miiii.interchange.imports.importing import Wanted, import_checkpoint

    imported = import_checkpoint(
        checkpoint,
        arguments.file.name,
        arguments.runs_dir,
        arguments.name,
        Wanted(arguments.operation, arguments.snapshots, arguments.train_fraction, arguments.seed),
        force=arguments.force,
        command=["miiii", "import", *words],
        told=_Told(),
    )
    lines = list(imported.notes)
    if not checkpoint.config:
        lines.append("the file has no settings: ReLU and no layer norm were taken for granted")
    if not imported.split_known:
        lines.append(
            "the file does not say which numbers trained: the split was drawn here, and only the "
            "score on all numbers means something"
        )
    right = imported.accuracies
    if right["all"] < 0.5:
        lines.append(
            f"only {right['all']:.1%} of all numbers are answered right: the model has not "
            "generalised, or is no model of this --operation, or not built as ours is"
        )
    for line in lines:
        print(f"note: {line}", file=sys.stderr)
    if arguments.json:
        record = {
            "path": str(imported.path),
            "epochs": imported.epochs,
            "accuracies": right,
            "split_known": imported.split_known,
            "notes": lines,
        }
        print(json.dumps(record, indent=2))
        return 0
    shares = ", ".join(f"{name} {share:.2%}" for name, share in right.items())
    epochs = imported.epochs
    held = f"epoch {epochs[0]:,}" if len(epochs) == 1 else f"{len(epochs)} of {epochs[-1]:,} epochs"
    print(f"imported: {imported.path} ({held}); right: {shares}")
    where = "" if arguments.runs_dir == Path("runs") else f" --runs-dir {arguments.runs_dir}"
    print(f"next: miiii figures {arguments.name}{where}")
    return 0


class _Told:
    """A line every few seconds on stderr."""

    def __init__(self) -> None:
        self._shown = time.monotonic()

    def __call__(self, done: int, count: int) -> None:
        if time.monotonic() - self._shown > _QUIET and done < count:
            self._shown = time.monotonic()
            print(f"measuring: {done} of {count} epochs", file=sys.stderr, flush=True)


commands = {"import": import_command}
