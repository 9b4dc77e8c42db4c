"""A run's measurements, made once and kept beside it: run directory in, `Measurements` out."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import safetensors

from miiii import measuring
from miiii.analysis.recording import record, to_grid
from miiii.claims import rules
from miiii.claims.measurements import VERSION, Measurements
from miiii.measuring import Progress
from miiii.run import Run
from miiii.runs.atomic import make_directory, write_atomically
from miiii.runs.checkpoints import epoch_path
from miiii.runs.errors import StorageError
from miiii.runs.jsonfiles import encode_json

StudyProgress = Callable[[str, int, int], None]
"""Told the run that is being measured, and how many of its snapshots are done, of how many."""

NAME = "analysis/measurements.json"
"""Where they are kept, in the run directory."""


def measure(
    run: Run, progress: Progress | None = None, *, through_training: bool = True
) -> Measurements:
    """Measure a run, or read what an earlier call measured.

    What was kept counts as long as nothing that it depends on has changed: the configuration, the
    epoch, the weights of every snapshot and of the newest checkpoint, the version of the record and
    the thresholds that are measured by. Where the disk cannot be written nothing is kept.

    Args:
        run: trained for at least one validation.
        progress: told before anything is measured, and after each snapshot; not told of what was
            kept.
        through_training: whether frequencies and causal sharing are followed through the
            snapshots, which takes most of the time; otherwise frequencies are those of the last
            snapshot alone and sharing is not measured (unless they were before).

    Raises:
        ValueError: nothing was trained and validated yet.
        DamagedFileError: a file of the run cannot be read.
    """
    history = run.history
    if not len(history.validation_epoch):
        raise ValueError(
            f"run {run.name} cannot be measured: expected at least one validation, found none"
        )
    path, key = run.path / NAME, dependencies(run)
    kept = _read(path, key, through_training)
    if kept is not None:
        return kept
    if progress is not None:
        progress(0, 1)
    measured = _measure(run, progress, through_training)
    with suppress(StorageError):
        make_directory(path.parent)
        content = {
            "key": key,
            "through_training": through_training,
            "measurements": json.loads(measured.to_json()),
        }
        write_atomically(path, encode_json(content))
    return measured


def measure_runs(
    runs: Mapping[str, Sequence[Run]], progress: StudyProgress | None = None
) -> dict[str, list[Measurements]]:
    """Measure the runs of a study, each as far as the claims ask.

    Args:
        runs: experiment (a key of `claims.rules.EXPERIMENTS`) to runs, as `Study.runs` gives them.
            A run that was not validated yet is left out.
        progress: told which run is measured, and how many snapshots of it are; not told of runs
            whose measurements were kept.

    Returns:
        What `claims.judge.judge` takes.

    Raises:
        DamagedFileError: a file of a run cannot be read.
    """
    measured: dict[str, list[Measurements]] = {}
    for experiment, several in runs.items():
        for run in several:
            if not len(run.history.validation_epoch):
                continue

            def told(done: int, count: int, name: str = run.name) -> None:
                if progress is not None:
                    progress(name, done, count)

            followed = experiment in rules.FOLLOWED
            result = measure(run, told, through_training=followed)
            measured.setdefault(experiment, []).append(result)
    return measured


def dependencies(run: Run) -> dict[str, Any]:
    """Everything that decides a run's measurements, in JSON's own types."""
    directory = run.directory
    files = {
        "checkpoints": directory.checkpoint_epochs()[-1:],
        "snapshots": directory.snapshot_epochs(),
    }
    return {
        "version": VERSION,
        "config": hashlib.sha256(directory.config_text.encode()).hexdigest(),
        "epoch": int(run.history.epoch[-1]),
        "measured_by": {
            "generalised_at": rules.GENERALISED_AT,
            "strongest": rules.STRONGEST,
            "variance_share": rules.VARIANCE_SHARE,
            "leading_vectors": rules.LEADING_VECTORS,
            "vector_level": rules.VECTOR_LEVEL,
            "at_rest": rules.AT_REST,
        },
        **{
            kind: [[epoch, _digest(epoch_path(run.path / kind, epoch))] for epoch in epochs]
            for kind, epochs in files.items()
        },
    }


def _measure(run: Run, progress: Progress | None, through_training: bool) -> Measurements:
    parameters, base = run.parameters, run.config.task.base
    names = ("mlp_hidden", "mlp_output", "attention_weights", "logits")
    recorded = record(parameters, *names)
    performance = measuring.performance(run, recorded["logits"])
    return Measurements(
        origin=measuring.origin(run),
        performance=performance,
        gradients=measuring.gradients(run),
        neurons=measuring.neurons(
            to_grid(recorded["mlp_hidden"], base), to_grid(recorded["mlp_output"], base)
        ),
        frequencies=measuring.frequencies(run, progress, last_only=not through_training),
        embeddings=measuring.embeddings(run, parameters),
        heads=measuring.heads(recorded["attention_weights"], base),
        primality=measuring.primality(run, recorded["logits"]),
        sharing=measuring.sharing(run, performance.held_from) if through_training else None,
    )


def _read(path: Path, key: dict[str, Any], through_training: bool) -> Measurements | None:
    """What is kept, if it is whole, of that key, and holds what is asked for."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["key"] != key or through_training > content["through_training"]:
            return None
        return Measurements.from_json(json.dumps(content["measurements"]))
    # Whatever is wrong with a file that can be made again: it is made again.
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _digest(path: Path) -> str | None:
    """The digest that a tensor file carries; None for a file that has none or cannot be read."""
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            return (file.metadata() or {}).get("digest")
    except (OSError, safetensors.SafetensorError):
        return None
