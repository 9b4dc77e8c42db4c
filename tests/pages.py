"""The code blocks of the documentation: found, checked, and run as a reader would.

A comment directly above a block says what is special about it, with the reason after a semicolon:

    <!-- test: parsed only; why -->     nothing runs: Python compiles, options exist
    <!-- test: small; why -->           `miiii train` is given a model that trains in a second
    <!-- test: exit 1; why -->          a command may end so

and anywhere on a page `<!-- test: needs NAME, NAME -->` puts stand-ins of these runs in place.
"""

import contextlib
import functools
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import miiii
from miiii.cli.main import COMMANDS
from miiii.cli.main import run as run_miiii

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    path
    for path in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    if "build" not in path.relative_to(ROOT).parts
)
SMALL = [*("--base", "11", "--width", "16", "--heads", "4"), *("--epochs", "8", "--snapshots", "4")]
SHELLS, SILENT = ("sh", "bash", "console"), ("text", "json", "csv", "toml", "markdown")

_MARK = re.compile(r"<!-- test: (.*?)(?:; (.*?))? -->")
_FENCE = re.compile(r"^(`{3,}|~{3,})(.*)$")


@dataclass(frozen=True)
class Block:
    """A fenced block: where it stands, its language, its text, and its marks with their reasons."""

    page: Path
    line: int
    language: str
    text: str
    marks: tuple[tuple[str, str], ...]

    def marked(self, what: str) -> bool:
        return any(mark == what for mark, _ in self.marks)

    @property
    def exits(self) -> set[int]:
        """Exit codes that its commands may have."""
        return {0, *(int(mark.split()[1]) for mark, _ in self.marks if mark.startswith("exit "))}

    @property
    def commands(self) -> list[list[str]]:
        """Of a shell block: its commands as words, without what is printed."""
        text = self.text.replace("\\\n", " ")
        lines = text.splitlines()
        if self.language == "console":
            lines = [line[2:] for line in lines if line.startswith("$ ")]
        found = [shlex.split(line, comments=True) for line in lines]
        return [words for line in found for words in _between(line)]


def _between(words: list[str]) -> list[list[str]]:
    """Commands that stand on one line, with && or ; between them."""
    parts: list[list[str]] = [[]]
    for word in words:
        if word == "&&":
            parts.append([])
        elif word.endswith(";"):
            parts[-1].append(word[:-1])
            parts.append([])
        else:
            parts[-1].append(word)
    return [part for part in parts if part]


def read_blocks(page: Path) -> list[Block]:
    """Every fenced block of a page."""
    found, marks, inside, start = [], [], None, 0
    body: list[str] = []
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), start=1):
        fence = _FENCE.match(line.strip())
        if inside is None and fence:
            inside, start, body = (fence[1], fence[2].strip()), number, []
        elif inside is not None and fence and fence[1] == inside[0] and not fence[2]:
            found.append(Block(page, start, inside[1], "\n".join(body), tuple(marks)))
            inside, marks = None, []
        elif inside is not None:
            body.append(line)
        elif mark := _MARK.fullmatch(line.strip()):
            marks.append((mark[1], mark[2] or ""))
        else:
            marks = []
    assert inside is None, f"{page}:{start}: a block that does not end"
    return found


def needed_runs(page: Path) -> list[str]:
    """Names of the runs that a page takes for granted."""
    marks = _MARK.findall(page.read_text(encoding="utf-8"))
    lists = [mark[6:] for mark, _ in marks if mark.startswith("needs ")]
    return [name.strip() for text in lists for name in text.split(",")]


def make_stand_ins(names: list[str], folder: Path, store: Path) -> None:
    """Runs of these names, as small as they can be: copies of one, which is trained once."""
    if names and not (store / "stand-in").exists():
        small = miiii.get_preset("small")
        config = miiii.replace_fields(small, width=8, heads=4, epochs=4, snapshots=3)
        miiii.start([config], ["stand-in"], store)
    for name in names:
        shutil.copytree(store / "stand-in", folder / "runs" / name)


def check(block: Block) -> None:
    """A block that is not run: its Python compiles, its commands and their options exist."""
    if block.language == "python":
        compile(block.text, f"{block.page.name}:{block.line}", "exec")
        return
    for words in block.commands:
        check_command(words)


def check_command(words: list[str]) -> None:
    program, *rest = [word for word in words if "=" not in word or word.startswith("-")]
    if program == "miiii":
        if not rest or rest[0].startswith("-"):
            assert rest in ([], ["--help"], ["--version"])
            return
        assert rest[0] in COMMANDS, f"there is no command {rest[0]!r}"
        depth = 2 if rest[0] == "sweep" and len(rest) > 1 else 1
        said = help_text(*rest[:depth])
        for word in rest[depth:]:
            option = word.split("=")[0]
            if option.startswith("--") and option != "--help":
                assert re.search(rf"{option}(?![\w-])", said), f"{rest[:depth]} has no {option}"
    elif program == "make":
        targets = (ROOT / "Makefile").read_text(encoding="utf-8")
        for target in rest:
            assert re.search(rf"^{target}:", targets, re.MULTILINE), f"no target {target}"
    elif program in ("pip", "python") and "install" in rest:
        extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        named = re.findall(r"miiii\[([\w,]+)\]|\.\[([\w,]+)\]", " ".join(rest))
        for extra in ",".join(one or other for one, other in named).split(","):
            assert not extra or extra in extras["optional-dependencies"], f"no extra {extra!r}"
    elif program == "python" and rest[:1] == ["-m"]:
        place = ROOT / rest[1].replace(".", "/")
        assert place.is_dir() or place.with_suffix(".py").is_file(), f"there is no {rest[1]}"
    else:
        assert shutil.which(program) or program in OTHERS, f"what is {program!r}?"


OTHERS = (
    "optuna-dashboard",
    "jupyter",
    "git",
    "docker",
    "srun",
    "sbatch",
    "squeue",
    "tensorboard",
    "source",
    "createdb",
)
"""Programs that a page may name although they are not part of what is installed here."""


@functools.cache
def help_text(*words: str) -> str:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
        run_miiii([*words, "--help"])
    return printed.getvalue()


def run_commands(block: Block) -> None:
    """Each command of a block, miiii in this process, anything else as one of its own."""
    for words in block.commands:
        check_command(words)
        said = f"{block.page.name}:{block.line}: {shlex.join(words)}"
        if words[0] == "miiii":
            small = SMALL if block.marked("small") and words[1] == "train" else []
            code = run_miiii([*words[1:], *small])
        elif words[0] == "python" and words[1:] and words[1].endswith(".py"):
            code = subprocess.run([sys.executable, *words[1:]], check=False).returncode
        else:
            raise AssertionError(f"{said}: mark this block as parsed only, and say why")
        assert code in block.exits, f"{said}: exit code {code}"


def run_page(page: Path, folder: Path, store: Path) -> None:
    """All blocks of a page, in order, in one directory and one Python namespace.

    Args:
        page: the page.
        folder: where the blocks run.
        store: where the stand-in for runs is kept between pages.
    """
    make_stand_ins(needed_runs(page), folder, store)
    namespace: dict[str, object] = {"__name__": "page"}
    before = os.getcwd()
    os.chdir(folder)
    try:
        for block in read_blocks(page):
            if block.language.startswith("{") or block.language in SILENT:
                continue
            if block.marked("parsed only"):
                check(block)
            elif block.language == "python":
                code = compile(block.text, f"{page.name}:{block.line}", "exec")
                exec(code, namespace)
            else:
                run_commands(block)
    finally:
        os.chdir(before)
