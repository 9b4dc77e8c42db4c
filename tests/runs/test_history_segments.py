from __future__ import annotations

import glob
import hashlib
import io
import pickle
import shutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from miiii.runs import history
from miiii.runs.errors import DamagedFileError
from miiii.runs.history import append_segment, merge_history, read_history, truncate_history
from miiii.runs.segments import list_segments, write_segment
from wording import naming

TASKS = 3


def validated(epoch: int) -> bool:
    return epoch in (0, 1) or epoch % 4 == 0


def rows(first: int, last: int, salt: float = 0.0) -> dict[str, np.ndarray]:
    """What a run would measure from epoch ``first`` to ``last``: each row tells its epoch."""
    epochs = list(range(first, last + 1))
    validations = [e for e in ([0] if first == 1 else []) + epochs if validated(e)]
    return {
        "epoch": np.array(epochs, dtype=np.int64),
        "train_loss": np.array(
            [[e + t / 8 + salt for t in range(TASKS)] for e in epochs], dtype=np.float32
        ),
        "gradient_norm": np.array([[-e] for e in epochs], dtype=np.float64),
        "validation_epoch": np.array(validations, dtype=np.int64),
        "validation_accuracy": np.array(
            [[e * 10 + t for t in range(TASKS)] for e in validations], dtype=np.float32
        ).reshape(-1, TASKS),
    }


def assert_same(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    assert list(found) == list(expected)
    for key, array in expected.items():
        assert found[key].dtype == array.dtype, key
        assert found[key].tolist() == array.tolist(), key


def spans(directory) -> list[tuple[int, int]]:
    return [(segment.first, segment.last) for segment in list_segments(directory)]


def fill(directory, *bounds: int) -> None:
    """Appends segments that end at the given epochs."""
    first = 1
    for last in bounds:
        append_segment(directory, first, last, rows(first, last))
        first = last + 1


operations = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(1, 7)),
        st.tuples(st.just("truncate"), st.integers(0, 40)),
        st.tuples(st.just("merge"), st.just(0)),
    ),
    max_size=14,
)


@settings(max_examples=40, deadline=None)
@given(operations=operations, last=st.integers(1, 40))
def test_any_sequence_of_operations_reads_as_a_list_of_epochs(tmp_path_factory, operations, last):
    directory = tmp_path_factory.getbasetemp() / "operations"
    shutil.rmtree(directory, ignore_errors=True)
    end = 0
    for name, number in operations:
        if name == "append":
            append_segment(directory, end + 1, end + number, rows(end + 1, end + number))
            end += number
        elif name == "truncate":
            truncate_history(directory, number)
            end = min(end, number)
        else:
            merge_history(directory)
            assert len(spans(directory)) <= 1
        assert_same(read_history(directory), rows(1, end) if end else {})
    if end:
        assert_same(read_history(directory, last), rows(1, min(end, last)))


def test_readable_with_numpy_alone(tmp_path):
    fill(tmp_path, 5, 9, 10)
    pieces = [np.load(path) for path in sorted(glob.glob(f"{tmp_path}/*.npz"))]
    train_loss = np.concatenate([piece["train_loss"] for piece in pieces])
    assert train_loss.tolist() == rows(1, 10)["train_loss"].tolist()


def test_many_segments_are_merged_by_the_append_that_exceeds_the_limit(tmp_path):
    fill(tmp_path, *range(1, 65))
    assert len(spans(tmp_path)) == 64
    append_segment(tmp_path, 65, 65, rows(65, 65))
    assert spans(tmp_path) == [(1, 65)]
    append_segment(tmp_path, 66, 70, rows(66, 70))
    assert_same(read_history(tmp_path), rows(1, 70))


