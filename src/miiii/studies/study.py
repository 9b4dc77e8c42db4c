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
"""How long to wait for a study's file while another process changes it."""

State = Literal["missing", "unfinished", "finished", "failed"]
"""The state of a planned run. A run fails at a number that is not finite, and would fail again."""


class StudyDiffersError(RunError, ValueError):
    """A study or run exists with other settings than those asked for."""


class StudyNotFoundError(RunNotFoundError):
    """No study has this name or path; arguments as for the base class."""

    def __str__(self) -> str:
        hint = "make one with: miiii reproduce"
        if self.nearest:
            hint = f"did you mean {self.nearest!r}?"
        return f"no study {self.name!r} in {self.runs_dir}: {hint}"


@dataclass(frozen=True)
class Study:
    """The content of a study's file. Its runs are read on demand."""

    path: Path
    plan: Plan
    version: str = __version__
    """Version of the package that first wrote the file."""

    @property
    def name(self) -> str:
        """The name of its directory."""
        return self.path.absolute().name

    @property
    def runs_dir(self) -> Path:
        """The directory of its runs."""
        return self.path / RUNS_NAME

    def run_path(self, run: PlannedRun) -> Path:
        """The directory of a planned run, which need not exist."""
        return self.runs_dir / run.name

    def state(self, run: PlannedRun) -> State:
        """The state of a planned run.

        Raises:
            StudyDiffersError: its directory holds a run of other settings.
            DamagedFileError: its status or configuration cannot be read.
        """
        path = self.run_path(run)
        if not is_run(path):
            return "missing"
        if listed := _differences(written_config(RunDirectory(path)), run.config):
            raise StudyDiffersError(
                f"{path} is not the run that the study means: {listed}; move it away or delete it"
            )
        summary = summarize(path)
        if summary.state == DAMAGED:
            raise DamagedFileError(path, f"is damaged ({summary.problem}): delete it to remake it")
        if summary.state == "failed":
            return "failed"
        return "finished" if summary.is_over(run.config.training.epochs) else "unfinished"

    def missing(self) -> list[PlannedRun]:
        """The planned runs without a directory."""
        return [run for run in self.plan.runs if not is_run(self.run_path(run))]

    def runs(self) -> "dict[str, list[Run]]":
        """The runs with a saved epoch, by experiment, seeds ascending.

        Experiments without such runs are left out. Unfinished runs are included; `run.status` has
        their epoch.

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
        """Lock the study's file while it is changed, and make its directory if it is missing.

        Training locks the runs, not the study.

        Raises:
            RunLockedError: another process keeps the lock, perhaps an earlier version that trains.
            StorageError: the directory cannot be made.
        """
        make_directory(self.runs_dir)
        with lock_directory(self.path, seconds=LOCKED_SECONDS):
            yield

    def save(self) -> None:
        """Write the study's file.

        Raises:
            StorageError: the disk cannot be written; an earlier file is intact.
        """
        make_directory(self.runs_dir)
        text = plan_to_toml(self.plan, self.version)
        write_atomically(self.path / FILE_NAME, text.encode())


def open_study(path: str | Path, studies_dir: str | Path = "studies") -> Study:
    """Open a study for reading.

    Args:
        path: a study's name in `studies_dir`, or its directory.
        studies_dir: the directory in which names are looked up.

    Raises:
        RunNotFoundError: no such study; the message gives the nearest name.
        DamagedFileError: its file cannot be read; the message gives the problem.
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
    """The scale if it is small or medium with its first preset, else both: paper-reference."""
    first = plan.scale != "paper" and plan.preset == SCALES[plan.scale][0]
    return plan.scale if first else f"{plan.scale}-{plan.preset}"


def join_study(plan: Plan, name: str = "", studies_dir: str | Path = "studies") -> Study:
    """A study with the experiments and seeds of a plan added to its own. Writes nothing.

    Args:
        plan: experiments and seeds to add.
        name: of the study; default: `default_name`.
        studies_dir: the directory of the studies.

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
    found = [
        f"it has {field} {getattr(old, field)}, not {getattr(plan, field)}"
        for field in ("scale", "preset")
        if getattr(old, field) != getattr(plan, field)
    ]
    pairs = {"T_miiii": (old.base, plan.base)}
    both = [key for key in old.configs if key in plan.configs]
    pairs |= {key: (old.configs[key], plan.configs[key]) for key in both}
    found += [
        f"in its {key}, {listed}"
        for key, (one, other) in pairs.items()
        if (listed := _differences(one, other))
    ]
    if found:
        raise StudyDiffersError(
            f"study {study.path} was made with other settings: {found[0]}; choose another --name "
            "or move it away"
        )
    configs = {**old.configs, **plan.configs}
    keys = [key for key in dict.fromkeys([*EXPERIMENTS, *configs]) if key in configs]
    seeds = {key: {*old.seeds.get(key, ()), *plan.seeds.get(key, ())} for key in keys}
    return replace(
        old,
        configs={key: configs[key] for key in keys},
        seeds={key: tuple(sorted(numbers)) for key, numbers in seeds.items()},
    )


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
