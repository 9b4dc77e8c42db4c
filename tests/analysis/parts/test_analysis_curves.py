"""Curves of a run, and epochs gathered into log-spaced columns, against brute force."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from miiii.analysis.parts.curves import curve_strips, curves, mean_strips
from miiii.analysis.parts.log_columns import log_columns, strip
from wording import naming


@st.composite
def measured(draw):
    """Ascending epochs: every one, every k-th, or some."""
    start, count = draw(st.integers(0, 3)), draw(st.integers(1, 400))
    step = draw(st.sampled_from([1, 1, 2, 10, 37]))
    epochs = start + step * np.arange(count)
    kept = draw(st.sets(st.integers(0, count - 1), min_size=1, max_size=20))
    return epochs if draw(st.booleans()) else epochs[sorted(kept)]


@settings(deadline=None, max_examples=150)
@given(several=st.lists(measured(), min_size=1, max_size=4), most=st.integers(1, 70))
def test_columns_follow_each_other_and_none_lacks_a_measurement(several, most):
    columns = log_columns(*several, most=most)
    assert 1 <= len(columns) <= most
    assert columns.first[0] == min(epochs[0] for epochs in several)
    assert columns.last[-1] == max(epochs[-1] for epochs in several)
    np.testing.assert_array_equal(columns.first[1:], columns.last[:-1] + 1)
    assert (columns.last >= columns.first).all()
    for epochs in several:
        for first, last in zip(columns.first, columns.last, strict=True):
            inside = ((epochs >= first) & (epochs <= last)).any()
            assert inside or first > epochs[-1]


@settings(deadline=None, max_examples=50)
@given(epochs=measured(), most=st.integers(1, 40), seed=st.integers(0, 99))
def test_a_column_holds_the_mean_of_its_epochs(epochs, most, seed):
    values = np.random.default_rng(seed).normal(size=(len(epochs), 2))
    found = strip(epochs, values, ["a", "b"], most=most)
    assert found.values.shape == (len(found.columns), 2)
    for column in range(len(found.columns)):
        first, last = found.columns.first[column], found.columns.last[column]
        inside = [
            value for epoch, value in zip(epochs, values, strict=True) if first <= epoch <= last
        ]
        np.testing.assert_allclose(found.values[column], np.mean(inside, axis=0), atol=1e-12)


def test_late_columns_are_evenly_spaced_in_log_epoch_and_early_ones_single_epochs():
    columns = log_columns(np.arange(1, 65537), most=64)
    assert len(columns) == 64
    assert columns.first[:5].tolist() == columns.last[:5].tolist() == [1, 2, 3, 4, 5]
    ratios = (columns.last[20:] + 1) / columns.first[20:]
    np.testing.assert_allclose(ratios, np.median(ratios), rtol=0.02)


def test_as_many_epochs_as_columns_stand_alone():
    columns = log_columns(np.arange(1, 8), most=7)
    assert columns.first.tolist() == columns.last.tolist() == [1, 2, 3, 4, 5, 6, 7]
    assert columns.ticks == {n - 1: str(n) for n in range(1, 8)}


def test_sparse_validation_widens_columns_until_each_has_one():
    # Validation at 100, 200, …, 1000 while training goes to 1050: the last 50 epochs have none.
    columns = log_columns(np.arange(1, 1051), np.arange(100, 1001, 100))
    assert columns.first.tolist() == [1, *range(101, 902, 100)]
    assert columns.last.tolist() == [*range(100, 901, 100), 1050]


def test_a_run_that_ended_has_no_measurement_afterwards():
    short, long = np.arange(1, 33), np.arange(1, 1025)
    columns = log_columns(short, long, most=30)
    found = strip(short, np.ones((32, 1)), ["short"], columns).values[:, 0]
    np.testing.assert_array_equal(np.isnan(found), columns.first > 32)
    assert np.isnan(found).sum() > 3


def test_ticks_mark_the_columns_of_round_epochs():
    columns = log_columns(np.arange(1, 65537))
    rounds = [m * 10**k for k in range(5) for m in (1, 2, 5)][:15]
    for epoch in rounds:
        column = next(c for c in range(64) if columns.first[c] <= epoch <= columns.last[c])
        assert columns.ticks[column] == (f"{epoch:,}" if str(epoch).strip("0") == "1" else "")
    assert len(columns.ticks) == len(rounds)
    # Two labels would be too few: then 2 and 5 are labelled as well.
    assert list(log_columns(np.arange(1, 31)).ticks.values()) == ["1", "2", "5", "10", "20"]
    # Epoch 0, and several round epochs in one column: the last of them.
    assert list(log_columns([0, 1, 40, 70]).ticks.values())[:3] == ["0", "1", "20"]


def test_what_is_not_finite_shows():
    found = strip([1, 2, 3, 4], [[1.0], [np.inf], [3.0], [np.nan]], ["x"])
    np.testing.assert_array_equal(found.values[:, 0], [1, np.nan, 3, np.nan])


def run(epochs=6, tasks=("2", "3"), every=2, scale=1.0, **options):
    """A run whose losses and accuracies are told by epoch and task."""
    train, validated = np.arange(1, epochs + 1), np.arange(every, epochs + 1, every)

    def table(at, offset):
        return scale * (offset + at[:, None] + 100.0 * np.arange(len(tasks)))

    return curves(
        tasks, train, table(train, 0), table(train, 1), validated, table(validated, 2),
        table(validated, 3), **options,
    )  # fmt: skip


def test_a_record_keeps_what_was_measured():
    kept = run(dropout=True)
    assert kept.labels == ("2", "3")
    assert (kept.unit, kept.regression, kept.dropout) == ("guessing", False, True)
    assert kept.guessing.tolist() == [1, 1]
    assert kept.validation_epoch.tolist() == [2, 4, 6]
    assert kept.train_loss[0].tolist() == [1, 101]
    assert kept.train_accuracy is not None
    assert kept.train_accuracy[0].tolist() == [2, 102]
    assert kept.validation_accuracy is not None
    assert kept.validation_accuracy[-1].tolist() == [9, 109]


def test_a_regression_has_no_accuracy():
    waves = run(tasks=("waves",), unit="squared error", guessing=[0.5])
    assert waves.regression
    assert waves.train_accuracy is waves.validation_accuracy is None
    (gathered,) = curve_strips(waves)
    assert gathered.train_accuracy is gathered.validation_accuracy is None
    assert gathered.rows == "task"
    # Columns hold epochs 1–2, 3–4, 5–6; losses are told in multiples of the target's variance.
    assert gathered.train_loss[:, 0].tolist() == [3, 7, 11]


def test_losses_in_nats_become_multiples_of_guessing():
    (gathered,) = curve_strips(run(every=1, unit="nats", guessing=np.log([2, 3])))
    np.testing.assert_allclose(gathered.train_loss[0], [1 / np.log(2), 101 / np.log(3)])
    assert gathered.train_accuracy is not None
    assert gathered.train_accuracy[0].tolist() == [2, 102]


def test_runs_share_columns_and_say_when_they_ended():
    long, short = curve_strips(run(epochs=60, every=1), run(epochs=4, every=1))
    assert long.columns is short.columns
    assert len(long.columns) <= 32
    assert (long.until.tolist(), short.until.tolist()) == ([60, 60], [4, 4])
    assert not np.isnan(long.train_loss).any()
    np.testing.assert_array_equal(np.isnan(short.train_loss[:, 0]), short.columns.first > 4)
    # Nothing of the other run's early epochs is lost: they stand alone.
    assert short.train_loss[:4, 1].tolist() == [101, 102, 103, 104]


def test_without_validation_there_is_none():
    bare = curves(["2"], [1, 2], [[1.0], [2]], [[0.1], [0.2]], [], np.ones((0, 1)), np.ones((0, 1)))
    (gathered,) = curve_strips(bare)
    assert gathered.validation_loss is gathered.validation_accuracy is None
    assert gathered.train_loss[:, 0].tolist() == [1, 2]


def test_mean_over_tasks_is_a_row_per_run():
    gathered = mean_strips({"λ = 0": run(every=1), "λ = ½": run(every=1, scale=2.0)})
    assert (gathered.labels, gathered.rows) == (("λ = 0", "λ = ½"), "run")
    assert gathered.train_loss[0].tolist() == [51, 102]
    assert gathered.validation_accuracy is not None
    assert gathered.validation_accuracy[-1].tolist() == [59, 118]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: log_columns([]), "measurement 0"),
        (lambda: log_columns([1, 2], most=0), "most 0 1"),
        (lambda: log_columns([2, 1]), "epochs ascend"),
        (lambda: log_columns([-1, 2]), "-1"),
        (lambda: log_columns([0.5]), "[E] numbers"),
        (lambda: strip([1, 2], np.ones((2, 3)), ["a"]), "(2,3) (2,1)"),
        (lambda: run(unit="bits"), "'bits' guessing nats squared error"),
        (lambda: run(unit="nats"), "guessing missing nats"),
        (lambda: run(unit="nats", guessing=[0.0, 1]), "guessing 2 0"),
        (lambda: run(epochs=0), "epoch 0 entries"),
        (lambda: curves(["2"], [1], [[1.0]], None, [], [], []), "train_accuracy missing"),
        (
            lambda: curves(["2"], [1], [[1.0, 2]], [[1.0]], [], [], []),
            "train_loss (1,2) [epochs,tasks] (1,1)",
        ),
        (lambda: curve_strips(), "runs 0"),
        (lambda: mean_strips({}), "runs 0"),
        (
            lambda: mean_strips({"a": run(), "b": run(unit="squared error", guessing=[1, 1])}),
            "runs regressions both",
        ),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=naming(message)):
        call()
