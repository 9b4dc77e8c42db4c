"""A SLURM cluster of the tests' own: one machine, from Debian's packages, in a temporary directory.

Controller, node daemon and munge run as this user (who must be root, because SLURM starts jobs as
their owners) with ports, key and files of their own; they end with the fixture. Nothing limits what
a job uses (no cgroups): the tests are of submitting, signals and requeueing.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

INSTALL = "apt-get install --no-install-recommends slurmctld slurmd slurm-client munge"
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "scontrol", "squeue", "scancel")
PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
CPUS = 8
WORK, URGENT = "work", "urgent"
"""The partitions; a job in the second takes the place of one in the first, which is requeued."""

CONFIGURATION = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SlurmdParameters=config_overrides
SchedulerType=sched/builtin
SchedulerParameters=sched_interval=1,batch_sched_delay=0,sched_min_interval=100000
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
JobRequeue=1
KillWait=30
MinJobAge=300
ReturnToService=2
JobCompType=jobcomp/none
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=2000 State=UNKNOWN
PartitionName={work} Nodes={host} Default=YES PriorityTier=1 GraceTime={grace} State=UP
PartitionName={urgent} Nodes={host} PriorityTier=10 State=UP
"""


def missing_programs() -> list[str]:
    """What of SLURM this machine lacks."""
    return [name for name in PROGRAMS if shutil.which(name, path=PATH) is None]


class SlurmCluster:
    """A cluster of one node, which runs from `start` to `stop`."""

    def __init__(self, folder: Path, grace: int = 10):
        self.folder = folder
        self._daemons: list[subprocess.Popen] = []
        for name in ("state", "spool"):
            (folder / name).mkdir()
        folder.chmod(0o755)
        key = folder / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        controller_port, node_port = _free_ports(2)
        self.configuration = folder / "slurm.conf"
        text = CONFIGURATION.format(
            host=socket.gethostname().split(".")[0],
            controller_port=controller_port,
            node_port=node_port,
            folder=folder,
            cpus=CPUS,
            work=WORK,
            urgent=URGENT,
            grace=grace,
        )
        self.configuration.write_text(text)

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to reach this cluster."""
        return {"SLURM_CONF": str(self.configuration), "PATH": PATH}

    def start(self, patience: float = 30.0) -> None:
        """Start the daemons and return when the node takes jobs.

        Raises:
            RuntimeError: it did not within `patience` seconds; with the ends of the logs.
        """
        here = self.folder
        files = {"key-file": "munge.key", "socket": "munge.socket", "pid-file": "munged.pid"}
        files |= {"log-file": "munged.log", "seed-file": "munge.seed"}
        options = [f"--{name}={here / file}" for name, file in files.items()]
        deadline = time.monotonic() + patience
        self._run_daemon("munged", "--foreground", *options)
        self._await(lambda: (here / "munge.socket").exists(), deadline)
        self._run_daemon("slurmctld", "-D")
        self._run_daemon("slurmd", "-D")
        self._await(lambda: self._say("sinfo", "-h", "-o", "%T", "-p", WORK) == "idle", deadline)

    def stop(self) -> None:
        """End every job and every daemon."""
        if len(self._daemons) == 3:
            self._say("scancel", "--full", "--signal=KILL", "--user=root")
            self._say("scancel", "--user=root")
            # The node daemon leaves its jobs' processes alone when it ends.
            with contextlib.suppress(RuntimeError):
                self._await(lambda: not self._say("squeue", "-h"), time.monotonic() + 20, False)
        for daemon in reversed(self._daemons):
            daemon.send_signal(signal.SIGTERM)
            try:
                daemon.wait(timeout=15)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        self._daemons.clear()

    def call(self, *words: str) -> str:
        """Run one of SLURM's commands; returns what it printed.

        Raises:
            RuntimeError: it failed.
        """
        done = self._call(words)
        if done.returncode:
            raise RuntimeError(f"{' '.join(words)}: {done.stderr.strip()}")
        return done.stdout.strip()

    def job(self, job_id: str) -> dict[str, str]:
        """What SLURM knows of a job: JobState, Restarts, ExitCode and so on."""
        words = self.call("scontrol", "--oneliner", "show", "job", job_id).split()
        return dict(word.split("=", 1) for word in words if "=" in word)

    def await_job(
        self, job_id: str, what: Callable[[dict[str, str]], bool], patience: float = 60.0
    ) -> dict[str, str]:
        """Wait until something holds of a job; returns what SLURM knows of it then."""
        deadline = time.monotonic() + patience
        while not what(found := self.job(job_id)):
            if time.monotonic() > deadline:
                raise RuntimeError(f"waited {patience:.0f} s for job {job_id}, which is: {found}")
            time.sleep(0.1)
        return found

    def _call(self, words: tuple[str, ...]) -> subprocess.CompletedProcess:
        environment = {**os.environ, **self.environment}
        return subprocess.run(
            words, env=environment, capture_output=True, text=True, timeout=60, cwd=self.folder
        )

    def _say(self, *words: str) -> str:
        return self._call(words).stdout.strip()

    def _run_daemon(self, name: str, *words: str) -> None:
        program = shutil.which(name, path=PATH)
        assert program is not None
        with (self.folder / f"{name}.out").open("ab") as output:
            self._daemons.append(
                subprocess.Popen(
                    [program, *words],
                    env={**os.environ, **self.environment},
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                )
            )

    def _await(self, what: Callable[[], bool], deadline: float, alive: bool = True) -> None:
        while not what():
            dead = alive and any(daemon.poll() is not None for daemon in self._daemons)
            if dead or time.monotonic() > deadline:
                logs = [f"{path.name}: {path.read_text()[-600:]}" for path in self.outputs]
                raise RuntimeError("SLURM did not get so far:\n" + "\n".join(logs))
            time.sleep(0.05)

    @property
    def outputs(self) -> list[Path]:
        """What the daemons printed."""
        return sorted(self.folder.glob("*.out"))


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        listeners = [stack.enter_context(socket.socket()) for _ in range(count)]
        for listener in listeners:
            listener.bind(("127.0.0.1", 0))
        return [listener.getsockname()[1] for listener in listeners]


@pytest.fixture(scope="session")
def slurm_cluster() -> Iterator[SlurmCluster]:
    """A cluster that takes jobs."""
    problem = ""
    if lacking := missing_programs():
        problem = f"SLURM is not installed ({', '.join(lacking)}): {INSTALL}"
    elif os.geteuid() != 0:
        problem = "SLURM's daemons start jobs as their owners, for which the tests must run as root"
    if problem:
        # Where it must not be missing (.ci/run), a skip would hide that nothing was tested.
        if "slurm" in os.environ.get("MIIII_TESTS_NEED", "").split():
            pytest.fail(f"NOT TESTED: {problem}")
        pytest.skip(f"NOT TESTED: {problem}")
    with tempfile.TemporaryDirectory(prefix="miiii-slurm-") as folder:
        cluster = SlurmCluster(Path(folder))
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.stop()
