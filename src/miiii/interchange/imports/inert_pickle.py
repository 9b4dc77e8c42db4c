"""Read a pickle as data, without importing, calling or running anything that it names.

A pickle can name any function to be called. Here the names of a short list are replaced by builders
in this module, which make tensors, arrays and dictionaries; every other name becomes a `Foreign`.
The reader is the standard library's Python version, whose memo is a dictionary; the C version
allocates as much memory for its memo as a pickle asks for.
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
    **{f"float{bits}": f"<f{bits // 8}" for bits in (16, 32, 64)},
    **{f"int{bits}": f"<i{bits // 8}" for bits in (8, 16, 32, 64)},
    **{f"uint{bits}": f"<u{bits // 8}" for bits in (8, 16, 32, 64)},
    **{"bfloat16": "bfloat16", "bool": "?"},
}
"""NumPy's names of PyTorch's types; bfloat16 is widened to float32."""


class UnreadableNumbersError(ValueError):
    """The numbers have a type that is not read; the message is the type's name."""


class Foreign:
    """A record of an object that is neither a tensor nor plain data.

    Attributes:
        state: the object's fields.
        arguments: the arguments in the file of the call that makes the object.
    """

    state: dict[str, Any]
    arguments: tuple[Any, ...]

    def __new__(cls, *arguments: Any, **__: Any) -> "Foreign":
        """Keep the arguments."""
        made = object.__new__(cls)
        made.state, made.arguments = {}, arguments
        return made

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, dict):
            self.state = state

    def append(self, _: Any) -> None:
        """Drop an item: a pickle can fill any object as a list, a set or a dictionary."""

    extend = add = append

    def __setitem__(self, _: Any, __: Any) -> None:
        pass


class _Builder:
    """A function that a pickle can call, but not change."""

    __slots__ = ("_build",)

    def __init__(self, build: Callable[..., Any]) -> None:
        self._build = build

    def __call__(self, *arguments: Any) -> Any:
        return self._build(*arguments)

    def __setstate__(self, _: Any) -> None:
        raise ValueError("a function is given a state")


class _Array:
    """A NumPy array whose numbers come later in the pickle."""

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
    """Read the next pickle of a stream, up to the pickle's end.

    Args:
        data: the stream.
        storage: returns the flat numbers of a storage, given kind, key and least count.

    Returns:
        Plain data, NumPy arrays (read-only) and `Foreign` records.

    Raises:
        UnreadableNumbersError: a tensor's type is not read.
        Exception: the bytes are damaged; they can raise any exception.
    """
    return _filled(_Unpickler(data, storage).load(), {})


def no_storage(kind: str, key: str, _: int) -> NDArray[Any]:
    """The `storage` argument for a pickle that must not have tensors."""
    raise ValueError(f"it refers to a storage {key} of {kind}, where none is expected")


def storage_kinds(data: BinaryIO) -> dict[str, str]:
    """PyTorch's names of the storages in the next pickle of a stream, by key."""
    reader = _StorageReader(data, no_storage)
    reader.load()
    return reader.kinds


def as_numbers(data: bytes, kind: str, count: int, key: str) -> NDArray[Any]:
    """The numbers of a storage; bfloat16 as float32.

    Args:
        data: the storage's bytes.
        kind: PyTorch's name of the storage's type, or of its numbers' type.
        count: least number of numbers.
        key: the storage's name, for the error message.

    Raises:
        UnreadableNumbersError: the kind is not read.
        ValueError: there are fewer than `count` numbers.
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
    """Bytes of one number of a storage.

    Raises:
        UnreadableNumbersError: the kind is not read.
    """
    dtype = _number_type(kind)
    return 2 if dtype == "bfloat16" else np.dtype(dtype).itemsize


def _number_type(kind: str) -> str:
    """NumPy's name of a type of numbers, or "bfloat16"."""
    dtype = _STORAGES.get(kind, _TYPES.get(kind))
    if dtype is None:
        raise UnreadableNumbersError(kind.removesuffix("Storage") or "without a name")
    return dtype


