"""`miiii sweep launch`: starts workers as jobs, on this machine or in SLURM's queue."""

import math
import os
import re
import shlex
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from miiii.cli.arguments import UsageError, parse
from miiii.cli.checks import check_range
from miiii.cli.console import to_stderr
from miiii.cli.sweep.text import SweepArguments, where_option
from miiii.cli.text import counted
from miiii.experiment.interrupts import StopRequest
from miiii.sweeps.jobs.launch import Resources, divide_cores, divide_gpus, visible_gpus
from miiii.sweeps.jobs.worker_job import WorkerJob

MOST_WORKERS = 10_000
LINE_SECONDS = 30.0
"""With --wait: the longest time between two lines; a worker's end prints one at once."""
LOOK_SECONDS = 0.5
JOBS_NAME = "jobs"


@dataclass(frozen=True)
class LaunchArguments(SweepArguments):
    """Start workers of a sweep, and return. They train until no trial is left.

    A worker that must end (preemption, a time limit) saves and releases its trials, and its job is
    queued again. Logs are in the sweep's directory, under jobs/. Under SLURM every node must see
    the directory of the sweeps.
    """

    workers: int = 1
    """The number of workers."""
    on: Literal["local", "slurm"] = "local"
    """local (this machine; they go on after this command) or slurm (one job array)."""
    cpus: int = 1
    """Processor cores of each worker."""
    gpus: int = 0
    """GPUs of each worker; with 0 it trains on the CPU."""
    time: str | None = None
    """slurm: time limit of each job, in minutes or as [days-]hours:minutes:seconds; default:
    24:00:00. A job that reaches it is queued again and goes on."""
    memory: float | None = None
    """slurm: GB for each worker; default: the cluster's."""
    partition: str | None = None
    """slurm: the partition; default: the cluster's."""
    account: str | None = None
    """slurm: the account that is charged."""
    qos: str | None = None
    """slurm: quality of service."""
    constraint: str | None = None
    """slurm: features that a node must have."""
    throttle: int | None = None
    """slurm: the most workers at once; default: all."""
    setup: tuple[str, ...] = ()
    """slurm: shell commands before each worker, such as 'module load cuda'."""
    sbatch: tuple[str, ...] = ()
    """slurm: any other options of sbatch, as NAME=VALUE."""
    dry_run: bool = False
    """Print the script that would be submitted, or the commands that would be started."""
    wait: bool = False
    """local: stay until all workers have ended; Ctrl-C lets them save and end."""
    batch: int | None = None
    """For the workers: trials of one shape that a worker trains together."""
    patience: float | None = None
    """For the workers: seconds without a sign of life after which a trial is taken over."""
    take_over: bool = True
    """--no-take-over: workers end when no trial waits, instead of staying to take over from others
    (their --no-wait)."""
    any_version: bool = False
    """For the workers: work on a sweep that another version of miiii made."""


ONLY_SLURM = (
    *("time", "memory", "partition", "account", "qos", "constraint", "throttle", "setup"),
    "sbatch",
)


def launch(words: list[str]) -> int:
    """Run `miiii sweep launch`; returns the exit code."""
    arguments = parse(LaunchArguments, words, "miiii sweep launch")
    resources = _checked(arguments)
    folder = (arguments.sweeps_dir / arguments.name / JOBS_NAME).absolute()
    jobs = _jobs(arguments)
    if not arguments.dry_run:
        from miiii.sweeps.queue.sweep import check_version, open_sweep

        # Checked here, because it would make every worker fail.
        opened = open_sweep(arguments.name, arguments.sweeps_dir, arguments.storage)
        if not arguments.any_version:
            check_version(opened)
    if arguments.on == "slurm":
        return _on_slurm(arguments, jobs, folder, resources)
    return _here(arguments, jobs, folder)


