"""Writes history, snapshots, checkpoints and status of a batch's runs, between chunks.

The order of every save is history, checkpoint, status. Whenever a process is killed, the history
reaches at least to the newest checkpoint. Resuming drops what lies beyond it, and computes the same
again.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np

from miiii.config.config import replace_fields, to_toml
from miiii.experiment.batch import Batch
from miiii.experiment.members import Member, identity, run_status, stored_config
from miiii.experiment.program import Program, examples_per_epoch, numerics, state_template
from miiii.runs.atomic import write_atomically
from miiii.runs.counts import with_accuracies
from miiii.runs.errors import CheckpointNotFoundError, DamagedFileError, RunError
from miiii.runs.listing import STOPPED_KEY
from miiii.runs.thresholds import SOLVED, reached
from miiii.training.chunk import ChunkRecord, first_not_finite, history_rows
from miiii.training.state import expected_arrays, from_arrays, model_arrays, to_arrays


class Recorder:
    """Writes the files of a batch's runs.

    Args:
        members: the runs; those not present are skipped.
        warn: receives warnings, one line each.
    """

    def __init__(self, members: Sequence[Member], warn: Callable[[str], None]) -> None:
        self.members = list(members)
        self.problems: list[str] = []
        self._warn = warn
        self._pending: list[list[dict[str, np.ndarray]]] = [[] for _ in members]
        self._latest: list[dict[str, Any]] = [{} for _ in members]

    @property
    def paths(self) -> tuple[Path, ...]:
        """The run directories."""
        return tuple(member.directory.path for member in self.members if member.present)

    @property
    def alive(self) -> bool:
        """Whether any run still trains."""
        return bool(self._recorded)

    @property
    def _recorded(self) -> list[Member]:
        return [member for member in self.members if member.recorded]

    @property
    def ends(self) -> tuple[int | None, ...]:
        """For each path the epoch at which its stopping rule ended it; None where it did not."""
        return tuple(member.ended for member in self.members if member.present)

    def refuse_shrinking(self, epochs: int) -> None:
        """Refuse a number of epochs that is smaller than a run's."""
        for member in self.members:
            if member.present and epochs < member.config.training.epochs:
                raise ValueError(
                    f"epochs is {epochs}: the run {member.directory.name} was started with "
                    f"{member.config.training.epochs}, and a run may only grow"
                )

    def load(self, batch: Batch, epochs: int) -> tuple[int, Any]:
        """The newest state that every run of the batch has. Drops later history and snapshots.

        Returns:
            The epochs done, and the states; None: no epoch was saved, or none is left to train.
        """
        present = self._recorded
        if any(not member.present for member in self.members):
            self._warn("some runs of this batch are gone or failed; the others go on without them")
        with numerics(batch.setting):
            template = state_template(batch.setting)
        expected = expected_arrays(template)
        done = min(self._newest(member, expected) for member in present)
        loaded: list[Any] = []
        while done >= 0:
            try:
                loaded = [
                    member.directory.load_checkpoint(done, expected, identity(member.config)).arrays
                    for member in present
                ]
                break
            except (CheckpointNotFoundError, DamagedFileError) as error:
                saved = present[0].directory.checkpoint_epochs()
                if not (earlier := [epoch for epoch in saved if epoch < done]):
                    raise
                done = earlier[-1]
                self._warn(f"{error}; going back to epoch {done}")
        if done >= epochs:
            return done, None
        begun, done = done >= 0, max(done, 0)
        for member in present:
            self._set_aside_damaged(member, done, expected)
            member.directory.truncate_history(done)
            member.directory.count_history(examples_per_epoch(batch))
            member.directory.remove_snapshots_after(done)
        if not begun:
            return 0, None
        # The place of a run that is gone holds the first run's state, which is never read.
        states = iter(loaded)
        rows = [next(states) if member.recorded else loaded[0] for member in self.members]
        stacked = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
        return done, from_arrays(template, stacked)

    def _newest(self, member: Member, expected: Any) -> int:
        """The epoch of a run's newest usable checkpoint; −1 if it never had one."""
        try:
            found = member.directory.load_checkpoint(None, expected, identity(member.config))
        except CheckpointNotFoundError:
            if member.config.training.origin:
                begun = member.directory.provenance.get("branch", {})
                raise RunError(
                    f"run {member.directory.name} lacks the weights that it began with, those of "
                    f"{begun.get('run')} after epoch {begun.get('epoch')}: branch it again"
                ) from None
            return -1
        for warning in found.warnings:
            self._warn(warning)
        return found.epoch

    def _set_aside_damaged(self, member: Member, done: int, expected: Any) -> None:
        """Set damaged checkpoints aside, so that they do not count among the newest two."""
        for epoch in member.directory.checkpoint_epochs():
            if epoch > done:
                try:
                    member.directory.load_checkpoint(epoch, expected, identity(member.config))
                except DamagedFileError:
                    member.directory.set_aside(member.directory.checkpoint_path(epoch))

    def grow(self, epochs: int) -> list[Member]:
        """Give every run a larger number of epochs, and write configurations that changed."""
        for index, member in enumerate(self.members):
            config = replace_fields(member.config, epochs=epochs)
            if member.recorded and config != stored_config(member.directory):
                write_atomically(member.directory.path / "config.toml", to_toml(config).encode())
            self.members[index] = replace(member, config=config)
        return self.members

    def announce(self, done: int) -> None:
        """Record that training goes on from an epoch."""
        for member in self._recorded:
            before = dict(member.directory.status) if done else {}
            before.pop(STOPPED_KEY, None)
            status = run_status("running", done, member.config, {})
            member.directory.write_status({**before, **status})

    def add(
        self, record: ChunkRecord, done: int, count: int, program: Program
    ) -> tuple[dict[str, np.ndarray], ...]:
        """Take in a chunk. A run with a number that is not finite fails, and stays as saved."""
        record = jax.tree.map(np.asarray, record)
        batch, rows = program.batch, []
        every, examples = batch.setting.training.validate_every, examples_per_epoch(batch)
        for index, member in enumerate(self.members):
            # A run that has ended gets no rows: its place in the batch trains on unsaved.
            made = 0 if member.ended is not None else count
            run_rows = with_accuracies(history_rows(record, index, done, made, every, examples))
            rows.append(run_rows)
            if not member.recorded:
                continue
            bad = first_not_finite(run_rows, batch.task_names, program.weight_names)
            if bad is None:
                self._pending[index].append(run_rows)
                self._latest[index] = _summary(run_rows, self._latest[index], batch.task_names)
            else:
                self._fail(index, f"at epoch {bad[0]} the {bad[1]} is not finite")
        return tuple(rows)

    def _fail(self, index: int, problem: str) -> None:
        member = self.members[index]
        kept = member.directory.checkpoint_epochs()
        where = f"its last good checkpoint is of epoch {kept[-1]}" if kept else "nothing was saved"
        self.problems.append(
            f"run {member.directory.name}: {problem}; {where}; "
            "try a smaller learning_rate, or filter_strength"
        )
        status = run_status("failed", kept[-1] if kept else 0, member.config, self._latest[index])
        member.directory.write_status({**status, "problem": problem})
        self.members[index] = replace(member, present=False)

    def snapshot(self, states: Any, epoch: int) -> None:
        """Keep the weights of an epoch, averaged where the runs keep an average."""
        for index, arrays in self._finite_arrays(states.model, epoch):
            member = self.members[index]
            member.directory.save_snapshot(epoch, arrays, {"identity": identity(member.config)})

    def save(self, states: Any, done: int, state: str) -> None:
        """Write history, then checkpoint, then status, of every run."""
        for index, arrays in self._finite_arrays(states, done):
            self._save(index, arrays, done, state, {})

    def end(self, states: Any, done: int, since: Mapping[int, int]) -> None:
        """End some runs as finished, because their stopping rules are met; the others go on.

        Args:
            states: of the whole batch.
            done: the epoch.
            since: from a run's index to the epoch since which all its tasks hold.
        """
        for index, arrays in self._finite_arrays(states, done, since):
            member = self.members[index]
            training = member.config.training
            if training.snapshots:
                kept = {"identity": identity(member.config)}
                member.directory.save_snapshot(done, model_arrays(arrays), kept)
            stopped = {
                "epoch": done,
                "since": since[index],
                "stop_when": training.stop_when,
                "stop_after": training.stop_after,
            }
            self._save(index, arrays, done, "finished", {STOPPED_KEY: stopped})
            self.members[index] = replace(member, ended=done)

    def _save(
        self, index: int, arrays: dict[str, Any], done: int, state: str, more: dict[str, Any]
    ) -> None:
        member = self.members[index]
        if self._pending[index]:
            parts = self._pending[index]
            rows = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
            member.directory.append_history(int(rows["epoch"][0]), done, rows)
            self._pending[index] = []
        member.directory.save_checkpoint(done, arrays, {"identity": identity(member.config)})
        status = run_status(state, done, member.config, self._latest[index])
        member.directory.write_status({**status, **more})

    def _finite_arrays(
        self, states: Any, epoch: int, places: Collection[int] | None = None
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        """The arrays of every run, or of those at some indices; runs that are not finite fail."""
        host = jax.tree.map(np.asarray, states)
        for index, member in enumerate(self.members):
            if not member.recorded or (places is not None and index not in places):
                continue
            arrays = to_arrays(jax.tree.map(lambda leaf, i=index: leaf[i], host))
            bad = next((name for name, leaf in arrays.items() if not np.isfinite(leaf).all()), None)
            if bad is None:
                yield index, arrays
            else:
                self._fail(index, f"after epoch {epoch} the tensor {bad} is not finite")

    def settle(self, batch: Batch, done: int) -> None:
        """Write the status "finished" of runs that were killed between checkpoint and status."""
        for member in self._recorded:
            if member.directory.status.get("state") == "finished":
                continue
            member.directory.count_history(examples_per_epoch(batch))
            summary = _summary(member.directory.history(done), {}, batch.task_names)
            member.directory.write_status(run_status("finished", done, member.config, summary))

    def leave(self, state: str, done: int) -> None:
        """Record a state without new epochs: the batch was left before it computed any."""
        for member in self._recorded:
            status = run_status(state, done, member.config, {})
            member.directory.write_status({**member.directory.status, **status})


def _summary(
    rows: dict[str, np.ndarray], before: dict[str, Any], task_names: list[str]
) -> dict[str, Any]:
    """The accuracies in `status.json`; `before` is the last summary."""
    summary = {**before, "train_accuracy": round(float(rows["train_accuracy"][-1].mean()), 6)}
    if len(rows["validation_epoch"]):
        latest = rows["validation_accuracy"][-1]
        summary["validation_accuracy"] = round(float(latest.mean()), 6)
        solved = reached(latest, SOLVED, rows["validation_examples"][-1])
        summary["solved"] = [int(task_names[index]) for index in np.flatnonzero(solved)]
    return summary
