"""Make and open a sweep, on disk and in its storage.

::

    sweeps/<name>/
      sweep.toml     the definition, and the storage that holds the trials
      journal.log    the trials, unless another storage was chosen
      runs/          ordinary run directories, trial-<number>
      jobs/          logs of the workers that `miiii sweep launch` started
"""

import shutil
import tomllib
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import optuna
import tomli_w
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.exceptions import DuplicatedStudyError, ExperimentalWarning
from optuna.study import StudyDirection
from optuna.trial import TrialState, create_trial

from miiii import __version__
from miiii.config.config import Config
from miiii.runs.atomic import make_directory, storage_errors, write_atomically
from miiii.runs.errors import DamagedFileError, RunError, RunNotFoundError, StorageError
from miiii.runs.jsonfiles import read_text
from miiii.studies.study import Study, open_study
from miiii.sweeps.queue.attempts import CONTINUES, RUN
from miiii.sweeps.queue.queue import Queue
from miiii.sweeps.queue.storage import (
    JOURNAL,
    PatientStorage,
    absolute,
    check_lock,
    hide_password,
    is_missing,
    open_storage,
)
from miiii.sweeps.search.definition import Definition, definition_from_text, list_differences
from miiii.sweeps.search.sampling import EXPERIMENT, SEED, distributions, planned_points

FILE_NAME = "sweep.toml"
RUNS_NAME = "runs"
DIRECTORY = "miiii directory"
"""User attribute of Optuna's study: the directory of the original sweep, which copies lack."""
TAKEN = "miiii taken"
"""User attribute of Optuna's study: trials taken over from an earlier sweep, with their values."""
DEFINITION = "miiii"
"""User attribute of Optuna's study: the definition as TOML."""
_HEADING = "# A sweep of miiii. Written by `miiii sweep new`.\n\n"


class SweepDiffersError(RunError, ValueError):
    """A sweep of that name exists with another definition or by another version."""


class SweepNotFoundError(RunNotFoundError):
    """No sweep has this name; takes the arguments of `RunNotFoundError`."""

    def __str__(self) -> str:
        hint = f"make one with: miiii sweep new {self.name}"
        if self.nearest:
            hint = f"did you mean {self.nearest!r}?"
        return f"no sweep {self.name!r} in {self.runs_dir}: {hint}"


class StorageGoneError(SweepNotFoundError):
    """The storage of a sweep is missing; takes the sweep's name and the storage's path."""

    def __str__(self) -> str:
        return (
            f"the trials of sweep {self.name!r} are in {self.runs_dir}, which does not exist: "
            "restore it, or give its new place with --storage"
        )


@dataclass(frozen=True)
class Sweep:
    """An open sweep."""

    path: Path
    """The sweep's directory; it may be missing if the trials are in another storage."""
    definition: Definition
    storage: PatientStorage
    study_id: int
    """The number of Optuna's study in the storage."""

    @property
    def name(self) -> str:
        """Name of the sweep and of Optuna's study."""
        return self.definition.name

    @property
    def runs_dir(self) -> Path:
        """The directory of the trials' runs."""
        return (Path(self.definition.study) if self.definition.study else self.path) / RUNS_NAME

    @property
    def shared_with(self) -> Path | None:
        """The original's directory, if this directory is a copy that shares the original's trials.

        None for the original, for a sweep that was moved, and for a copy with a separate journal.
        """
        made_in = self.storage.get_study_user_attrs(self.study_id).get(DIRECTORY)
        if made_in is None or not _stored_place(self.path):
            return None
        original = Path(made_in)
        same = original == self.path.resolve()
        return None if same or not (original / FILE_NAME).is_file() else original

    @property
    def taken(self) -> Mapping[str, Any] | None:
        """The record of the trials taken over from an earlier sweep; None if there is none."""
        return self.storage.get_study_user_attrs(self.study_id).get(TAKEN)

    @property
    def optuna_study(self) -> optuna.Study:
        """Optuna's study."""
        return optuna.load_study(study_name=self.name, storage=self.storage)

    @property
    def made(self) -> int:
        """Number of trials that were made so far, without those that continue others."""
        trials = self.storage.get_all_trials(self.study_id, deepcopy=False)
        return sum(CONTINUES not in trial.user_attrs for trial in trials)

    def queue(self, patience: float) -> Queue:
        """The queue through which a worker takes trials.

        Args:
            patience: seconds without a sign of life after which a trial is taken over.
        """
        trials = self.definition.trials
        return Queue(self.storage, self.study_id, self.runs_dir, patience, trials)

    def settings(self, params: dict[str, Any], study: Study | None = None) -> Config:
        """The configuration of a trial.

        Args:
            params: the trial's parameters.
            study: the study whose runs are the trials; None if the sweep has a search space.

        Raises:
            ValueError: no run can have these settings, or the study has no such run.
        """
        if study is None:
            return self.definition.settings(params)
        for run in study.plan.runs:
            if (run.experiment, run.config.seed) == (params[EXPERIMENT], params[SEED]):
                return run.config
        raise ValueError(
            f"study {study.name} no longer has a run of {params[EXPERIMENT]} with seed "
            f"{params[SEED]}: make a new sweep of it"
        )


