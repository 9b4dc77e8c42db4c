"""Neurons with planted frequencies, a hand-built model, and permuted numbers."""

import jax
import numpy as np
import pytest

from analysis.planted import additive_model, noise, product, random_parameters, wave
from miiii.analysis.parts.concentration import frequency_need, periodicity, strongest_share
from miiii.analysis.parts.neurons import mean_spectrum, model_spectrum, neuron_grids, neuron_spectra
from miiii.analysis.recording import record, to_grid
from model.textbook import textbook_forward
from wording import naming

SIZE = 13


def test_grid_puts_x1_first():
    numbers = np.arange(25)
    grid = to_grid(np.stack([numbers, -numbers], axis=1), 5)
    assert grid.shape == (2, 5, 5)
    assert grid[0, 3, 1] == 1 + 5 * 3
    assert grid[1, 3, 1] == -16
    assert to_grid(numbers, 5)[4, 2] == 22


@pytest.mark.parametrize(("dtype", "depth"), [(np.float32, 1), (np.float64, 2)])
def test_recorded_logits_are_the_textbooks_in_the_weights_precision(dtype, depth):
    parameters = random_parameters(5, dtype=dtype, depth=depth)
    found = record(parameters, "logits", "mlp_hidden")
    assert found["logits"].dtype == found["mlp_hidden"].dtype == dtype
    numbers = np.arange(25)
    digits = np.stack([numbers % 5, numbers // 5], axis=1)
    with jax.enable_x64(True):
        wide = jax.tree.map(lambda leaf: jax.numpy.asarray(leaf, np.float64), parameters)
        expected = np.asarray(jax.jit(textbook_forward)(wide, digits))
    tolerance = 1e-5 if dtype == np.float32 else 1e-12
    np.testing.assert_allclose(found["logits"], expected, rtol=tolerance, atol=tolerance)


def test_hand_built_neurons_are_recorded_and_taken_apart():
    # The residual at the answer is what the heads write: neuron 0 is x0's wave, neuron 1 is x1's.
    over_x0, over_x1 = 1 + wave(SIZE, 3, 0.4), 2 + wave(SIZE, 5, 1.1)
    parameters = additive_model(SIZE, over_x0, over_x1)
    grids = neuron_grids(parameters)
    np.testing.assert_allclose(grids.hidden[0], np.tile(over_x0, (SIZE, 1)), atol=1e-12)
    np.testing.assert_allclose(grids.hidden[1], np.tile(over_x1[:, None], (1, SIZE)), atol=1e-12)
    np.testing.assert_allclose(grids.output[0], 2 * grids.hidden[0] + 3 * grids.hidden[1])
    spectra = neuron_spectra(grids.hidden)
    expected = np.zeros((2, 7, 7))
    expected[0, 0, 3] = expected[1, 5, 0] = 0.5
    np.testing.assert_allclose(spectra.power, expected, atol=1e-12)
    np.testing.assert_allclose(spectra.variance, [0.5, 0.5])
    np.testing.assert_allclose(spectra.frequency_power[:, [2, 4]], [[0.5, 0], [0, 0.5]], atol=1e-12)
    output = neuron_spectra(grids.output)
    assert output.silent.tolist() == [False, True, True, True, True, True]
    assert output.power[0, 0, 3] == pytest.approx(2.0)
    assert output.power[0, 5, 0] == pytest.approx(4.5)
    of_model = model_spectrum(parameters)
    np.testing.assert_allclose(of_model.power, expected.mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(
        model_spectrum(parameters, "mlp_output").power, output.power.mean(axis=0)
    )


@pytest.mark.parametrize("size", [8, 13])
def test_mean_spectrum_is_the_mean_of_many_neurons_and_conserves_variance(size):
    grids = 5 + noise((150, size, size))
    spectra, mean = neuron_spectra(grids), mean_spectrum(grids)
    np.testing.assert_allclose(spectra.variance, grids.var(axis=(1, 2)))
    np.testing.assert_allclose(spectra.power.sum((1, 2)), spectra.variance)
    np.testing.assert_allclose(mean.power, spectra.power.mean(axis=0))
    np.testing.assert_allclose(mean.frequency_power.sum(), grids.var(axis=(1, 2)).mean())
    assert (mean.base, mean.neurons, mean.frequencies[-1]) == (size, 150, size // 2)


def test_silent_neurons_have_no_variance():
    grids = np.zeros((3, SIZE, SIZE), np.float32)
    grids[1] = 0.1
    grids[1, 0, 0] = np.nextafter(np.float32(0.1), np.float32(1))
    grids[2] = wave(SIZE, 2)
    spectra = neuron_spectra(grids)
    assert spectra.silent.tolist() == [True, True, False]
    assert spectra.power[:2].sum() == 0
    need = frequency_need(spectra.power)
    assert (need.needed.tolist(), need.silent, need.median) == ([0, 0, 1], 2, 1)
    assert np.isnan(strongest_share(spectra.power, 1)).tolist() == [True, True, False]
    nothing = frequency_need(np.zeros((2, 3)))
    assert np.isnan(nothing.median)
    assert nothing.silent == 2


def test_shares_and_needs_by_hand():
    power = np.array([[1.0, 0, 9, 0], [4, 3, 2, 1], [1, 1, 1, 1], [89, 10, 1, 0]])
    np.testing.assert_allclose(strongest_share(power, 1), [0.9, 0.4, 0.25, 0.89])
    np.testing.assert_allclose(strongest_share(power, 2), [1, 0.7, 0.5, 0.99])
    np.testing.assert_allclose(strongest_share(power, 99), 1)
    need = frequency_need(power, 0.9)
    assert need.needed.tolist() == [1, 3, 4, 2]
    assert (need.median, need.quartiles) == (2.5, (1.75, 3.25))
    assert frequency_need(power, 1.0).needed.tolist() == [2, 4, 4, 3]
    assert frequency_need(power.reshape(4, 2, 2), 0.9).needed.tolist() == [1, 3, 4, 2]


def test_planted_neurons_need_as_many_frequencies_as_were_planted():
    one = product(SIZE, np.ones(SIZE), wave(SIZE, 4, 1))
    two = one + product(SIZE, wave(SIZE, 2), wave(SIZE, 6))
    spectra = neuron_spectra(np.stack([one, two]))
    assert frequency_need(spectra.power, 0.99).needed.tolist() == [1, 2]
    assert frequency_need(spectra.frequency_power, 0.99).needed.tolist() == [1, 3]


@pytest.mark.parametrize("permuted", ["digits", "numbers"])
def test_permuted_inputs_lose_periodicity(permuted):
    grids = np.stack([product(SIZE, wave(SIZE, k), 1 + wave(SIZE, k, 0.5)) for k in range(1, 7)])
    result = periodicity(grids, 2, draws=4, seed=1, permuted=permuted)
    np.testing.assert_allclose(result.share, 1)
    assert result.null.shape == (4, 6)
    # Numbers: noise on 48 pairs, two of which hold a tenth. Digits: on 6 pairs where x1 is alone
    # and 36 where both are, which hold a third or so each.
    assert result.null_medians.max() < {"numbers": 0.3, "digits": 0.8}[permuted]
    assert result.median == pytest.approx(1)
    again = periodicity(grids, 2, draws=4, seed=1, permuted=permuted)
    np.testing.assert_array_equal(result.null, again.null)
    other = periodicity(grids, 2, draws=4, seed=2, permuted=permuted)
    assert (other.null != again.null).any()


def test_a_permutation_moves_numbers_alike_in_all_neurons():
    grids = noise((3, 5, 5))
    order = np.random.default_rng(0).permutation(25)
    moved = grids.reshape(3, 25)[:, order].reshape(3, 5, 5)
    np.testing.assert_allclose(neuron_spectra(grids, order).power, neuron_spectra(moved).power)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: to_grid(np.ones((24, 3)), 5), "(24,3) p² 25 rows"),
        (lambda: record(random_parameters(3), "neurons"), "unknown activation 'neurons'"),
        (lambda: neuron_spectra(np.ones((2, 3, 4))), "(2,3,4) [neurons,p,p]"),
        (lambda: mean_spectrum(np.full((1, 3, 3), np.nan)), "9 values"),
        (lambda: neuron_spectra(np.ones((1, 3, 3)), np.zeros(9, int)), "permutation p² 9"),
        (lambda: frequency_need(np.ones((2, 3)), 1.5), "share 1.5"),
        (lambda: strongest_share(np.ones((2, 3)), 0), "count 0 1"),
        (lambda: strongest_share(np.ones(3), 1), "(3,) [neurons"),
        (lambda: periodicity(np.ones((1, 3, 3)), draws=0), "draws 0 1"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=naming(message)) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_weights_that_are_not_finite_are_named():
    parameters = random_parameters(3)
    parameters.blocks[0].mlp_in[0, 0] = np.nan
    with pytest.raises(ValueError, match=naming("activation mlp_hidden finite")):
        neuron_grids(parameters)
