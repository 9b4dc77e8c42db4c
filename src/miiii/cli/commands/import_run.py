"""`miiii import`: a published model as a run."""

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from miiii.cli.arguments import UsageError, parse
from miiii.cli.checks import check_range
from miiii.cli.console import at_intervals
from miiii.cli.text import directory_option, shown
from miiii.interchange.imports.checkpoint_file import Checkpoint, read_checkpoint, snapshot_files
from miiii.interchange.imports.conversion import Given, convert
from miiii.interchange.imports.expected_logits import read_expected
from miiii.interchange.imports.layouts import Layout
from miiii.runs.creation import check_new_runs
from miiii.runs.errors import DamagedFileError
from miiii.runs.thresholds import SOLVED, reached
from miiii.tasks.config import Operation

if TYPE_CHECKING:
    from miiii.interchange.imports.importing import Imported

_LONGEST = 600  # Characters of an error, which may quote a file.


@dataclass(frozen=True)
class ImportArguments:
    """Make a run of a published model of two digits modulo p, so that every analysis works on it.

    The file holds a transformer of TransformerLens, of Nanda et al. 2023 or of Zhong et al. 2023:
    a state dict (.pth, .pt or .safetensors), or a training file with one, with losses and settings.
    It is read without PyTorch, and no code in it is run.
    """

    file: tyro.conf.Positional[Path] = field(metadata={"option": None})
    """The checkpoint, or the folder that miiii export --all-snapshots wrote."""
    name: str
    """The run's name."""
    layout: Layout | None = None
    """The orientation of the matrices: 2022 (the code of Nanda et al. and Zhong et al.) or
    transformer-lens; default: read from their shapes."""
    base: int | None = None
    """p; default: read from settings or shapes."""
    operation: Operation | None = None
    """The operation on the two digits modulo p that the model was trained on; default: as in its
    settings, or else add."""
    snapshots: int = 64
    """The most checkpoints of the file that are kept, evenly spaced in log epoch."""
    train_fraction: float = 0.3
    """The share of numbers that counts as trained on, if the file does not record the split."""
    seed: int = 0
    """Seed of the split that is drawn then."""
    runs_dir: Path = Path("runs")
    """The directory that holds the runs."""
    force: bool = False
    """Move an existing run of that name aside."""
    json: bool = False
    """Print the result as JSON on stdout."""


def import_command(words: list[str]) -> int:
    """Run `miiii import`; returns the exit code."""
    arguments = parse(ImportArguments, words, "miiii import")
    check_range(arguments, "snapshots", 1)
    if not 0 < arguments.train_fraction < 1:
        raise UsageError(
            f"--train-fraction is {arguments.train_fraction}: it must be strictly between 0 and 1"
        )
    check_range(arguments, "seed", 0, 2**31 - 1)
    check_range(arguments, "base", 3, 4096)
    check_new_runs(arguments.runs_dir, [arguments.name], arguments.force)
    given = Given(arguments.layout, arguments.base)
    try:
        checkpoint = read_checkpoint(arguments.file)
        files = snapshot_files(arguments.file)
        expected = read_expected(files[max(files)] if files else arguments.file)
        _refuse(arguments.file, checkpoint, given)
    except (ValueError, DamagedFileError) as error:
        raise UsageError(_printable(str(error))) from error
    from miiii.interchange.imports.importing import Wanted, import_checkpoint

    wanted = Wanted(
        arguments.operation, arguments.snapshots, arguments.train_fraction, arguments.seed, given
    )
    show = at_intervals()
    try:
        imported = import_checkpoint(
            checkpoint,
            arguments.file.name,
            arguments.runs_dir,
            arguments.name,
            wanted,
            force=arguments.force,
            command=["miiii", "import", *words],
            show=lambda done, count: show(f"measuring: {done} of {count} epochs"),
            expected=expected,
        )
    except ValueError as error:
        raise UsageError(_printable(f"{arguments.file}: {error}")) from error
    notes, warnings = _notes(imported), _warnings(imported)
    for line in notes:
        print(f"note: {_printable(line)}", file=sys.stderr)
    for line in warnings:
        print(f"warning: {_printable(line)}", file=sys.stderr)
    if arguments.json:
        print(json.dumps(_record(imported, [*notes, *warnings]), indent=2))
        return 0
    epochs = imported.epochs
    held = f"epoch {epochs[0]:,}" if len(epochs) == 1 else f"{len(epochs)} of {epochs[-1]:,} epochs"
    print(f"imported: {imported.path} ({held})")
    print(_score(imported))
    where = directory_option(arguments.runs_dir, "runs")
    print(f"next: miiii figures {arguments.name}{where}")
    return 0


