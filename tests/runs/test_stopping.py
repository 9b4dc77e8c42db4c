"""The stopping rule on planted histories, against the definition read out slowly."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from miiii.runs.stopping import StoppingRule


def slow_end(rule, counts, level):
    """The epoch that ends a run: every validation is looked at with all those before it."""
    for last in range(len(counts)):
        first = last
        while first >= 0 and all(Fraction(c, rule.examples) >= level for c in counts[first]):
            first -= 1
        first += 1
        if first <= last and (last - first) * rule.validate_every >= rule.epochs:
            return (last + 1) * rule.validate_every
    return None


@given(
    counts=st.lists(st.tuples(*[st.sampled_from([899, 900, 901])] * 2), min_size=1, max_size=30),
    after=st.integers(0, 30),
    every=st.integers(1, 7),
    steps=st.lists(st.integers(1, 40), min_size=1),
)
def test_the_end_is_the_rules_however_the_epochs_are_cut(counts, after, every, steps):
    rule = StoppingRule(0.9, after, every, 1000)
    expected = slow_end(rule, counts, Fraction(9, 10))
    # As it is stored: a share in float32.
    accuracy = (np.array(counts) / 1000).astype(np.float32)
    done, since, cut = 0, None, 0
    while done < every * len(counts):
        upcoming = min(done + steps[cut % len(steps)], rule.earliest_end(done, since))
        upcoming = min(upcoming, every * len(counts))
        rows = slice(done // every, upcoming // every)
        epochs = np.arange(rows.start + 1, rows.stop + 1) * every
        since = rule.held_since(epochs, accuracy[rows], since)
        done, cut = upcoming, cut + 1
        if rule.is_met(done, since):
            break
    assert (done if rule.is_met(done, since) else None) == expected


def test_a_task_that_falls_below_for_one_validation_starts_anew():
    rule = StoppingRule(0.5, 20, 10, 4)
    epochs = np.arange(10, 80, 10)
    held = np.array([[0.5, 1], [0.75, 1], [0.25, 1], [0.5, 0.5], [1, 1], [1, 1], [1, 1]])
    assert rule.held_since(epochs[:2], held[:2]) == 10
    assert rule.held_since(epochs[:3], held[:3]) is None
    assert rule.held_since(epochs, held) == 40
    assert [rule.is_met(epoch, 40) for epoch in (50, 59, 60, 70)] == [False, False, True, True]


@pytest.mark.parametrize(
    ("done", "since", "expected"),
    [(0, None, 30), (9, None, 30), (10, None, 40), (15, 10, 30), (29, 10, 30), (10, 10, 30)],
)
def test_the_earliest_end_lies_ahead_and_validates(done, since, expected):
    assert StoppingRule(0.5, 20, 10, 4).earliest_end(done, since) == expected
    assert StoppingRule(0.5, 15, 10, 4).earliest_end(done, since) == expected
