"""Files as `torch.save` writes them, made without PyTorch: a zip with a pickle and raw numbers."""

import io
import pickle
import zipfile
from collections import OrderedDict

import numpy as np

STORAGES = {
    "f4": "FloatStorage",
    "f8": "DoubleStorage",
    "f2": "HalfStorage",
    "i8": "LongStorage",
    "b1": "BoolStorage",
}


class Tensor:
    """Pickled as PyTorch pickles a tensor."""

    def __init__(self, array, key, numbers=None, shape=None, strides=None, offset=0):
        self.array = np.asarray(array)
        self.key, self.offset = key, offset
        self.shape = self.array.shape if shape is None else shape
        width = self.array.itemsize
        self.strides = tuple(s // width for s in self.array.strides) if strides is None else strides
        self.numbers = self.array.size if numbers is None else numbers


class Global:
    """A name that the pickle refers to: written by hand, so that it need not exist here."""

    def __init__(self, module, name):
        self.module, self.name = module, name


class Called:
    """A name of the pickle that is called, and then given a state."""

    def __init__(self, name, arguments=(), state=None):
        self.name, self.arguments, self.state = name, arguments, state


class Pickler(pickle._Pickler):
    """Python's own pickler, taught the three."""

    view = ()
    """What follows a storage's count."""

    def persistent_id(self, obj):
        if isinstance(obj, tuple) and len(obj) == 5 and obj[0] == "storage":
            return obj
        return None

    def save(self, obj, save_persistent_id=True):
        if isinstance(obj, Global):
            return self.write(f"c{obj.module}\n{obj.name}\n".encode())
        if isinstance(obj, Called):
            self.save(obj.name)
            self.save(tuple(obj.arguments))
            self.write(pickle.REDUCE)
            if obj.state is not None:
                self.save(obj.state)
                self.write(pickle.BUILD)
            return None
        if isinstance(obj, Tensor):
            kind = STORAGES.get(obj.array.dtype.str[1:], "FloatStorage")
            storage = Persistent(
                ("storage", Global("torch", kind), obj.key, "cpu", obj.numbers, *self.view)
            )
            arguments = (storage, obj.offset, obj.shape, obj.strides, False, OrderedDict())
            return self.save(Called(Global("torch._utils", "_rebuild_tensor_v2"), arguments))
        if isinstance(obj, Persistent):
            self.save(obj.identity, save_persistent_id=False)
            return self.write(pickle.BINPERSID)
        return super().save(obj, save_persistent_id)


class Persistent:
    """A reference to a storage."""

    def __init__(self, identity):
        self.identity = identity


def write_torch(path, content, tensors=(), byteorder=b"little"):
    """Write a file; `tensors` are the ones that stand in `content`."""
    buffer = io.BytesIO()
    Pickler(buffer, 2).dump(content)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model/data.pkl", buffer.getvalue())
        archive.writestr("model/byteorder", byteorder)
        for tensor in tensors:
            archive.writestr(f"model/data/{tensor.key}", tensor.array.tobytes())


class LegacyPickler(Pickler):
    """Before PyTorch 1.6."""

    view = (None,)


def write_legacy(path, content, tensors=(), little=True):
    """Write a file as PyTorch before 1.6 did, and later versions still can."""
    sizes = {"protocol_version": 1001, "little_endian": little, "type_sizes": {"int": 4}}
    with open(path, "wb") as file:
        for part in (0x1950A86A20F9469CFC6C, 1001, sizes, content, [one.key for one in tensors]):
            LegacyPickler(file, 2).dump(part)
        for tensor in tensors:
            file.write(tensor.array.size.to_bytes(8, "little") + tensor.array.tobytes())


def as_tensors(state):
    """A state dict with every array as a tensor of its own storage, and the list of these."""
    tensors = {
        name: Tensor(np.asarray(array, order="C"), str(index))
        for index, (name, array) in enumerate(state.items())
    }
    return OrderedDict(tensors), list(tensors.values())
