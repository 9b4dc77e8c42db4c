"""Digits, primes and targets against loops in plain Python."""

import math
from collections import Counter
from typing import get_args

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from miiii import digits
from miiii.analysis.certificate.check_certificate import right_classes
from miiii.tasks.config import FORMULAS, Operation, TaskConfig
from miiii.tasks.dataset import build_dataset
from miiii.tasks.primes import primes_below
from miiii.tasks.targets import nanda

PRIMES_BELOW_113 = (
    *(2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53),
    *(59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109),
)


def targets_of(seed=0, **fields):
    return build_dataset(TaskConfig(**fields), seed).targets


def digits_of(base):
    """The pairs (x0, x1) in the canonical order, by counting."""
    return [(x0, x1) for x1 in range(base) for x0 in range(base)]


@pytest.mark.parametrize("base", [3, 4, 10, 13])
def test_digits_rebuild_the_number(base):
    found = digits(base)
    assert found.dtype == np.int32
    assert found.tolist() == [list(pair) for pair in digits_of(base)]
    assert [x0 + base * x1 for x0, x1 in found.tolist()] == list(range(base**2))


@given(st.integers(-2, 400))
@example(-1)
@example(0)
@example(2)
@example(122)  # above the square of a prime
def test_primes_below_against_trial_division(limit):
    slow = [n for n in range(2, limit) if all(n % divisor for divisor in range(2, n))]
    assert primes_below(limit) == tuple(slow)


def test_the_papers_tasks_are_its_29_primes():
    config = TaskConfig()
    assert config.task_moduli == config.class_sizes == PRIMES_BELOW_113
    assert len(config.class_sizes) == 29
    assert sum(config.class_sizes) == 1480


CASES = [
    (3, ()),
    (5, ()),
    (7, (2, 3, 5)),
    (10, ()),
    (12, (4, 6, 9)),
    (7, (49, 2, 50, 1000)),  # as large as the domain, and larger
    (6, (7, 2, 15)),  # above the base, and out of order
]


@pytest.mark.parametrize(("base", "moduli"), CASES)
def test_remainders(base, moduli):
    dataset = build_dataset(TaskConfig(base=base, moduli=moduli), 0)
    tasks = moduli or [q for q in range(2, base) if all(q % divisor for divisor in range(2, q))]
    assert dataset.moduli == dataset.class_sizes == tuple(tasks)
    assert dataset.targets.dtype == np.int32
    assert dataset.targets.tolist() == [
        [n - q * (n // q) for q in tasks] for n in (x0 + base * x1 for x0, x1 in digits_of(base))
    ]


@pytest.mark.parametrize(("base", "moduli"), CASES)
def test_divisibility(base, moduli):
    dataset = build_dataset(TaskConfig(base=base, moduli=moduli, target="divisibility"), 0)
    multiples = [set(range(0, base**2, q)) for q in dataset.moduli]
    assert dataset.class_sizes == (2,) * len(dataset.moduli)
    assert dataset.targets.dtype == np.int32
    assert dataset.targets.tolist() == [
        [int(n in of_q) for of_q in multiples] for n in range(base**2)
    ]


@pytest.mark.parametrize("base", [3, 5, 8, 13])
@pytest.mark.parametrize(
    ("operation", "slow"),
    [
        ("add", lambda x0, x1: x0 + x1),
        ("subtract", lambda x0, x1: x0 - x1),
        ("multiply", lambda x0, x1: x0 * x1),
    ],
)
def test_nanda(base, operation, slow):
    dataset = build_dataset(TaskConfig(task="nanda", base=base, operation=operation), 0)
    assert dataset.moduli == dataset.class_sizes == (base,)
    assert dataset.targets.dtype == np.int32
    assert dataset.targets.tolist() == [[slow(x0, x1) % base] for x0, x1 in digits_of(base)]


@pytest.mark.parametrize("base", [3, 8, 11])
def test_waves(base):
    config = TaskConfig(task="waves", base=base)
    dataset = build_dataset(config, 0)
    slow = [
        [math.cos(2 * math.pi * x0 / base) + math.sin(2 * math.pi * x1 / base)]
        for x0, x1 in digits_of(base)
    ]
    assert config.is_regression
    assert dataset.class_sizes == (1,)
    assert dataset.targets.dtype == np.float64
    np.testing.assert_allclose(dataset.targets, slow, atol=1e-14)
    assert dataset.targets[0, 0] == 1


@pytest.mark.parametrize("target", ["remainder", "divisibility"])
@pytest.mark.parametrize("base", [7, 10])
def test_basis_moves_whole_rows(base, target):
    plain = targets_of(base=base, target=target)
    shuffled = targets_of(task="basis", base=base, target=target)
    assert not np.array_equal(shuffled, plain)
    assert Counter(map(tuple, shuffled.tolist())) == Counter(map(tuple, plain.tolist()))


def test_basis_is_one_permutation_that_says_nothing_about_the_number():
    # 2 · 3 · 5 · 7 > 13²: rows are unique, so each tells where it came from.
    moduli = (2, 3, 5, 7)
    rows = targets_of(base=13, moduli=moduli).tolist()
    shuffled = targets_of(task="basis", base=13, moduli=moduli).tolist()
    came_from = [rows.index(row) for row in shuffled]
    assert sorted(came_from) == list(range(169))
    # A random permutation has one fixed point on average, and correlates by 0 ± 1/13.
    assert sum(source == place for place, source in enumerate(came_from)) < 8
    assert abs(np.corrcoef(came_from, range(169))[0, 1]) < 5 / 13
    # Nor is it the permutation that the split is cut from.
    train = build_dataset(TaskConfig(task="basis", base=13, moduli=moduli), 0).split.train.tolist()
    assert sorted(came_from[: len(train)]) != train


def test_the_shuffle_is_seeded():
    def shuffled(seed, data_seed=-1):
        return targets_of(seed, task="basis", base=7, data_seed=data_seed).tolist()

    assert shuffled(3) == shuffled(3)
    assert shuffled(3) != shuffled(4)
    assert shuffled(0, data_seed=3) == shuffled(1, data_seed=3) == shuffled(3)


@pytest.mark.parametrize("operation", get_args(Operation))
def test_a_certificate_s_checker_knows_every_operation(operation):
    """It has a code of its own, as it is run where the package is not installed."""
    run = {"base": 7, "task": "nanda", "operation": operation}
    np.testing.assert_array_equal(right_classes(run, {}), nanda(7, operation))
    assert FORMULAS[operation]
