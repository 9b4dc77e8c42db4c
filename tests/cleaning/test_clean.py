"""`miiii clean`: what it finds, what it deletes, and above all what it leaves."""

import errno
import fcntl
import hashlib
import json
import os
import pty
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import miiii
from miiii import RunError, get_preset, replace_fields
from miiii.cleaning.finding import ABANDONED_AFTER, find
from miiii.cleaning.kinds import KINDS
from miiii.cleaning.removal import remove
from miiii.cli.commands.clean import size_text
from miiii.cli.main import run
from miiii.experiment.members import identity
from miiii.runs.directory import RunDirectory
from miiii.training.state import to_arrays
from results.stored_runs import SNAPSHOTS, store, weights
from wording import naming, says

EPOCHS = SNAPSHOTS[-1]
SMALLEST = replace_fields(get_preset("tiny"), base=5, width=8, heads=2, epochs=EPOCHS)
HALF = ".tmp-0123456789abcdef"


def checkpoint(path, epoch):
    """The arrays of a model, as if they were its whole state."""
    arrays = {
        f"parameters.{name}": value for name, value in to_arrays(weights(SMALLEST, 1)).items()
    }
    RunDirectory(path).save_checkpoint(epoch, arrays, {"identity": identity(SMALLEST)})


def write(path, size=10):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(size))
    return path


def aged(path):
    old = time.time() - 2 * ABANDONED_AFTER
    os.utime(path, (old, old))
    return path


def state(path, value):
    directory = RunDirectory(path)
    directory.write_status({**directory.status, "state": value})


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Runs of every kind, and beside what could go what must stay."""
    runs = tmp_path / "runs"
    for name in ("done", "bare", "going", "broken", "done.replaced-20260102-030405"):
        snapshots = () if name == "bare" else SNAPSHOTS
        path = store(runs, name, SMALLEST, snapshots)
        checkpoint(path, 9)
        checkpoint(path, EPOCHS)
    state(runs / "going", "interrupted")
    state(runs / "broken", "failed")
    done = runs / "done"
    write(done / "figures" / "figure-4-accuracy.svg", 100)
    write(done / "figures" / "index.html", 20)
    write(done / "figures" / "my-notes.txt", 7)
    write(done / "circuits" / "circuits.json", 30)
    write(done / "analysis" / "measurements.json", 40)
    write(done / "analysis" / "my-analysis.npy", 7)
    write(done / "checkpoints" / "000000009.safetensors.damaged", 50)
    write(runs / "going" / "history" / HALF, 60)
    write(runs / "going" / "figures" / HALF, 70)  # Perhaps in the making.
    aged(write(done / "figures" / (HALF[:-1] + "0"), 80))
    half = runs / (HALF[:-1] + "1")
    write(half / "config.toml", 90)
    aged(half)
    write(tmp_path / "compiled" / "jit_chunk-12ab-cache", 500)
    write(tmp_path / "compiled" / "letter.txt", 7)
    monkeypatch.setenv("MIIII_CACHE", str(tmp_path / "compiled"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def contents(folder):
    """Every file with its digest, but for the locks that come and go."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in ("lock", "lock.pid")
    }


def clean(capsys, *words):
    code = run(["clean", *words])
    output = capsys.readouterr()
    assert code == 0, output.err
    return output


def gone(folder, before):
    after = contents(folder)
    assert after.items() <= before.items()
    return set(before) - set(after)


REMADE = {
    "runs/done/figures/figure-4-accuracy.svg",
    "runs/done/figures/index.html",
    "runs/done/circuits/circuits.json",
    "runs/done/analysis/measurements.json",
    f"runs/going/history/{HALF}",
    f"runs/done/figures/{HALF[:-1]}0",
    f"runs/{HALF[:-1]}1/config.toml",
    "compiled/jit_chunk-12ab-cache",
}


def test_what_was_named_and_nothing_else(folder, capsys):
    before = contents(folder)
    clean(capsys, "--yes", "--only", "figures")
    assert gone(folder, before) == {
        name for name in REMADE if "ures/f" in name or "index" in name or "circuits.json" in name
    }


