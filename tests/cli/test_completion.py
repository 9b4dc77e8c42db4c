"""The completion scripts, run by the shells themselves."""

import contextlib
import re
import shlex
import shutil
import subprocess

import pytest

from miiii import PRESETS
from miiii.cli.completion_scripts import bash_script, fish_script, zsh_script
from miiii.cli.main import COMMANDS, run
from miiii.cli.words import RUN_COMMANDS, STUDY_COMMANDS, known_words
from miiii.config.config import field_sections

HOSTILE = "$(touch hacked)"

CASES = {
    "miiii tr": {"train", "track"},
    "miiii show sm": {"small", "small-2"},
    "miiii compare small sm": {"small", "small-2"},
    "miiii show --runs-dir elsewhere f": {"far"},
    "miiii resume other": {"other"},
    "miiii report st": {"study-one"},
    "miiii train --preset ref": {"reference", "reference32"},
    "miiii train --learning-r": {"--learning-rate"},
    "miiii train --task b": {"basis"},
    "miiii figures small --baseline o": {"other"},
    "miiii clean --only che": {"checkpoints"},
    "miiii sweep sta": {"status"},
    "miiii completion z": {"zsh"},
}


@pytest.fixture(scope="module")
def words():
    return known_words()


@pytest.fixture(scope="module")
def folder(tmp_path_factory, words):
    folder = tmp_path_factory.mktemp("completion")
    for name in ("runs/small", "runs/small-2", "runs/other", "elsewhere/far", f"runs/{HOSTILE}"):
        (folder / name).mkdir(parents=True)
        (folder / name / "config.toml").write_text("")
    (folder / "runs" / "small-notes").mkdir()
    (folder / "studies" / "study-one").mkdir(parents=True)
    (folder / "studies" / "study-one" / "study.toml").write_text("")
    for shell, script in (("bash", bash_script), ("zsh", zsh_script), ("fish", fish_script)):
        (folder / f"script.{shell}").write_text(script(words))
    return folder


def of(words, command):
    return next(one for one in words if one.name == command)


def test_every_command_and_option_is_known(words):
    assert [one.name for one in words] == list(COMMANDS)
    train = {option.name: option for option in of(words, "train").options}
    for field in field_sections():
        assert "--" + field.replace("_", "-") in train
    assert set(train["--preset"].values) == set(PRESETS)
    assert train["--task"].values[:4] == ("miiii", "nanda", "basis", "waves")
    assert train["--force"].follows == train["--no-force"].follows == "nothing"
    assert train["--epochs"].follows == "text"
    assert train["--config"].follows == "file"
    assert train["--runs-dir"].follows == "directory"
    for one in words:
        assert {"--help"} <= {option.name for option in one.options}


def test_options_are_those_that_the_help_prints(words, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "400")
    for one in words:
        places = [("sweep", action) for action in one.arguments if one.name == "sweep"]
        printed = set()
        for place in places or [(one.name,)]:
            with contextlib.suppress(SystemExit):
                run([*place, "--help"])
            # Before an option stand two spaces, wherever it stands; within a sentence there is one.
            for names in re.findall(
                r"(?:^|[|│]|\s) {1,2}(?:-h, )?(--[a-z][\w-]*(?:, --[\w-]+)*)(?= |$)",
                capsys.readouterr().out,
                re.MULTILINE,
            ):
                printed |= set(names.split(", "))
        assert {option.name for option in one.options} == printed


def test_names_that_decide_what_is_offered_exist():
    assert set(RUN_COMMANDS) | set(STUDY_COMMANDS) <= set(COMMANDS)


def bash(folder, line):
    """What bash offers, asked as it asks itself when the key is pressed."""
    parts = shlex.split(line)
    code = (
        f"source script.bash; COMP_WORDS=({line}); COMP_CWORD={len(parts) - 1}; "
        '_miiii miiii; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(["bash", "-c", code], cwd=folder, capture_output=True, text=True)
    assert done.stderr == ""
    return set(done.stdout.split())


@pytest.mark.parametrize("line", CASES)
def test_bash(folder, line):
    assert bash(folder, line) == CASES[line]


def test_bash_splits_words_at_an_equals_sign(folder):
    assert bash(folder, "miiii train --preset = wav") == {"waves"}


def test_bash_knows_the_command(folder):
    code = "source script.bash; complete -p miiii"
    done = subprocess.run(["bash", "-c", code], cwd=folder, capture_output=True, text=True)
    assert done.stdout.split() == [
        *("complete", "-o", "bashdefault", "-o", "default", "-F", "_miiii", "miiii")
    ]


@pytest.mark.parametrize("shell", ["bash", "fish"])
def test_a_name_that_a_shell_would_execute_is_not_offered(folder, shell):
    if shutil.which(shell) is None:
        pytest.skip(f"needs {shell}")
    offered = bash(folder, "miiii show ''") if shell == "bash" else fish(folder, "miiii show ")
    assert {"small", "small-2", "other"} <= offered
    assert not any("touch" in word for word in offered)
    assert not (folder / "hacked").exists()


def fish(folder, line):
    code = f"source script.fish; complete -C {shlex.quote(line)}"
    done = subprocess.run(
        ["fish", "--no-config", "-c", code],
        cwd=folder,
        capture_output=True,
        text=True,
        env={"HOME": str(folder), "PATH": "/usr/bin:/bin"},
    )
    assert done.stderr == ""
    # Paths are offered beside names: a run may be given by its path.
    return {one.split("\t")[0] for one in done.stdout.splitlines() if not one.endswith("/")}


@pytest.mark.skipif(shutil.which("fish") is None, reason="needs fish")
@pytest.mark.parametrize("line", CASES)
def test_fish(folder, line):
    assert {word for word in fish(folder, line) if "script." not in word} == CASES[line]


ZSH = r"""
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "PS1=; unsetopt prompt_cr prompt_sp; source script.zsh; print rea''dy"
zpty -r -m shell out '*ready*'
zpty -n -w shell "$1"$'\t'
zpty -w shell $'\C-a print -r -- \C-e >'"$2"
until [[ -s $2 ]]; do zpty -r -t shell out; sleep 0.05; done
"""


@pytest.mark.skipif(shutil.which("zsh") is None, reason="needs zsh")
@pytest.mark.parametrize(
    ("line", "whole"),
    [
        ("miiii train --preset refer", "miiii train --preset reference"),
        ("miiii resume oth", "miiii resume other"),
        ("miiii show --runs-dir elsewhere f", "miiii show --runs-dir elsewhere far"),
        ("miiii report st", "miiii report study-one"),
    ],
)
def test_zsh(folder, tmp_path, line, whole):
    """A key pressed in a terminal of its own; what the line became is written into a file."""
    result = tmp_path / "line"
    subprocess.run(
        ["zsh", "-f", "-c", ZSH, "zsh", line, str(result)],
        cwd=folder,
        capture_output=True,
        timeout=120,
        env={"HOME": str(folder), "PATH": "/usr/bin:/bin", "TERM": "dumb"},
    )
    assert result.read_text().split() == whole.split()


def test_the_command_prints_the_script(capsys, words):
    assert run(["completion", "bash"]) == 0
    assert capsys.readouterr().out == bash_script(words)


def test_an_unknown_shell_is_refused(capsys):
    assert run(["completion", "tcsh"]) == 2
    error = capsys.readouterr().err
    assert "'tcsh'" in error
    assert error.count("\n") == 1
