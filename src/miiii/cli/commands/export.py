"""`miiii export`: a run in the format of another tool."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import tyro

from miiii.cli import machine
from miiii.cli.arguments import UsageError, parse
from miiii.cli.checks import check_epoch
from miiii.config.config import Config
from miiii.interchange.exports.layout import MODEL_FOLDER_FILES, TRANSFORMER_LENS_FILES, epoch_name
from miiii.interchange.exports.placing import check_place, write_file, write_folder
from miiii.runs.directory import RunDirectory

if TYPE_CHECKING:
    from miiii.experiment.model_at import ModelAt

Format = Literal["transformer-lens", "numpy", "hf-folder", "csv", "parquet"]

DEFAULT_NAMES = {
    "transformer-lens": "transformer-lens",
    "numpy": "run.npz",
    "hf-folder": "hf-folder",
    "csv": "history.csv",
    "parquet": "history.parquet",
}
"""Default names in the run's `exports` directory."""
FOLDER_FILES = {"transformer-lens": TRANSFORMER_LENS_FILES, "hf-folder": MODEL_FOLDER_FILES}
"""The file names of the formats that write a folder; the others write a file."""


@dataclass(frozen=True)
class ExportArguments:
    """Write a run in another tool's format.

    transformer-lens: a folder that TransformerLens 4 (TransformerBridge) and 2 (HookedTransformer)
    load; its README.md says how. numpy: weights, data and history in one .npz. hf-folder: weights
    with a model card. csv, parquet: the history, one row per epoch, modulus and split.
    """

    run: tyro.conf.Positional[str] = field(metadata={"option": None})
    """Name of the run, or its path."""
    to: Format
    """The format."""
    epoch: int | None = None
    """The snapshot whose weights are written, in epochs; default: the latest weights."""
    weights: Literal["average", "raw"] | None = None
    """For a run that keeps an average of its weights (average_weights): the average, or the raw
    weights of its newest checkpoint; default: the average where there is one."""
    all_snapshots: bool = False
    """Write the weights of every snapshot: a folder (numpy: a file) per epoch, epoch-000000040 and
    so on, which miiii import reads back as one run."""
    output: Path | None = None
    """The file or folder to write; default: in exports in the run's directory."""
    model_index: bool = False
    """With hf-folder: write accuracies into the card's front matter too, as the hub's
    model-index."""
    force: bool = False
    """Replace an earlier export at the same place."""
    runs_dir: Path = Path("runs")
    """The directory that holds the runs."""
    json: bool = False
    """Print what was written as JSON on stdout."""


def export_command(words: list[str]) -> int:
    """Run `miiii export`; returns the exit code."""
    arguments = parse(ExportArguments, words, "miiii export")
    directory = RunDirectory.open(arguments.runs_dir, arguments.run)
    from miiii.experiment.members import written_config

    config = written_config(directory)
    is_history = arguments.to in ("csv", "parquet")
    if arguments.model_index and arguments.to != "hf-folder":
        raise UsageError(f"--model-index belongs to --to hf-folder, not to --to {arguments.to}")
    if is_history and arguments.epoch is not None:
        raise UsageError(f"--epoch is {arguments.epoch}: {arguments.to} has the whole history")
    if arguments.all_snapshots and (is_history or arguments.epoch is not None):
        other = f"--to {arguments.to}, the whole history" if is_history else "--epoch, a single one"
        raise UsageError(f"--all-snapshots does not go with {other}: leave one out")
    epochs = directory.snapshot_epochs()
    if arguments.all_snapshots and not epochs:
        raise UsageError(f"run {directory.name} has no snapshots: nothing to write")
    check_epoch(arguments.epoch, directory.name, epochs)
    if arguments.weights is not None:
        if is_history:
            raise UsageError(
                f"--weights is {arguments.weights}: {arguments.to} has the history, of both"
            )
        _check_weights(directory, config, arguments.weights, arguments.epoch)
    if not is_history and not epochs and not directory.checkpoint_epochs():
        raise UsageError(f"run {directory.name} holds no weights yet: nothing was trained or saved")
    if arguments.to == "parquet" and find_spec("pyarrow") is None:
        raise UsageError("--to parquet needs pyarrow: pip install 'miiii[interop]'")
    name = DEFAULT_NAMES[arguments.to]
    if arguments.all_snapshots:
        name = f"{arguments.to}-snapshots"
    output = arguments.output or directory.path / "exports" / name
    suffix = ".npz" if arguments.to == "numpy" else ""
    places = {epoch: output / f"{epoch_name(epoch)}{suffix}" for epoch in epochs}
    for place in places.values() if arguments.all_snapshots else [output]:
        check_place(place, arguments.force, FOLDER_FILES.get(arguments.to, ()))
    if arguments.all_snapshots:
        written = _write_weights(arguments, places.items())
    elif is_history:
        written = _write_history(directory, config, arguments.to, output)
    else:
        written = _write_weights(arguments, [(arguments.epoch, output)])
    if arguments.json:
        record = {"run": directory.name, "to": arguments.to, "files": [str(p) for p in written]}
        print(json.dumps(record, indent=2))
    else:
        for path in written:
            print(f"{path} ({path.stat().st_size:,} bytes)")
    return 0


def _check_weights(
    directory: RunDirectory, config: Config, weights: str, epoch: int | None
) -> None:
    """Refuse weights that a run does not have."""
    averaged = bool(config.training.average_weights)
    problem = None
    if weights == "average" and not averaged:
        problem = "keeps no average of its weights (average_weights is 0): leave --weights out"
    elif weights == "raw" and averaged and epoch is not None:
        problem = "has snapshots of the average only: leave --epoch out for the newest checkpoint's"
    elif weights == "raw" and averaged and not directory.checkpoint_epochs():
        problem = "has none: they were in its checkpoints, which were removed"
    if problem:
        raise UsageError(f"--weights is {weights}: run {directory.name} {problem}")


def _write_history(directory: RunDirectory, config: Config, to: str, output: Path) -> list[Path]:
    from miiii.interchange.exports.history_table import history_table, to_csv, to_parquet

    table = history_table(config, directory.history())
    data = to_csv(table) if to == "csv" else to_parquet(table, directory.name, config)
    write_file(output, data)
    return [output]


def _write_weights(
    arguments: ExportArguments, outputs: Iterable[tuple[int | None, Path]]
) -> list[Path]:
    """Write one export per epoch (None: the latest weights); returns the files."""
    machine.prepare_jax()
    from miiii.experiment.model_at import ModelAt
    from miiii.experiment.run import load_run

    run = load_run(arguments.run, arguments.runs_dir)
    chosen = run.with_raw_weights() if arguments.weights == "raw" else run
    return [
        path
        for epoch, output in outputs
        for path in _write_epoch(arguments, ModelAt(chosen, epoch), output)
    ]


def _write_epoch(arguments: ExportArguments, exported: "ModelAt", output: Path) -> list[Path]:
    if arguments.to == "numpy":
        from miiii.interchange.exports.numpy_file import to_npz

        write_file(output, to_npz(exported))
        return [output]
    if arguments.to == "transformer-lens":
        from miiii.interchange.exports.transformer_lens import transformer_lens_files

        files = transformer_lens_files(exported)
    else:
        from miiii.interchange.exports.model_folder import model_folder_files

        files = model_folder_files(exported, index=arguments.model_index)
    write_folder(output, files)
    return [output / name for name in files]
