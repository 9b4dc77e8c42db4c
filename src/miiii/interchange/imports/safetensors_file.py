"""Read safetensors files as NumPy arrays, including float16 and bfloat16."""

from pathlib import Path
from typing import Any

import numpy as np
import safetensors
from numpy.typing import NDArray

from miiii.interchange.imports.inert_pickle import UnreadableNumbersError, as_numbers
from miiii.runs.errors import DamagedFileError

_TYPES = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "I64": "int64",
    "I32": "int32",
    "I16": "int16",
    "I8": "int8",
    "U64": "uint64",
    "U32": "uint32",
    "U16": "uint16",
    "U8": "uint8",
    "BOOL": "bool",
}


def is_safetensors(path: Path) -> bool:
    """Whether a file begins like a safetensors file, or has its suffix and no other known start.

    Raises:
        DamagedFileError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            start = file.read(9)
    except OSError as error:
        raise DamagedFileError(path, f"cannot be read: {error.strerror or error}") from error
    # It begins with a length of eight bytes and a JSON object; PyTorch's begin with PK or 0x80.
    if start[8:] == b"{" and start[5:8] == bytes(3):
        return True
    return path.suffix == ".safetensors" and not start.startswith((b"PK", b"\x80"))


def read_safetensors(path: Path) -> dict[str, NDArray[Any]]:
    """Every tensor by name; bfloat16 as float32.

    Raises:
        DamagedFileError: the file cannot be read or is no safetensors file.
        ValueError: a tensor has a type that is not read.
    """
    try:
        found = safetensors.deserialize(path.read_bytes())
    except OSError as error:
        raise DamagedFileError(path, f"cannot be read: {error.strerror}") from error
    except Exception as error:  # Arbitrary bytes can raise any exception.
        raise DamagedFileError(path, f"is damaged or no safetensors file: {error}") from error
    try:
        return {name: _array(name, tensor) for name, tensor in found}
    except UnreadableNumbersError as error:
        raise ValueError(f"{path} has tensors of type {error}: save them as float32") from error


def _array(name: str, tensor: Any) -> NDArray[Any]:
    kind = _TYPES.get(tensor["dtype"])
    if kind is None:
        raise UnreadableNumbersError(tensor["dtype"])
    shape = tuple(tensor["shape"])
    count = int(np.prod(shape, dtype=np.int64))
    return as_numbers(bytes(tensor["data"]), kind, count, name).reshape(shape)
