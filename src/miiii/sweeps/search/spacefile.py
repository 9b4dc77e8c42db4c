"""A search space as a TOML file; errors name the line.

::

    learning_rate = { low = 1e-4, high = 1e-2, log = true }
    epochs = { low = 500, high = 2000 }
    width = [128, 256]
    optimiser = ["adamw", "muon"]
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from miiii.config.config import Config, field_sections, from_table, read_toml
from miiii.refusals import unknown_name
from miiii.sweeps.search.spaces import TABLE_1, Dimension, Interval, SearchSpace

BUILT_IN = {"table1": TABLE_1}
"""Spaces that a user can choose by name."""
_SYMBOLS = TABLE_1.symbols
_INTERVAL_KEYS = ("low", "high", "log")


def read_space(name: str, base: Config) -> SearchSpace:
    """A space by its name, or from a file.

    Args:
        name: a key of `BUILT_IN`, or a path that ends in .toml.
        base: every other setting; a run must be possible with it and each searched value.

    Raises:
        ValueError: the space or file does not exist, the file is not TOML, or an entry is unknown
            or out of its limits; the message names the file's line.
    """
    if name in BUILT_IN:
        check_space(BUILT_IN[name], base)
        return BUILT_IN[name]
    path = Path(name)
    if path.suffix != ".toml":
        raise ValueError(
            f"{unknown_name('space', name, list(BUILT_IN))} (or a file that ends in .toml)"
        )
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise ValueError(f"space file {path} cannot be read ({reason})") from error
    return space_from_toml(text, base, str(path))


def space_from_toml(text: str, base: Config, where: str) -> SearchSpace:
    """A space from TOML text.

    Args:
        text: has the form in this module's description.
        base: every other setting.
        where: the text's name in error messages.

    Raises:
        ValueError: as in `read_space`.
    """
    dimensions = []
    for name, entry in read_toml(text, where).items():
        try:
            if name == "seed":
                raise ValueError("seed cannot be searched: train the best settings with --seeds")
            if name in field_sections().values() and isinstance(entry, Mapping):
                raise ValueError(f"write fields without the section [{name}]")
            if name not in field_sections():
                raise ValueError(unknown_name("parameter", name, list(field_sections())))
            dimension = _dimension(name, entry, base)
            check_space(SearchSpace((dimension,)), base)
        except ValueError as error:
            raise ValueError(f"{where}, line {_line(text, name)}: {error}") from error
        dimensions.append(dimension)
    if not dimensions:
        raise ValueError(f"{where} is empty: expected lines such as width = [128, 256]")
    return SearchSpace(tuple(dimensions))


def space_to_table(space: SearchSpace) -> dict[str, Any]:
    """A space as a table that `space_from_toml` reads from TOML."""
    record: dict[str, Any] = {}
    for each in space.dimensions:
        if isinstance(each, Dimension):
            record[each.field] = list(each.values)
        else:
            record[each.field] = {"low": each.low, "high": each.high, "log": each.log}
            if each.whole:
                record[each.field] |= {"low": int(each.low), "high": int(each.high)}
    return record


def check_space(space: SearchSpace, base: Config) -> None:
    """Check every listed value and both limits of every interval, with `base`'s other settings.

    Raises:
        ValueError: a value has the wrong type or is out of its limits.
    """
    for each in space.dimensions:
        for value in each.values if isinstance(each, Dimension) else _ends(each):
            setting(base, {each.field: value})


def setting(base: Config, values: Mapping[str, Any]) -> Config:
    """A configuration with some fields changed.

    Raises:
        ValueError: a field is unknown, or a value has the wrong type or is out of its limits.
    """
    sections = field_sections()
    record: dict[str, Any] = {}
    for name, value in values.items():
        if name not in sections:
            raise ValueError(unknown_name("parameter", name, list(sections)))
        record.setdefault(sections[name], {})[name] = value
    return from_table(record, base)


def _dimension(name: str, entry: Any, base: Config) -> Dimension | Interval:
    kind = type(getattr(getattr(base, field_sections()[name]), name))
    if isinstance(entry, list):
        if not all(isinstance(value, int | float | str | bool) for value in entry):
            raise ValueError(f"{name} is {entry!r}: a list must hold numbers, texts or true, false")
        values = [float(value) if kind is float else value for value in entry]
        return Dimension(name, _SYMBOLS.get(name, name), tuple(values))
    if not isinstance(entry, Mapping) or not {"low", "high"} <= set(entry):
        raise ValueError(
            f"{name} is {entry!r}: expected a list of values, or {{ low = …, high = … }}"
        )
    for key in entry:
        if key not in _INTERVAL_KEYS:
            raise ValueError(unknown_name("entry", key, list(_INTERVAL_KEYS)))
    low, high, log = entry["low"], entry["high"], entry.get("log", False)
    for key, value in (("low", low), ("high", high)):
        if type(value) not in (int, float):
            raise ValueError(f"{key} of {name} is {value!r}: it must be a number")
    if not isinstance(log, bool):
        raise ValueError(f"log of {name} is {log!r}: it must be true or false")
    whole = kind is int
    if whole and not (type(low) is int and type(high) is int):
        raise ValueError(f"{name} is a whole number: low and high must also be whole numbers")
    return Interval(name, _SYMBOLS.get(name, name), low, high, log, whole)


def _ends(each: Interval) -> tuple[float | int, float | int]:
    return (int(each.low), int(each.high)) if each.whole else (float(each.low), float(each.high))


def _line(text: str, name: str) -> int:
    """The line of a key, counted from 1; 1 if the key is not found."""
    start = re.compile(rf"""^\s*(\[\s*)?["']?{re.escape(name)}["']?\s*[].=]""")
    for number, line in enumerate(text.splitlines(), 1):
        if start.match(line):
            return number
    return 1
