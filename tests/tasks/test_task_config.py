"""What a task refuses, and in which words."""

import pytest

from miiii.tasks.config import TaskConfig

REFUSALS = [
    ({"base": 2}, "base is 2: it must be at least 3"),
    ({"base": -7}, "base is -7: it must be at least 3"),
    ({"base": 5000}, "base is 5000: it must be at most 4096"),
    ({"moduli": (3, 1)}, "moduli has 1: every modulus must be at least 2"),
    ({"moduli": (0,)}, "moduli has 0: every modulus must be at least 2"),
    ({"moduli": (5, 3, 5)}, "moduli has 5 twice"),
    ({"masked_tasks": (2, 2)}, "masked_tasks has 2 twice"),
    ({"train_fraction": 0.0}, "train_fraction is 0.0: it must be strictly between 0 and 1"),
    ({"train_fraction": 1.0}, "train_fraction is 1.0: it must be strictly between 0 and 1"),
    ({"train_fraction": 1.5}, "train_fraction is 1.5: it must be strictly between 0 and 1"),
    ({"train_fraction": -0.1}, "train_fraction is -0.1: it must be strictly between 0 and 1"),
    ({"train_fraction": float("nan")}, "train_fraction is nan: it must be strictly between"),
    ({"validation_size": 0}, "validation_size is 0: it must be at least 1"),
    ({"base": 3, "train_fraction": 0.1}, "train_fraction is 0.1: with base 3 it leaves none of"),
    (
        {"base": 7, "masked_tasks": (11,)},
        "masked_tasks has 11: it must be among the moduli 2, 3, 5",
    ),
    ({"moduli": (4, 6), "masked_tasks": (2,)}, "masked_tasks has 2: it must be among the moduli"),
    ({"base": 7, "masked_tasks": (5, 3, 2)}, "masked_tasks masks every task"),
    ({"data_seed": -2}, "data_seed is -2: it must be -1"),
    ({"data_seed": 2**31}, "data_seed is 2147483648: it must be -1"),
    ({"task": "mii"}, "task is 'mii' (did you mean 'miiii'?): it must be one of miiii, nanda"),
    ({"task": "qqq"}, "task is 'qqq': it must be one of miiii, nanda, basis, waves"),
    ({"target": "remainders"}, "target is 'remainders' (did you mean 'remainder'?)"),
    ({"task": "nanda", "operation": "addd"}, "operation is 'addd' (did you mean 'add'?)"),
    ({"operation": "multiply"}, "operation is 'multiply': only the task nanda has one, not miiii"),
    ({"task": "nanda", "moduli": (2,)}, "moduli is (2,): the task nanda takes none"),
    (
        {"task": "waves", "target": "divisibility"},
        "target is 'divisibility': the task waves has no",
    ),
]


@pytest.mark.parametrize(("fields", "message"), REFUSALS, ids=[text for _, text in REFUSALS])
def test_refusals(fields, message):
    with pytest.raises(ValueError) as refusal:
        TaskConfig(**fields)
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    "fields",
    [
        {"base": 3},
        {"base": 3, "train_fraction": 0.12},
        {"moduli": (2,)},
        {"moduli": (200, 4)},
        {"base": 7, "masked_tasks": (2, 3)},
        {"data_seed": 2**31 - 1},
        {"task": "nanda", "operation": "subtract"},
    ],
)
def test_the_limits_themselves_are_allowed(fields):
    TaskConfig(**fields)


def test_lists_become_tuples():
    config = TaskConfig(moduli=[4, 9], masked_tasks=[4])  # pyright: ignore[reportArgumentType]
    assert (config.moduli, config.masked_tasks) == ((4, 9), (4,))
    assert hash(config) == hash(TaskConfig(moduli=(4, 9), masked_tasks=(4,)))
