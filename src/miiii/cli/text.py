"""Words and numbers as people read and write them."""

from pathlib import Path


def shown(value: float | None, form: str, absent: str = "-") -> str:
    """A number in one of Python's formats; a dash where there is none."""
    return absent if value is None else format(value, form)


def counted(count: int, what: str) -> str:
    """How many of something: 1 run, 1,200 runs."""
    return f"{count:,} {what}{'s' * (count != 1)}"


def listed(text: str) -> tuple[str, ...]:
    """What stands between commas."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def directory_option(path: Path, kind: str) -> str:
    """The option by which a command finds `path` again, with a space before.

    Args:
        path: as it was given.
        kind: runs, studies or sweeps: also the directory's name where none is given.
    """
    return "" if path == Path(kind) else f" --{kind}-dir {path}"
