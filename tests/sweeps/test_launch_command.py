"""`miiii sweep launch` at the command line: what it refuses, prints and starts on this machine."""

import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from toys import until

from command import call, start
from miiii.cli.arguments import UsageError
from miiii.cli.sweep.launch import launch, parse_minutes
from miiii.sweeps.jobs import launch as library
from miiii.sweeps.jobs.launch import divide_cores, divide_gpus, visible_gpus
from miiii.sweeps.jobs.local_jobs import is_alive
from miiii.sweeps.queue.sweep import open_sweep
from wording import naming, says

pytestmark = pytest.mark.slow

SMALL = ["--preset", "tiny", "--base", "7", "--width", "8", "--heads", "2", "--snapshots", "2"]


def new(folder: Path, cache: Path, rates: str, *options) -> None:
    (folder / "space.toml").write_text(f"learning_rate = [{rates}]\n")
    words = ["sweep", "new", "grid", "--space", "space.toml", "--sampler", "grid"]
    done = call([*words, *SMALL, *options], folder, cache)
    assert done.returncode == 0, done.stderr


def states(folder: Path) -> list[str]:
    trials = open_sweep("grid", folder / "sweeps").optuna_study.trials
    return sorted(trial.state.name for trial in trials)


def test_workers_here_do_all_trials(tmp_path: Path, cache):
    new(tmp_path, cache, "1e-3, 2e-3, 3e-3", "--epochs", "40")
    done = call(["sweep", "launch", "grid", "--workers", "2", "--wait"], tmp_path, cache)
    assert done.returncode == 0, done.stderr
    assert states(tmp_path) == ["COMPLETE"] * 3
    assert says(done.stdout, "2 workers grid 1 core no GPU")
    assert "miiii sweep status grid" in done.stdout
    listed = done.stdout.split("stop:  kill ")[1].split(" (")[0].split()
    assert len(listed) == 2
    for pid in listed:
        assert (tmp_path / "sweeps/grid/jobs" / f"{pid}_0_log.out").is_file()
    assert done.stderr.splitlines()[-1].endswith("2 workers: 2 done")


def test_ctrl_c_lets_workers_save(tmp_path: Path, cache):
    new(tmp_path, cache, "1e-3", "--epochs", "1000000", "--checkpoint-seconds", "0.2")
    process = start(["sweep", "launch", "grid", "--wait"], tmp_path, cache)
    assert process.stdout is not None
    pid = 0
    for line in process.stdout:
        if line.startswith("stop:"):
            pid = int(line.split()[2])
            break
    log = tmp_path / "sweeps/grid/jobs" / f"{pid}_0_log.err"
    until(lambda: log.exists() and "epoch 1/" in log.read_text(), 180)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    assert says(errors, "told save end")
    assert errors.splitlines()[-1].endswith("1 workers: 1 stopped")
    assert not is_alive(pid)
    # The first attempt was given up, and its successor waits for the next worker.
    assert states(tmp_path) == ["FAIL", "WAITING"]
    assert list((tmp_path / "sweeps/grid/runs/trial-000000/checkpoints").iterdir())


def printed(words: list[str], capsys) -> str:
    assert launch(words) == 0
    return capsys.readouterr().out


def test_a_dry_run_prints_sbatch_script_and_command(tmp_path: Path, capsys):
    words = ["lr", "--on", "slurm", "--workers", "16", "--dry-run", "--partition", "gpu"]
    words += ["--time", "2-12:00:00", "--memory", "1.5", "--gpus", "2", "--cpus", "4"]
    words += ["--throttle", "5", "--account", "us", "--qos", "low", "--constraint", "a100|h100"]
    words += ["--setup", "module load cuda", "--sbatch", "nodelist=n7", "--batch", "8"]
    words += ["--patience", "60", "--no-take-over", "--sweeps-dir", str(tmp_path)]
    lines = printed(words, capsys).splitlines()
    assert lines[0] == "#!/bin/bash"
    options = [line[10:] for line in lines if line.startswith("#SBATCH ")]
    found = {line.split("=")[0]: line.partition("=")[2] for line in options}
    expected = {
        "array": "0-15%5",
        "partition": "gpu",
        "time": "3600",
        "mem": "1536M",
        "gpus-per-node": "2",
        "cpus-per-task": "4",
        "account": "us",
        "qos": "low",
        "constraint": "'a100|h100'",
        "nodelist": "n7",
        "signal": "USR2@120",
        "requeue": "",
        "job-name": "miiii-lr",
        "error": f"{tmp_path}/lr/jobs/%A_%a_0_log.err",
    }
    assert expected.items() <= found.items()
    assert "module load cuda" in lines
    assert lines.index("module load cuda") < next(k for k, x in enumerate(lines) if "srun" in x)
    command = shlex.split(lines[-1].removeprefix("#"))
    options = ["--batch", "8", "--patience", "60", "--no-wait", "--threads", "all"]
    where = ["--sweeps-dir", str(tmp_path)]
    miiii = [sys.executable, "-P", "-m", "miiii", "sweep", "worker", "lr"]
    assert command == [*miiii, *options, *where]
    assert not list(tmp_path.iterdir())


