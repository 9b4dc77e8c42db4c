"""The classes of docs/trackers.md against the tools they are for, where those are installed."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "trackers.md"
SCRIPT = """
import json, sys
sys.path.append(sys.argv[1])
from pathlib import Path
from types import SimpleNamespace
from miiii import get_preset, replace_fields
from miiii.tracking.protocol import TrackedRun
import trackers

path = Path("runs/watched"); path.mkdir(parents=True)
run = TrackedRun("watched", path, get_preset("tiny"), 3)
for first, last, state in ((1, 3, "interrupted"), (4, 5, "finished")):
    one = getattr(trackers, sys.argv[2])()
    there = one.started(run)
    assert there == first - 1, there
    for epoch in range(first, last + 1):
        one.logged(epoch, {"mean/train_loss": 1 / epoch, "train_accuracy/2": 0.5})
    one.ended(state)
Path("kept.json").write_text(json.dumps(one.kept))
"""


def folder_of_tools(module):
    """Where the tool is: here, in `.venv-interop/trackers`, or in MIIII_TRACKERS."""
    places = [os.environ.get("MIIII_TRACKERS", ""), ROOT / ".venv-interop" / "trackers"]
    for place in places:
        if place and (Path(place) / module).is_dir():
            return Path(place)
    pytest.skip(f"{module} is not there: run `make interop` first")


def run(module, name, folder):
    tools = folder_of_tools(module)
    blocks = re.findall(r"<!-- trackers -->\n```python\n(.*?)```", PAGE.read_text(), re.S)
    (folder / "trackers.py").write_text("\n\n".join(blocks))
    (folder / "script.py").write_text(SCRIPT)
    local = {"TRACKIO_DIR": str(folder / "trackio"), "HOME": str(folder), "WANDB_SILENT": "true"}
    done = subprocess.run(
        [sys.executable, "script.py", tools, name],
        env={**os.environ, **local, "JAX_PLATFORMS": "cpu"},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "kept.json").read_text())


@pytest.mark.slow
def test_weights_and_biases(tmp_path):
    kept = run("wandb", "WeightsAndBiases", tmp_path)
    assert kept["epoch"] == 5
    files = sorted((tmp_path / "runs/watched/wandb").glob("offline-run-*/run-*.wandb"))
    assert len(files) == 2
    assert {file.stem.removeprefix("run-") for file in files} == {kept["id"]}
    whole = b"".join(file.read_bytes() for file in files)
    for word in (b"mean/train_loss", b"weight_decay", b"interrupted", b"finished"):
        assert word in whole


@pytest.mark.slow
def test_mlflow(tmp_path):
    kept = run("mlflow", "MLflow", tmp_path)
    import sqlite3

    with sqlite3.connect(tmp_path / "mlflow.db") as database:
        (status,) = database.execute("SELECT status FROM runs WHERE run_uuid = ?", [kept["id"]])
        steps = database.execute(
            "SELECT step, value FROM metrics WHERE key = 'mean/train_loss' ORDER BY step"
        ).fetchall()
        params = dict(database.execute("SELECT key, value FROM params").fetchall())
    assert status == ("FINISHED",)
    assert steps == [(epoch, 1 / epoch) for epoch in range(1, 6)]
    assert (params["seed"], params["task.base"]) == ("0", "11")


@pytest.mark.slow
def test_trackio(tmp_path):
    kept = run("trackio", "Trackio", tmp_path)
    assert (kept["id"], kept["epoch"]) == ("watched", 5)
    import sqlite3

    (file,) = (tmp_path / "trackio").glob("miiii*.db")
    with sqlite3.connect(file) as database:
        rows = database.execute("SELECT step, metrics FROM metrics ORDER BY id").fetchall()
    told = [(step, json.loads(text)) for step, text in rows]
    losses = {step: one["mean/train_loss"] for step, one in told if "mean/train_loss" in one}
    assert losses == {epoch: 1 / epoch for epoch in range(1, 6)}
    assert [one["finished"] for _, one in told if "finished" in one] == [0, 1]