def test_without_kinds_only_what_is_made_again_goes(folder, capsys):
    before = contents(folder)
    output = clean(capsys, "--yes")
    assert gone(folder, before) == REMADE
    assert "deleted 8 files" in output.out
    assert not (folder / "runs" / "done" / "circuits").exists()
    assert (folder / "runs" / "done" / "figures" / "my-notes.txt").exists()


def test_the_whole_of_failed_and_replaced_runs(folder, capsys):
    before = contents(folder)
    clean(capsys, "--yes", "--only", "failed,replaced")
    expected = {name for name in before if "broken/" in name or ".replaced-" in name}
    assert gone(folder, before) == expected
    assert sorted(path.name for path in (folder / "runs").iterdir() if "tmp" not in path.name) == [
        "bare",
        "done",
        "going",
    ]


def test_checkpoints_go_only_where_weights_stay(folder, capsys):
    before = contents(folder)
    clean(capsys, "--yes", "--only", "checkpoints")
    assert gone(folder, before) == {
        "runs/done/checkpoints/000000009.safetensors",
        f"runs/done/checkpoints/{EPOCHS:09}.safetensors",
        "runs/bare/checkpoints/000000009.safetensors",
    }
    expected = to_arrays(weights(SMALLEST, EPOCHS))
    found = to_arrays(miiii.load_run("done").parameters)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value)


def test_a_finished_run_without_checkpoints_does_not_begin_again(folder, capsys):
    clean(capsys, "--yes", "--only", "checkpoints")
    before = contents(folder)
    with pytest.raises(RunError, match=naming("checkpoints removed longer")):
        miiii.resume("done", folder / "runs", epochs=EPOCHS + 8)
    assert contents(folder) == before


def test_a_damaged_snapshot_is_no_reason_to_drop_the_last_weights(folder, capsys):
    path = folder / "runs" / "done" / "snapshots" / f"{EPOCHS:09}.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    before = contents(folder)
    clean(capsys, "--yes", "--only", "checkpoints")
    assert f"runs/done/checkpoints/{EPOCHS:09}.safetensors" not in gone(folder, before)


def test_a_batch_that_has_not_ended_keeps_its_states(folder, capsys):
    directory = RunDirectory(folder / "runs" / "done")
    batch = {"names": ["done", "going"], "index": 0}
    directory.write_json("provenance.json", {**directory.provenance, "batch": batch})
    before = contents(folder)
    clean(capsys, "--yes", "--only", "checkpoints")
    assert gone(folder, before) == {"runs/bare/checkpoints/000000009.safetensors"}


def test_a_run_in_use_is_left_alone(folder, capsys):
    before = contents(folder)
    done = folder / "runs" / "done"
    with RunDirectory(done).lock():
        output = clean(capsys, "--yes", "--only", ",".join(KINDS))
        assert says(output.out, "use process runs/done")
    assert not any(name.startswith("runs/done/") for name in gone(folder, before))


def test_a_run_whose_lock_is_another_machine_s_marker_may_be_in_use(folder, capsys, monkeypatch):
    def refuse(descriptor, how):
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", refuse)
    (folder / "runs" / "done" / "lock").write_text("4242\nnode17\n1\n")
    output = clean(capsys, "--dry-run")
    line = next(line for line in output.out.splitlines() if "left alone: runs/done" in line)
    assert says(line, "may use")
    assert "process 4242 on node17" in line


def test_programs_of_every_project_stay_where_another_place_is_cleaned(folder, capsys):
    before = contents(folder)
    clean(capsys, "--yes", "--runs-dir", str(folder / "runs"))
    assert gone(folder, before) == REMADE - {"compiled/jit_chunk-12ab-cache"}
    clean(capsys, "--yes", "--runs-dir", str(folder / "runs"), "--only", "compiled")
    assert gone(folder, before) == REMADE


def test_a_run_taken_after_the_look_is_left_alone(folder):
    found = find(Path("runs"), Path("studies"), folder / "compiled", KINDS)
    before = contents(folder)
    with RunDirectory(folder / "runs" / "broken").lock():
        removed = remove(found.candidates)
    assert removed.in_use == (Path("runs/broken"),)
    assert not any(name.startswith("runs/broken/") for name in gone(folder, before))
    assert (folder / "runs" / "broken" / "config.toml").exists()


