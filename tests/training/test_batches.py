"""Which runs may train together."""

import pytest

from miiii import Config, replace_fields
from miiii.experiment.batch import make_batch
from miiii.experiment.shape import BATCHED_FIELDS
from training.tiny import TINY
from wording import naming, says

OTHERS = {
    "base": 7,
    "moduli": (2, 3, 5),
    "train_fraction": 0.6,
    "validation_size": 3,
    "width": 16,
    "heads": 4,
    "depth": 2,
    "initialisation": "reference",
    "init_scale": 2.0,
    "beta2": 0.9,
    "filter": "none",
    "filter_decay": 0.9,
    "warmup_epochs": 2,
    "epochs": 13,
    "dropout_mask": "per_step",
    "task_reduction": "mean",
    "task_scale": "none",
    "precision": "float64",
    "validate_every": 2,
    "average_weights": 0.9,
    "target": "divisibility",
}


@pytest.mark.parametrize("name", OTHERS)
def test_mixed_shapes_are_refused_by_name(name):
    other = replace_fields(TINY, **{name: OTHERS[name]})
    with pytest.raises(ValueError) as refusal:
        make_batch([TINY, TINY, other])
    assert says(str(refusal.value), f"batch {name}")
    assert repr(OTHERS[name]) in str(refusal.value)


def test_another_task_is_refused_by_name():
    add = replace_fields(Config(), task="nanda", base=5)
    with pytest.raises(ValueError, match=naming("operation 'add' 'subtract'")):
        make_batch([add, replace_fields(add, operation="subtract")])
    with pytest.raises(ValueError, match=naming("task 'nanda' 'miiii'")):
        make_batch([add, replace_fields(add, task="miiii")])


def test_no_runs_are_refused():
    with pytest.raises(ValueError, match=naming("configuration")):
        make_batch([])


def test_what_may_differ_does_not_shape_the_program():
    values = {
        "seed": 9,
        "data_seed": 4,
        "masked_tasks": (2,),
        "learning_rate": 0.5,
        "weight_decay": 0.9,
        "filter_strength": 3.0,
        "dropout": 0.5,
        "task": "basis",
    }
    assert set(values) - {"task"} == set(BATCHED_FIELDS)
    other = replace_fields(TINY, **values)
    assert make_batch([TINY, other]).setting == make_batch([TINY]).setting
    assert make_batch([other]).setting == make_batch([TINY]).setting


def test_dropout_is_compiled_in_where_any_run_wants_it():
    without = replace_fields(TINY, dropout=0.0)
    assert not make_batch([without, without]).setting.use_dropout
    assert make_batch([without, TINY]).setting.use_dropout


def test_equal_data_has_an_equal_digest():
    configs = [
        TINY,
        replace_fields(TINY, learning_rate=0.5),
        replace_fields(TINY, seed=1),
        replace_fields(TINY, seed=1, data_seed=0),
        replace_fields(TINY, task="basis"),
    ]
    one, same, other_seed, same_data, shuffled = make_batch(configs).split_hashes
    assert one == same == same_data
    assert len({one, other_seed, shuffled}) == 3
    assert make_batch(configs).task_names == ["2", "3", "7"]
