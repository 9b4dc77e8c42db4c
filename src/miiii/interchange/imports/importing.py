"""A checkpoint of TransformerLens as an ordinary run, on which every analysis works.

What the run's history says was measured here, on the weights in the file: one row per epoch that
the file has weights of, in nats, with the gradient of the training loss there. There is no
optimiser's state, so such a run cannot be resumed.
"""

import dataclasses
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from miiii.config.config import SOLVED, Config, replace_fields
from miiii.experiment.batch import make_batch
from miiii.experiment.recorder import identity, new_member
from miiii.interchange.imports.checkpoint_file import Checkpoint
from miiii.interchange.imports.conversion import Converted, convert
from miiii.interchange.imports.imported_history import Told, accuracy, answers_of_class, measure
from miiii.model.parameters import Block, Parameters
from miiii.runs.atomic import write_atomically
from miiii.runs.splits import FILE, encode_split
from miiii.tasks.config import Operation
from miiii.tasks.dataset import Split, build_dataset
from miiii.training.state import to_arrays


@dataclass(frozen=True)
class Imported:
    """What came of it.

    Attributes:
        path: the run directory.
        epochs: the epochs whose weights are in it.
        accuracies: right shares of training numbers, of validation numbers, and of all.
        split_known: whether the file said which numbers trained.
        notes: what was left out or folded.
    """

    path: Path
    epochs: tuple[int, ...]
    accuracies: dict[str, float]
    split_known: bool
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Wanted:
    """How a checkpoint is to become a run.

    Attributes:
        operation: what it was trained on, of the two digits modulo p; None: what the file says, or
            else addition.
        snapshots: how many epochs are kept at most, evenly spaced in log epoch.
        train_fraction: share of the numbers that stand as trained where the file does not say.
        seed: of the split that is drawn then.
    """

    operation: Operation | None = None
    snapshots: int = 64
    train_fraction: float = 0.3
    seed: int = 0


def import_checkpoint(
    checkpoint: Checkpoint,
    source: str,
    runs_dir: Path,
    name: str,
    wanted: Wanted,
    *,
    force: bool = False,
    command: Sequence[str] = (),
    told: Told = lambda done, count: None,
) -> Imported:
    """Write a checkpoint as a run directory.

    Args:
        checkpoint: what the file holds.
        source: the file's name, kept as the run's origin.
        runs_dir: where the run goes.
        name: the run's name.
        wanted: what the file does not say.
        force: move an existing run of that name aside.
        command: recorded as the origin of the run.
        told: hears of the epochs measured.

    Raises:
        ValueError: the model is none that ours can be, or the split does not fit it.
        RunError: the name is taken, or the disk refuses.
    """
    kept = _spaced(sorted(checkpoint.states), wanted.snapshots)
    models = {
        # Epoch 0 is before training, where a history has no row: alone, it stands as the first.
        max(epoch, 1 if len(kept) == 1 else 0): convert(checkpoint.states[epoch], checkpoint.config)
        for epoch in kept
    }
    last = models[max(models)]
    config = _config(last, max(models), wanted, checkpoint)
    split = _split(checkpoint.train_indices, config)
    dataset = build_dataset(config.task, config.seed)
    dataset = dataset if split is None else dataclasses.replace(dataset, split=split)
    parameters = {epoch: _parameters(model, last) for epoch, model in models.items()}
    rows = measure(config, dataset, parameters, told)
    notes = list(last.notes)
    if last.extra_class is not None:
        won = answers_of_class(last.extra_class, config, dataset, parameters[max(models)])
        notes.append(f"that class would have been the answer to {won:,} of {last.base**2:,}")
    batch = dataclasses.replace(make_batch([config]), datasets=(dataset,))
    directory = new_member(
        runs_dir, name, config, force, command, batch.split_hashes[0], ([name], 0)
    ).directory
    try:
        with directory.lock():
            if split is not None:
                parts = {part: getattr(split, part) for part in ("train", "validation", "test")}
                write_atomically(directory.path / FILE, encode_split(parts))
            origin = {
                "file": source,
                "epochs": sorted(models),
                "split": "given" if split is not None else "drawn here, unknown in truth",
                "notes": notes,
            }
            directory.write_json("provenance.json", {**directory.provenance, "imported": origin})
            directory.append_history(1, max(models), rows)
            for epoch, weights in parameters.items():
                directory.save_snapshot(epoch, to_arrays(weights), {"identity": identity(config)})
            directory.write_status({**directory.status, **_summary(config, rows, max(models))})
    except BaseException:
        shutil.rmtree(directory.path, ignore_errors=True)
        raise
    accuracies = {
        "training": float(rows["train_accuracy"][-1, 0]),
        "validation": float(rows["validation_accuracy"][-1, 0]),
        "all": accuracy(config, dataset, parameters[max(models)]),
    }
    return Imported(
        directory.path, tuple(sorted(models)), accuracies, split is not None, tuple(notes)
    )


