"""`--config FILE`: a TOML file of fields, with the labels and the split that stand beside it."""

from pathlib import Path

from miiii.cli.arguments import UsageError
from miiii.config.config import Config, from_toml
from miiii.tasks.split_sizes import given_sizes


def read_config(path: Path, base: Config) -> Config:
    """A file of fields, laid over a configuration.

    Raises:
        UsageError: it cannot be read, or says what no configuration can have.
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
    if config.task.labels:
        _keep_labels_beside(path, config.task.labels)
    if given_sizes(config.task.split):
        _keep_split_beside(path, config.task.split)
    return config


def _keep_labels_beside(path: Path, digest: str) -> None:
    from miiii.tasks.labels import FILE, decode_labels

    beside = path.with_name(FILE)
    if beside.exists():
        try:
            decode_labels(beside.read_bytes(), digest)
        except (OSError, ValueError, EOFError) as error:
            raise UsageError(f"{beside}: {error}") from error


def _keep_split_beside(path: Path, text: str) -> None:
    from miiii.runs.splits import FILE

    if path.with_name(FILE).exists():
        from miiii.experiment.members import keep_stored_split

        keep_stored_split(path.parent, text)
