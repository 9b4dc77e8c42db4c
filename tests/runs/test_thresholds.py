"""Thresholds are compared in counts: the edge itself, the last count before it, old float32."""

from fractions import Fraction

import numpy as np
import pytest

from miiii import History
from miiii.runs.thresholds import HELD, SOLVED, answers_needed, dated, reached, right_answers
from wording import naming

EXACT = {0.9: Fraction(9, 10), 0.99: Fraction(99, 100)}
SIZES = (1, 41, 47, 61, 97, 100, 200, 348, 1000, 3830, 3831, 12769)


def test_the_thresholds_are_those_of_the_paper():
    assert (HELD, SOLVED) == (0.9, 0.99)


def shares(examples):
    """Every accuracy of that many examples in four forms: quotients, and the products XLA makes."""
    counts = np.arange(examples + 1)
    reciprocal = np.float32(1) / np.float32(examples)
    return {
        "float64": counts / examples,
        "float32": (counts / examples).astype(np.float32),
        "float32 times the reciprocal": counts.astype(np.float32) * reciprocal,
        "float64 times the reciprocal": counts * (1.0 / examples),
    }


@pytest.mark.parametrize("threshold", [0.9, 0.99])
@pytest.mark.parametrize("examples", SIZES)
def test_reached_is_exact_for_every_count_in_every_form(examples, threshold):
    counts = [Fraction(count, examples) for count in range(examples + 1)]
    expected = [share >= EXACT[threshold] for share in counts]
    for form, values in shares(examples).items():
        assert reached(values, threshold, examples).tolist() == expected, form
        assert right_answers(values, examples).tolist() == list(range(examples + 1)), form


def test_a_plain_comparison_misses_the_edge_of_a_rounded_product():
    """What the function is for: 99 of 100 by the rounded reciprocal, in float32."""
    product = np.float32(99) * (np.float32(1) / np.float32(100))
    assert not product >= np.float32(SOLVED)
    assert reached(product, SOLVED, 100)


@pytest.mark.parametrize(
    ("threshold", "examples", "needed"),
    [
        *[(0.9, 348, 314), (0.9, 1000, 900), (0.9, 3830, 3447), (0.9, 3831, 3448)],
        *[(0.99, 348, 345), (0.99, 1000, 990), (0.99, 3830, 3792), (0.99, 100, 99)],
        *[(0.0, 7, 0), (1.0, 7, 7), (0.5, 7, 4)],
    ],
)
def test_answers_needed(threshold, examples, needed):
    assert answers_needed(threshold, examples) == needed


def test_examples_may_differ_by_row():
    accuracy = np.array([[9 / 10, 8 / 10], [17 / 19, 18 / 19]])
    assert reached(accuracy, HELD, [[10], [19]]).tolist() == [[True, False], [False, True]]


def test_what_is_not_finite_has_reached_nothing():
    assert reached([np.nan, np.inf, 1.0], 0.0, 10).tolist() == [False, False, True]


def test_no_examples_are_refused():
    with pytest.raises(ValueError, match=naming("examples 0 1")):
        reached([1.0], SOLVED, 0)


def test_an_epoch_before_which_nothing_was_measured_is_an_upper_bound():
    epochs, unknown = np.array([1, 10, 20]), np.nan
    assert dated(20, epochs, [0.5, unknown, 1]) == "20"
    assert dated(20, epochs, [unknown, unknown, 1]) == "≤ 20"
    assert dated(1, epochs, [1, 1, 1]) == "1"
    assert dated(20_000, np.array([20_000]), [1]) == "≤ 20,000"


def test_a_history_says_from_when_a_task_was_measured():
    """Three validations of four tasks: known throughout, from the second, at the last, never."""
    unknown = np.nan
    accuracy = np.array(
        [[0.1, unknown, unknown, unknown], [0.2, 1.0, unknown, unknown], [1.0, 1.0, 1.0, unknown]]
    )
    epochs, asked, weights = np.array([1, 10, 20]), np.full(3, 100), np.zeros((3, 1))
    measured = (epochs, accuracy, accuracy, weights, epochs, accuracy, accuracy, asked, asked)
    history = History((2, 3, 5, 7), ("w",), *measured)
    assert history.first_measured == {2: 1, 3: 10, 5: 20, 7: None}
    assert history.first_reached(SOLVED) == {2: 20, 3: 10, 5: 20, 7: None}
