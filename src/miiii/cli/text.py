"""Numbers, lists and options as text."""

from pathlib import Path


def shown(value: float | None, form: str, absent: str = "-") -> str:
    """A number in one of Python's formats; a dash for None."""
    return absent if value is None else format(value, form)


def counted(count: int, noun: str) -> str:
    """A count with its noun: 1 run, 1,200 runs."""
    return f"{count:,} {noun}{'s' * (count != 1)}"


def listed(text: str) -> tuple[str, ...]:
    """The parts of a text between commas, without empty ones."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def directory_option(path: Path, kind: str) -> str:
    """The option by which a next command finds `path`, after a space; "" if it is the default."""
    return "" if path == Path(kind) else f" --{kind}-dir {path}"