def _refuse(file: Path, checkpoint: Checkpoint, given: Given) -> None:
    """Refuse a checkpoint that cannot become a run, before JAX is imported."""
    try:
        convert(checkpoint.states[max(checkpoint.states)], checkpoint.config, given)
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from error


def _score(imported: "Imported") -> str:
    """The shares of pairs that are answered right, the losses, and whether the task is unsolved."""
    right = imported.accuracies
    total = imported.answered
    line = f"right: {_percent(right['all'])} of all {total:,} pairs ({imported.right:,})"
    if imported.split_known:
        line += (
            f", {_percent(right['training'])} of those it trained on, "
            f"{_percent(right['validation'])} of validation"
        )
    if (last := imported.losses["train"]) is not None:
        line += f"; its file's last training loss is {last:.3g}"
        if imported.split_known:
            line += f", here {imported.losses['here']:.3g}"
    if not reached(right["all"], SOLVED, total):
        line += "; unsolved"
    return line


def _percent(share: float) -> str:
    """A share in per cent with two decimals; 100.00% only if it is exactly 1."""
    return f"{share:.2%}" if share == 1 else f"{min(share, 0.9999):.2%}"


def _notes(imported: "Imported") -> list[str]:
    lines = list(imported.notes)
    drawn = imported.drawn
    if drawn is not None:
        chosen = drawn.chosen
        line = (
            f"the split was drawn again as its authors drew it, seed {chosen.seed} and share "
            f"{chosen.share:g}, {drawn.how}: here {chosen.train:.4g} and {chosen.test:.4g} in "
            f"training and test, in the file {shown(imported.losses['train'], '.4g', 'unknown')} "
            f"and {shown(imported.losses['test'], '.4g', 'unknown')}"
        )
        if drawn.runner_up is not None:
            second = drawn.runner_up
            line += (
                f" (the next of {drawn.tried} candidates, seed {second.seed} and share "
                f"{second.share:g}: {second.train:.4g} and {second.test:.4g})"
            )
        lines.append(line)
    elif not imported.split_known:
        lines.append(
            "the file does not say which numbers trained: the split was drawn here, and only the "
            "score on all numbers is meaningful"
        )
    if imported.expected is not None and imported.expected.agree:
        lines.append(str(imported.expected))
    return lines


def _warnings(imported: "Imported") -> list[str]:
    lines, right = [], imported.accuracies
    if imported.expected is not None and not imported.expected.agree:
        lines.append(str(imported.expected))
    if right["all"] >= 0.5:
        return lines
    chance = 1 / imported.base
    found = f"only {right['all']:.1%} of all pairs are answered right (chance is {chance:.1%})"
    last, here = imported.losses["train"], imported.losses["here"]
    same = last is not None and here is not None and abs(here - last) <= 0.1 * last
    if imported.split_known and (same or right["training"] > max(0.9, 2 * right["all"])):
        lines.append(
            f"{found}, and the layout is right: on its own training split it answers "
            f"{right['training']:.1%}"
            + (f" at the loss that its file has, {last:.3g}" if same else "")
            + ": the model has not generalised"
        )
    else:
        lines.append(
            f"{found}: the layout, --operation or --base may be wrong, the model may have settings "
            "that are not known, or it has not generalised"
        )
    return lines


def _record(imported: "Imported", lines: list[str]) -> dict[str, object]:
    drawn = imported.drawn
    agreement = imported.expected
    return {
        "path": str(imported.path),
        "epochs": imported.epochs,
        "accuracies": imported.accuracies,
        "split_known": imported.split_known,
        "split": imported.split,
        "drawn_split": None
        if drawn is None
        else drawn.record((imported.losses["train"], imported.losses["test"])),
        "losses": imported.losses,
        "expected_logits": None
        if agreement is None
        else {"file": agreement.file, "difference": agreement.difference},
        "notes": lines,
    }


def _printable(text: str) -> str:
    """One line of a message that may quote a file: no control characters, and not too long."""
    line = "".join(one if one.isprintable() else "?" for one in " ".join(text.split()))
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"
