"""The cluster that tests start: jobs run, fail, and run again when they are requeued."""

from pathlib import Path

from slurm import SlurmCluster

LOOP = "#!/bin/bash\necho begun >> {log}\n{body}\n"


def submit(cluster: SlurmCluster, folder: Path, body: str, *options: str) -> str:
    """A job of one shell script; returns its id."""
    script = folder / "job.sh"
    script.write_text(LOOP.format(log=folder / "log", body=body))
    words = ["sbatch", "--parsable", "--output=/dev/null", *options, str(script)]
    return cluster.call(*words)


def test_a_job_runs_to_its_end(slurm_cluster: SlurmCluster, tmp_path: Path):
    job = submit(slurm_cluster, tmp_path, "exit 3")
    ended = slurm_cluster.await_job(job, lambda known: known["JobState"] == "FAILED")
    assert ended["ExitCode"] == "3:0"
    assert (tmp_path / "log").read_text() == "begun\n"


def test_a_requeued_job_runs_again(slurm_cluster: SlurmCluster, tmp_path: Path):
    body = f"if [ $(wc -l < {tmp_path / 'log'}) -lt 2 ]; then sleep 100; fi"
    job = submit(slurm_cluster, tmp_path, body)
    slurm_cluster.await_job(job, lambda known: known["JobState"] == "RUNNING")
    slurm_cluster.call("scontrol", "requeue", job)
    ended = slurm_cluster.await_job(job, lambda known: known["JobState"] == "COMPLETED")
    assert ended["Restarts"] == "1"
    assert (tmp_path / "log").read_text() == "begun\n" * 2
