"""Training of runs, from configuration to stored result: joins tasks, model, training and disk.

`start` creates run directories and trains, `resume` goes on. Both end in `_train`, which alternates
between compiled chunks of epochs and what Python does in between: history, snapshots, checkpoints,
progress, and the check whether to stop.
"""

import os
import shutil
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax

from miiii.config.config import Config, differences
from miiii.experiment.batch import Batch, make_batch
from miiii.experiment.branching import Branching, Origin
from miiii.experiment.compiled_programs import keep_programs
from miiii.experiment.conditions import changed_since, record_resumption
from miiii.experiment.ending import Endings, settle_batch
from miiii.experiment.interrupts import StopCheck, saving_first
from miiii.experiment.members import (
    NO_STOPPING,
    Member,
    find_members,
    new_member,
    refuse_other_generator,
    set_apart,
)
from miiii.experiment.pace import CheckpointClock, Pace
from miiii.experiment.program import compile_program, numerics
from miiii.experiment.progress import Progress, Report, default_progress
from miiii.experiment.recorder import Recorder
from miiii.experiment.schedules import longer_notes
from miiii.markup import heading, table
from miiii.runs.atomic import temporary_path
from miiii.runs.conditions import last_conditions
from miiii.runs.directory import RunDirectory
from miiii.runs.errors import DamagedFileError, RunError, RunLockedError
from miiii.runs.listing import ending_text
from miiii.runs.locking import marker_note
from miiii.runs.provenance import package_versions
from miiii.tasks.notes import TaskWarning, first_notes
from miiii.training.chunk import snapshot_epochs


@dataclass(frozen=True)
class Outcome:
    """How a batch ended."""

    state: str
    """finished, interrupted or failed (some run met a number that is not finite)."""
    paths: tuple[Path, ...]
    """The run directories."""
    done: int
    """Epochs made and saved."""
    problems: tuple[str, ...] = ()
    """The problem of each failed run, one line each."""
    stopped: tuple[int | None, ...] = ()
    """For each path the epoch at which its stopping rule ended it; None where it did not."""

    def _repr_html_(self) -> str:
        rows = [(path,) for path in self.paths] + [(problem,) for problem in self.problems]
        return heading(self.state, f"{self.done:,} epochs") + table(("run",), rows)


def start(
    configs: Sequence[Config],
    names: Sequence[str],
    runs_dir: Path = Path("runs"),
    *,
    force: bool = False,
    origin: Origin | None = None,
    command: Sequence[str] = (),
    progress: Progress | None = None,
    stop: StopCheck = lambda: False,
) -> Outcome:
    """Create one run per configuration and train them together.

    A branch with unchanged settings and the origin's optimiser state equals the origin trained on,
    bit for bit (on a CPU, under the same conditions: `runs.conditions`).

    Args:
        configs: they may differ in the settings of `shape.BATCHED_FIELDS`, and T_basis and T_miiii
            may be mixed; everything else must agree.
        names: one per run.
        runs_dir: the directory in which the run directories are made.
        force: move existing runs of these names aside instead of refusing.
        origin: a stored run whose weights they begin with; default: weights drawn from their
            seeds. Epochs continue the origin's count; the split stays the origin's where only the
            seed differs.
        command: recorded in the runs' provenance, where a command line starts them.
        progress: receives the events of training; default: a line in a notebook, elsewhere a
            `RunWarning` for every warning.
        stop: called between chunks; once true, the batch is saved and training ends. Ctrl-C (a
            notebook's stop button), SIGTERM, SIGHUP, SIGUSR1 and SIGXCPU do the same if they have
            no handler, and take effect after the save: a KeyboardInterrupt, or the end of the
            process.

    Warns:
        TaskWarning: properties that make the tasks easier, harder or emptier than they look, such
            as classes without a training number; not if a `command` is given, which prints them.

    Raises:
        ValueError: configurations that cannot share a batch or do not fit the origin, or a name
            that cannot be a directory's.
        RunError: a run exists, the origin has no such weights, or the disk cannot be written.
    """
    progress = progress or default_progress()
    branching = None if origin is None else Branching(origin, configs, runs_dir)
    if branching is not None:
        configs = branching.configs
        for message in branching.warnings(configs[0]):
            progress.warned(message)
    else:
        _refuse_branches(configs)
    batch = make_batch(configs)
    if not command:
        # The command line has printed them before it started anything.
        for note in first_notes(configs[0].task, batch.datasets[0]):
            warnings.warn(note, TaskWarning, stacklevel=2)
    members: list[Member] = []
    with (
        saving_first(stop) as stop,
        ExitStack() as stack,
        _kept_only_if_trained(members, branching),
    ):
        for index, (config, name) in enumerate(zip(configs, names, strict=True)):
            place = (list(names), index)
            more = {"branch": branching.record(config)} if branching else {}
            member = new_member(
                runs_dir, name, config, force, command, batch.split_hashes[index], place, more
            )
            members.append(member)
            try:
                stack.enter_context(member.directory.lock())
            except RunLockedError:
                members.pop()  # Another process found the new directory first, and trains the run.
                raise
            if branching is not None:
                branching.begin(member.directory, config)
        _note_marker(members[0], progress)
        if branching is None:
            return _train(batch, members, 0, None, progress, stop)
        done, states = Recorder(members, progress.warned).load(batch, configs[0].training.epochs)
        return _train(batch, members, done, states, progress, stop)


