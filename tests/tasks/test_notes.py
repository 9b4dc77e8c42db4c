"""What is said of tasks before training, against counts by hand."""

import warnings

import numpy as np
import pytest

import miiii
from miiii.tasks.dataset import Dataset, Split, build_dataset
from miiii.tasks.notes import first_notes, task_notes


def notes(changes, seed=0):
    config = miiii.replace_fields(miiii.get_preset("tiny"), **changes)
    return task_notes(config.task, build_dataset(config.task, seed))


def planted(targets, classes, train=(0, 1, 2, 3), validation=(4, 5)):
    """Nine numbers with planted answers to one task."""
    rest = sorted(set(range(9)) - set(train) - set(validation))
    split = Split(*(np.array(part, np.int32) for part in (train, validation, rest)))
    answers = np.array(targets, np.int32)[:, None]
    dataset = Dataset(np.zeros((9, 2), np.int32), answers, (classes,), (classes,), split)
    config = miiii.replace_fields(miiii.get_preset("tiny"), base=11, moduli=(classes,)).task
    return task_notes(config, dataset)


def test_ordinary_tasks_have_no_note():
    for preset in ("tiny", "mini", "small", "nanda", "waves"):
        assert notes(fields_of(preset)) == []


def fields_of(preset):
    config = miiii.get_preset(preset)
    return {"task": config.task.task, "base": config.task.base, "moduli": config.task.moduli,
            "train_fraction": config.task.train_fraction}  # fmt: skip


def test_classes_without_a_training_number_are_counted():
    # Numbers are below 121, so that n mod 127 = n: each class has one number, six have none.
    untrained = 127 - miiii.get_preset("tiny").task.split_sizes[0]
    classes, validation = notes({"moduli": (2, 127)})
    expected = f"task 127: {untrained} of 127 classes have no training number (6 no number at all)"
    assert classes == expected
    assert "task 127: validation accuracy is 0 by construction" in validation


def test_python_is_warned_and_a_command_line_is_not():
    config = miiii.replace_fields(miiii.get_preset("tiny"), moduli=(2, 127))
    for command in ((), ("miiii", "train")):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            with pytest.raises(ValueError, match="name"):  # refused, so that nothing is trained
                miiii.start([config], ["no/name"], command=command)
        found = [each for each in caught if each.category is miiii.TaskWarning]
        said = [] if command else notes({"moduli": (2, 127)})
        assert [str(each.message) for each in found] == said
        assert all(each.filename == __file__ for each in found)


def test_many_notes_are_cut_short():
    config = miiii.replace_fields(miiii.get_preset("tiny"), moduli=tuple(range(122, 130)))
    dataset = build_dataset(config.task, 0)
    every, first = task_notes(config.task, dataset), first_notes(config.task, dataset)
    assert first == [*every[:5], f"and {len(every) - 5} more like these"]


@pytest.mark.parametrize(
    ("targets", "classes", "expected"),
    [
        ([0, 1, 0, 1, 2, 2, 0, 1, 2], 4, [
            "2 of 4 classes have no training number (1 no number at all)",
            "validation accuracy is 0 by construction",
        ]),
        ([0, 1, 0, 1, 2, 1, 0, 1, 2], 3, ["1 of 3 classes have no training number"]),
        ([1] * 9, 2, ["every number has the same answer"]),
        ([0, 1, 2, 0, 1, 2, 0, 1, 2], 3, []),
        # Numbers without an answer are of no class.
        ([0, 1, 0, 1, -1, 1, 0, 1, 0], 2, []),
    ],
)  # fmt: skip
def test_every_note(targets, classes, expected):
    found = [note for note in planted(targets, classes) if note.startswith("task")]
    assert len(found) == len(expected)
    for note, text in zip(found, expected, strict=True):
        assert text in note


def test_a_split_of_one_number_is_named():
    notes = planted([0, 1, 2, 0, 1, 2, 0, 1, 2], 3, validation=(4,))
    assert [note.split(":")[0] for note in notes] == [
        "validation has 1 number",
        "training has 4 numbers",
    ]


@pytest.mark.parametrize(
    ("changes", "few"),
    [
        # Of 9 numbers 7 train and one of the other two validates, and so on.
        ({"base": 3, "moduli": (2,)}, "validation has 1 number"),
        ({"base": 4, "moduli": (2,)}, "validation has 2 numbers"),
        ({"validation_size": 9}, "validation has 9 numbers"),
        ({"validation_size": 10}, None),
    ],
)
def test_few_validation_numbers_are_named(changes, few):
    said = [note.split(":")[0] for note in notes(changes) if note.startswith("validation")]
    assert said == ([few] if few else [])