def make_sweep(
    definition: Definition,
    sweeps_dir: Path,
    storage: str = "",
    progress: Callable[[int, int], None] = lambda made, all_: None,
    before: Callable[[Sweep], None] = lambda made: None,
    taken: Mapping[str, Any] | None = None,
    tell: Callable[[str], None] = lambda message: None,
) -> Sweep:
    """Make a sweep with its trials, complete an unfinished one, or add trials to an existing one.

    Args:
        definition: the sweep's definition.
        sweeps_dir: the directory that holds the sweep's directory.
        storage: the trials' storage; empty: a journal file in the sweep's directory.
        progress: receives the number of trials made so far, and of all trials.
        before: called after the sweep is made and before its first trial is made.
        taken: record of the trials taken over from an earlier sweep, stored with this one.
        tell: receives a message while the storage or its lock is waited for.

    Raises:
        SweepDiffersError: a sweep of that name exists, and more differs than the number of trials.
        StorageAwayError: the storage cannot be reached.
        StorageError: the directory cannot be made.
    """
    definition.check_points()
    path, storage = sweeps_dir / definition.name, absolute(storage)
    stored = _stored_place(path)
    if stored is not None and storage and absolute(stored) != storage:
        raise SweepDiffersError(
            f"sweep {definition.name!r} exists in {sweeps_dir} with another storage: "
            f"{hide_password(stored) or 'its journal file'}, not {hide_password(storage)}"
        )
    # The directory is made after the storage is open, so that a failure leaves no directory.
    place = storage or stored or ""
    opened = open_storage(place or str(_new_journal(path)))
    make_directory(path)
    opened.notify = tell
    directions = [StudyDirection[name.upper()] for name in definition.directions]
    try:
        study_id = opened.create_new_study(directions, definition.name)
        if taken is not None:
            opened.set_study_user_attr(study_id, TAKEN, dict(taken))
        opened.set_study_user_attr(study_id, DEFINITION, definition.to_text())
        opened.set_study_user_attr(study_id, DIRECTORY, str(path.resolve()))
        _name_objectives(opened, definition)
    except DuplicatedStudyError:
        study_id = opened.get_study_id_from_name(definition.name)
        definition = _joined(definition, _read(opened, study_id, definition.name), sweeps_dir)
        opened.set_study_user_attr(study_id, DEFINITION, definition.to_text())
    sweep = Sweep(path, definition, opened, study_id)
    record = {"storage": place, **tomllib.loads(definition.to_text())}
    if sweep.taken is not None:
        record["taken"] = sweep.taken
    make_directory(sweep.runs_dir)
    write_atomically(path / FILE_NAME, (_HEADING + tomli_w.dumps(record)).encode())
    if not sweep.made:
        before(sweep)
    missing = list(_templates(sweep))[sweep.made :]
    for index, template in enumerate(missing):
        opened.create_new_trial(study_id, template)
        progress(definition.trials - len(missing) + index + 1, definition.trials)
    return sweep


def _new_journal(path: Path) -> Path:
    """Path of a sweep's journal file. A new directory is removed if its file system has no locks.

    Raises:
        StorageError: the directory cannot be made, or its file system has no locks.
    """
    is_new = not path.exists()
    make_directory(path)
    try:
        with storage_errors(path):
            check_lock(path / JOURNAL)
    except StorageError:
        if is_new:
            shutil.rmtree(path, ignore_errors=True)
        raise
    return path / JOURNAL


