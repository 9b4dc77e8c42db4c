"""A run whose history holds float32 shares, as runs from before counts do, goes on and on."""

import numpy as np

import miiii
from miiii.runs.directory import RunDirectory
from miiii.runs.segments import list_segments, read_segment, write_segment

CONFIG = miiii.replace_fields(
    miiii.get_preset("tiny"), base=7, width=8, heads=2, epochs=30, minibatches=2, snapshots=4
)


def make_older(path):
    """Put shares in the place of counts, rounded as XLA rounds them."""
    for segment in list_segments(path / "history"):
        rows = read_segment(segment)
        for split in ("train", "validation"):
            correct = rows.pop(f"{split}_correct").astype(np.float32)
            examples = rows.pop(f"{split}_examples").astype(np.float32)
            rows[f"{split}_accuracy"] = correct * (np.float32(1) / examples[:, None])
        write_segment(path / "history", segment.first, segment.last, rows)


def test_a_resumed_older_run_equals_a_new_one(tmp_path):
    miiii.start([CONFIG], ["whole"], tmp_path)
    miiii.start([miiii.replace_fields(CONFIG, epochs=20)], ["older"], tmp_path)
    before = miiii.load_run("older", tmp_path).history
    make_older(tmp_path / "older")
    assert "train_correct" not in RunDirectory(tmp_path / "older").history()
    read = miiii.load_run("older", tmp_path).history
    for name in ("train_accuracy", "validation_accuracy", "validation_examples"):
        np.testing.assert_array_equal(getattr(read, name), getattr(before, name))

    miiii.resume("older", tmp_path, epochs=30)
    whole, older = (RunDirectory(tmp_path / name) for name in ("whole", "older"))
    for key, values in whole.history().items():
        np.testing.assert_array_equal(older.history()[key], values, err_msg=key)
    one, other = whole.load_checkpoint(), older.load_checkpoint()
    for name, values in one.arrays.items():
        np.testing.assert_array_equal(other.arrays[name], values, err_msg=name)
