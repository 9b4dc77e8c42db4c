"""What moves with the slider, against the model's own activations at every snapshot."""

import re
from types import SimpleNamespace

import numpy as np
import pytest

from miiii.analysis.parts.neurons import model_spectrum
from miiii.report.page import through_time as module
from miiii.report.page.sheets import SHADES
from miiii.report.page.through_time import through_time
from miiii.results.paper import MissingInputError, Results
from report.reading import columns, pixels

CLOSE = 0.5 / SHADES + 1 / 255


@pytest.fixture(scope="module")
def run(study):
    return study.runs()["miiii"][0]


@pytest.fixture(scope="module")
def moving(run):
    return through_time(Results(run))


@pytest.fixture(scope="module")
def rows(moving):
    return {row.kind: row for picture in moving.pictures for row in picture.rows}


@pytest.fixture(scope="module")
def activations(run):
    return [run.activations(epoch=epoch) for epoch in run.snapshots]


def grids(activations, name, *place):
    """[S, x1, x0] of one neuron or one head."""
    return np.stack(
        [np.asarray(getattr(one, name))[:, *place].reshape(11, 11) for one in activations]
    )


def pair_shares(grid):
    """[K, K]: share of the variance on (k1, k0), by NumPy's own transform."""
    power = np.abs(np.fft.fft2(grid - grid.mean())) ** 2
    folded = np.zeros((6, 6))
    for k1, k0 in np.ndindex(power.shape):
        folded[min(k1, 11 - k1), min(k0, 11 - k0)] += power[k1, k0]
    return folded / folded.sum()


def test_there_is_a_frame_for_every_snapshot(run, moving, rows):
    assert moving.epochs == tuple(run.snapshots)
    assert len(moving.epochs) >= 5
    assert list(rows) == [
        *("neurons", "spectra", "frequencies", "pairs", "attention-x0", "attention-x1"),
        *("embedding", "position-x0", "position-x1"),
    ]
    for row in rows.values():
        assert row.sheet.epochs == len(moving.epochs)
        assert row.sheet.panels == len(row.labels)
        assert all(len(said) == len(moving.epochs) for said in row.texts)


def test_neurons_are_those_of_their_labels_on_one_scale(rows, activations, moving):
    indices = [int(label.split()[1]) for label in rows["neurons"].labels]
    assert len(set(indices)) == len(indices) == 6
    values = np.stack([grids(activations, "mlp_hidden", index) for index in indices], axis=1)
    top = values.max()
    assert f"black is {top:.3g}" in moving.pictures[0].caption
    np.testing.assert_allclose(pixels(rows["neurons"].sheet), values / top, atol=CLOSE)


def test_spectra_are_those_of_the_neurons_above_them(rows, activations):
    shown = pixels(rows["spectra"].sheet)
    indices = [int(label.split()[1]) for label in rows["neurons"].labels]
    seen = 0
    for place, index in enumerate(indices):
        assert rows["spectra"].labels[place].startswith(f"{index}’s")
        for epoch, grid in enumerate(grids(activations, "mlp_hidden", index)):
            said = rows["spectra"].texts[place][epoch]
            if np.ptp(grid) < 1e-5 * max(abs(grid).max(), 1e-30):
                assert said == "silent"
                assert not shown[epoch, place].any()
                continue
            shares = pair_shares(grid)
            expected = np.sqrt(np.minimum(shares / 0.5, 1))
            np.testing.assert_allclose(shown[epoch, place], expected, atol=CLOSE + 1e-3)
            # A neuron that answers to a single number has ties.
            k1, k0 = map(int, re.findall(r"\d+", said)[:2])
            assert shares[k1, k0] == pytest.approx(shares.max(), rel=1e-3)
            seen += 1
    assert seen > len(indices)


def test_frequencies_stand_as_bars(run, moving, rows):
    power = np.stack([model_spectrum(run.snapshots[e]).frequency_power for e in moving.epochs])
    share = power / power.sum(axis=1, keepdims=True)
    top = min(1, 2 * share[-1].max())
    shown = pixels(rows["frequencies"].sheet)
    tall = rows["frequencies"].sheet.height - 1
    for epoch, row in enumerate(share):
        lengths = columns(shown[epoch, 0], tall)[:, :tall].sum(axis=1)
        np.testing.assert_allclose(lengths, np.minimum(row / top, 1) * tall, atol=0.1)
        strongest = row.argmax() + 1
        assert rows["frequencies"].texts[0][epoch].startswith(f"strongest: {strongest} (")