def _checked(arguments: LaunchArguments) -> Resources:
    """The resources of each worker; refuses bad options."""
    for name, least, most in (
        ("workers", 1, MOST_WORKERS),
        ("cpus", 1, 4096),
        ("gpus", 0, 64),
        ("throttle", 1, MOST_WORKERS),
        ("batch", 1, 1_000_000),
    ):
        check_range(arguments, name, least, most)
    check_range(arguments, "memory", 0.01, 100_000, " GB")
    check_range(arguments, "patience", 1, 86400, " s")
    if arguments.on == "local":
        for name in ONLY_SLURM:
            if getattr(arguments, name) not in (None, ()):
                raise UsageError(f"--{name} goes with --on slurm: this machine has no queue")
    elif arguments.wait:
        raise UsageError("--wait goes with --on local: squeue shows what SLURM does")
    more = {}
    for entry in arguments.sbatch:
        key, equals, value = entry.partition("=")
        key = key.removeprefix("--")
        if not equals or not re.fullmatch(r"[a-z][a-z-]*", key):
            raise UsageError(f"--sbatch has {entry!r}: expected NAME=VALUE, such as nodelist=n7")
        more[key] = value
    minutes = 24 * 60 if arguments.time is None else parse_minutes(arguments.time)
    names = ("cpus", "gpus", "memory", "partition", "account", "qos", "constraint", "throttle")
    given = {name: getattr(arguments, name) for name in (*names, "setup")}
    return Resources(minutes=minutes, more=more, **given)


def parse_minutes(text: str) -> int:
    """A time limit in SLURM's forms: minutes, [days-]hours:minutes:seconds, or days-hours.

    Returns:
        Whole minutes, rounded up, at least 1.

    Raises:
        UsageError: it has none of these forms.
    """
    form = r"(?:(?P<days>\d+)-)?(?P<rest>\d+(?::\d+){0,2})"
    match = re.fullmatch(form, text.strip())
    minutes = 0.0
    if match:
        numbers = [int(word) for word in match["rest"].split(":")]
        if match["days"] is not None:
            hours, *smaller = [*numbers, 0, 0][:3]
            minutes = int(match["days"]) * 1440 + hours * 60 + smaller[0] + smaller[1] / 60
        elif len(numbers) == 3:
            minutes = numbers[0] * 60 + numbers[1] + numbers[2] / 60
        else:
            minutes = [*numbers, 0][0] + [*numbers, 0][1] / 60
    if not 0 < minutes <= 366 * 1440:
        raise UsageError(
            f"--time is {text!r}: it must be minutes (90), hours:minutes:seconds (8:00:00) or "
            "days-hours:minutes:seconds (2-12:00:00), at most 366 days"
        )
    return math.ceil(minutes)


def _jobs(arguments: LaunchArguments) -> list[WorkerJob]:
    """The job of each worker."""
    words = [sys.executable, "-P", "-m", "miiii", "sweep", "worker", arguments.name]
    for name in ("batch", "patience"):
        value = getattr(arguments, name)
        words += [] if value is None else [f"--{name}", f"{value:g}"]
    words += [] if arguments.take_over else ["--no-wait"]
    words += ["--any-version"] if arguments.any_version else []
    words += ["--threads", "all"] if arguments.cpus > 1 else []
    words += ["--storage", arguments.storage] if arguments.storage else []
    if arguments.sweeps_dir != SweepArguments.sweeps_dir:
        words += ["--sweeps-dir", str(arguments.sweeps_dir)]
    count, here = arguments.workers, arguments.on == "local"
    on_cpu = {"JAX_PLATFORMS": "cpu"} if not arguments.gpus else {}
    gpus, cores = [""] * count, [()] * count
    if here and arguments.gpus:
        gpus = divide_gpus(count, arguments.gpus, visible_gpus())
    if here and arguments.cpus > 1 and hasattr(os, "sched_getaffinity"):
        cores = divide_cores(count, arguments.cpus, sorted(os.sched_getaffinity(0)))
    return [
        WorkerJob(
            number,
            tuple(words),
            os.getcwd(),
            # SLURM sets the GPUs of a job itself.
            {**on_cpu, **({"CUDA_VISIBLE_DEVICES": gpus[number]} if here else {})},
            cores[number],
        )
        for number in range(count)
    ]


