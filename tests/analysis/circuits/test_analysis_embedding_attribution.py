"""Regression of embeddings on tasks' waves: planted frequencies, closed forms and nulls."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from miiii.analysis.circuits.embedding_attribution import attribute_embedding
from wording import naming

BASE, MODULI = 31, (2, 3, 7, 29)


def planted(q, ks, noise=0.1, width=12):
    generator = np.random.default_rng(0)
    digit = np.arange(BASE)
    waves = [f(2 * np.pi * k * digit / q) for k in ks for f in (np.cos, np.sin)]
    table = np.stack(waves, axis=1) @ generator.normal(size=(len(waves), width))
    return table + noise * generator.normal(size=table.shape)


def test_planted_waves_are_found_and_others_are_not():
    found = attribute_embedding(planted(7, [2]), MODULI)
    active = [np.flatnonzero(each).tolist() for each in found.active]
    assert active[:3] == [[], [], [1]]
    assert found.beyond_chance[2] > 0.9
    assert found.beyond_chance[2] > 2 * max(found.beyond_chance[:2])
    assert found.share[2] > found.share_null[:, 2].max()


def test_a_share_is_that_of_least_squares_on_the_waves():
    table = planted(7, [1, 3], noise=1.0)
    digit = np.arange(BASE)[:, None]
    for index, q in enumerate(MODULI[:3]):
        angle = 2 * np.pi * digit * np.arange(1, q // 2 + 1) / q
        design = np.hstack([np.ones_like(digit), np.cos(angle), np.sin(angle)])
        fitted = design @ np.linalg.lstsq(design, table, rcond=None)[0]
        rest = ((table - fitted) ** 2).sum() / ((table - table.mean(axis=0)) ** 2).sum()
        found = attribute_embedding(table, MODULI, draws=2)
        assert found.share[index] == pytest.approx(1 - rest)
    assert found.dimension.tolist() == [1, 2, 6, 28]


@given(st.integers(0, 2**31))
def test_noise_has_what_chance_gives_it(seed):
    table = np.random.default_rng(seed).normal(size=(BASE, 64))
    found = attribute_embedding(table, MODULI, draws=19)
    chance = found.dimension / (BASE - 1)
    np.testing.assert_allclose(found.share_null.mean(axis=0), chance, atol=0.05)
    assert (np.abs(found.beyond_chance[:3]) < 0.2).all()
    assert (found.share <= 1 + 1e-9).all()


def test_renamed_digits_seldom_have_an_active_wave():
    table = planted(7, [2], noise=0.5)
    generator = np.random.default_rng(5)
    hits = sum(
        any(each.any() for each in attribute_embedding(table[order], MODULI, draws=99).active)
        for order in (generator.permutation(BASE) for _ in range(40))
    )
    assert hits <= 8


@pytest.mark.parametrize(
    ("table", "moduli", "said"),
    [
        (np.ones((BASE, 3)), (3,), "embedding row"),
        (np.zeros((2, 3)), (3,), "embedding (2,3) [p,D]"),
        (planted(7, [1]), (), "embedding (31,12) 0 moduli"),
        (planted(7, [1]) * np.nan, (3,), "finite"),
        (planted(7, [1]), (1,), "modulus 1 960"),
    ],
)
def test_what_cannot_be_is_refused(table, moduli, said):
    with pytest.raises(ValueError, match=naming(said)):
        attribute_embedding(table, moduli)
