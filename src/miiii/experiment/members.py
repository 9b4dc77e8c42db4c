"""The runs of a batch: their directories, their identity, and which of them take part."""

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import tomli_w

from miiii.config.config import (
    Config,
    differences,
    from_table,
    from_toml,
    replace_fields,
    to_table,
    to_toml,
)
from miiii.runs.conditions import RESUMED_KEY, made_by
from miiii.runs.directory import RunDirectory
from miiii.runs.errors import DamagedFileError, RunError, RunNotFoundError
from miiii.runs.jsonfiles import encode_json
from miiii.runs.listing import PROVENANCE_NAME
from miiii.runs.provenance import collect_provenance
from miiii.runs.splits import FILE as SPLIT_FILE
from miiii.runs.splits import encode_split, read_split
from miiii.tasks.labels import FILE, decode_labels, encode_labels
from miiii.tasks.split_sizes import given_sizes
from miiii.tasks.splits import keep_split, kept_split
from miiii.training.config import GENERATOR

RANDOM_NUMBERS = {"generator": GENERATOR, "partitionable": True}
"""The random number generator of every run, as its provenance records it."""

LATER_FIELDS: dict[str, Any] = {
    "optimiser": "adamw",
    "filter_tasks": (),
    "orthogonal_gradient": False,
    "large_task_power": 0.0,
    "large_task_classes": 29,
    "large_task_epoch": 1,
    "normaliser": "softmax",
    "label_smoothing": 0.0,
    "label_smoothing_epochs": 0,
    "minibatches": 1,
    "restarts": 0,
    "restart_epochs": 1300,
    "restart_height": 0.5,
    "classes": (),
    "labels": "",
    "stop_when": 0.0,
    "stop_after": 2000,
    "mlp_bias": False,
    "activation": "relu",
    "answer_token": True,
    "attention_mask": "causal",
    "attention_coefficient": 1.0,
    "digit_tokens": "shared",
    "origin": "",
    "average_weights": 0.0,
    "split": "drawn",
    "unanswered": 0,
    "init_scale": 1.0,
}
"""Settings that did not exist when the first runs were saved, with the value that reproduces them.
"""

NO_STOPPING: dict[str, Any] = {name: LATER_FIELDS[name] for name in ("stop_when", "stop_after")}
"""The settings of a run that trains all of its epochs."""


@dataclass(frozen=True)
class Member:
    """One run of a batch."""

    directory: RunDirectory
    config: Config
    present: bool = True
    """Whether its directory takes part. A run that was deleted, or that met a number that is not
    finite, keeps its place in the batch, so that the arithmetic of the others does not change, but
    is not saved."""
    chosen: bool = True
    """Whether it is the run that the user named."""
    ended: int | None = None
    """The epoch at which its stopping rule ended it. While others of its batch go on it keeps its
    place, and nothing more is written of it."""

    @property
    def recorded(self) -> bool:
        """Whether the state at its place in the batch is saved as this run's."""
        return self.present and self.ended is None


def new_member(
    runs_dir: Path,
    name: str,
    config: Config,
    force: bool,
    command: Sequence[str],
    split_hash: str,
    place: tuple[list[str], int],
    more: Mapping[str, Any] | None = None,
    under: Mapping[str, Any] | None = None,
) -> Member:
    """Create the directory of a run that has not begun.

    Args:
        runs_dir: the directory in which it is made.
        name: of the run.
        config: of the run.
        force: move an existing run of that name aside.
        command: recorded in its provenance.
        split_hash: digest of its split and targets.
        place: the names of its batch, and its index among them.
        more: further entries of its provenance.
        under: the conditions it trains under; default: this process's.
    """
    if under is None:
        # Imported here, because it loads JAX, which imported runs do not need.
        from miiii.experiment.conditions import conditions

        under = conditions(len(place[0]))
    provenance = collect_provenance(
        list(command),
        {
            "seed": config.seed,
            "precision": config.training.precision,
            "random_numbers": RANDOM_NUMBERS,
            **under,
            "split": split_hash,
            "batch": {"names": place[0], "index": place[1]},
            "identity": identity(config),
            **(more or {}),
            "settings": to_table(config),
            RESUMED_KEY: [],
        },
    )
    files = {
        "config.toml": to_toml(config).encode(),
        "provenance.json": encode_json(provenance),
        "status.json": encode_json(run_status("created", 0, config, {})),
    }
    if config.task.labels:
        files[FILE] = encode_labels(config.task.labels)
    if given_sizes(config.task.split):
        files[SPLIT_FILE] = encode_split(vars(kept_split(config.task.split)))
    return Member(RunDirectory.create(runs_dir, name, force, files), config)


def identity(config: Config) -> str:
    """A digest of all settings that a run's numbers depend on.

    No number depends on how long a run trains, so that its epochs and stopping rule do not count.
    Fields of `LATER_FIELDS` count only where they are not at their default, so that runs saved
    before a field existed keep their identity.
    """
    settled = replace_fields(config, epochs=2**31 - 1, checkpoint_seconds=1.0, **NO_STOPPING)
    text = to_toml(settled)
    for name, value in LATER_FIELDS.items():
        text = text.replace(tomli_w.dumps({name: value}), "")
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def find_members(chosen: RunDirectory) -> list[Member]:
    """A run and those trained together with it, in the order of the batch.

    Raises:
        DamagedFileError: the run's own configuration cannot be read.
    """
    own = stored_config(chosen)
    names, index = _batch_place(chosen)
    members = []
    for place, name in enumerate(names):
        if place == index:
            members.append(Member(chosen, own))
            continue
        sibling = RunDirectory(chosen.path.parent / name)
        try:
            sibling = RunDirectory.open(chosen.path.parent, name)
            config = stored_config(sibling)
            present = _batch_place(sibling) == (names, place)
            present &= sibling.status.get("state") != "failed"
            present &= not (_is_apart(chosen) or _is_apart(sibling))
        except (RunNotFoundError, DamagedFileError):
            config, present = own, False
        members.append(Member(sibling, config if present else own, present, chosen=False))
    return members


