"""A study on disk: a directory of ordinary runs, and one file that names them.

::

    studies/<name>/
      study.toml    scale, preset, settings, and per experiment its seeds and runs
      runs/         run directories, <experiment>-seed<N>
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from miiii import __version__
from miiii.config.config import Config, differences
from miiii.experiment.members import written_config
from miiii.runs.atomic import make_directory, write_atomically
from miiii.runs.creation import validate_name
from miiii.runs.directory import RunDirectory
from miiii.runs.errors import DamagedFileError, RunError, RunNotFoundError
from miiii.runs.jsonfiles import read_text
from miiii.runs.listing import DAMAGED, is_run, summarize
from miiii.runs.locking import lock_directory
from miiii.studies.plan import EXPERIMENTS, SCALES, Plan, PlannedRun
from miiii.studies.studyfile import plan_from_toml, plan_to_toml

if TYPE_CHECKING:
    from miiii.experiment.run import Run

FILE_NAME = "study.toml"
RUNS_NAME = "runs"
LOCKED_SECONDS = 10.0
"""How long a study's file that another process changes is waited for."""

State = Literal["missing", "unfinished", "finished", "failed"]
"""Of a planned run. failed: it met a number that is not finite, which it would meet again."""


class StudyDiffersError(RunError, ValueError):
    """What is there was made with other settings than what is asked for."""


class StudyNotFoundError(RunNotFoundError):
    """No study has this name or path; the arguments are those of the base."""

    def __str__(self) -> str:
        hint = "make one with: miiii reproduce"
        if self.nearest:
            hint = f"did you mean {self.nearest!r}?"
        return f"no study {self.name!r} in {self.runs_dir}: {hint}"


