"""Arrays that come from somebody else's code: read, checked and copied, or refused by name."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from miiii.analysis.checks import finite


def read_numbers(name: str, values: ArrayLike) -> NDArray[np.floating]:
    """Real, finite numbers as a NumPy array of their own: float32 or float64.

    Anything that NumPy can read is taken: arrays of PyTorch (detached) and JAX, lists. Lower
    precision becomes float32; whole numbers become float64.

    Args:
        name: how the message calls them.
        values: any shape.

    Returns:
        A copy, so that what is done to the original later changes nothing.

    Raises:
        ValueError: they cannot be read, are no real numbers, or one is not finite.
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
    """Anything that NumPy can read, as it is.

    Raises:
        ValueError: NumPy cannot; the message says what to give.
    """
    try:
        return np.asarray(values)
    except Exception as error:  # every library has errors of its own for this
        reason = str(error).strip().splitlines()[0] if str(error).strip() else ""
        raise ValueError(
            f"{name} is a {type(values).__module__}.{type(values).__qualname__} that NumPy cannot "
            f"read ({type(error).__name__}: {reason}): give tensor.detach().cpu().float().numpy() "
            "of a PyTorch tensor, numpy.asarray(array) of a concrete JAX array"
        ) from error


def read_whole_numbers(name: str, values: ArrayLike) -> NDArray[np.int64]:
    """Whole numbers; floats are taken where each is one.

    Raises:
        ValueError: they cannot be read, or one is not whole.
    """
    array = read_array(name, values)
    if array.dtype.kind == "f" and np.isfinite(array).all() and (array == np.round(array)).all():
        array = array.astype(np.int64)
    if array.dtype.kind not in "iu":
        raise ValueError(f"{name} have type {array.dtype}: expected whole numbers")
    return array.astype(np.int64)


def as_mapping(name: str, values: Mapping[str, ArrayLike] | None) -> Mapping[str, ArrayLike]:
    """Arrays by name; none where nothing was given.

    Raises:
        ValueError: it is no mapping from names.
    """
    if values is None:
        return {}
    if not isinstance(values, Mapping) or not all(isinstance(key, str) for key in values):
        raise ValueError(f"{name} is a {type(values).__name__}: expected arrays by name, a dict")
    return values
