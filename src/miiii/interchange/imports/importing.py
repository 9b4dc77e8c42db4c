"""Make an ordinary run of a published model, so that every analysis works on it.

Accuracies and gradients in the run's history are measured here on the file's weights. Losses are
the file's, or measured if it has none. Such a run has no optimiser state, so it cannot be resumed.
"""

import dataclasses
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from miiii.config.config import Config, replace_fields
from miiii.experiment.members import identity, new_member
from miiii.interchange.imports.checkpoint_file import Checkpoint
from miiii.interchange.imports.conversion import Converted, Given, convert
from miiii.interchange.imports.drawn_split import DrawnSplit, find_split, training_places
from miiii.interchange.imports.expected_logits import Agreement, compare
from miiii.interchange.imports.imported_history import (
    Measuring,
    ShowProgress,
    Weights,
    measured_rows,
    with_losses,
)
from miiii.interchange.imports.plain_transformer import ordered
from miiii.interchange.names import depth_of
from miiii.runs.atomic import write_atomically
from miiii.runs.directory import RunDirectory
from miiii.runs.splits import FILE, encode_split
from miiii.runs.thinning import log_spaced
from miiii.runs.thresholds import SOLVED, reached
from miiii.streams import Stream, generator
from miiii.tasks.config import Operation
from miiii.tasks.dataset import Split, build_dataset, digest


@dataclass(frozen=True)
class Imported:
    """An imported run.

    Attributes:
        path: the run directory.
        epochs: the epochs that have weights.
        base: p.
        answered: how many of the p² numbers have an answer.
        accuracies: shares of right answers on training numbers, validation numbers, and all.
        right: number of right answers among all p² numbers.
        split: "given", "drawn again" or "drawn here".
        drawn: how the split was drawn again; None if it was not.
        losses: the loss measured on the training numbers, and the file's last training and test
            loss; in nats.
        expected: comparison with logits beside the file; None if there are none.
        notes: a line for each part that was left out, folded or assumed.
    """

    path: Path
    epochs: tuple[int, ...]
    base: int
    answered: int
    accuracies: dict[str, float]
    right: int
    split: str
    drawn: DrawnSplit | None
    losses: dict[str, float | None]
    expected: Agreement | None
    notes: tuple[str, ...]

    @property
    def split_known(self) -> bool:
        """Whether the split's training numbers are those that the model was trained on."""
        return self.split != "drawn here"


@dataclass(frozen=True)
class Wanted:
    """The user's options for an import.

    Attributes:
        operation: operation on the two digits modulo p; None: the file's, or addition.
        snapshots: most epochs to keep, evenly spaced in log epoch.
        train_fraction: share of the numbers that count as trained if the file does not say which.
        seed: seed of the split that is drawn then.
        given: layout and base that the user gives.
    """

    operation: Operation | None = None
    snapshots: int = 64
    train_fraction: float = 0.3
    seed: int = 0
    given: Given = dataclasses.field(default_factory=Given)


