"""`--config FILE`: a TOML file of fields, with the labels and the split in the same directory."""

from pathlib import Path
from typing import Annotated

import tyro

from miiii.cli.arguments import UsageError
from miiii.config.config import Config, from_toml
from miiii.tasks.split_sizes import given_sizes

ConfigFile = Annotated[Path | None, tyro.conf.arg(name="config", metavar="FILE")]
"""Type of the option, whose field needs the metadata {"option": "--config"}."""


def read_config(path: Path, base: Config) -> Config:
    """The configuration `base` with the fields of a file.

    Raises:
        UsageError: the file cannot be read, or has fields or values that no configuration has.
        DamagedFileError: the split beside it cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"--config is {str(path)!r}: it cannot be read ({reason})") from error
    try:
        config = from_toml(text, base)
    except ValueError as error:
        raise UsageError(f"{path}: {error}") from error
    if config.task.labels or given_sizes(config.task.split):
        _register_data_beside(path, config)
    return config


def _register_data_beside(path: Path, config: Config) -> None:
    """Register the labels and the split that a run has beside its configuration."""
    from miiii.experiment.members import keep_stored_split, read_labels
    from miiii.runs.errors import DamagedFileError
    from miiii.runs.splits import FILE as SPLIT_FILE
    from miiii.tasks.labels import FILE as LABELS_FILE

    labels = path.with_name(LABELS_FILE)
    if config.task.labels and labels.exists():
        try:
            read_labels(labels, config.task.labels)
        except DamagedFileError as error:
            raise UsageError(str(error)) from error
    if given_sizes(config.task.split) and path.with_name(SPLIT_FILE).exists():
        keep_stored_split(path.parent, config.task.split)
