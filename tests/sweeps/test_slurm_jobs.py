"""Workers in SLURM's queue: submitted, failed, requeued, preempted; on a cluster of one machine."""

import json
import re
import sys
from pathlib import Path

import pytest
from slurm import CPUS, URGENT, WORK, SlurmCluster
from toys import toy, until, words

from command import call
from miiii import load_run
from miiii.runs.directory import RunDirectory
from miiii.sweeps.jobs.launch import LaunchError, Resources, slurm_script, submit_to_slurm
from miiii.sweeps.queue.sweep import open_sweep
from wording import naming, says

EPOCHS = 20_000


@pytest.fixture
def on_cluster(slurm_cluster: SlurmCluster, monkeypatch) -> SlurmCluster:
    """The cluster is the one that this process, and what it starts, submits to."""
    for name, value in slurm_cluster.environment.items():
        monkeypatch.setenv(name, value)
    return slurm_cluster


def over(known: dict[str, str]) -> bool:
    return known["JobState"] in ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT")


def test_an_array_of_jobs_ends_well_and_badly(on_cluster: SlurmCluster, tmp_path: Path):
    jobs = [toy(tmp_path, "done", 0), toy(tmp_path, "fail", 1)]
    folder = tmp_path / "jobs"
    job = submit_to_slurm(jobs, folder, "planted", Resources(cpus=2, throttle=1))
    first = on_cluster.await_job(f"{job}_0", over)
    assert (first["JobState"], first["JobName"]) == ("COMPLETED", "miiii-planted")
    assert (first["CPUs/Task"], first["TimeLimit"]) == ("2", "1-00:00:00")
    assert first["ArrayTaskThrottle"] == "1"
    second = on_cluster.await_job(f"{job}_1", over)
    assert second["JobState"] == "FAILED"
    log = folder / f"{job}_1_0_log.err"
    assert says(log.read_text(), f"worker 1 code 1: error: the disk is full {log}")
    script, _ = slurm_script(jobs, folder, "planted", Resources(cpus=2, throttle=1))
    assert (folder / f"{job}_submission.sh").read_text() == script


def test_a_job_that_is_cancelled_saves_and_does_not_come_again(
    on_cluster: SlurmCluster, tmp_path: Path
):
    job = submit_to_slurm([toy(tmp_path, "stay")], tmp_path / "jobs", "planted", Resources())
    until(lambda: words(tmp_path) == ["begun"])
    on_cluster.call("scancel", job)
    known = on_cluster.await_job(job, over)
    assert known["JobState"] == "CANCELLED"
    assert words(tmp_path) == ["begun", "told", "saved"]


def test_a_job_that_is_requeued_saves_and_comes_again(on_cluster: SlurmCluster, tmp_path: Path):
    job = submit_to_slurm([toy(tmp_path, "stay")], tmp_path / "jobs", "planted", Resources())
    until(lambda: words(tmp_path) == ["begun"])
    on_cluster.call("scontrol", "requeue", job)
    known = on_cluster.await_job(job, over)
    assert (known["JobState"], known["Restarts"]) == ("COMPLETED", "1")
    assert words(tmp_path) == ["begun", "told", "saved", "begun", "done"]


def test_a_job_that_is_preempted_saves_and_comes_again(on_cluster: SlurmCluster, tmp_path: Path):
    # SLURM sends SIGTERM, then waits for the grace time; a job that ends meanwhile is not requeued.
    resources = Resources(cpus=CPUS, partition=WORK)
    job = submit_to_slurm([toy(tmp_path, "stay")], tmp_path / "jobs", "planted", resources)
    until(lambda: words(tmp_path) == ["begun"])
    all_cpus = f"--cpus-per-task={CPUS}"
    urgent = ["sbatch", "--parsable", f"--partition={URGENT}", "--output=/dev/null", all_cpus]
    number = on_cluster.call(*urgent, "--wrap=true")
    on_cluster.await_job(number, over, patience=150)
    known = on_cluster.await_job(job, over, patience=150)
    assert (known["JobState"], known["Restarts"]) == ("COMPLETED", "1")
    assert words(tmp_path) == ["begun", "told", "saved", "begun", "done"]


def test_a_refusal_is_one_line(on_cluster: SlurmCluster, tmp_path: Path):
    with pytest.raises(LaunchError, match=naming("SLURM sbatch partition")):
        submit_to_slurm(
            [toy(tmp_path, "done")], tmp_path / "jobs", "planted", Resources(partition="none")
        )


@pytest.mark.slow
def test_a_sweep_goes_on_through_requeueing(on_cluster: SlurmCluster, tmp_path: Path, cache):
    (tmp_path / "space.toml").write_text("learning_rate = [1e-3]\n")
    new = ["sweep", "new", "grid", "--space", "space.toml", "--sampler", "grid"]
    new += ["--preset", "tiny", "--base", "7", "--width", "8", "--heads", "2"]
    new += ["--epochs", EPOCHS, "--checkpoint-seconds", "0.1", "--snapshots", "4"]
    done = call(new, tmp_path, cache)
    assert done.returncode == 0, done.stderr
    launch = ["sweep", "launch", "grid", "--on", "slurm", "--partition", WORK, "--cpus", "1"]
    done = call(launch, tmp_path, cache)
    assert done.returncode == 0, done.stderr
    job = done.stdout.split("submitted job ")[1].split()[0]
    run = RunDirectory(tmp_path / "sweeps" / "grid" / "runs" / "trial-000000")

    def epoch() -> int:
        try:
            return int(json.loads((run.path / "status.json").read_text())["epoch"])
        except (OSError, KeyError, ValueError):
            return 0

    until(lambda: epoch() > 0, 180)
    # Before a time limit SLURM sends this to every process of the job, the worker included.
    on_cluster.call("scancel", "--signal=USR2", job)
    known = on_cluster.await_job(job, lambda known: known["JobState"] == "PENDING", 120)
    assert known["Restarts"] == "1"
    assert 0 < epoch() < EPOCHS, "it ended before it was interrupted"
    known = on_cluster.await_job(job, over, patience=300)
    assert (known["JobState"], known["Restarts"]) == ("COMPLETED", "1")
    log = (tmp_path / "sweeps" / "grid" / "jobs" / f"{job}_0_log.err").read_text()
    assert len(re.findall(r"released.*trial-000000", log)) == 1
    opened = open_sweep("grid", tmp_path / "sweeps")
    complete = [each for each in opened.optuna_study.trials if each.state.name == "COMPLETE"]
    assert len(complete) == 1
    history = load_run(run.path).history
    assert history.epoch.tolist() == list(range(1, EPOCHS + 1))


def test_without_slurm_it_says_what_to_do(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LaunchError, match=naming("PATH login node")):
        submit_to_slurm([toy(tmp_path, "done")], tmp_path / "jobs", "planted", Resources())
    script, command = slurm_script([toy(tmp_path, "done")], tmp_path, "planted", Resources())
    assert script.startswith("#!/bin/bash")
    assert "--array" not in script
    assert command.startswith(sys.executable)
