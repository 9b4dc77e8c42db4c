"""The `Measurements` of a run, made once and stored in its directory."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from miiii.analysis.recording import record, to_grid
from miiii.claims.measurements import VERSION, Measurements
from miiii.claims.rules import further_work as beyond_rules
from miiii.claims.rules import paper as rules
from miiii.experiment.run import Run
from miiii.results import measurements as measuring
from miiii.results.measurements import Progress
from miiii.results.multiples import multiples, primality
from miiii.runs.atomic import make_directory, write_atomically
from miiii.runs.checkpoints import epoch_path
from miiii.runs.errors import StorageError
from miiii.runs.jsonfiles import encode_json
from miiii.runs.tensors import stored_digest

StudyProgress = Callable[[str, int, int], None]
"""Called with (name of the run, snapshots done, all snapshots)."""

Depth = Literal["outside", "inside", "training"]
DEPTHS: tuple[Depth, ...] = ("outside", "inside", "training")
"""Extent of the measurements. outside: performance and gradients. inside: also neurons, embeddings
and attention of the last weights. training: also frequencies and causal sharing through the
snapshots, which takes most of the time."""

NAME = "analysis/measurements.json"
"""File of the measurements in the run directory."""


def measure(
    run: Run, progress: Progress | None = None, *, depth: Depth = "training"
) -> Measurements:
    """Measure a run, or read the stored measurements.

    Stored measurements are valid while their dependencies are unchanged: the configuration, the
    epoch, the weights of every snapshot and of the newest checkpoint, the version of the record and
    the thresholds of the measures. A disk that cannot be written is no error: then nothing is
    stored.

    Args:
        run: trained for at least one validation.
        progress: called once before measuring and after each snapshot; not for stored ones.
        depth: the least extent; stored measurements may have more.

    Raises:
        ValueError: the run has no validation yet.
        DamagedFileError: a file of the run cannot be read.
    """
    history = run.history
    if not len(history.validation_epoch):
        raise ValueError(
            f"run {run.name} cannot be measured: expected at least one validation, found none"
        )
    path, key = run.path / NAME, dependencies(run)
    kept = _read(path, key, depth)
    if kept is not None:
        # Settings are read anew: `Origin` may have fields that the stored record lacks.
        kept = replace(kept, origin=measuring.origin(run))
        return replace(kept, performance=measuring.with_exact_accuracies(kept.performance, history))
    if progress is not None:
        progress(0, 1)
    measured = measure_anew(run, progress, depth)
    with suppress(StorageError):
        make_directory(path.parent)
        content = {
            "key": key,
            "depth": depth,
            "measurements": json.loads(measured.to_json()),
        }
        write_atomically(path, encode_json(content))
    return measured


def stored_measurements(run: Run, depth: Depth = "training") -> Measurements | None:
    """The stored measurements of a run if they are valid; else None."""
    kept = _read(run.path / NAME, dependencies(run), depth)
    return None if kept is None else replace(kept, origin=measuring.origin(run))


def measure_runs(
    runs: Mapping[str, Sequence[Run]], progress: StudyProgress | None = None
) -> dict[str, list[Measurements]]:
    """Measure the runs of a study, each to the depth that the claims need.

    Args:
        runs: experiment (of `claims.rules`) to runs, as from `Study.runs`. Runs without a
            validation are left out.
        progress: called while a run is measured; not for runs with stored measurements.

    Returns:
        Measurements by experiment, for `claims.judge.judge`.

    Raises:
        DamagedFileError: a file of a run cannot be read.
    """
    measured: dict[str, list[Measurements]] = {}
    for experiment, several in runs.items():
        for run in several:
            if not len(run.history.validation_epoch):
                continue

            named = None if progress is None else partial(progress, run.name)
            result = measure(run, named, depth=depth_for(experiment))
            measured.setdefault(experiment, []).append(result)
    return measured


def depth_for(experiment: str) -> Depth:
    """The depth that the claims need of an experiment's runs."""
    if experiment in (*rules.FOLLOWED, *beyond_rules.FOLLOWED):
        return "training"
    return "inside" if experiment in rules.INSIDE else "outside"


def dependencies(run: Run) -> dict[str, Any]:
    """Everything that a run's measurements depend on, in JSON's types."""
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
            kind: [[epoch, stored_digest(epoch_path(run.path / kind, epoch))] for epoch in epochs]
            for kind, epochs in files.items()
        },
    }


def measure_anew(run: Run, progress: Progress | None, depth: Depth) -> Measurements:
    """Measure a run to this depth, whatever is stored, and store nothing."""
    parameters = run.parameters
    logits = record(parameters, "logits")["logits"]
    measured = Measurements(
        origin=measuring.origin(run),
        performance=measuring.performance(run, logits),
        gradients=measuring.gradients(run),
        primality=primality(run, logits),
        multiples=multiples(run, logits),
    )
    if depth == "outside":
        return measured
    names, base = ("mlp_hidden", "mlp_output", "attention_weights"), run.config.task.base
    hidden, output, attention = record(parameters, *names).values()
    measured = replace(
        measured,
        neurons=measuring.neurons(to_grid(hidden, base), to_grid(output, base)),
        frequencies=measuring.frequencies(run, progress, last_only=depth == "inside"),
        embeddings=measuring.embeddings(run, parameters),
        heads=measuring.heads(attention, base, run.config.model.attention_coefficient),
    )
    if depth == "inside":
        return measured
    held_from = measured.performance.held_from
    return replace(
        measured,
        sharing=measuring.sharing(run, held_from),
        late_sharing=measuring.late_sharing(run, held_from),
    )


def _read(path: Path, key: dict[str, Any], depth: Depth) -> Measurements | None:
    """The stored measurements, if the file is readable, has this key and at least this depth."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["key"] != key or DEPTHS.index(content["depth"]) < DEPTHS.index(depth):
            return None
        return Measurements.from_json(json.dumps(content["measurements"]))
    # The measurements can be made again, whatever is wrong with the file.
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