def test_overlapping_remains_are_read_once(tmp_path):
    fill(tmp_path, 10, 20, 30)
    remains = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    merge_history(tmp_path)
    for name, data in remains.items():
        (tmp_path / name).write_bytes(data)
    assert len(spans(tmp_path)) == 4
    assert_same(read_history(tmp_path), rows(1, 30))
    assert_same(read_history(tmp_path, 15), rows(1, 15))
    append_segment(tmp_path, 31, 33, rows(31, 33))
    assert_same(read_history(tmp_path), rows(1, 33))
    truncate_history(tmp_path, 15)
    assert_same(read_history(tmp_path), rows(1, 15))
    append_segment(tmp_path, 16, 18, rows(16, 18))
    merge_history(tmp_path)
    assert spans(tmp_path) == [(1, 18)]


def test_remains_are_not_even_opened(tmp_path):
    fill(tmp_path, 10, 20)
    merge_history(tmp_path)
    (tmp_path / "000000001-000000010.npz").write_bytes(b"")
    assert_same(read_history(tmp_path), rows(1, 20))


def test_reading_while_another_process_merges(tmp_path, monkeypatch):
    fill(tmp_path, 5, 10, 15)
    real = history.read_segment

    def merge_first(segment):
        monkeypatch.setattr(history, "read_segment", real)
        merge_history(tmp_path)
        return real(segment)

    monkeypatch.setattr(history, "read_segment", merge_first)
    assert_same(read_history(tmp_path), rows(1, 15))
    assert spans(tmp_path) == [(1, 15)]


def test_partial_overlap_takes_each_epoch_once(tmp_path):
    fill(tmp_path, 10)
    source = tmp_path / "other"
    fill(source, 6, 14)
    shutil.copy(source / "000000007-000000014.npz", tmp_path)
    assert_same(read_history(tmp_path), rows(1, 14))


def test_append_that_does_not_follow_is_refused(tmp_path):
    for first in (2, 5):
        with pytest.raises(DamagedFileError, match=naming("ends epoch 0")):
            append_segment(tmp_path, first, 9, rows(first, 9))
    fill(tmp_path, 4)
    for first in (1, 4, 6):
        with pytest.raises(DamagedFileError, match=naming(f"epochs {first} 9 follow")):
            append_segment(tmp_path, first, 9, rows(first, 9))
    assert spans(tmp_path) == [(1, 4)]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"epoch": None}, "'epoch' missing"),
        ({"validation_epoch": None}, "'validation_epoch' missing"),
        ({"train_loss": np.zeros((4, 3))}, "'train_loss' 4 rows 'epoch' 5"),
        ({"validation_accuracy": np.zeros((9, 3))}, "'validation_accuracy' 9 rows"),
        ({"train_loss": np.float32(3)}, "'train_loss' axis"),
        ({"train_loss": np.array([{}] * 5)}, "'train_loss' dtype object"),
        ({"epoch": np.arange(1, 6, dtype=np.int32)}, "'epoch' int32"),
        ({"epoch": np.arange(2, 7)}, "'epoch' grow 0 5"),
        ({"epoch": np.array([1, 2, 2, 4, 5])}, "'epoch' grow"),
        ({"epoch": np.array([-1, 2, 3, 4, 5])}, "'epoch' grow"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(tmp_path, change, words):
    arrays = {key: value for key, value in {**rows(1, 5), **change}.items() if value is not None}
    with pytest.raises(ValueError, match=naming(words)):
        append_segment(tmp_path, 1, 5, arrays)
    assert spans(tmp_path) == []


def test_only_the_first_segment_may_reach_back(tmp_path):
    fill(tmp_path, 5)
    with pytest.raises(ValueError, match=naming("epoch 6 7")):
        append_segment(tmp_path, 6, 7, {**rows(6, 7), "epoch": np.array([5, 7])})


@pytest.mark.parametrize(("first", "last"), [(0, 5), (1, 0)])
def test_spans_start_at_epoch_one_and_are_not_empty(tmp_path, first, last):
    with pytest.raises((ValueError, DamagedFileError)):
        append_segment(tmp_path, first, last, rows(1, 5))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"train_loss": np.zeros((2, 4), np.float32)}, "rows 'train_loss' float32"),
        ({"train_loss": np.zeros((2, 3), np.float64)}, "rows 'train_loss' float64"),
        ({"more": np.zeros(2)}, "key 'more' new"),
        ({"gradient_norm": None}, "key 'gradient_norm' missing"),
    ],
)
def test_rows_unlike_those_before_are_refused(tmp_path, change, words):
    fill(tmp_path, 5)
    arrays = {key: value for key, value in {**rows(6, 7), **change}.items() if value is not None}
    with pytest.raises(ValueError, match=naming(words)):
        append_segment(tmp_path, 6, 7, arrays)
    # Had it been written by something else, the reader would name it.
    write_segment(tmp_path, 6, 7, arrays)
    with pytest.raises(DamagedFileError, match=naming(f"000000006-000000007.npz {words}")):
        read_history(tmp_path)


