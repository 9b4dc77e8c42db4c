"""Points that a search begins with: from a file, or with results in an earlier search."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from miiii.config.config import Config
from miiii.refusals import unknown_name
from miiii.sweeps.search.spaces import Dimension, Interval, SearchSpace, Value

Point = dict[str, Value]


def read_points(path: Path, space: SearchSpace) -> tuple[Point, ...]:
    """The points of a file, in the file's order.

    Args:
        path: a TOML file with one table `[[points]]` per point; a table has every searched setting.
        space: the search space.

    Raises:
        ValueError: the file cannot be read, or a point is not in the space; the message names it.
    """
    try:
        record = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"--enqueue is {str(path)!r}: it cannot be read ({error})") from error
    tables = record.pop("points", None)
    whole = isinstance(tables, list) and all(isinstance(each, Mapping) for each in tables)
    if record or not whole or not tables:
        raise ValueError(
            f"{path}: expected tables [[points]] with a line for each of {', '.join(space.fields)}"
        )
    points: list[Point] = []
    for place, each in enumerate(tables, start=1):
        try:
            point = point_of(space, each)
        except ValueError as error:
            raise ValueError(f"{path}: point {place}: {error}") from error
        if point in points:
            raise ValueError(f"{path}: point {place} is given twice: expected once")
        points.append(point)
    return tuple(points)


def point_of(space: SearchSpace, given: Mapping[str, Any]) -> Point:
    """Values as a point of a space.

    Raises:
        ValueError: a setting is missing, is not searched, or has a value outside the space.
    """
    for name in given:
        if name not in space.fields:
            raise ValueError(unknown_name("searched setting", name, list(space.fields)))
    point: Point = {}
    for each in space.dimensions:
        if each.field not in given:
            raise ValueError(f"{each.field} is missing: a point needs every searched setting")
        point[each.field] = _value(each, given[each.field])
    return point


def _value(each: Dimension | Interval, value: Any) -> Value:
    if isinstance(each, Dimension):
        if value not in each.values:
            known = ", ".join(map(str, each.values))
            raise ValueError(f"{each.field} is {value!r}: the space has {known}")
        return each.values[each.values.index(value)]
    number = type(value) in (int, float) and not (each.whole and value != int(value))
    if not number or not each.low <= value <= each.high:
        raise ValueError(
            f"{each.field} is {value!r}: the space goes from {each.low} to {each.high}"
        )
    return int(value) if each.whole else float(value)


def equal_point(space: SearchSpace, config: Config) -> Point | None:
    """The point of a space that has a configuration's settings; None if they are outside."""
    try:
        return point_of(space, space.read(config))
    except ValueError:
        return None
