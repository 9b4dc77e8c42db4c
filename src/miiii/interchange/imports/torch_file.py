"""PyTorch's .pth and .pt files, read without PyTorch and without running what is in them.

Such a file is a zip archive: one pickle that describes the object, and the bytes of every tensor
beside it. A pickle may name any function to be called. Here none is: tensors and ordered
dictionaries are built by this module, and every other name stands for a `Foreign`, an inert record
of what the file said.
"""

import io
import math
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from miiii.runs.errors import DamagedFileError

_STORAGES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "<i1",
    "ByteStorage": "<u1",
    "BoolStorage": "?",
}
_PICKLE = "data.pkl"


class Foreign:
    """Something of the file that is neither a tensor nor plain data: kept, never run.

    Attributes:
        state: the fields of the object, where it had any.
    """

    state: dict[str, Any]

    def __new__(cls, *_: Any, **__: Any) -> "Foreign":
        """Whatever the file says it is made from."""
        made = object.__new__(cls)
        made.state = {}
        return made

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, dict):
            self.state = state

    # What a pickle may fill a container with; such an object is none of ours.
    def append(self, _: Any) -> None:
        """Nothing."""

    def extend(self, _: Any) -> None:
        """Nothing."""

    def add(self, _: Any) -> None:
        """Nothing."""

    def __setitem__(self, _: Any, __: Any) -> None:
        pass


def read_torch_file(path: Path) -> Any:
    """Read what `torch.save` wrote (PyTorch 1.6 or later).

    Returns:
        The object, its tensors as NumPy arrays (bfloat16 as float32).

    Raises:
        DamagedFileError: it cannot be read, is of an older format, or is damaged.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as archive:
            return _read(archive)
    except OSError as error:
        raise DamagedFileError(path, f"cannot be read: {error.strerror or error}") from error
    except zipfile.BadZipFile as error:
        raise DamagedFileError(
            path,
            "is damaged, or no file of PyTorch 1.6 or later: save it again with torch.save, or as "
            "safetensors",
        ) from error
    except Exception as error:  # whatever a reader makes of arbitrary bytes
        raise DamagedFileError(path, f"is damaged or foreign: {error}") from error


def _read(archive: zipfile.ZipFile) -> Any:
    names = archive.namelist()
    inner = [name for name in names if name == _PICKLE or name.endswith("/" + _PICKLE)]
    if len(inner) != 1:
        raise ValueError(f"it holds {len(inner)} files {_PICKLE}, expected one")
    folder = inner[0].removesuffix(_PICKLE)
    order = folder + "byteorder"
    if order in names and archive.read(order) != b"little":
        raise ValueError("its numbers are not little-endian")
    return _Unpickler(archive, folder).load()


class _Storage:
    """The numbers of one or several tensors, flat; read once."""

    def __init__(self, numbers: NDArray[Any]) -> None:
        self.numbers = numbers


class _Unpickler(pickle.Unpickler):
    """Builds tensors, ordered dictionaries and `Foreign`; imports nothing, calls nothing else."""

    def __init__(self, archive: zipfile.ZipFile, folder: str) -> None:
        super().__init__(io.BytesIO(archive.read(folder + _PICKLE)))
        self._archive, self._folder = archive, folder
        self._storages: dict[str, _Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        known: dict[str, Callable[..., Any]] = {
            "torch._utils._rebuild_tensor_v2": _tensor,
            "torch._utils._rebuild_parameter": _parameter,
            "collections.OrderedDict": OrderedDict,
        }
        full = f"{module}.{name}"
        if full in known:
            return known[full]
        return type(name, (Foreign,), {"__module__": module})

    def persistent_load(self, pid: Any) -> _Storage:
        kind, storage, key, _, count = pid
        if kind != "storage" or not isinstance(key, str):
            raise ValueError(f"it refers to {kind!r}, expected a storage")
        if key not in self._storages:
            name = getattr(storage, "__name__", "")
            if name not in _STORAGES:
                raise ValueError(f"a tensor has numbers of kind {name!r}, which is not known")
            data = self._archive.read(f"{self._folder}data/{key}")
            numbers = _numbers(data, _STORAGES[name])
            if len(numbers) < count:
                raise ValueError(f"storage {key} has {len(numbers)} numbers, expected {count}")
            self._storages[key] = _Storage(numbers)
        return self._storages[key]


def _numbers(data: bytes, kind: str) -> NDArray[Any]:
    if kind != "bfloat16":
        return np.frombuffer(data, kind)
    # A bfloat16 is the upper half of a float32.
    return (np.frombuffer(data, "<u2").astype(np.uint32) << 16).view(np.float32)


def _tensor(storage: Any, offset: int, shape: Any, strides: Any, *_: Any) -> NDArray[Any]:
    """A tensor as a view of its storage; one that would reach outside it is refused."""
    if not isinstance(storage, _Storage):
        raise ValueError("a tensor has no storage")
    shape, strides = tuple(map(int, shape)), tuple(map(int, strides))
    if len(shape) != len(strides) or min((*shape, *strides, offset), default=0) < 0:
        raise ValueError(f"a tensor has shape {shape}, strides {strides}, offset {offset}")
    numbers = storage.numbers
    last = offset + sum((size - 1) * step for size, step in zip(shape, strides, strict=True))
    if 0 in shape:
        return np.zeros(shape, numbers.dtype)
    # The second: strides of 0 could make a tensor of any size out of one number.
    if last >= len(numbers) or math.prod(shape) > len(numbers):
        raise ValueError(f"a tensor of shape {shape} reaches beyond its {len(numbers)} numbers")
    width = numbers.dtype.itemsize
    view = np.lib.stride_tricks.as_strided(
        numbers[offset:], shape, tuple(step * width for step in strides), writeable=False
    )
    return view.copy()


def _parameter(data: NDArray[Any], *_: Any) -> NDArray[Any]:
    return data
