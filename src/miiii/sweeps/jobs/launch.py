"""Workers of a sweep as jobs: on this machine, or in SLURM's queue, through submitit."""

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
"""How often a job may reach its time limit and go on: a sweep may take many times that limit."""


ALWAYS_NAMED = (
    *("JOB_NAME", "TIMELIMIT", "ARRAY_INX", "REQUEUE", "NO_REQUEUE", "SIGNAL", "OUTPUT", "ERROR"),
    *("OPEN_MODE", "CPUS_PER_TASK", "NTASKS_PER_NODE", "NODES"),
)
"""Variables of sbatch, without SBATCH_, whose options stand in every script."""

_CLUSTER = ("SLURM_CONF", "SLURM_CONF_SERVER", "SLURM_CLUSTERS", "SLURM_JWT")
"""Variables of SLURM's that say which cluster is asked, and by what right: the user's own."""

OTHER_NAMES = {"TIME": "TIMELIMIT", "MEM": "MEM_PER_NODE", "ARRAY": "ARRAY_INX"}
"""Options of sbatch whose variable has another name."""


class LaunchError(RunError):
    """Jobs cannot be started or submitted."""


@dataclass(frozen=True)
class Resources:
    """What each worker gets. Sizes that are None are left to the cluster."""

    cpus: int = 1
    gpus: int = 0
    """0: it trains on the CPU, whatever the machine has."""
    minutes: int = 24 * 60
    """The time limit of a job, after which it is requeued."""
    memory: float | None = None
    """In GB."""
    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    constraint: str | None = None
    throttle: int | None = None
    """The most jobs at once."""
    setup: tuple[str, ...] = ()
    """Shell commands before a worker, such as module load."""
    more: Mapping[str, str] = field(default_factory=dict)
    """Any other option of sbatch, by its long name."""


def slurm_script(
    jobs: Sequence[WorkerJob], folder: Path, name: str, resources: Resources
) -> tuple[str, str]:
    """The script that `submit_to_slurm` submits, and what each of its tasks then starts.

    SLURM need not be installed.
    """
    executor = _slurm_executor(folder, name, resources, len(jobs))
    if len(jobs) > 1:
        executor.parameters["map_count"] = len(jobs)
    # The tests compare it with what was submitted.
    text = submission_text(executor)
    variables = [f"{key}={shlex.quote(value)}" for key, value in jobs[0].environment.items()]
    return text, " ".join([*variables, shlex.join(jobs[0].command)])


def submit_to_slurm(
    jobs: Sequence[WorkerJob], folder: Path, name: str, resources: Resources
) -> str:
    """Submit jobs, as one array if there are several; returns SLURM's number of the job.

    Args:
        jobs: one per worker.
        folder: of scripts and logs; every node must see it under this path.
        name: of the sweep.
        resources: what each worker gets.

    Raises:
        LaunchError: SLURM is not here, or refuses; with what it said.
    """
    if shutil.which("sbatch") is None or shutil.which("srun") is None:
        raise LaunchError(
            "SLURM's sbatch and srun are not on PATH: launch from a login node of the cluster, "
            "or say --on local (--dry-run prints the script anywhere)"
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
    """The environment that a login node has, for submitting from within a job of SLURM's.

    The surrounding job's own variables would say how much the new one gets, and SBATCH_… goes
    before the options in a script. Those of SBATCH_… that no option here names are the user's own
    (an account, a reservation) and stay, and so do those that tell sbatch where its cluster is.
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
    """Variables of sbatch, without SBATCH_, for what a script here says itself."""
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
        """One that can be made where there is no SLURM, to print its script."""

        @classmethod
        def affinity(cls) -> int:
            return 2

        @classmethod
        def name(cls) -> str:
            return SlurmExecutor.name()

    executor = Executor(folder=folder, max_num_timeout=MOST_TIMEOUTS)
    most = {"array_parallelism": resources.throttle or count}
    # Whatever the cluster's default is: a job that was told to end must come again.
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
        # Since SLURM 22.05 srun does not take this over from the script.
        srun_args=[f"--cpus-per-task={resources.cpus}"],
        signal_delay_s=min(SIGNAL_SECONDS, 30 * resources.minutes),
        additional_parameters=options,
        **most,
        **{key: value for key, value in chosen.items() if value is not None},
    )
    return executor


def import_submitit() -> None:
    """Import submitit without what it does to logging: it closes every handler of the process.

    Raises:
        LaunchError: it is not installed.
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
        # Jobs inherit the environment, and should log.
        del os.environ[name]
        if chosen is not None:
            os.environ[name] = chosen


def visible_gpus() -> list[str]:
    """The GPUs of this machine as CUDA_VISIBLE_DEVICES names them; empty where there are none."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [word.strip() for word in named.split(",") if word.strip() and word.strip() != "-1"]
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    try:
        told = subprocess.run([program, "-L"], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return []
    lines = told.stdout.splitlines() if told.returncode == 0 else []
    return [str(index) for index, _ in enumerate(x for x in lines if x.startswith("GPU "))]


def divide_gpus(workers: int, each: int, gpus: Sequence[str]) -> list[str]:
    """CUDA_VISIBLE_DEVICES of each worker: no GPU twice.

    Raises:
        ValueError: there are fewer than are asked for.
    """
    if workers * each > len(gpus):
        raise ValueError(
            f"--workers {workers} with --gpus {each} needs {workers * each} GPUs and this machine "
            f"shows {len(gpus)}: start fewer workers, and let each train several trials (--batch)"
        )
    return [",".join(gpus[index * each : (index + 1) * each]) for index in range(workers)]


def divide_cores(workers: int, each: int, cores: Sequence[int]) -> list[tuple[int, ...]]:
    """The cores of each worker, in turn; shared where there are fewer than are asked for."""
    count = min(each, len(cores))
    return [
        tuple(sorted({cores[(index * each + k) % len(cores)] for k in range(count)}))
        for index in range(workers)
    ]


def _last_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = [line for line in lines if "error:" in line]
    return (said or lines or [type(error).__name__])[-1]
