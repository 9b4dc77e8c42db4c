"""Branches: runs that begin with the weights of a stored run, its origin, and other settings.

A branch continues the count of epochs: after epoch 400 of its origin it trains epoch 401 first, so
that schedules and random numbers go on as they would have. It copies the origin's history and
snapshots up to there, and then no longer needs the origin.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import jax
import numpy as np

from miiii.config.config import Config, differences, replace_fields
from miiii.experiment.batch import make_batch
from miiii.experiment.members import identity
from miiii.experiment.program import examples_per_epoch, numerics, state_template
from miiii.experiment.run import Run, load_run
from miiii.experiment.schedules import longer_notes
from miiii.model.config import ModelConfig
from miiii.runs.counts import counted
from miiii.runs.directory import RunDirectory
from miiii.runs.provenance import package_versions
from miiii.runs.splits import read_split
from miiii.tasks.split_sizes import DRAWN
from miiii.tasks.splits import keep_split
from miiii.training.state import AVERAGE, RAW, expected_arrays, from_arrays, model_arrays, to_arrays
from miiii.training.step import fresh_state

_KEPT = (
    *(item.name for item in fields(ModelConfig)),
    *("task", "base", "moduli", "target", "operation", "classes", "labels", "precision"),
)
"""Settings that a branch shares with its origin, because its weights depend on them."""


@dataclass(frozen=True)
class Origin:
    """The run and the epoch at which a branch begins."""

    run: str | Path
    """A run's name, or its path."""
    epoch: int | None = None
    """The epoch of a snapshot or a checkpoint; default: that of the newest weights."""
    optimiser: bool = False
    """Whether to take the optimiser's state as well, which only checkpoints have."""