def test_attention_is_that_of_the_heads(rows, activations):
    for digit in (0, 1):
        row = rows[f"attention-x{digit}"]
        assert row.labels == tuple(f"head {head} to x{digit}" for head in range(2))
        for head in range(2):
            weights = grids(activations, "attention_weights", head, digit)
            np.testing.assert_allclose(pixels(row.sheet)[:, head], weights, atol=CLOSE)
            means = [float(text.removeprefix("mean ")) for text in row.texts[head]]
            np.testing.assert_allclose(means, weights.mean(axis=(1, 2)), atol=0.0051)


def test_dimensions_of_the_embedding_keep_their_places(run, moving, rows):
    amplitudes = []
    for epoch in moving.epochs:
        digits = np.asarray(run.snapshots[epoch].token_embedding, float)[:11]
        amplitudes.append(np.abs(np.fft.rfft(digits, axis=0)[1:]) * np.sqrt(2 / 11))
    values = np.stack(amplitudes)
    shown = pixels(rows["embedding"].sheet)[:, 0]
    order = []  # found by what the whole column does through training
    for column in shown.transpose(2, 0, 1):
        distances = np.abs(values / values.max() - column[..., None]).max(axis=(0, 1))
        order.append(distances.argmin())
        assert distances.min() < CLOSE
    assert sorted(order) == list(range(16))
    strongest = values[-1].argmax(axis=0)[order]
    assert (np.diff(strongest) >= 0).all()


def test_positions_rise_and_fall_with_the_weights(run, moving, rows):
    weights = np.stack([np.asarray(run.snapshots[e].position_embedding)[:2] for e in moving.epochs])
    order = np.argsort(-weights[-1, 0])
    top = 2 * np.abs(weights[-1]).max()
    for digit in (0, 1):
        sheet = rows[f"position-x{digit}"].sheet
        shown, tall = pixels(sheet)[:, 0], (sheet.height - 1) // 2
        for epoch, picture in enumerate(shown):
            bars = columns(picture, tall)
            lengths = bars[:, :tall].sum(axis=1) - bars[:, tall + 1 :].sum(axis=1)
            expected = np.clip(weights[epoch, digit, order] / top, -1, 1) * tall
            np.testing.assert_allclose(lengths, expected, atol=0.1)
    for epoch, text in enumerate(rows["position-x1"].texts[0]):
        pearson = np.corrcoef(weights[epoch])[0, 1]
        assert text == f"Pearson’s r = {pearson:.2f}".replace("-", "−")


def test_accuracies_are_the_history_s(run, moving):
    history = run.history
    assert moving.epochs[0] == 0
    assert np.isnan(moving.train_accuracy[0]).all()
    assert moving.summary[0] == "Nothing trained yet."
    for place, epoch in enumerate(moving.epochs[1:], start=1):
        for measured, values, shown in (
            (history.epoch, history.train_accuracy, moving.train_accuracy),
            (history.validation_epoch, history.validation_accuracy, moving.validation_accuracy),
        ):
            (row,) = values[measured == epoch]
            np.testing.assert_array_equal(shown[place], row)
        assert f"of {len(history.moduli)} tasks at 0.9 or above" in moving.summary[place]


def test_solved_tasks_are_counted():
    train, validation = np.array([1.0, 0.5]), np.array([0.9, 0.2])
    planted = module.ThroughTime((1,), (), train[None], validation[None], 1000)
    assert planted.summary == (
        "Mean training accuracy 75.0 %, validation 55.0 %, 1 of 2 tasks at 0.9 or above.",
    )


def test_without_pictures_there_are_the_accuracies(run, moving):
    plain = through_time(Results(run), pictures=False)
    assert plain.pictures == ()
    assert plain.epochs == moving.epochs
    np.testing.assert_array_equal(plain.validation_accuracy, moving.validation_accuracy)


def test_a_run_without_snapshots_stops_at_epochs_of_its_history(run):
    history = run.history
    bare = SimpleNamespace(config=run.config, history=history, snapshots={}, name="bare")
    plain = through_time(SimpleNamespace(run=bare))
    assert plain.pictures == ()
    assert plain.epochs[0] == 1
    assert plain.epochs[-1] == history.epoch[-1]
    np.testing.assert_array_equal(plain.train_accuracy[-1], history.train_accuracy[-1])


def test_runs_that_cannot_be_shown_are_refused(run):
    empty = SimpleNamespace(epoch=np.zeros(0, int))
    for changes, words in (
        ({"config": SimpleNamespace(task=SimpleNamespace(is_regression=True))}, "real number"),
        ({"config": run.config, "history": empty}, "has none yet"),
    ):
        other = SimpleNamespace(**{"history": run.history, "name": "other", **changes})
        with pytest.raises(MissingInputError, match=words):
            through_time(SimpleNamespace(run=other))
