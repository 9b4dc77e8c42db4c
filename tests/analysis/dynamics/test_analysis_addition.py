"""Nanda's measures, distance irrelevance and gradient symmetricity on planted clocks and pizzas."""

import math
from dataclasses import replace

import jax
import numpy as np
import pytest

from analysis.planted import noise
from analysis.planted_addition import addition, clock_model, pizza_model
from miiii import streams
from miiii.analysis.dynamics.addition import addition_measures, stack_addition
from miiii.analysis.dynamics.clock_or_pizza import (
    clock_or_pizza,
    distance_irrelevance,
    gradient_cosines,
)
from miiii.analysis.dynamics.trigonometric import (
    frequencies_of_neurons,
    key_frequencies,
    trigonometric,
    trigonometric_of_logits,
)
from miiii.analysis.parts.neurons import neuron_spectra
from miiii.model.transformer import forward
from miiii.tasks.config import TaskConfig
from miiii.tasks.dataset import build_dataset
from wording import naming

BASE = 13
DATASET = addition(BASE)
X0, X1 = DATASET.digits.T
SUMS = (X0 + X1) % BASE


def cross_entropy(logits, labels):
    """Mean over samples / ln(classes), one sample after the other."""
    total = 0.0
    for row, label in zip(logits, labels, strict=True):
        total += math.log(sum(math.exp(each - row[label]) for each in row))
    return total / len(labels) / math.log(logits.shape[1])


def waves_on_inputs(frequency):
    """u_k and v_k as written: products of the digits' waves, made unit vectors; [p², 2]."""
    angle = 2 * np.pi * frequency * np.arange(BASE) / BASE
    cosine, sine = np.cos(angle), np.sin(angle)
    u = cosine[X1] * cosine[X0] - sine[X1] * sine[X0]
    v = sine[X1] * cosine[X0] + cosine[X1] * sine[X0]
    return np.stack([each / np.linalg.norm(each) for each in (u, v)], axis=1)


def test_losses_are_those_of_the_formulas():
    logits, keys = noise((BASE**2, BASE), 4), (2, 5)
    found = trigonometric_of_logits(logits, DATASET, keys)
    train = DATASET.split.train
    parts = [waves_on_inputs(k) @ (waves_on_inputs(k).T @ logits) for k in keys]
    restricted = logits.mean(axis=0) + sum(parts)
    assert found.loss == pytest.approx(cross_entropy(logits, SUMS))
    assert found.restricted_loss == pytest.approx(cross_entropy(restricted, SUMS))
    assert found.restricted_accuracy == (restricted.argmax(axis=1) == SUMS).mean()
    excluded = logits - sum(parts)
    assert found.excluded_loss == pytest.approx(cross_entropy(excluded[train], SUMS[train]))
    for part, loss in zip(parts, found.excluded_each, strict=True):
        assert loss == pytest.approx(cross_entropy((logits - part)[train], SUMS[train]))
    design = [
        np.cos(2 * np.pi * k * (SUMS[:, None] - np.arange(BASE)) / BASE).ravel() for k in keys
    ]
    weights = np.linalg.lstsq(np.stack(design, axis=1), logits.ravel(), rcond=None)[0]
    np.testing.assert_allclose(found.coefficients, weights, atol=1e-12)
    ideal = (np.stack(design, axis=1) @ weights).reshape(logits.shape)
    assert found.trigonometric_loss == pytest.approx(cross_entropy(ideal, SUMS))
    varying = logits - logits.mean(axis=1, keepdims=True)
    varying -= varying.mean(axis=0)
    assert found.explained == pytest.approx((ideal**2).sum() / (varying**2).sum())


