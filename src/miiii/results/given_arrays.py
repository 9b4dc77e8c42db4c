"""Arrays from a user's code: reading, checks and copies."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from miiii.analysis.checks import finite


def read_numbers(name: str, values: ArrayLike) -> NDArray[np.floating]:
    """Real, finite numbers as a NumPy array of float32 or float64.

    Lower precision becomes float32; whole numbers and higher precision become float64.

    Args:
        name: of the values in messages.
        values: any shape; anything that NumPy can read.

    Returns:
        A copy: later changes of the original have no effect on it.

    Raises:
        ValueError: the values cannot be read, are not real, or one is not finite.
    """
    array = read_array(name, values)
    kind = array.dtype
    if kind.kind in "biu":
        kind = np.dtype(np.float64)
    elif kind.name.startswith(("bfloat", "float8", "float16")):
        kind = np.dtype(np.float32)
    elif kind.kind == "f" and kind.itemsize > 8:
        kind = np.dtype(np.float64)
    elif kind.kind != "f":
        raise ValueError(f"{name} have type {array.dtype}: expected real numbers")
    return finite(name, np.array(array, kind, order="C"), None)


def read_array(name: str, values: ArrayLike) -> NDArray[Any]:
    """Anything that NumPy can read, as an array; not copied.

    Raises:
        ValueError: NumPy cannot read it; the message has the remedy.
    """
    try:
        return np.asarray(values)
    except Exception as error:  # libraries raise different types for this
        reason = str(error).strip().splitlines()[0] if str(error).strip() else ""
        raise ValueError(
            f"{name} is a {type(values).__module__}.{type(values).__qualname__} that NumPy cannot "
            f"read ({type(error).__name__}: {reason}): give tensor.detach().cpu().float().numpy() "
            "of a PyTorch tensor, numpy.asarray(array) of a concrete JAX array"
        ) from error


def read_whole_numbers(name: str, values: ArrayLike) -> NDArray[np.int64]:
    """Whole numbers as int64; also from floats without fractions.

    Raises:
        ValueError: the values cannot be read, or one is not whole.
    """
    array = read_array(name, values)
    if array.dtype.kind == "f" and np.isfinite(array).all() and (array == np.round(array)).all():
        array = array.astype(np.int64)
    if array.dtype.kind not in "iu":
        raise ValueError(f"{name} have type {array.dtype}: expected whole numbers")
    return array.astype(np.int64)


def as_mapping(name: str, values: Mapping[str, ArrayLike] | None) -> Mapping[str, ArrayLike]:
    """Arrays by name; empty for None.

    Raises:
        ValueError: the value is not a mapping with text keys.
    """
    if values is None:
        return {}
    if not isinstance(values, Mapping) or not all(isinstance(key, str) for key in values):
        raise ValueError(f"{name} is a {type(values).__name__}: expected arrays by name, a dict")
    return values
