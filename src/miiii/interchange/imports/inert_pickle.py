"""A pickle read as data: nothing that it names is imported, called or run.

A pickle may name any function to be called. Here the names of a short list stand for builders of
this module, which make tensors, arrays and dictionaries; every other name stands for a `Foreign`.
The reader is Python's own in Python, whose memo is a dictionary: the one in C allocates whatever
length a pickle asks for.
"""

import math
import pickle
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

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
    "UntypedStorage": "<u1",
}
_TYPES = {
    "float64": "<f8",
    "float32": "<f4",
    "float16": "<f2",
    "bfloat16": "bfloat16",
    "int64": "<i8",
    "int32": "<i4",
    "int16": "<i2",
    "int8": "<i1",
    "uint8": "<u1",
    "uint16": "<u2",
    "uint32": "<u4",
    "uint64": "<u8",
    "bool": "?",
}
"""PyTorch's types of numbers as NumPy's; bfloat16 is widened to float32."""


class UnreadableNumbersError(ValueError):
    """The numbers are of a type that is known but not read; the message is its name."""


class Foreign:
    """Something of the file that is neither a tensor nor plain data: kept, never run.

    Attributes:
        state: the fields of the object, where it had any.
        arguments: what the file says it is made from.
    """

    state: dict[str, Any]
    arguments: tuple[Any, ...]

    def __new__(cls, *arguments: Any, **__: Any) -> "Foreign":
        """Whatever the file says it is made from."""
        made = object.__new__(cls)
        made.state, made.arguments = {}, arguments
        return made

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, dict):
            self.state = state

    # What a pickle may fill a container with; nothing is kept of it.
    def append(self, _: Any) -> None:
        """Nothing."""

    def extend(self, _: Any) -> None:
        """Nothing."""

    def add(self, _: Any) -> None:
        """Nothing."""

    def __setitem__(self, _: Any, __: Any) -> None:
        pass


class _Builder:
    """A function that a pickle may call, and do nothing else with."""

    __slots__ = ("_build",)

    def __init__(self, build: Callable[..., Any]) -> None:
        self._build = build

    def __call__(self, *arguments: Any) -> Any:
        return self._build(*arguments)

    def __setstate__(self, _: Any) -> None:
        raise ValueError("a function is given a state")


class _Array:
    """A NumPy array while its numbers are still to come."""

    array: NDArray[Any] | None = None

    def __setstate__(self, state: Any) -> None:
        _, shape, kind, by_column, data = state
        dtype = _numpy_type(kind)
        if not isinstance(data, bytes):
            raise ValueError("a NumPy array holds objects")
        numbers = np.frombuffer(data, dtype)
        order = "F" if by_column else "C"
        self.array = numbers.reshape(tuple(map(int, shape)), order=order)


def load_inert(data: BinaryIO, storage: Callable[[str, str, int], NDArray[Any]]) -> Any:
    """Read the next pickle of a stream, which is then at its end.

    Args:
        data: the stream.
        storage: gives the numbers of a tensor, flat, by their kind, key and least count.

    Returns:
        Plain data, NumPy arrays (read-only) and `Foreign` records.

    Raises:
        UnreadableNumbersError: a tensor's type is not read.
        Exception: whatever else arbitrary bytes lead to.
    """
    return _filled(_Unpickler(data, storage).load(), {})


def no_storage(kind: str, key: str, _: int) -> NDArray[Any]:
    """The `storage` of a pickle that has no tensors."""
    raise ValueError(f"it refers to a storage {key} of {kind}, where none is expected")


def storage_kinds(data: BinaryIO) -> dict[str, str]:
    """PyTorch's names of the storages that the next pickle of a stream refers to, by their keys."""
    reader = _StorageReader(data, no_storage)
    reader.load()
    return reader.kinds


