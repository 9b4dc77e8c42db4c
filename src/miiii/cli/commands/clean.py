"""`miiii clean`: lists and deletes files that are not needed."""

import json
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from miiii.cleaning.finding import Candidate, Found, find
from miiii.cleaning.kinds import KINDS, Kind, chosen_kinds
from miiii.cleaning.removal import remove
from miiii.cli.arguments import parse
from miiii.cli.checks import only_one
from miiii.cli.tables import print_table
from miiii.cli.text import counted, listed
from miiii.experiment.compiled_programs import cache_directory
from miiii.runs.locking import lock_state, unsure_text


@dataclass(frozen=True)
class CleanArguments:
    """List files that can be deleted, with their sizes, and delete them if you confirm.

    Without --only it deletes what a command can make again: temporary, figures, analysis, compiled
    (the compiled programs of every project, and so not with another --runs-dir or --studies-dir).
    What cannot be made again must be named: checkpoints, damaged, failed, replaced. A run that a
    live process holds is never touched. Without a terminal it deletes only with --yes.
    """

    only: str = ""
    """Kinds to list and to delete, separated by commas, for example temporary,checkpoints."""
    yes: bool = False
    """Delete without asking, for scripts."""
    dry_run: bool = False
    """List only: do not ask and do not delete."""
    every: bool = False
    """List every run separately, instead of adding up those of one directory."""
    runs_dir: Path = Path("runs")
    """The directory that holds the runs."""
    studies_dir: Path = Path("studies")
    """The directory that holds the studies."""
    json: bool = False
    """Print what was found, and what was deleted, as JSON on stdout, without asking."""


def clean_command(words: list[str]) -> int:
    """Run `miiii clean`; returns the exit code."""
    arguments = parse(CleanArguments, words, "miiii clean")
    only_one(arguments, "yes", "dry-run")
    names = listed(arguments.only)
    kinds = chosen_kinds(names)
    # All projects share the compiled programs: cleaning another directory of runs keeps them.
    elsewhere = (arguments.runs_dir, arguments.studies_dir) != (Path("runs"), Path("studies"))
    kept = "compiled" if elsewhere else ""
    going = {kind.name for kind in kinds if names or (kind.remade and kind.name != kept)}
    found = find(
        arguments.runs_dir,
        arguments.studies_dir,
        # Without a home directory there is no cache: nothing is found in a path that cannot exist.
        cache_directory() or Path(os.devnull) / "none",
        [kind.name for kind in kinds],
    )
    doomed = [one for one in found.candidates if one.kind in going]
    if arguments.json:
        gone = remove(doomed).candidates if arguments.yes else ()
        print(json.dumps(_record(found, gone), indent=2))
        return 0
    _list(found, kinds, going, arguments.every)
    if not doomed or arguments.dry_run:
        print("nothing was deleted", file=sys.stderr)
        return 0
    if not arguments.yes and not _confirmed(f"{_count(doomed)}, {_total(doomed)}"):
        return 0
    removed = remove(doomed)
    print(f"deleted {_count(removed.candidates)}, {size_text(removed.size)}")
    for path in removed.in_use:
        print(f"left alone: {path} was taken by a process meanwhile", file=sys.stderr)
    return 0


def _confirmed(described: str) -> bool:
    """Ask whether to delete; False, with the reason on stderr, where nothing may be deleted."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        print("nothing was deleted: no terminal to ask at; give --yes to delete", file=sys.stderr)
        return False
    print(f"\ndelete {described}? [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() in ("y", "yes"):
        return True
    print("nothing was deleted", file=sys.stderr)
    return False


def _list(found: Found, kinds: Iterable[Kind], going: set[str], every: bool) -> None:
    rows, totals = [], []
    for kind in kinds:
        own = [one for one in found.candidates if one.kind == kind.name]
        for where, several in _grouped(own, every).items():
            rows.append([kind.name, str(where), _inside(several), _total(several)])
        if own:
            named = "" if kind.name in going else f" (only with --only {kind.name})"
            totals.append([kind.name, _total(own), kind.description, kind.afterwards + named])
    if not found.candidates:
        print("there is nothing to clean")
    else:
        print_table(("kind", "where", "what", "size"), rows, whole=("kind", "size"))
        print()
        print_table(("kind", "size", "what it is", "afterwards"), totals)
    for path in found.in_use:
        state = "in use by a process"
        if lock_state(path) == "unknown":
            state = f"may be in use ({unsure_text(path)})"
        print(f"{state}, left alone: {path}")


def _grouped(candidates: Iterable[Candidate], every: bool) -> dict[Path, list[Candidate]]:
    """Candidates by place: a whole run's directory; for files in a run the directory of runs."""
    groups: dict[Path, list[Candidate]] = {}
    for one in candidates:
        separate = every or one.run is None or one.paths == (one.owner,)
        groups.setdefault(one.owner if separate else one.owner.parent, []).append(one)
    return groups


def _inside(candidates: list[Candidate]) -> str:
    first = candidates[0]
    if first.paths == (first.owner,):
        return "the whole run"
    paths = [path for one in candidates for path in one.paths]
    files = paths[0].name if len(paths) == 1 else f"{len(paths)} files"
    return files if len(candidates) == 1 else f"{files} in {len(candidates)} runs"


def _count(candidates: Iterable[Candidate]) -> str:
    every = list(candidates)
    runs = sum(one.paths == (one.owner,) for one in every)
    files = sum(len(one.paths) for one in every) - runs
    parts = [counted(files, "file")] if files or not runs else []
    parts += [counted(runs, "whole run")] if runs else []
    return " and ".join(parts)


def _total(candidates: Iterable[Candidate]) -> str:
    return size_text(sum(one.size for one in candidates))


def size_text(size: int) -> str:
    """Bytes with a unit: 12 kB, 3.4 MB."""
    value, unit = float(size), "bytes"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < 999.5:
            break
        value, unit = value / 1000, larger
    return f"{value:.0f} {unit}" if unit == "bytes" or value >= 100 else f"{value:.3g} {unit}"


def _record(found: Found, gone: Iterable[Candidate]) -> dict[str, Any]:
    deleted = set(gone)
    return {
        "candidates": [
            {
                "kind": one.kind,
                "owner": str(one.owner),
                "paths": [str(path) for path in one.paths],
                "bytes": one.size,
                "remade": KINDS[one.kind].remade,
                "deleted": one in deleted,
            }
            for one in found.candidates
        ],
        "in_use": [str(path) for path in found.in_use],
    }
