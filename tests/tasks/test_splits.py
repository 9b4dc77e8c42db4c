"""Which numbers train, validate and test."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from miiii.tasks.config import TaskConfig
from miiii.tasks.dataset import build_dataset, make_split


def parts(split):
    return [part.tolist() for part in (split.train, split.validation, split.test)]


@pytest.mark.parametrize(
    ("fields", "sizes"),
    [
        ({}, (3830, 1000, 7939)),  # the paper: 30 % of 113² = 12,769
        ({"train_fraction": 0.5}, (6384, 1000, 5385)),
        ({"base": 59, "train_fraction": 0.7}, (2436, 523, 522)),  # half of what is left
        ({"base": 10, "train_fraction": 0.5, "validation_size": 7}, (50, 7, 43)),
        ({"base": 3, "train_fraction": 0.99}, (8, 1, 0)),  # validation comes before test
        ({"base": 3, "train_fraction": 0.12}, (1, 4, 4)),
    ],
)
def test_sizes(fields, sizes):
    config = TaskConfig(**fields)
    assert config.split_sizes == sizes
    assert tuple(map(len, parts(make_split(config, 0)))) == sizes


@given(
    base=st.integers(3, 20),
    train_fraction=st.floats(0.12, 0.999),
    validation_size=st.integers(1, 500),
    seed=st.integers(0, 2**31 - 1),
)
def test_a_split_is_disjoint_and_covers_everything(base, train_fraction, validation_size, seed):
    config = TaskConfig(base=base, train_fraction=train_fraction, validation_size=validation_size)
    train, validation, test = parts(make_split(config, seed))
    assert sorted(train + validation + test) == list(range(base**2))
    assert all(part == sorted(part) for part in (train, validation, test))
    assert 0 <= base**2 * train_fraction - len(train) < 1 + 1e-9
    assert 1 <= len(validation) <= validation_size
    assert len(validation) == validation_size or len(validation) - len(test) in (0, 1)


def test_the_split_is_seeded():
    config = TaskConfig(base=11)
    first, again, other = (parts(make_split(config, seed)) for seed in (1, 1, 2))
    assert first == again
    assert all(one != two for one, two in zip(first, other, strict=True))


def test_the_data_seed_takes_the_place_of_the_seed():
    def split(seed, data_seed):
        return parts(build_dataset(TaskConfig(base=11, data_seed=data_seed), seed).split)

    assert split(1, -1) != split(2, -1)
    assert split(1, 5) == split(2, 5) == split(5, -1)
    assert split(1, 0) == split(0, -1)


def test_every_number_can_land_in_every_part():
    config = TaskConfig(base=5, train_fraction=0.4, validation_size=5)
    counts = np.zeros((3, 25))
    for seed in range(400):
        for row, part in zip(counts, parts(make_split(config, seed)), strict=True):
            row[part] += 1
    expected = np.array([[0.4], [0.2], [0.4]]) * 400
    # five standard deviations of a binomial count
    assert (abs(counts - expected) < 5 * np.sqrt(expected * (1 - expected / 400))).all()


def test_the_split_does_not_depend_on_the_task():
    plain = build_dataset(TaskConfig(base=7), 4)
    for other in (TaskConfig(base=7, task="basis"), TaskConfig(base=7, task="nanda")):
        assert parts(build_dataset(other, 4).split) == parts(plain.split)


def test_digits_and_targets_cover_the_whole_domain():
    dataset = build_dataset(TaskConfig(base=7), 0)
    assert dataset.digits.shape == (49, 2)
    assert dataset.targets.shape == (49, 3)
