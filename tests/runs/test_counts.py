"""Histories hold counts of right answers; those that held rounded shares become counts to go on."""

import numpy as np
import pytest

from miiii.runs.counts import counted, epoch_sizes, with_accuracies, without_accuracies
from miiii.runs.directory import RunDirectory
from miiii.runs.errors import DamagedFileError
from miiii.runs.segments import list_segments, read_segment, write_segment

TRAIN, VALIDATION, EPOCHS = 97, 100, 9
SIZES = {"train": TRAIN, "validation": VALIDATION}


def rows(first, last):
    """Epochs of two tasks with counts; every second one is validated."""
    epoch = np.arange(first, last + 1)
    validated = epoch[epoch % 2 == 0]
    return {
        "epoch": epoch,
        "train_loss": epoch[:, None] / np.ones(2),
        "train_correct": np.stack([np.full(len(epoch), TRAIN), epoch], axis=1).astype(np.int32),
        "train_examples": np.full(len(epoch), TRAIN, np.int32),
        "validation_epoch": validated,
        "validation_correct": np.stack([90 + validated, 0 * validated], axis=1).astype(np.int32),
        "validation_examples": np.full(len(validated), VALIDATION, np.int32),
    }


def older(found):
    """The same as versions before counts stored it: shares by XLA's product, in float32."""
    found = dict(found)
    for split, size in SIZES.items():
        count = found.pop(f"{split}_correct").astype(np.float32)
        del found[f"{split}_examples"]
        found[f"{split}_accuracy"] = count * (np.float32(1) / np.float32(size))
    return found


def assert_same(one, other):
    assert one.keys() == other.keys()
    for key, value in one.items():
        assert value.dtype == other[key].dtype, key
        np.testing.assert_array_equal(value, other[key], err_msg=key)


@pytest.fixture
def run(tmp_path):
    (tmp_path / "run" / "history").mkdir(parents=True)
    return RunDirectory(tmp_path / "run")


def test_shares_are_the_only_division_of_their_counts():
    found = with_accuracies(rows(1, EPOCHS))
    assert found["train_accuracy"].dtype == np.float64
    assert found["train_accuracy"][:, 0].tolist() == [1.0] * EPOCHS
    assert found["train_accuracy"][:, 1].tolist() == [epoch / TRAIN for epoch in range(1, 10)]
    assert found["validation_accuracy"][:, 0].tolist() == [0.92, 0.94, 0.96, 0.98]


def test_a_perfect_model_of_older_versions_was_not_quite_perfect():
    assert (older(rows(1, 3))["train_accuracy"][:, 0] == np.float32(0.99999994)).all()


def test_integers_are_stored_and_shares_read(run):
    run.append_history(1, EPOCHS, with_accuracies(rows(1, EPOCHS)))
    (segment,) = list_segments(run.path / "history")
    assert_same(read_segment(segment), rows(1, EPOCHS))
    assert_same(run.history(), with_accuracies(rows(1, EPOCHS)))
    assert_same(without_accuracies(run.history()), rows(1, EPOCHS))


def write_older(run):
    for first, last in ((1, 4), (5, 6)):
        write_segment(run.path / "history", first, last, older(rows(first, last)))


def test_an_older_history_reads_as_it_was_stored(run):
    write_older(run)
    assert_same(run.history(), older(rows(1, 6)))


def test_an_older_history_goes_on_as_one_of_counts(run):
    write_older(run)
    run.count_history(SIZES)
    assert_same(run.history(), with_accuracies(rows(1, 6)))
    run.append_history(7, EPOCHS, rows(7, EPOCHS))
    run.count_history(SIZES)
    assert_same(run.history(), with_accuracies(rows(1, EPOCHS)))


def test_counting_that_was_cut_off_loses_nothing(run):
    """The new segment is there, and one of the old has not gone yet."""
    write_older(run)
    write_segment(run.path / "history", 1, 6, rows(1, 6))
    assert_same(run.history(), with_accuracies(rows(1, 6)))
    run.count_history(SIZES)
    run.append_history(7, EPOCHS, rows(7, EPOCHS))
    assert_same(run.history(), with_accuracies(rows(1, EPOCHS)))


def test_what_was_not_measured_stays_unknown():
    found = older(rows(1, 3))
    found["train_accuracy"][1, 0] = np.nan
    read = with_accuracies(counted(found, SIZES))["train_accuracy"]
    np.testing.assert_array_equal(read[:, 0], [1, np.nan, 1])


def test_an_empty_history_stays_empty(run):
    run.count_history(SIZES)
    assert run.history() == {}


def test_a_damaged_history_is_refused_and_kept(run):
    write_older(run)
    segment = list_segments(run.path / "history")[0].path
    segment.write_bytes(segment.read_bytes()[:-1])
    with pytest.raises(DamagedFileError, match=segment.name):
        run.count_history(SIZES)
    assert len(list_segments(run.path / "history")) == 2


def test_counted_rows_are_left_alone():
    assert_same(counted(rows(1, 5), SIZES), rows(1, 5))


def test_numbers_left_over_by_equal_shares_are_not_asked():
    assert epoch_sizes(97, 100, 1) == {"train": 97, "validation": 100}
    assert epoch_sizes(97, 100, 5) == {"train": 95, "validation": 100}
