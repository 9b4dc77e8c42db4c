"""When weights are kept, and where a run first went wrong."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from miiii.training.chunk import first_not_finite, snapshot_epochs

EPOCHS, COUNTS = st.integers(1, 300_000), st.integers(2, 200)


@given(EPOCHS, COUNTS)
def test_snapshots_hold_the_ends_in_order(epochs, count):
    found = snapshot_epochs(epochs, count)
    assert found == sorted(set(found))
    assert found[0] == 0
    assert found[-1] == epochs
    assert all(type(epoch) is int for epoch in found)


@given(st.integers(1, 65536), COUNTS)
def test_snapshots_are_at_most_as_many_as_asked_for_between_the_ends(epochs, count):
    assert len(snapshot_epochs(epochs, count)) <= count + 2


@given(EPOCHS, EPOCHS, COUNTS)
def test_a_run_that_grows_keeps_its_grid(epochs, more, count):
    short, long = sorted((epochs, more))
    kept = set(snapshot_epochs(long, count))
    grid = set(snapshot_epochs(short, count)) - {short}
    assert grid == {epoch for epoch in kept if epoch < short}


def test_snapshots_are_even_in_log_epoch():
    assert snapshot_epochs(65536, 5) == [0, 1, 16, 256, 4096, 65536]
    assert snapshot_epochs(5000, 5) == [0, 1, 16, 256, 4096, 5000]
    assert snapshot_epochs(65536 * 16, 5)[-2:] == [65536, 65536 * 16]
    assert snapshot_epochs(65536, 17) == [0, *(2**power for power in range(17))]


def test_snapshots_of_few():
    assert snapshot_epochs(100, 0) == []
    assert snapshot_epochs(100, 1) == [0, 1, 100]
    assert snapshot_epochs(1, 64) == [0, 1]


def rows(losses, norms):
    return {
        "epoch": np.arange(11, 11 + len(losses)),
        "train_loss": np.asarray(losses, float),
        "gradient_norm": np.asarray(norms, float),
    }


FINE = np.ones((3, 2))
TASKS, WEIGHTS = ["2", "3"], ["token_embedding", "unembedding"]


def test_finite_rows_are_fine():
    assert first_not_finite(rows(FINE, FINE), TASKS, WEIGHTS) is None
    none = rows(np.ones((0, 2)), np.ones((0, 2)))
    assert first_not_finite(none, TASKS, WEIGHTS) is None


def test_the_first_bad_epoch_is_named_with_its_tensor():
    loss, norm = FINE.copy(), FINE.copy()
    loss[2] = np.nan
    assert first_not_finite(rows(loss, norm), TASKS, WEIGHTS) == (13, "loss of task 2")
    norm[1, 1] = np.inf
    assert first_not_finite(rows(loss, norm), TASKS, WEIGHTS) == (12, "gradient of unembedding")
    loss[1, 1] = -np.inf
    assert first_not_finite(rows(loss, norm), TASKS, WEIGHTS) == (12, "loss of task 3")
    norm[0, 0] = np.nan
    found = first_not_finite(rows(loss, norm), TASKS, WEIGHTS)
    assert found == (11, "gradient of token_embedding")
