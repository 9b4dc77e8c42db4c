"""Distance irrelevance, gradient symmetricity and circularity against published values."""

import random
from dataclasses import replace

import numpy as np
import pytest

from analysis import published_files
from analysis.planted_addition import addition, clock_model, pizza_model
from miiii.analysis.dynamics.clock_or_pizza import (
    circularity,
    clock_or_pizza,
    distance_irrelevance,
    gradient_cosines,
    published_triples,
    wrong_distance_irrelevance,
)
from wording import naming, says

BASE = 13
DATASET = addition(BASE)
X0, X1 = DATASET.digits.T
SUMS = (X0 + X1) % BASE

# accuracy, distance irrelevance of the correct and of the largest wrong logit, gradient
# symmetricity, circularity: as published or, where nothing was, as recomputed independently.
PUBLISHED = {
    "18c9ev5v5p": (1.0, 0.1739, 0.1808, 0.9974, 0.5276),
    "2k4ohj6bhd": (1.0, 0.7201, 0.8196, 0.7813, 0.7342),
    "4asyr7ht1p": (1.0, 0.9078, 0.9356, 0.9955, 0.9655),
    "p99zdpze5l": (1.0, 0.1717, 0.2218, 0.9937, 0.9978),
    "l8k1hzciux": (1.0, 0.8483, 0.8849, 0.3336, 0.9989),
}
CORRECT_LOGIT = {
    "wd_10-1_mod_addition_loss_curve": (1.0, 0.7436),
    "mod_addition_no_wd": (1.0, 0.6281),
    "low_precision_mod_addition": (0.9995, 0.9441),
}


def cosines(model, triples):
    one, other = model.gradients(triples).swapaxes(0, 1)
    norms = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return (one * other).sum(axis=1) / norms


