"""The ten lines whose every letter counts. All other tests ask for what a message names."""

import errno
import os
from pathlib import Path

import pytest

from claims.planted_runs import study as planted_study
from miiii import get_preset, load_run, replace_fields
from miiii.claims.judge import judge
from miiii.cli.commands.ledger import print_summary
from miiii.cli.main import run
from miiii.runs.atomic import write_atomically
from miiii.runs.directory import RunDirectory
from miiii.runs.errors import DamagedFileError, StorageError
from results.stored_runs import store

SMALL = replace_fields(get_preset("tiny"), base=5, width=8, heads=2, epochs=24)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("wording")
    store(path / "runs", "plain", SMALL)
    drawn = path / "runs" / "plain" / "figures" / "figure-4-accuracy.svg"
    drawn.parent.mkdir()
    drawn.write_text("<svg/>")
    return path


LINES = {
    # The first mistake that everybody makes: the nearest name has to be there to be copied.
    "trian": (2, "error: unknown command 'trian': did you mean 'train'?"),
    # The same of a value; it has its own path through the parser of arguments.
    "train --preset smal": (2, "error: unknown preset 'smal': did you mean 'small'?"),
    # The pattern of every refused setting: field, value, what it must be.
    "train --heads 3": (2, "error: heads is 3: it must divide the width, 128"),
    # What most commands say when they are called in another folder than before.
    "show plian": (2, "error: no run 'plian' in runs: did you mean 'plain'?"),
    # It stands between a user and a run that would be overwritten: both ways out are named.
    "train --preset tiny --name plain": (
        2,
        "error: runs/plain exists: choose another name, or give --force (the old one is then "
        "moved aside); `miiii resume` goes on with it",
    ),
    # It stands before a deletion: it has to say that nothing happened.
    "clean": (0, "nothing was deleted: no terminal to ask at; give --yes to delete"),
}


@pytest.mark.parametrize("words", LINES)
def test_a_command_says(folder, monkeypatch, capsys, words):
    monkeypatch.chdir(folder)
    code, line = LINES[words]
    assert (run(words.split()), capsys.readouterr().err) == (code, f"{line}\n")


def test_a_run_that_another_process_trains(folder, monkeypatch, capsys):
    """The process is named, so that it can be waited for or stopped."""
    monkeypatch.chdir(folder)
    with RunDirectory.open(Path("runs"), "plain").lock():
        assert run(["resume", "plain"]) == 2
    assert capsys.readouterr().err == (
        f"error: runs/plain is in use by process {os.getpid()}: wait for it to end or stop it\n"
    )


def test_a_file_that_is_not_what_was_written(folder):
    """The file is named, and that it was not used."""
    snapshot = max((folder / "runs" / "plain" / "snapshots").iterdir())
    whole = snapshot.read_bytes()
    snapshot.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(DamagedFileError) as caught:
        _ = load_run("plain", folder / "runs").parameters
    assert str(caught.value) == (f"{snapshot} was altered: its content does not match its digest")


def test_a_full_disk(tmp_path, monkeypatch):
    """What to do, beside the system's own words, in which it is looked for on the web."""

    def refuse(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(StorageError) as caught:
        write_atomically(tmp_path / "file", b"new")
    assert str(caught.value) == (
        f"cannot write {tmp_path / 'file'}: the disk is full; free some space and resume"
        f" ({os.strerror(errno.ENOSPC)})"
    )


def test_how_a_ledger_ends(capsys):
    """What is quoted of a study."""
    print_summary(judge(planted_study()))
    assert capsys.readouterr().out == (
        "19 claims: 19 reproduced, 0 not reproduced, 0 undecided\n"
        "under the paper's optimiser and loss: 19 reproduced, 0 not reproduced, 0 undecided\n"
    )
