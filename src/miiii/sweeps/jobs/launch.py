"""Submit workers of a sweep to SLURM through submitit; divide a machine's GPUs and cores."""

import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from miiii.runs.errors import RunError
from miiii.sweeps.jobs.worker_job import SIGNAL_SECONDS, WorkerJob
from miiii.sweeps.private_names import submission_text

if TYPE_CHECKING:
    from submitit import SlurmExecutor

MOST_TIMEOUTS = 1_000_000
"""Most times that a job is requeued at its time limit; a sweep may take many times that limit."""

ALWAYS_NAMED = (
    *("JOB_NAME", "TIMELIMIT", "ARRAY_INX", "REQUEUE", "NO_REQUEUE", "SIGNAL", "OUTPUT", "ERROR"),
    *("OPEN_MODE", "CPUS_PER_TASK", "NTASKS_PER_NODE", "NODES"),
)
"""Variables of sbatch, without SBATCH_, of the options that every script sets."""

_CLUSTER = ("SLURM_CONF", "SLURM_CONF_SERVER", "SLURM_CLUSTERS", "SLURM_JWT")
"""SLURM's variables that select the cluster and authenticate the user."""

OTHER_NAMES = {"TIME": "TIMELIMIT", "MEM": "MEM_PER_NODE", "ARRAY": "ARRAY_INX"}
"""Options of sbatch whose variable has a different name."""


class LaunchError(RunError):
    """Jobs cannot be started or submitted."""


@dataclass(frozen=True)
class Resources:
    """Resources of each worker. For fields that are None the cluster's defaults hold."""

    cpus: int = 1
    gpus: int = 0
    """0: the worker trains on the CPU, even if the machine has GPUs."""
    minutes: int = 24 * 60
    """The time limit of a job, after which it is requeued."""
    memory: float | None = None
    """In GB."""
    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    constraint: str | None = None
    throttle: int | None = None
    """Most jobs that run at once."""
    setup: tuple[str, ...] = ()
    """Shell commands to run before a worker, such as module load."""
    more: Mapping[str, str] = field(default_factory=dict)
    """Other options of sbatch, by their long names."""


def slurm_script(
    jobs: Sequence[WorkerJob], folder: Path, name: str, resources: Resources
) -> tuple[str, str]:
    """The script that `submit_to_slurm` submits, and the command of each of its tasks.

    It works without SLURM.
    """
    executor = _slurm_executor(folder, name, resources, len(jobs))
    if len(jobs) > 1:
        executor.parameters["map_count"] = len(jobs)
    variables = [f"{key}={shlex.quote(value)}" for key, value in jobs[0].environment.items()]
    return submission_text(executor), " ".join([*variables, shlex.join(jobs[0].command)])


def submit_to_slurm(
    jobs: Sequence[WorkerJob], folder: Path, name: str, resources: Resources
) -> str:
    """Submit jobs, as one array if there are several; returns SLURM's number of the job.

    Args:
        jobs: one per worker.
        folder: holds scripts and logs; it must have this path on every node.
        name: the sweep's name.
        resources: resources of each worker.

    Raises:
        LaunchError: SLURM is not installed, or refuses the jobs; the message has its reason.
    """
    if shutil.which("sbatch") is None or shutil.which("srun") is None:
        raise LaunchError(
            "SLURM's sbatch and srun are not on PATH: launch from a login node of the cluster, "
            "or give --on local (--dry-run prints the script on any machine)"
        )
    executor = _slurm_executor(folder, name, resources, len(jobs))
    from submitit.core.utils import FailedJobError

    try:
        with outside_a_job(resources):
            submitted = executor.submit_array(list(jobs))
    except (FailedJobError, subprocess.SubprocessError, OSError) as error:
        raise LaunchError(f"SLURM refused the jobs: {_last_line(error)}") from error
    return str(submitted[0].job_id).split("_")[0]


@contextmanager
def outside_a_job(resources: Resources) -> Iterator[None]:
    """The environment of a login node, in order to submit from within a SLURM job.

    Without it, the surrounding job's variables would set the new job's resources, because SBATCH_…
    variables override the options in a script. Variables of options that the script does not set
    (such as an account or a reservation) stay, and so do those that select the cluster.
    """
    from submitit.helpers import clean_env

    named = _named_variables(resources)
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in _CLUSTER
        or (name.startswith("SBATCH_") and name.removeprefix("SBATCH_") not in named)
    }
    with clean_env():
        os.environ.update(kept)
        yield


