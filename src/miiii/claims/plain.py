"""Frozen records as JSON and back, checked field by field.

JSON has no NaN and no infinity: NaN is null, infinities are the texts "inf" and "-inf".
"""

import dataclasses
import math
import types
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

Record = TypeVar("Record")


def to_plain(value: Any) -> Any:
    """A record of dataclasses, tuples, mappings, texts, numbers and None as JSON's types.

    Raises:
        TypeError: a value is of another type.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            item.name: to_plain(getattr(value, item.name)) for item in dataclasses.fields(value)
        }
    if isinstance(value, dict):
        return {key: to_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(item) for item in value]
    if isinstance(value, float):
        if math.isnan(value):
            return None
        return float(value) if math.isfinite(value) else ("inf" if value > 0 else "-inf")
    if value is None or isinstance(value, str | bool | int):
        return value
    raise TypeError(f"{value!r} is of type {type(value).__name__}, which a record cannot hold")


def from_plain(kind: type[Record], value: Any, where: str = "record") -> Record:
    """The inverse of `to_plain`.

    Args:
        kind: a dataclass whose fields are dataclasses, int, float, str, bool, tuples of one type,
            dict[str, str], or any of these or None.
        value: the parsed JSON.
        where: the name of the value in messages.

    Raises:
        ValueError: a field is missing, unknown, or of another type; the message names it.
    """
    return _read(kind, value, where)


def _read(kind: Any, value: Any, where: str) -> Any:
    if dataclasses.is_dataclass(kind):
        return _read_record(kind, value, where)
    if get_origin(kind) in (Union, types.UnionType):
        if value is None:
            return None
        (inner,) = (part for part in get_args(kind) if part is not type(None))
        return _read(inner, value, where)
    if get_origin(kind) is tuple and isinstance(value, list):
        inner = get_args(kind)[0]
        return tuple(_read(inner, item, f"{where}[{i}]") for i, item in enumerate(value))
    if get_origin(kind) is dict and isinstance(value, dict):
        if all(isinstance(item, str) for item in value.values()):
            return dict(value)
    elif kind is float:
        if value is None:
            return math.nan
        if value in ("inf", "-inf") or type(value) in (int, float):
            return float(value)
    elif type(value) is kind:
        return value
    name = getattr(kind, "__name__", str(kind))
    raise ValueError(f"{where} is {value!r:.60}: expected {name}")


def _read_record(kind: Any, value: Any, where: str) -> Any:
    if not isinstance(value, dict):
        raise ValueError(f"{where} is {value!r:.60}: expected a JSON object")
    kinds = get_type_hints(kind)
    defaults = {item.name: item.default for item in dataclasses.fields(kind)}
    names = list(defaults)
    for name, default in defaults.items():
        # Fields with a default are younger than some stored records.
        if name not in value and default is dataclasses.MISSING:
            raise ValueError(f"{where} lacks {name!r}: expected {', '.join(names)}")
    for name in value:
        if name not in names:
            raise ValueError(f"{where} has unknown {name!r}: expected {', '.join(names)}")
    return kind(
        **{name: _read(kinds[name], item, f"{where}.{name}") for name, item in value.items()}
    )
