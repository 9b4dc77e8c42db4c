"""Files that hold no model, and files that are damaged or hostile: one line, exit code 2."""

import gzip
import io
import json
import os
import pickle
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
import safetensors.numpy

from interchange.imports.published_models import Kind, drawn
from interchange.imports.torch_writing import Called, Global, Tensor, as_tensors, write_torch
from interchange.planted_models import refusals
from miiii.interchange.imports.checkpoint_file import read_checkpoint
from miiii.interchange.imports.descriptions import describe
from miiii.interchange.imports.inert_pickle import load_inert
from wording import says


def write(path, content):
    """A file of plain data, or of arrays by name."""
    if isinstance(content, dict) and any(isinstance(one, np.ndarray) for one in content.values()):
        write_torch(path, *as_tensors(content))
    else:
        write_torch(path, content)


def numpy_array(array):
    """As NumPy pickles an array below protocol 5, text in the place of bytes."""
    dtype = Called(
        Global("numpy", "dtype"), (array.dtype.str[1:], False, True), (3, "<", None, None, None)
    )
    data = Called(Global("_codecs", "encode"), (array.tobytes().decode("latin1"), "latin1"))
    shell = (Global("numpy", "ndarray"), (0,), b"b")
    state = (1, array.shape, dtype, False, data)
    return Called(Global("numpy.core.multiarray", "_reconstruct"), shell, state)


def network(*layers, embedding=(59, 16)):
    names = {"embed.weight": embedding, "unembed.weight": (59, 32)}
    for layer in layers:
        names |= {f"{layer}.weight": (32, 32), f"{layer}.bias": (32,)}
    return {name: np.ones(shape, np.float32) for name, shape in names.items()}


def linears(layers):
    names = {"embed.W_E": (8, 7), "unembed.W_U": (16, 7)}
    for layer in range(layers):
        names |= {f"blocks.{layer}.W_in": (16, 16), f"blocks.{layer}.b_in": (16,)}
    return {name: np.ones(shape, np.float32) for name, shape in names.items()}


def many_positions():
    state = drawn(Kind(base=11))
    state["pos_embed.W_pos"] = np.ones((18, 8), np.float32)
    state["unembed.W_U"] = np.ones((8, 10), np.float32)
    return state


TENSOR = Tensor(np.ones((2, 3), np.float32), "0")

OTHERS = {
    "losses": ([0.5] * 3000, "holds a list of 3,000 losses, no weights"),
    "numbers": ([1, -2, 3], "holds a list of 3 numbers, no weights"),
    "pair": ([[0.5, 0.25], [[0.1]] * 20], "holds a pair of lists (2 numbers, and 20 lists)"),
    "array": (numpy_array(np.ones((3, 4))), "holds an array [3, 4] of float64 numbers"),
    "dictionary": (
        {"train_losses": [1.0] * 4, "test_losses": [1.0]},
        "holds a dictionary with train_losses (4 numbers), test_losses (1 numbers), no weights",
    ),
    "number": (3.5, "holds a number, no weights"),
    "other": ({"conv1.weight": np.ones((3, 4))}, "names that belong to no known transformer"),
    "positions": (many_positions(), "a transformer for 18 positions: not a two-digit task"),
    "network-a": (
        network("l1", embedding=(59, 32)),
        "one layer without attention (`model_type` A)",
    ),
    "network-b": (network("l1", "l2"), "two layers without attention (`model_type` B or C)"),
    "network-d": (network("l1"), "a network of one layer without attention (`model_type` D)"),
    "linear": (linears(2), "a network of 2 layers without attention (`use_linear`)"),
    "embeddings": (
        {name: one for name, one in drawn(Kind()).items() if "embed" in name},
        "embeddings only (embed.W_E, pos_embed.W_pos, unembed.W_U)",
    ),
    "class": (Called(Global("somewhere", "Trainer"), (), {"a": 1}), "an object of class Trainer"),
    "part": ({"best": {"embed.W_E": TENSOR}, "last": {}}, "embeddings only (embed.W_E)"),
}


def test_every_other_file_is_said_to_be_what_it_is(tmp_path):
    for name, (content, _) in OTHERS.items():
        if name == "part":
            write_torch(tmp_path / f"{name}.pth", content, [TENSOR])
        else:
            write(tmp_path / f"{name}.pth", content)
    write(tmp_path / "model_x.pt", network("l1", "l2"))
    (tmp_path / "config_x.json").write_text(json.dumps({"model_type": "C", "C": 59}))
    calls = [[f"{name}.pth", "--name", "x"] for name in OTHERS]
    calls.append(["model_x.pt", "--name", "x"])
    said = [said for _, said in OTHERS.values()]
    said.append("a network of two layers without attention (`model_type` C)")
    for words, expected, (code, error) in zip(
        calls, said, refusals("import", calls, tmp_path), strict=True
    ):
        assert code == 2, words
        assert expected in error, (words, error)
    assert not list((tmp_path / "runs").glob("*"))


def archive(path, data, compress=zipfile.ZIP_STORED, more=()):
    with zipfile.ZipFile(path, "w", compress) as file:
        file.writestr("model/data.pkl", data)
        for name, one in more:
            file.writestr(name, one)


