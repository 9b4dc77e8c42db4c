"""Splits that a user gives, and mirrored pairs that stay together."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from miiii import (
    from_toml,
    get_preset,
    load_run,
    replace_fields,
    resume,
    start,
    to_toml,
    with_labels,
    with_split,
)
from miiii.experiment.members import identity
from miiii.tasks.dataset import build_dataset, mirrored_numbers, mirrored_text
from miiii.tasks.splits import keep_split
from wording import naming

SMALL = replace_fields(get_preset("tiny"), task="nanda", base=7, width=8, heads=2, epochs=12)


def parts(config):
    return [part.tolist() for part in vars(build_dataset(config.task, config.seed).split).values()]


def mirrored(config):
    found = mirrored_numbers(build_dataset(config.task, config.seed))
    assert found is not None
    return found.tolist()


@given(
    base=st.integers(3, 12),
    fraction=st.floats(0.12, 0.95),
    size=st.integers(1, 40),
    seeds=st.tuples(st.integers(0, 9), st.integers(10, 19)),
)
def test_mirrored_pairs_stay_on_one_side(base, fraction, size, seeds):
    config = replace_fields(
        SMALL, base=base, train_fraction=fraction, validation_size=size, split="pairs"
    )
    for seed in seeds:
        found = parts(replace_fields(config, seed=seed))
        assert sorted(n for part in found for n in part) == list(range(base**2))
        for part in found:
            assert {n // base + base * (n % base) for n in part} == set(part)
        assert tuple(map(len, found)) == config.task.split_sizes
    drawn = replace_fields(config, split="drawn").task.split_sizes
    assert abs(config.task.split_sizes[0] - drawn[0]) <= 1
    assert mirrored(config) == []


def test_mirrors_are_counted():
    dataset = build_dataset(SMALL.task, 0)
    train = set(dataset.split.train.tolist())
    expected = [n for n in dataset.split.validation.tolist() if n // 7 + 7 * (n % 7) in train]
    assert mirrored(SMALL) == expected
    assert f"{len(expected)} of {len(dataset.split.validation)} validation" in mirrored_text(
        dataset
    )
    other = build_dataset(replace_fields(SMALL, operation="subtract").task, 0)
    assert mirrored_numbers(other) is None
    assert mirrored_text(other) == ""


def test_a_split_is_given_by_list_mask_and_rule():
    low = [n for n in range(49) if n % 7 <= n // 7]
    mask = np.isin(np.arange(49), low)
    made = [with_split(SMALL, given) for given in (low[::-1], mask, lambda x0, x1: x0 <= x1)]
    assert made[0] == made[1] == made[2]
    assert parts(made[0]) == [low, np.flatnonzero(~mask).tolist(), []]
    third = with_split(SMALL, [0, 8], validation=lambda x0, x1: x0 == 6)
    assert parts(third)[:2] == [[0, 8], [6, 13, 20, 27, 34, 41, 48]]
    assert len({identity(config) for config in (SMALL, made[0], third)}) == 3
    assert from_toml(to_toml(third)) == third


def test_holes_are_left_out_of_rules_and_refused_in_lists():
    config = replace_fields(SMALL, operation="divide")
    made = with_split(config, lambda x0, x1: x0 == 0)
    assert parts(made)[0] == [7, 14, 21, 28, 35, 42]
    with pytest.raises(ValueError, match=naming("train 3 answer")):
        with_split(config, [3, 8])


def test_pairs_of_own_labels():
    x0, x1 = np.arange(49) % 7, np.arange(49) // 7
    made = with_split(with_labels(SMALL, (x0 * x1) % 5), "pairs")
    assert mirrored(made) == []
    with pytest.raises(ValueError, match=naming("answers differently")):
        with_split(with_labels(SMALL, x0 % 5), "pairs")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "train 0 numbers"),
        ([1, 1], "train 1 twice"),
        ([49], "train 49 48"),
        ([0.5], "train float64"),
        (np.ones(48, bool), "train shape (48,)"),
        ("drawn", "train 'drawn'"),
    ],
)
def test_splits_that_are_none(given, message):
    with pytest.raises(ValueError, match=naming(message)):
        with_split(SMALL, given)
    with pytest.raises(ValueError, match=naming("number 2 train validation")):
        with_split(SMALL, [1, 2], [2])


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"operation": "subtract", "split": "pairs"}, "split 'pairs' subtract"),
        ({"task": "miiii", "split": "pairs"}, "split 'pairs' miiii"),
        ({"split": "halves"}, "split 'halves' drawn,pairs"),
        ({"split": "given:3:3:3:0123456789abcdef"}, "9 49 answer"),
    ],
)
def test_settings_that_do_not_fit(fields, message):
    with pytest.raises(ValueError, match=naming(message)):
        replace_fields(SMALL, **fields)


def test_a_run_holds_its_split_and_goes_on_with_it(tmp_path, monkeypatch):
    config = with_split(SMALL, lambda x0, x1: x0 + x1 < 6)
    start([config], ["own"], tmp_path)
    monkeypatch.setattr("miiii.tasks.splits._KEPT", {})
    run = load_run("own", tmp_path)
    assert run.dataset.split.train.tolist() == [n for n in range(49) if n % 7 + n // 7 < 6]
    assert run.history.train_examples[0] == 21
    assert resume("own", tmp_path, epochs=13).done == 13
    (tmp_path / "own" / "split.npz").unlink()
    with pytest.raises(Exception, match=naming("split.npz missing")):
        load_run("own", tmp_path)


def test_a_split_that_is_not_here_names_the_remedy():
    text = keep_split(
        {"train": np.arange(20), "validation": np.arange(20, 49), "test": np.array([], int)}
    )
    config = replace_fields(SMALL, split=text[:-16] + "0" * 16)
    with pytest.raises(ValueError, match=naming("miiii.with_split")):
        build_dataset(config.task, 0)