def accuracy(logits):
    base = logits.shape[1]
    numbers = np.arange(base**2)
    return (logits.argmax(axis=1) == (numbers % base + numbers // base) % base).mean()


@pytest.mark.parametrize("name", PUBLISHED)
def test_zhong_s_models_have_their_published_numbers(name):
    model, expected = published_files.zhong(name), PUBLISHED[name]
    logits = model.logits()
    found = (
        accuracy(logits),
        distance_irrelevance(logits),
        wrong_distance_irrelevance(logits),
        cosines(model, published_triples(model.base)).mean(),
        circularity(model.table, model.base),
    )
    assert found == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("name", CORRECT_LOGIT)
def test_nanda_s_models_have_the_numbers_recomputed_before(name):
    logits = published_files.nanda(name).logits()
    found = (accuracy(logits), distance_irrelevance(logits))
    assert found == pytest.approx(CORRECT_LOGIT[name], abs=1e-4)


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_record_of_zhong_s_models_has_their_published_numbers(name):
    model = published_files.zhong(name)
    data = addition(model.base)
    found = clock_or_pizza(model.parameters(), data, published=True)
    measured = (
        found.distance_irrelevance,
        found.wrong_distance_irrelevance,
        found.gradient_symmetricity,
        found.circularity,
    )
    assert measured == pytest.approx(PUBLISHED[name][1:], abs=1e-4)
    low, high = clock_or_pizza(model.parameters(), data, triples=2000).symmetricity_interval
    assert low <= PUBLISHED[name][3] <= high


@pytest.mark.parametrize(
    "settings",
    [
        {"mask": False},
        pytest.param(
            {"mask": False, "coefficient": 0.3, "activation": "gelu", "blocks": 2},
            marks=pytest.mark.thorough,
        ),
        {"mask": False, "coefficient": 0.0, "separate": True},
        {"mask": False, "separate": True, "answer_token": True, "blocks": 3},
        {"mask": True, "answer_token": True, "activation": "tanh", "blocks": 2},
    ],
    ids=lambda settings: "-".join(settings),
)
def test_models_of_every_setting_are_measured_as_the_textbook_has_it(settings):
    base = 7
    model = published_files.drawn(base, **settings)
    triples = np.random.default_rng(3).integers(0, base, (40, 3))
    expected, parameters = cosines(model, triples), model.parameters()
    np.testing.assert_allclose(gradient_cosines(parameters, triples=triples), expected, atol=1e-9)
    assert np.ptp(expected) > 0.01
    found = clock_or_pizza(parameters, addition(base), published=True)
    logits = model.logits()
    assert found.distance_irrelevance == pytest.approx(distance_irrelevance(logits))
    assert found.wrong_distance_irrelevance == pytest.approx(wrong_distance_irrelevance(logits))
    published = cosines(model, published_triples(base)).mean()
    assert found.gradient_symmetricity == pytest.approx(published)
    assert found.circularity == circularity(model.table, base)


def test_triples_are_those_of_a_shuffled_list_of_all():
    base = 7
    listed = [(a, b, c) for a in range(base) for b in range(base) for c in range(base)]
    random.Random(42).shuffle(listed)
    assert published_triples(base).tolist() == [list(triple) for triple in listed[:100]]
    assert published_triples(3).shape == (27, 3)


def by_the_formula(logits, wrong):
    """Distance irrelevance as a table over (x0 + x1, x0 − x1), input by input."""
    table = np.empty((BASE, BASE))
    for number, row in enumerate(logits):
        a, b = number % BASE, number // BASE
        right = (a + b) % BASE
        others = [logit for answer, logit in enumerate(row) if answer != right]
        table[right, (a - b) % BASE] = max(others) if wrong else row[right]
    return np.mean([table[:, distance].std() for distance in range(BASE)]) / table.std()


def test_both_irrelevances_are_those_of_the_formula():
    logits = np.random.default_rng(5).normal(size=(BASE**2, BASE))
    assert distance_irrelevance(logits) == pytest.approx(by_the_formula(logits, False))
    assert wrong_distance_irrelevance(logits) == pytest.approx(by_the_formula(logits, True))
    # The correct logit is not seen by the second, however large or small it is.
    louder = logits.copy()
    louder[np.arange(BASE**2), SUMS] = 50 * np.arange(BASE**2)
    assert wrong_distance_irrelevance(louder) == wrong_distance_irrelevance(logits)
    assert distance_irrelevance(louder) != distance_irrelevance(logits)


def test_the_two_irrelevances_can_say_the_opposite():
    generator = np.random.default_rng(2)
    of_sum, of_distance = generator.uniform(1, 2, (2, BASE))
    logits = np.full((BASE**2, BASE), -9.0)
    logits[np.arange(BASE**2), SUMS] = of_sum[SUMS]
    logits[np.arange(BASE**2), (SUMS + 1) % BASE] = of_distance[(X0 - X1) % BASE]
    assert distance_irrelevance(logits) == pytest.approx(1)
    assert wrong_distance_irrelevance(logits) == pytest.approx(0, abs=1e-12)


def test_circularity_in_closed_form():
    digit = np.arange(BASE)
    angles = [2 * np.pi * k * digit / BASE for k in (2, 5)]
    waves = np.stack([f(angle) for angle in angles for f in (np.cos, np.sin)], axis=1)
    sizes = np.array([5.0, 4.0, 3.0, 2.0])
    rotation = np.linalg.qr(np.random.default_rng(0).normal(size=(6, 6)))[0][:4]
    assert circularity(waves * sizes @ rotation + 7.0) == pytest.approx(1)
    # cos 30° of one wave and sin 30° of another: the larger part holds 3/4 of the component.
    mixed = waves.copy()
    mixed[:, 0] = np.sqrt(3) / 2 * waves[:, 0] + waves[:, 2] / 2
    mixed[:, 2] = np.sqrt(3) / 2 * waves[:, 2] - waves[:, 0] / 2
    assert circularity(mixed * sizes @ rotation) == pytest.approx((0.75 + 1 + 0.75 + 1) / 4)
    assert np.isnan(circularity(waves[:, :3]))


def test_circularity_where_the_second_digit_has_tokens_of_its_own():
    digit = np.arange(BASE)
    angle = 2 * np.pi * 3 * digit / BASE
    one, other = np.stack([np.cos(angle), np.sin(angle)], axis=1), np.zeros((BASE, 2))
    # Two components on the first digit's tokens and two on the second's, which are not looked at.
    tokens = np.block([[3.0 * one, other], [other, one]])
    assert circularity(tokens, BASE) == pytest.approx(0.5)
    assert circularity(tokens[:BASE, :2] @ np.ones((2, 5)), BASE) != pytest.approx(0.5)


def test_a_model_is_measured_with_random_and_with_published_triples():
    clock, pizza = clock_model(BASE, (2, 5)), pizza_model(BASE, (2, 5))
    found = clock_or_pizza(pizza, DATASET, published=True)
    assert (found.triples, found.published_triples) == (100, True)
    assert found.gradient_symmetricity == pytest.approx(1)
    assert found.wrong_distance_irrelevance < 0.5
    assert found.circularity > 0.9
    assert clock_or_pizza(clock, DATASET, triples=60).wrong_distance_irrelevance > 0.5
    expected = gradient_cosines(clock, triples=published_triples(BASE)).mean()
    assert clock_or_pizza(clock, DATASET, published=True).gradient_symmetricity == expected


def test_the_interval_holds_means_over_a_hundred_triples():
    generator = np.random.default_rng(4)
    noisy = clock_model(BASE, (2, 5), neurons=9)
    block, tokens = noisy.blocks[0], noisy.token_embedding
    output = block.output + 0.3 * generator.normal(size=block.output.shape)
    blurred = replace(
        noisy,
        token_embedding=tokens + 0.3 * generator.normal(size=tokens.shape),
        blocks=(replace(block, output=output),),
    )
    many = clock_or_pizza(blurred, DATASET, triples=1500, seed=9)
    low, high = many.symmetricity_interval
    assert low < many.gradient_symmetricity < high
    means = [gradient_cosines(blurred, triples=100, seed=seed).mean() for seed in range(200)]
    inside = np.mean([low <= mean <= high for mean in means])
    # 200 means, of which 95 % are expected inside: 0.9 is three standard deviations below.
    assert 0.9 <= inside < 1
    assert low <= clock_or_pizza(blurred, DATASET, published=True).gradient_symmetricity <= high


def test_the_record_says_which_published_number_is_which():
    said = str(clock_or_pizza(pizza_model(BASE, (2, 5)), DATASET, triples=20)).splitlines()
    assert "correct logit" in said[0]
    assert says(said[0], "paper")
    assert "largest wrong logit" in said[1]
    assert "published tables" in said[1]
    assert says(said[2], "20 triples random")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: circularity(np.ones((5, 2)), 6), "embedding shape (5,2)"),
        (lambda: wrong_distance_irrelevance(np.zeros((9, 4))), "[p²,p]"),
        (
            lambda: gradient_cosines(
                clock_model(5, (1,)), triples=np.array([[0, 0, 5], [0, 0, 0]])
            ),
            "(5,5,5)",
        ),
        (
            lambda: gradient_cosines(clock_model(5, (1,)), triples=np.zeros((2, 2), int)),
            "triples shape (2,2)",
        ),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=naming(message)):
        call()
