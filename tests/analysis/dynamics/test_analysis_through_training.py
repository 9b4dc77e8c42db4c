"""Gradient norms and spectra through training, on literal and planted histories."""

from collections.abc import Mapping

import numpy as np
import pytest

from analysis.planted import additive_model, noise, product, wave
from miiii.analysis.dynamics.snapshots import measure_each, stack_spectra
from miiii.analysis.parts.gradients import gradient_norms
from miiii.analysis.parts.neurons import mean_spectrum, model_spectrum
from miiii.analysis.parts.significance import significant_pairs
from wording import naming

NAMES = ("one", "two", "three")
EPOCHS = [1, 2, 3, 5]


def test_gradient_norms_by_hand():
    norms = [[4.0, 1, 0], [8, 2, 0], [0.4, 1, 0], [0.4, 4, 0]]
    result = gradient_norms(EPOCHS, norms, NAMES, rest=0.1)
    np.testing.assert_allclose(
        result.share, [[0.5, 0.25, 0], [1, 0.5, 0], [0.05, 0.25, 0], [0.05, 1, 0]]
    )
    assert result.peak.tolist() == [8, 4, 0]
    assert result.settled == (3, None, 1)
    assert (result.names, result.epoch.tolist()) == (NAMES, EPOCHS)


def test_a_weight_settles_only_when_it_stays_below():
    norms = np.array([10, 0.5, 2, 0.5, 0.5])[:, None]
    epochs = np.arange(1, 6)
    assert gradient_norms(epochs, norms, ["w"]).settled == (4,)
    assert gradient_norms(epochs, norms, ["w"], rest=0.3).settled == (2,)
    # Exactly at the share is not below it.
    assert gradient_norms(epochs, norms, ["w"], rest=0.05).settled == (None,)
    # A running median of three: 10, 2, 0.5, 0.5, 0.5.
    smooth = gradient_norms(epochs, norms, ["w"], window=3)
    np.testing.assert_allclose(smooth.share[:, 0], [1, 0.2, 0.05, 0.05, 0.05])
    assert smooth.settled == (3,)


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (([1, 2], np.ones((2, 2)), NAMES), {}, "(2,2) (2,3)"),
        (([], np.ones((0, 3)), NAMES), {}, "value"),
        (([1, 2], np.full((2, 3), np.nan), NAMES), {}, "gradient norms finite"),
        (([2, 1], np.ones((2, 3)), NAMES), {}, "epochs ascend"),
        (([1, 2], -np.ones((2, 3)), NAMES), {}, "-1.0"),
        (([1, 2], np.ones((2, 3)), NAMES), {"window": 2}, "window 2 odd"),
        (([1, 2], np.ones((2, 3)), NAMES), {"rest": 0.0}, "rest 0.0 share"),
    ],
)
def test_gradient_refusals(arguments, options, message):
    with pytest.raises(ValueError, match=naming(message)):
        gradient_norms(*arguments, **options)


class Counting(Mapping):
    """Snapshots that remember what was read."""

    def __init__(self, of_epoch):
        self.of_epoch, self.read = of_epoch, []

    def __getitem__(self, epoch):
        self.read.append(epoch)
        return self.of_epoch[epoch]

    def __iter__(self):
        return iter(self.of_epoch)

    def __len__(self):
        return len(self.of_epoch)


def test_snapshots_are_read_one_at_a_time_in_order():
    snapshots = Counting({30: "c", 1: "a", 10: "b"})
    measured = measure_each(snapshots, str.upper)
    assert snapshots.read == []
    assert next(measured) == (1, "A")
    assert snapshots.read == [1]
    assert list(measured) == [(10, "B"), (30, "C")]
    assert list(measure_each(snapshots, str.upper, [30, 1])) == [(1, "A"), (30, "C")]


def test_frequencies_through_training_of_a_model_that_gains_them():
    size = 13
    flat, early = np.full(size, 2.0), 2 + wave(size, 3)
    late = 2 + 2 * wave(size, 5)
    snapshots = {
        1: additive_model(size, flat, flat),
        8: additive_model(size, early, flat),
        64: additive_model(size, early, late),
    }
    result = stack_spectra(measure_each(snapshots, model_spectrum), multiple=1.0)
    assert result.epochs.tolist() == [1, 8, 64]
    assert result.frequencies.tolist() == [1, 2, 3, 4, 5, 6]
    # Two neurons: a wave of amplitude 1 has variance ½, its mean over neurons is ¼; 2: 1.
    expected = np.zeros((3, 6))
    expected[1:, 2], expected[2, 4] = 0.25, 1.0
    np.testing.assert_allclose(result.power, expected, atol=1e-12)
    np.testing.assert_allclose(result.variance, expected.var(axis=1), atol=1e-12)
    np.testing.assert_allclose(result.pair_power.sum(axis=(1, 2)), expected.sum(axis=1))
    np.testing.assert_allclose(result.share.sum(axis=1), [0, 1, 1])
    assert result.counts.tolist() == [0, 1, 1]
    # Per basis function 1/8 and 1/2 among 48 pairs: both above μ + σ = 0.09.
    assert result.pair_counts.tolist() == [0, 1, 2]
    np.testing.assert_allclose(result.pair_power[2, 5, 0], 1.0)


def test_counts_are_those_of_each_snapshot_alone():
    size = 11
    spectra = [
        mean_spectrum(sum(product(size, wave(size, k), wave(size, k)) for k in ks)[None])
        for ks in ([2], [2, 4], [1, 3, 5])
    ]
    result = stack_spectra(enumerate(spectra), multiple=2.0)
    assert result.pair_counts.tolist() == [1, 2, 3]
    assert result.pair_counts.tolist() == [significant_pairs(one).sum() for one in spectra]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: measure_each({}, str), "snapshots 0"),
        (lambda: measure_each({1: "a"}, str, [2]), "snapshot epoch 2 [1]"),
        (lambda: stack_spectra([]), "spectra stack"),
        (lambda: stack_spectra([(1, _spectrum(5)), (2, _spectrum(7))]), "base p [5,7]"),
        (lambda: stack_spectra([(2, _spectrum(5)), (1, _spectrum(5))]), "ascend [2,1]"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=naming(message)):
        call()


def _spectrum(base):
    return mean_spectrum(noise((2, base, base)))
