from __future__ import annotations

import hashlib
import io
import json
import pickle

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from miiii.runs.errors import DamagedFileError
from miiii.runs.tensors import compute_digest, load_tensors, save_tensors
from wording import naming, says

DTYPES = ["float32", "float64", "int32", "uint32", "int64", "bool", "uint8"]

LAYOUTS = {
    "as it is": lambda array: array,
    "transposed": lambda array: array.T,
    "Fortran": np.asfortranarray,
    "reversed": lambda array: array[::-1] if array.ndim else array,
    "every other": lambda array: array[..., ::2] if array.ndim else array,
    "broadcast": lambda array: np.broadcast_to(array, (2, *array.shape)),
    "big-endian": lambda array: array.astype(array.dtype.newbyteorder(">")),
}

arrays_of_any_layout = st.builds(
    lambda array, layout: LAYOUTS[layout](array),
    st.sampled_from(DTYPES).flatmap(
        lambda dtype: npst.arrays(dtype, npst.array_shapes(min_dims=0, max_dims=4, min_side=0))
    ),
    st.sampled_from(sorted(LAYOUTS)),
)
texts = st.text(max_size=10)


def same(first: np.ndarray, second: np.ndarray) -> bool:
    """Compares elements in logical order as plain Python numbers, NaN equal to NaN."""
    return (
        first.shape == second.shape
        and first.dtype.newbyteorder("=") == second.dtype.newbyteorder("=")
        and repr(first.tolist()) == repr(second.tolist())
    )


@settings(max_examples=80, deadline=None)
@given(
    arrays=st.dictionaries(
        texts.filter(lambda name: name != "__metadata__"), arrays_of_any_layout, max_size=4
    ),
    metadata=st.dictionaries(texts.filter(lambda key: key != "digest"), texts, max_size=3),
)
def test_round_trip(tmp_path_factory, arrays, metadata):
    path = tmp_path_factory.getbasetemp() / "round-trip.safetensors"
    save_tensors(path, arrays, metadata)
    expected = {name: (array.shape, array.dtype.name) for name, array in arrays.items()}
    loaded, loaded_metadata = load_tensors(path, expected)
    assert loaded_metadata == metadata
    assert set(loaded) == set(arrays)
    assert all(same(loaded[name], arrays[name]) for name in arrays)
    # Any other reader of the format sees the same.
    foreign = safetensors.numpy.load_file(path)
    assert all(same(foreign[name], arrays[name]) for name in arrays)


def test_non_contiguous_array_is_stored_by_value(tmp_path):
    grid = np.arange(6, dtype=np.int32).reshape(2, 3)
    save_tensors(tmp_path / "file", {"transposed": grid.T, "reversed": grid[::-1, ::-1]}, {})
    loaded, _ = load_tensors(tmp_path / "file")
    assert loaded["transposed"].tolist() == [[0, 3], [1, 4], [2, 5]]
    assert loaded["reversed"].tolist() == [[5, 4, 3], [2, 1, 0]]


def test_what_cannot_be_stored_is_refused(tmp_path):
    path = tmp_path / "file"
    with pytest.raises(ValueError, match=naming("'digest' reserved")):
        save_tensors(path, {}, {"digest": "x"})
    with pytest.raises(ValueError, match=naming("text")):
        save_tensors(path, {}, {"epoch": 3})  # pyright: ignore[reportArgumentType]
    for array in (np.array([{}]), np.array(["text"]), np.array([1j])):
        with pytest.raises(ValueError, match=naming("tensor 'weights' dtype")):
            save_tensors(path, {"weights": array}, {})
    with pytest.raises(ValueError, match="__metadata__"):
        save_tensors(path, {"__metadata__": np.zeros(1)}, {})
    assert not path.exists()


@pytest.fixture
def example(tmp_path):
    path = tmp_path / "000000007.safetensors"
    arrays = {
        "weights": np.linspace(-1, 1, 6, dtype=np.float32).reshape(2, 3),
        "count": np.array(7, dtype=np.int64),
        "mask": np.array([True, False, True]),
    }
    save_tensors(path, arrays, {"epoch": "7", "identity": "abc"})
    return path


