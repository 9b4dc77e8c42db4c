"""kill -9 at random moments: the run always loads, resumes, and ends as if nothing had happened."""

import os
import random
import signal
import time
from pathlib import Path

import pytest

from command import SMALLEST, assert_equal_runs, call, start, wait_for_training
from miiii import load_run

KILLS = int(os.environ.get("MIIII_KILLS", "4"))
EPOCHS = 5_000


@pytest.mark.slow
def test_kills_at_random_moments_change_no_bit(tmp_path: Path, cache: Path):
    # With one epoch in seven validated and a checkpoint every 50 ms, a kill is as likely to meet a
    # write as a computation.
    words = ["train", *SMALLEST, "--epochs", EPOCHS, "--validate-every", "7"]
    whole = call([*words, "--name", "whole"], tmp_path, cache)
    assert whole.returncode == 0, whole.stderr
    chance, kills, victims = random.Random(0), 0, 0
    while kills < KILLS:
        victims += 1
        name = f"victim{victims}"
        command = [*words, "--name", name]
        while True:
            process = start(command, tmp_path, cache)
            if kills < KILLS:
                if chance.random() < 0.8:
                    wait_for_training(process)
                    time.sleep(chance.uniform(0, 1.0))
                else:
                    time.sleep(chance.uniform(0, 3.0))
                process.send_signal(signal.SIGKILL)
                kills += process.wait() == -signal.SIGKILL
            _, errors = process.communicate()
            path = tmp_path / "runs" / name
            if not path.exists():
                continue  # killed before it was created: nothing was lost, it starts again
            run = load_run(path)
            epochs = run.history.epoch
            assert (epochs == range(1, len(epochs) + 1)).all()
            if run.status["state"] == "finished":
                break
            assert process.returncode == -signal.SIGKILL, errors
            command = ["resume", name]
        assert_equal_runs(tmp_path / "runs" / "whole", path)
    assert kills >= KILLS