def import_checkpoint(
    checkpoint: Checkpoint,
    source: str,
    runs_dir: Path,
    name: str,
    wanted: Wanted,
    *,
    force: bool = False,
    command: Sequence[str] = (),
    show: ShowProgress = lambda done, count: None,
    expected: tuple[str, Mapping[str, NDArray[Any]]] | None = None,
) -> Imported:
    """Write a checkpoint as a run directory.

    Args:
        checkpoint: the file's content.
        source: the file's name, for the run's provenance.
        runs_dir: the directory of runs.
        name: the run's name.
        wanted: the user's options.
        force: move an existing run of that name aside.
        command: the command line, for the run's provenance.
        show: receives the progress of measuring.
        expected: logits beside the file, to compare; None if there are none.

    Raises:
        ValueError: this package's transformer cannot be such a model, or the split does not fit it.
        RunError: the name is taken, or the disk refuses.
    """
    kept = log_spaced(sorted(checkpoint.states), wanted.snapshots)
    models = {
        # A history has no row for epoch 0, before training; a single such state becomes epoch 1.
        max(epoch, 1 if len(kept) == 1 else 0): convert(
            checkpoint.states[epoch], checkpoint.config, wanted.given
        )
        for epoch in kept
    }
    last = models[max(models)]
    config = _config(last, max(models), wanted, checkpoint)
    parameters = {epoch: _weights(model, last) for epoch, model in models.items()}
    dataset = build_dataset(config.task, config.seed)
    measuring = Measuring(config, dataset, last.extra_classes)
    whole = measuring.logits(parameters[max(models)])
    logits = whole[:, : last.base]
    places, kind, drawn = _training_places(checkpoint, last, wanted, measuring.losses(whole))
    if places is not None:
        # With half a number more, rounding down gives exactly this number of training numbers.
        fraction = min((len(places) + 0.5) / config.task.answered, 1 - 1e-9)
        config = replace_fields(config, train_fraction=fraction)
        split = _split(places, config, checkpoint)
        dataset = dataclasses.replace(dataset, split=split)
    rows = measured_rows(config, dataset, measuring, parameters, show, logits)
    right = measuring.right(logits)[dataset.answered]
    losses = {
        "here": float(measuring.losses(whole)[dataset.split.train].mean()),
        "train": checkpoint.losses.last_train,
        "test": checkpoint.losses.last_test,
    }
    accuracies = {
        "training": float(rows["train_accuracy"][-1, 0]),
        "validation": float(rows["validation_accuracy"][-1, 0]),
        "all": float(right.mean()),
    }
    separate = last.model["digit_tokens"] == "separate"
    agreement = expected and compare(expected, whole, last.base, separate_tokens=separate)
    imported = Imported(
        path=runs_dir / name,
        epochs=tuple(sorted(models)),
        base=last.base,
        answered=config.task.answered,
        accuracies=accuracies,
        right=int(right.sum()),
        split=kind,
        drawn=drawn,
        losses=losses,
        expected=agreement,
        notes=(*checkpoint.notes, *last.notes, *_extra_answers(whole, last)),
    )
    history = with_losses(rows, checkpoint.losses, test_before_update=last.layout == "2022")
    origin = _origin(imported, source, checkpoint)
    under = {"device": {"platform": "cpu", "kind": "cpu"}}
    directory = new_member(
        runs_dir, name, config, force, command, digest(dataset), ([name], 0), under=under
    ).directory
    _write(directory, imported, parameters, config, dataset.split, history, origin)
    return dataclasses.replace(imported, path=directory.path)


def _write(
    directory: RunDirectory,
    imported: Imported,
    parameters: dict[int, Weights],
    config: Config,
    split: Split,
    history: dict[str, NDArray[Any]],
    origin: dict[str, Any],
) -> None:
    """Write an imported run's files; after an error, no run directory is left."""
    last = imported.epochs[-1]
    try:
        with directory.lock():
            if imported.split_known:
                parts = {part: getattr(split, part) for part in ("train", "validation", "test")}
                write_atomically(directory.path / FILE, encode_split(parts))
            directory.write_json("provenance.json", {**directory.provenance, "imported": origin})
            directory.append_history(1, last, history)
            for epoch, weights in parameters.items():
                directory.save_snapshot(epoch, weights, {"identity": identity(config)})
            latest = imported.accuracies["validation"]
            is_solved = reached(latest, SOLVED, len(split.validation))
            summary = {
                "state": "finished",
                "epoch": last,
                "train_accuracy": round(imported.accuracies["training"], 6),
                "validation_accuracy": round(latest, 6),
                "solved": [config.task.base] if is_solved else [],
            }
            directory.write_status({**directory.status, **summary})
    except BaseException:
        shutil.rmtree(directory.path, ignore_errors=True)
        raise


def _origin(imported: Imported, source: str, checkpoint: Checkpoint) -> dict[str, Any]:
    """The record in provenance about the file that the run was made from."""
    splits = {
        "given": "given",
        "drawn again": "drawn again as its authors drew it",
        "drawn here": "drawn here, unknown in truth",
    }
    losses = checkpoint.losses
    found: dict[str, Any] = {
        "file": source,
        "epochs": list(imported.epochs),
        "split": splits[imported.split],
        "settings": _plain(checkpoint.config),
        "notes": list(imported.notes),
    }
    if imported.drawn is not None:
        found["drawn_split"] = imported.drawn.record((losses.last_train, losses.last_test))
    if losses.epochs:
        found["losses"] = (
            "the file's: training losses of every epoch, validation losses those of all inputs "
            "that did not train; accuracies and gradients were measured here"
        )
    if checkpoint.optimiser:
        found["optimiser"] = _plain(checkpoint.optimiser)
    if imported.expected is not None:
        found["expected_logits"] = dataclasses.asdict(imported.expected)
    return found


