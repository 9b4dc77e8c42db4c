"""The words of the command line: each command's options, and what may follow them.

They are read from the dataclasses that commands parse their words into, so that a new option needs
no change here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from miiii.cleaning.kinds import KINDS
from miiii.cli.arguments import typed_options
from miiii.cli.commands.sweep import ACTIONS, action_module
from miiii.cli.main import COMMANDS, command_module
from miiii.config.presets import PRESETS

RUN_COMMANDS = (
    *("resume", "show", "compare", "figures", "circuits", "certify", "export", "track", "view"),
)
"""Commands that take runs as arguments."""
STUDY_COMMANDS = ("ledger", "report", "view")
"""Commands that take studies as arguments."""
RUN_OPTIONS = ("--compare", "--baseline", "--no-dropout", "--filters", "--waves")
"""Options of `miiii figures` that take runs."""


@dataclass(frozen=True)
class Option:
    """One option of a command."""

    name: str
    """With its dashes."""
    follows: str
    """The kind of its value: nothing, values, runs, directory, file or text."""
    values: tuple[str, ...] = ()
    """The possible values, for the kind "values"."""


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
    for name, purpose in COMMANDS.items():
        actions = tuple(ACTIONS) if name == "sweep" else ()
        places = [(action_module(action), action) for action in actions]
        places = places or [(command_module(name), name)]
        # The dataclass of the command train is TrainArguments.
        kinds = [getattr(module, f"{one.capitalize()}Arguments") for module, one in places]
        options = {one.name: one for kind in kinds for one in _options(name, kind)}
        words = actions or tuple(
            word
            for kind in kinds
            for at, hint in typed_options(kind)
            if not at
            for word in _choices(hint)
        )
        found.append(CommandWords(name, purpose, tuple(options.values()), words))
    return tuple(found)


def _options(command: str, kind: Any) -> Iterator[Option]:
    yield Option("--help", "nothing")
    for name, hint in typed_options(kind):
        if name and hint is bool:
            yield from (Option(each, "nothing") for each in (name, f"--no-{name[2:]}"))
        elif name:
            yield _option(command, name, hint)


def _option(command: str, name: str, hint: Any) -> Option:
    if name == "--preset":
        return Option(name, "values", tuple(PRESETS))
    if command == "clean" and name == "--only":
        return Option(name, "values", tuple(KINDS))
    if command == "figures" and name in RUN_OPTIONS:
        return Option(name, "runs")
    if name.endswith("-dir"):
        return Option(name, "directory")
    if values := _choices(hint):
        return Option(name, "values", values)
    return Option(name, "file" if Path in (hint, *get_args(hint)) else "text")


def _choices(hint: Any) -> tuple[str, ...]:
    """The values of a Literal, itself or in a union; none for any other type."""
    if get_origin(hint) is Literal:
        return tuple(map(str, get_args(hint)))
    return tuple(word for part in get_args(hint) for word in _choices(part))