def test_missing_segment_is_named_by_its_epochs(tmp_path):
    fill(tmp_path, 10, 20, 30)
    (tmp_path / "000000011-000000020.npz").unlink()
    assert_same(read_history(tmp_path, 10), rows(1, 10))
    with pytest.raises(DamagedFileError, match=naming("lacks 11 20")):
        read_history(tmp_path)
    with pytest.raises(DamagedFileError, match=naming("lacks 11 20")):
        merge_history(tmp_path)
    assert len(spans(tmp_path)) == 2
    truncate_history(tmp_path, 10)
    assert spans(tmp_path) == [(1, 10)]


def test_every_altered_byte_is_noticed(tmp_path):
    fill(tmp_path, 2)
    (path,) = tmp_path.iterdir()
    data = path.read_bytes()
    for position in range(len(data)):
        altered = bytearray(data)
        altered[position] ^= 1 << position % 8
        path.write_bytes(altered)
        with pytest.raises(DamagedFileError, match=path.name):
            read_history(tmp_path)
    path.write_bytes(data)
    assert_same(read_history(tmp_path), rows(1, 2))


def test_archive_that_lost_an_array_is_refused(tmp_path):
    # The length of an entry's comment, set too high, makes a reader skip the entries after it.
    fill(tmp_path, 2)
    (path,) = tmp_path.iterdir()
    data = bytearray(path.read_bytes())
    entry = b"PK\x01\x02"
    first, last = data.find(entry), data.rfind(entry)
    skipped = last - data.find(entry, first + 1)
    data[first + 32 : first + 34] = skipped.to_bytes(2, "little")
    path.write_bytes(data)
    with np.load(path) as archive:
        assert len(archive.files) == 2  # nobody else would notice
    with pytest.raises(DamagedFileError, match=path.name):
        read_history(tmp_path)


def test_segment_of_another_program_is_refused(tmp_path):
    np.savez(tmp_path / "000000001-000000002.npz", **rows(1, 2))  # pyright: ignore
    with pytest.raises(DamagedFileError, match=naming("digest")):
        read_history(tmp_path)


def test_truncated_segment_is_named(tmp_path):
    fill(tmp_path, 4, 6)
    path = tmp_path / "000000005-000000006.npz"
    data = path.read_bytes()
    for length in [*range(0, len(data), 7), len(data) - 1]:
        path.write_bytes(data[:length])
        with pytest.raises(
            DamagedFileError, match=naming("000000005-000000006.npz truncated altered")
        ):
            read_history(tmp_path)
        assert_same(read_history(tmp_path, 4), rows(1, 4))
    truncate_history(tmp_path, 4)
    assert_same(read_history(tmp_path), rows(1, 4))


def test_segment_under_a_wrong_name_is_refused(tmp_path):
    fill(tmp_path, 4, 6)
    (tmp_path / "000000005-000000006.npz").rename(tmp_path / "000000005-000000007.npz")
    with pytest.raises(DamagedFileError, match=naming("000000005-000000007.npz truncated altered")):
        read_history(tmp_path)
    (tmp_path / "000000001-000000004.npz").rename(tmp_path / "000000001-000000003.npz")
    with pytest.raises(
        DamagedFileError, match=naming("000000001-000000003.npz truncated altered foreign")
    ):
        read_history(tmp_path, 3)