def hostile(folder):
    """Files made to be run, to take memory, to reach outside their numbers, or to spoil a line."""
    state, tensors = as_tensors(drawn(Kind()))
    write_torch(folder / "good.pth", state, tensors)
    whole = (folder / "good.pth").read_bytes()
    for cut in (0, 1, 30, len(whole) // 2, len(whole) - 1):
        (folder / f"cut-{cut}.pth").write_bytes(whole[:cut])
    # A memo of two thousand million places, which Python's reader in C would allocate.
    archive(folder / "memo.pth", b"\x80\x02Nr\xff\xff\xff\x7f.")
    archive(folder / "deep.pth", b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b".")
    archive(folder / "short.pth", b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7fabc.")
    archive(folder / "extension.pth", b"\x80\x02\x82\x01.")
    archive(folder / "packed.pth", bytes(10**7), zipfile.ZIP_DEFLATED)
    archive(folder / "script.pth", b"\x80\x02}.", more=[("model/code/x.py", "")])
    archive(folder / "none.pth", b"")
    ran = folder / "ran"
    call = Called(Global("os", "system"), (f"touch {ran}",))
    write_torch(folder / "system.pth", {"model": call})
    # A storage that is given other numbers, a function that is given other defaults.
    numbers = Tensor(np.ones(4, np.float32), "0")
    given = Called(Global("torch._utils", "_rebuild_tensor_v2"), (), (None, {"__defaults__": (1,)}))
    write_torch(folder / "function.pth", {"model": given.name, "x": given}, [numbers])
    write_torch(folder / "name.pth", Called(Global("a", "\x1b[31mred\x1b[0m"), (), {"a": 1}))
    named = OrderedDict({"embed.W_E\n\x1b[2Jnext line" + "x" * 5000: tensors[0]})
    write_torch(folder / "long.pth", {"model": named}, tensors[:1])
    methods = Called(Global("collections", "OrderedDict"), (), {"get": 1, "items": 2, "keys": 3})
    write_torch(folder / "methods.pth", {"model": methods, "config": methods})
    (folder / "text.pth").write_text("not a model\n")
    (folder / "good.pth.gz").write_bytes(gzip.compress(whole))
    os.mkfifo(folder / "pipe.pth")
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
    (folder / "pointer.pth").write_text(pointer)
    (folder / "pickle.pth").write_bytes(pickle.dumps({"w": 1}))
    np.save(folder / "array.pth.npy", np.ones(3))
    (folder / "array.pth.npy").rename(folder / "array.pth")
    (folder / "bad.safetensors").write_bytes(b"\xff" * 64)
    return ran


def test_damaged_and_hostile_files_are_refused_on_one_line(tmp_path):
    ran = hostile(tmp_path)
    files = sorted(path.name for path in tmp_path.iterdir() if path.name != "good.pth")
    calls = [[name, "--name", "x"] for name in files]
    found = dict(zip(files, refusals("import", calls, tmp_path), strict=True))
    assert len(found) > 20
    for name, (code, error) in found.items():
        assert code == 2, (name, error)
        assert error.startswith("error: "), (name, error)
        assert error.endswith("\n"), name
        assert error[:-1].isprintable(), (name, error)
        assert len(error) < 700, name
    assert not ran.exists()
    assert says(found["pointer.pth"][1], "Git LFS")
    assert says(found["array.pth"][1], "NumPy array")
    assert "TorchScript" in found["script.pth"][1]
    assert "compressed" in found["packed.pth"][1]
    assert says(found["good.pth.gz"][1], "compressed unpack")
    assert "no ordinary file" in found["pipe.pth"][1]
    assert "extension 1" in found["extension.pth"][1]


def test_an_object_that_holds_itself_is_read():
    found = load_inert(io.BytesIO(pickle.dumps({"a": [1.0, "x"]})), lambda *_: np.zeros(0))
    assert found == {"a": [1.0, "x"]}
    loop = []
    loop.append({"again": loop})
    read = load_inert(io.BytesIO(pickle.dumps(loop)), lambda *_: np.zeros(0))
    assert read[0]["again"] is read
    # Ten lists of two references to the next: a thousand paths, eleven objects.
    shared = [1]
    for _ in range(60):
        shared = [shared, shared]
    read = load_inert(io.BytesIO(pickle.dumps(shared)), lambda *_: np.zeros(0))
    assert read[0] is read[1]


@pytest.mark.parametrize("kind", ["f8", "f4", "i8", "u1", "b1"])
def test_numpy_arrays_come_back(tmp_path, kind):
    from miiii.interchange.imports.torch_file import read_torch_file

    array = np.random.default_rng(0).integers(0, 2, (3, 4)).astype(kind)
    write_torch(tmp_path / "array.pth", {"x": numpy_array(array)})
    found = read_torch_file(tmp_path / "array.pth")["x"]
    assert found.dtype == array.dtype
    assert np.array_equal(found, array)


def test_a_file_is_known_by_its_first_bytes_whatever_its_name(tmp_path):
    state, tensors = as_tensors(drawn(Kind()))
    write_torch(tmp_path / "zip.safetensors", state, tensors)
    safetensors.numpy.save_file(drawn(Kind()), tmp_path / "named.pth")
    for name in ("zip.safetensors", "named.pth"):
        (found,) = read_checkpoint(tmp_path / name).states.values()
        assert np.array_equal(found["embed.W_E"], drawn(Kind())["embed.W_E"])


def test_tensors_of_one_number_are_losses():
    losses = [np.array(0.5, np.float32), np.array([0.25])]
    assert describe(losses) == "a list of 2 losses, no weights"