@contextmanager
def _kept_only_if_trained(members: Sequence[Member], branching: Branching | None) -> Iterator[None]:
    """Remove the directories of runs whose start fails before an epoch is saved."""
    begun = 0 if branching is None else branching.epoch
    try:
        yield
    except BaseException:
        places = [member.directory for member in members]
        saved = [each.checkpoint_epochs() + each.snapshot_epochs() for each in places]
        if max((epoch for epochs in saved for epoch in epochs), default=0) <= begun:
            for place in places:
                # Renamed first, at once, because other processes may be looking for runs to train.
                gone = temporary_path(place.path.parent)
                with suppress(OSError):
                    os.rename(place.path, gone)
                shutil.rmtree(gone, ignore_errors=True)
        raise


def _note_marker(member: Member, progress: Progress) -> None:
    if note := marker_note(member.directory.path):
        progress.warned(note)


def _refuse_branches(configs: Sequence[Config]) -> None:
    """Refuse configurations of branches, which name an origin, where none is given."""
    for config in configs:
        if config.training.origin:
            raise ValueError(
                f"origin is {config.training.origin!r}: these are settings of a branch, so give "
                "the run it begins with (miiii train --from RUN, or origin= of miiii.start), or "
                'set origin to "" to begin with weights drawn from the seed'
            )


def resume(
    run: str | Path,
    runs_dir: Path = Path("runs"),
    *,
    epochs: int | None = None,
    config: Config | None = None,
    rule: Mapping[str, float] | None = None,
    command: Sequence[str] = (),
    progress: Progress | None = None,
    stop: StopCheck = lambda: False,
) -> Outcome:
    """Resume a run, and those trained together with it, from the newest checkpoint.

    On a CPU the result equals an uninterrupted run bit for bit under the same conditions: versions,
    number of threads and flags (`runs.conditions`). If they have changed, training warns, and
    provenance lists them under `resumed`.

    Args:
        run: a name in `runs_dir`, or a path.
        runs_dir: the directory of the runs.
        epochs: a larger number of epochs than configured; default: as configured. A run that its
            stopping rule has ended then goes on without a rule, unless `rule` is given.
        config: the configuration that the run should have; only its `epochs` may be larger and its
            stopping rule another.
        rule: new values of `stop_when` and `stop_after`; default: as configured.
        command: recorded in the runs' provenance.
        progress: as in `start`.
        stop: as in `start`.

    Raises:
        ValueError: the configuration differs; the message lists the fields.
        RunError: there is no such run, it is in use, or no checkpoint can be read.
    """
    progress = progress or default_progress()
    directory = RunDirectory.open(runs_dir, run)
    if directory.provenance.get("imported"):
        raise RunError(
            f"{run} was trained elsewhere and imported: there is no optimiser's state to go on from"
        )
    members = find_members(directory)
    refuse_other_generator(members)
    own = next(member.config for member in members if member.chosen)
    rule = dict(rule or {})
    if config is not None:
        found = differences(own, config)
        longer = found.pop("epochs", None)
        rule = {name: found.pop(name)[1] for name in NO_STOPPING if name in found} | rule
        if found:
            raise ValueError(
                "the run was started with another configuration: "
                + "; ".join(f"{name} is {old!r}, not {new!r}" for name, (old, new) in found.items())
                + " (only epochs may grow; give a new --name to start another run)"
            )
        if longer is not None and epochs is None:
            epochs = longer[1]
    target = own.training.epochs if epochs is None else epochs
    ending = ending_text(directory.status)
    if ending and target > own.training.epochs and not rule:
        rule = {"stop_when": 0.0}
    members = settle_batch(members, rule)
    chosen = next(member for member in members if member.chosen)
    with saving_first(stop) as stop, ExitStack() as stack:
        for member in members:
            if member.recorded or member.chosen:
                stack.enter_context(member.directory.lock())
        _note_marker(chosen, progress)
        recorder = Recorder(members, progress.warned)
        recorder.refuse_shrinking(target)
        if chosen.ended is not None:
            return _finished(recorder, int(directory.status["epoch"]))
        if ended := _ended_for_good(members):
            if target > ended:
                raise RunError(
                    f"{run} ended at epoch {ended:,} and its checkpoints were "
                    "removed: it cannot be made longer, only trained again with more epochs"
                )
            return _finished(recorder, ended)
        if ending:
            set_apart(directory)
        batch = make_batch([member.config for member in members])
        try:
            done, states = recorder.load(batch, target)
        except DamagedFileError as error:
            raise _with_optax(error, directory) from error
        if done >= target:
            recorder.settle(batch, done)
            return _finished(recorder, done)
        members = recorder.grow(target)
        batch = make_batch([member.config for member in members])
        if target > own.training.epochs:
            for note in longer_notes(own, done, target):
                progress.warned(f"{directory.name} {note}")
        if changed := changed_since(directory, done, len(members)):
            progress.warned(
                f"{directory.name} trained up to epoch {done:,} under other conditions "
                f"({changed}): the rest is not bit for bit what it would have been"
            )
        return _train(batch, members, done, states, progress, stop, command)