def _plain(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record for JSON; values that JSON cannot hold become the names of their types."""
    found = {}
    for key, value in record.items():
        try:
            found[key] = json.loads(json.dumps(value, allow_nan=False))
        except (TypeError, ValueError, RecursionError):
            found[key] = type(value).__name__
    return found


def _training_places(
    checkpoint: Checkpoint, model: Converted, wanted: Wanted, losses: NDArray[np.float64]
) -> tuple[NDArray[np.int64] | None, str, DrawnSplit | None]:
    """The places of the training pairs, the kind of split, and how it was drawn again.

    Args:
        checkpoint: the file's content.
        model: its last weights.
        wanted: the user's options.
        losses: [p²], each number's loss over all classes of the model, in nats.
    """
    base = model.base
    if checkpoint.training is not None:
        return checkpoint.training.places(base), "given", None
    last = (checkpoint.losses.last_train, checkpoint.losses.last_test)
    stated = (model.settings.seed, model.settings.train_fraction)
    # From n = x0 + p·x1 to the place p·x0 + x1.
    by_pair = losses.reshape(base, base).T.ravel()
    also = (wanted.seed, wanted.train_fraction)
    drawn = find_split(by_pair, last, stated, also)
    if drawn is None:
        return None, "drawn here", None
    chosen = drawn.chosen
    return training_places(base, chosen.seed, chosen.share), "drawn again", drawn


def _extra_answers(logits: NDArray[np.float64], model: Converted) -> list[str]:
    """A note on the inputs for which a left-out class has the largest logit."""
    if model.extra_classes is None:
        return []
    won = int((logits.argmax(axis=1) >= model.base).sum())
    subject = "that class" if model.extra_classes.shape[1] == 1 else "one of these classes"
    return [f"{subject} would have been the answer to {won:,} of {model.base**2:,} inputs"]


def _config(model: Converted, epochs: int, wanted: Wanted, checkpoint: Checkpoint) -> Config:
    width, neurons = model.weights["blocks.0.mlp_in"].shape
    settings = model.settings
    operation = wanted.operation or checkpoint.operation or settings.operation
    if operation is None and settings.other_operation is not None:
        raise ValueError(
            f"{settings.other_operation}, which is no known operation: give --operation if it is "
            "equal to a known one"
        )
    return replace_fields(
        Config(),
        task="nanda",
        base=model.base,
        operation=operation or "add",
        train_fraction=wanted.train_fraction,
        width=width,
        depth=depth_of(model.weights),
        mlp_ratio=neurons // width,
        filter="none",
        dropout=0.0,
        task_scale="none",
        precision=str(model.weights["unembedding"].dtype),
        epochs=epochs,
        seed=wanted.seed,
        **model.model,
    )


def _split(places: NDArray[np.int64], config: Config, checkpoint: Checkpoint) -> Split:
    """The split, with the numbers in ascending order.

    The file gives validation and test, or else the numbers that did not train are divided: all are
    validation if the file has test losses, which are means over all of them; otherwise validation
    and test are drawn.

    Args:
        places: places of the pairs that trained.
        config: the run's configuration.
        checkpoint: the file's content.
    """
    base = config.task.base
    train = np.sort(places // base + base * (places % base)).astype(np.int32)
    answered = build_dataset(config.task, config.seed).answered
    if len(without := np.setdiff1d(train, answered)):
        raise ValueError(
            f"the pair ({without[0] % base}, {without[0] // base}) trained, but has no answer for "
            f"{config.task.operation}: give another --operation"
        )
    rest = np.setdiff1d(answered, train)
    if checkpoint.held_out is not None:
        validation, test = (np.sort(part).astype(np.int32) for part in checkpoint.held_out)
        if not len(validation) or not np.array_equal(np.sort([*validation, *test]), rest):
            raise ValueError(
                "tasks.json: validation and test must have each of the numbers that did not train "
                "once: remove both entries to have them drawn"
            )
        return Split(train, validation, test)
    rest = generator(Stream.IMPORTED_SPLIT, config.seed).permutation(rest)
    drawn = min(config.task.validation_size, (len(rest) + 1) // 2)
    cut = len(rest) if checkpoint.losses.step else drawn
    return Split(train, np.sort(rest[:cut]), np.sort(rest[cut:]))


def _weights(model: Converted, last: Converted) -> Weights:
    """A model's weights with the dtype of the last one's; their shapes must be equal."""
    weights = dict(model.weights)
    for key, array in last.weights.items():
        # Biases can be zero at this epoch, and so be left out, but not at the last.
        if key.endswith("_bias") and key not in weights:
            weights[key] = np.zeros(array.shape)
    shapes = [{key: array.shape for key, array in one.items()} for one in (weights, last.weights)]
    if shapes[0] != shapes[1]:
        raise ValueError("the checkpoints in the file have different shapes: expected one model")
    dtype = last.weights["unembedding"].dtype
    return {key: array.astype(dtype) for key, array in ordered(weights).items()}