def as_numbers(data: bytes, kind: str, count: int, key: str) -> NDArray[Any]:
    """The numbers of a storage; bfloat16 as float32.

    Args:
        data: its bytes.
        kind: PyTorch's name of the storage, or of the type of its numbers.
        count: how many there must be at least.
        key: the storage's name, for the error.

    Raises:
        UnreadableNumbersError: the kind is not read.
        ValueError: there are fewer.
    """
    dtype = _number_type(kind)
    if dtype == "bfloat16":
        # A bfloat16 is the upper half of a float32.
        numbers = (np.frombuffer(data, "<u2").astype(np.uint32) << 16).view(np.float32)
    else:
        numbers = np.frombuffer(data, dtype)
    if len(numbers) < count:
        raise ValueError(f"storage {key} has {len(numbers)} numbers, expected {count}")
    return numbers


def number_bytes(kind: str) -> int:
    """How many bytes one number of a storage has.

    Raises:
        UnreadableNumbersError: the kind is not read.
    """
    dtype = _number_type(kind)
    return 2 if dtype == "bfloat16" else np.dtype(dtype).itemsize


def _number_type(kind: str) -> str:
    """NumPy's name of a kind of numbers, or "bfloat16"."""
    dtype = _STORAGES.get(kind, _TYPES.get(kind))
    if dtype is None:
        raise UnreadableNumbersError(kind.removesuffix("Storage") or "without a name")
    return dtype


class _Storage:
    """The numbers of one or several tensors, flat and contiguous; read once."""

    __slots__ = ("key", "numbers")

    def __init__(self, numbers: NDArray[Any], key: str) -> None:
        self.numbers, self.key = numbers, key

    def __setstate__(self, _: Any) -> None:
        # Other numbers here would let a tensor reach outside its memory.
        raise ValueError("a storage is given a state")


class _Unpickler(pickle._Unpickler):  # pyright: ignore[reportAttributeAccessIssue]
    """Builds tensors and plain data; imports nothing, calls nothing else."""

    def __init__(self, data: BinaryIO, storage: Callable[[str, str, int], NDArray[Any]]) -> None:
        super().__init__(data)
        self._storage = storage
        self._storages: dict[str, _Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        full = f"{module}.{name}".replace("numpy._core.", "numpy.core.")
        if full in _BUILDERS:
            return _BUILDERS[full]
        if full == "collections.OrderedDict":
            return OrderedDict
        return type(name, (Foreign,), {"__module__": module})

    def get_extension(self, code: int) -> Any:
        raise ValueError(f"it refers to extension {code} of Python")

    def persistent_load(self, pid: Any) -> Any:
        if _is_class(pid):
            return pid[1]
        name, key, count = _storage_name(pid)
        if key not in self._storages:
            self._storages[key] = _Storage(self._storage(name, key, int(count)), key)
        return self._storages[key]


class _StorageReader(_Unpickler):
    """Builds nothing, and keeps which storages are referred to."""

    kinds: dict[str, str]

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.kinds = {}

    def find_class(self, module: str, name: str) -> Any:
        return type(name, (Foreign,), {"__module__": module})

    def persistent_load(self, pid: Any) -> Any:
        if _is_class(pid):
            return pid[1]
        name, key, _ = _storage_name(pid)
        return self.kinds.setdefault(key, name)


def _is_class(pid: Any) -> bool:
    """Whether it is a module's class with its source, as in whole modules before PyTorch 1.6."""
    return isinstance(pid, tuple) and len(pid) > 1 and pid[0] == "module"


def _storage_name(pid: Any) -> tuple[str, str, int]:
    """The kind of a storage, its key, and its count; the oldest files have a view beside them."""
    kind, storage, key, _, count, *view = pid
    if kind != "storage" or not isinstance(key, str) or any(one is not None for one in view):
        raise ValueError(f"it refers to {kind!r}, expected a storage")
    return getattr(storage, "__name__", ""), key, int(count)


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
    # A view and no copy: many tensors of one storage take no memory.
    return np.lib.stride_tricks.as_strided(
        numbers[offset:], shape, tuple(step * width for step in strides), writeable=False
    )


def _typed_tensor(
    storage: Any, offset: int, shape: Any, strides: Any, _: Any, __: Any, kind: Any, *___: Any
) -> NDArray[Any]:
    """A tensor whose storage is bytes, with the type of its numbers beside it."""
    if not isinstance(storage, _Storage):
        raise ValueError("a tensor has no storage")
    name = getattr(kind, "__name__", "")
    numbers = as_numbers(storage.numbers.tobytes(), name, 0, storage.key)
    return _tensor(_Storage(numbers, storage.key), offset, shape, strides)


def _subclass_tensor(build: Any, _: Any, arguments: Any, *__: Any) -> NDArray[Any]:
    """A tensor of a class derived from PyTorch's, as a plain one."""
    if not isinstance(build, _Builder):
        raise ValueError("a tensor is made by a function that is not known")
    return build(*arguments)


def _numpy_type(kind: Any) -> np.dtype[Any]:
    name = kind.arguments[0] if isinstance(kind, _NumpyType) and kind.arguments else None
    if not isinstance(name, str) or name[:1] not in "fiub" or not name[1:].isdigit():
        raise ValueError("a NumPy array is of objects, expected numbers")
    return np.dtype(name).newbyteorder(">" if kind.order == ">" else "<")


class _NumpyType(Foreign):
    """numpy.dtype of a file: its name and the order of its bytes."""

    order = "<"

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, tuple) and len(state) > 1 and isinstance(state[1], str):
            self.order = state[1]