def open_sweep(name: str, sweeps_dir: Path, storage: str = "") -> Sweep:
    """Open a sweep.

    Args:
        name: the sweep's name.
        sweeps_dir: the directory that holds the sweep's directory.
        storage: the trials' storage, for a machine without the sweep's directory; empty: the one
            that the directory names.

    Raises:
        SweepNotFoundError: no sweep has that name; the message gives the nearest.
        StorageAwayError: the storage cannot be reached.
        DamagedFileError: sweep.toml cannot be read.
    """
    path = sweeps_dir / name
    place = storage or _stored_place(path)
    if place is None:
        known = [each.parent.name for each in sweeps_dir.glob(f"*/{FILE_NAME}")]
        raise SweepNotFoundError(name, sweeps_dir, known)
    place = place or str(path / JOURNAL)
    if is_missing(place):
        if not storage:
            raise StorageGoneError(name, place)
        raise SweepNotFoundError(name, f"{place}, which does not exist")
    opened = open_storage(place)
    try:
        study_id = opened.get_study_id_from_name(name)
    except KeyError:
        known = [each.study_name for each in opened.get_all_studies()]
        raise SweepNotFoundError(name, hide_password(place), known) from None
    return Sweep(path, _read(opened, study_id, name), opened, study_id)


def check_version(sweep: Sweep) -> None:
    """Refuse to work on a sweep that another version of the package made.

    Raises:
        SweepDiffersError: the versions differ, so their numbers may differ.
    """
    if sweep.definition.version != __version__:
        raise SweepDiffersError(
            f"sweep {sweep.name!r} was made by miiii {sweep.definition.version}, and this is "
            f"{__version__}: their numbers may differ. Install that version, or give --any-version"
        )


def _name_objectives(storage: PatientStorage, definition: Definition) -> None:
    """Store the objectives' names for Optuna's tools, which otherwise show "Objective 0"."""
    study = optuna.load_study(study_name=definition.name, storage=storage)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        study.set_metric_names(list(definition.objectives))


def _stored_place(path: Path) -> str | None:
    """The storage that sweep.toml names; empty: the journal file; None: there is no sweep.toml."""
    file = path / FILE_NAME
    if not file.is_file():
        return None
    try:
        place = tomllib.loads(read_text(file)).get("storage", "")
    except tomllib.TOMLDecodeError as error:
        raise DamagedFileError(file, f"is not valid TOML: {error}") from error
    return str(place)


def _read(storage: PatientStorage, study_id: int, name: str) -> Definition:
    text = storage.get_study_user_attrs(study_id).get(DEFINITION)
    if text is None:
        raise SweepDiffersError(f"the study {name!r} in that storage was not made by miiii")
    try:
        return definition_from_text(text)
    except ValueError as error:
        raise SweepDiffersError(f"sweep {name!r} cannot be read: {error}") from error


def _joined(wanted: Definition, found: Definition, sweeps_dir: Path) -> Definition:
    """The existing definition, with the larger of both numbers of trials."""
    if listed := list_differences(found, replace(wanted, trials=found.trials)):
        raise SweepDiffersError(
            f"sweep {wanted.name!r} exists with another definition ({'; '.join(listed)}): choose "
            f"another name, or remove {sweeps_dir / wanted.name}"
        )
    return replace(found, trials=max(found.trials, wanted.trials))


def _templates(sweep: Sweep) -> Iterator[optuna.trial.FrozenTrial]:
    """All trials, in the waiting state."""
    definition = sweep.definition
    if definition.space is None:
        yield from _study_templates(open_study(definition.study, Path()))
        return
    points, space = planned_points(definition), distributions(definition.space)
    if points is None:
        for point in definition.first:
            yield create_trial(state=TrialState.WAITING, params=dict(point), distributions=space)
        for _ in range(definition.trials - len(definition.first)):
            yield create_trial(state=TrialState.WAITING)
        return
    for point in points:
        yield create_trial(state=TrialState.WAITING, params=point, distributions=space)


def _study_templates(study: Study) -> Iterator[optuna.trial.FrozenTrial]:
    """A trial for each run of a study; a worker that takes a finished run reports its values."""
    runs = study.plan.runs
    space: dict[str, BaseDistribution] = {
        EXPERIMENT: CategoricalDistribution(list(study.plan.configs)),
        SEED: CategoricalDistribution(sorted({run.config.seed for run in runs})),
    }
    for run in runs:
        yield create_trial(
            state=TrialState.WAITING,
            params={EXPERIMENT: run.experiment, SEED: run.config.seed},
            distributions=space,
            user_attrs={RUN: run.name},
        )