def _spaced(epochs: Sequence[int], count: int) -> list[int]:
    """The first, the last, and others evenly spaced in log epoch."""
    if len(epochs) <= count:
        return list(epochs)
    if count == 1:
        return [epochs[-1]]
    places = np.log1p(np.asarray(epochs, float))
    grid = np.linspace(places[0], places[-1], count)
    return sorted({epochs[int(np.abs(places - each).argmin())] for each in grid})


def _config(model: Converted, epochs: int, wanted: Wanted, checkpoint: Checkpoint) -> Config:
    width, neurons = model.weights["blocks.0.mlp_in"].shape
    fraction, indices = wanted.train_fraction, checkpoint.train_indices
    if indices is not None:
        # Half a number more, so that rounding down gives back their number.
        fraction = min((len(indices) + 0.5) / model.base**2, 1 - 1e-9)
    return replace_fields(
        Config(),
        task="nanda",
        base=model.base,
        operation=wanted.operation or checkpoint.operation or "add",
        train_fraction=fraction,
        width=width,
        heads=model.weights["blocks.0.query"].shape[0],
        depth=sum(name.endswith(".mlp_in") for name in model.weights),
        mlp_ratio=neurons // width,
        filter="none",
        dropout=0.0,
        task_scale="none",
        precision=str(model.weights["unembedding"].dtype),
        epochs=epochs,
        seed=wanted.seed,
    )


def _split(indices: NDArray[np.int64] | None, config: Config) -> Split | None:
    """The file's split in the order of n; what did not train is validation and test, as drawn."""
    if indices is None:
        return None
    base = config.task.base
    if indices.min() < 0 or indices.max() >= base**2 or len(np.unique(indices)) != len(indices):
        raise ValueError(
            f"train_indices has {len(indices)} entries from {indices.min()} to {indices.max()}: "
            f"expected each of 0 … p² − 1 = {base**2 - 1} once at most"
        )
    if len(indices) == base**2:
        raise ValueError("train_indices has every input: none is left to validate on")
    train = np.sort(indices // base + base * (indices % base)).astype(np.int32)
    rest = np.setdiff1d(np.arange(base**2, dtype=np.int32), train)
    rest = np.random.default_rng(config.seed).permutation(rest)
    cut = min(config.task.validation_size, (len(rest) + 1) // 2)
    return Split(train, np.sort(rest[:cut]), np.sort(rest[cut:]))


def _parameters(model: Converted, last: Converted) -> Parameters:
    shapes = [{key: array.shape for key, array in one.weights.items()} for one in (model, last)]
    if shapes[0] != shapes[1]:
        raise ValueError("the checkpoints in the file have different shapes: expected one model")
    dtype = last.weights["unembedding"].dtype
    found: dict[str, Any] = {key: array.astype(dtype) for key, array in model.weights.items()}
    depth = sum(name.endswith(".mlp_in") for name in found)
    names = [item.name for item in dataclasses.fields(Block)]
    blocks = tuple(
        Block(**{name: found.get(f"blocks.{index}.{name}") for name in names})
        for index in range(depth)
    )
    return Parameters(
        token_embedding=found["token_embedding"],
        position_embedding=found["position_embedding"],
        blocks=blocks,
        unembedding=found["unembedding"],
    )


def _summary(config: Config, rows: dict[str, NDArray[Any]], epoch: int) -> dict[str, Any]:
    latest = float(rows["validation_accuracy"][-1, 0])
    return {
        "state": "finished",
        "epoch": epoch,
        "train_accuracy": round(float(rows["train_accuracy"][-1, 0]), 6),
        "validation_accuracy": round(latest, 6),
        "solved": [config.task.base] if latest >= SOLVED else [],
    }
