"""Thinned histories: which rows are kept, and that they are the same rows."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from miiii.runs.segments import find_inconsistency
from miiii.runs.thinning import log_spaced, thin_history


def planted(epochs, every):
    """Rows whose values are their epochs."""
    epoch = np.arange(1, epochs + 1)
    validated = epoch[epoch % every == 0]
    return {
        "epoch": epoch,
        "train_loss": np.stack([epoch, -epoch], axis=1).astype(np.float32),
        "validation_epoch": validated,
        "validation_loss": validated[:, None].astype(np.float32),
    }


@given(epochs=st.integers(1, 3000), every=st.integers(1, 9), most=st.integers(2, 300))
def test_rows_stay_with_their_epochs_and_fit(epochs, every, most):
    history = planted(epochs, every)
    thinned = thin_history(history, most)
    assert thinned.keys() == history.keys()
    assert find_inconsistency(1, epochs, thinned) is None
    np.testing.assert_array_equal(thinned["train_loss"][:, 0], thinned["epoch"])
    np.testing.assert_array_equal(thinned["validation_loss"][:, 0], thinned["validation_epoch"])
    for key in ("epoch", "validation_epoch"):
        whole, kept = history[key], thinned[key]
        assert len(kept) <= most
        if len(whole):
            assert (kept[0], kept[-1]) == (whole[0], whole[-1])


def test_early_epochs_are_dense_and_late_ones_never_far_apart():
    thinned = thin_history(planted(65_536, 1), 400)["epoch"]
    assert set(range(1, 11)) <= set(thinned.tolist())
    assert np.diff(thinned).max() <= 65_536 / 199 + 1
    assert len(thinned) <= 400


def test_one_row_is_refused():
    with pytest.raises(ValueError, match="most is 1"):
        thin_history(planted(10, 1), 1)


@pytest.mark.parametrize("most", [2, 5, 16])
@pytest.mark.parametrize("epochs", [[0, 1, 2, 4, 8], [*range(0, 5001, 50)], [3, 900, 1000, 1100]])
def test_epochs_are_the_nearest_to_an_even_grid_in_log_epoch(epochs, most):
    found = log_spaced(epochs, most)
    assert (found[0], found[-1]) == (epochs[0], epochs[-1])
    if len(epochs) <= most:
        assert found == epochs
        return
    low, high = (math.log(max(end, 1)) for end in (epochs[0], epochs[-1]))
    grid = [low + (high - low) * step / (most - 1) for step in range(most)]
    assert found == sorted(
        {min(epochs, key=lambda one: abs(math.log(max(one, 1)) - at)) for at in grid}
    )


def test_a_single_epoch_is_the_last():
    assert log_spaced([3, 7, 9], 1) == [9]