def _on_slurm(
    arguments: LaunchArguments, jobs: Sequence[WorkerJob], folder: Path, resources: Resources
) -> int:
    from miiii.sweeps.jobs.launch import slurm_script, submit_to_slurm

    if arguments.dry_run:
        script, command = slurm_script(jobs, folder, arguments.name, resources)
        print(f"{script.rstrip()}\n\n# each of the {len(jobs)} jobs then starts:\n# {command}")
        return 0
    number = submit_to_slurm(jobs, folder, arguments.name, resources)
    array = "" if len(jobs) == 1 else f" (array 0-{len(jobs) - 1})"
    part = "" if len(jobs) == 1 else "_<worker>"
    print(f"submitted job {number} to SLURM: {_described(arguments)}{array}")
    print(f"logs:  {shown(folder)}/{number}{part}_0_log.err")
    status = f"miiii sweep status {arguments.name}{where_option(arguments)}"
    print(f"watch: {status}; squeue --job {number}")
    print(f"stop:  scancel {number} (they save first)")
    return 0


def _here(arguments: LaunchArguments, jobs: Sequence[WorkerJob], folder: Path) -> int:
    if arguments.dry_run:
        for job in jobs:
            variables = [f"{key}={shlex.quote(value)}" for key, value in job.environment.items()]
            pinned = ["taskset", "--cpu-list", ",".join(map(str, job.cores))] if job.cores else []
            print(" ".join([*variables, shlex.join([*pinned, *job.command])]))
        return 0
    from miiii.sweeps.jobs.local_jobs import start_here

    machine = os.cpu_count() or 1
    if arguments.workers * arguments.cpus > machine and not arguments.gpus:
        to_stderr(
            f"note: {arguments.workers * arguments.cpus} cores are asked for and this machine has "
            f"{machine}: workers will share them"
        )
    stop = StopRequest()
    with stop.listening():
        pids = start_here(jobs, folder)
        listed = " ".join(map(str, pids))
        print(f"started on this machine: {_described(arguments)}")
        print(f"logs:  {shown(folder)}/<process>_0_log.err, processes {listed}")
        print(f"watch: miiii sweep status {arguments.name}{where_option(arguments)}")
        print(f"stop:  kill {listed} (they save first)", flush=True)
        return _wait(pids, folder, stop) if arguments.wait else stop.exit_code


def _wait(pids: Sequence[int], folder: Path, stop: StopRequest) -> int:
    """Wait until all workers have ended, with a line at every change and every `LINE_SECONDS`."""
    from miiii.sweeps.jobs.local_jobs import log_of, state_of
    from miiii.sweeps.jobs.local_jobs import stop as end

    stopped, before, printed = False, Counter(), -math.inf
    while True:
        states = {pid: state_of(folder, pid) for pid in pids}
        now = Counter(states.values())
        if now != before or time.monotonic() - printed > LINE_SECONDS:
            counts = ", ".join(f"{count} {state}" for state, count in sorted(now.items()))
            to_stderr(f"{time.strftime('%H:%M:%S')} {len(pids)} workers: {counts}")
            before, printed = now, time.monotonic()
        if not now["running"]:
            break
        if stop() and not stopped:
            stopped = True
            to_stderr("workers were told to save and end; a second Ctrl-C leaves without waiting")
            end(pid for pid, state in states.items() if state == "running")
        time.sleep(LOOK_SECONDS)
    for pid, state in states.items():
        if state in ("failed", "vanished"):
            log = log_of(folder, pid)
            to_stderr(f"error: worker {pid} {state}: {_reason_in(log)}; its log: {shown(log)}")
    if stop():
        return stop.exit_code
    return 1 if now["failed"] + now["vanished"] else 0


def _reason_in(log: Path) -> str:
    """The reason of a failure, from a job's log; submitit writes the exception last."""
    try:
        lines = [line.strip() for line in log.read_text(errors="replace").splitlines()]
    except OSError:
        return "it left no log"
    errors = [line for line in lines if line.startswith("error:")]
    return (errors or [line for line in lines if line] or ["its log is empty"])[-1]


def _described(arguments: LaunchArguments) -> str:
    each = f"{counted(arguments.cpus, 'core')}, "
    each += counted(arguments.gpus, "GPU") if arguments.gpus else "no GPU"
    return f"{counted(arguments.workers, 'worker')} of sweep {arguments.name} ({each} each)"


def shown(path: Path) -> str:
    """A path relative to the working directory, if it is inside it."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
