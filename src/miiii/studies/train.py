"""Training a study: what is missing is trained, what was interrupted goes on, what is done stays.

A process that takes a run's lock trains it (`worker.work`): those that are started here, and those
of other calls, on this machine or on others that share its disk.

How it is done depends on the device. On a CPU each run is a job of its own for a process with one
core, and there are as many processes as cores. Measured on two cores: with one thread an epoch
takes a tenth (p = 41, width 128) to a third (p = 31, width 64) less processor time than with two,
and no batch of two or four runs took less than the same runs one after the other, up to a quarter
more. It also makes a run's numbers independent of how many cores there are and of what else there
is to train. On an accelerator one process trains runs of one shape as one batch, as many as fit
into its memory. A run that is remade by itself then differs in the last bits from the same run in a
batch, because batched products are added up in another order.
"""

import json
import os
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from miiii.config.config import Config, replace_fields, to_toml
from miiii.experiment.interrupts import saving_first
from miiii.experiment.shape import shape
from miiii.runs.conditions import has_changed
from miiii.runs.directory import RunDirectory
from miiii.runs.listing import summarize
from miiii.studies.jobs import Job, Survey, make_jobs, survey
from miiii.studies.pool import Waiting, run_workers
from miiii.studies.progress import JobState, Tally, makespan
from miiii.studies.study import Study

TIMING_SECONDS = 1.5
"""How long the epochs of each kind of run are timed."""
MEMORY_SHARE = 0.7
"""Of the memory that runs may take."""
PROCESS_BYTES = 500 * 2**20
"""What a process takes before it trains: Python, JAX and its compiler."""
LARGEST_BATCH = 32
"""Runs; beyond it nothing is gained and an interruption costs more."""


@dataclass(frozen=True)
class Timing:
    """What one kind of run costs; measured here and now."""

    seconds_per_epoch: float
    """Of the job, whatever the number of its runs."""
    memory_bytes: int


@dataclass(frozen=True)
class Agenda:
    """What is to be done, and how long it will take."""

    survey: Survey
    jobs: tuple[Job, ...]
    """What was begun comes first, so that a study that is often interrupted has whole runs to show;
    then the longest, so that no worker is left alone with one at the end."""
    seconds_per_epoch: tuple[float, ...]
    """Of each job."""
    workers: int
    """Jobs at once."""
    batch: int = 0
    """Runs that train together in this process, with an accelerator; 0: workers train one each."""

    @property
    def seconds(self) -> float:
        """Until all is done, compilation not counted."""
        return makespan(self.job_seconds, self.workers)

    @property
    def job_seconds(self) -> list[float]:
        """What is left of each job."""
        pairs = zip(self.jobs, self.seconds_per_epoch, strict=True)
        return [(job.epochs - job.done) * each for job, each in pairs]

    @property
    def epochs(self) -> int:
        """To be trained, over all runs."""
        return sum((job.epochs - job.done) * len(job.runs) for job in self.jobs)


@dataclass(frozen=True)
class StudyOutcome:
    """How training a study ended."""

    state: str
    """finished, interrupted, or elsewhere: other processes train what is left."""
    problems: tuple[str, ...] = ()
    """One line per run that met a number that is not finite, now or earlier."""
    changed: int = 0
    """How many runs went on under other conditions than they began under (`runs.conditions`)."""


def choose_workers(workers: int | None = None) -> int:
    """How many processes with one core each; 0: this process, with an accelerator.

    Args:
        workers: how many, on a CPU; default: as many as there are cores.
    """
    import jax

    return (workers or cores()) if jax.default_backend() == "cpu" else 0