class _Storage:
    """The flat, contiguous numbers of one or more tensors."""

    __slots__ = ("key", "numbers")

    def __init__(self, numbers: NDArray[Any], key: str) -> None:
        self.numbers, self.key = numbers, key

    def __setstate__(self, _: Any) -> None:
        # Replaced numbers would let a tensor reach outside its memory.
        raise ValueError("a storage is given a state")


class _Unpickler(pickle._Unpickler):  # pyright: ignore[reportAttributeAccessIssue]
    """Builds tensors and plain data; imports no module and calls only this module's builders."""

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
    """Builds nothing; records the storages that a pickle refers to."""

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
    """Whether an id is that of a module's class with its source, as before PyTorch 1.6."""
    return isinstance(pid, tuple) and len(pid) > 1 and pid[0] == "module"


def _storage_name(pid: Any) -> tuple[str, str, int]:
    """Kind, key and count of a storage; the oldest files add a view, which must be None."""
    kind, storage, key, _, count, *view = pid
    if kind != "storage" or not isinstance(key, str) or any(one is not None for one in view):
        raise ValueError(f"it refers to {kind!r}, expected a storage")
    return getattr(storage, "__name__", ""), key, int(count)


def _tensor(storage: Any, offset: int, shape: Any, strides: Any, *_: Any) -> NDArray[Any]:
    """A tensor as a view of its storage; refuses one that reaches outside the storage."""
    if not isinstance(storage, _Storage):
        raise ValueError("a tensor has no storage")
    shape, strides = tuple(map(int, shape)), tuple(map(int, strides))
    if len(shape) != len(strides) or min((*shape, *strides, offset), default=0) < 0:
        raise ValueError(f"a tensor has shape {shape}, strides {strides}, offset {offset}")
    numbers = storage.numbers
    last = offset + sum((size - 1) * step for size, step in zip(shape, strides, strict=True))
    if 0 in shape:
        return np.zeros(shape, numbers.dtype)
    # The second condition: strides of 0 could make a tensor of any size from one number.
    if last >= len(numbers) or math.prod(shape) > len(numbers):
        raise ValueError(f"a tensor of shape {shape} reaches beyond its {len(numbers)} numbers")
    width = numbers.dtype.itemsize
    # A view instead of a copy: many tensors of one storage need no further memory.
    return np.lib.stride_tricks.as_strided(
        numbers[offset:], shape, tuple(step * width for step in strides), writeable=False
    )


def _typed_tensor(
    storage: Any, offset: int, shape: Any, strides: Any, _: Any, __: Any, kind: Any, *___: Any
) -> NDArray[Any]:
    """A tensor whose storage is bytes and whose type is given separately."""
    if not isinstance(storage, _Storage):
        raise ValueError("a tensor has no storage")
    name = getattr(kind, "__name__", "")
    numbers = as_numbers(storage.numbers.tobytes(), name, 0, storage.key)
    return _tensor(_Storage(numbers, storage.key), offset, shape, strides)


def _subclass_tensor(build: Any, _: Any, arguments: Any, *__: Any) -> NDArray[Any]:
    """A tensor of a subclass, as a plain tensor."""
    if not isinstance(build, _Builder):
        raise ValueError("a tensor is made by an unknown function")
    return build(*arguments)


def _numpy_type(kind: Any) -> np.dtype[Any]:
    name = kind.arguments[0] if isinstance(kind, _NumpyType) and kind.arguments else None
    if not isinstance(name, str) or name[:1] not in "fiub" or not name[1:].isdigit():
        raise ValueError("a NumPy array is of objects, expected numbers")
    return np.dtype(name).newbyteorder(">" if kind.order == ">" else "<")


class _NumpyType(Foreign):
    """A numpy.dtype in a file: its name and byte order."""

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
"""Functions that a pickle may call, by name."""


def _filled(found: Any, seen: dict[int, Any]) -> Any:
    """A copy in plain lists, tuples and dictionaries, with complete NumPy arrays.

    It calls `dict.items` directly, because a pickle can replace an ordered dictionary's methods.

    Args:
        found: an object of the pickle.
        seen: the copies made so far, by the objects' `id`; objects can contain each other.
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
    """Whether a list has only numbers, and so need not be copied item by item (long losses)."""
    return all(type(one) in (float, int, bool) for one in found)
