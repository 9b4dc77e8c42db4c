"""A run that begins where a stored one stood: its weights, other settings.

A branch counts epochs on: one that leaves its origin after epoch 400 trains epoch 401 first, so
that schedules and random numbers go on as they would have. It holds its whole line, history and
snapshots of its origin up to there, and needs its origin no more.
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
from miiii.training.state import (
    AVERAGE,
    RAW,
    expected_arrays,
    from_arrays,
    model_arrays,
    to_arrays,
)
from miiii.training.step import fresh_state

_KEPT = (
    *(item.name for item in fields(ModelConfig)),
    *("task", "base", "moduli", "target", "operation", "classes", "labels", "precision"),
)
"""Settings that a branch has from its origin: what its weights mean."""


@dataclass(frozen=True)
class Origin:
    """Where a branch begins."""

    run: str | Path
    """A run's name, or its path."""
    epoch: int | None = None
    """Of a snapshot or a checkpoint; default: the newest weights."""
    optimiser: bool = False
    """Whether to take the optimiser's state as well; only checkpoints have it."""


class Branching:
    """Settles what branches of one run are, then writes their beginning.

    Args:
        origin: where they begin.
        configs: the settings wanted of each.
        runs_dir: where a name is looked up.

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
        # Before any directory is made, because it may be refused. Runs of a batch agree on it.
        self._state = self._first_state(self.configs[0])

    def _settled(self, config: Config) -> Config:
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
                f"{own.training.average_weights}: what a branch holds of its origin is of the "
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
        """What a branch's provenance says of where it begins."""
        own = self.run.config
        changed = differences(own, config)
        if read_split(self.run.path) is not None and own.task.split == DRAWN:
            changed.pop("split", None)  # An imported model's, which only its file tells.
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
        """What a user should know of a branch: numbers that its origin has trained on already.

        Of one that trains longer than its origin also with what rate it does.
        """
        notes = []
        if config.training.epochs > self.run.config.training.epochs:
            longer = longer_notes(config, self.epoch, config.training.epochs)
            notes = [f"the branch {note}" for note in longer]
        split = make_batch([config]).datasets[0].split
        seen = np.intersect1d(self.run.dataset.split.train, split.validation)
        if not len(seen):
            return notes
        return [
            *notes,
            f"{len(seen):,} of {len(split.validation):,} validation numbers were trained on by "
            f"{self.run.name}: their accuracy says nothing of what this run learns; "
            "leave seed, data_seed, split and train_fraction as they are to keep them apart",
        ]

    def begin(self, directory: RunDirectory, config: Config) -> None:
        """Write the line up to the origin's epoch into a new run; its checkpoint comes last."""
        own, of_branch = self.run.directory, {"identity": identity(config)}
        if self.epoch:
            asked = examples_per_epoch(make_batch([self.run.config]))
            rows = counted(own.history(self.epoch), asked)
            if config.training.average_weights and not self.run.config.training.average_weights:
                # Up to here the raw weights were the model.
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
        batch = make_batch([config])
        with numerics(batch.setting):
            template = state_template(batch.setting)
            raw = model_arrays(self._arrays, raw=True)
            # An average goes on; a new one starts from the weights that the branch begins with.
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
        told = [
            f"{name} is {changed[name][1]!r}, but run {self.run.name} has {changed[name][0]!r}"
            for name in (item.name for item in fields(type(config.optim)))
            if name in changed
        ]
        raise ValueError(
            f"{'; '.join(told) or self._other_form(found, expected)}: the optimiser's state does "
            "not fit, so leave --from-optimiser (optimiser=True) out to begin with a new one"
        )

    def _other_form(self, found: Mapping[str, Any], expected: Mapping[str, Any]) -> str:
        """Which arrays differ where no setting does: another optax names its state otherwise."""
        names = sorted({*found, *expected})
        first = next(name for name in names if found.get(name) != expected.get(name))
        here = package_versions().get("optax")
        there = self.run.provenance.get("versions", {}).get("optax")
        return (
            f"run {self.run.name} (optax {there}) has {found.get(first, 'no array')} as {first}, "
            f"optax {here} here has {expected.get(first, 'no such array')}"
        )


def _stored(run: Run, origin: Origin) -> tuple[int, dict[str, np.ndarray]]:
    """The epoch and its arrays, named as in a checkpoint."""
    directory, own = run.directory, identity(run.config)
    saved, kept = directory.checkpoint_epochs(), directory.snapshot_epochs()
    if not (saved if origin.optimiser else [*saved, *kept]):
        what = "no checkpoint, which has the optimiser's state" if kept else "no weights yet"
        raise ValueError(f"run {run.name} has {what}: there is nothing to branch from")
    if origin.epoch is None and saved and (origin.optimiser or saved[-1] >= max(kept, default=0)):
        found = directory.load_checkpoint(None, None, own)
        return found.epoch, found.arrays
    epoch = max(kept) if origin.epoch is None else origin.epoch
    if epoch in saved and (origin.optimiser or epoch not in kept):
        return epoch, directory.load_checkpoint(epoch, None, own).arrays
    if epoch not in kept or origin.optimiser:
        what = "the optimiser's state" if origin.optimiser else "weights"
        there = ", ".join(
            f"{e:,}" for e in (saved if origin.optimiser else sorted({*kept, *saved}))
        )
        raise ValueError(
            f"epoch is {epoch:,}, of which run {run.name} keeps no {what}: give one of {there}"
        )
    arrays = run.stored_weights.snapshot_arrays(epoch)
    return epoch, {RAW + name: array for name, array in arrays.items()}


def _digest(epoch: int, arrays: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.sha256(str(epoch).encode())
    for name, array in sorted(arrays.items()):
        digest.update(f" {name} {array.dtype} {array.shape} ".encode() + array.tobytes())
    return digest.hexdigest()[:16]