def cores() -> int:
    """Processor cores that this process may use, as many as its container grants."""
    try:
        count = len(os.sched_getaffinity(0))
    except AttributeError:
        count = os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return max(1, min(count, int(quota) // int(period)))
    except (OSError, ValueError):
        return count  # no container, or one without a limit ("max")


def make_agenda(
    study: Study,
    workers: int,
    stop: Waiting = lambda: False,
    announce: Callable[[], None] = lambda: None,
    experiments: Collection[str] | None = None,
) -> Agenda | None:
    """See what is left to do, and time a few epochs of each kind of run. None if stopped.

    Args:
        study: it need not have been saved yet.
        workers: how many at most, as `choose_workers` says.
        stop: asked again and again; true means stop.
        announce: called before anything is compiled, unless there is nothing to do.
        experiments: which to train; default: all of the study's.

    Raises:
        StudyDiffersError: a directory holds a run of other settings.
        DamagedFileError: a run's status or configuration cannot be read.
    """
    found, batch = survey(study, experiments), 0
    jobs = make_jobs(study, found)
    if jobs:
        announce()
    timings = _time(jobs, workers, stop)
    if timings and not workers and not stop():
        batch = runs_that_fit(max(timing.memory_bytes for timing in timings.values()))
        jobs = make_jobs(study, found, batch)
        timings |= _time([job for job in jobs if _kind(job) not in timings], workers, stop)
    if any(_kind(job) not in timings for job in jobs):
        return None
    costs = [(job, timings[_kind(job)].seconds_per_epoch) for job in jobs]
    costs.sort(key=lambda pair: (not pair[0].begun, (pair[0].done - pair[0].epochs) * pair[1]))
    processes = at_once(workers, timings.values(), len(jobs), _memory())
    return Agenda(
        found, tuple(job for job, _ in costs), tuple(cost for _, cost in costs), processes, batch
    )


def train_study(
    study: Study,
    agenda: Agenda,
    *,
    command: Sequence[str] = (),
    changed: Callable[[Tally, JobState | None], None] = lambda tally, state: None,
    warned: Callable[[str], None] = lambda message: None,
    stop: Waiting = lambda: False,
) -> StudyOutcome:
    """Train what is left; other processes may do the same. The study must have been saved.

    A run that was deleted is made again, and only that one; on a CPU, with the same versions and
    one thread as workers have, it is the same bit for bit. A run that met a number that is not
    finite would meet it again: it is left as it is and named.

    Args:
        study: what to train.
        agenda: as `make_agenda` found it.
        command: recorded as the origin of the numbers.
        changed: told how the study stands before anything is trained (None), and of every job that
            began, came further or ended.
        warned: told what the user should know and what stops nothing.
        stop: once true, runs at work are saved and left.

    Raises:
        RunError: the disk refuses, or a worker died; the other runs at work are saved first.
    """
    pairs = list(zip(agenda.jobs, agenda.seconds_per_epoch, strict=True))
    finished = len(agenda.survey.runs("finished", "failed"))
    tally = Tally(study.runs_dir, pairs, agenda.workers, finished)
    changed(tally, None)

    def look(now: bool = False) -> None:
        for state in tally.look(now):
            changed(tally, state)

    names = [name for job in agenda.jobs for name in job.names]
    with saving_first(stop) as stop:
        try:
            if agenda.batch:
                from miiii.studies.worker import Telling, work

                work(
                    study,
                    names,
                    batch=agenda.batch,
                    command=command,
                    progress=lambda group: Telling(group, warned, look),
                    stop=stop,
                )
            elif names:
                order = ["train", str(study.path), json.dumps([*command]), *names]
                run_workers([order] * agenda.workers, stop, warned, look, study.runs_dir)
        finally:
            look(now=True)
        stopped = stop()
    left = survey(study, {run.experiment for run, _ in agenda.survey.states})
    unfinished = left.runs("missing", "unfinished")
    state = "finished" if not unfinished else "interrupted" if stopped else "elsewhere"
    problems = [
        f"{run.name}: {summarize(study.run_path(run)).status.get('problem', 'failed')}"
        for run in left.runs("failed")
    ]
    elsewise = sum(
        has_changed(RunDirectory(study.run_path(run)).provenance)
        for run, run_state in left.states
        if run_state != "missing"
    )
    return StudyOutcome(state, tuple(problems), elsewise)


def _kind(job: Job) -> tuple[Config, int]:
    """What decides about the time that an epoch of a job takes."""
    return replace_fields(shape(job.runs[0].config), epochs=2**31 - 1), len(job.runs)


def _time(jobs: Sequence[Job], workers: int, stop: Waiting) -> dict[tuple[Config, int], Timing]:
    """Time each kind of job; those that were stopped are left out."""
    kinds = {_kind(job): job.configs for job in jobs}
    processes = min(workers or 1, len(kinds))
    shares = [list(kinds)[first::processes] for first in range(processes)]
    if workers:
        texts = [[to_toml(kinds[kind][0]) for kind in share] for share in shares]
        orders = [["time", str(TIMING_SECONDS), *share] for share in texts]
        answers = [json.loads(answer or "[]") for answer in run_workers(orders, stop)]
    else:
        from miiii.studies.worker import time_batches

        answers = [time_batches([*kinds.values()], TIMING_SECONDS, stop)]
    timed = [pair for pairs in map(zip, shares, answers) for pair in pairs]
    return {kind: Timing(*answer) for kind, answer in timed}


def at_once(workers: int, timings: Iterable[Timing], jobs: int, memory: float) -> int:
    """How many workers: as many as there are, have something to do, and fit into the memory.

    Args:
        workers: how many there are.
        timings: of each kind of job.
        jobs: how many there are to do.
        memory: of this machine, bytes.
    """
    largest = max((timing.memory_bytes for timing in timings), default=0)
    room = MEMORY_SHARE * memory / (largest + PROCESS_BYTES)
    return max(1, int(min(workers, jobs, room)))


def _memory() -> float:
    """Bytes of this machine's memory; infinite where it does not say."""
    try:
        return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, ValueError, OSError):
        return float("inf")


def runs_that_fit(bytes_per_run: int) -> int:
    """How many runs an accelerator's memory has room for."""
    import jax

    devices = jax.local_devices()
    limit = (devices[0].memory_stats() or {}).get("bytes_limit", 0) * len(devices)
    return max(1, min(LARGEST_BATCH, int(MEMORY_SHARE * limit / max(bytes_per_run, 1))))
