"""Training a study: missing runs are trained, interrupted ones go on, finished ones stay.

A process that takes a run's lock trains it (`worker.work`): the processes started here, and those
of other calls, on this machine or on others that share its disk.

On a CPU each run is a job of its own for a process with one core, and there are as many processes
as cores. Measured on two cores: with one thread an epoch takes a tenth (p = 41, width 128) to a
third (p = 31, width 64) less processor time than with two. Batches of two or four runs took as much
time as the same runs one after the other, or up to a quarter more. With one core each, a run's
numbers depend neither on the number of cores nor on the other runs. On an accelerator one process
trains runs of one shape as one batch, as many as fit into its memory. A run that is remade without
its batch differs in the last bits, because batched products are summed in another order.
"""

import json
import os
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from miiii.config.config import Config, replace_fields, to_toml
from miiii.experiment.interrupts import StopCheck, saving_first
from miiii.experiment.shape import shape
from miiii.runs.conditions import has_changed
from miiii.runs.directory import RunDirectory
from miiii.runs.listing import summarize
from miiii.studies.jobs import Job, Survey, make_jobs, survey
from miiii.studies.pool import run_workers
from miiii.studies.progress import JobState, Tally, makespan
from miiii.studies.study import Study

TIMING_SECONDS = 1.5
"""How long the epochs of each kind of run are timed."""
MEMORY_SHARE = 0.7
"""The share of the memory that runs may take."""
PROCESS_BYTES = 500 * 2**20
"""Memory of a process before it trains: Python, JAX and its compiler."""
LARGEST_BATCH = 32
"""The most runs of a batch. Larger ones are no faster, and an interruption costs more."""


@dataclass(frozen=True)
class Timing:
    """The measured cost of one kind of job."""

    seconds_per_epoch: float
    """Seconds per epoch of the job, whatever the number of its runs."""
    memory_bytes: int


@dataclass(frozen=True)
class Agenda:
    """The jobs to do, and the time that they will take."""

    survey: Survey
    jobs: tuple[Job, ...]
    """Begun jobs first, so that a study that is often interrupted has finished runs; then the
    longest first, so that the workers end at about the same time."""
    seconds_per_epoch: tuple[float, ...]
    """Of each job."""
    workers: int
    """Jobs at once."""
    batch: int = 0
    """Runs that train together in this process, with an accelerator; 0: workers train one each."""

    @property
    def seconds(self) -> float:
        """Seconds until all jobs are done, without compilation."""
        return makespan(self.job_seconds, self.workers)

    @property
    def job_seconds(self) -> list[float]:
        """Seconds that are left of each job."""
        pairs = zip(self.jobs, self.seconds_per_epoch, strict=True)
        return [(job.epochs - job.done) * each for job, each in pairs]

    @property
    def epochs(self) -> int:
        """Epochs to train, over all runs."""
        return sum((job.epochs - job.done) * len(job.runs) for job in self.jobs)


@dataclass(frozen=True)
class StudyOutcome:
    """How training a study ended."""

    state: str
    """finished, interrupted, or elsewhere: other processes train what is left."""
    problems: tuple[str, ...] = ()
    """One line per run that met a number that is not finite, now or earlier."""
    changed: int = 0
    """How many runs changed their conditions when they were resumed (`runs.conditions`)."""


def choose_workers(workers: int | None = None) -> int:
    """The number of processes with one core each; 0: this process trains, with an accelerator.

    Args:
        workers: the number on a CPU; default: as many as there are cores.
    """
    import jax

    return (workers or cores()) if jax.default_backend() == "cpu" else 0


