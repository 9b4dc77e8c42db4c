"""A sweep on disk and in its storage: making one, opening one.

::

    sweeps/<name>/
      sweep.toml     the definition, and which storage holds the trials
      journal.log    the trials, unless another storage was chosen
      runs/          ordinary run directories, trial-<number>
      jobs/          logs of what `miiii sweep launch` started
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
"""User attribute of the study: where the sweep was made, so that a copy is told from it."""
TAKEN = "miiii taken"
"""User attribute of the study: the earlier sweep's trials that it began with, and their values."""
DEFINITION = "miiii"
"""The user attribute of Optuna's study that holds the definition."""
_HEADING = "# A sweep of miiii. Written by `miiii sweep new`.\n\n"


class SweepDiffersError(RunError, ValueError):
    """A sweep of that name exists with another definition."""


class SweepNotFoundError(RunNotFoundError):
    """No sweep has this name; the arguments are those of the base."""

    def __str__(self) -> str:
        hint = f"make one with: miiii sweep new {self.name}"
        if self.nearest:
            hint = f"did you mean {self.nearest!r}?"
        return f"no sweep {self.name!r} in {self.runs_dir}: {hint}"


class StorageGoneError(SweepNotFoundError):
    """The storage that a sweep's directory names is not there; the arguments are the base's."""

    def __str__(self) -> str:
        return (
            f"the trials of sweep {self.name!r} are in {self.runs_dir}, which is not there: put it "
            "back, or say with --storage where it is now"
        )


@dataclass(frozen=True)
class Sweep:
    """A sweep that is open."""

    path: Path
    """Its directory; it need not be there where the storage is elsewhere."""
    definition: Definition
    storage: PatientStorage
    study_id: int
    """The sweep's in its storage."""

    @property
    def name(self) -> str:
        """The sweep's, and that of Optuna's study."""
        return self.definition.name

    @property
    def runs_dir(self) -> Path:
        """Where the runs of the trials are."""
        if self.definition.study:
            return Path(self.definition.study) / RUNS_NAME
        return self.path / RUNS_NAME

    @property
    def shared_with(self) -> Path | None:
        """The directory that the sweep was made in, where this is a copy that shares its trials.

        None for the original, for a sweep that was moved, and for a copy with a journal of its own.
        """
        made_in = self.storage.get_study_user_attrs(self.study_id).get(DIRECTORY)
        if made_in is None or not _stored_place(self.path):
            return None
        original = Path(made_in)
        same = original == self.path.resolve()
        return None if same or not (original / FILE_NAME).is_file() else original

    @property
    def taken(self) -> Mapping[str, Any] | None:
        """The earlier sweep's name and its trials that this one began with; None: there is none."""
        return self.storage.get_study_user_attrs(self.study_id).get(TAKEN)

    @property
    def optuna_study(self) -> optuna.Study:
        """As Optuna has it."""
        return optuna.load_study(study_name=self.name, storage=self.storage)

    @property
    def made(self) -> int:
        """Trials that were made so far, those that continue others not counted."""
        trials = self.storage.get_all_trials(self.study_id, deepcopy=False)
        return sum(CONTINUES not in trial.user_attrs for trial in trials)

    def queue(self, patience: float) -> Queue:
        """The sweep's trials as a worker sees them."""
        trials = self.definition.trials
        return Queue(self.storage, self.study_id, self.runs_dir, patience, trials)

    def settings(self, params: dict[str, Any], study: Study | None = None) -> Config:
        """The configuration of a trial.

        Args:
            params: of the trial.
            study: the study whose runs are the trials, where there is one.

        Raises:
            ValueError: such a run is not possible.
        """
        if study is None:
            return self.definition.settings(params)
        for run in study.plan.runs:
            if (run.experiment, run.config.seed) == (params[EXPERIMENT], params[SEED]):
                return run.config
        raise ValueError(
            f"study {study.name} has no run of {params[EXPERIMENT]} with seed {params[SEED]} any "
            "more: make a new sweep of it"
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
    """Make a sweep with its trials, or finish making one, or give it more trials.

    Args:
        definition: what it is.
        sweeps_dir: where its directory is made.
        storage: where the trials are kept; empty: a journal file in that directory.
        progress: told how many trials are made, of how many.
        before: called once the sweep is there, before any of its trials is.
        taken: the trials of an earlier sweep that it begins with, to be kept with it.
        tell: told when the storage or its lock is waited for.

    Raises:
        SweepDiffersError: there is one of that name that differs in more than having fewer trials.
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
    # A storage that cannot be reached leaves nothing behind.
    place = storage or stored or ""
    opened = open_storage(place) if place else None
    opened = opened or open_storage(str(_new_journal(path)))
    make_directory(path)
    opened.away = tell
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
    """Where a sweep's journal file goes; nothing is left where its file system has no locks.

    Raises:
        StorageError: the directory cannot be made, or gives no lock.
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
        name: its name.
        sweeps_dir: where its directory is.
        storage: where its trials are kept, on a machine that has no such directory; default: what
            the directory says.

    Raises:
        SweepNotFoundError: there is none of that name; the nearest is given.
        StorageAwayError: the storage cannot be reached.
        DamagedFileError: its file cannot be read.
    """
    path = sweeps_dir / name
    place = storage or _stored_place(path)
    if place is None:
        there = [each.parent.name for each in sweeps_dir.glob(f"*/{FILE_NAME}")]
        raise SweepNotFoundError(name, sweeps_dir, there)
    place = place or str(path / JOURNAL)
    if is_missing(place):
        if not storage:
            raise StorageGoneError(name, place)
        raise SweepNotFoundError(name, f"{place}, which is not there")
    opened = open_storage(place)
    try:
        study_id = opened.get_study_id_from_name(name)
    except KeyError:
        there = [each.study_name for each in opened.get_all_studies()]
        raise SweepNotFoundError(name, hide_password(place), there) from None
    return Sweep(path, _read(opened, study_id, name), opened, study_id)


def check_version(sweep: Sweep) -> None:
    """Refuse to work on a sweep that another version of the package made.

    Raises:
        SweepDiffersError: the versions differ: the numbers might, too.
    """
    if sweep.definition.version != __version__:
        raise SweepDiffersError(
            f"sweep {sweep.name!r} was made by miiii {sweep.definition.version}, and this is "
            f"{__version__}: their numbers may differ. Install that version, or say --any-version"
        )


def _name_objectives(storage: PatientStorage, definition: Definition) -> None:
    """For Optuna's own tools, which otherwise say "Objective 0"."""
    study = optuna.load_study(study_name=definition.name, storage=storage)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        study.set_metric_names(list(definition.objectives))


def _stored_place(path: Path) -> str | None:
    """The storage that a sweep's directory names; empty: the journal file; None: no directory."""
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
    """What is there already, with as many trials as are wanted now."""
    if listed := list_differences(found, replace(wanted, trials=found.trials)):
        raise SweepDiffersError(
            f"sweep {wanted.name!r} exists with another definition ({'; '.join(listed)}): choose "
            f"another name, or remove {sweeps_dir / wanted.name}"
        )
    return replace(found, trials=max(found.trials, wanted.trials))


def _templates(sweep: Sweep) -> Iterator[optuna.trial.FrozenTrial]:
    """Every trial as it waits."""
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
    """A trial per run of a study, finished runs included: the worker that takes one ends it."""
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