def refuse_other_generator(members: Sequence[Member]) -> None:
    """Refuse to go on where random numbers would come from another generator.

    Runs without a record of it used the same one.

    Raises:
        RunError: a run's provenance names another generator.
    """
    for member in members:
        if not member.present:
            continue
        found = member.directory.provenance.get("random_numbers", RANDOM_NUMBERS)
        if found != RANDOM_NUMBERS:
            raise RunError(
                f"run {member.directory.name} draws its random numbers by {found!r} "
                f"(random_numbers in its provenance.json), and this version by {RANDOM_NUMBERS!r}: "
                "go on with the version that trained it, or start another run"
            )


def set_apart(directory: RunDirectory) -> None:
    """Record that a run goes on without the others of its batch."""
    provenance = directory.provenance
    batch = provenance.get("batch")
    if isinstance(batch, dict) and len(batch.get("names", [])) > 1:
        directory.write_json(PROVENANCE_NAME, {**provenance, "batch": {**batch, "apart": True}})


def _is_apart(directory: RunDirectory) -> bool:
    batch = directory.provenance.get("batch")
    return isinstance(batch, dict) and bool(batch.get("apart"))


def _batch_place(directory: RunDirectory) -> tuple[list[str], int]:
    batch = directory.provenance.get("batch")
    if not isinstance(batch, dict):
        return [directory.name], 0
    names = [str(name) for name in batch.get("names", [])]
    index = batch.get("index", 0)
    # A run that was renamed or copied has its new name at its place.
    names[index] = directory.name
    return names, index


def stored_config(directory: RunDirectory) -> Config:
    """A run's configuration; the run's own labels and split are registered in this process.

    Raises:
        DamagedFileError: configuration, labels or split cannot be read, or a setting that the
            numbers depend on is not the one that the run was started with.
    """
    config, provenance = written_config(directory), _provenance(directory)
    if provenance.get("identity", identity(config)) != identity(config):
        raise DamagedFileError(directory.path / "config.toml", _edited(config, provenance))
    if config.task.labels:
        read_labels(directory.path / FILE, config.task.labels)
    if given_sizes(config.task.split):
        keep_stored_split(directory.path, config.task.split)
    return config


def written_config(directory: RunDirectory) -> Config:
    """A run's configuration as its file has it; its own labels and split are not read.

    Raises:
        DamagedFileError: it cannot be read.
    """
    try:
        return from_toml(directory.config_text)
    except ValueError as error:
        text = f"{error} {made_by(_provenance(directory))}".strip()
        raise DamagedFileError(directory.path / "config.toml", text) from error


def _provenance(directory: RunDirectory) -> Mapping[str, Any]:
    try:
        return directory.provenance
    except DamagedFileError:
        return {}


def _edited(config: Config, provenance: Mapping[str, Any]) -> str:
    """The settings of a run that were changed after it was started, as text."""
    try:
        original = from_table(provenance["settings"])
    except (KeyError, TypeError, ValueError):
        return (
            "was changed since the run was started: it does not have the settings of the run's "
            "files (what it was is not kept by this older run); put the setting back"
        )
    free = ("epochs", "checkpoint_seconds", *NO_STOPPING)
    found = ", ".join(
        f"{name} was {old!r}, is {new!r}"
        for name, (old, new) in differences(original, config).items()
        if name not in free
    )
    return (
        f"was changed since the run was started: {found}; put it back, or start another run with "
        "miiii train --config"
    )


def keep_stored_split(path: Path, text: str) -> None:
    """Register a run's own split in this process.

    Raises:
        DamagedFileError: it cannot be read, or is not the one that the text identifies.
    """
    parts = read_split(path)
    if parts is None or (found := keep_split(parts)) != text:
        raise DamagedFileError(
            path / SPLIT_FILE, "is missing" if parts is None else f"holds {found!r}, not {text!r}"
        )


def read_labels(path: Path, digest: str) -> None:
    """Register a run's labels in this process.

    Raises:
        DamagedFileError: they cannot be read, or do not have this digest.
    """
    try:
        decode_labels(path.read_bytes(), digest)
    except (OSError, ValueError, EOFError) as error:
        raise DamagedFileError(path, str(error)) from error


def run_status(state: str, epoch: int, config: Config, summary: dict[str, Any]) -> dict[str, Any]:
    """The record of status.json: state, epoch, the run's main settings and a summary."""
    return {
        "state": state,
        "epoch": epoch,
        "epochs": config.training.epochs,
        "task": config.task.task,
        "base": config.task.base,
        "seed": config.seed,
        "heartbeat": datetime.now(UTC).isoformat(timespec="seconds"),
        "time": time.time(),
        **summary,
    }
