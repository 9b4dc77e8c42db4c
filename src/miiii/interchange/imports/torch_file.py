"""Read PyTorch's .pth and .pt files without PyTorch and without running code in them.

Such a file is a zip archive with one pickle, which describes the object, and the bytes of every
tensor. Before PyTorch 1.6, and on request, it is five pickles in a row: a magic number, a version,
the machine's sizes, the object, and the keys of the storages. The storages' sizes and bytes follow.
`inert_pickle` reads pickles; it builds tensors and plain data, and keeps a record of other objects.
"""

import io
import zipfile
from pathlib import Path
from typing import Any

from miiii.interchange.imports.inert_pickle import (
    UnreadableNumbersError,
    as_numbers,
    load_inert,
    no_storage,
    number_bytes,
    storage_kinds,
)
from miiii.runs.errors import DamagedFileError

_PICKLE = "data.pkl"
_LEGACY_NUMBER = 0x1950A86A20F9469CFC6C
"""The magic number of files before PyTorch 1.6."""
_LEGACY_VERSION = 1001


def read_torch_file(path: Path) -> Any:
    """Read a file of `torch.save`.

    Returns:
        The object, with tensors as NumPy arrays (bfloat16 as float32).

    Raises:
        DamagedFileError: the file cannot be read, has another format, or is damaged.
        ValueError: a tensor has a type that is not read.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DamagedFileError(path, f"cannot be read: {error.strerror or error}") from error
    try:
        if _LEGACY_NUMBER.to_bytes(10, "little") in data[:64]:
            return _read_legacy(data)
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return _read(archive)
    except zipfile.BadZipFile as error:
        raise DamagedFileError(path, _other_format(data)) from error
    except UnreadableNumbersError as error:
        raise ValueError(f"{path} has tensors of type {error}: save them as float32") from error
    except EOFError as error:
        raise DamagedFileError(path, "is damaged: it is cut short") from error
    except Exception as error:  # Arbitrary bytes can raise any exception.
        raise DamagedFileError(path, f"is damaged or foreign: {error}") from error


def _other_format(data: bytes) -> str:
    """Describe a file that is no zip archive, by its first bytes."""
    if not data:
        return "is empty"
    if data.startswith(b"PK"):
        return "is damaged: the archive is cut short or altered"
    if data.startswith(b"version https://git-lfs"):
        return "is a pointer of Git LFS, not the file: fetch it with `git lfs pull`"
    if data.startswith(b"\x93NUMPY"):
        return "is a NumPy array: expected weights by name, saved with torch.save or as safetensors"
    if data.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")):
        return "is compressed: unpack it first"
    if data.startswith(b"\x80"):
        return "is a pickle, which is not read: save it again with torch.save, or as safetensors"
    return "is damaged, or no file of PyTorch: save it again with torch.save, or as safetensors"


def _read(archive: zipfile.ZipFile) -> Any:
    names = archive.namelist()
    inner = [name for name in names if name == _PICKLE or name.endswith("/" + _PICKLE)]
    if not inner and names and all(name.endswith(".npy") for name in names):
        raise ValueError("it is a NumPy archive of " + ", ".join(names[:4]))
    if len(inner) != 1:
        raise ValueError(f"it holds {len(inner)} files {_PICKLE}, expected one")
    # PyTorch does not compress parts; a compressed part could expand to any size.
    if any(part.compress_type != zipfile.ZIP_STORED for part in archive.infolist()):
        raise ValueError("its parts are compressed, which torch.save never does")
    folder = inner[0].removesuffix(_PICKLE)
    if any(name.startswith(folder + "code/") for name in names):
        raise ValueError("it is a TorchScript program: save the model's state_dict() instead")
    order = folder + "byteorder"
    if order in names and archive.read(order) != b"little":
        raise ValueError("its numbers are not little-endian")

    def storage(kind: str, key: str, count: int) -> Any:
        return as_numbers(archive.read(f"{folder}data/{key}"), kind, count, key)

    return load_inert(io.BytesIO(archive.read(folder + _PICKLE)), storage)


def _read_legacy(data: bytes) -> Any:
    stream = io.BytesIO(data)
    number, version, sizes = (load_inert(stream, no_storage) for _ in range(3))
    if number != _LEGACY_NUMBER or version != _LEGACY_VERSION:
        raise ValueError(f"it begins with {number!r} and {version!r}")
    if not isinstance(sizes, dict) or sizes.get("little_endian") is not True:
        raise ValueError("its numbers are not little-endian")
    start = stream.tell()
    kinds = storage_kinds(stream)
    keys = load_inert(stream, no_storage)
    if not isinstance(keys, list) or sorted(map(str, keys)) != sorted(kinds):
        raise ValueError("its list of storages does not match its tensors")
    parts = {}
    for key in keys:
        count = int.from_bytes(stream.read(8), "little", signed=True)
        size = count * number_bytes(kinds[key])
        left = len(data) - stream.tell()
        if not 0 <= size <= left:
            raise ValueError(f"storage {key} has {count} numbers, and {left} bytes are left")
        parts[key] = stream.read(size)

    def storage(kind: str, key: str, count: int) -> Any:
        return as_numbers(parts[key], kind, count, key)

    stream.seek(start)
    return load_inert(stream, storage)