def _numpy_scalar(kind: Any, data: Any) -> Any:
    return np.frombuffer(data, _numpy_type(kind))[0].item()


def _range(*bounds: Any) -> range:
    if not all(type(one) is int for one in bounds):
        raise ValueError(f"a range has the bounds {bounds}")
    return range(*bounds)


def _encoded(text: str, encoding: str = "latin1") -> bytes:
    if encoding != "latin1":
        raise ValueError(f"text is encoded as {encoding!r}")
    return text.encode("latin1")


_BUILDERS: dict[str, Any] = {
    "torch._utils._rebuild_tensor": _Builder(_tensor),
    "torch._utils._rebuild_tensor_v2": _Builder(_tensor),
    "torch._utils._rebuild_tensor_v3": _Builder(_typed_tensor),
    "torch._utils._rebuild_parameter": _Builder(lambda data, *_: data),
    "torch._utils._rebuild_parameter_with_state": _Builder(lambda data, *_: data),
    "torch._tensor._rebuild_from_type_v2": _Builder(_subclass_tensor),
    "torch.Size": _Builder(lambda sizes=(): tuple(sizes)),
    "builtins.range": _Builder(_range),
    "__builtin__.xrange": _Builder(_range),
    "collections.defaultdict": _Builder(lambda *_: {}),
    "numpy.core.multiarray._reconstruct": _Builder(lambda *_: _Array()),
    "numpy.core.multiarray.scalar": _Builder(_numpy_scalar),
    "numpy.dtype": _NumpyType,
    "_codecs.encode": _Builder(_encoded),
}
"""What a pickle may call, by name."""


def _filled(found: Any, seen: dict[int, Any]) -> Any:
    """The same in plain lists, tuples and dictionaries, NumPy arrays with their numbers.

    A pickle may give an ordered dictionary attributes in the place of its methods.

    Args:
        found: what the pickle says.
        seen: what became of each object so far, by its `id`; objects may share and hold each other.
    """
    if isinstance(found, _Array):
        if found.array is None:
            raise ValueError("a NumPy array has no numbers")
        return found.array
    if not isinstance(found, list | dict | tuple | Foreign):
        return found
    if id(found) in seen:
        return seen[id(found)]
    if isinstance(found, tuple):
        made: Any = tuple(_filled(one, seen) for one in found)
        seen[id(found)] = made
    elif isinstance(found, list):
        made = seen[id(found)] = []
        made += found if _is_flat(found) else [_filled(one, seen) for one in found]
    elif isinstance(found, dict):
        made = seen[id(found)] = {}
        made.update((key, _filled(value, seen)) for key, value in dict.items(found))
    else:
        made = seen[id(found)] = found
        found.state = _filled(found.state, seen)
    return made


def _is_flat(found: list[Any]) -> bool:
    """Whether a list holds only numbers; the long ones are losses."""
    return all(type(one) in (float, int, bool) for one in found)
