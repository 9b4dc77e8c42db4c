"""Neurons picked for a picture, and what embeddings without structure look like."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.planted import noise, product, wave
from miiii.analysis.parts.concentration import neuron_examples
from miiii.analysis.parts.embeddings import embedding_spectrum
from miiii.analysis.parts.neurons import NeuronGrids
from miiii.analysis.parts.singular import singular_spectrum
from wording import naming

SIZE = 11


def mixed(count):
    """Neuron i has one wave on the pair (0, i mod 5 + 1), and the more noise the larger i is."""
    clean = np.stack([product(SIZE, np.ones(SIZE), wave(SIZE, i % 5 + 1)) for i in range(count)])
    return clean + 0.2 * np.arange(count)[:, None, None] * noise(clean.shape, 3)


def concentration_of(grid, count):
    """Share in the strongest pairs of a 2D FFT, without the basis that is tested."""
    power = np.abs(np.fft.fft2(grid - grid.mean())) ** 2
    half = np.minimum(np.arange(SIZE), SIZE - np.arange(SIZE))
    pairs = np.zeros((SIZE // 2 + 1,) * 2)
    np.add.at(pairs, (half[:, None], half[None, :]), power)
    return np.sort(pairs.ravel())[::-1][:count].sum() / pairs.sum(), pairs / pairs.sum()


@given(neurons=st.integers(1, 30), examples=st.integers(1, 8), seed=st.integers(0, 9))
@settings(max_examples=20)
def test_ranks_are_the_middles_of_equal_parts(neurons, examples, seed):
    values = mixed(neurons)[np.random.default_rng(seed).permutation(neurons)]
    shares = [concentration_of(grid, 3)[0] for grid in values]
    order = sorted(range(neurons), key=lambda index: -shares[index])
    found = neuron_examples(NeuronGrids(SIZE, values, values), "mlp_hidden", examples, count=3)
    parts = min(examples, neurons)
    middles = [math.floor((part + 0.5) * neurons / parts) for part in range(parts)]
    assert found.index.tolist() == [order[middle] for middle in middles]
    assert found.rank.tolist() == [middle + 1 for middle in middles]
    np.testing.assert_allclose(found.concentration, [shares[index] for index in found.index])
    for place, index in enumerate(found.index):
        pairs = concentration_of(values[index], 3)[1]
        np.testing.assert_allclose(found.share[place], pairs, atol=1e-12)
        np.testing.assert_array_equal(found.grids[place], values[index])
        assert tuple(found.pair[place]) == np.unravel_index(pairs.argmax(), pairs.shape)
        assert found.pair_share[place] == pytest.approx(pairs.max())


def test_the_strongest_have_distinct_pairs_and_nothing_better_is_left_out():
    # Neurons 0 to 4 hold pairs (0, 1) to (0, 5) with less and less; 5 to 9 the same ones, weaker.
    values = mixed(10)
    found = neuron_examples(NeuronGrids(SIZE, values, values), examples=3, rule="strongest")
    assert found.index.tolist() == [0, 1, 2]
    assert found.pair.tolist() == [[0, 1], [0, 2], [0, 3]]
    one_pair = np.stack([(1 + i) * values[0] for i in range(4)])
    alone = neuron_examples(NeuronGrids(SIZE, one_pair, one_pair), examples=3, rule="strongest")
    assert alone.index.tolist() == [0]


def test_silent_neurons_are_no_examples_and_layers_are_told_apart():
    hidden = np.zeros((5, SIZE, SIZE))
    hidden[3] = wave(SIZE, 2)
    output = mixed(4)
    grids = NeuronGrids(SIZE, hidden, output)
    found = neuron_examples(grids, "mlp_hidden", 4)
    assert (found.index.tolist(), found.active, found.layer) == ([3], 1, "mlp_hidden")
    assert neuron_examples(grids).active == 4
    with pytest.raises(ValueError, match=naming("mlp_hidden 5 neurons silent")):
        neuron_examples(NeuronGrids(SIZE, 0 * hidden, output), "mlp_hidden")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layer": "input"}, "layer 'input' mlp_hidden mlp_output"),
        ({"rule": "best"}, "rule 'best' ranks strongest"),
        ({"examples": 0}, "examples 0 1"),
    ],
)
def test_refusals(options, message):
    values = mixed(2)
    with pytest.raises(ValueError, match=naming(message)):
        neuron_examples(NeuronGrids(SIZE, values, values), **options)


@pytest.mark.parametrize("size", [30, 31])
def test_frequencies_above_renamed_digits_are_those_that_were_planted(size):
    planted = [4, 9, 15]
    strong = sum(np.outer(wave(size, k, k), noise(40, k)) for k in planted)
    found = embedding_spectrum(noise((size, 40), 9) * 0.2 + strong, 0.1, draws=19)
    assert (np.flatnonzero(found.calibrated) + 1).tolist() == planted
    assert found.calibrated_count == 3


@pytest.mark.parametrize("size", [30, 31])
def test_a_third_of_all_frequencies_hides_from_the_threshold_and_not_from_renaming(size):
    planted = [1, 2, 6, 11, 13]
    both = [
        np.outer(wave(size, k, phase), noise(200, k + 100 * turn))
        for k in planted
        for turn, phase in enumerate((0, np.pi / 2))
    ]
    found = embedding_spectrum(sum(both), 0.1, draws=19)
    assert (found.count, (np.flatnonzero(found.calibrated) + 1).tolist()) == (0, planted)


def test_digits_without_order_pass_their_own_renaming_as_rarely_as_stated():
    passed = sum(
        embedding_spectrum(noise((13, 6), seed), 1.0, draws=9, seed=seed).calibrated.any()
        for seed in range(200)
    )
    # At most 1 in 10; four standard deviations of 200 such draws above that is 37.
    assert 3 < passed < 37


@pytest.mark.parametrize(("size", "width"), [(60, 90), (90, 60)])
def test_random_singular_values_spread_as_marchenko_and_pastur_say(size, width):
    matrix = np.outer(wave(size, 3), noise(width)) + 0.1 * noise((size, width), 1)
    found = singular_spectrum(matrix)
    values = found.random_values
    assert len(values) == min(size, width)
    assert (values**2).sum() == pytest.approx((matrix**2).sum())
    # Unit entries scaled to this sum of squares: edges at √size ± √width.
    scale = math.sqrt((matrix**2).sum() / matrix.size)
    assert values[0] / scale == pytest.approx(math.sqrt(size) + math.sqrt(width), rel=0.08)
    assert values[-1] / scale == pytest.approx(
        abs(math.sqrt(size) - math.sqrt(width)), abs=0.1 * math.sqrt(size)
    )


def test_a_centred_embedding_is_compared_with_a_centred_random_one():
    found = singular_spectrum(noise((9, 20)) + 3, centred=True)
    assert found.values[-1] == pytest.approx(0, abs=1e-9)
    assert found.random_values[-1] == pytest.approx(0, abs=1e-9)
    assert found.random_values[-2] > 0.1