def _named_variables(resources: Resources) -> set[str]:
    """Variables of sbatch, without SBATCH_, of the options that the script sets."""
    named = set(ALWAYS_NAMED)
    given = {
        ("MEM_PER_NODE", "MEM_PER_CPU", "MEM_PER_GPU"): resources.memory,
        ("GPUS", "GPUS_PER_NODE", "GPUS_PER_TASK", "GRES"): resources.gpus or None,
        ("PARTITION",): resources.partition,
        ("ACCOUNT",): resources.account,
        ("QOS",): resources.qos,
        ("CONSTRAINT",): resources.constraint,
    }
    for names, value in given.items():
        if value is not None:
            named |= set(names)
    options = {name.replace("-", "_").upper() for name in resources.more}
    return named | options | {OTHER_NAMES[name] for name in options if name in OTHER_NAMES}


def _slurm_executor(folder: Path, name: str, resources: Resources, count: int) -> "SlurmExecutor":
    import_submitit()
    from submitit import SlurmExecutor

    class Executor(SlurmExecutor):
        """An executor that can be made without SLURM, in order to print its script."""

        @classmethod
        def affinity(cls) -> int:
            return 2

        @classmethod
        def name(cls) -> str:
            return SlurmExecutor.name()

    executor = Executor(folder=folder, max_num_timeout=MOST_TIMEOUTS)
    most = {"array_parallelism": resources.throttle or count}
    # Clusters have different defaults; a job that must end early has to be requeued.
    options: dict[str, Any] = {"requeue": True, **resources.more}
    chosen = {
        "mem": None if resources.memory is None else f"{round(resources.memory * 1024)}M",
        "partition": resources.partition,
        "account": resources.account,
        "qos": resources.qos,
        "constraint": resources.constraint,
        "gpus_per_node": resources.gpus or None,
        "setup": list(resources.setup) or None,
    }
    executor.update_parameters(
        job_name=f"miiii-{name}",
        time=resources.minutes,
        cpus_per_task=resources.cpus,
        # Since SLURM 22.05, srun does not inherit this option from the script.
        srun_args=[f"--cpus-per-task={resources.cpus}"],
        signal_delay_s=min(SIGNAL_SECONDS, 30 * resources.minutes),
        additional_parameters=options,
        **most,
        **{key: value for key, value in chosen.items() if value is not None},
    )
    return executor


def import_submitit() -> None:
    """Import submitit, and keep it from closing the logging handlers of this process.

    Raises:
        LaunchError: submitit is not installed.
    """
    name = "SUBMITIT_LOG_LEVEL"
    chosen = os.environ.get(name)
    os.environ[name] = "NOCONFIG"
    try:
        import submitit  # noqa: F401
    except ImportError as error:
        raise LaunchError(
            f"launching needs {error.name}, which is not installed: pip install 'miiii[slurm]'"
        ) from error
    finally:
        # Jobs inherit the environment, and submitit should log in them.
        del os.environ[name]
        if chosen is not None:
            os.environ[name] = chosen


def visible_gpus() -> list[str]:
    """This machine's GPUs, named as in CUDA_VISIBLE_DEVICES; empty if there are none."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [word.strip() for word in named.split(",") if word.strip() and word.strip() != "-1"]
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    try:
        result = subprocess.run([program, "-L"], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return []
    lines = result.stdout.splitlines() if result.returncode == 0 else []
    return [str(index) for index in range(sum(line.startswith("GPU ") for line in lines))]


def divide_gpus(workers: int, each: int, gpus: Sequence[str]) -> list[str]:
    """CUDA_VISIBLE_DEVICES of each worker; no two workers share a GPU.

    Raises:
        ValueError: the machine has fewer than `workers * each` GPUs.
    """
    if workers * each > len(gpus):
        raise ValueError(
            f"--workers {workers} with --gpus {each} needs {workers * each} GPUs and this machine "
            f"shows {len(gpus)}: start fewer workers that train several trials each (--batch)"
        )
    return [",".join(gpus[index * each : (index + 1) * each]) for index in range(workers)]


def divide_cores(workers: int, each: int, cores: Sequence[int]) -> list[tuple[int, ...]]:
    """The cores of each worker, assigned in turn; shared if there are fewer than needed."""
    count = min(each, len(cores))
    return [
        tuple(sorted({cores[(index * each + k) % len(cores)] for k in range(count)}))
        for index in range(workers)
    ]


def _last_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    errors = [line for line in lines if "error:" in line]
    return (errors or lines or [type(error).__name__])[-1]