def test_links_are_not_followed(folder, capsys):
    treasure = folder / "treasure"
    write(treasure / "figure-1-mine.svg")
    (folder / "runs" / "done" / "circuits" / "circuits.json").unlink()
    (folder / "runs" / "done" / "circuits").rmdir()
    (folder / "runs" / "done" / "circuits").symlink_to(treasure)
    (folder / "runs" / "linked").symlink_to(folder / "runs" / "broken")
    elsewhere = store(folder / "elsewhere", "run", SMALLEST)
    state(elsewhere, "failed")
    (folder / "runs" / "far").symlink_to(elsewhere)
    clean(capsys, "--yes", "--only", ",".join(KINDS))
    assert (treasure / "figure-1-mine.svg").exists()
    assert (elsewhere / "config.toml").exists()


def test_studies_are_cleaned_unless_they_train(folder, capsys):
    study = folder / "studies" / "mine"
    store(study / "runs", "miiii-seed0", SMALLEST)
    write(study / "runs" / "miiii-seed0" / "analysis" / "measurements.json")
    write(study / "report.html")
    (study / "study.toml").write_text("")
    before = contents(folder)
    from miiii.runs.locking import lock_directory

    for held in (study, study / "runs" / "miiii-seed0"):
        with lock_directory(held):
            output = clean(capsys, "--yes")
            assert "left alone: studies/mine" in output.out
    assert not any("studies/" in name for name in gone(folder, before))
    clean(capsys, "--yes")
    assert {name for name in gone(folder, before) if "studies/" in name} == {
        "studies/mine/report.html",
        "studies/mine/runs/miiii-seed0/analysis/measurements.json",
    }


def test_without_a_terminal_nothing_goes(folder, capsys):
    before = contents(folder)
    output = clean(capsys)
    assert says(output.err, "nothing deleted --yes")
    clean(capsys, "--dry-run")
    clean(capsys, "--json")
    assert contents(folder) == before


def test_the_listing_is_what_goes(folder, capsys):
    before = contents(folder)
    listed = json.loads(clean(capsys, "--json", "--only", ",".join(KINDS)).out)["candidates"]
    every = {}
    for item in listed:
        files = [
            file
            for path in map(Path, item["paths"])
            for file in ([path] if path.is_file() else path.rglob("*"))
            if file.is_file()
        ]
        assert item["bytes"] == sum(file.stat().st_size for file in files)
        assert not item["deleted"]
        every[item["kind"]] = every.get(item["kind"], set()) | {
            os.path.relpath(file, folder) for file in files
        }
    assert set(every) == set(KINDS)
    found = json.loads(clean(capsys, "--json", "--yes", "--only", ",".join(KINDS)).out)
    assert all(item["deleted"] for item in found["candidates"])
    locks = {name for files in every.values() for name in files if name.endswith("/lock")}
    assert gone(folder, before) == set.union(*every.values()) - locks
    assert says(clean(capsys).out, "nothing clean")


@pytest.mark.parametrize(("answer", "goes"), [("y\n", True), ("\n", False), ("n\n", False)])
def test_at_a_terminal_it_asks(folder, answer, goes):
    before = contents(folder)
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "miiii", "clean"], stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    seen = b""
    while b"[y/N]" not in seen:
        seen += os.read(ours, 4096)
    assert contents(folder) == before
    os.write(ours, answer.encode())
    assert process.wait(timeout=60) == 0
    os.close(ours)
    assert gone(folder, before) == (REMADE if goes else set())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--only", "figure"], "kind 'figure' 'figures'"),
        (["--yes", "--dry-run"], "--yes --dry-run"),
    ],
)
def test_refusals(folder, capsys, words, message):
    before = contents(folder)
    assert run(["clean", *words]) == 2
    assert says(capsys.readouterr().err, message)
    assert contents(folder) == before


def test_sizes_as_people_read_them():
    assert [size_text(n) for n in (0, 999, 1000, 12_345, 999_600, 3_456_789, 556e6)] == [
        *("0 bytes", "999 bytes", "1 kB", "12.3 kB", "1 MB", "3.46 MB", "556 MB")
    ]