def _with_optax(error: DamagedFileError, directory: RunDirectory) -> DamagedFileError:
    """The error for a damaged checkpoint, with versions of optax if its state does not fit."""
    if "'optimiser." not in error.problem:
        return error
    newest = (directory.checkpoint_epochs() or [0])[-1]
    recorded = last_conditions(directory.provenance, newest).get("versions") or {}
    of_run, installed = recorded.get("optax") or "unknown", package_versions()["optax"]
    if of_run == installed:
        return error
    return DamagedFileError(
        error.path,
        f"{error.problem}: the run's optax is {of_run}, installed is "
        f"{installed}; optax may have changed its state: go on with the run's "
        f"version (pip install optax=={of_run})",
    )


def _ended_for_good(members: Sequence[Member]) -> int:
    """The last epoch of a finished run whose checkpoints were removed; 0 if all can go on."""
    for member in members:
        status = member.directory.status if member.recorded else {}
        if status.get("state") == "finished" and not member.directory.checkpoint_epochs():
            return int(status.get("epoch") or 0)
    return 0


def _finished(recorder: Recorder, done: int) -> Outcome:
    return Outcome("finished", recorder.paths, done, stopped=recorder.ends)


def _train(
    batch: Batch,
    members: Sequence[Member],
    done: int,
    states: Any,
    progress: Progress,
    stop: StopCheck,
    resumed_by: Sequence[str] | None = None,
) -> Outcome:
    """Train from `done` epochs to the end, or until stopped; `resumed_by`: the resuming command."""
    training = batch.configs[0].training
    epochs = training.epochs
    keep_programs()
    recorder = Recorder(members, progress.warned)
    progress.started(members, done, epochs)
    with numerics(batch.setting):
        program = compile_program(batch, stop)
        if program is None:
            recorder.leave("interrupted", done)
            progress.interrupted(members, done)
            return Outcome("interrupted", recorder.paths, done)
        states = program.place(program.initial_states() if states is None else states)
        stops = snapshot_epochs(epochs, training.snapshots)
        if resumed_by is not None:
            for member in members:
                if member.recorded:
                    record_resumption(member.directory, done, len(members), resumed_by)
        recorder.announce(done)
        if done == 0 and stops:
            recorder.snapshot(states, 0)
        endings = Endings(recorder.members, done)
        recorder.end(states, done, endings.met(recorder.members, done))
        pace, clock = Pace(), CheckpointClock(time.monotonic(), training.checkpoint_seconds)
        while done < epochs and not stop() and recorder.alive:
            ends = [epochs, *endings.possible(recorder.members, done)]
            upcoming = min(epoch for epoch in (*stops, *ends) if epoch > done)
            count = min(pace.epochs(program.capacity), upcoming - done)
            began = time.monotonic()
            states, record = jax.block_until_ready(
                program.chunk(states, done, count, program.inputs)
            )
            pace.took(count, time.monotonic() - began)
            rows = recorder.add(record, done, count, program)
            done += count
            endings.take(rows)
            if done in stops:
                recorder.snapshot(states, done)
            recorder.end(states, done, endings.met(recorder.members, done))
            try:
                progress.advanced(Report(done, epochs, pace.epochs_per_second, rows))
            except BaseException:
                recorder.save(states, done, "interrupted")
                raise
            if clock.is_due(time.monotonic()) and done < epochs:
                recorder.save(states, done, "running")
                clock.saved(time.monotonic())
        # Runs that a stopping rule has ended are saved already, and skipped here.
        state = "finished" if done >= epochs or not recorder.alive else "interrupted"
        recorder.save(states, done, state)
        if state == "interrupted":
            progress.interrupted(members, done)
    if recorder.problems:
        return Outcome("failed", recorder.paths, done, tuple(recorder.problems), recorder.ends)
    return Outcome(state, recorder.paths, done, stopped=recorder.ends)
