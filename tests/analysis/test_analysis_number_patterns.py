"""Spirals and spaces of numbers against plain counting."""

import cmath
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from miiii.analysis.number_patterns import multiples, number_spaces, primes
from wording import naming


def is_prime(number):
    return number > 1 and all(number % other for other in range(2, number))


@given(
    limit=st.integers(1, 400),
    moduli=st.lists(st.integers(2, 40), min_size=1, max_size=4, unique=True),
    tightness=st.floats(-7, 7),
)
def test_multiples_stand_where_their_size_says(limit, moduli, tightness):
    spiral = multiples(limit, moduli, tightness=tightness)
    expected = [n for n in range(limit) if any(n % q == 0 for q in moduli)]
    assert spiral.numbers.tolist() == expected
    assert spiral.divisible.tolist() == [[n % q == 0 for q in moduli] for n in expected]
    assert spiral.radius.tolist() == expected
    assert (spiral.angle >= 0).all()
    assert (spiral.angle < 2 * math.pi).all()
    for number, angle in zip(expected, spiral.angle, strict=True):
        assert cmath.exp(1j * angle) == pytest.approx(cmath.exp(1j * tightness * number), abs=1e-9)


def test_the_paper_s_panels():
    limit = 113**2
    left, right = multiples(limit, (17, 23)), primes(limit)
    # inclusion and exclusion, 0 included
    counts = [math.ceil(limit / q) for q in (17, 23, 17 * 23)]
    assert len(left.numbers) == counts[0] + counts[1] - counts[2]
    assert left.divisible.sum(axis=0).tolist() == counts[:2]
    assert right.numbers[:6].tolist() == [2, 3, 5, 7, 11, 13]
    assert len(right.numbers) == sum(is_prime(n) for n in range(2000)) + int(
        (right.numbers >= 2000).sum()
    )
    assert right.moduli == ()
    assert right.divisible.shape == (len(right.numbers), 0)
    # the remainder n mod τ of the caption
    np.testing.assert_allclose(left.angle, left.numbers % (2 * math.pi), atol=1e-9)


@given(st.integers(3, 300))
def test_primes_are_those_without_divisors(limit):
    assert primes(limit).numbers.tolist() == [n for n in range(limit) if is_prime(n)]


@pytest.mark.parametrize("modulus", [2, 11, 17, 23])
def test_a_tightness_makes_multiples_a_straight_line(modulus):
    spiral = multiples(5000, (modulus,), tightness=2 * math.pi / modulus)
    np.testing.assert_allclose(np.exp(1j * spiral.angle), 1, atol=1e-8)
    # every other remainder has a line of its own
    others = multiples(5000, (2, 3), tightness=2 * math.pi / modulus)
    line = np.rint(others.angle / (2 * math.pi) * modulus) % modulus
    assert line.tolist() == (others.numbers % modulus).tolist()


@given(st.integers(3, 20))
def test_spaces_hold_every_number_once(base):
    spaces = number_spaces(base)
    assert spaces.moduli == tuple(q for q in range(base) if is_prime(q))
    for x1 in range(base):
        for x0 in range(base):
            number = x0 + base * x1
            assert spaces.numbers[x1, x0] == number
            assert spaces.remainders[:, x1, x0].tolist() == [number % q for q in spaces.moduli]
            assert spaces.addition[x1, x0] == (x0 + x1) % base


def test_spaces_take_other_moduli():
    spaces = number_spaces(5, (6, 4))
    assert spaces.moduli == (6, 4)
    assert spaces.remainders[:, 4, 3].tolist() == [23 % 6, 23 % 4]


@pytest.mark.parametrize(
    ("make", "line"),
    [
        (lambda: multiples(0, (2,)), "limit 0 1"),
        (lambda: multiples(9, ()), "moduli empty"),
        (lambda: multiples(9, (3, 1)), "modulus 1 2"),
        (lambda: primes(2), "limit 2 3"),
        (lambda: primes(9, tightness=math.inf), "tightness inf finite number"),
        (lambda: number_spaces(1), "base 1 2"),
        (lambda: number_spaces(2), "base 2 prime moduli"),
        (lambda: number_spaces(7, (0,)), "modulus 0 2"),
    ],
)
def test_refusals(make, line):
    with pytest.raises(ValueError, match=naming(line)):
        make()
