"""From within a job of SLURM's a launched worker gets what its own options say."""

import os

import pytest

from miiii.sweeps.jobs.launch import Resources, outside_a_job, submit_to_slurm
from miiii.sweeps.jobs.worker_job import WorkerJob

SURROUNDING = {
    "SLURM_JOB_ID": "7",
    "SLURM_MEM_PER_CPU": "100",
    "SLURM_MEM_PER_NODE": "800",
    "SLURM_CPUS_PER_TASK": "8",
    "SLURM_CPU_BIND": "cores",
    "SLURM_NTASKS": "4",
    "SLURMD_NODENAME": "node17",
    "SRUN_DEBUG": "3",
    "SUBMITIT_EXECUTOR": "slurm",
    "RANK": "2",
}


@pytest.fixture
def received(tmp_path, monkeypatch):
    """Submits a worker with a stand-in for sbatch; returns the environment that it received."""
    tools = tmp_path / "tools"
    tools.mkdir()
    seen = tmp_path / "seen"
    for name, text in (("sbatch", f"env > {seen}\necho Submitted batch job 1"), ("srun", "true")):
        (tools / name).write_text(f"#!/bin/sh\n{text}\n")
        (tools / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")

    def submit(resources):
        job = WorkerJob(0, ("true",), str(tmp_path))
        assert submit_to_slurm([job], tmp_path / "jobs", "s", resources) == "1"
        lines = seen.read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)

    return submit


def test_nothing_of_the_surrounding_job_is_handed_on(received, monkeypatch):
    for name, value in SURROUNDING.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("SBATCH_PARTITION", "debug")
    monkeypatch.setenv("SBATCH_ACCOUNT", "physics")
    monkeypatch.setenv("SBATCH_RESERVATION", "course")
    monkeypatch.setenv("SLURM_CONF", "/etc/cluster/slurm.conf")
    monkeypatch.setenv("SBATCH_TIMELIMIT", "5")
    monkeypatch.setenv("SBATCH_MEM_PER_CPU", "1")
    found = received(Resources(cpus=2, memory=1, minutes=10, partition="gpu"))
    assert not set(SURROUNDING) & set(found)
    # Said by the script, which they would overrule.
    for name in ("SBATCH_PARTITION", "SBATCH_TIMELIMIT", "SBATCH_MEM_PER_CPU"):
        assert name not in found
    # Said by nobody else.
    assert found["SBATCH_ACCOUNT"] == "physics"
    assert found["SBATCH_RESERVATION"] == "course"
    # Without it sbatch does not find its cluster.
    assert found["SLURM_CONF"] == "/etc/cluster/slurm.conf"
    assert os.environ["SLURM_JOB_ID"] == "7"
    assert os.environ["SBATCH_PARTITION"] == "debug"


def test_an_option_of_sbatch_goes_before_its_variable(monkeypatch):
    monkeypatch.setenv("SBATCH_RESERVATION", "course")
    monkeypatch.setenv("SBATCH_MEM_PER_NODE", "1")
    monkeypatch.setenv("SBATCH_PARTITION", "debug")
    with outside_a_job(Resources(more={"reservation": "other", "mem": "4G"})):
        assert "SBATCH_RESERVATION" not in os.environ
        assert "SBATCH_MEM_PER_NODE" not in os.environ
        assert os.environ["SBATCH_PARTITION"] == "debug"
    assert os.environ["SBATCH_RESERVATION"] == "course"