def refused(path) -> str:
    with pytest.raises(DamagedFileError) as caught:
        load_tensors(path)
    message = str(caught.value)
    assert caught.value.path == path
    assert path.name in message
    assert "\n" not in message
    return message


def test_every_altered_byte_is_noticed(example):
    data = example.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = data[8 : 8 + length]
    padding = range(8 + len(header.rstrip(b" ")), 8 + length)
    for position in range(len(data)):
        if position in padding:
            continue
        for mask in (0x01, 0x20, 0x80, 0xFF):
            altered = bytearray(data)
            altered[position] ^= mask
            example.write_bytes(altered)
            refused(example)
    example.write_bytes(data)
    load_tensors(example)


def test_swapped_shape_and_exchanged_names_are_noticed(example):
    data = example.read_bytes()
    for before, after in ((b"[2,3]", b"[3,2]"), (b'"mask"', b'"task"'), (b'"7"', b'"8"')):
        assert data.count(before) == 1
        example.write_bytes(data.replace(before, after))
        assert says(refused(example), "not match digest")


def test_every_truncation_and_every_extension_is_noticed(example):
    data = example.read_bytes()
    for length in range(len(data)):
        example.write_bytes(data[:length])
        assert "truncated" in refused(example)
    example.write_bytes(data + b"\0")
    refused(example)


def test_foreign_files_are_refused(tmp_path):
    path = tmp_path / "000000003.safetensors"
    zipped = io.BytesIO()
    np.savez(zipped, weights=np.zeros(3))
    random = np.random.default_rng(0)
    not_objects = [b"[1]", b'"x"', b'{"__metadata__": 3}', b'{"__metadata__": {"digest": 3}}']
    for content in [
        b"",
        b"name = 'small'\n" * 20,
        zipped.getvalue(),
        pickle.dumps({"weights": np.zeros(3)}),
        random.bytes(1000),
        bytes(1000),
        (2**63).to_bytes(8, "little") + bytes(100),
        *(len(header).to_bytes(8, "little") + header for header in not_objects),
    ]:
        path.write_bytes(content)
        refused(path)
    path.unlink()
    assert "is missing" in refused(path)
    path.mkdir()
    assert "cannot be read" in refused(path)


def test_file_of_another_program_is_refused(tmp_path):
    path = tmp_path / "000000003.safetensors"
    path.write_bytes(safetensors.numpy.save({"weights": np.zeros(3)}, {"format": "np"}))
    assert "has no digest" in refused(path)
    path.write_bytes(safetensors.numpy.save({"weights": np.zeros(3)}, {"digest": "0" * 64}))
    assert says(refused(path), "not match digest")


def test_digest_depends_on_everything_and_not_on_order():
    arrays = {"a": np.array([1, 2], dtype=np.int32), "b": np.array([[3, 4]], dtype=np.int32)}
    digest = compute_digest(arrays, {"k": "v"})
    plain = json.dumps({"k": "v"}).encode() + b"\n"
    plain += b'["a", "int32", [2]]\n' + bytes([1, 0, 0, 0, 2, 0, 0, 0])
    plain += b'["b", "int32", [1, 2]]\n' + bytes([3, 0, 0, 0, 4, 0, 0, 0])
    assert digest == hashlib.sha256(plain).hexdigest()
    assert digest == compute_digest(dict(reversed(arrays.items())), {"k": "v"})


EXAMPLE = {"weights": ((2, 3), "float32"), "count": ((), "int64"), "mask": ((3,), "bool")}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"bias": ((3,), "float32")}, "lacks tensor 'bias'"),
        ({"mask": None}, "'mask' expected"),
        ({"mask": None, "count": None}, "'count' 1 more"),
        ({"weights": ((3, 2), "float32")}, "'weights' (2,3) (3,2)"),
        ({"count": ((1,), "int64")}, "'count' () (1,)"),
        ({"weights": ((2, 3), "float64")}, "'weights' dtype float32 float64"),
    ],
)
def test_first_difference_is_named(example, change, words):
    load_tensors(example, EXAMPLE)
    expected = {k: v for k, v in {**EXAMPLE, **change}.items() if v is not None}
    with pytest.raises(DamagedFileError, match=naming(words)) as caught:
        load_tensors(example, expected)
    assert example.name in str(caught.value)
