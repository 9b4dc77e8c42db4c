"""PyTorch's files without PyTorch: right numbers, and nothing in them is ever run."""

import pickle
import zipfile

import numpy as np
import pytest

from interchange.imports.torch_writing import (
    Called,
    Global,
    Tensor,
    as_tensors,
    write_legacy,
    write_torch,
)
from miiii.interchange.imports.inert_pickle import Foreign
from miiii.interchange.imports.torch_file import read_torch_file
from miiii.runs.errors import DamagedFileError
from wording import naming


def test_tensors_of_every_kind_and_layout_come_back(tmp_path):
    generator = np.random.default_rng(0)
    state = {
        "single": generator.normal(size=(2, 3)).astype("<f4"),
        "double": generator.normal(size=4),
        "whole": np.arange(5),
        "half": generator.normal(size=3).astype("<f2"),
        "scalar": np.float64(3.5),
        "none": np.zeros((0, 4), "<f4"),
    }
    content, tensors = as_tensors(state)
    write_torch(tmp_path / "state.pth", content, tensors)
    found = read_torch_file(tmp_path / "state.pth")
    assert list(found) == list(state)
    for name, array in state.items():
        assert np.array_equal(found[name], array)
        assert found[name].shape == np.shape(array)


def test_files_of_pytorch_before_1_6_are_read(tmp_path):
    state = {"single": np.arange(6, dtype="<f4").reshape(2, 3), "half": np.arange(3, dtype="<f2")}
    content, tensors = as_tensors(state)
    turned = Tensor(state["single"], "0", shape=(3, 2), strides=(1, 3))
    write_legacy(tmp_path / "old.pth", {"model": content, "turned": turned, "epoch": 3}, tensors)
    found = read_torch_file(tmp_path / "old.pth")
    assert found["epoch"] == 3
    assert np.array_equal(found["turned"], state["single"].T)
    for name, array in state.items():
        assert np.array_equal(found["model"][name], array)
    data = (tmp_path / "old.pth").read_bytes()
    for cut in range(0, len(data), 7):
        (tmp_path / "old.pth").write_bytes(data[:cut])
        with pytest.raises(DamagedFileError):
            read_torch_file(tmp_path / "old.pth")
    write_legacy(tmp_path / "big.pth", content, tensors, little=False)
    with pytest.raises(DamagedFileError, match=naming("little-endian")):
        read_torch_file(tmp_path / "big.pth")


def test_views_share_a_storage(tmp_path):
    numbers = np.arange(12, dtype="<f4")
    turned = Tensor(numbers, "0", shape=(4, 3), strides=(1, 4))
    row = Tensor(numbers, "0", shape=(4,), strides=(1,), offset=4)
    write_torch(tmp_path / "views.pt", {"turned": turned, "row": row}, [turned])
    found = read_torch_file(tmp_path / "views.pt")
    assert np.array_equal(found["turned"], numbers.reshape(3, 4).T)
    assert np.array_equal(found["row"], numbers[4:8])


@pytest.mark.parametrize(
    "wrong",
    [
        {"shape": (13,), "strides": (1,)},
        {"shape": (4,), "strides": (1,), "offset": 9},
        {"shape": (2,), "strides": (-1,), "offset": 5},
        {"shape": (10**9,), "strides": (0,)},
        {"shape": (2, 2), "strides": (1,)},
        {"numbers": 13},
    ],
)
def test_a_tensor_never_reaches_outside_its_numbers(tmp_path, wrong):
    tensor = Tensor(np.arange(12, dtype="<f4"), "0", **wrong)
    write_torch(tmp_path / "bad.pth", {"w": tensor}, [tensor])
    with pytest.raises(DamagedFileError, match=naming("bad.pth damaged")):
        read_torch_file(tmp_path / "bad.pth")


def test_nothing_in_a_file_is_run(tmp_path):
    ran = tmp_path / "ran"
    harm = [
        Called(Global("os", "system"), (f"touch {ran}",)),
        Called(Global("builtins", "exec"), (f"open({str(ran)!r}, 'w')",)),
        Called(Global("builtins", "getattr"), (Global("os", "path"), "join")),
        Called(Global("subprocess", "Popen"), (["touch", str(ran)],)),
        Called(Called(Global("operator", "attrgetter"), ("system",)), (Global("os", "path"),)),
        Called(Global("collections", "OrderedDict"), (), {"__class__": 1}),
    ]
    for index, call in enumerate(harm):
        write_torch(tmp_path / f"{index}.pth", {"x": call})
        try:
            found = read_torch_file(tmp_path / f"{index}.pth")["x"]
        except DamagedFileError:
            continue
        assert isinstance(found, Foreign | dict)
        write_legacy(tmp_path / f"{index}.pth", {"x": call})
        assert isinstance(read_torch_file(tmp_path / f"{index}.pth")["x"], Foreign | dict)
    assert not ran.exists()


def test_what_pickle_would_run_is_really_run_by_pickle(tmp_path):
    """The files above are dangerous: Python's own reader falls for the first."""
    ran = tmp_path / "ran"
    write_torch(tmp_path / "0.pth", Called(Global("os", "system"), (f"touch {ran}",)))
    with zipfile.ZipFile(tmp_path / "0.pth") as archive:
        pickle.loads(archive.read("model/data.pkl"))
    assert ran.exists()


def test_a_foreign_record_keeps_its_fields(tmp_path):
    made = Called(
        Global("copyreg", "_reconstructor"),
        (Global("transformer_lens", "HookedTransformerConfig"), None, None),
        {"n_heads": 4, "act_fn": "relu", "dtype": Global("torch", "float32")},
    )
    write_torch(tmp_path / "config.pth", {"config": made})
    found = read_torch_file(tmp_path / "config.pth")["config"]
    assert found.state["n_heads"] == 4
    assert found.state["act_fn"] == "relu"


@pytest.mark.parametrize("cut", [0, 1, 40, -1])
def test_damaged_files_are_refused(tmp_path, cut):
    content, tensors = as_tensors({"w": np.arange(4.0)})
    write_torch(tmp_path / "w.pth", content, tensors)
    data = (tmp_path / "w.pth").read_bytes()
    (tmp_path / "w.pth").write_bytes(data[:cut])
    with pytest.raises(DamagedFileError, match="damaged"):
        read_torch_file(tmp_path / "w.pth")


def test_other_formats_are_refused_with_what_to_do(tmp_path):
    (tmp_path / "old.pth").write_bytes(pickle.dumps({"w": 1}))
    with pytest.raises(DamagedFileError, match=naming("torch.save safetensors")):
        read_torch_file(tmp_path / "old.pth")
    write_torch(tmp_path / "big.pth", {}, byteorder=b"big")
    with pytest.raises(DamagedFileError, match=naming("little-endian")):
        read_torch_file(tmp_path / "big.pth")
    with pytest.raises(DamagedFileError, match=naming("cannot read")):
        read_torch_file(tmp_path / "none.pth")
