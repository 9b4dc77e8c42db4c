"""JSON records of a run: status and provenance."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from miiii.runs.errors import DamagedFileError


def encode_json(record: Mapping[str, Any]) -> bytes:
    """A record as indented UTF-8 JSON.

    NumPy scalars and arrays become numbers and lists, paths become text. JSON has no NaN and no
    infinity: such numbers become `null`, so that a run that diverged can still write its status.

    Args:
        record: text keys; values of JSON's types or those above.

    Raises:
        TypeError: a value is of another type.
    """
    text = json.dumps(_plain(record), indent=2, ensure_ascii=False, allow_nan=False)
    return (text + "\n").encode("utf-8")


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    # Asked by its method: to import NumPy for this would double the time of `miiii train --help`.
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def read_text(path: Path) -> str:
    """The text of a UTF-8 file.

    Raises:
        DamagedFileError: it is missing, unreadable or not UTF-8.
    """
    try:
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise DamagedFileError(path, "is missing") from None
    except OSError as error:
        raise DamagedFileError(path, f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DamagedFileError(path, "is not UTF-8 text") from error


def read_json(path: Path) -> dict[str, Any]:
    """The record in a JSON file.

    Raises:
        DamagedFileError: it is missing, unreadable, or not a JSON object.
    """
    text = read_text(path)
    try:
        record = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DamagedFileError(path, f"is not valid JSON: {error}") from error
    if not isinstance(record, dict):
        raise DamagedFileError(path, f"holds a JSON {type(record).__name__}, not an object")
    return record