def test_a_dry_run_here_prints_commands(capsys, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-a,GPU-b,GPU-c")
    text = printed(["lr", "--workers", "3", "--gpus", "1", "--dry-run"], capsys)
    devices = [line.split("CUDA_VISIBLE_DEVICES=")[1].split()[0] for line in text.splitlines()]
    assert devices == ["GPU-a", "GPU-b", "GPU-c"]
    text = printed(["lr", "--dry-run"], capsys)
    assert text.startswith("JAX_PLATFORMS=cpu CUDA_VISIBLE_DEVICES='' ")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--workers", "0"], "--workers 0 1 10,000"),
        (["--on", "pbs"], "--on local,slurm"),
        (["--partition", "gpu"], "--partition --on slurm"),
        (["--sbatch", "a=b"], "--sbatch --on slurm"),
        (["--on", "slurm", "--wait"], "--wait --on local"),
        (["--on", "slurm", "--time", "soon"], "--time 'soon' minutes"),
        (["--on", "slurm", "--memory", "-1"], "--memory -1"),
        (["--on", "slurm", "--sbatch", "nodelist"], "--sbatch 'nodelist' NAME=VALUE"),
        (["--patience", "0.5"], "--patience 0.5"),
        (["--wrokers", "2"], "'--workers'"),
    ],
)
def test_refusals(words, message):
    with pytest.raises(UsageError) as caught:
        launch(["lr", *words])
    assert says(str(caught.value), message)
    assert "\n" not in str(caught.value)


def test_more_workers_than_gpus_are_refused(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    with pytest.raises(ValueError, match=naming("4 GPUs 2")):
        launch(["lr", "--workers", "4", "--gpus", "1"])


def test_a_sweep_that_is_not_there_is_refused_and_jax_not_imported(tmp_path: Path, cache):
    done = call(["sweep", "launch", "none", "--workers", "2"], tmp_path, cache)
    assert done.returncode == 2
    assert says(done.stderr, "sweep 'none'")
    assert not list(tmp_path.iterdir())
    program = "import sys; from miiii.cli.sweep.launch import launch\n"
    program += "launch(['x', '--dry-run']); sys.exit('jax' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True)
    assert done.returncode == 0, done.stderr


def test_without_submitit_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(library.LaunchError, match=naming("pip install 'miiii[slurm]'")):
        library.import_submitit()


def test_submitit_leaves_logging_alone(tmp_path: Path):
    program = (
        "import logging, os, sys; from miiii.sweeps.jobs.launch import import_submitit\n"
        f"handler = logging.FileHandler({str(tmp_path / 'log')!r})\n"
        "before = dict(os.environ); import_submitit()\n"
        "handler.emit(logging.makeLogRecord({'msg': 'heard'}))\n"
        "print('submitit' in sys.modules, logging._handlerList != [], dict(os.environ) == before)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.split() == ["True"] * 3, done.stderr
    assert (tmp_path / "log").read_text() == "heard\n"


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        *[("90", 90), ("8:00:00", 480), ("1-00:00:00", 1440), ("2-12", 3600), ("0:00:30", 1)],
        *[("10:30", 11), ("1-02:03", 1563)],
    ],
)
def test_time_limits(text, minutes):
    assert parse_minutes(text) == minutes


@pytest.mark.parametrize("text", ["", "0", "1:2:3:4", "-5", "x", "400-00:00:00"])
def test_no_time_limits(text):
    with pytest.raises(UsageError):
        parse_minutes(text)


@given(st.integers(1, 12), st.integers(1, 4), st.integers(0, 40))
def test_no_gpu_is_given_twice(workers, each, there):
    gpus = [str(index) for index in range(there)]
    if workers * each > there:
        with pytest.raises(ValueError, match="GPUs"):
            divide_gpus(workers, each, gpus)
        return
    given_out = [name for text in divide_gpus(workers, each, gpus) for name in text.split(",")]
    assert len(given_out) == workers * each == len(set(given_out))


@given(st.integers(1, 12), st.integers(1, 8), st.lists(st.integers(0, 99), min_size=1, unique=True))
def test_cores_are_shared_evenly(workers, each, cores):
    divided = divide_cores(workers, each, cores)
    assert all(len(own) == len(set(own)) == min(each, len(cores)) for own in divided)
    if each <= len(cores):
        counts = [sum(core in own for own in divided) for core in cores]
        assert max(counts) - min(counts) <= 1


def test_gpus_of_this_machine(tmp_path: Path, monkeypatch):
    for value, expected in (("", []), ("2, 3", ["2", "3"]), ("-1", [])):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", value)
        assert visible_gpus() == expected
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'GPU 0: one (UUID: x)'\necho 'GPU 1: two (UUID: y)'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert visible_gpus() == ["0", "1"]
