"""The commands behind pictures: those that made their runs, and the one that draws."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from miiii import __version__
from miiii.esch.about import About
from miiii.runs.conditions import resumptions
from miiii.runs.provenance import plain_command

NAMED = 4
"""Most runs of one command that are named; of more only the number is given."""
_PLACES = ("--output-dir", "--output", "--export", "--json")
"""Options for the place of pictures. They are left out, so that a picture's bytes do not depend on
it."""


def about_pictures(command: Sequence[str], runs: Iterable[tuple[str, Mapping[str, Any]]]) -> About:
    """The metadata of pictures.

    Args:
        command: that draws them, program first; empty for Python. Options for their place are left
            out, and absolute paths are shortened as in provenance.
        runs: name and provenance of each run that is drawn.
    """
    drawn = f"`{shlex.join(_without_places(command))}`" if command else "from Python"
    made: dict[str, list[str]] = {}
    for name, provenance in runs:
        made.setdefault(_commands(provenance), []).append(name)
    program = f"miiii {__version__}"
    parts = [f"Drawn by {program}: {drawn}."]
    parts += [f"{_named(names)}: {commands}." for commands, names in made.items()]
    return About(program, " ".join(parts))


def _commands(provenance: Mapping[str, Any]) -> str:
    """The command that started a run, and those that resumed it, each once."""
    records = [provenance, *resumptions(provenance)]
    words = [shlex.join(map(str, record.get("command") or [])) for record in records]
    return ", then ".join(f"`{one}`" if one else "from Python" for one in dict.fromkeys(words))


def _named(names: Sequence[str]) -> str:
    if len(names) > NAMED:
        return f"{len(names):,} runs"
    return f"Run {names[0]}" if len(names) == 1 else f"Runs {', '.join(names)}"


def _without_places(command: Sequence[str]) -> list[str]:
    kept, skip = [], False
    for word in plain_command(command):
        option, equals, _ = word.partition("=")
        if option in _PLACES:
            skip = option != "--json" and not equals
        elif skip:
            skip = False
        else:
            kept.append(word)
    return kept
