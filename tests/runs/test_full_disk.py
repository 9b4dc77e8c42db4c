"""A file-size limit stands for a full disk: the operating system refuses in mid-write."""

from __future__ import annotations

import json

import numpy as np
import pytest

from miiii.runs.directory import RunDirectory, list_runs
from wording import naming, says

LIMITED = """
import json, resource, sys
from pathlib import Path
import numpy as np
from miiii.runs.directory import RunDirectory
from miiii.runs.errors import StorageError

runs_dir = Path(sys.argv[1])
run = RunDirectory.open(runs_dir, "run")
messages = {}

def attempt(name, action):
    try:
        action()
        messages[name] = None
    except StorageError as error:
        messages[name] = [str(error.path.relative_to(runs_dir)), str(error)]

large = np.zeros(100_000)
with run.lock():
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
    attempt("checkpoint", lambda: run.save_checkpoint(30, {"weights": large}, {}))
    attempt("snapshot", lambda: run.save_snapshot(30, {"weights": large}, {}))
    attempt("history", lambda: run.append_history(
        21, 30, {"epoch": np.arange(21, 31), "train_loss": np.zeros((10, 10_000))}))
    attempt("status", lambda: run.write_status({"state": "x" * 100_000}))
    attempt("create", lambda: RunDirectory.create(
        runs_dir, "new", files={"config.toml": bytes(100_000)}))
    attempt("small", lambda: run.write_status({"state": "failed", "epoch": 20}))
print(json.dumps(messages))
"""


def test_full_disk_is_reported_and_the_last_good_state_stays(tmp_path, start_python):
    run = RunDirectory.create(tmp_path, "run", files={"config.toml": b"", "status.json": b"{}"})
    for epoch in (10, 20):
        run.save_checkpoint(epoch, {"weights": np.full(3, epoch)}, {})
    epochs = np.arange(1, 21)
    run.append_history(
        1, 20, {"epoch": epochs, "train_loss": np.ones((20, 10_000)) * epochs[:, None]}
    )

    process = start_python(LIMITED, tmp_path)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    messages = json.loads(output)

    assert messages.pop("small") is None
    places = {
        "checkpoint": "run/checkpoints/000000030.safetensors",
        "snapshot": "run/snapshots/000000030.safetensors",
        "history": "run/history/000000021-000000030.npz",
        "status": "run/status.json",
    }
    for name, place in places.items():
        assert messages[name][0] == place
    assert messages["create"][0].endswith("config.toml")
    for _, message in messages.values():
        assert says(message, "file-size limit ulimit -f")

    assert not list(tmp_path.rglob(".tmp-*"))
    assert [summary.name for summary in list_runs(tmp_path)] == ["run"]
    loaded = run.load_checkpoint()
    assert (loaded.epoch, loaded.warnings) == (20, [])
    assert run.checkpoint_epochs() == [10, 20]
    assert run.snapshot_epochs() == []
    assert run.history()["train_loss"][:, 0].tolist() == list(range(1, 21))
    assert run.status == {"state": "failed", "epoch": 20}


def test_full_disk_does_not_forbid_the_lock(tmp_path, monkeypatch):
    run = RunDirectory.create(tmp_path, "run", files={"config.toml": b""})

    def refuse(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.write", refuse)
    with run.lock(), pytest.raises(Exception, match=naming("use process")), run.lock():
        pass