class Trap:
    def __reduce__(self):
        return exec, ("raise AssertionError('a pickle was loaded')",)


def test_pickles_are_refused_unread(tmp_path):
    path = tmp_path / "000000001-000000002.npz"
    zipped = io.BytesIO()
    np.savez(zipped, **rows(1, 2), trap=np.array([Trap(), Trap()]))  # pyright: ignore
    for content in (pickle.dumps(Trap()), zipped.getvalue()):
        path.write_bytes(content)
        with pytest.raises(DamagedFileError, match=path.name):
            read_history(tmp_path)
        # Even with a digest that fits.
        path.write_bytes(content + hashlib.sha256(b"1-2\n" + content).hexdigest().encode())
        with pytest.raises(DamagedFileError, match=naming("readable allow_pickle")):
            read_history(tmp_path)


def test_empty_and_missing_history_have_no_keys(tmp_path):
    assert read_history(tmp_path) == {}
    assert read_history(tmp_path / "missing") == {}
    truncate_history(tmp_path / "missing", 3)
    merge_history(tmp_path)


def test_truncating_to_nothing(tmp_path):
    fill(tmp_path, 3, 6)
    truncate_history(tmp_path, 0)
    assert spans(tmp_path) == []


def test_append_cut_off_at_any_point(every_crash, monkeypatch):
    monkeypatch.setattr(history, "MERGE_ABOVE", 3)

    def check(directory):
        found = read_history(directory)
        end = int(found["epoch"][-1])
        assert end in (7, 9)
        assert_same(found, rows(1, end))
        # The resumed run goes back to its checkpoint and writes the same epochs again.
        truncate_history(directory, 7)
        append_segment(directory, 8, 9, rows(8, 9))
        assert_same(read_history(directory), rows(1, 9))

    crashes = every_crash(
        lambda directory: fill(directory, 3, 5, 7),
        lambda directory: append_segment(directory, 8, 9, rows(8, 9)),
        check,
    )
    assert crashes >= 4 + 4 + 4  # the segment, the merged one, four removals


def test_truncation_cut_off_at_any_point(every_crash):
    def check(directory):
        found = read_history(directory)
        end = int(found["epoch"][-1])
        assert end in (8, 10, 12, 15)
        assert_same(found, rows(1, end))
        assert_same(read_history(directory, 8), rows(1, 8))
        truncate_history(directory, 8)
        # Other numbers from here on: none of the old ones may come back.
        append_segment(directory, 9, 11, rows(9, 11, salt=0.5))
        losses = read_history(directory)["train_loss"].tolist()
        expected = rows(1, 8)["train_loss"].tolist() + rows(9, 11, 0.5)["train_loss"].tolist()
        assert losses == expected

    crashes = every_crash(
        lambda directory: fill(directory, 5, 10, 12, 15),
        lambda directory: truncate_history(directory, 8),
        check,
    )
    assert crashes >= 4 + 3


def test_merge_cut_off_at_any_point(every_crash):
    def check(directory):
        assert_same(read_history(directory), rows(1, 15))
        merge_history(directory)
        assert spans(directory) == [(1, 15)]
        assert_same(read_history(directory), rows(1, 15))

    crashes = every_crash(lambda directory: fill(directory, 5, 10, 12, 15), merge_history, check)
    assert crashes >= 4 + 4


def test_truncation_after_a_merge_that_was_cut_off(every_crash):
    def check(directory):
        found = read_history(directory)
        assert_same(found, rows(1, int(found["epoch"][-1])))
        truncate_history(directory, 8)
        assert_same(read_history(directory), rows(1, 8))

    def prepare(directory):
        fill(directory, 5, 10, 12, 15)
        remains = {path.name: path.read_bytes() for path in directory.iterdir()}
        merge_history(directory)
        for name, data in remains.items():
            (directory / name).write_bytes(data)

    assert every_crash(prepare, lambda directory: truncate_history(directory, 8), check) >= 4 + 4