@dataclass(frozen=True)
class Study:
    """A study; it holds what its file says and no more. What the runs hold is read when asked."""

    path: Path
    plan: Plan
    version: str = __version__
    """Of the package that first wrote the file."""

    @property
    def name(self) -> str:
        """That of its directory."""
        return self.path.absolute().name

    @property
    def runs_dir(self) -> Path:
        """The directory of its runs."""
        return self.path / RUNS_NAME

    def run_path(self, run: PlannedRun) -> Path:
        """The directory of a run, whether or not it is there."""
        return self.runs_dir / run.name

    def state(self, run: PlannedRun) -> State:
        """How a planned run stands.

        Raises:
            StudyDiffersError: its directory holds a run of other settings.
            DamagedFileError: its status or configuration cannot be read.
        """
        path = self.run_path(run)
        if not is_run(path):
            return "missing"
        self._check(run)
        summary = summarize(path)
        if summary.state == DAMAGED:
            raise DamagedFileError(path, f"is damaged ({summary.problem}): delete it to remake it")
        if summary.state == "failed":
            return "failed"
        return "finished" if summary.is_over(run.config.training.epochs) else "unfinished"

    def missing(self) -> list[PlannedRun]:
        """The planned runs that are not there at all."""
        return [run for run in self.plan.runs if not is_run(self.run_path(run))]

    def runs(self) -> "dict[str, list[Run]]":
        """The runs that are there, by experiment, seeds ascending.

        Those without a saved epoch are left out, and so are experiments without runs. A run that is
        not finished is among them; `run.status` says how far it is.

        Raises:
            StudyDiffersError: a directory holds a run of other settings.
            DamagedFileError: a status or configuration cannot be read.
        """
        from miiii.experiment.run import load_run

        found: dict[str, list[Run]] = {}
        for planned in self.plan.runs:
            path = self.run_path(planned)
            if self.state(planned) != "missing" and summarize(path).epoch:
                found.setdefault(planned.experiment, []).append(load_run(path))
        return found

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the study's file for this process only, while it is changed.

        Its directory is made where it is missing. Training holds the runs, not the study.

        Raises:
            RunLockedError: another process does not leave it: perhaps an earlier version trains it.
            StorageError: the directory cannot be made.
        """
        make_directory(self.runs_dir)
        with lock_directory(self.path, seconds=LOCKED_SECONDS):
            yield

    def save(self) -> None:
        """Write the study's file.

        Raises:
            StorageError: the disk refuses; the file that was there is intact.
        """
        make_directory(self.runs_dir)
        text = plan_to_toml(self.plan, self.version)
        write_atomically(self.path / FILE_NAME, text.encode())

    def _check(self, run: PlannedRun) -> None:
        """A run directory must hold the run that the study means."""
        found = written_config(RunDirectory(self.run_path(run)))
        if listed := _differences(found, run.config):
            raise StudyDiffersError(
                f"{self.run_path(run)} is not the run that the study means: {listed}; "
                "move it away or delete it"
            )


def open_study(path: str | Path, studies_dir: str | Path = "studies") -> Study:
    """Open a study for reading.

    Args:
        path: a study's name in `studies_dir`, or its directory.
        studies_dir: where names are looked up.

    Raises:
        RunNotFoundError: there is none; the nearest name is given.
        DamagedFileError: its file cannot be read; the message says what is wrong with it.
    """
    studies_dir = Path(studies_dir)
    if str(path):
        for place in (studies_dir / path, Path(path)):
            if (place / FILE_NAME).is_file():
                return _read(place)
    raise StudyNotFoundError(str(path), studies_dir, study_names(studies_dir))


def study_names(studies_dir: str | Path = "studies") -> list[str]:
    """The names of all studies in a directory; none if it is missing."""
    return sorted(file.parent.name for file in Path(studies_dir).glob(f"*/{FILE_NAME}"))


def default_name(plan: Plan) -> str:
    """The scale for the first preset of small and medium, else both: paper-reference."""
    own = plan.scale != "paper" and plan.preset == SCALES[plan.scale][0]
    return plan.scale if own else f"{plan.scale}-{plan.preset}"


def join_study(plan: Plan, name: str = "", studies_dir: str | Path = "studies") -> Study:
    """A study with the experiments and seeds of a plan added to those that it has. Writes nothing.

    Args:
        plan: experiments and seeds that should be among the study's.
        name: default: as `default_name` says.
        studies_dir: where studies are.

    Raises:
        RunNameError: the name cannot be a directory's.
        StudyDiffersError: the study exists with other settings; the message names them.
        DamagedFileError: its file cannot be read.
    """
    name = validate_name(name or default_name(plan))
    path = Path(studies_dir) / name
    if not (path / FILE_NAME).exists():
        return Study(path, plan)
    study = _read(path)
    return replace(study, plan=_joined(study, plan))


def _joined(study: Study, plan: Plan) -> Plan:
    """The study's plan and the new one as one plan. Settings that both have must be equal."""
    old = study.plan
    for word, one, other in (
        ("scale", old.scale, plan.scale),
        ("preset", old.preset, plan.preset),
    ):
        if one != other:
            raise StudyDiffersError(_refusal(study, f"it has {word} {one}, not {other}"))
    pairs = {"T_miiii": (old.base, plan.base)}
    both = [key for key in old.configs if key in plan.configs]
    pairs |= {key: (old.configs[key], plan.configs[key]) for key in both}
    for key, (one, other) in pairs.items():
        if listed := _differences(one, other):
            raise StudyDiffersError(_refusal(study, f"in its {key}, {listed}"))
    configs = {**old.configs, **plan.configs}
    keys = [key for key in dict.fromkeys([*EXPERIMENTS, *configs]) if key in configs]
    seeds = {key: {*old.seeds.get(key, ()), *plan.seeds.get(key, ())} for key in keys}
    return replace(
        old,
        configs={key: configs[key] for key in keys},
        seeds={key: tuple(sorted(numbers)) for key, numbers in seeds.items()},
    )


def _refusal(study: Study, what: str) -> str:
    return f"study {study.path} was made otherwise: {what}; choose another --name or move it away"


def _differences(found: Config, wanted: Config) -> str:
    """Settings that differ, as `field is X, not Y`; `checkpoint_seconds` may differ."""
    pairs = differences(found, wanted)
    pairs.pop("checkpoint_seconds", None)
    return ", ".join(f"{name} is {one}, not {other}" for name, (one, other) in pairs.items())


def _read(path: Path) -> Study:
    file = path / FILE_NAME
    try:
        plan, version = plan_from_toml(read_text(file))
    except ValueError as error:
        raise DamagedFileError(file, f"cannot be used: {error}") from error
    return Study(path, plan, version)