class Branching:
    """Checks the settings of branches of one run, then writes the start of each.

    Args:
        origin: where they begin.
        configs: the settings of each.
        runs_dir: the directory in which a name is looked up.

    Raises:
        ValueError: a setting does not fit the origin; the message names it.
        RunError: there is no such run, or it has no such weights.
    """

    def __init__(self, origin: Origin, configs: Sequence[Config], runs_dir: Path) -> None:
        self.run = load_run(origin.run, runs_dir)
        self.epoch, self._arrays = _stored(self.run, origin)
        self._optimiser = origin.optimiser
        self._digest = _digest(self.epoch, self._arrays)
        self.configs = [self._settled(config) for config in configs]
        # Before any directory is made, because it may be refused. Runs of a batch share the state.
        self._state = self._first_state(self.configs[0])

    def _settled(self, config: Config) -> Config:
        """The settings of a branch, checked, with its origin's digest and split."""
        own, name = self.run.config, self.run.name
        changed = differences(own, config)
        for field in _KEPT:
            if field in changed:
                old, new = changed[field]
                raise ValueError(
                    f"{field} is {new!r}, but run {name} has {old!r}: a branch keeps its origin's "
                    f"model, tasks and precision, so leave {field} as it is, or start a new run"
                )
        if config.training.origin not in ("", own.training.origin, self._digest):
            raise ValueError(
                f"origin is {config.training.origin!r}, but run {name} at epoch {self.epoch:,} is "
                f"{self._digest!r}: give the run and the epoch that the settings were made for"
            )
        if own.training.average_weights and not config.training.average_weights:
            raise ValueError(
                f"average_weights is {config.training.average_weights}, but run {name} has "
                f"{own.training.average_weights}: the snapshots that a branch copies are of the "
                "average, so leave average_weights as it is, or give another decay"
            )
        if config.training.epochs <= self.epoch:
            raise ValueError(
                f"epochs is {config.training.epochs:,}: a branch counts its origin's epochs on, "
                f"and leaves {name} after epoch {self.epoch:,}, so give more"
            )
        split = read_split(self.run.path)
        if split is not None and config.task.split == DRAWN:
            config = replace_fields(config, split=keep_split(split))
        if config.seed != own.seed and config.task.data_seed == own.task.data_seed == -1:
            config = replace_fields(config, data_seed=own.seed)
        return replace_fields(config, origin=self._digest)

    def record(self, config: Config) -> dict[str, Any]:
        """The record of the origin in a branch's provenance."""
        own = self.run.config
        changed = differences(own, config)
        if read_split(self.run.path) is not None and own.task.split == DRAWN:
            changed.pop("split", None)  # The configuration of an imported run does not name it.
        for name in ("origin", "epochs"):
            changed.pop(name, None)
        found = {
            "run": self.run.name,
            "epoch": self.epoch,
            "identity": identity(own),
            "digest": self._digest,
            "optimiser": self._optimiser,
            "settings": {name: list(pair) for name, pair in changed.items()},
        }
        before = self.run.provenance.get("branch")
        return found | ({"branch": before} if before else {})

    def warnings(self, config: Config) -> list[str]:
        """Warnings: the learning rate beyond the origin's epochs, and leaked validation numbers."""
        notes = []
        if config.training.epochs > self.run.config.training.epochs:
            longer = longer_notes(config, self.epoch, config.training.epochs)
            notes = [f"the branch {note}" for note in longer]
        split = make_batch([config]).datasets[0].split
        seen = np.intersect1d(self.run.dataset.split.train, split.validation)
        if len(seen):
            notes.append(
                f"{len(seen):,} of {len(split.validation):,} validation numbers were trained on by "
                f"{self.run.name}: their accuracy does not measure what this run learns; "
                "leave seed, data_seed, split and train_fraction as they are to keep them apart"
            )
        return notes

    def begin(self, directory: RunDirectory, config: Config) -> None:
        """Write the origin's history and snapshots into a new run, and last a checkpoint."""
        own, of_branch = self.run.directory, {"identity": identity(config)}
        if self.epoch:
            asked = examples_per_epoch(make_batch([self.run.config]))
            rows = counted(own.history(self.epoch), asked)
            if config.training.average_weights and not self.run.config.training.average_weights:
                # The origin keeps no average, so that its validation is of the raw weights.
                for name in ("loss", "correct"):
                    rows[f"validation_raw_{name}"] = rows[f"validation_{name}"]
            directory.append_history(1, self.epoch, rows)
        if config.training.snapshots:
            for epoch in own.snapshot_epochs():
                if epoch < self.epoch:
                    arrays, _ = own.load_snapshot(epoch, None, identity(self.run.config))
                    directory.save_snapshot(epoch, arrays, of_branch)
            directory.save_snapshot(self.epoch, model_arrays(self._state), of_branch)
        directory.save_checkpoint(self.epoch, self._state, of_branch)

    def _first_state(self, config: Config) -> dict[str, np.ndarray]:
        """The arrays of the state that a branch begins with."""
        batch = make_batch([config])
        with numerics(batch.setting):
            template = state_template(batch.setting)
            raw = model_arrays(self._arrays, raw=True)
            # An average continues; a new one starts from the weights that the branch begins with.
            average = {AVERAGE + name: array for name, array in model_arrays(self._arrays).items()}
            average = average if config.training.average_weights else {}
            if self._optimiser:
                state = {**self._arrays, **average}
                self._refuse_other_state(config, state, expected_arrays(template))
                return state
            weights = from_arrays(template.parameters, raw)
            made = jax.jit(lambda given: fresh_state(batch.setting, given))(weights)
            return {**to_arrays(made), **average}

    def _refuse_other_state(
        self, config: Config, state: Mapping[str, np.ndarray], expected: Mapping[str, Any]
    ) -> None:
        found = {name: (tuple(array.shape), str(array.dtype)) for name, array in state.items()}
        if found == dict(expected):
            return
        changed = differences(self.run.config, config)
        reasons = [
            f"{item.name} is {changed[item.name][1]!r}, but run {self.run.name} has "
            f"{changed[item.name][0]!r}"
            for item in fields(config.optim)
            if item.name in changed
        ]
        raise ValueError(
            f"{'; '.join(reasons) or self._other_form(found, expected)}: the optimiser's state "
            "does not fit, so leave --from-optimiser (optimiser=True) out to begin with a new one"
        )

    def _other_form(self, found: Mapping[str, Any], expected: Mapping[str, Any]) -> str:
        """The first array that differs though no setting does, as between versions of optax."""
        names = sorted({*found, *expected})
        first = next(name for name in names if found.get(name) != expected.get(name))
        here = package_versions().get("optax")
        there = self.run.provenance.get("versions", {}).get("optax")
        return (
            f"run {self.run.name} (optax {there}) has {found.get(first, 'no array')} as {first}, "
            f"optax {here} here has {expected.get(first, 'no such array')}"
        )


def _stored(run: Run, origin: Origin) -> tuple[int, dict[str, np.ndarray]]:
    """The epoch at which a branch begins, and its arrays, named as in a checkpoint."""
    directory, own = run.directory, identity(run.config)
    saved, kept = directory.checkpoint_epochs(), directory.snapshot_epochs()
    there = saved if origin.optimiser else sorted({*kept, *saved})
    if not there:
        lack = "no checkpoint, which has the optimiser's state" if kept else "no weights yet"
        raise ValueError(f"run {run.name} has {lack}: there is nothing to branch from")
    if origin.epoch is None and saved and (origin.optimiser or saved[-1] >= max(kept, default=0)):
        found = directory.load_checkpoint(None, None, own)
        return found.epoch, found.arrays
    epoch = max(kept) if origin.epoch is None else origin.epoch
    if epoch in saved and (origin.optimiser or epoch not in kept):
        return epoch, directory.load_checkpoint(epoch, None, own).arrays
    if epoch not in kept or origin.optimiser:
        lack = "optimiser's state" if origin.optimiser else "weights"
        raise ValueError(
            f"epoch is {epoch:,}, of which run {run.name} keeps no {lack}: give one of "
            f"{', '.join(f'{one:,}' for one in there)}"
        )
    arrays = run.stored_weights.snapshot_arrays(epoch)
    return epoch, {RAW + name: array for name, array in arrays.items()}


def _digest(epoch: int, arrays: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.sha256(str(epoch).encode())
    for name, array in sorted(arrays.items()):
        digest.update(f" {name} {array.dtype} {array.shape} ".encode() + array.tobytes())
    return digest.hexdigest()[:16]