def test_all_frequencies_restrict_to_the_functions_of_the_sum():
    logits = noise((BASE**2, BASE), 4)
    found = trigonometric_of_logits(logits, DATASET, range(1, BASE // 2 + 1))
    means = np.stack([logits[value == SUMS].mean(axis=0) for value in range(BASE)])
    assert found.restricted_loss == pytest.approx(cross_entropy(means[SUMS], SUMS))


@pytest.mark.parametrize("model", [clock_model, pizza_model])
def test_planted_frequencies_are_found_and_carry_the_task(model):
    parameters = model(BASE, (2, 5))
    keys = key_frequencies(parameters, 0.7)
    assert keys.frequencies == (2, 5)
    assert keys.neurons[[1, 4]].min() >= 30
    found = trigonometric(parameters, DATASET, keys.frequencies)
    assert found.accuracy == found.restricted_accuracy == found.trigonometric_accuracy == 1
    assert max(found.restricted_loss, found.trigonometric_loss) < 0.05
    assert found.excluded_loss > 0.8
    assert found.excluded_each.min() > found.train_loss + 0.01
    others = trigonometric(parameters, DATASET, (1, 3))
    assert others.restricted_loss > 0.95
    assert others.excluded_loss == pytest.approx(found.train_loss, abs=0.02)
    np.testing.assert_allclose(others.coefficients, 0, atol=0.02 * found.coefficients.max())


def test_a_neurons_frequency_counts_both_digits_and_their_product():
    digit = np.arange(BASE)
    wave = np.cos(2 * np.pi * 3 * digit / BASE + 0.4)
    other = np.sin(2 * np.pi * 5 * digit / BASE)
    grids = [
        wave[:, None] + 0 * digit,  # x1 alone
        wave + 0 * digit[:, None],  # x0 alone
        np.outer(wave, np.roll(wave, 1)),  # the product
        np.outer(wave, other),  # of two frequencies: no key
        np.zeros((BASE, BASE)),
    ]
    found = frequencies_of_neurons(neuron_spectra(np.stack(grids)))
    np.testing.assert_allclose(found.share[:3, 2], 1)
    np.testing.assert_allclose(found.share[3], 0, atol=1e-12)
    assert found.neuron.tolist() == [3, 3, 3, 0, 0]
    assert found.frequencies == (3,)
    # The highest frequency is no exception.
    high = np.cos(2 * np.pi * 6 * digit / BASE)
    assert frequencies_of_neurons(neuron_spectra(high[None] + high[None, :, None])).frequencies == (
        6,
    )


def test_distance_irrelevance_in_closed_form():
    generator = np.random.default_rng(2)
    of_sum, of_distance = generator.normal(size=(2, BASE))
    logits = generator.normal(size=(BASE**2, BASE))
    logits[np.arange(BASE**2), SUMS] = of_sum[SUMS] + of_distance[(X0 - X1) % BASE]
    # p is odd, so sum and distance are independent, and every distance has every sum once.
    expected = of_sum.std() / math.hypot(of_sum.std(), of_distance.std())
    assert distance_irrelevance(logits) == pytest.approx(expected)
    logits[np.arange(BASE**2), SUMS] = of_distance[(X0 - X1) % BASE]
    assert distance_irrelevance(logits) == pytest.approx(0, abs=1e-12)
    logits[np.arange(BASE**2), SUMS] = of_sum[SUMS]
    assert distance_irrelevance(logits) == pytest.approx(1)
    assert math.isnan(distance_irrelevance(np.ones((BASE**2, BASE))))


def test_a_clock_is_told_from_a_pizza():
    clock = clock_or_pizza(clock_model(BASE, (2, 5)), DATASET, triples=60)
    pizza = clock_or_pizza(pizza_model(BASE, (2, 5)), DATASET, triples=60)
    # The pizza sees nothing but the sum of the embeddings; the clock's digits meet different
    # weights throughout.
    assert pizza.gradient_symmetricity == pytest.approx(1)
    assert clock.gradient_symmetricity == pytest.approx(0, abs=1e-6)
    assert pizza.distance_irrelevance < 0.05
    assert clock.distance_irrelevance > 0.5
    assert pizza.symmetricity_error < 1e-6


def test_cosines_are_those_of_gradients_taken_one_by_one():
    parameters = clock_model(5, (1,), neurons=7)
    generator = np.random.default_rng(1)
    blurred = jax.tree.map(lambda leaf: leaf + 0.1 * generator.normal(size=leaf.shape), parameters)
    found = gradient_cosines(blurred, triples=6, seed=3)
    drawn = streams.generator(streams.Stream.GRADIENT_TRIPLES, 3)
    x0, x1 = drawn.integers(0, 5, (2, 6))
    classes = drawn.integers(0, 5, 6)

    @jax.jit
    @jax.grad
    def gradient(positions, digits, drawn_class):
        # Every digit shares its position's embedding: its gradient is that of what enters there.
        weights = replace(blurred, position_embedding=positions)
        return forward(weights, digits[None])[0][0, drawn_class]

    for sample in range(6):
        digits = np.array([x0[sample], x1[sample]], np.int32)
        with jax.enable_x64(True):
            one, other, _ = np.asarray(
                gradient(blurred.position_embedding, digits, classes[sample])
            )
        expected = one @ other / np.linalg.norm(one) / np.linalg.norm(other)
        assert found[sample] == pytest.approx(expected, abs=1e-9)
        assert abs(expected) > 1e-4


def test_snapshots_are_stacked_in_order():
    clock, pizza = clock_model(BASE, (2, 5)), pizza_model(BASE, (2, 5))
    series = stack_addition(
        (epoch, addition_measures(weights, DATASET, (2, 5), triples=20))
        for epoch, weights in ((3, clock), (8, pizza))
    )
    assert series.epochs.tolist() == [3, 8]
    assert series.frequencies == (2, 5)
    assert series.coefficients.shape == series.excluded_each.shape == (2, 2)
    assert series.gradient_symmetricity.tolist() == pytest.approx([0, 1], abs=1e-6)
    single = trigonometric(clock, DATASET, (5, 2))
    assert series.restricted_loss[0] == single.restricted_loss
    np.testing.assert_array_equal(series.excluded_each[0], single.excluded_each)


SUBTRACTION = build_dataset(TaskConfig(task="nanda", base=BASE, operation="subtract"), 0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: trigonometric_of_logits(np.zeros((169, 13)), SUBTRACTION, (1,)),
            "x0 + x1 mod p T_nanda add 13",
        ),
        (
            lambda: clock_or_pizza(
                clock_model(BASE, (1,)), build_dataset(TaskConfig(base=BASE), 0)
            ),
            "moduli 2,3,5,7",
        ),
        (lambda: trigonometric_of_logits(np.zeros((169, 13)), DATASET, ()), "key frequency"),
        (
            lambda: trigonometric_of_logits(np.zeros((169, 13)), DATASET, (1, 7)),
            "frequencies (1,7) 1 p // 2 6",
        ),
        (lambda: trigonometric_of_logits(np.zeros((169, 12)), DATASET, (1,)), "[p²,p] (169,13)"),
        (lambda: distance_irrelevance(np.zeros((5, 4))), "(5,4) [p²,p]"),
        (lambda: key_frequencies(clock_model(5, (1,)), 1.5), "threshold 1.5"),
        (lambda: gradient_cosines(clock_model(5, (1,)), triples=1), "triples 1"),
        (lambda: stack_addition([]), "measures stack"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=naming(message)) as caught:
        call()
    assert "\n" not in str(caught.value)
