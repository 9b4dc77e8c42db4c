"""What is left to do in a study, cut into jobs: runs that train together in one process."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from miiii.config.config import Config
from miiii.experiment.shape import shape
from miiii.runs.directory import RunDirectory
from miiii.runs.listing import summarize
from miiii.studies.plan import PlannedRun
from miiii.studies.study import State, Study


@dataclass(frozen=True)
class Job:
    """Runs that one process trains, as one batch."""

    runs: tuple[PlannedRun, ...]
    begun: bool = False
    """Whether they are on disk already, to be resumed."""
    done: int = 0
    """Epochs that are saved."""

    @property
    def names(self) -> tuple[str, ...]:
        """The runs' names."""
        return tuple(run.name for run in self.runs)

    @property
    def configs(self) -> tuple[Config, ...]:
        """The configuration of each."""
        return tuple(run.config for run in self.runs)

    @property
    def epochs(self) -> int:
        """That every one of its runs trains for."""
        return self.runs[0].config.training.epochs


@dataclass(frozen=True)
class Survey:
    """How a study stands, or some of its experiments."""

    states: tuple[tuple[PlannedRun, State], ...]
    """Planned runs, in order."""

    def runs(self, *states: State) -> list[PlannedRun]:
        """The runs that are in one of these states."""
        return [run for run, state in self.states if state in states]


def survey(study: Study, experiments: Collection[str] | None = None) -> Survey:
    """Look at the runs of a study.

    Args:
        study: the study.
        experiments: whose runs to look at; default: all.

    Raises:
        StudyDiffersError: a directory holds a run of other settings.
        DamagedFileError: a run's status or configuration cannot be read.
    """
    wanted = study.plan.configs if experiments is None else experiments
    runs = [run for run in study.plan.runs if run.experiment in wanted]
    return Survey(tuple((run, study.state(run)) for run in runs))


def make_jobs(study: Study, found: Survey, batch: int = 1) -> list[Job]:
    """Everything that is left to do.

    Runs that were begun together go on together. Those that are missing are batched with others of
    one shape, at most `batch` of them. Runs that failed would fail again and are left alone.

    Args:
        study: the study.
        found: how it stands.
        batch: runs per job. 1: a run's arithmetic does not depend on what else there is to do, so
            that one that is deleted is remade bit for bit (on a CPU, with
            the same versions).
    """
    missing = found.runs("missing")
    shapes: dict[Config, list[PlannedRun]] = {}
    for run in missing:
        shapes.setdefault(shape(run.config), []).append(run)
    parts = [part for runs in shapes.values() for part in _cut(runs, batch)]
    fresh = [Job(tuple(part)) for part in parts]
    return [*_begun(study, found.runs("unfinished")), *fresh]


def _cut(runs: Sequence[PlannedRun], size: int) -> list[Sequence[PlannedRun]]:
    """Parts of at most `size`, as even as can be: a program is compiled for each length."""
    count = -(-len(runs) // size)
    ends = [len(runs) * index // count for index in range(count + 1)]
    return [runs[first:last] for first, last in pairwise(ends)]


def _begun(study: Study, unfinished: Sequence[PlannedRun]) -> list[Job]:
    """Runs that were interrupted, with those that trained together with each."""
    groups: dict[tuple[str, ...], Job] = {}
    for run in unfinished:
        path = study.run_path(run)
        batch = RunDirectory(path).provenance.get("batch") or {}
        names = tuple(str(name) for name in batch.get("names", [run.name]))
        done = summarize(path).epoch or 0
        job = groups.get(names, Job((), begun=True, done=done))
        # All go back to the newest state that every one of them has.
        groups[names] = replace(job, runs=(*job.runs, run), done=min(job.done, done))
    return list(groups.values())