def cores() -> int:
    """Processor cores that this process may use, within the limit of its container."""
    try:
        count = len(os.sched_getaffinity(0))
    except AttributeError:
        count = os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return max(1, min(count, int(quota) // int(period)))
    except (OSError, ValueError):
        return count  # No container, or one without a limit ("max").


def make_agenda(
    study: Study,
    workers: int,
    stop: StopCheck = lambda: False,
    announce: Callable[[], None] = lambda: None,
    experiments: Collection[str] | None = None,
) -> Agenda | None:
    """Collect the jobs that are left, and time a few epochs of each kind of run.

    Args:
        study: it need not have been saved yet.
        workers: the most processes, from `choose_workers`.
        stop: called repeatedly; true ends the timing.
        announce: called before anything is compiled, if there is a job.
        experiments: the ones to train; default: all of the study's.

    Returns:
        The agenda; None if it was stopped.

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
    stop: StopCheck = lambda: False,
) -> StudyOutcome:
    """Train the jobs that are left. The study must have been saved.

    Other processes may train it at the same time. A run that was deleted is trained again; on a
    CPU, with the same versions and one thread, it is the same bit for bit. A run that failed at a
    number that is not finite would fail again: it is named, and not trained.

    Args:
        study: the study to train.
        agenda: from `make_agenda`.
        command: recorded in the runs' provenance.
        changed: called with the state of the study before training (and None), and then with every
            job that began, made epochs or ended.
        warned: receives warnings for the user.
        stop: once true, training saves and ends.

    Raises:
        RunError: the disk cannot be written, or a worker ended unexpectedly; the others save first.
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
                from miiii.studies.worker import WorkerProgress, work

                work(
                    study,
                    names,
                    batch=agenda.batch,
                    command=command,
                    progress=lambda group: WorkerProgress(group, warned, look),
                    stop=stop,
                )
            elif names:
                call = ["train", str(study.path), json.dumps([*command]), *names]
                run_workers([call] * agenda.workers, stop, warned, look, study.runs_dir)
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
    changed_runs = sum(
        has_changed(RunDirectory(study.run_path(run)).provenance)
        for run, run_state in left.states
        if run_state != "missing"
    )
    return StudyOutcome(state, tuple(problems), changed_runs)


def _kind(job: Job) -> tuple[Config, int]:
    """The settings and the batch size that the time of an epoch depends on."""
    return replace_fields(shape(job.runs[0].config), epochs=2**31 - 1), len(job.runs)


def _time(jobs: Sequence[Job], workers: int, stop: StopCheck) -> dict[tuple[Config, int], Timing]:
    """Time each kind of job; kinds whose timing was stopped are left out."""
    kinds = {_kind(job): job.configs for job in jobs}
    processes = min(workers or 1, len(kinds))
    shares = [list(kinds)[first::processes] for first in range(processes)]
    if workers:
        texts = [[to_toml(kinds[kind][0]) for kind in share] for share in shares]
        calls = [["time", str(TIMING_SECONDS), *share] for share in texts]
        results = [json.loads(output or "[]") for output in run_workers(calls, stop)]
    else:
        from miiii.studies.worker import time_batches

        results = [time_batches([*kinds.values()], TIMING_SECONDS, stop)]
    timed = [pair for pairs in map(zip, shares, results) for pair in pairs]
    return {kind: Timing(*result) for kind, result in timed}


def at_once(workers: int, timings: Iterable[Timing], jobs: int, memory: float) -> int:
    """Processes at once: at most one per worker and job, and as many as fit into `memory` bytes."""
    largest = max((timing.memory_bytes for timing in timings), default=0)
    room = MEMORY_SHARE * memory / (largest + PROCESS_BYTES)
    return max(1, int(min(workers, jobs, room)))


def _memory() -> float:
    """Bytes of this machine's memory; infinite where the system does not report it."""
    try:
        return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, ValueError, OSError):
        return float("inf")


def runs_that_fit(bytes_per_run: int) -> int:
    """The number of runs that fit into the accelerators' memory."""
    import jax

    devices = jax.local_devices()
    limit = (devices[0].memory_stats() or {}).get("bytes_limit", 0) * len(devices)
    return max(1, min(LARGEST_BATCH, int(MEMORY_SHARE * limit / max(bytes_per_run, 1))))
