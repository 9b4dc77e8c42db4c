"""The words that the command line knows: each command's options, and what may follow them.

Read off the commands' own help, so that a new option needs nothing here.
"""

import contextlib
import io
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from unittest.mock import patch

from miiii.cleaning.kinds import KINDS
from miiii.cli.main import COMMANDS
from miiii.config.presets import PRESETS

RUN_COMMANDS = (
    *("resume", "show", "compare", "figures", "circuits", "certify", "export", "track", "view"),
)
"""Commands whose arguments are runs."""
STUDY_COMMANDS = ("ledger", "report", "view")
"""Commands whose arguments are studies."""
RUN_OPTIONS = ("--compare", "--baseline", "--no-dropout", "--filters", "--waves")
"""Options of `miiii figures` that are followed by runs."""
SHELLS = ("bash", "zsh", "fish")

_OPTION = re.compile(
    # Two spaces stand before an option, wherever it stands; within a sentence there is one.
    r"(?:^|[│|]|(?<=\s)) {1,2}(?:-h, )?(--[\w-]+(?:, --[\w-]+)*)(?: (\S+))?(?= |$)"
)
_CHOICES = re.compile(r"\{([\w.,-]+)\}")
_WIDE = "400"
"""Columns of the help that is read, so that no option is broken over two lines."""


@dataclass(frozen=True)
class Option:
    """One option of a command."""

    name: str
    """With its dashes."""
    follows: str
    """What follows it: nothing, values, runs, directory, file or text."""
    values: tuple[str, ...] = ()
    """Where it is one of a few."""


@dataclass(frozen=True)
class CommandWords:
    """A command's options, and the fixed words that may be its argument."""

    name: str
    purpose: str
    options: tuple[Option, ...]
    arguments: tuple[str, ...] = ()


def known_words() -> tuple[CommandWords, ...]:
    """Every command with its words, in the order of the overview."""
    found = []
    for name, (module, purpose) in COMMANDS.items():
        actions = tuple(getattr(import_module(module), "ACTIONS", ())) if name == "sweep" else ()
        texts = [_help_of(name, [action, "--help"]) for action in actions]
        texts = texts or [_help_of(name, ["--help"])]
        options = {one.name: one for text in texts for one in _options(name, text)}
        arguments = SHELLS if name == "completion" else actions
        found.append(CommandWords(name, purpose, tuple(options.values()), arguments))
    return tuple(found)


def _help_of(name: str, words: list[str]) -> str:
    text = io.StringIO()
    with (
        patch.dict(os.environ, {"COLUMNS": _WIDE}),
        contextlib.redirect_stdout(text),
        contextlib.suppress(SystemExit),
    ):
        import_module(COMMANDS[name][0]).commands[name](words)
    return text.getvalue()


def _options(command: str, text: str) -> Iterator[Option]:
    for line in text.splitlines():
        for match in _OPTION.finditer(line):
            for name in match[1].split(", "):
                yield _option(command, name, match[2] or "")


def _option(command: str, name: str, kind: str) -> Option:
    choices = _CHOICES.search(kind.removeprefix("{None}|"))
    if name == "--preset":
        return Option(name, "values", tuple(PRESETS))
    if command == "clean" and name == "--only":
        return Option(name, "values", tuple(KINDS))
    if command == "figures" and name in RUN_OPTIONS:
        return Option(name, "runs")
    if name.endswith("-dir"):
        return Option(name, "directory")
    words = choices[1].split(",") if choices is not None else []
    if values := tuple(word for word in words if word != "None"):
        return Option(name, "values", values)
    if kind.endswith(("PATH", "FILE")):
        return Option(name, "file")
    return Option(name, "text" if kind else "nothing")
