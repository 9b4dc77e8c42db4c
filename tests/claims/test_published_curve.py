"""The published epochs, and runs planted beside them."""

import math

import pytest

from miiii.claims.rules.paper import FIRST_FOUR
from miiii.claims.rules.published import PUBLISHED_FIRST, beside_published

PRIMES = [q for q in range(2, 113) if all(q % d for d in range(2, q))]


def slow_rank(values):
    """Mean ranks, by counting."""
    return [
        sum(other < value for other in values) + (sum(other == value for other in values) + 1) / 2
        for value in values
    ]


def slow_correlation(one, other):
    a, b = slow_rank(one), slow_rank(other)
    mean = sum(a) / len(a)
    a, b = [v - mean for v in a], [v - mean for v in b]
    top = sum(x * y for x, y in zip(a, b, strict=True))
    return top / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))


def test_every_task_of_the_paper_has_its_epoch():
    assert sorted(PUBLISHED_FIRST) == PRIMES
    assert len(PRIMES) == 29
    # 0.88 over the 25 harder tasks, as it was read off.
    later = [q for q in PRIMES if q not in FIRST_FOUR]
    epochs = [PUBLISHED_FIRST[q] for q in later]
    assert slow_correlation(later, epochs) == pytest.approx(0.88, abs=0.005)


def test_a_run_half_as_late_has_ratio_one_half_and_the_same_order():
    beside = beside_published({q: PUBLISHED_FIRST[q] // 2 for q in PRIMES})
    assert beside is not None
    assert [task.ratio for task in beside.tasks] == pytest.approx([0.5] * 29, rel=1e-3)
    assert beside.correlation is not None
    assert beside.correlation.rho == pytest.approx(1)


def test_tasks_that_have_not_come_are_left_out_of_the_correlation():
    own = {q: 1000 - q if q < 40 else None for q in PRIMES}
    beside = beside_published(own)
    assert beside is not None
    came = [q for q in PRIMES if q < 40]
    assert [task.modulus for task in beside.reached] == came
    assert all(math.isinf(task.ratio) for task in beside.tasks if task.modulus > 40)
    expected = slow_correlation([own[q] for q in came], [PUBLISHED_FIRST[q] for q in came])
    assert beside.correlation is not None
    assert beside.correlation_later is not None
    assert beside.correlation.rho == pytest.approx(expected)
    later = [q for q in came if q not in FIRST_FOUR]
    expected = slow_correlation([own[q] for q in later], [PUBLISHED_FIRST[q] for q in later])
    assert beside.correlation_later.rho == pytest.approx(expected)
    interval = beside.correlation_later.interval
    assert interval is not None
    assert interval.low < expected < interval.high


def test_a_run_in_which_nothing_has_come_has_no_correlation():
    beside = beside_published(dict.fromkeys(PRIMES))
    assert beside is not None
    assert beside.reached == ()
    assert beside.correlation is None


def test_other_tasks_are_not_set_beside_them():
    assert beside_published({2: 10, 3: 20}) is None
