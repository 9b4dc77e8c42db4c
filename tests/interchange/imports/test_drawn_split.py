"""The split as its authors drew it: told by losses where they tell it, and by nothing else."""

import random

import numpy as np
import pytest

from miiii.interchange.imports.drawn_split import SEEDS, find_split, training_places

BASE = 23


def authors_places(seed, share):
    """The pairs themselves shuffled, as the authors' program does it."""
    pairs = [(a, b) for a in range(BASE) for b in range(BASE)]
    random.seed(seed)
    random.shuffle(pairs)
    return [a * BASE + b for a, b in pairs[: int(share * len(pairs))]]


def planted_losses(places, low, high):
    losses = np.random.default_rng(1).lognormal(np.log(high), 0.5, BASE**2)
    losses[places] *= low / high
    return losses


def last_losses(losses, places, factor=1.0):
    rest = np.setdiff1d(np.arange(BASE**2), places)
    return factor * losses[places].mean(), losses[rest].mean() / factor


@pytest.mark.parametrize(("seed", "share"), [(0, 0.9), (1, 0.3), (11, 0.28), (5, 0.5)])
def test_losses_single_out_seed_and_share(seed, share):
    places = authors_places(seed, share)
    losses = planted_losses(places, 1e-9, 1e-5)
    found = find_split(losses, last_losses(losses, places, 1.004), (None, None))
    assert (found.chosen.seed, found.chosen.share) == (seed, share)
    assert found.how == "found by its losses"
    assert found.tried == 132
    assert list(training_places(BASE, seed, share)) == places
    np.testing.assert_allclose(found.chosen.train, losses[places].mean())
    assert found.runner_up.error > found.chosen.error


def test_losses_that_are_alike_everywhere_tell_nothing():
    losses = np.random.default_rng(1).normal(3.1, 0.1, BASE**2)
    places = authors_places(3, 0.3)
    assert find_split(losses, last_losses(losses, places), (None, None)) is None
    assert find_split(losses, (None, None), (None, None)) is None


def test_a_split_that_is_no_candidate_is_not_found():
    places = authors_places(max(SEEDS) + 30, 0.3)
    losses = planted_losses(places, 1e-9, 1e-5)
    last = last_losses(losses, places)
    assert find_split(losses, last, (None, None)) is None
    # Unless the user names its seed and share.
    found = find_split(losses, last, (None, None), also=(max(SEEDS) + 30, 0.3))
    assert found.chosen.seed == max(SEEDS) + 30
    assert found.record(last)["candidates"]["seeds"] == [*SEEDS, max(SEEDS) + 30]


def test_what_settings_say_is_taken_and_checked():
    places = authors_places(2, 0.3)
    losses = planted_losses(places, 1e-9, 1e-5)
    last = last_losses(losses, places)
    assert find_split(losses, (None, None), (2, 0.3)).how == "told by its settings"
    checked = find_split(losses, last, (2, 0.3))
    assert checked.how == "told by its settings and checked by its losses"
    assert find_split(losses, last, (4, 0.3)).chosen.seed == 2
    alike = np.random.default_rng(1).normal(3.1, 0.1, BASE**2)
    doubted = find_split(alike, (9.0, 9.0), (2, 0.3))
    assert doubted.how == "told by its settings; its losses do not agree"
