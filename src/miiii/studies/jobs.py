"""The untrained rest of a study, cut into jobs: runs that one process trains as a batch."""

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
    """Whether they exist already and are resumed."""
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
        """Epochs of each of its runs."""
        return self.runs[0].config.training.epochs


@dataclass(frozen=True)
class Survey:
    """The states of planned runs, in order."""

    states: tuple[tuple[PlannedRun, State], ...]

    def runs(self, *states: State) -> list[PlannedRun]:
        """The runs that are in one of these states."""
        return [run for run, state in self.states if state in states]


def survey(study: Study, experiments: Collection[str] | None = None) -> Survey:
    """Read the states of a study's runs, of some experiments or of all.

    Raises:
        StudyDiffersError: a directory holds a run of other settings.
        DamagedFileError: a run's status or configuration cannot be read.
    """
    wanted = study.plan.configs if experiments is None else experiments
    runs = [run for run in study.plan.runs if run.experiment in wanted]
    return Survey(tuple((run, study.state(run)) for run in runs))


def make_jobs(study: Study, found: Survey, batch: int = 1) -> list[Job]:
    """The jobs that are left in a study.

    Runs that were begun together go on together. Missing runs of one shape are put into batches.
    Failed runs would fail again, and get no job.

    Args:
        study: the study.
        found: the states of its runs.
        batch: the most runs of a new job. With 1 a run's arithmetic does not depend on the other
            jobs, so that a deleted run is remade bit for bit (on a CPU, with the same versions).
    """
    shapes: dict[Config, list[PlannedRun]] = {}
    for run in found.runs("missing"):
        shapes.setdefault(shape(run.config), []).append(run)
    new = [Job(tuple(part)) for runs in shapes.values() for part in _cut(runs, batch)]
    return [*_begun(study, found.runs("unfinished")), *new]


def _cut(runs: Sequence[PlannedRun], size: int) -> list[Sequence[PlannedRun]]:
    """Parts of at most `size`, as equal as possible, because every length needs its own program."""
    count = -(-len(runs) // size)
    ends = [len(runs) * index // count for index in range(count + 1)]
    return [runs[first:last] for first, last in pairwise(ends)]


def _begun(study: Study, unfinished: Sequence[PlannedRun]) -> list[Job]:
    """Jobs of interrupted runs, each with the runs that trained together."""
    groups: dict[tuple[str, ...], Job] = {}
    for run in unfinished:
        path = study.run_path(run)
        batch = RunDirectory(path).provenance.get("batch") or {}
        names = tuple(str(name) for name in batch.get("names", [run.name]))
        done = summarize(path).epoch or 0
        job = groups.get(names, Job((), begun=True, done=done))
        # Resuming goes back to the newest state that every run of the batch has.
        groups[names] = replace(job, runs=(*job.runs, run), done=min(job.done, done))
    return list(groups.values())
