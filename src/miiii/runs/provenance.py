"""Where a run comes from: versions, platform, source revision, command, time.

Nothing here identifies the machine or its owner: absolute paths are shortened and addresses left
out, so that a run can be published as it is.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = ("miiii", "jax", "jaxlib", "optax", "numpy", "scipy", "safetensors")

_GIT_TIMEOUT_SECONDS = 10.0
_ADDRESS = re.compile(r"\b([A-Za-z][A-Za-z0-9+.-]*)://\S*")
_PATH_IN_TEXT = re.compile(r"(?<![^\s=:,;'\"(\[])~?/[^\s/=:,;'\")\]]+/[^\s=:,;'\")\]]*")


def plain_command(command: Sequence[str]) -> list[str]:
    """A command line with the machine taken out: absolute paths are shortened."""
    return [_without_machine_argument(argument) for argument in command]


def collect_provenance(command: list[str], extra: Mapping[str, Any]) -> dict[str, Any]:
    """The record for `provenance.json`.

    Args:
        command: the command line, program first.
        extra: more to record, as device, precision, seed and the hash of the split.

    Returns:
        `time` (UTC, ISO 8601), `command`, `versions` (None for a package that is not
        installed), `platform`, `git` (None outside a checkout), then `extra`.

    Raises:
        ValueError: `extra` repeats one of these names.
    """
    record: dict[str, Any] = {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": plain_command(command),
        "versions": {"python": platform.python_version(), **package_versions()},
        "platform": {
            "system": platform.system(),
            "machine": platform.machine(),
            "implementation": platform.python_implementation(),
        },
        "git": git_revision(_source_tree()),
    }
    repeated = sorted(set(record) & set(extra))
    if repeated:
        raise ValueError(f"provenance already has {', '.join(repeated)}")
    return without_machine({**record, **extra})


def package_versions() -> dict[str, str | None]:
    """The installed versions of the packages that decide about numbers."""
    versions: dict[str, str | None] = {}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = None
    return versions


def _source_tree() -> Path:
    # .parent of the root is the root: a package at an unusual place is only no checkout.
    return Path(__file__).resolve().parent.parent.parent.parent


def git_revision(source: Path) -> dict[str, Any] | None:
    """The revision of a source tree and whether its `src` has changes (`dirty`).

    Args:
        source: the root of the tree.

    Returns:
        None where it is not the root of a checkout with a commit, or git cannot be asked. An
        installed package is no checkout, even if it lies inside somebody's repository.
    """
    if not (source / ".git").exists() or not (source / "src" / "miiii").is_dir():
        return None
    revision = _git(source, "rev-parse", "--verify", "HEAD")
    # Only what runs: notes and results beside the sources change no number.
    changes = _git(source, "status", "--porcelain", "--", "src")
    if revision is None or changes is None:
        return None
    return {"revision": revision.strip(), "dirty": bool(changes.strip())}


def _git(source: Path, *arguments: str) -> str | None:
    # Variables of a surrounding git command would point it at another repository.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    environment["GIT_OPTIONAL_LOCKS"] = "0"
    try:
        answer = subprocess.run(
            ["git", "-C", str(source), *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_GIT_TIMEOUT_SECONDS,
            check=True,
        )
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return answer.stdout


def without_machine(value: Any) -> Any:
    """A record with the machine taken out of every text in it.

    An absolute path below the working directory becomes relative to it, any other keeps only its
    last name; an address such as `postgresql://user@host/base` keeps only its scheme.
    """
    if isinstance(value, Mapping):
        return {key: without_machine(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_machine(item) for item in value]
    if isinstance(value, Path):
        return without_machine(str(value))
    if isinstance(value, str):
        return _PATH_IN_TEXT.sub(lambda match: _shorten(match[0]), _ADDRESS.sub(r"\1:...", value))
    return value


def _without_machine_argument(argument: str) -> str:
    # An argument that is a path is one as a whole, spaces included.
    option, equals, value = argument.partition("=")
    for prefix, text in (("", argument), (option + equals, value)):
        if text.startswith(("/", "~")):
            return prefix + _shorten(text)
    return without_machine(argument)


def _shorten(text: str) -> str:
    path = Path(text)
    try:
        here = Path.cwd()
        if here != here.parent:
            return str(path.relative_to(here))
    except (OSError, ValueError):
        pass
    return path.name or "."


def branch_text(provenance: Mapping[str, Any]) -> str:
    """Where a run begins, in one line; "" where it is no branch."""
    found = provenance.get("branch")
    if not isinstance(found, Mapping):
        return ""
    what = "weights and optimiser's state" if found.get("optimiser") else "weights"
    changed = "; ".join(
        f"{name} {old} → {new}" for name, (old, new) in dict(found.get("settings", {})).items()
    )
    return (
        f"branched from {found.get('run')} after epoch {found.get('epoch'):,} ({what}); "
        f"settings changed: {changed or 'none'}"
    )
