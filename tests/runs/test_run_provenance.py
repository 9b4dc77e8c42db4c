from __future__ import annotations

import json
import os
import platform
import socket
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from miiii.runs import provenance
from miiii.runs.jsonfiles import encode_json
from miiii.runs.provenance import collect_provenance, git_revision, without_machine
from wording import naming


def git(directory: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "commit.gpgsign=false"]
    return subprocess.run(
        ["git", "-C", str(directory), *identity, *arguments],
        check=True, capture_output=True, text=True,
    ).stdout.strip()  # fmt: skip


@pytest.fixture
def checkout(tmp_path, monkeypatch) -> Path:
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    root = tmp_path / "checkout"
    (root / "src" / "miiii").mkdir(parents=True)
    (root / "src" / "miiii" / "a.py").write_text("a = 1\n")
    git(root, "init", "-q")
    return root


def test_record_has_versions_platform_and_time():
    before = datetime.now(UTC).replace(microsecond=0)
    record = collect_provenance(["miiii", "train"], {"seed": 3, "device": "cpu"})
    assert before <= datetime.fromisoformat(record["time"]) <= datetime.now(UTC)
    assert record["time"].endswith("+00:00")
    assert record["command"] == ["miiii", "train"]
    assert record["versions"]["python"] == platform.python_version()
    assert record["versions"]["numpy"] == np.__version__
    assert {"miiii", "jax", "jaxlib", "optax"} <= set(record["versions"])
    assert record["platform"]["machine"] == platform.machine()
    assert (record["seed"], record["device"]) == (3, "cpu")
    assert json.loads(encode_json(record)) == record


def test_missing_package_is_null(monkeypatch):
    monkeypatch.setattr(provenance, "PACKAGES", ("numpy", "no-such-package-anywhere"))
    versions = provenance.package_versions()
    assert versions == {"numpy": np.__version__, "no-such-package-anywhere": None}


def test_extra_does_not_overwrite():
    with pytest.raises(ValueError, match=naming("provenance git,time")):
        collect_provenance([], {"time": 1, "git": 2, "seed": 3})


def test_revision_and_dirty_flag(checkout, monkeypatch):
    assert git_revision(checkout) is None  # no commit yet
    git(checkout, "add", ".")
    git(checkout, "commit", "-q", "-m", "first")
    revision = git(checkout, "rev-parse", "HEAD")
    assert git_revision(checkout) == {"revision": revision, "dirty": False}
    (checkout / "notes.txt").write_text("beside the sources\n")
    assert git_revision(checkout) == {"revision": revision, "dirty": False}
    (checkout / "src" / "miiii" / "new.py").write_text("b = 2\n")
    assert git_revision(checkout) == {"revision": revision, "dirty": True}
    (checkout / "src" / "miiii" / "new.py").unlink()
    (checkout / "src" / "miiii" / "a.py").write_text("a = 2\n")
    assert git_revision(checkout) == {"revision": revision, "dirty": True}
    # As inside a git hook, whose variables point elsewhere.
    monkeypatch.setenv("GIT_DIR", str(checkout / "nowhere"))
    assert git_revision(checkout) == {"revision": revision, "dirty": True}


def test_no_checkout_has_no_revision(checkout, tmp_path, monkeypatch):
    assert git_revision(tmp_path) is None
    git(checkout, "add", ".")
    git(checkout, "commit", "-q", "-m", "first")
    # An environment inside somebody's repository is not its source tree.
    installed = checkout / "environment" / "lib"
    (installed / "src" / "miiii").mkdir(parents=True)
    assert git_revision(installed) is None
    # Nor is the root of a repository of something else.
    other = tmp_path / "other"
    git(checkout, "clone", "-q", ".", str(other))
    assert git_revision(other) == git_revision(checkout)
    (other / "src").rename(other / "lib")
    assert git_revision(other) is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_revision(checkout) is None


def test_revision_is_that_of_this_package(monkeypatch):
    asked = []
    monkeypatch.setattr(provenance, "git_revision", lambda source: asked.append(source))
    assert collect_provenance([], {})["git"] is None
    assert (
        asked[0] / "src" / "miiii" / "runs" / "provenance.py" == Path(provenance.__file__).resolve()
    )


def test_machine_is_not_recorded(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    elsewhere = "/home/some one/secret place"
    record = collect_provenance(
        [
            f"{elsewhere}/bin/miiii", "sweep", f"--runs-dir={elsewhere}/runs", "--config",
            f"{tmp_path}/configs/small.toml", "--notes", "~someone/notes.txt", "--rate=1/3",
            "--storage", "postgresql://user:word@host.example/base", "--name", "and/or",
        ],
        {"config": {"path": Path("/data/mine/config.toml")}, "note": "read /home/me/x, w/o more"},
    )  # fmt: skip
    assert record["command"] == [
        "miiii", "sweep", "--runs-dir=runs", "--config", "configs/small.toml", "--notes",
        "notes.txt", "--rate=1/3", "--storage", "postgresql:...", "--name", "and/or",
    ]  # fmt: skip
    assert record["config"] == {"path": "config.toml"}
    assert record["note"] == "read x, w/o more"
    text = json.dumps(record)
    for private in (str(tmp_path), str(Path(provenance.__file__).parent), "secret", "some one"):
        assert private not in text
    assert platform.node() not in record["platform"].values()
    assert socket.gethostname() not in record["platform"].values()


def test_paths_are_not_made_relative_to_the_root(monkeypatch):
    monkeypatch.chdir("/")
    assert without_machine("/home/me/runs") == "runs"
    assert without_machine({"a": [1, None, 2.5, True, "x / y"]}) == {
        "a": [1, None, 2.5, True, "x / y"]
    }
